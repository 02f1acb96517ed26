"""The analytic receiver against closed forms, and what must hold whatever its numbers are."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.units import w_from_dbm
from harness.signal.error_ratio import ber_of_q, q_of_ber, ser_of_q, snr_db_of_q
from harness.signal.filters import noise_bandwidth_hz
from harness.signal.rin import noise_of_rin_w
from harness.simulation.light.beam import STEADY, Beam, Echo, Modulation, even_levels
from harness.simulation.light.reception import (
    DARK,
    HIGHEST_LOCKED_BER,
    ReceiverParameters,
    receive,
    undisturbed,
    worst_echo_closure_db,
)

IDEAL = ReceiverParameters(thermal_noise_w=14.4e-6)
GOOD = ReceiverParameters(
    thermal_noise_w=7.6e-6,
    responsivity_a_per_w=0.8,
    overload_w=w_from_dbm(9.0),
    bandwidth_hz=32e9,
    equaliser_taps=11,
    implementation_noise=0.0235,
    jitter_ui_rms=0.008,
)
LEVELS = even_levels(5.0)
SQUARE = Modulation(LEVELS)
CLEAN = Modulation(LEVELS, bandwidth_hz=34e9, rin_db_hz=-152.0)
SENSITIVITY_BER = 2.4e-4


def _beam(oma_dbm: float, modulation: Modulation = SQUARE, **changes: object) -> Beam:
    power_w = w_from_dbm(oma_dbm) / modulation.oma_ratio
    return dataclasses.replace(Beam("tx", power_w, 1311.0, None, modulation), **changes)


def _sensitivity_dbm(modulation: Modulation, parameters: ReceiverParameters, **others: float) -> float:
    """OMAouter at which 2.4e-4 of the bits are wrong, below overload."""
    low_dbm, high_dbm = -25.0, 2.0
    while high_dbm - low_dbm > 1e-4:
        middle_dbm = 0.5 * (low_dbm + high_dbm)
        if receive((_beam(middle_dbm, modulation),), parameters, **others).ber > SENSITIVITY_BER:
            low_dbm = middle_dbm
        else:
            high_dbm = middle_dbm
    return high_dbm


# -- closed forms --------------------------------------------------------------------------------------


@pytest.mark.parametrize("oma_dbm", [-11.0, -8.0, -6.0, -5.3, -4.5, -3.5, -2.5])
def test_the_waterfall_of_the_ideal_receiver_is_the_closed_form(oma_dbm: float) -> None:
    q = w_from_dbm(oma_dbm) / (6.0 * 14.4e-6)
    found = receive((_beam(oma_dbm),), IDEAL)
    assert found.q == pytest.approx(q, rel=1e-6)
    assert found.eye_q == pytest.approx((q, q, q), rel=1e-6)
    assert found.ser == pytest.approx(ser_of_q(q), rel=1e-6)
    assert found.ber == pytest.approx(ber_of_q(q), rel=1e-6)
    assert found.snr_db == pytest.approx(snr_db_of_q(q), rel=1e-6)
    if q > 2.0:
        assert found.ltp_db == pytest.approx(10.0 * math.log10(math.exp(q * q / 2.0) / 2.0))


def test_the_ideal_sensitivity_is_that_of_the_standard() -> None:
    assert _sensitivity_dbm(SQUARE, IDEAL) == pytest.approx(-5.3, abs=0.005)


@pytest.mark.parametrize(("rin_oma_db_hz", "penalty_db"), [(-136.0, 0.75), (-140.0, 0.27), (-145.0, 0.08)])
def test_rin_penalties(rin_oma_db_hz: float, penalty_db: float) -> None:
    # Noise that is the same on all levels: little modulation, and RIN_OMA held against OMA^2.
    levels = even_levels(0.02)
    ratio = levels[3] - levels[0]
    noisy = Modulation(levels, rin_db_hz=rin_oma_db_hz + 20.0 * math.log10(ratio))
    receiver = dataclasses.replace(IDEAL, responsivity_a_per_w=math.inf)
    found_db = _sensitivity_dbm(noisy, receiver) - _sensitivity_dbm(Modulation(levels), receiver)
    assert found_db == pytest.approx(penalty_db, abs=0.01)
    beam = _beam(0.0, noisy)
    sigma_w = noise_of_rin_w(rin_oma_db_hz, beam.oma_w, noise_bandwidth_hz(26.5625e9), definition="oma")
    assert receive((beam,), receiver).noise_w["laser"] == pytest.approx(sigma_w, rel=1e-3)


def test_rin_is_of_the_momentary_power() -> None:
    found = receive((_beam(0.0, dataclasses.replace(SQUARE, rin_db_hz=-135.0)),), IDEAL)
    assert found.eye_q[0] > found.eye_q[1] > found.eye_q[2]
    mean_square_w2 = sum(level**2 for level in LEVELS) / 4.0 * _beam(0.0).power_w ** 2
    sigma_w = math.sqrt(10.0**-13.5 * noise_bandwidth_hz(26.5625e9) * mean_square_w2)
    assert found.noise_w["laser"] == pytest.approx(sigma_w, rel=1e-6)


def test_shot_noise_of_a_milliwatt() -> None:
    # 2 e P B / R with P = 1 mW, B = 27.79 GHz, R = 0.8 A/W: 3.336 uW rms.
    receiver = dataclasses.replace(IDEAL, responsivity_a_per_w=0.8)
    beam = Beam("tx", 1e-3, 1311.0, None, SQUARE)
    assert receive((beam,), receiver).noise_w["shot"] == pytest.approx(3.336e-6, rel=1e-3)


def test_one_pair_of_reflections() -> None:
    ratio = 10.0 ** (-52.0 / 20.0)
    quiet = _sensitivity_dbm(SQUARE, IDEAL)
    worst = _beam(0.0, echoes=(Echo(ratio, 300.0, 0.0),))
    assert worst_echo_closure_db(worst) == pytest.approx(0.20, abs=0.01)

    def penalty_db(*echoes: Echo) -> float:
        low_dbm, high_dbm = -8.0, 0.0
        while high_dbm - low_dbm > 1e-4:
            middle_dbm = 0.5 * (low_dbm + high_dbm)
            if receive((_beam(middle_dbm, echoes=echoes),), IDEAL).ber > SENSITIVITY_BER:
                low_dbm = middle_dbm
            else:
                high_dbm = middle_dbm
        return high_dbm - quiet

    phases = [phase * math.pi / 4.0 for phase in range(8)]
    penalties_db = [penalty_db(Echo(ratio, 300.0, phase)) for phase in phases]
    assert max(map(abs, penalties_db)) < 0.20  # no symbols beat worse than the worst ones
    assert penalties_db[2] == pytest.approx(0.0, abs=0.002)  # in quadrature: nothing
    # Strong reflections of a dirty pair (-14 dB): enough to be seen, on average over the phases.
    dirty = [penalty_db(Echo(10.0 ** (-28.0 / 20.0), 300.0, phase)) for phase in phases]
    assert sum(dirty) / len(dirty) > 0.1


def test_weak_echoes_beside_a_strong_one_count_as_noise() -> None:
    strong, weak = Echo(0.03, 300.0, 0.3), Echo(0.02, 500.0, 2.0)
    alone = receive((_beam(-5.0, echoes=(strong,)),), IDEAL)
    both = receive((_beam(-5.0, echoes=(weak, strong)),), IDEAL)
    assert both.noise_w["echoes"] > alone.noise_w["echoes"] > 0.0


def test_other_light_counts_with_its_variance() -> None:
    other = Beam("other", 2e-5, 1291.0, None, SQUARE)
    found = receive((_beam(-5.0), other), IDEAL)
    assert found.noise_w["other light"] == pytest.approx(math.sqrt(5.0 / 36.0) * other.oma_w, rel=1e-6)
    assert found.oma_w == pytest.approx(w_from_dbm(-5.0))
    aggressed = receive((_beam(-5.0),), IDEAL, aggressor_oma_w=other.oma_w)
    assert aggressed.ber == pytest.approx(found.ber, rel=1e-6)


def test_the_floor_is_the_receiver_s_own_imperfection() -> None:
    receiver = ReceiverParameters(thermal_noise_w=1e-6, implementation_noise=1.0 / 36.0)
    found = receive((_beam(10.0),), receiver)
    assert found.q == pytest.approx(6.0, rel=1e-4)
    assert undisturbed(receiver).q == pytest.approx(6.0)
    assert undisturbed(receiver).ber == pytest.approx(ber_of_q(6.0))


def test_a_good_receiver_is_as_good_as_a_module_s() -> None:
    assert _sensitivity_dbm(CLEAN, GOOD) == pytest.approx(-7.0, abs=0.15)
    assert receive((_beam(0.0, CLEAN),), GOOD).ber < 1e-9
    assert receive((_beam(5.2, CLEAN),), GOOD).ber < 1e-8  # +5 dBm on average


def test_bandwidth_costs_what_the_equaliser_s_noise_says() -> None:
    """Square symbols into the reference receiver with 5 taps: TDECQ's 0.33 dB is of two instants 0.1 UI
    apart, of which the worse counts; at the best instant it is less."""
    receiver = ReceiverParameters(bandwidth_hz=26.5625e9, equaliser_taps=5)
    penalty_db = _sensitivity_dbm(SQUARE, receiver) - _sensitivity_dbm(SQUARE, IDEAL)
    assert 0.15 < penalty_db < 0.33


# -- what a receiver cannot do -------------------------------------------------------------------------


def test_saturation_makes_the_waterfall_a_bathtub() -> None:
    bers = [receive((_beam(float(oma_dbm), CLEAN),), GOOD).ber for oma_dbm in range(-10, 12)]
    best = bers.index(min(bers))
    assert bers[: best + 1] == sorted(bers[: best + 1], reverse=True)
    assert bers[best:] == sorted(bers[best:])
    assert bers[-1] > SENSITIVITY_BER
    upper = receive((_beam(8.0, CLEAN),), GOOD)
    assert upper.eye_q[2] < 0.5 * upper.eye_q[0]  # the top eye closes first
    assert upper.burst_bits > 2.0


def test_the_overload_point_is_where_1_db_is_lost() -> None:
    # With one level alone in sight: q of the middle eye falls with the swing; here the gain is read directly.
    receiver = ReceiverParameters(thermal_noise_w=1e-6, overload_w=_beam(3.0).power_w * LEVELS[3])
    free = dataclasses.replace(receiver, overload_w=math.inf)
    top = [receive((_beam(3.0),), of).eye_q for of in (receiver, free)]
    swing = [sum(eye_q) for eye_q in top]
    low = 1.0 + (LEVELS[0] / LEVELS[3]) ** 4 * (10.0**0.4 - 1.0)
    expected = (LEVELS[3] * 10.0**-0.1 - LEVELS[0] * low**-0.25) / (LEVELS[3] - LEVELS[0])
    assert swing[0] / swing[1] == pytest.approx(expected, rel=1e-6)


def test_without_symbols_there_is_nothing() -> None:
    assert receive((), IDEAL) == DARK
    assert receive((Beam("tx", 1e-3, 1311.0, None, STEADY),), IDEAL) == DARK
    assert DARK.closed
    assert not DARK.locked
    assert DARK.ber == 0.375


def test_lock_ends_with_the_eye_and_with_the_symbol_rate() -> None:
    assert receive((_beam(-7.0),), IDEAL).locked
    lost = receive((_beam(-11.0),), IDEAL)
    assert lost.ber > HIGHEST_LOCKED_BER
    assert not lost.locked
    for ppm, locked in ((119.0, True), (-119.0, True), (121.0, False), (-150.0, False)):
        rate = 53.125e9 * (1.0 + ppm * 1e-6)
        found = receive((_beam(0.0, dataclasses.replace(SQUARE, symbol_rate_bd=rate)),), IDEAL)
        assert found.locked == locked
        assert found.off_rate_ppm == pytest.approx(abs(ppm))


def test_error_propagation_multiplies_errors_and_makes_bursts() -> None:
    plain = receive((_beam(-5.0),), IDEAL)
    propagating = receive((_beam(-5.0),), dataclasses.replace(IDEAL, error_propagation=0.75))
    assert propagating.ber == pytest.approx(4.0 * plain.ber)
    assert propagating.burst_bits == pytest.approx(4.0)
    assert propagating.q == plain.q


def test_jitter_and_dispersion_hurt() -> None:
    light = _beam(-5.0, CLEAN, wavelength_nm=1331.0)
    good = receive((light,), GOOD)
    assert receive((light,), dataclasses.replace(GOOD, jitter_ui_rms=0.05)).ber > 2.0 * good.ber
    far = dataclasses.replace(light, dispersion_ps_nm=-60.0)
    assert receive((far,), GOOD).ber > 2.0 * good.ber
    mild = dataclasses.replace(light, dispersion_ps_nm=0.8)
    assert receive((mild,), GOOD).ber == pytest.approx(good.ber, rel=0.05)  # negligible for DR4


@pytest.mark.parametrize(
    "wrong",
    [
        {"thermal_noise_w": -1e-6},
        {"thermal_noise_w": math.inf},
        {"responsivity_a_per_w": 0.0},
        {"bandwidth_hz": -1.0},
        {"error_propagation": 1.0},
        {"equaliser_taps": 0},
        {"symbol_rates_bd": ()},
    ],
)
def test_impossible_receivers_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|has one tap|locks to"):
        ReceiverParameters(**wrong)  # type: ignore[arg-type]


# -- whatever the numbers ------------------------------------------------------------------------------

_PARAMETERS = st.builds(
    ReceiverParameters,
    thermal_noise_w=st.floats(1e-6, 30e-6),
    responsivity_a_per_w=st.sampled_from([0.5, 0.8, math.inf]),
    bandwidth_hz=st.sampled_from([18e9, 26.5625e9, 40e9, math.inf]),
    equaliser_taps=st.sampled_from([1, 5, 11]),
    implementation_noise=st.floats(0.0, 0.04),
    jitter_ui_rms=st.floats(0.0, 0.02),
)
_MODULATIONS = st.builds(
    Modulation,
    st.floats(3.0, 12.0).map(even_levels),
    bandwidth_hz=st.sampled_from([15e9, 25e9, 34e9, math.inf]),
    rin_db_hz=st.sampled_from([-math.inf, -150.0, -138.0]),
)
_ECHOES = st.lists(st.builds(Echo, st.floats(0.0, 0.05), st.just(200.0), st.floats(0.0, 6.3)), max_size=2)


@settings(max_examples=60, deadline=None)
@given(_PARAMETERS, _MODULATIONS, _ECHOES.map(tuple), st.floats(-15.0, 6.0), st.floats(0.0, 6.0))
def test_more_light_is_never_worse(
    parameters: ReceiverParameters,
    modulation: Modulation,
    echoes: tuple[Echo, ...],
    oma_dbm: float,
    more_db: float,
) -> None:
    less, more = (
        receive((_beam(level_dbm, modulation, echoes=echoes),), parameters)
        for level_dbm in (oma_dbm, oma_dbm + more_db)
    )
    assert 0.0 <= less.ber <= 0.375
    # Where interference closes the eye, noise may help a symbol across: nobody listens to that.
    assert more.ber <= less.ber * 1.0001 or not (less.locked or more.locked)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(1e-6, 30e-6),
    st.sampled_from([5, 11]),
    st.lists(st.sampled_from([14e9, 18e9, 22e9, 26.5625e9, 34e9, 50e9, math.inf]), min_size=2, max_size=2),
    st.sampled_from([20e9, 32e9, math.inf]),
    st.floats(-9.0, 3.0),
)
def test_more_bandwidth_is_never_worse(
    thermal_w: float, taps: int, bandwidths: list[float], receiver_hz: float, oma_dbm: float
) -> None:
    receiver = ReceiverParameters(
        thermal_noise_w=thermal_w, equaliser_taps=taps, bandwidth_hz=receiver_hz, implementation_noise=0.02
    )
    slow, fast = (
        receive((_beam(oma_dbm, Modulation(LEVELS, bandwidth_hz=bandwidth_hz)),), receiver).q
        for bandwidth_hz in sorted(bandwidths)
    )
    # A 4th-order Bessel low pass overshoots by 0.8 %, by which a slower edge can stand higher when sampled.
    assert fast >= slow * 0.991


@settings(max_examples=40, deadline=None)
@given(_PARAMETERS, _MODULATIONS, st.floats(-10.0, 3.0), st.floats(0.0, 1e-4))
def test_what_disturbs_never_helps(
    parameters: ReceiverParameters, modulation: Modulation, oma_dbm: float, aggressor_oma_w: float
) -> None:
    beam = _beam(oma_dbm, modulation)
    quiet = receive((beam,), parameters)
    other = Beam("other", aggressor_oma_w, 1291.0, None, modulation)
    assert receive((beam,), parameters, aggressor_oma_w=aggressor_oma_w).ber >= quiet.ber * 0.9999
    if 0.0 < other.power_w < beam.power_w:
        assert receive((beam, other), parameters).ber >= quiet.ber * 0.9999
        assert receive((other, beam), parameters).oma_w == beam.oma_w


def test_noise_does_not_help_where_the_eye_is_closed() -> None:
    """Residual interference of one tap behind 15 GHz: atoms on the wrong side of a threshold that is not the
    best would gain from noise."""
    receiver = ReceiverParameters(
        thermal_noise_w=1.195e-5, responsivity_a_per_w=0.5, bandwidth_hz=26.5625e9, equaliser_taps=1
    )
    beam = Beam("tx", 1.505e-3, 1311.0, None, Modulation(even_levels(3.0), bandwidth_hz=15e9))
    bers = [receive((beam,), receiver, aggressor_oma_w=oma_w).ber for oma_w in (0.0, 1e-6, 1.195e-5, 1e-4)]
    assert bers == sorted(bers)
    assert 0.1 < bers[0] < 0.13


def test_the_ber_of_2_4e_minus_4_is_a_q_of_3_414() -> None:
    assert q_of_ber(SENSITIVITY_BER) == pytest.approx(3.414, abs=0.001)
