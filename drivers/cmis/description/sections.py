"""What a description is made of: sections, each of which reads an image and prints what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.cmis import information
from drivers.cmis.description.bars import ASCII, UNICODE, BarStyle
from drivers.cmis.dump.formats import some_of
from drivers.cmis.errors import BytesNotReadError, CmisError, PageUnavailableError
from drivers.cmis.image import MemoryImage, mirrored_pages

Plain = Any
"""What JSON can hold: dict, list, str, int, float, bool, None."""


_MOST_SPANS = 8
MIRRORED = "what page 00h holds is there too: a module shows it in place of a page that it does not have"
"""Why pages are not decoded that :func:`drivers.cmis.image.mirrored_pages` finds."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is described. ``image`` is without the pages that mirror page 00h, as decoding those would
    present identity as measurements; they are in ``mirrored``."""

    image: MemoryImage
    bank: int
    mirrored: tuple[tuple[int, int], ...] = ()

    def reason(self, error: CmisError) -> str:
        """Why something is not there, as far as the image tells."""
        if isinstance(error, BytesNotReadError):
            spans = ", ".join(some_of(error.spans.split(", "), _MOST_SPANS))
            return f"bytes that it needs were not read when the dump was taken: {spans}"
        if not isinstance(error, PageUnavailableError):
            return str(error)
        try:
            flat = bool(information.get_int(self.image, "MemoryModel"))
        except PageUnavailableError:
            flat = False
        if flat and error.page:
            return "the module's memory is flat (lower:2.7): it has lower memory and page 00h only"
        if error.page is not None and any(page == error.page for _, page in self.mirrored):
            return MIRRORED
        return str(error)


@dataclass(frozen=True, slots=True)
class Page:
    """How a description is to be printed."""

    bars: BarStyle


def page_of(*, ascii_only: bool) -> Page:
    """Printing with or without characters beyond ASCII."""
    return Page(ASCII if ascii_only else UNICODE)


def no_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    """Printing of a section that another one prints."""
    return ()


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a description.

    ``read`` gives plain data that JSON can hold, and raises :class:`CmisError` when the image does not have
    it: the section is then None, with the error as the reason. ``print`` makes lines of the whole
    description, in which its own part may be None. A part that is a dictionary with ``supported`` False and
    a ``reason`` is printed among what is not available, by its ``title``.
    """

    name: str
    read: Callable[[Subject], Plain]
    print: Callable[[Mapping[str, Plain], Page], Sequence[str]] = no_text
    title: str = ""


def subject_of(image: MemoryImage, bank: int) -> Subject:
    """An image, ready to be described."""
    mirrored = mirrored_pages(image)
    if not mirrored:
        return Subject(image, bank)
    rest = image.copy()
    for mirrored_bank, page in mirrored:
        rest.discard_page(mirrored_bank, page)
    return Subject(rest, bank, mirrored)
