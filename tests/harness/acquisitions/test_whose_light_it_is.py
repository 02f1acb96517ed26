"""Light that comes from elsewhere, or does not get to a receiver: the bench's fault; LOS and lost frames: the
module's."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.clock import StopFlag
from drivers.cmis.errors import CmisError
from drivers.errors import BenchError, InstrumentError
from drivers.interfaces import FecStatistics
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.ber import soak
from harness.acquisitions.ber.fec import _losses, _Seen
from harness.acquisitions.ber.settings import ber_settings
from harness.acquisitions.cmis import checks as of_checks
from harness.acquisitions.receiver.counting import Counted
from harness.acquisitions.receiver.light import LitLane, ReceiverLight
from harness.acquisitions.receiver.ways import receive_ways
from harness.acquisitions.screening import _attenuated, _Loop, _loop, _too_strong, screening_loop
from harness.bench_file.reading import find_bench_file, load_bench, with_simulation
from harness.conditions.conditioner import Conditions
from harness.conditions.corner import Corner
from harness.judging.limits import limits_of_pmd
from harness.judging.measured import Checked, Contradiction, Measured, NotOffered
from harness.opening import open_bench
from harness.planning.matrix import matrix
from harness.run import Run
from harness.run_folder.journal import Journal

LANES = (1, 2, 3, 4)
DARK_LEG_3 = '[[simulation.fault]]\nkind = "bent_fibre"\nport = "module.rx3"\nloss = "40 dB"\n'
STRAY = '[[simulation.fault]]\nkind = "stray_light"\nport = "power_meter.2"\npower = "-10 dBm"\n'


class Lab:
    """A run up to the module's light; acquisitions by their names, with all that were had before."""

    def __init__(
        self, folder: Path, *, faults: str = "", module: str = "", bench: str = "sim-dr4-full",
        pmd: str = "400GBASE-DR4",
    ) -> None:  # fmt: skip
        folder.mkdir(exist_ok=True)
        path = folder / "bench.toml"
        path.write_text(f"{find_bench_file(bench).read_text(encoding='utf-8')}\n{faults}", encoding="utf-8")
        spec = load_bench(path)
        if module:
            profile = folder / "module.toml"
            profile.write_text(f'extends = "good-dr4"\n{module}', encoding="utf-8")
            spec = with_simulation(spec, module=str(profile))
        self.bench = open_bench(spec, StopFlag())
        self.run = Run(self.bench, limits_of_pmd(pmd), plan="unit", out=folder / "runs")
        self.run.attach_journal(Journal(folder / "journal.jsonl"))
        self.run.power_and_identify()
        result, _ = self.run.bring_up(self.run.pmd.media_interface)
        assert result.ok, result.stopped_by
        self.before: dict[str, Any] = {}

    def acquire(self, name: str) -> Acquired:
        row = matrix().named(name)
        module, _, function = row.target.partition(":")
        acquire = getattr(importlib.import_module(module), function)
        found: Acquired = acquire(self.run, LANES, self.before) if row.after else acquire(self.run, LANES)
        self.before[name] = found
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Any:
    made: list[Lab] = []

    def make(**what: Any) -> Lab:
        made.append(Lab(tmp_path / f"lab{len(made)}", **what))
        return made[-1]

    yield make
    for one in made:
        one.run.finish("completed")


# -- a fibre behind the taps -----------------------------------------------------------------------------


def test_a_dark_leg_behind_the_tap_fails_no_module_by_its_bit_errors(lab: Any) -> None:
    one = lab(faults=DARK_LEG_3)
    one.acquire("launch_power")
    for name, parameter in (("ber_loop", "stressed_loop_ber"), ("ber_host", "link_ber")):
        found = one.acquire(name)
        assert isinstance(found.measured[parameter, 3], Contradiction), found.measured[parameter, 3]
        assert "gets no light" in str(found.measured[parameter, 3].fault)
        assert isinstance(found.measured[parameter, 2], Measured)
    with pytest.raises(BenchError, match="gets no light"):
        one.before["ber_host"].of("host_lane_ber", 5)
    frames = one.acquire("ber_fec")
    with pytest.raises(BenchError, match=r"lane 3: .* gets no light"):
        frames.of("frame_loss_ratio")


def test_a_dark_leg_fails_no_module_in_the_screening(lab: Any) -> None:
    one = lab(faults=DARK_LEG_3)
    one.acquire("screening_power")
    found = one.acquire("screening_loop")
    for parameter in ("ber_at_channel_loss", "los_with_light", "rx_power_monitor_error"):
        assert isinstance(found.measured[parameter, 3], Contradiction)
        assert not isinstance(found.measured[parameter, 4], Contradiction)
    assert one.bench.optical_switch.routes() == {}


