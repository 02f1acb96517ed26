"""A source that controls the air: its set point is trimmed until the case is where it is wanted."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drivers.clock import StopFlag
from drivers.errors import NotSettledError, OutOfRangeError
from drivers.interfaces import SafetyStep
from harness.bench import Bench
from harness.bench_file.reading import find_bench_file, load_bench
from harness.conditions.case_in_air import AirTrim, final_c
from harness.conditions.conditioner import Conditioner

SPEC = load_bench(find_bench_file("sim-dr4"))


class FakeChamber:
    """Air that moves at a rate, a case that follows it with a lag, a sensor on the case. The case ends up
    ``rise_c`` above the air."""

    name = "thermal"
    controls = "air"
    temperature_range_c = (-20.0, 80.0)
    rate_c_per_s = math.inf
    lag_s = 1e-3
    heating_c_per_s = 0.0
    noise_c = 0.0

    def __init__(self, clock, rise_c: float) -> None:
        self.clock = clock
        self.rise_c = rise_c
        self.told: list[float] = []
        self.soaks: list[float] = []
        self.air_c = 23.0
        self.case_c = 23.0 + rise_c
        self.hottest_c = self.case_c
        self._set_c = 23.0
        self._at_s = clock.now_s()
        self._inside_since_s: float | None = None
        self._window_c = self._soak_s = 0.0

    def _follow(self) -> None:
        while self._at_s < self.clock.now_s() - 1e-9:
            step_s = min(1.0, self.clock.now_s() - self._at_s)
            self.rise_c += self.heating_c_per_s * step_s
            most_c = self.rate_c_per_s * step_s
            self.air_c += max(-most_c, min(most_c, self._set_c - self.air_c))
            way_c = self.air_c + self.rise_c - self.case_c
            self.case_c += way_c * -math.expm1(-step_s / self.lag_s)
            self.hottest_c = max(self.hottest_c, self.case_c)
            self._at_s += step_s
            inside = abs(self.air_c - self._set_c) <= self._window_c
            if not inside:
                self._inside_since_s = None
            elif self._inside_since_s is None:
                self._inside_since_s = self._at_s

    def start_setpoint_c(self, temperature_c, *, window_c, soak_s):
        self._follow()
        low_c, high_c = self.temperature_range_c
        assert low_c <= temperature_c <= high_c
        self.told.append(temperature_c)
        self._set_c, self._window_c, self._soak_s = temperature_c, window_c, soak_s
        self._inside_since_s = None

    def at_temperature(self):
        self._follow()
        since_s = self._inside_since_s
        return since_s is not None and self.clock.now_s() - since_s >= self._soak_s

    def make_safe(self):
        self.start_setpoint_c(25.0, window_c=1.0, soak_s=0.0)
        return (SafetyStep("air to ambient", "set point 25.0 C", safe=True),)

    def read_air_c(self):
        self._follow()
        return self.air_c

    def read_case_c(self):
        self._follow()
        return self.case_c


class FakeSupply:
    name = "power_supply"
    current_a = 2.0

    def measure_voltage_v(self, _channel):
        return 3.3

    def measure_current_a(self, _channel):
        return self.current_a


class FakeIo:
    def __init__(self, clock) -> None:
        self.clock = clock


class InAir:
    def __init__(self, clock, rise_c: float = 10.0, **thermal: float) -> None:
        self.clock = clock
        self.chamber = FakeChamber(clock, rise_c)
        spec = replace(SPEC, thermal=replace(SPEC.thermal, **{"time_limit_s": 7200.0, **thermal}))
        self.supply = FakeSupply()
        instruments = {"thermal": self.chamber, "case_sensor": self.chamber, "power_supply": self.supply}
        self.conditioner = Conditioner(Bench(spec, FakeIo(clock), StopFlag(), instruments))
        self.trims: list[AirTrim] = []

    def reach(self, case_temp_c: float) -> float:
        return self.conditioner.reach_temperature(case_temp_c, self.trims.append)


@pytest.fixture
def make_in_air(counting_clock):
    return lambda *args, **kwargs: InAir(counting_clock, *args, **kwargs)


def test_a_case_10_k_above_its_air_takes_air_10_k_below(make_in_air):
    bench = make_in_air(10.0)
    waited_s = bench.reach(70.0)
    # Not by air of 70 C, which would bring it to 80 C: by the largest trim's 25 K below, and then by what it
    # was seen to be above that.
    assert bench.chamber.told == [45.0, pytest.approx(60.0)]
    assert bench.trims == [AirTrim(70.0, pytest.approx(55.0), pytest.approx(45.0), pytest.approx(60.0))]
    assert bench.chamber.case_c == pytest.approx(70.0)
    assert waited_s == bench.clock.now_s() >= 2 * 30.0
    assert bench.conditioner.chamber_moves == 1


def test_cold_is_trimmed_too_once_it_has_soaked(make_in_air):
    bench = make_in_air(10.0)
    bench.reach(0.0)
    assert bench.chamber.told == [0.0, pytest.approx(-10.0)]
    assert bench.clock.now_s() >= 60.0


def test_the_next_visit_begins_with_the_last_trim(make_in_air):
    bench = make_in_air(10.0)
    bench.reach(25.0)
    bench.reach(70.0)
    bench.chamber.rise_c = 12.0
    bench.reach(0.0)
    assert bench.chamber.told == pytest.approx([23.0, 15.0, 60.0, -10.0, -12.0])
    assert bench.conditioner.chamber_moves == 3


def test_a_case_within_the_window_is_not_trimmed(make_in_air):
    bench = make_in_air(0.9)
    bench.reach(23.5)
    assert bench.chamber.told == [23.0]
    assert bench.trims == []


@pytest.mark.parametrize("rate_c_per_s", [0.03, 0.05, 1.0])
@pytest.mark.parametrize("lag_s", [5.0, 40.0, 140.0])
@pytest.mark.parametrize("case_temp_c", [0.0, 70.0])
def test_slow_air_and_slow_cases_get_there_and_none_is_cooked(make_in_air, case_temp_c, lag_s, rate_c_per_s):
    bench = make_in_air(10.0)
    bench.chamber.rate_c_per_s, bench.chamber.lag_s = rate_c_per_s, lag_s
    bench.reach(case_temp_c)
    assert bench.chamber.case_c == pytest.approx(case_temp_c, abs=1.0)
    assert len(bench.trims) <= 4
    assert bench.chamber.hottest_c < max(case_temp_c, 33.0) + 1.5
    settled_c = bench.chamber.case_c
    bench.clock.sleep(600.0)
    assert bench.chamber.read_case_c() == pytest.approx(settled_c, abs=1.0)


def test_the_largest_trim_is_kept_to_and_told(make_in_air):
    bench = make_in_air(30.0, largest_trim_c=25.0)
    with pytest.raises(NotSettledError) as raised:
        bench.reach(60.0)
    assert bench.chamber.told == [35.0, 25.0]  # the last: to ambient
    assert "stays at 65.0 C in air of 35.0 C; for 60 C the air would have to be at 30.0 C" in str(
        raised.value
    )
    assert "25 K away" in str(raised.value)
    assert bench.clock.now_s() < 200.0  # not the whole time limit


def test_the_sources_range_is_kept_to(make_in_air):
    bench = make_in_air(10.0)
    with pytest.raises(NotSettledError, match="outside -20 to 80 C"):
        bench.reach(-15.0)
    assert bench.chamber.told == [-15.0, -20.0, 25.0]
    assert bench.trims[0].set_point_c == -20.0


def test_a_case_beyond_the_range_that_a_trim_brings_into_it(make_in_air):
    bench = make_in_air(10.0)
    bench.reach(85.0)
    assert bench.chamber.told == [60.0, pytest.approx(75.0)]


@pytest.mark.parametrize("case_temp_c", [-46.0, 106.0])
def test_what_no_trim_can_reach_is_refused_unset(make_in_air, case_temp_c):
    bench = make_in_air(10.0)
    with pytest.raises(OutOfRangeError, match="nothing was set"):
        bench.reach(case_temp_c)
    assert bench.chamber.told == []


def test_all_of_it_stays_within_the_time_limit(make_in_air):
    bench = make_in_air(10.0, time_limit_s=300.0)
    bench.chamber.rate_c_per_s = 0.05
    with pytest.raises(NotSettledError, match="after 300 s"):
        bench.reach(70.0)
    assert bench.clock.now_s() == pytest.approx(300.0)


def test_a_case_that_never_stands_still_is_not_reached(make_in_air, monkeypatch):
    bench = make_in_air(10.0, time_limit_s=600.0)
    monkeypatch.setattr(
        FakeChamber, "read_case_c", lambda chamber: 69.2 + chamber.clock.now_s() * 0.8 / 30.0 % 1.6
    )
    with pytest.raises(NotSettledError, match="after 600 s"):
        bench.reach(70.0)


# -- too hot, sensors that do not follow, slow cases --------------------------------------------------


def test_a_module_that_gets_hotter_and_hotter_is_cooled_and_then_given_up(make_in_air):
    bench = make_in_air(10.0)
    bench.chamber.heating_c_per_s, bench.chamber.lag_s = 0.05, 20.0
    with pytest.raises(
        NotSettledError, match=r"to 70 C and gets hotter, though the air was set down"
    ) as told:
        bench.reach(70.0)
    assert bench.chamber.hottest_c < 70.0 + 6.0 + 0.5
    assert bench.chamber.told[-1] == 25.0
    assert told.value.__notes__ == ["thermal: air to ambient: set point 25.0 C"]


@pytest.mark.parametrize("case_temp_c", [30.0, 70.0])
def test_a_sensor_off_the_case_is_found_before_the_case_is_heated_past_its_temperature(
    make_in_air, monkeypatch, case_temp_c
):
    monkeypatch.setattr(FakeChamber, "read_case_c", lambda chamber: (chamber._follow(), 25.0)[1])
    bench = make_in_air(8.0)
    with pytest.raises(NotSettledError, match=r"case_sensor: it went from 25\.0 C to 25\.0 C while the air"):
        bench.reach(case_temp_c)
    assert bench.chamber.hottest_c < case_temp_c + 10.0
    assert max(bench.chamber.told) <= max(case_temp_c - 25.0 + 5.0, 28.0)
    assert bench.chamber.told[-1] == 25.0


@pytest.mark.parametrize("case_temp_c", [0.0, 25.0])
def test_a_module_that_was_just_powered_is_not_taken_for_one_that_gets_too_hot(make_in_air, case_temp_c):
    bench = make_in_air(12.0)
    bench.chamber.case_c, bench.chamber.lag_s, bench.chamber.rate_c_per_s = 23.0, 60.0, 0.03
    bench.reach(case_temp_c)
    assert bench.chamber.case_c == pytest.approx(case_temp_c, abs=1.0)
    assert len(bench.trims) <= 2


def test_a_case_that_was_still_cooling_down_is_not_taken_for_a_sensor_that_does_not_follow(make_in_air):
    bench = make_in_air(2.0)
    bench.chamber.case_c, bench.chamber.lag_s = 47.0, 60.0
    bench.reach(70.0)
    assert bench.chamber.case_c == pytest.approx(70.0, abs=1.0)


@pytest.mark.parametrize("current_a", [2.0, 6.0])
@pytest.mark.parametrize(("learnt_rise_c", "rise_c"), [(-1.5, 15.0), (4.0, 12.0)])
def test_a_trim_learnt_of_an_idle_module_does_not_cook_a_busy_one(
    make_in_air, learnt_rise_c, rise_c, current_a
):
    bench = make_in_air(learnt_rise_c)
    bench.chamber.rate_c_per_s, bench.chamber.lag_s = 1.0, 40.0
    bench.reach(25.0)
    bench.chamber.rise_c, bench.supply.current_a = rise_c, current_a
    bench.reach(70.0)
    assert bench.chamber.case_c == pytest.approx(70.0, abs=1.0)
    assert bench.chamber.hottest_c < 70.0 + 6.0


def test_a_trim_is_dropped_when_the_module_draws_another_power(make_in_air):
    bench = make_in_air(4.0)
    bench.reach(25.0)
    bench.chamber.rise_c, bench.supply.current_a = 12.0, 3.5
    bench.reach(70.0)
    assert bench.chamber.told == pytest.approx([23.0, 21.0, 45.0, 58.0])


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), RuntimeError("x"), NotSettledError("thermal", "x")])
def test_whatever_ends_it_the_air_goes_to_ambient(make_in_air, monkeypatch, fault):
    bench = make_in_air(10.0)

    def looked(_chamber):
        raise fault

    monkeypatch.setattr(FakeChamber, "at_temperature", looked)
    with pytest.raises(type(fault)):
        bench.reach(70.0)
    assert bench.chamber.told == [45.0, 25.0]


@pytest.mark.parametrize(
    ("case_temp_c", "lag_s", "noise_c"),
    [(70.0, 300.0, 0.02), (70.0, 600.0, 0.0), (70.0, 1200.0, 0.0), (70.0, 1200.0, 0.02), (0.0, 600.0, 0.02)],
)
def test_a_slow_case_is_reached_where_it_ends(make_in_air, monkeypatch, case_temp_c, lag_s, noise_c):
    bench = make_in_air(10.0, time_limit_s=20_000.0)
    bench.chamber.rate_c_per_s, bench.chamber.lag_s = 0.05, lag_s
    noise, exact = random.Random(7), FakeChamber.read_case_c
    monkeypatch.setattr(
        FakeChamber, "read_case_c", lambda chamber: exact(chamber) + noise_c * noise.gauss(0.0, 1.0)
    )
    bench.reach(case_temp_c)
    bench.clock.sleep(6.0 * lag_s)
    assert exact(bench.chamber) == pytest.approx(case_temp_c, abs=1.5)
    assert bench.chamber.hottest_c < max(case_temp_c, 33.0) + 3.5


@settings(max_examples=40)
@given(
    final=st.floats(-40.0, 85.0),
    way=st.floats(-50.0, 50.0),
    lag=st.floats(3.0, 300.0),
    count=st.integers(6, 60),
)
def test_where_a_first_order_lag_ends_is_told_from_any_part_of_it(final, way, lag, count):
    readings = [final + way * math.exp(-place / lag) for place in range(count)]
    assume(abs(way) > 0.1)
    assert final_c(readings) == pytest.approx(final, abs=0.05)


def test_readings_that_do_not_slow_down_end_nowhere():
    assert final_c([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) is None
    assert final_c([1.0, 2.0]) is None
    assert final_c([5.0, 5.0, 5.1, 5.0, 5.0, 5.1]) == pytest.approx(5.05)
