"""Receiver acquisitions on the simulated DR4 lab: what they say is what the world has, bench faults are the
bench's, and no receiver is led more light than it bears."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import StopFlag
from drivers.cmis.bringup import BringUpResult
from drivers.errors import BenchError
from drivers.units import dbm_from_w
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.receiver.counting import Counted
from harness.acquisitions.receiver.lane_map import receive_lane_map
from harness.acquisitions.receiver.light import (
    LitLane,
    ReceiverLight,
    damage_threshold_dbm,
    highest_at_tp3_dbm,
    require_harmless,
)
from harness.acquisitions.receiver.los import receiver_los
from harness.acquisitions.receiver.overload import receiver_overload
from harness.acquisitions.receiver.prepared import Prepared, prepared
from harness.acquisitions.receiver.reference import reference_transmitter, source_of
from harness.acquisitions.receiver.reflections import reflection_dwell
from harness.acquisitions.receiver.sensitivity import (
    oma_at_channel_loss_dbm,
    receiver_sensitivity,
    stressed_receiver,
)
from harness.acquisitions.receiver.waterfall import threshold_of
from harness.acquisitions.receiver.ways import receive_ways
from harness.bench_file.history import history_folder, keep
from harness.bench_file.reading import find_bench_file, load_bench, with_simulation
from harness.calibration.reference import ReferenceLane, oma_to_average_db, record_name
from harness.judging.limits import limits_of_pmd
from harness.judging.measured import Checked, Contradiction, Measured, NotOffered
from harness.judging.verdict import Verdict
from harness.opening import bench_backend, open_bench
from harness.run import Run
from harness.run_folder.manifest_of_run import build_manifest
from harness.signal.error_ratio import ber_of_q
from harness.simulation.light.beam import loudest_oma_w
from harness.simulation.light.reception import receive

LANES = (1, 2, 3, 4)
CALIBRATED = {"average": 2.45, "ratio": 5.5, "secq": 0.73, "serial": "LWREF00001"}


class Lab:
    """A run up to the module's light, on the simulated lab, its reference calibrated unless told not to."""

    def __init__(
        self,
        folder: Path,
        *,
        defects: str = "",
        reference: str = "",
        seed: int = 1,
        faults: str = "",
        bench: str = "sim-dr4-full",
        calibrated: dict[str, Any] | None = CALIBRATED,
    ) -> None:
        folder.mkdir(exist_ok=True)
        path, module = folder / "bench.toml", folder / "module.toml"
        text = find_bench_file(bench).read_text(encoding="utf-8")
        if reference:
            (folder / "reference.toml").write_text(reference, encoding="utf-8")
            text = text.replace('module = "reference-dr4"', f'module = "{folder / "reference.toml"}"')
        path.write_text(f"{text}\n{faults}", encoding="utf-8")
        module.write_text(f'extends = "good-dr4"\n{defects}', encoding="utf-8")
        self.spec = with_simulation(load_bench(path), module=str(module), seed=seed)
        stop = StopFlag()
        self.world: Any = bench_backend(self.spec, stop)
        self.bench = open_bench(self.spec, stop, self.world)
        self.run = Run(self.bench, limits_of_pmd("400GBASE-DR4"), plan="unit", out=folder / "runs")
        self.run.power_and_identify()
        self.run.begin(build_manifest(self.run, plan_files=(), items=1, corners=(), lanes=LANES))
        result: BringUpResult = self.run.bring_up("400GBASE-DR4")[0]
        assert result.ok, result.stopped_by
        if calibrated is not None:
            self._calibrate(calibrated)
        self.before: dict[str, Acquired] = {"reference_transmitter": reference_transmitter(self.run, LANES)}

    def _calibrate(self, known: dict[str, Any]) -> None:
        who = self.bench.identities["reference_tx"]
        more_db = oma_to_average_db(known["ratio"])
        lanes = [
            ReferenceLane(
                lane=lane,
                average_power_dbm=known["average"],
                average_power_uncertainty_db=0.2,
                extinction_ratio_db=known["ratio"],
                extinction_ratio_uncertainty_db=0.22,
                oma_to_average_db=more_db,
                oma_to_average_uncertainty_db=0.14,
                oma_outer_dbm=known["average"] + more_db,
                oma_outer_uncertainty_db=0.25,
                secq_db=known["secq"],
                secq_uncertainty_db=0.26,
            ).to_json()
            for lane in LANES
        ]
        record = {
            "schema": 1,
            "at": "2026-03-02T10:00:00+00:00",
            "due": "2035-08-29",
            "simulated": True,
            "seed": self.spec.seed,
            "reference": {"vendor": who.vendor, "serial": who.serial},
            "pattern": "SSPRQ",
            "lanes": lanes,
        }
        keep(history_folder(self.spec), record_name(who.serial), record)

    def acquire(self, acquisition: Any) -> Acquired:
        """One more, with all that were had before."""
        acquired: Acquired = acquisition(self.run, LANES, self.before)
        self.before[acquired.record.name] = acquired
        return acquired

    def prepared(self) -> Prepared:
        found = prepared(self.run, LANES, self.before)
        assert isinstance(found, Prepared)
        return found

    def true_sensitivity_dbm(self, lane: int) -> float:
        """OMAouter at the module's port at which the lane's receiver errs by 2.4e-4 in the world."""
        with self.prepared().light() as light:
            light.set_levels(dict.fromkeys(LANES, -6.5))
            light.read_levels()
            beams = self.world.fibres.rx_light(lane)
        parameters = self.world.module._lanes.receivers._lanes[lane - 1].parameters
        low, high = -3.0, 3.0
        for _ in range(18):
            middle = 0.5 * (low + high)
            scaled = tuple(replace(beam, power_w=beam.power_w * 10.0 ** (middle / 10.0)) for beam in beams)
            ber = receive(scaled, parameters, aggressor_oma_w=0.0).ber
            low, high = (low, middle) if ber < 2.4e-4 else (middle, high)
        return dbm_from_w(loudest_oma_w(beams)) + low

    def verdict(self, acquired: Acquired, parameter: str, lane: int) -> Verdict:
        value = acquired.of(parameter, lane)
        assert isinstance(value, Measured)
        return self.run.judge("unit", parameter, value)[1].verdict

    def require_as_found(self) -> None:
        """Dark, routes open, attenuators as a bench has them before anybody used them."""
        assert self.bench.reference_tx.lit_lanes() == ()
        assert self.bench.optical_switch.routes() == {}
        assert not any(self.bench.attenuator.shutter_is_open(channel) for channel in (1, 2, 3, 4))


