"""Each defect of a receiver crosses the limit that its table names, and is nothing at severity 0."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import pytest

from drivers.units import dbm_from_w, w_from_dbm
from harness.signal import kp4
from harness.simulation.light.beam import Beam, Modulation, even_levels
from harness.simulation.light.errors import fec_histogram
from harness.simulation.module.lanes.received_light import ReceivedLight
from harness.simulation.module.lanes.receiver import Receivers, draw_receivers
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.module.profile.defects import DEFECTS, StatedDefect, with_defects
from harness.simulation.module.profile.defects.receiver import RECEIVER_DEFECTS
from harness.simulation.noise import Noise
from harness.simulation.signals import TRAFFIC

GOOD = load_profile("good-dr4")
FR4 = load_profile("good-fr4")
KINDS = [defect.kind for defect in RECEIVER_DEFECTS]
TRANSMITTER = Modulation(even_levels(5.0), bandwidth_hz=34e9, rin_db_hz=-152.0)
OMA_RATIO_DB = 10.0 * math.log10(TRANSMITTER.oma_ratio)
SENSITIVITY_LIMIT_DBM = -3.9
BER_LIMIT = 2.4e-4


def _with(kind: str, *lanes: int, severity: float = 1.0, profile: Profile = GOOD) -> Profile:
    return with_defects(dataclasses.replace(profile, defects=(StatedDefect(kind, lanes, severity),)))


class _Light:
    """Light of so much OMA per media lane, or none."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.oma_dbm: dict[int, float] = {}

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        lanes = range(1, 5) if self.profile.medium.multiplexed else (port,)
        return tuple(
            Beam(
                f"tx{lane}",
                w_from_dbm(self.oma_dbm[lane] - OMA_RATIO_DB),
                self.profile.transmitter.wavelength_nm[lane - 1],
                TRAFFIC,
                TRANSMITTER,
            )
            for lane in lanes
            if lane in self.oma_dbm
        )

    def vcc_v(self) -> float:
        return 3.3

    def case_temp_c(self) -> float:
        return 25.0


def _ber(profile: Profile, oma_dbm: Mapping[int, float], lane: int = 2) -> float:
    light = _Light(profile)
    light.oma_dbm = dict(oma_dbm)
    drawn = draw_receivers(profile.receiver, 4, lambda *_: 0.5)
    receivers = Receivers(drawn, ReceivedLight(profile, light))
    receivers.look()
    return receivers.reception(lane).ber


def _sensitivity_dbm(profile: Profile, lane: int = 2, *, others_dbm: float | None = None) -> float:
    others = {} if others_dbm is None else dict.fromkeys(range(1, 5), others_dbm)
    low_dbm, high_dbm = -12.0, 4.0
    while high_dbm - low_dbm > 0.01:
        middle_dbm = 0.5 * (low_dbm + high_dbm)
        if _ber(profile, others | {lane: middle_dbm}, lane) > BER_LIMIT:
            low_dbm = middle_dbm
        else:
            high_dbm = middle_dbm
    return high_dbm


@pytest.mark.parametrize("kind", KINDS)
def test_severity_0_is_no_defect_and_1_touches_its_lanes_only(kind: str) -> None:
    lanes = (2,) if DEFECTS[kind].per_lane else ()
    assert _with(kind, *lanes, severity=0.0).receiver == GOOD.receiver
    changed = _with(kind, *lanes).receiver
    differing = [
        field.name
        for field in dataclasses.fields(changed)
        if getattr(changed, field.name) != getattr(GOOD.receiver, field.name)
    ]
    assert differing
    if lanes:
        for name in differing:
            before, after = getattr(GOOD.receiver, name), getattr(changed, name)
            assert [index for index in range(4) if before[index] != after[index]] == [1]


def test_the_good_module_has_none_of_them() -> None:
    assert _sensitivity_dbm(GOOD, others_dbm=4.2) < SENSITIVITY_LIMIT_DBM - 2.0
    assert _ber(GOOD, {2: 4.0 + OMA_RATIO_DB}) < 1e-8


@pytest.mark.parametrize("kind", ["receiver_imbalance", "noisy_tia"])
def test_the_lane_needs_more_light_than_the_others(kind: str) -> None:
    profile = _with(kind, 2)
    assert _sensitivity_dbm(profile) > SENSITIVITY_LIMIT_DBM
    assert _sensitivity_dbm(profile, lane=3) == pytest.approx(_sensitivity_dbm(GOOD, lane=3))
    half_dbm = _sensitivity_dbm(_with(kind, 2, severity=0.5))
    assert _sensitivity_dbm(GOOD) < half_dbm < _sensitivity_dbm(profile)


def test_imbalance_is_seen_by_the_power_monitor() -> None:
    profile = _with("receiver_imbalance", 2)
    light = _Light(profile)
    light.oma_dbm = dict.fromkeys(range(1, 5), 0.0)
    drawn = draw_receivers(profile.receiver, 4, lambda *_: 0.5)
    monitored_w = Receivers(drawn, ReceivedLight(profile, light)).look()
    assert dbm_from_w(monitored_w[0]) - dbm_from_w(monitored_w[1]) == pytest.approx(4.0)


def test_overload_at_a_power_that_the_standard_allows() -> None:
    profile = _with("receiver_overload", 2)
    assert _ber(profile, {2: 4.0 + OMA_RATIO_DB}) > BER_LIMIT
    assert _ber(profile, {2: -3.0}) < 1e-6
    assert _ber(profile, {3: 4.0 + OMA_RATIO_DB}, lane=3) < BER_LIMIT


def test_crosstalk_with_strong_neighbours_alone() -> None:
    profile = _with("crosstalk", 2)
    assert _sensitivity_dbm(profile, others_dbm=4.2) > SENSITIVITY_LIMIT_DBM
    assert _sensitivity_dbm(profile) == pytest.approx(_sensitivity_dbm(GOOD), abs=0.02)


def test_los_thresholds_off() -> None:
    profile = _with("los_thresholds_off")
    assert profile.receiver.los_deassert_dbm > -10.0
    assert profile.receiver.los_assert_dbm == GOOD.receiver.los_assert_dbm + 6.0
    light = _Light(profile)
    receivers = Receivers(draw_receivers(profile.receiver, 4, lambda *_: 0.5), ReceivedLight(profile, light))
    light.oma_dbm = dict.fromkeys(range(1, 5), -8.0)
    receivers.look()
    assert receivers.dark(1)


def test_error_propagation_shows_in_the_codewords() -> None:
    histograms = []
    for profile in (GOOD, _with("error_propagation", 2)):
        light = _Light(profile)
        light.oma_dbm = {2: -7.1}
        drawn = draw_receivers(profile.receiver, 4, lambda *_: 0.5)
        found = Receivers(drawn, ReceivedLight(profile, light)).reception(2)
        histograms.append(fec_histogram(Noise(3), ("lane 2",), [found.ber], found.burst_bits, 10_000_000))
    good, bad = map(kp4.burst_indication, histograms)
    assert not good.bursts
    assert bad.bursts
    assert bad.observed > 2.0 * bad.expected


def test_a_leaking_demultiplexer_with_all_wavelengths_lit() -> None:
    profile = _with("demux_leak", 2, profile=FR4)
    lit = dict.fromkeys(range(1, 5), 0.0)
    assert _ber(FR4, lit) < 1e-8
    assert _ber(profile, lit) > BER_LIMIT
    assert _ber(profile, {2: 0.0}) < 1e-8
    assert _ber(profile, lit, lane=3) < 1e-8
