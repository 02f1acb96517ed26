"""Monitors of the module and of its lanes, and how they are judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cmis.dump import load_dump
from drivers.cmis.errors import CmisError
from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.information import Thresholds
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.monitors import MonitorReading, read_lane_readings, read_module_monitors, state_of

SIDES = ("HighAlarm", "LowAlarm", "HighWarning", "LowWarning")
ALL_SUPPORTED = {
    f"{monitor}Supported": 1
    for monitor in ("TempMon", "VccMon", "Aux1Mon", "Aux2Mon", "Aux3Mon", "CustomMon")
}


def image_with(**fields: Any) -> MemoryImage:
    image = MemoryImage()
    for page in (0x00, 0x01, 0x02, 0x11):
        image.add_page(0, page)
    for name, value in fields.items():
        encode(FIELDS[name], value, image)
    return image


def limits(monitor: str, *values: Any) -> dict[str, Any]:
    return {f"{monitor}{side}Threshold": value for side, value in zip(SIDES, values, strict=True)}


def monitors_of(image: MemoryImage) -> dict[str, MonitorReading]:
    return {monitor.key: monitor for monitor in read_module_monitors(image)}


def test_all_six_are_given_and_only_advertised_ones_have_values() -> None:
    image = image_with(TempMonSupported=1, TempMonValue=40.5, VccMonVoltage=3.3, Aux1MonValue=100)
    found = read_module_monitors(image)
    assert [monitor.key for monitor in found] == ["temperature", "vcc", "aux1", "aux2", "aux3", "custom"]
    assert [monitor.supported for monitor in found] == [True, False, False, False, False, False]
    assert (found[0].value, found[0].unit, found[0].lane) == (40.5, "degC", None)
    assert found[1].value is None
    assert found[1].state == "no value"
    assert found[1].reason == "the module does not advertise it (01h:159.1 VccMonSupported is 0)"


@pytest.mark.parametrize(
    ("key", "observable", "raw", "value", "unit", "meaning"),
    [
        ("aux1", 1, 0x7FFF, 100.0, "%", "TEC current"),
        ("aux1", 1, 0x8001, -100.0, "%", "TEC current"),
        ("aux1", 0, 0x8001, 0x8001, "", "vendor's own, raw"),
        ("aux2", 0, 0x3708, 55.03125, "degC", "laser temperature"),
        ("aux2", 1, 0xC001, -50.0, "%", "TEC current"),
        ("aux3", 0, 0xFF00, -1.0, "degC", "laser temperature"),
        ("aux3", 1, 33000, 3.3, "V", "second supply voltage"),
    ],
)
def test_what_an_auxiliary_monitor_is_stands_in_its_advertisement(
    key: str, observable: int, raw: int, value: float, unit: str, meaning: str
) -> None:
    number = key[-1]
    image = image_with(**ALL_SUPPORTED, **{f"Aux{number}MonObservable": observable})
    image.put(0, 0, 16 + 2 * int(number), raw.to_bytes(2, "big"))
    monitor = monitors_of(image)[key]
    assert monitor.value == pytest.approx(value, abs=2e-3)
    assert (monitor.unit, monitor.raw) == (unit, raw)
    assert monitor.name.endswith(meaning)
    assert monitor.uncertain is (meaning in ("second supply voltage", "vendor's own, raw"))


def test_thresholds_of_an_auxiliary_monitor_have_its_scale() -> None:
    image = image_with(
        **ALL_SUPPORTED, Aux1MonObservable=1, **limits("Aux1Mon", 0x7FFF, -0x7FFF, 0x3FFF, -0x3FFF)
    )
    image.put(0, 0, 18, (0x6000).to_bytes(2, "big"))
    monitor = monitors_of(image)["aux1"]
    assert monitor.thresholds is not None
    assert monitor.thresholds.high_alarm == pytest.approx(100.0)
    assert monitor.thresholds.low_alarm == pytest.approx(-100.0)
    assert (monitor.state, monitor.verdict) == ("warning", "high warning")


def test_a_custom_monitor_is_raw_and_not_judged() -> None:
    image = image_with(**ALL_SUPPORTED, CustomMonValue=b"\x80\x01")
    image.put(0, 2, 168, bytes.fromhex("7fff800040000100"))
    monitor = monitors_of(image)["custom"]
    assert (monitor.value, monitor.raw, monitor.unit) == (0x8001, 0x8001, "")
    assert monitor.state == "no thresholds"
    assert "vendor's own" in monitor.reason


@pytest.mark.parametrize(
    ("temperature_c", "state", "verdict"),
    [
        (40.0, "ok", "ok"),
        (70.0, "ok", "ok"),
        (70.5, "warning", "high warning"),
        (75.5, "alarm", "high alarm"),
        (-0.5, "warning", "low warning"),
        (-5.5, "alarm", "low alarm"),
    ],
)
def test_states(temperature_c: float, state: str, verdict: str) -> None:
    image = image_with(
        TempMonSupported=1, TempMonValue=temperature_c, **limits("TempMon", 75.0, -5.0, 70.0, 0.0)
    )
    monitor = monitors_of(image)["temperature"]
    assert (monitor.state, monitor.verdict) == (state, verdict)


def test_thresholds_of_zero_are_no_thresholds() -> None:
    monitor = monitors_of(image_with(TempMonSupported=1, TempMonValue=40.0))["temperature"]
    assert monitor.value == 40.0
    assert monitor.thresholds is None
    assert (monitor.state, monitor.verdict) == ("no thresholds", "no thresholds")
    assert monitor.reason == "no thresholds: all thresholds are 0 (02h:128-135)"


def test_thresholds_with_low_above_high_are_no_thresholds() -> None:
    image = image_with(TempMonSupported=1, TempMonValue=40.0, **limits("TempMon", -5.0, 75.0, 0.0, 70.0))
    monitor = monitors_of(image)["temperature"]
    assert monitor.state == "no thresholds"
    assert "low thresholds are not below high ones (alarm 75 to -5, warning 70 to 0)" in monitor.reason


def test_values_come_without_the_page_of_thresholds() -> None:
    whole = image_with(**ALL_SUPPORTED, TempMonValue=40.0)
    image = MemoryImage(whole.get(0, 0, 0, 128), {(0, 1): whole.get(0, 1, 128, 128)})
    monitor = monitors_of(image)["temperature"]
    assert (monitor.value, monitor.state) == (40.0, "no thresholds")
    assert "page 02h" in monitor.reason


def test_a_flat_module_has_no_monitors_and_is_not_asked_for_pages() -> None:
    lower = image_with(MemoryModel=1, TempMonValue=40.0).get(0, 0, 0, 128)
    found = read_module_monitors(MemoryImage(lower))
    assert len(found) == 6
    assert not any(monitor.supported for monitor in found)
    assert all("flat" in monitor.reason for monitor in found)
    assert read_lane_readings(MemoryImage(lower)) == ()


@pytest.mark.parametrize(
    ("limits_given", "value", "state"),
    [
        (Thresholds(2.0, 1.0, 0.0, 0.0), 1.5, "ok"),  # warnings are not set
        (Thresholds(2.0, 1.0, 0.0, 0.0), 3.0, "alarm"),
        (Thresholds(0.0, 0.0, 2.0, 1.0), 3.0, "warning"),  # alarms are not set
        (Thresholds(5.0, 5.0, 5.0, 5.0), 5.0, "no thresholds"),
        (Thresholds(1.0, 2.0, 3.0, 4.0), 2.5, "no thresholds"),
        (None, 1.0, "no thresholds"),
    ],
)
def test_each_pair_of_limits_counts_by_itself(
    limits_given: Thresholds | None, value: float, state: str
) -> None:
    assert state_of(value, limits_given) == state


def test_lanes() -> None:
    image = image_with(
        MediaLaneUnsupported=0xF0,
        TxOpticalPowerMonSupported=1,
        TxBiasMonSupported=1,
        RxPowerMeasurementType=1,
        TxBiasCurrentScalingFactor=1,
        TxPower=(1e-3, 2e-3, 1e-5, 1e-3, 0.0, 0.0, 0.0, 0.0),
        TxBias=(50.0,) * 8,
        **limits("TxPower", 3e-3, 1e-4, 1.5e-3, 2e-4),
    )
    found = {(item.key, item.lane): item for item in read_lane_readings(image)}
    assert [lane for key, lane in found if key == "tx_power"] == [1, 2, 3, 4]
    assert [found["tx_power", lane].state for lane in (1, 2, 3)] == ["ok", "warning", "alarm"]
    assert found["tx_bias", 1].value == 100.0  # times the multiplier
    assert found["tx_bias", 1].state == "no thresholds"
    assert not found["rx_power", 1].supported
    assert "RxOpticalPowerMonSupported is 0" in found["rx_power", 1].reason
    assert found["rx_power", 1].name == "received power (average power)"


def test_a_reserved_bias_multiplier_leaves_no_current() -> None:
    image = image_with(TxBiasMonSupported=1, TxBiasCurrentScalingFactor=3, TxBias=(50.0,) * 8)
    bias = next(item for item in read_lane_readings(image) if item.key == "tx_bias")
    assert bias.value is None
    assert bias.supported
    assert "01h:160.4-3" in bias.reason


@given(st.dictionaries(st.sampled_from([None, 0, 1, 2, 0x11]), st.binary(min_size=128, max_size=128)))
def test_whatever_memory_holds_nothing_but_library_errors_come(parts: dict[int | None, bytes]) -> None:
    image = MemoryImage(
        parts.get(None), {(0, page): data for page, data in parts.items() if page is not None}
    )
    try:
        found = (*read_module_monitors(image), *read_lane_readings(image))
    except CmisError:
        return
    for monitor in found:
        assert monitor.state in ("ok", "warning", "alarm", "no thresholds", "no value")
        assert (monitor.value is None) == (monitor.state == "no value")
        assert monitor.state in ("ok", "warning", "alarm") or monitor.reason


# --- real modules


def real(dump_folder: Path, name: str) -> dict[str, MonitorReading]:
    return monitors_of(load_dump(dump_folder / f"{name}.json").image)


def test_a_real_dr4_module(dump_folder: Path) -> None:
    found = real(dump_folder, "arista-400g-xdr4")
    assert found["temperature"].value == pytest.approx(42.816, abs=1e-3)
    assert found["vcc"].value == pytest.approx(3.2491)
    assert found["aux2"].value == 55.0
    assert found["aux2"].name == "auxiliary monitor 2: laser temperature"
    limits_found = found["aux2"].thresholds
    assert limits_found == Thresholds(72.0, 28.0, 70.0, 30.0)
    assert {item.state for item in found.values() if item.supported} == {"ok"}
    assert not found["aux1"].supported


def test_a_real_module_with_two_laser_temperatures(dump_folder: Path) -> None:
    found = real(dump_folder, "arista-2x400g-xdr4")
    assert (found["aux2"].value, found["aux3"].value) == (65.0, pytest.approx(64.988, abs=1e-3))
    assert (found["aux2"].state, found["aux3"].state) == ("ok", "ok")


def test_a_real_fr4_module_cools_its_laser(dump_folder: Path) -> None:
    found = real(dump_folder, "400g-fr4-multiport")
    assert found["aux1"].value == pytest.approx(37.718, abs=1e-3)
    assert found["aux1"].unit == "%"
    assert found["aux1"].thresholds is not None
    assert found["aux1"].thresholds.high_alarm == pytest.approx(50.0, abs=0.01)


def test_a_real_coherent_module_without_limits_of_bias(dump_folder: Path) -> None:
    image = load_dump(dump_folder / "800g-zr.json").image
    (bias,) = (item for item in read_lane_readings(image) if item.key == "tx_bias")
    assert bias.value == pytest.approx(230.6)
    assert bias.state == "no thresholds"
    assert "all thresholds are 0" in bias.reason


def test_a_real_flat_module(dump_folder: Path) -> None:
    assert not any(item.supported for item in real(dump_folder, "flat-memory").values())