@pytest.fixture
def lab(tmp_path: Path):
    made: list[Lab] = []

    def make(**what: Any) -> Lab:
        made.append(Lab(tmp_path / f"lab{len(made)}", **what))
        return made[-1]

    yield make
    for one in made:
        one.run.finish("completed")


def defect(kind: str, lane: int | None = None, severity: float = 1.0) -> str:
    lanes = "" if lane is None else f"lanes = [{lane}]\n"
    return f'[[defect]]\nkind = "{kind}"\n{lanes}severity = {severity}\n'


def number(acquired: Acquired, parameter: str, lane: int) -> Measured:
    value = acquired.of(parameter, lane)
    assert isinstance(value, Measured), value
    return value


# -- known answers ---------------------------------------------------------------------------------------


def a_lane(ratio_db: float, secq_db: float) -> ReferenceLane:
    return ReferenceLane(1, 2.0, 0.2, ratio_db, 0.2, 0.4, 0.14, 2.4, 0.25, secq_db, 0.25)


@pytest.mark.parametrize(
    ("ratio_db", "secq_db", "expected_dbm"),
    [(5.5, 0.7, -3.8), (5.5, 1.4, -3.8), (5.5, 3.4, -1.8), (4.0, 3.4, -1.5), (4.0, 0.7, -3.8)],
)
def test_worst_compliant_link_is_the_transmitters_limits_less_the_channel(
    ratio_db, secq_db, expected_dbm, small_run
):
    """Table 124-6: -0.8 dBm, or TDECQ - 2.2 (ER >= 5 dB) or - 1.9 dBm; 3.0 dB of channel."""
    found = oma_at_channel_loss_dbm(small_run.run, 1, a_lane(ratio_db, secq_db))
    assert found == pytest.approx(expected_dbm)


def counts(levels: list[float], q_at_0_dbm: float = 17.0) -> list[Counted]:
    bits = 10**11
    ratios = [ber_of_q(q_at_0_dbm * 10.0 ** (level / 10.0)) for level in levels]
    return [
        Counted(level, bits, round(ratio * bits), True) for level, ratio in zip(levels, ratios, strict=True)
    ]


