"""Known answers from dumps of real modules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drivers.cmis.codes import DataPathState, ModuleState
from drivers.cmis.description import describe, render_text
from drivers.cmis.dump import DumpMemory, load_dump
from drivers.cmis.errors import PageUnavailableError, ReadOnlyMemoryError
from drivers.cmis.image import update_checksums
from drivers.cmis.module import CmisModule

NAMES = (
    "2x400g-fr4-lpo",
    "400g-dr4",
    "400g-fr4-multiport",
    "400g-lr4",
    "800g-zr",
    "arista-2x400g-xdr4",
    "arista-400g-xdr4",
    "bad-checksum-200g",
    "credo-800g-aec",
    "flat-memory",
)


@pytest.fixture
def module(dump_folder: Path, clock: Any, request: pytest.FixtureRequest) -> CmisModule:
    return CmisModule(DumpMemory(load_dump(dump_folder / f"{request.param}.json").image), clock)


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("module", [name], indirect=True)


def test_no_dump_is_left_out(dump_folder: Path) -> None:
    assert {path.stem for path in dump_folder.glob("*.json")} == set(NAMES)


@of("arista-400g-xdr4")
def test_identity_of_a_400g_dr4_module(module: CmisModule) -> None:
    identity = module.identity()
    assert identity.vendor == "Arista Networks"
    assert identity.part_number == "QDD-400G-XDR4"
    assert identity.serial_number == "XKT231212112"
    assert (identity.revision, identity.date_code, identity.oui) == ("41", "230325", "00-1C-73")
    assert (identity.identifier, identity.cmis_revision, identity.firmware) == ("QSFP-DD", "4.0", "14.3")
    assert (identity.power_class, identity.max_power_w) == (5, 10.0)
    assert (identity.connector, identity.media_technology) == ("MPO 1x12", "1310 nm EML")
    assert not identity.flat_memory


@of("arista-400g-xdr4")
def test_applications_of_a_400g_dr4_module(module: CmisModule) -> None:
    first, second = module.applications()
    assert (first.app_sel, first.host_interface, first.media_interface) == (
        1,
        "400GAUI-8 C2M",
        "400GBASE-DR4",
    )
    assert (first.host_interface_code, first.media_interface_code) == (0x11, 0x1C)
    assert (first.host_lanes, first.media_lanes) == (8, 4)
    assert (first.host_lane_starts, first.media_lane_starts) == ((1,), (1,))
    assert second.host_lane_starts == (1, 3, 5, 7)
    assert second.media_lane_starts == (1, 2, 3, 4)


@of("arista-400g-xdr4")
def test_states_and_monitors_of_a_400g_dr4_module(module: CmisModule) -> None:
    assert module.module_state() is ModuleState.ModuleReady
    assert module.data_path_states() == (DataPathState.DPActivated,) * 8
    assert module.temperature_c() == pytest.approx(0x2AD1 / 256)
    assert module.vcc_v() == pytest.approx(3.2491)
    lanes = module.lane_monitors()
    assert lanes[0].tx_power_w == pytest.approx(0x3E25 * 1e-7)
    assert lanes[0].tx_power_dbm == pytest.approx(2.0167, abs=1e-3)
    assert lanes[0].rx_power_dbm == pytest.approx(2.2425, abs=1e-3)
    assert lanes[0].bias_ma == pytest.approx(0xC6BA * 0.002)
    assert lanes[3].tx_power_dbm == pytest.approx(2.0512, abs=1e-3)
    assert module.thresholds()["temperature_c"].high_alarm == 75.0
    assert module.thresholds()["tx_power_w"].low_alarm == pytest.approx(0x0FEA * 1e-7)


@of("arista-400g-xdr4")
def test_durations_of_a_400g_dr4_module(module: CmisModule) -> None:
    """01h:144 is 77h and 01h:167 is 58h: 5 s, 5 s, 500 ms, 10 s."""
    assert module.duration_s("MaxDurationDPInit") == 5.0
    assert module.duration_s("MaxDurationDPDeinit") == 5.0
    assert module.duration_s("MaxDurationModulePwrDn") == 0.5
    assert module.duration_s("MaxDurationModulePwrUp") == 10.0


@of("2x400g-fr4-lpo")
def test_bias_multiplier_of_four(module: CmisModule) -> None:
    assert module.lane_monitors()[0].bias_ma == pytest.approx(0x4692 * 0.002 * 4)
    assert module.thresholds()["tx_bias_ma"].high_alarm == pytest.approx(0xC350 * 0.002 * 4)
    assert [item.host_interface for item in module.applications()] == [
        "LEI-100-PAM4-1",
        "LEI-400-PAM4-4",
        "LEI-800-PAM4-8",
    ]


@of("credo-800g-aec")
def test_an_active_copper_cable(module: CmisModule) -> None:
    assert module.identity().media_technology.startswith("copper")
    assert module.applications()[6].media_interface == "active cable, BER < 1e-6"
    assert all(lane.tx_power_w is None and lane.bias_ma is None for lane in module.lane_monitors())


@of("800g-zr")
def test_fifteen_applications_over_two_pages(module: CmisModule) -> None:
    applications = module.applications()
    assert [item.app_sel for item in applications] == list(range(1, 16))
    assert applications[8].media_interface == "vendor-specific code F7h"
    assert applications[0].media_interface == "unknown code 68h"


@of("flat-memory")
def test_a_flat_module_has_no_more_than_two_halves(module: CmisModule) -> None:
    assert module.identity().flat_memory
    assert module.module_state() is ModuleState.ModuleLowPwr
    assert [checksum.page for checksum in module.checksums()] == [0x00]
    with pytest.raises(PageUnavailableError, match="11h"):
        module.data_path_states()


@of("bad-checksum-200g")
def test_reserved_states_are_told_and_not_raised(module: CmisModule) -> None:
    states = module.data_path_states()
    assert states[:4] == (
        DataPathState.DPActivated,
        DataPathState.DPInit,
        DataPathState.DPTxTurnOn,
        DataPathState.DPDeinit,
    )
    assert states[4].name == "Reserved_0"


@of("arista-400g-xdr4")
def test_a_dump_cannot_be_written(module: CmisModule) -> None:
    with pytest.raises(ReadOnlyMemoryError, match="10h"):
        module.set_output_disable_tx((1, 2))


@pytest.mark.parametrize("name", NAMES)
def test_every_dump_is_described_and_wrong_checksums_are_said(dump_folder: Path, name: str) -> None:
    path = dump_folder / f"{name}.json"
    description = describe(load_dump(path).image)
    text = render_text(description)
    assert json.loads(json.dumps(description)) == description
    expected = json.loads(path.read_text())["checksum_ok"]
    assert {item["page"]: item["ok"] for item in description["checksums"]} == expected
    for page, ok in expected.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"  page {page}  ")]
        assert ("WRONG: computed" in line) is not ok
        assert ("OK" in line) is ok


@pytest.mark.parametrize("name", NAMES)
def test_an_updated_image_has_right_checksums(dump_folder: Path, name: str) -> None:
    image = load_dump(dump_folder / f"{name}.json").image.copy()
    update_checksums(image)
    assert all(item["ok"] for item in describe(image)["checksums"])


@pytest.mark.parametrize(
    ("name", "wavelength_nm", "tolerance_nm", "smf_length_km"),
    [
        ("arista-400g-xdr4", 1311.0, 6.5, 2.0),  # 140-141 holds 1300, in steps of 0.005 nm
        ("2x400g-fr4-lpo", 1301.0, 35.75, 0.5),
        ("400g-lr4", 1301.0, 5.75, 10.0),
    ],
)
def test_wavelength_and_reach(
    dump_folder: Path, name: str, wavelength_nm: float, tolerance_nm: float, smf_length_km: float
) -> None:
    media = describe(load_dump(dump_folder / f"{name}.json").image)["media"]
    assert media["wavelength_nm"] == wavelength_nm
    assert media["wavelength_tolerance_nm"] == tolerance_nm
    assert media["smf_length_km"] == smf_length_km
    assert not media["copper"]
