"""The project's host library against modules with quirks: it does its work all the same, or says exactly what
is wrong and where. One test or more for each entry of QUIRKS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from drivers.cmis.access import I2cMemory
from drivers.cmis.application import DataPathRequest, breakout
from drivers.cmis.bringup import BringUpResult, bring_up
from drivers.cmis.cdb import CdbSession, update_firmware
from drivers.cmis.codes import ConfigStatus, ModuleState
from drivers.cmis.configuration import active_data_paths, configure, free
from drivers.cmis.description import describe, render_text
from drivers.cmis.diagnostics import Diagnostics, Side
from drivers.cmis.dump import format_dump, parse_dump
from drivers.cmis.errors import ModuleNotRespondingError, PageUnavailableError
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from drivers.cmis.polling import advertised_limits
from drivers.cmis.snapshot import take_snapshot
from harness.simulation.module.commands.firmware import make_image
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.quirks import QUIRKS

if TYPE_CHECKING:
    from conftest import ModuleBench

Sections = Mapping[str, Mapping[str, object]]
"""Section of a profile, its keys and values."""
Make = Callable[..., "ModuleBench"]


@pytest.fixture
def bench_with(make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]) -> Make:
    """A module that differs from the good one in these sections; its supply is on."""

    def make(**sections: Mapping[str, object]) -> ModuleBench:
        bench = make_bench(changed(**sections))
        bench.host.connect()
        bench.module.supply_changed()
        return bench

    return make


def module_of(bench: ModuleBench) -> CmisModule:
    return CmisModule(bench.host.memory, bench.clock)


def up(bench: ModuleBench) -> tuple[CmisModule, BringUpResult]:
    module = module_of(bench)
    return module, bring_up(module, bench.host.pins, bench.clock, vcc_applied_at_s=bench.clock.now_s())


def works(bench: ModuleBench) -> CmisModule:
    """Brought up, broken out into four, and described."""
    module, result = up(bench)
    assert result.ok, result.stopped_by
    assert module.module_state() is ModuleState.ModuleReady
    result = configure(module, breakout(module.applications(), "4x100GBASE-DR"), displace=True)
    assert result.ok, result.stopped_by
    assert bench.module.data_path_states() == (4,) * 8
    assert all(bench.module.launch_power_w(lane) > 0.5e-3 for lane in range(1, 5))
    return module


HARMLESS: Mapping[str, Sections] = {
    "unsupported_pages_mirror_00h": {"quirks": {"unsupported_pages_mirror_00h": True}},
    "status_reserved_bits": {"quirks": {"status_reserved_bits": 0xF0}},
    "dp_init_pending_never_set": {"quirks": {"dp_init_pending_never_set": True}},
    "sibling_status_undefined": {"quirks": {"sibling_status_undefined": True}},
    "cdb_nacks_while_busy": {"quirks": {"cdb_nacks_while_busy": True}},
    "bias_multiplier": {"quirks": {"bias_multiplier": 4}},
    "stale_monitors_s": {"quirks": {"stale_monitors_s": 1000.0}},
    "clock_stretch_s": {"quirks": {"clock_stretch_s": 0.0005}},
    "clock_stretch_s, beyond tREAD": {"quirks": {"clock_stretch_s": 0.005}},
    "full_page_reads_refused": {"quirks": {"full_page_reads_refused": True}},
    "vendor_name_hex": {"quirks": {"vendor_name_hex": "FFFE80BE"}},
    "markup_in_vendor_name": {"quirks": {"markup_in_vendor_name": True}},
    "wrong_checksum_page": {"management": {"wrong_checksum_page": "01h"}},
    "slow_selector_s": {"diagnostics": {"slow_selector_s": 0.1}},
    "firmware_start_s": {"quirks": {"firmware_start_s": 12.0}},
    "app_sel_0_rejected": {"quirks": {"app_sel_0_rejected": True}},
}


def test_every_quirk_is_tried_here() -> None:
    tried = {
        f"{section}.{key}"
        for sections in HARMLESS.values()
        for section in sections
        for key in sections[section]
    }
    assert set(QUIRKS) - tried == {"faults.stuck_config_host_lanes", "quirks.copper_claims_paged_memory"}


@pytest.mark.parametrize("name", [name for name in HARMLESS if name != "app_sel_0_rejected"])
def test_modules_with_these_come_up_and_break_out(bench_with: Make, name: str) -> None:
    bench = bench_with(**HARMLESS[name])
    module = works(bench)
    text = render_text(describe(take_snapshot(module).image))
    assert "DPActivated" in text


# -- data paths --------------------------------------------------------------------------------------------


def test_a_module_that_rejects_app_sel_0_comes_up(bench_with: Make) -> None:
    bench = bench_with(quirks={"app_sel_0_rejected": True})
    _, result = up(bench)
    assert result.ok, result.stopped_by
    assert bench.module.data_path_states() == (4,) * 8


def test_lanes_that_cannot_be_freed_are_held_and_told(bench_with: Make) -> None:
    bench = bench_with(quirks={"app_sel_0_rejected": True})
    module, _ = up(bench)
    result = free(module, tuple(range(1, 9)))
    assert result.ok, result.stopped_by
    assert bench.module.data_path_states() == (1,) * 8
    assert any("AppSel 0" in note and "host lanes 1-8" in note for note in result.notes), result.notes


def test_a_breakout_of_a_module_that_rejects_app_sel_0(bench_with: Make) -> None:
    works(bench_with(quirks={"app_sel_0_rejected": True}))


def test_siblings_that_become_undefined_disturb_nobody(bench_with: Make) -> None:
    bench = bench_with(quirks={"sibling_status_undefined": True})
    module = works(bench)
    result = configure(module, [DataPathRequest(2, 3)])
    assert result.ok, result.stopped_by
    assert module.config_status()[4:] == (ConfigStatus.ConfigUndefined,) * 4
    assert bench.module.data_path_states() == (4,) * 8
    assert len(active_data_paths(module)) == 4


@pytest.mark.parametrize("lane", [1, 6])
def test_a_lane_that_is_stuck_in_progress_is_named(bench_with: Make, lane: int) -> None:
    bench = bench_with(faults={"stuck_config_host_lanes": (lane,)})
    _, result = up(bench)
    assert not result.ok
    assert f"host lane {lane}," in result.stopped_by or f"host lane {lane} " in result.stopped_by
    assert "11h:202-205 ConfigStatus" in result.stopped_by
    assert "ConfigInProgress" in result.stopped_by


@pytest.mark.parametrize(
    ("code", "said"), [(2, "ConfigRejected"), (8, "ConfigRejectedNoEmulation"), (0xD, "Dh")]
)
def test_a_rejection_is_told_with_its_reason_and_lanes(bench_with: Make, code: int, said: str) -> None:
    bench = bench_with(faults={"rejected_config_host_lanes": (3,), "config_rejection_code": code})
    _, result = up(bench)
    assert not result.ok
    assert "ConfigStatus" in result.stopped_by
    assert said in result.stopped_by
    assert "host lanes 1-8" in result.stopped_by


# -- memory ------------------------------------------------------------------------------------------------


def test_a_page_that_mirrors_page_00h_is_suspected(bench_with: Make) -> None:
    bench = bench_with(quirks={"unsupported_pages_mirror_00h": True})
    module, _ = up(bench)
    dump = take_snapshot(module, pages=(0x00, 0x02, 0x12, 0x16))
    suspects = {record.page for record in dump.records if record.suspect}
    assert suspects == {0x12, 0x16}
    assert all("00h" in record.suspect for record in dump.records if record.suspect)


def test_reserved_bits_do_not_change_the_state(bench_with: Make) -> None:
    for bits in range(0, 0x100, 0x10):
        bench = bench_with(quirks={"status_reserved_bits": bits})
        bench.world.advance(2.0)
        assert module_of(bench).module_state() is ModuleState.ModuleLowPwr


def test_bias_is_the_same_current_whatever_its_steps(bench_with: Make) -> None:
    found = []
    for multiplier in (1, 2, 4):
        bench = bench_with(quirks={"bias_multiplier": multiplier})
        module, _ = up(bench)
        bench.clock.sleep(0.3)
        found.append([lane.bias_ma for lane in module.lane_monitors()[:4]])
        assert module.thresholds()["tx_bias_ma"].high_alarm == pytest.approx(120.0, abs=0.01)
        assert all(bias_ma is not None and 50.0 < bias_ma < 75.0 for bias_ma in found[-1])
    for other in found[1:]:
        assert other == pytest.approx(found[0], abs=0.01)


def test_full_pages_that_are_advertised_and_refused(bench_with: Make) -> None:
    """The library reads 8 bytes unless it is told otherwise; who follows the advertisement is told exactly
    what was refused."""
    bench = bench_with(quirks={"full_page_reads_refused": True}, identity={"cmis_minor": 4})
    module, result = up(bench)
    assert result.ok, result.stopped_by
    limits = advertised_limits(module.registers)
    assert limits.read == 128
    eager = I2cMemory(bench.bus, bench.clock)
    eager.limits = limits
    with pytest.raises(ModuleNotRespondingError, match=r"reading .*01h.*128.*255") as refused:
        eager.read(0, 0x01, 128, 128)
    assert "no acknowledge" in str(refused.value)
    assert eager.read(0, 0x01, 128, 8) == module.memory.read(0, 0x01, 128, 8)


@pytest.mark.parametrize("page", ["00h", "01h", "02h"])
def test_a_wrong_checksum_is_told(bench_with: Make, page: str) -> None:
    bench = bench_with(management={"wrong_checksum_page": page})
    module, _ = up(bench)
    wrong = [checksum for checksum in module.checksums() if not checksum.ok]
    assert [f"{checksum.page:02X}h" for checksum in wrong] == [page]
    description = describe(take_snapshot(module).image)
    assert [item["page"] for item in description["checksums"] if not item["ok"]] == [page]
    assert f"wrong checksum of page {page}" in render_text(description)


@pytest.mark.parametrize("digits", ["FFFE80BE", "FF" * 16, "00" * 16, "1B5B324A", "4142E28098"])
def test_a_name_that_is_no_text_harms_nothing(bench_with: Make, digits: str) -> None:
    bench = bench_with(quirks={"vendor_name_hex": digits})
    module, result = up(bench)
    assert result.ok, result.stopped_by
    name = module.identity().vendor
    assert all(" " <= character <= "~" or character == "\ufffd" for character in name)
    dump = take_snapshot(module)
    description = describe(dump.image)
    json.dumps(description)
    assert "\x1b" not in render_text(description)
    doubts = " ".join(description["doubts"])
    assert ("00h:129-144" in doubts) is ("\ufffd" in name)
    back = parse_dump(format_dump(dump))
    assert back.image.get(0, 0, 129, 16)[: len(digits) // 2] == bytes.fromhex(digits)


def test_markup_is_text_like_any_other(bench_with: Make) -> None:
    bench = bench_with(quirks={"markup_in_vendor_name": True})
    module, result = up(bench)
    assert result.ok, result.stopped_by
    assert module.identity().vendor == "<script>alert(1)"
    dump = take_snapshot(module)
    assert parse_dump(format_dump(dump)).module["vendor"] == "<script>alert(1)"
    assert "<script>alert(1)" in render_text(describe(dump.image))


def test_copper_that_claims_pages_is_told_to_be_flat(bench_with: Make) -> None:
    for mirrors in (False, True):
        bench = bench_with(
            quirks={"copper_claims_paged_memory": True, "unsupported_pages_mirror_00h": mirrors}
        )
        module, result = up(bench)
        assert not result.ok
        assert "lower:2.7" in result.stopped_by
        assert "flat" in result.stopped_by
        dump = take_snapshot(module)
        assert 0x11 not in {page for _, page in dump.image.pages()} or any(
            record.suspect for record in dump.records if record.page == 0x11
        )
        render_text(describe(dump.image))
        with pytest.raises(PageUnavailableError, match="flat"):
            configure_all(module)


def configure_all(module: CmisModule) -> None:
    result = configure(module, [DataPathRequest(1, 1)])
    if not result.ok:
        raise PageUnavailableError(0, 0x11, result.stopped_by)


# -- time --------------------------------------------------------------------------------------------------


def test_a_held_clock_costs_time_and_nothing_else(bench_with: Make) -> None:
    times_s = []
    for stretch_s in (0.0, 0.0005):
        bench = bench_with(quirks={"clock_stretch_s": stretch_s})
        bench.world.advance(2.0)
        module = module_of(bench)
        started_s = bench.clock.now_s()
        assert module.identity().vendor == "LANEWISE"
        times_s.append(bench.clock.now_s() - started_s)
    assert times_s[1] > times_s[0]


def test_results_behind_a_slow_selector_are_waited_for(bench_with: Make) -> None:
    bench = bench_with(diagnostics={"slow_selector_s": 0.1})
    module, _ = up(bench)
    bench.clock.sleep(0.2)
    snr_db = Diagnostics(module).read_snr(Side.MEDIA)
    assert all(value > 10.0 for value in snr_db[:4])
    with ModulePrbs(module, side=Side.MEDIA, loopback=True) as bert:
        bert.start_pattern("PRBS31Q")
        found = bert.measure_errors(bert.lanes, 3.0)
    assert all(lane.locked and lane.bits > 1e11 for lane in found)


def test_firmware_is_updated_although_cdb_does_not_acknowledge_while_busy(bench_with: Make) -> None:
    bench = bench_with(quirks={"cdb_nacks_while_busy": True})
    bench.world.advance(2.0)
    result = update_firmware(CdbSession(module_of(bench)), make_image((2, 5), size=3000))
    assert result.ok
    assert bench.read("ModuleActiveFirmwareMajorRevision") == 2


@pytest.mark.parametrize("nacks", [False, True])
def test_a_firmware_start_of_12_s_is_waited_for(bench_with: Make, nacks: bool) -> None:
    bench = bench_with(quirks={"firmware_start_s": 12.0, "cdb_nacks_while_busy": nacks})
    bench.world.advance(2.0)
    result = update_firmware(CdbSession(module_of(bench)), make_image((2, 5), size=3000))
    assert result.ok


def test_all_at_once(bench_with: Make) -> None:
    quirks: dict[str, Any] = {
        "unsupported_pages_mirror_00h": True,
        "status_reserved_bits": 0x50,
        "dp_init_pending_never_set": True,
        "sibling_status_undefined": True,
        "cdb_nacks_while_busy": True,
        "bias_multiplier": 2,
        "full_page_reads_refused": True,
        "clock_stretch_s": 0.0004,
        "vendor_name_hex": "C3A9FF",
    }
    bench = bench_with(quirks=quirks, management={"wrong_checksum_page": "02h"})
    module = works(bench)
    assert module.identity().serial_number == "LW26000001"
    description = describe(take_snapshot(module).image)
    assert [item["ok"] for item in description["checksums"]] == [True, True, False]
    assert any("00h:129-144" in doubt for doubt in description["doubts"])