def test_threshold_is_where_q_is_3_414():
    found = threshold_of(counts([-6.6, -6.7, -6.8, -6.9, -7.0, -7.1, -7.2]), 2.4e-4)
    assert found.level_dbm == pytest.approx(10.0 * math.log10(3.414 / 17.0) * 1.0, abs=0.28)
    exact = 10.0 * math.log10(3.4144 / 17.0)
    assert found.level_dbm == pytest.approx(exact, abs=0.005)
    assert not found.bound


def test_a_threshold_that_was_not_met_is_a_bound_and_says_so():
    never_bad = threshold_of(counts([-4.0, -4.5]), 2.4e-4)
    assert (never_bad.level_dbm, never_bad.bound != "") == (-4.5, True)
    always_bad = threshold_of(counts([-8.0, -7.5]), 2.4e-4)
    assert always_bad.level_dbm == -7.5
    assert "highest level" in always_bad.bound
    lost = threshold_of([*counts([-5.0, -6.0]), Counted(-6.5, 0, 0, False)], 2.4e-4)
    assert (lost.level_dbm, "lock" in lost.bound) == (-6.0, True)


# -- the interlock ---------------------------------------------------------------------------------------


def test_interlock_refuses_what_could_damage_and_names_the_numbers(small_run):
    spec = load_bench(find_bench_file("sim-dr4-full"))
    ways = receive_ways(spec, small_run.run.pmd, LANES, attenuated=False)
    assert isinstance(ways, dict)
    way = ways[1]
    # 6 dBm through a bypass of 0.4 dB; the threshold is 5.0 dBm (Table 124-7).
    hot = replace(way, path=replace(way.path, loss_db=0.4, uncertainty_db=0.15))
    with pytest.raises(BenchError, match=r"interlock, lane 1: up to 5\.85 dBm .*threshold is 5 dBm"):
        require_harmless(small_run.run, hot, LitLane(6.0, 0.2))
    require_harmless(small_run.run, hot, LitLane(6.0, 0.2), attenuation_db=0.9)
    # The uncertainties count: 4.9 dBm stated is not enough.
    with pytest.raises(BenchError, match="interlock"):
        require_harmless(small_run.run, hot, LitLane(5.3, 0.2))
    assert highest_at_tp3_dbm(hot, LitLane(5.3, 0.2)) == pytest.approx(5.15)


def test_a_customer_who_asks_for_more_does_not_raise_what_a_receiver_bears(small_run, tmp_path):
    layer = tmp_path / "customer.toml"
    layer.write_text(
        'schema = 1\npmd = "400GBASE-DR4"\nlayer = "customer"\nedition = "1"\ndocument = "C-1"\n'
        '[[limit]]\nparameter = "damage_threshold"\nlow = 7.0\nclause = "3"\n'
        'grade = "A"\nforce = "normative"\n',
        encoding="utf-8",
    )
    small_run.run.limits = limits_of_pmd("400GBASE-DR4", layers=[layer])
    found = small_run.run.limits.resolve("damage_threshold", {}, lane=1)
    assert found.low.value == 7.0
    assert damage_threshold_dbm(small_run.run, 1) == 5.0


def test_too_strong_a_reference_is_refused_before_any_light(lab):
    """A bypass that brings more than the receiver bears: no route is closed, nothing is lit."""
    one = lab(calibrated={**CALIBRATED, "average": 8.0})
    ways = receive_ways(one.spec, one.run.pmd, LANES, attenuated=False)
    assert isinstance(ways, dict)
    lit: list[str] = []
    light = ReceiverLight(
        one.run, ways, {lane: LitLane(8.0, 0.2) for lane in LANES}, on=lambda: lit.append("on")
    )
    with pytest.raises(BenchError, match="interlock, lane 1"), light:
        pass
    assert lit == []
    one.require_as_found()
    # The plan leaves the bypass alone then, and says what is missing by the attenuator.
    value = one.acquire(receiver_overload).of("overload_ber", 1)
    assert isinstance(value, NotOffered)
    assert "missing" in value.reason or "without an attenuator" in value.reason


def test_light_that_is_more_than_the_calibration_says_stops_the_test(lab):
    """The interlock rests on the calibration: a tap that shows more says that it is not this reference's."""
    one = lab(calibrated={**CALIBRATED, "average": -6.0})
    with pytest.raises(BenchError, match=r"interlock, lane 1: .* allow") as raised:
        one.acquire(receiver_sensitivity)
    assert "reference's calibration" in str(raised.value)
    one.require_as_found()