# -- LOS -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("thresholds", "says"),
    [
        ("los_assert_dbm = -59.0\nlos_deassert_dbm = -58.0", "not set in the dark"),
        pytest.param(
            "los_assert_dbm = 8.0\nlos_deassert_dbm = 9.0", "set in the light", marks=pytest.mark.soak
        ),
    ],
)
def test_a_los_that_never_or_always_comes_fails_the_module(lab: Any, thresholds: str, says: str) -> None:
    one = lab(module=f"[receiver]\n{thresholds}\n")
    one.acquire("reference_transmitter")
    mapped = one.acquire("receive_lane_map")
    los = one.acquire("receiver_los")
    edge = "los_assert" if "not" in says else "los_deassert"
    for lane in LANES:
        value = mapped.of("lane_map", lane)
        assert isinstance(value, Checked)
        assert not value.passed
        assert says in value.text
        never = los.of(edge, lane)
        assert isinstance(never, Checked)
        assert not never.passed


# -- frames ----------------------------------------------------------------------------------------------


def fec(*counts: int) -> _Seen:
    return _Seen(FecStatistics((*counts, *(0,) * (17 - len(counts))), 3.0), {})


def losses(tmp_path: Path, small_run: Any, **seen: _Seen) -> Any:
    record = small_run.run.record_acquisition("ber_fec", 0.0, conditions={}, data={}, budget=[])
    return _losses(small_run.run, record, seen, ber_settings().fec)["frame_loss_ratio", None]


def test_frames_lost_with_all_the_light_are_lost_whatever_less_light_says(
    tmp_path: Path, small_run: Any
) -> None:
    lossy = list(fec(230_000_000, 1000, 1).fec.histogram)
    lossy[16] = 5
    clean = fec(130_000_000, 74_000_000, 21_000_000, 4_000_000, 570_000, 64_000, 6000, 500, 30, 2)
    found = losses(tmp_path, small_run, open=_Seen(FecStatistics(tuple(lossy), 3.0), {}), stressed=clean)
    assert found.conditions["by"] == "open"
    assert found.value > 1e-8
    assert small_run.run.judge("unit", "frame_loss_ratio", found)[1].verdict.fails_module


def test_a_receiver_that_loses_all_frames_but_with_less_light_fails(tmp_path: Path, small_run: Any) -> None:
    all_lost = _Seen(FecStatistics((*(0,) * 16, 1000), 3.0), {})
    found = losses(tmp_path, small_run, open=all_lost, stressed=fec(10**6, 100))
    assert isinstance(found, Checked)
    assert not found.passed


# -- the soak's time line --------------------------------------------------------------------------------


def test_notes_of_days_do_not_crowd_out_what_fails_a_lane() -> None:
    line = soak._Line()
    for at_s in range(2000):
        line.add(float(at_s), "note", None, "OpticalPowerLowWarningFlagRx on lanes 1")
    line.add(2000.0, "lock", 2, "host lanes 3 lost the pattern")
    assert [event["kind"] for event in line.of(2)] == ["lock"]
    assert line.lost == 1000


# -- heat ------------------------------------------------------------------------------------------------


