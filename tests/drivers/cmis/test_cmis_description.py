"""Descriptions of images: what is missing is told with its reason, and nothing is ever raised."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.cmis.description import describe, render_text
from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS

PAGES = (0x00, 0x01, 0x02, 0x10, 0x11)


def optical_module(**values: object) -> MemoryImage:
    image = MemoryImage(bytes(128), {(0, page): bytes(128) for page in PAGES})
    plain = {
        "SFF8024Identifier": 0x18,
        "CmisRevisionMajor": 5,
        "ModuleState": 3,
        "MediaType": 2,
        "MediaInterfaceTechnology": 6,
        "HostInterfaceIDApp1": 0xFF,
    }
    for name, value in {**plain, **values}.items():
        encode(FIELDS[name], value, image)  # type: ignore[arg-type]
    return image


halves = st.one_of(
    st.binary(min_size=128, max_size=128),
    st.integers(0, 255).map(lambda fill: bytes([fill]) * 128),
)


@settings(max_examples=60, deadline=None)
@given(
    lower=st.one_of(st.none(), halves),
    pages=st.dictionaries(st.sampled_from([(0, page) for page in (*PAGES, 0x20)]), halves),
)
def test_any_image_is_described(lower: bytes | None, pages: dict[tuple[int, int], bytes]) -> None:
    description = describe(MemoryImage(lower, pages))
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    text = render_text(description)
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(
    ("code", "base", "code_2", "smf_length_km"),
    [(0, 5, 0, 0.5), (1, 2, 0, 2.0), (2, 4, 0, 40.0), (3, 2, 1, 200.0), (2, 0, 0, None)],
)
def test_length_multipliers_of_single_mode_fibre(
    code: int, base: int, code_2: int, smf_length_km: float | None
) -> None:
    image = optical_module(LengthMultiplierSMF=code, BaseLengthSMF=base, LengthMultiplierSMF2=code_2)
    assert describe(image)["media"]["smf_length_km"] == smf_length_km


def test_a_reserved_bias_multiplier_leaves_the_powers() -> None:
    image = optical_module(
        TxBiasCurrentScalingFactor=3, TxBiasMonSupported=1, TxOpticalPowerMonSupported=1, TxPower=(1e-3,) * 8
    )
    lane = describe(image)["media_lanes"][0]
    assert lane["bias_ma"] is None
    assert lane["tx_power_dbm"]["value"] == 0.0


def test_a_monitor_that_is_not_advertised_is_no_measurement() -> None:
    description = describe(optical_module(TempMonSupported=0, VccMonSupported=1, VccMonVoltage=3.3))
    assert description["monitors"]["temperature_c"] is None
    assert description["monitors"]["vcc_v"]["value"] == pytest.approx(3.3)
    assert "no monitor" in render_text(description)


@pytest.mark.parametrize(
    ("temperature_c", "verdict"),
    [(25.0, "ok"), (71.0, "high warning"), (76.0, "high alarm"), (-1.0, "low warning"), (-6.0, "low alarm")],
)
def test_monitors_are_held_against_thresholds(temperature_c: float, verdict: str) -> None:
    image = optical_module(
        TempMonSupported=1,
        TempMonValue=temperature_c,
        TempMonHighAlarmThreshold=75.0,
        TempMonHighWarningThreshold=70.0,
        TempMonLowWarningThreshold=0.0,
        TempMonLowAlarmThreshold=-5.0,
    )
    assert describe(image)["monitors"]["temperature_c"]["verdict"] == verdict


def test_flags_are_listed_by_name_and_lane() -> None:
    image = optical_module(TempMonHighAlarmFlag=1, LOSFlagRx=0b0101)
    description = describe(image)
    assert description["flags"] == {"module": ["TempMonHighAlarmFlag"], "lanes": {"LOSFlagRx": [1, 3]}}
    assert description["media_lanes"][2]["flags"] == ["LOSFlagRx"]


def test_no_light_is_called_so() -> None:
    text = render_text(describe(optical_module(RxOpticalPowerMonSupported=1)))
    assert "no light" in text


def test_a_fault_names_its_cause() -> None:
    text = render_text(describe(optical_module(ModuleState=5, ModuleFaultCause=1)))
    assert "ModuleFault (5)" in text
    assert "runaway" in text


def test_missing_parts_are_told_with_their_reason() -> None:
    description = describe(MemoryImage(None, {(0, 0x00): bytes(128)}))
    assert description["identity"] is None
    reasons = {item["section"]: item["reason"] for item in description["unavailable"]}
    assert "lower memory is not available" in reasons["identity"]
    assert "lower memory" in render_text(description)


def test_a_memory_that_is_not_of_cmis_is_warned_of() -> None:
    description = describe(optical_module(SFF8024Identifier=0x11))
    assert "QSFP28" in description["notes"][0]
    assert render_text(description).startswith("NOTE: identifier 11h")


def test_no_applications_is_said() -> None:
    assert "none advertised" in render_text(describe(optical_module()))
