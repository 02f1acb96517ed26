"""What widely used decoders get wrong, as known answers: registers on the left, the right value on the right.

ethtool 6.15 shifts the bias multiplier the wrong way (17.6 mA for 282.2 mA), takes the wavelength's tolerance
from bytes 139-140 in steps of 0.05 nm (69.4 nm for 6.5 nm), ignores the third length multiplier (4 km for
40 km) and mixes up technology codes of two standards; others read lane flags a byte at a time.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.cmis.description import describe, render_text
from drivers.cmis.dump import load_dump
from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS


def module(**values: object) -> MemoryImage:
    image = MemoryImage(bytes(128), {(0, page): bytes(128) for page in (0x00, 0x01, 0x02, 0x10, 0x11)})
    for name, value in {"MediaType": 2, "MediaInterfaceTechnology": 6, **values}.items():
        encode(FIELDS[name], value, image)  # type: ignore[arg-type]
    return image


def test_bias_is_multiplied_and_not_divided() -> None:
    image = module(TxBiasMonSupported=1, TxBiasCurrentScalingFactor=2)
    image.put(0, 0x11, 170, (35280).to_bytes(2, "big"))  # 70.56 mA in the register
    lane = describe(image)["media_lanes"][0]
    assert lane["bias_ma"]["value"] == pytest.approx(282.24)
    assert "282.2" in render_text(describe(image))


def test_bias_of_a_linear_drive_module_in_text(dump_folder: Path) -> None:
    description = describe(load_dump(dump_folder / "2x400g-fr4-lpo.json").image)
    assert [round(lane["bias_ma"]["value"], 1) for lane in description["media_lanes"]] == [
        144.5, 144.6, 144.7, 144.8, 144.6, 144.5, 144.5, 144.9,
    ]  # fmt: skip
    assert description["thresholds"]["tx_bias_ma"]["high_alarm"] == pytest.approx(400.0)


def test_tolerance_is_of_bytes_140_and_141(dump_folder: Path) -> None:
    image = load_dump(dump_folder / "arista-400g-xdr4.json").image
    raw = image.get(0, 0x01, 138, 4)
    assert int.from_bytes(raw[1:2] + raw[2:3], "big") != 1300
    assert int.from_bytes(raw[2:3] + raw[1:2], "big") * 0.05 == pytest.approx(69.4)  # the known mistake
    assert describe(image)["media"]["wavelength_tolerance_nm"] == 6.5
    assert "1311.00 nm +/- 6.500 nm" in render_text(describe(image))


@pytest.mark.parametrize(
    ("byte_132", "byte_137", "length_km"),
    [(0x05, 0x00, 0.5), (0x42, 0x00, 2.0), (0x84, 0x00, 40.0), (0xC2, 0x40, 200.0)],
)
def test_every_length_multiplier_counts(byte_132: int, byte_137: int, length_km: float) -> None:
    image = module()
    image.put(0, 0x01, 132, bytes([byte_132]))
    image.put(0, 0x01, 137, bytes([byte_137]))
    description = describe(image)
    assert description["media"]["smf_length_km"] == length_km
    assert f"single-mode fibre  {length_km:g} km\n" in render_text(description)


def test_technology_10h_is_a_tunable_c_band_laser(dump_folder: Path) -> None:
    identity = describe(load_dump(dump_folder / "800g-zr.json").image)["identity"]
    assert identity["media_technology"] == "C-band tunable laser"


def test_lane_flags_are_told_by_bit(dump_folder: Path) -> None:
    """11h:134-153 of this dump hold 00 0A 0B 0C 0D 02 03 04 05 06 07 08 09 05 06 0A 0B 0C 0D 00."""
    image = load_dump(dump_folder / "bad-checksum-200g.json").image
    assert image.get(0, 0x11, 134, 20).hex() == "000a0b0c0d020304050607080905060a0b0c0d00"
    lanes = describe(image)["flags"]["lanes"]
    assert lanes["FailureFlagTx"] == [2, 4]
    assert lanes["LOSFlagTx"] == [1, 2, 4]
    assert lanes["LOSFlagRx"] == [1, 3]
    assert lanes["OpticalPowerLowWarningFlagRx"] == [1, 3, 4]
    assert "DPStateChangedFlag" not in lanes
    assert describe(image)["flags"]["module"] == [
        "TempMonHighAlarmFlag",
        "TempMonLowAlarmFlag",
        "TempMonLowWarningFlag",
        "VccMonHighAlarmFlag",
        "VccMonHighWarningFlag",
    ]  # lower:9 holds 5Bh


@pytest.mark.parametrize("name", ["credo-800g-aec", "flat-memory", "800g-zr", "2x400g-fr4-lpo"])
def test_odd_modules_make_a_page_that_can_be_read(dump_folder: Path, name: str) -> None:
    text = render_text(describe(load_dump(dump_folder / f"{name}.json").image))
    assert max(map(len, text.splitlines())) <= 100
    for nothing in ("None", "nan", "-200.0", "inf"):
        assert nothing not in text.split()