# -- a good module, and the world's truth ----------------------------------------------------------------


def test_a_good_module_and_the_truth(lab):
    one = lab()
    mapped = one.acquire(receive_lane_map)
    for lane in LANES:
        for parameter in ("lane_map", "lane_polarity"):
            value = mapped.of(parameter, lane)
            assert isinstance(value, Checked)
            assert value.passed
    one.require_as_found()
    found = one.acquire(receiver_sensitivity)
    one.require_as_found()
    for lane in LANES:
        value = number(found, "receiver_sensitivity_oma", lane)
        assert abs(value.value - one.true_sensitivity_dbm(lane)) <= value.uncertainty
        assert value.facts["secq"] == 0.73
        margin = number(found, "channel_margin", lane)
        assert margin.value == pytest.approx(-3.8 - value.value)
        assert one.verdict(found, "ber_at_channel_loss", lane) is Verdict.PASS
        assert one.verdict(found, "rx_power_monitor_error", lane) is Verdict.PASS
    # Practice: 0.5 dB a step down to 1e-6, 0.1 dB to the limit.
    listed = found.record.data["counts"]["1"]
    steps = [round(a["level_dbm"] - b["level_dbm"], 1) for a, b in itertools.pairwise(listed)]
    assert steps[0] == 0.5
    assert steps[-8:] == [0.1] * 8
    los = one.acquire(receiver_los)
    for lane in LANES:
        down, up = (number(los, name, lane) for name in ("los_assert", "los_deassert"))
        assert abs(down.value + 13.0) <= down.uncertainty + 0.05  # the profile's, average power
        assert abs(up.value + 11.5) <= up.uncertainty + 0.05
        assert number(los, "los_hysteresis", lane).value == pytest.approx(1.5, abs=0.15)
    one.require_as_found()
    overload = one.acquire(receiver_overload).of("overload_ber", 2)
    assert isinstance(overload, NotOffered)
    assert "dB missing" in overload.reason
    stressed = one.acquire(stressed_receiver).of("stressed_receiver_sensitivity_oma", 3)
    assert isinstance(stressed, NotOffered)
    assert stressed.reason.startswith("receiver not conformance-tested: the reference is no stressed source")


@pytest.mark.soak
def test_the_stated_uncertainty_covers_the_true_sensitivity(lab):
    shares = []
    for seed in range(1, 13):
        one = lab(seed=seed, calibrated=None)  # measured in the run
        found = one.acquire(receiver_sensitivity)
        for lane in LANES:
            value = number(found, "receiver_sensitivity_oma", lane)
            shares.append(abs(value.value - one.true_sensitivity_dbm(lane)) / value.uncertainty)
    assert sum(share <= 1.0 for share in shares) >= 0.9 * len(shares), shares
    assert max(shares) <= 1.5, shares
    assert max(shares) > 0.3


def test_a_reference_that_was_never_calibrated_is_measured_in_the_run(lab):
    one = lab(calibrated=None)
    source = source_of(one.before)
    assert not isinstance(source, NotOffered)
    assert source.known_by == "measured in this run"
    one.require_as_found()
    for lane in LANES:
        known = source.lanes[lane]
        assert abs(known.extinction_ratio_db - 5.5) <= known.extinction_ratio_uncertainty_db + 0.1
        assert known.oma_to_average_uncertainty_db < 0.35
        assert number(one.before["reference_transmitter"], "reference_secq", lane).value < 1.2


# -- modules and benches with faults ---------------------------------------------------------------------


def test_bad_receivers_fail_on_their_own_lanes(lab):
    one = lab(defects=defect("noisy_tia", 3) + defect("receiver_imbalance", 2))
    found = one.acquire(receiver_sensitivity)
    verdicts = {lane: one.verdict(found, "ber_at_channel_loss", lane) for lane in LANES}
    assert verdicts[3].fails_module
    assert {verdicts[1], verdicts[4]} == {Verdict.PASS}
    margins = {lane: number(found, "channel_margin", lane).value for lane in LANES}
    assert margins[2] == pytest.approx(margins[1] - 4.0, abs=0.6)
    assert number(found, "rx_power_monitor_error", 2).value < -3.0


