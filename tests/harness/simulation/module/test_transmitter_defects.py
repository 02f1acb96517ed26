"""Every defect of a transmitter, measured: inside its limit at severity 0, beyond it at 1, ever worse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from drivers.units import dbm_from_w
from harness.signal.filters import bessel_thomson_4, noise_bandwidth_hz, reference_bandwidth_hz
from harness.signal.pam4 import levels, outer_levels
from harness.signal.patterns import pattern
from harness.signal.rin import Definition, rin_oma_db_hz, rin_oma_of_laser_db_hz, square_wave
from harness.signal.tdecq import tdecq
from harness.simulation.light.beam import PAM4_RATE_BD, Beam
from harness.simulation.light.waveform import optical_waveform
from harness.simulation.module.lanes.transmitters import Transmitters
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.module.profile.defects import DEFECTS
from harness.simulation.module.profile.defects.transmitter import TRANSMITTER_DEFECTS
from harness.simulation.module.specimen import draws_of
from harness.simulation.world import World

if TYPE_CHECKING:
    from conftest import ModuleBench

LANE = 3
SEVERITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
GOOD = load_profile("good-dr4")


def beam_of(profile: Profile, lane: int = LANE, case_c: float = 25.0, specimen: int = 0) -> Beam:
    """Light of a lane at TP2."""
    transmitters = Transmitters(World(1), profile, draws_of(profile, specimen), name="module")
    return Beam(
        f"tx{lane}",
        transmitters.launch_power_w(lane, case_c, 3.3),
        transmitters.wavelength_nm(lane, case_c),
        modulation=transmitters.modulation(lane, case_c, 3.3),
    )


def power_dbm(beam: Beam) -> float:
    return dbm_from_w(beam.power_w)


def extinction_db(beam: Beam) -> float:
    symbols = pattern("PRBS13Q").symbols()
    return outer_levels(optical_waveform([beam], symbols), symbols).extinction_ratio_db


def rlm_of(beam: Beam) -> float:
    symbols = pattern("PRBS13Q").symbols()
    return levels(optical_waveform([beam], symbols), symbols).rlm


def rin_oma(beam: Beam) -> float:
    symbols = np.tile(np.repeat(np.array([3, 0], dtype=np.uint8), 8), 256)
    waveform = optical_waveform([beam], symbols, rng=np.random.default_rng(1))
    bandwidth_hz = reference_bandwidth_hz(PAM4_RATE_BD)
    seen = square_wave(bessel_thomson_4(waveform, bandwidth_hz))
    return rin_oma_db_hz(seen.noise_w, seen.outer.oma_outer_w, noise_bandwidth_hz(bandwidth_hz))


def tdecq_db(beam: Beam) -> float:
    symbols = pattern("SSPRQ").symbols()
    waveform = optical_waveform([beam], symbols, samples_per_ui=8, rng=np.random.default_rng(1))
    return tdecq(waveform, symbols, reference_filter_applied=False).tdecq_db


@dataclass(frozen=True)
class Shown:
    """What shows a defect: ``measure`` of the beam goes beyond ``limit``, upwards when ``above``."""

    measure: Callable[[Beam], float]
    limit: float
    above: bool
    case_c: float = 25.0
    severities: tuple[float, ...] = SEVERITIES


SHOWN = {
    "dead_laser": Shown(power_dbm, -2.9, above=False),
    "shared_laser_failure": Shown(power_dbm, -2.9, above=False),
    "laser_droop_hot": Shown(power_dbm, -2.9, above=False, case_c=70.0),
    "modulator_bias_drift": Shown(extinction_db, 3.5, above=False),
    "low_extinction": Shown(extinction_db, 3.5, above=False),
    "low_bandwidth": Shown(tdecq_db, 3.4, above=True, severities=(0.0, 0.6, 1.0)),
    "high_rin": Shown(rin_oma, -136.0, above=True),
    "wavelength_out_of_band": Shown(lambda beam: beam.wavelength_nm, 1317.5, above=True),
    "poor_smsr": Shown(lambda beam: beam.modulation.smsr_db, 30.0, above=False),
    "lane_skew": Shown(lambda beam: beam.modulation.skew_ui / PAM4_RATE_BD * 1e9, 54.0, above=True),
}


SLOW = ("low_bandwidth", "high_rin")


def test_every_kind_is_measured_here() -> None:
    assert set(SHOWN) == {defect.kind for defect in TRANSMITTER_DEFECTS}


@pytest.mark.parametrize("kind", SHOWN)
def test_it_crosses_its_limit_on_its_way_to_severity_1(kind: str) -> None:
    shown, apply = SHOWN[kind], DEFECTS[kind].apply
    values = [
        shown.measure(beam_of(apply(GOOD, (LANE,), severity), case_c=shown.case_c))
        for severity in shown.severities
    ]
    excess = [value - shown.limit if shown.above else shown.limit - value for value in values]
    assert excess[0] < 0.0 < excess[-1], values
    assert all(a <= b for a, b in pairwise(excess)), values


@pytest.mark.parametrize(
    ("kind", "case_c"),
    [
        (kind, case_c)
        for kind, shown in SHOWN.items()
        if kind not in SLOW
        for case_c in (0.0, 25.0, 70.0)
        if case_c >= shown.case_c or shown.case_c == 25.0
    ],
)
def test_at_severity_1_every_specimen_shows_it_at_every_temperature(kind: str, case_c: float) -> None:
    shown = SHOWN[kind]
    bad = DEFECTS[kind].apply(GOOD, (LANE,), 1.0)
    for specimen in (1, 2):
        value = shown.measure(beam_of(bad, case_c=case_c, specimen=specimen))
        assert value > shown.limit if shown.above else value < shown.limit


@pytest.mark.parametrize("definition", get_args(Definition))
@pytest.mark.parametrize("case_c", [0.0, 25.0, 70.0])
def test_a_noisy_laser_is_out_by_both_definitions_in_every_specimen(
    definition: Definition, case_c: float
) -> None:
    bad = DEFECTS["high_rin"].apply(GOOD, (LANE,), 1.0)
    for specimen in range(40):
        light = beam_of(bad, case_c=case_c, specimen=specimen).modulation
        shown_db_hz = rin_oma_of_laser_db_hz(
            light.rin_db_hz, light.extinction_ratio_db, definition=definition
        )
        assert shown_db_hz > -136.0 + 3.0


@pytest.mark.parametrize("kind", SHOWN)
def test_at_severity_0_nothing_changes(kind: str) -> None:
    assert DEFECTS[kind].apply(GOOD, (LANE,), 0.0) == GOOD


@pytest.mark.parametrize("kind", [kind for kind in SHOWN if kind != "shared_laser_failure"])
def test_the_other_lanes_are_as_before(kind: str) -> None:
    bad = DEFECTS[kind].apply(GOOD, (LANE,), 1.0)
    for lane in (1, 2, 4):
        assert beam_of(bad, lane, 70.0) == beam_of(GOOD, lane, 70.0)


def test_a_laser_that_droops_hot_is_good_up_to_50_c() -> None:
    bad = DEFECTS["laser_droop_hot"].apply(GOOD, (LANE,), 1.0)
    for specimen in range(5):
        lost_db = [
            power_dbm(beam_of(GOOD, case_c=case_c, specimen=specimen))
            - power_dbm(beam_of(bad, case_c=case_c, specimen=specimen))
            for case_c in (0.0, 25.0, 50.0, 60.0, 70.0)
        ]
        assert lost_db[:3] == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
        assert 0.0 < lost_db[3] < lost_db[4]
        assert lost_db[4] > 3.0


def test_a_drifted_modulator_has_uneven_levels() -> None:
    drifted = DEFECTS["modulator_bias_drift"].apply(GOOD, (LANE,), 1.0)
    assert rlm_of(beam_of(GOOD)) > 0.98
    assert rlm_of(beam_of(drifted)) < 0.7


class TestSharedLaserFailure:
    @pytest.mark.parametrize(("lane", "dark"), [(1, [1, 2]), (3, [3, 4])])
    def test_it_takes_the_pair_of_a_module_that_shares_none(self, lane: int, dark: list[int]) -> None:
        bad = DEFECTS["shared_laser_failure"].apply(GOOD, (lane,), 1.0)
        assert [n for n in (1, 2, 3, 4) if power_dbm(beam_of(bad, n)) < -2.9] == dark

    def test_lanes_with_wavelengths_of_their_own_have_lasers_of_their_own(self) -> None:
        fr4 = load_profile("good-fr4")
        bad = DEFECTS["shared_laser_failure"].apply(fr4, (1,), 1.0)
        assert [n for n in (1, 2, 3, 4) if power_dbm(beam_of(bad, n)) < -3.3] == [1]
        assert beam_of(bad, 2) == beam_of(fr4, 2)

    def test_it_takes_the_lanes_that_do_share_one(self, changed: Callable[..., Profile]) -> None:
        shares = changed(transmitter={"laser_of_lane": (1, 2, 1, 2)})
        bad = DEFECTS["shared_laser_failure"].apply(shares, (2,), 1.0)
        assert [n for n in (1, 2, 3, 4) if power_dbm(beam_of(bad, n)) < -2.9] == [2, 4]

    def test_no_lane_of_a_dead_laser_is_alive(self, changed: Callable[..., Profile]) -> None:
        shares = changed(transmitter={"laser_of_lane": (1, 1, 2, 2)})
        bad = DEFECTS["dead_laser"].apply(shares, (4,), 1.0)
        assert [n for n in (1, 2, 3, 4) if power_dbm(beam_of(bad, n)) < -2.9] == [3, 4]

    def test_both_lanes_report_the_failure(self, make_bench: Callable[..., ModuleBench]) -> None:
        bench = make_bench(DEFECTS["shared_laser_failure"].apply(GOOD, (1,), 1.0))
        bench.activate()
        bench.world.advance(0.2)
        assert bench.read("FailureFlagTx") == (True, True) + (False,) * 6
        assert min(bench.read("TxBias")[:2]) > 100.0
