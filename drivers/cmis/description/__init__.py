"""Everything that is known about a memory image, as a plain dictionary and as a page for people.

What an image does not hold, or what a module does not have, is told with its reason; nothing is made up in
its place. The page is printed from the dictionary alone, so both say the same.

:data:`SECTIONS` is the list of what a description has, in the order of the page; a new part is a
:class:`drivers.cmis.description.sections.Section` more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.cmis.description.condition import DURATIONS, MODULE_STATE, MONITORS, THRESHOLDS
from drivers.cmis.description.doubts import CHECKSUMS, DOUBTS, NOT_READ, NOTES, PAGES
from drivers.cmis.description.functions import CDB, DIAGNOSTICS, LASER, VDM
from drivers.cmis.description.identity import APPLICATIONS, IDENTITY, MEDIA
from drivers.cmis.description.lanes import FLAGS, HOST_LANES, MEDIA_LANES
from drivers.cmis.description.layout import sentences
from drivers.cmis.description.sections import MIRRORED, Section, page_of, subject_of
from drivers.cmis.dump.formats import page_name, some_of
from drivers.cmis.errors import CmisError
from drivers.cmis.image import MemoryImage

__all__ = ["SECTIONS", "describe", "render_text"]

_MOST_PAGES = 32
SECTIONS: tuple[Section, ...] = (
    NOTES,
    IDENTITY,
    MODULE_STATE,
    MONITORS,
    MEDIA_LANES,
    HOST_LANES,
    FLAGS,
    APPLICATIONS,
    MEDIA,
    LASER,
    THRESHOLDS,
    DURATIONS,
    VDM,
    DIAGNOSTICS,
    CDB,
    CHECKSUMS,
    DOUBTS,
    PAGES,
    NOT_READ,
)


def describe(image: MemoryImage, bank: int = 0) -> dict[str, Any]:
    """Describe an image. The result holds only what JSON can hold, with units in the names.

    Sections that cannot be given are None, and ``unavailable`` says why: a list of
    ``{"section", "reason"}``. Never raises for what an image holds.
    """
    subject = subject_of(image, bank)
    unavailable: list[dict[str, str]] = []
    description: dict[str, Any] = {}
    for section in SECTIONS:
        try:
            description[section.name] = section.read(subject)
        except CmisError as error:
            description[section.name] = None
            unavailable.append({"section": section.name, "reason": subject.reason(error)})
    if subject.mirrored:
        names = ", ".join(some_of([page_name(*place) for place in subject.mirrored], _MOST_PAGES))
        unavailable.append({"section": f"page {names}", "reason": MIRRORED})
    description["unavailable"] = unavailable
    return description


def render_text(description: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """A description as text: at most 100 columns, no control characters, ending with a newline.

    ``ascii_only``: bars of plain ASCII, for terminals and files that hold nothing else.
    """
    page = page_of(ascii_only=ascii_only)
    lines: list[str] = []
    for section in SECTIONS:
        block = list(section.print(description, page))
        if block:
            lines += [*block, ""]
    by_reason: dict[str, list[str]] = {}
    for item in description["unavailable"]:
        by_reason.setdefault(item["reason"], []).append(item["section"].replace("_", " "))
    for section in SECTIONS:
        part = description[section.name]
        if isinstance(part, Mapping) and part.get("supported") is False:
            by_reason.setdefault(part["reason"], []).append(section.title or section.name.replace("_", " "))
    lines += sentences(
        "Not available", (f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()), mark=""
    )
    text = "\n".join(lines).rstrip("\n") + "\n"
    return text.encode("ascii", "replace").decode("ascii") if ascii_only else text
