"""The package as a library of its own: light to import, every public name there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import drivers.cmis
from drivers.cmis import codes


@pytest.mark.parametrize("name", drivers.cmis.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(drivers.cmis, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = drivers.cmis.nothing


def test_describing_a_dump_loads_no_heavy_library() -> None:
    program = (
        "import sys, drivers.cmis, drivers.cmis.description, drivers.cmis.dump, drivers.cmis.bringup\n"
        "print([name for name in ('numpy', 'pint', 'pyvisa', 'smbus2', 'harness') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("table", "code", "meaning"),
    [
        ("identifier", 0x18, "QSFP-DD"),
        ("identifier", 0x19, "OSFP"),
        ("identifier", 0x80, "vendor-specific code 80h"),
        ("connector", 0x0C, "MPO 1x12"),
        ("host_interface", 0x11, "400GAUI-8 C2M"),
        ("host_interface", 0x4F, "400GAUI-4-S C2M"),
        ("host_interface", 0xFF, "unknown code FFh"),
        ("media_interface_smf", 0x1C, "400GBASE-DR4"),
        ("media_interface_smf", 0x55, "400GBASE-DR4-2"),
        ("media_technology", 0x10, "C-band tunable laser"),
    ],
)
def test_sff_8024_codes(table: str, code: int, meaning: str) -> None:
    assert codes.meaning(table, code) == meaning


@pytest.mark.parametrize(
    ("media_type", "code", "name"),
    [
        (1, 0x10, "400GBASE-SR8"),
        (2, 0x10, "100G CWDM4"),
        (3, 0x01, "copper cable"),
        (4, 0x01, "active cable, BER < 1e-12"),
        (0, 0x01, "code 01h of an undefined media type"),
        (0x77, 0xC1, "code C1h of an undefined media type"),
    ],
)
def test_the_media_type_selects_the_table_of_media_interfaces(media_type: int, code: int, name: str) -> None:
    assert codes.media_interface_name(media_type, code) == name