def test_heat_is_watched_while_receivers_are_lit(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one = lab()
    ways = receive_ways(one.bench.spec, one.run.pmd, LANES, start="module.tx", attenuated=True)
    looks: list[float] = []
    monkeypatch.setattr(one.run, "watch_heat", lambda: looks.append(one.bench.clock.now_s()))
    with ReceiverLight(one.run, ways, {lane: LitLane(1.0, 0.3) for lane in LANES}) as light:
        looks.clear()
        for _ in range(12):
            light.read_levels()
            one.bench.clock.sleep(4.0)
    assert 5 <= len(looks) <= 10


# -- own light on own receivers, in the screening --------------------------------------------------------


def known(dbm: float, uncertainty: float = 0.3) -> Measured:
    return Measured(dbm, "dBm", uncertainty, "TP2", "power_meter", "a1", "")


def test_screening_lets_no_light_to_receivers_that_could_harm_them(lab: Any) -> None:
    one = lab()
    loop = _loop(one.run, LANES)
    at_5_dbm = {lane: known(5.0 + loop.loss_db(lane)) for lane in LANES}
    assert _too_strong(one.run, loop, at_5_dbm)
    uncertain = replace(loop.paths[1], uncertainty_db=0.6)
    wide = _Loop({**loop.paths, 1: uncertain}, loop.settings_db)
    just = {lane: known(4.5 + loop.loss_db(lane), 0.1) for lane in LANES}
    assert not _too_strong(one.run, loop, just)
    assert "lane 1" in _too_strong(one.run, wide, just)


def test_the_matrix_is_open_before_attenuators_go_back(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one = lab()
    attenuator, switch = one.bench.attenuator, one.bench.optical_switch
    ways = receive_ways(one.bench.spec, one.run.pmd, LANES, start="module.tx", attenuated=True)
    loop = _Loop({lane: way.path for lane, way in ways.items()}, dict.fromkeys(LANES, 10.0))
    done: list[str] = []
    with _attenuated(one.run, loop):
        switch.route({entry: leave for way in ways.values() for _, entry, leave in way.path.routes})
        monkeypatch.setattr(
            attenuator, "set_attenuation_db", lambda *_args: done.append(f"{len(switch.routes())} routes")
        )
    assert set(done) == {"0 routes"}


def test_light_of_unknown_power_goes_to_no_receiver(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one = lab()
    power = one.acquire("screening_power")
    unknown = Contradiction(InstrumentError("power_meter", "bench and module contradict each other"))
    one.before["screening_power"] = Acquired(
        power.record, {**power.measured, ("average_launch_power", 2): unknown}
    )
    loop = _loop(one.run, LANES)
    routed: list[str] = []
    monkeypatch.setattr(
        "harness.acquisitions.screening.route", lambda _run, path: routed.append(str(path.start))
    )
    found = screening_loop(one.run, LANES, one.before)
    assert str(loop.paths[2].start) not in routed
    assert len(routed) == 3
    assert found.measured["los_with_light", 2] is unknown


# -- the interface's checks, with light as their witness -------------------------------------------------


def test_stray_light_fails_no_transmitter_that_is_off(lab: Any) -> None:
    one = lab(faults=STRAY, bench="sim-dr4")
    with pytest.raises(BenchError, match="not the module's light"):
        one.acquire("cmis_tx_disable")
    one.run.require_module_up()


def test_exchanged_fibres_at_the_meter_fail_no_tx_disable(lab: Any) -> None:
    swapped = '[[simulation.fault]]\nkind = "lane_swap"\nlanes = [1, 2]\nlegs = "tx"\n'
    one = lab(faults=swapped, bench="sim-dr4")
    with pytest.raises(BenchError, match="exchanged"):
        one.acquire("cmis_tx_disable")
    one.run.require_module_up()


def test_a_fault_of_the_bench_goes_before_that_of_a_module_that_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def not_up(_run: Any) -> None:
        raise CmisError("it does not come up")

    monkeypatch.setattr(of_checks, "bring_up_anew", not_up)
    run: Any = SimpleNamespace()
    with pytest.raises(BenchError, match="no reply") as raised, of_checks.then_brought_up_anew(run):
        raise InstrumentError("host_board", "no reply")
    assert "does not come up" in raised.value.__notes__[0]
    with pytest.raises(CmisError, match="does not come up"), of_checks.then_brought_up_anew(run):
        pass


# -- lanes that share a fibre ----------------------------------------------------------------------------


def test_power_cycles_of_lanes_in_one_fibre_are_seen_lane_by_lane(lab: Any) -> None:
    one = lab(bench="sim-fr4", pmd="400G-FR4")
    one.run.conditions = Conditions(Corner(1, 25.0, 3.3), 25.0, 3.3, False, 0.0, 5.0)
    one.run.conditioner.wait_for_case = lambda _case_c: None
    target = importlib.import_module("harness.acquisitions.thermal.power_cycles").power_cycles
    found = target(one.run, LANES, count=1)
    assert found.of("power_cycles").passed
    assert all(not isinstance(found.of("power_cycle_light_change", lane), NotOffered) for lane in LANES)


def test_a_fibre_pulled_during_power_cycles_fails_no_module(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = lab(bench="sim-dr4")
    one.run.conditions = Conditions(Corner(1, 25.0, 3.3), 25.0, 3.3, False, 0.0, 5.0)
    cycles = importlib.import_module("harness.acquisitions.thermal.power_cycles")
    read, looks = cycles.read_at_meter_w, []

    def pulled(bench: Any, paths: Any) -> dict[int, float]:
        looks.append(1)
        return {**read(bench, paths), **({2: 0.0} if len(looks) > 1 else {})}

    monkeypatch.setattr(cycles, "read_at_meter_w", pulled)
    with pytest.raises(InstrumentError, match=r"lane 2: .* monitor shows light"):
        cycles.power_cycles(one.run, LANES, count=1)


def test_a_receiver_that_errs_in_more_light_than_it_must_bear_is_not_judged(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = lab()
    one.acquire("reference_transmitter")
    overload = importlib.import_module("harness.acquisitions.receiver.overload")
    monkeypatch.setattr(overload, "_target_dbm", lambda *_args: -5.0)

    def erring(_checker: Any, lanes: Any, levels: Any) -> Any:
        more_db = {1: 0.5, 2: 0.05}
        return {n: Counted(-5.0 + more_db.get(n, 0.0), 10**10, 10**8, True) for n in lanes if levels}

    monkeypatch.setattr(overload, "count", erring)
    found = one.acquire("receiver_overload")
    assert isinstance(found.measured["overload_ber", 1], Contradiction)
    assert isinstance(found.measured["overload_ber", 2], Measured)