def test_exchanged_legs_are_the_wirings_fault(lab):
    one = lab(faults='[[simulation.fault]]\nkind = "lane_swap"\nlanes = [1, 2]\nlegs = "rx"\n')
    mapped = one.acquire(receive_lane_map)
    for lane in (1, 2):
        assert isinstance(mapped.measured["lane_map", lane], Contradiction)
        with pytest.raises(BenchError, match=f"receiver {3 - lane} sees it instead of {lane}"):
            mapped.of("lane_map", lane)
    found = one.acquire(receiver_sensitivity)
    with pytest.raises(BenchError, match="legs are exchanged"):
        found.of("ber_at_channel_loss", 1)
    assert one.verdict(found, "ber_at_channel_loss", 3) is Verdict.PASS


@pytest.mark.soak
def test_dirt_behind_the_tap_shows_between_tap_and_rx_power(lab):
    fault = '[[simulation.fault]]\nkind = "dirty_end_face"\nport = "module.rx2"\nseverity = 1.0\n'
    errors, sensitivities = [], []
    for faults in ("", fault):
        found = lab(faults=faults).acquire(receiver_sensitivity)
        errors.append(number(found, "rx_power_monitor_error", 2).value)
        sensitivities.append(number(found, "receiver_sensitivity_oma", 2).value)
    assert errors[1] - errors[0] == pytest.approx(-1.0, abs=0.25)
    assert sensitivities[1] - sensitivities[0] == pytest.approx(1.0, abs=0.3)


def test_los_thresholds_that_are_6_db_off_are_found(lab):
    found = lab(defects=defect("los_thresholds_off")).acquire(receiver_los)
    for lane in LANES:
        assert number(found, "los_deassert", lane).value == pytest.approx(-5.5, abs=0.3)


STRONG = 'extends = "{}"\n[transmitter]\naverage_launch_power_dbm = {}\nslope_mw_per_ma = 0.2\n'


def test_overload_is_tested_where_the_reference_is_strong_enough(lab):
    strong = STRONG.format("reference-dr4", [6.3] * 4)
    one = lab(
        reference=strong, calibrated={**CALIBRATED, "average": 6.3}, defects=defect("receiver_overload", 4)
    )
    found = one.acquire(receiver_overload)
    value = number(found, "overload_ber", 1)
    assert 3.5 < value.conditions["rx_average_dbm"] < 4.2
    assert one.verdict(found, "overload_ber", 1) is Verdict.PASS
    assert one.verdict(found, "overload_ber", 4).fails_module
    one.require_as_found()


def test_a_stressed_source_is_used_and_weak_aggressors_are_said(lab):
    source = STRONG.format("stressed-source-dr4", [6.0] * 4)
    one = lab(
        reference=source,
        calibrated={**CALIBRATED, "average": 6.0, "ratio": 3.6, "secq": 3.4},
        defects=defect("noisy_tia", 2),
    )
    found = one.acquire(stressed_receiver)
    formal = found.of("stressed_receiver_sensitivity_oma", 1)
    assert isinstance(formal, NotOffered)
    assert formal.reason.startswith("receiver not conformance-tested: the other lanes reach")
    assert one.verdict(found, "stressed_sensitivity_weaker_aggressors", 1) is Verdict.PASS
    assert one.verdict(found, "stressed_sensitivity_weaker_aggressors", 2).fails_module
    one.require_as_found()


@pytest.mark.soak
def test_a_reflective_pair_is_seen_over_a_minute(lab):
    fault = '[[simulation.fault]]\nkind = "reflective_pair"\nport = "module.rx3"\nseverity = 1.0\n'
    one = lab(faults=fault)
    one.acquire(receiver_sensitivity)
    found = one.acquire(reflection_dwell)
    penalties = {lane: number(found, "reflection_penalty", lane).value for lane in LANES}
    assert penalties[3] == max(penalties.values())
    assert max(penalties[lane] for lane in (1, 2, 4)) < 0.05
    one.require_as_found()


# -- what a bench or a module does not have ---------------------------------------------------------------


def test_without_a_checker_nothing_counts_at_tp3(lab):
    one = lab(defects="[diagnostics]\nsupported = false\n")
    value = one.acquire(receiver_sensitivity).of("receiver_sensitivity_oma", 1)
    assert isinstance(value, NotOffered)
    assert "no media side checker" in value.reason
    one.require_as_found()


def test_without_a_reference_every_parameter_says_so(lab):
    one = lab(bench="sim-dr4", calibrated=None)
    value = one.acquire(stressed_receiver).of("stressed_receiver_sensitivity_oma", 1)
    assert isinstance(value, NotOffered)
    assert value.reason.startswith("receiver not conformance-tested: the bench sim-dr4 has no reference_tx")
