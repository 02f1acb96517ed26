"""What tests of the module commands share: small dumps, and real ones where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage, update_checksums
from drivers.cmis.memory_map import FIELDS

_DUMPS = Path(__file__).parents[3] / "../shared/eeprom"


@pytest.fixture(scope="session")
def dump_folder() -> Path:
    if not _DUMPS.is_dir():
        pytest.skip("the folder of real modules' dumps is not here (../shared/eeprom)")
    return _DUMPS


def small_image() -> MemoryImage:
    """A module with lower memory, pages 00h to 02h, 10h and 11h."""
    pages = {(0, page): bytes(128) for page in (0x00, 0x01, 0x02, 0x10, 0x11)}
    image = MemoryImage(bytes(128), pages)
    for name, value in {
        "SFF8024Identifier": 0x18,
        "CmisRevisionMajor": 5,
        "ModuleState": 3,
        "MediaType": 2,
        "VendorName": "Example",
        "VendorPN": "PN-1",
        "TempMonSupported": 1,
        "TempMonValue": 40.0,
        "DPStateHostLane": (4,) * 8,
        "OutputDisableTx": 0b0000_0100,
    }.items():
        encode(FIELDS[name], value, image)
    update_checksums(image)
    return image


@pytest.fixture
def image() -> MemoryImage:
    return small_image()


@pytest.fixture
def dump_file(tmp_path: Path) -> Path:
    """The small module as a JSON dump."""
    from drivers.cmis.dump import save_dump

    path = tmp_path / "module.json"
    save_dump(small_image(), path)
    return path
