"""Memory of any content: the library decodes and describes it, or raises an error of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from drivers.cmis import information
from drivers.cmis.description import describe, render_text
from drivers.cmis.dump import DumpMemory
from drivers.cmis.errors import CmisError
from drivers.cmis.fields import Field, decode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule, flags_of
from drivers.cmis.polling import advertised_limits, full_poll_fields, plan_reads
from drivers.errors import BenchError

FEW = 10_000
MANY = 1_000_000
DESCRIBED_EACH = 3  # every image is decoded, one in so many is described as well

PAGES = sorted({field.page for field in FIELDS.values() if field.byte >= 128})
FIELDS_OF: dict[int | None, list[Field]] = {None: [field for field in FIELDS.values() if field.byte < 128]}
for page_number in PAGES:
    FIELDS_OF[page_number] = [
        field for field in FIELDS.values() if field.byte >= 128 and field.page == page_number
    ]
OWN = (CmisError, BenchError)


def random_half(random: Random) -> bytes:
    """128 bytes: mostly noise, now and then one value throughout, or noise in a page of one value."""
    kind = random.random()
    if kind < 0.8:
        return random.randbytes(128)
    value = random.choice((0x00, 0xFF, 0x20, 0x7F, 0x80))
    half = bytearray([value]) * 128
    if kind < 0.9:
        first = random.randrange(128)
        half[first : first + 8] = random.randbytes(min(8, 128 - first))
    return bytes(half)


def random_image(random: Random) -> MemoryImage:
    """A paged module's image; in some, a page or lower memory is missing."""
    lower = bytearray(random_half(random))
    if random.random() < 0.9:
        lower[2] &= 0x7F
    missing = random.choice((*PAGES, *[None] * len(PAGES)))
    return MemoryImage(
        None if random.random() < 0.01 else bytes(lower),
        {(0, page): random_half(random) for page in PAGES if page != missing},
    )


def readings(image: MemoryImage) -> list[Callable[[], Any]]:
    """What anybody would ask of a module, each of which may refuse."""
    module = CmisModule(DumpMemory(image), clock=None)  # type: ignore[arg-type]
    return [
        module.identity,
        module.applications,
        module.module_state,
        module.data_path_states,
        module.config_status,
        module.lane_monitors,
        module.thresholds,
        module.reach,
        module.flags,
        module.checksums,
        lambda: module.duration_s("MaxDurationDPInit"),
        lambda: information.read_cable_length_m(image),
        lambda: flags_of(image),
        lambda: advertised_limits(image),
        lambda: PLAN.execute(DumpMemory(image)),
    ]


PLAN = plan_reads(full_poll_fields(), clear_on_read=True)


def check_image(image: MemoryImage, *, ask: bool) -> int:
    """Decode all of an image, and ``ask`` for all else; the number of its pages, lower memory included."""
    pages = [page for _, page in image.pages()]
    halves: list[int | None] = [None, *pages] if image.has_lower else [*pages]
    for half in halves:
        for field in FIELDS_OF[half]:
            decode(field, image)  # raises nothing: the image holds the page
    if ask:
        for reading in readings(image):
            try:
                reading()
            except OWN as error:
                assert str(error)  # noqa: PT017 - which error it is depends on the noise
        description = describe(image)
        json.dumps(description, allow_nan=False)
        text = render_text(description)
        assert all(character.isprintable() or character == "\n" for character in text)
    return len(halves)


def check_pages(count: int, seed: int) -> None:
    random = Random(seed)
    done = images = 0
    while done < count:
        image = random_image(random)
        try:
            done += check_image(image, ask=images % DESCRIBED_EACH == 0)
        except Exception as error:
            raise AssertionError(f"image {images} of seed {seed}: {type(error).__name__}: {error}") from error
        images += 1


def test_noise_raises_nothing_but_errors_of_the_library() -> None:
    check_pages(FEW, seed=1)


@pytest.mark.soak
def test_a_million_pages_of_noise_raise_nothing_but_errors_of_the_library() -> None:
    check_pages(MANY, seed=2)
