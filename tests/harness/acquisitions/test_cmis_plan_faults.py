"""Each quirk and fault of a simulated module fails on the check that is for it; good modules on none."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from drivers.clock import StopFlag
from drivers.errors import BenchError
from harness.acquisitions.acquired import Acquired
from harness.bench_file.reading import find_bench_file, load_bench
from harness.judging.limits import limits_of_pmd
from harness.judging.measured import Checked, Contradiction, Measured, NotOffered
from harness.judging.verdict import judge
from harness.opening import open_bench
from harness.planning.matrix import matrix
from harness.run import Run
from harness.run_folder.journal import Journal
from harness.simulation.bench import SimulatedBackend
from harness.simulation.module.commands.firmware import make_image

LANES = (1, 2, 3, 4)
CMIS_ROWS = [row for row in matrix().acquisitions if row.name.startswith("cmis_")]
LATE = "[faults]\nslower_than_advertised = true\n[timing]\n"


class Started:
    """A run up to a module with traffic, and the world below it."""

    def __init__(self, folder: Path, profile: str, bench_file: str = "sim-dr4") -> None:
        spec = load_bench(find_bench_file(bench_file))
        assert spec.simulation is not None
        simulation = replace(spec.simulation, module=profile)
        stop = StopFlag()
        self.backend = SimulatedBackend(replace(spec, simulation=simulation), simulation, stop)
        self.run = Run(
            open_bench(spec, stop, self.backend), limits_of_pmd("400GBASE-DR4"), plan="c", out=folder
        )
        self.run.attach_journal(Journal(folder / "journal.jsonl"))
        self.run.power_and_identify()
        self.result, _ = self.run.bring_up("400GBASE-DR4")

    def acquire(self, name: str) -> Acquired:
        """One acquisition, by the target of its row."""
        module, _, function = matrix().named(name).target.partition(":")
        acquired: Acquired = getattr(importlib.import_module(module), function)(self.run, LANES)
        return acquired

    def failed(self, acquired: Acquired) -> set[str]:
        """Parameters that fail the module."""
        found = set()
        for (parameter, _), value in acquired.measured.items():
            assert not isinstance(value, Contradiction)
            if isinstance(value, Checked) and not value.passed:
                found.add(parameter)
            if isinstance(value, Measured):
                limit = self.run.limits.resolve(parameter, {})
                if judge(value.value, value.uncertainty, limit).verdict.fails_module:
                    found.add(parameter)
        return found


@dataclass(frozen=True)
class Case:
    """What is put on top of ``good-dr4``; which acquisition looks; what must fail there, and nothing else."""

    profile: str
    acquisition: str
    fails: Sequence[str]
    image: bool = False


CASES: Mapping[str, Case] = {
    "wrong checksum of 00h": Case(
        '[management]\nwrong_checksum_page = "00h"', "cmis_identity", ["checksum_00h"]
    ),
    "wrong checksum of 01h": Case(
        '[management]\nwrong_checksum_page = "01h"', "cmis_identity", ["checksum_01h"]
    ),
    "wrong checksum of 02h": Case(
        '[management]\nwrong_checksum_page = "02h"', "cmis_identity", ["checksum_02h"]
    ),
    "vendor name of FFh": Case('[quirks]\nvendor_name_hex = "FF41"', "cmis_identity", ["vendor_texts"]),
    "warning where the alarm is": Case(
        "[thresholds]\ntemperature_c = [75.0, -10.0, 75.0, -5.0]", "cmis_identity", ["thresholds_temperature"]
    ),
    "warning inside the operating range": Case(
        "[thresholds]\ntemperature_c = [80.0, -10.0, 65.0, -5.0]",
        "cmis_identity",
        ["temperature_range_inside_warnings"],
    ),
    "pages mirror 00h": Case(
        "[quirks]\nunsupported_pages_mirror_00h = true", "cmis_bus", ["unsupported_page", "unsupported_bank"]
    ),
    "full page reads refused": Case(
        "[quirks]\nfull_page_reads_refused = true\n[identity]\ncmis_minor = 4", "cmis_bus", ["full_page_read"]
    ),
    "DPInitPending never set": Case(
        "[quirks]\ndp_init_pending_never_set = true", "cmis_configuration", ["dp_init_pending"]
    ),
    "AppSel 0 rejected": Case(
        "[quirks]\napp_sel_0_rejected = true", "cmis_configuration", ["config_free_lanes"]
    ),
    "status of siblings undefined": Case(
        "[quirks]\nsibling_status_undefined = true", "cmis_configuration", ["breakout_config_status"]
    ),
    "stale monitors": Case("[quirks]\nstale_monitors_s = 1e6", "cmis_tx_disable", ["monitors_follow"]),
    "stuck Tx power monitor": Case(
        '[monitors]\nstuck_after_s = 15.0\n[[defect]]\nkind = "stuck_tx_power_monitor"',
        "cmis_tx_disable",
        ["monitors_follow"],
    ),
    "stuck bias monitor": Case(
        '[monitors]\nstuck_after_s = 15.0\n[[defect]]\nkind = "stuck_bias_monitor"',
        "cmis_tx_disable",
        ["monitors_follow"],
    ),
    "late Tx disable": Case(
        LATE + "dp_tx_turn_off_s = 0.6\ntx_disable_s = 0.6",
        "cmis_tx_disable",
        ["tx_disable_dark", "tx_disable_state", "tx_disable_one_lane", "tx_squelch"],
    ),
    "late Tx enable": Case(
        LATE + "dp_init_s = 2.0\ndp_tx_turn_on_s = 3.0\ntx_enable_s = 3.0",
        "cmis_tx_disable",
        ["tx_enable_light", "tx_enable_state", "tx_squelch_released"],
    ),
    "late DPInit": Case(
        LATE + "dp_init_s = 5.2\ndp_tx_turn_on_s = 0.1", "cmis_data_paths", ["dp_init_share"]
    ),
    "late DPDeinit": Case(LATE + "dp_deinit_s = 0.8", "cmis_data_paths", ["dp_deinit_share"]),
    "late DPTxTurnOn": Case(
        LATE + "dp_init_s = 2.0\ndp_tx_turn_on_s = 0.8", "cmis_data_paths", ["dp_tx_turn_on_share"]
    ),
    "late DPTxTurnOff": Case(LATE + "dp_tx_turn_off_s = 0.2", "cmis_data_paths", ["dp_tx_turn_off_share"]),
    "late ModulePwrDn": Case(
        LATE + "module_power_down_s = 0.9", "cmis_low_power", ["module_power_down_share"]
    ),
    "low power draws as much": Case(
        "[power]\nlow_power_w = 12.0", "cmis_low_power", ["low_power_draws_less"]
    ),
    "no completion flag": Case("[cdb]\ncompletion_flag = false", "cmis_firmware", ["cdb_complete_flag"]),
    "zeros behind the selector": Case(
        "[diagnostics]\nslow_selector_s = 0.08", "cmis_diagnostics", ["selector_delay"]
    ),
    "late behind the selector": Case(
        "[diagnostics]\nselector_latency_s = 0.05", "cmis_diagnostics", ["selector_delay"]
    ),
    "late VDM freeze": Case("[vdm]\nfreeze_s = 0.05", "cmis_vdm", ["vdm_freeze", "vdm_unfreeze"]),
    "supply monitor high": Case(
        '[[defect]]\nkind = "vcc_miscalibration"', "cmis_monitors", ["vcc_monitor_error"]
    ),
    "no answer while a command runs": Case(
        "[quirks]\ncdb_nacks_while_busy = true", "cmis_firmware", ["cdb_background"], image=True
    ),
    "download begins too early": Case(
        "[cdb]\nbad_flash_address = 0", "cmis_firmware", ["firmware_update"], image=True
    ),
}
FAST = (
    "wrong checksum of 02h",
    "vendor name of FFh",
    "warning where the alarm is",
    "pages mirror 00h",
    "full page reads refused",
    "stale monitors",
    "late Tx disable",
    "late DPInit",
    "late ModulePwrDn",
    "no completion flag",
    "late VDM freeze",
    "supply monitor high",
)
AT_BRING_UP: Mapping[str, str] = {
    "stuck configuration": "[faults]\nstuck_config_host_lanes = [2]",
    "stuck initialisation": "[faults]\nstuck_init_host_lanes = [2]",
    "rejected configuration": "[faults]\nrejected_config_host_lanes = [1]",
    "does not power up": "[faults]\npowers_up = false",
    "fault at power-up": "[faults]\nmodule_fault_cause = 4",
    "late ModulePwrUp": LATE + "module_power_up_s = 6.0",
    "late management interface": LATE + "mgmt_init_s = 2.6",
    "corrupt firmware": "[cdb]\nfirmware_corrupt = true",
}


def profile_of(folder: Path, text: str, extends: str = "good-dr4") -> str:
    path = folder / "case.toml"
    path.write_text(f'extends = "{extends}"\ndescription = "a case"\n{text}\n', encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.soak) for name in CASES]
)
def test_each_fault_fails_on_its_check(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    started = Started(tmp_path, profile_of(tmp_path, case.profile))
    assert started.result.ok, started.result.stopped_by
    if case.image:
        started.run.firmware_image = make_image((1, 5), target="LW-400G-DR4-SIM")
    started.run.bench.clock.sleep(10.0)  # monitors that stick do so by now
    acquired = started.acquire(case.acquisition)
    failed = started.failed(acquired)
    assert set(case.fails) <= failed, sorted(failed)
    if not case.image:
        assert failed <= set(case.fails), sorted(failed)
        started.run.require_module_up()
    started.run.finish("completed")


@pytest.mark.soak
@pytest.mark.parametrize("name", AT_BRING_UP)
def test_what_keeps_a_module_down_is_found_by_its_bring_up(name: str, tmp_path: Path) -> None:
    started = Started(tmp_path, profile_of(tmp_path, AT_BRING_UP[name]))
    assert not started.result.ok
    started.run.finish("completed")


def missing_values(started: Started, acquired: Acquired, name: str) -> list[str]:
    return [
        m.parameter for m in matrix().named(name).measures if (m.parameter, None) not in acquired.measured
    ]


@pytest.mark.parametrize("profile", ["good-dr4"])
def test_a_good_module_fails_no_check_and_is_up_after_each(profile: str, tmp_path: Path) -> None:
    look(profile, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize(
    "profile", ["good-dr4-osfp", "cmis-5.3-dr4", "cmis-3.0-dr4", "dr4-foreground-cdb", "dr4-breakout"]
)
def test_other_good_modules_fail_no_check(profile: str, tmp_path: Path) -> None:
    look(profile, tmp_path)


def look(profile: str, folder: Path) -> None:
    """Every acquisition on a module: nothing fails, nothing of the matrix is missing, the module is up."""
    started = Started(folder, profile)
    for row in CMIS_ROWS:
        if "operator" in row.roles:
            continue
        acquired = started.acquire(row.name)
        assert started.failed(acquired) == set(), row.name
        assert missing_values(started, acquired, row.name) == []
        started.run.require_module_up()
    started.run.finish("completed")


def test_an_update_and_the_way_back(tmp_path: Path) -> None:
    started = Started(tmp_path, "good-dr4")
    started.run.firmware_image = make_image((1, 5), target="LW-400G-DR4-SIM")
    acquired = started.acquire("cmis_firmware")
    assert started.failed(acquired) == set()
    for parameter in ("firmware_update", "firmware_roll_back", "cdb_background"):
        found = acquired.of(parameter)
        assert isinstance(found, Checked)
        assert found.passed, found
    assert started.run.module.identity().firmware == "1.4"
    started.run.finish("completed")


class _Somebody:
    """An operator who does what is asked, or half of it."""

    name = "operator"

    def __init__(self, started: Started, *, puts_back: bool = True) -> None:
        self._board = started.backend.boards["host_board"]
        self._puts_back = puts_back

    def ask(self, request: str, *, answers: Sequence[str]) -> str:
        self._board.set_inserted("Push" in request and self._puts_back)
        return answers[0]

    def make_safe(self) -> tuple[()]:
        return ()


def test_a_module_that_is_pulled_and_put_back(tmp_path: Path) -> None:
    started = Started(tmp_path, "good-dr4", "sim-dr4-full")
    started.run.bench.instruments["operator"] = _Somebody(started)  # type: ignore[assignment]
    acquired = started.acquire("cmis_hot_plug")
    assert started.failed(acquired) == set()
    assert isinstance(acquired.of("hot_plug_inserted"), Checked)
    started.run.require_module_up()
    started.run.finish("completed")


def test_a_module_that_is_not_put_back_is_no_failure_of_it(tmp_path: Path) -> None:
    started = Started(tmp_path, "good-dr4", "sim-dr4-full")
    started.run.bench.instruments["operator"] = _Somebody(started, puts_back=False)  # type: ignore[assignment]
    with pytest.raises(BenchError, match="not put back"):
        started.acquire("cmis_hot_plug")
    started.run.finish("completed")


def test_where_nobody_is_the_module_is_not_pulled(tmp_path: Path) -> None:
    started = Started(tmp_path, "good-dr4", "sim-dr4-full")
    acquired = started.acquire("cmis_hot_plug")
    assert isinstance(acquired.of("hot_plug_removed"), NotOffered)
    started.run.finish("completed")


@pytest.mark.parametrize("name", ["cmis_bus", "cmis_flags"])
def test_a_bench_that_fails_meanwhile_is_no_failure_of_the_module(name: str, tmp_path: Path) -> None:
    started = Started(tmp_path, "good-dr4")
    started.backend.world.after(0.2, lambda: started.backend.boards["host_board"].set_inserted(False))
    with pytest.raises(BenchError):
        started.acquire(name)
    started.run.finish("completed")
