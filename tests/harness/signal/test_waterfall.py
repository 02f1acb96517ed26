"""q, SNR and bit error ratio; the waterfall's fit and the sensitivity, on counts drawn from a known law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.signal.error_ratio import ber_of_q, q_of_ber, ser_of_q, snr_db_of_ber, snr_db_of_q
from harness.signal.waterfall import WaterfallPoint, fit_waterfall, sensitivity
from harness.signal.waveform import SignalError

SIGMA_W = 14.4e-6
"""Noise of an ideal receiver whose sensitivity is -5.3 dBm."""
THERMAL_W2 = (6 * SIGMA_W) ** 2


@pytest.mark.parametrize(
    ("ber", "q", "snr_db", "within_db"),
    [
        (2.4e-4, 3.414, 17.655, 0.001),
        (1e-6, 4.695, 20.42, 0.006),
        (1e-8, 5.562, 21.89, 0.006),
        (1e-12, 6.994, 23.89, 0.006),
    ],
)
def test_q_and_snr_of_a_bit_error_ratio(ber, q, snr_db, within_db):
    assert q_of_ber(ber) == pytest.approx(q, abs=6e-4)
    assert snr_db_of_ber(ber) == pytest.approx(snr_db, abs=within_db)
    assert snr_db_of_q(q_of_ber(ber)) == snr_db_of_ber(ber)
    assert ser_of_q(q_of_ber(ber)) == pytest.approx(2 * ber, rel=1e-9)


@given(st.floats(1e-15, 0.374))
def test_q_there_and_back(ber):
    assert ber_of_q(q_of_ber(ber)) == pytest.approx(ber, rel=1e-9)


def test_ratios_that_have_no_q():
    for wrong in (0.0, 0.4, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"0\.375"):
            q_of_ber(wrong)
    with pytest.raises(ValueError, match="below zero"):
        ber_of_q(-0.1)
    with pytest.raises(ValueError, match="above zero"):
        snr_db_of_q(0.0)


def _dbm(power_w):
    return 10 * math.log10(power_w / 1e-3)


def _q(oma_w, shot_w=0.0, floor=0.0):
    return 1.0 / math.sqrt(THERMAL_W2 / oma_w**2 + shot_w / oma_w + floor)


def _sweep(dbm, bits, rng=None, **terms):
    points = []
    for power in dbm:
        oma_w = 1e-3 * 10 ** (power / 10)
        expected = bits * ber_of_q(_q(oma_w, **terms))
        points.append(
            WaterfallPoint(oma_w, round(expected) if rng is None else int(rng.poisson(expected)), bits)
        )
    return points


def test_sensitivity_of_the_ideal_receiver():
    """-5.3 dBm at 2.4e-4, from thermal noise alone; many bits, so that counting says nothing."""
    found = sensitivity(_sweep(np.arange(-8.0, -4.0, 0.5), 10**10), 2.4e-4)
    assert _dbm(found.oma_w) == pytest.approx(_dbm(6 * SIGMA_W * 3.414), abs=1e-3)
    assert _dbm(found.oma_w) == pytest.approx(-5.3, abs=0.01)
    assert found.interval_w.low < found.oma_w < found.interval_w.high
    assert len(found.points) == 2


@pytest.mark.parametrize("step_db", [0.5, 0.1])
def test_the_sensitivitys_interval_holds_the_truth_as_often_as_it_says(step_db):
    rng, held = np.random.default_rng(41), 0
    truth_w = 6 * SIGMA_W * q_of_ber(2.4e-4)
    powers = np.arange(-7.0, -4.3, step_db)
    for _ in range(300):
        interval = sensitivity(_sweep(powers, 10**6, rng), 2.4e-4).interval_w
        held += interval.low <= truth_w <= interval.high
    # 285 of 300 expected, 3.8 standard deviations.
    assert 270 <= held <= 297


def test_a_wider_confidence_is_a_wider_interval():
    points = _sweep(np.arange(-7.0, -4.3, 0.5), 10**6)
    widths = [
        sensitivity(points, 2.4e-4, confidence=confidence).interval_w for confidence in (0.6827, 0.95, 0.9973)
    ]
    half = [0.5 * (one.high - one.low) for one in widths]
    assert half[1] / half[0] == pytest.approx(1.96, rel=0.02)
    assert half[2] / half[0] == pytest.approx(3.0, rel=0.04)


def test_points_at_one_power_are_added_up_and_order_does_not_matter():
    points = _sweep([-6.0, -5.0], 10**6)
    split = [
        WaterfallPoint(p.oma_w, part, p.bits // 2)
        for p in points
        for part in (p.errors // 2, p.errors - p.errors // 2)
    ]
    assert sensitivity(reversed(split), 2.4e-4).oma_w == pytest.approx(sensitivity(points, 2.4e-4).oma_w)


def test_overload_does_not_count():
    """The ratio is crossed again at high power: the sensitivity is the lower crossing."""
    points = _sweep(np.arange(-7.0, -4.0, 0.5), 10**7)
    overloaded = [*points, WaterfallPoint(2e-3, 10_000, 10**7), WaterfallPoint(2.5e-3, 10**6, 10**7)]
    assert sensitivity(overloaded, 2.4e-4).oma_w == sensitivity(points, 2.4e-4).oma_w


def test_a_sensitivity_that_the_points_do_not_show_is_refused():
    low, high = _sweep([-8.0, -7.5, -7.0, -6.5], 10**6), _sweep([-5.0, -4.8, -4.6], 10**7)
    with pytest.raises(SignalError, match=r"above 0\.00024: attenuate less"):
        sensitivity(low, 2.4e-4)
    with pytest.raises(SignalError, match=r"at or below 0\.00024: attenuate more"):
        sensitivity(high, 2.4e-4)
    with pytest.raises(SignalError, match="two points of 10 errors"):
        sensitivity([low[0], WaterfallPoint(1e-3, 0, 10**6)], 2.4e-4)
    falling = [WaterfallPoint(1e-4, 10, 10**6), WaterfallPoint(2e-4, 10**4, 10**6)]
    with pytest.raises(SignalError, match="does not fall with power"):
        sensitivity(falling, 2.4e-4)
    close = [WaterfallPoint(2e-4, 25, 10**5), WaterfallPoint(2.01e-4, 23, 10**5)]
    with pytest.raises(SignalError, match="do not tell"):
        sensitivity(close, 2.4e-4)
    with pytest.raises(ValueError, match="confidence"):
        sensitivity(low + high, 2.4e-4, confidence=1.0)


def test_points_that_cannot_be():
    for wrong in ((0.0, 1, 10), (1e-3, 11, 10), (1e-3, -1, 10), (1e-3, 0, 0), (math.nan, 1, 10)):
        with pytest.raises(SignalError, match=r"above zero|cannot be"):
            WaterfallPoint(*wrong)
    with pytest.raises(SignalError, match="lost lock"):
        WaterfallPoint(1e-3, 300, 1000)


def test_the_fit_finds_the_law():
    """Ample counts: all three terms, and what follows from them."""
    terms = {"shot_w": 3e-6, "floor": q_of_ber(1e-7) ** -2}
    fit = fit_waterfall(_sweep(np.arange(-8.0, 2.0, 0.5), 10**14, **terms))
    assert fit.a_w2 == pytest.approx(THERMAL_W2, rel=1e-3)
    assert fit.b_w == pytest.approx(3e-6, rel=1e-2)
    assert fit.error_floor == pytest.approx(1e-7, rel=1e-2)
    for ber in (2.4e-4, 1e-6):
        oma_w = fit.oma_w(ber)
        assert fit.bit_error_ratio(oma_w) == pytest.approx(ber, rel=1e-9)
        assert ber_of_q(_q(oma_w, **terms)) == pytest.approx(ber, rel=1e-3)
    with pytest.raises(SignalError, match="reached at no power: the floor is 1e-07"):
        fit.oma_w(5e-8)


def test_counts_scatter_about_the_fit_as_chi_squared_says():
    rng = np.random.default_rng(43)
    fits = [fit_waterfall(_sweep(np.arange(-8.0, -4.9, 0.25), 10**6, rng)) for _ in range(12)]
    freedom = sum(fit.degrees_of_freedom for fit in fits)
    assert sum(fit.chi_squared for fit in fits) == pytest.approx(freedom, abs=4 * math.sqrt(2 * freedom))
    # No floor was put in: every interval but an unlucky one reaches down to none.
    assert sum(fit.error_floor_interval.low == 0.0 for fit in fits) >= 10
    assert all(min(fit.a_w2, fit.b_w, fit.c) >= 0.0 for fit in fits)
    # Twice the scatter is another matter.
    points = _sweep(np.arange(-8.0, -4.9, 0.25), 10**6)
    bent = [
        WaterfallPoint(p.oma_w, int(p.errors * (1.3 if n % 2 else 0.7)), p.bits) for n, p in enumerate(points)
    ]
    assert fit_waterfall(bent).chi_squared > 10 * len(points)


def test_the_floors_interval_holds_the_truth():
    rng = np.random.default_rng(44)
    floor = q_of_ber(5e-6) ** -2
    held = 0
    for _ in range(12):
        fit = fit_waterfall(_sweep(np.arange(-8.0, 3.0, 1.0), 10**7, rng, floor=floor))
        assert fit.error_floor_interval.low <= fit.error_floor <= fit.error_floor_interval.high
        held += fit.error_floor_interval.low <= 5e-6 <= fit.error_floor_interval.high
    assert held >= 9


def test_points_without_errors_press_the_floor_down():
    few = _sweep(np.arange(-8.0, -6.4, 0.5), 3000)
    free = fit_waterfall(few).error_floor_interval.high
    quiet = [WaterfallPoint(1e-3 * 10 ** (dbm / 10), 0, 10**9) for dbm in (20.0, 21.0)]
    assert free > 1e-6
    # 2e9 bits without an error allow 1.92 where the likelihood has fallen as far as 95 % let it; thermal
    # noise takes some of that.
    assert 0.5 < fit_waterfall(few + quiet).error_floor_interval.high / (1.92 / 2e9) < 1.0


@pytest.mark.parametrize(
    "powers_w", [(1e-4, 1.5e-4, 2e-4), (3e-4, 3.2e-4, 3.4e-4), (3.8e-4, 3.9e-4, 3.95e-4)]
)
def test_a_flat_ratio_and_none_at_all_are_no_waterfall(powers_w):
    """Three points of the same ratio and one without errors beside them: no floor follows from those."""
    points = [WaterfallPoint(oma_w, 10**4, 10**6) for oma_w in powers_w]
    with pytest.raises(SignalError, match=r"no waterfall .* errors in 1e\+\d\d bits at .* (more|fewer) than"):
        fit_waterfall([*points, WaterfallPoint(4e-4, 0, 10**12)])


def test_the_points_that_miss_the_waterfall_are_named():
    ample = _sweep(np.arange(-8.0, -4.9, 0.25), 10**8)
    strange = WaterfallPoint(ample[5].oma_w * 1.6, ample[5].errors // 1000, 10**5)
    with pytest.raises(SignalError, match="no waterfall") as refused:
        fit_waterfall([*ample, strange])
    assert f"at {strange.oma_w:.4g} W, more than" in str(refused.value)


def test_counts_that_scatter_widen_the_floors_interval():
    """Power that wanders by 0.1 dB: seen, told by chi squared and allowed for, but not refused."""
    rng = np.random.default_rng(47)
    floor = q_of_ber(1e-5) ** -2
    powers = np.arange(-8.0, 2.0, 0.5)
    steady = _sweep(powers, 10**9, floor=floor)
    moved = _sweep(powers + 0.1 * rng.standard_normal(powers.size), 10**9, floor=floor)
    wandering = [WaterfallPoint(s.oma_w, m.errors, 10**9) for s, m in zip(steady, moved, strict=True)]
    good, poor = fit_waterfall(steady), fit_waterfall(wandering)
    widths = [math.log(fit.error_floor_interval.high / fit.error_floor_interval.low) for fit in (good, poor)]
    assert poor.chi_squared > 100 * poor.degrees_of_freedom
    assert widths[1] > 5.0 * widths[0]


def test_too_few_points_make_no_fit():
    with pytest.raises(SignalError, match="three powers of 10 errors"):
        fit_waterfall([*_sweep([-7.0, -6.0], 10**6), WaterfallPoint(1e-3, 3, 10**6)])
