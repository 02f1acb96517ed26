"""When a module that is being measured is taken to run away."""

from __future__ import annotations

import pytest

from harness.conditions.conditioner import ConnectorReading
from harness.conditions.heat_guard import HeatGuard


class Bench:
    """Case and consumption as a test says."""

    def __init__(self, clock):
        self.case_c, self.power_w = 25.0, 8.0
        self.guard = HeatGuard(clock, self, self, window_c=1.0)
        self.clock = clock

    def read_case_c(self):
        return self.case_c

    def read_connector(self):
        return ConnectorReading(3.3, 0.004, self.power_w / 3.3, 0.012)

    def look(self, case_c, power_w, *, wanted_c=70.0, advertised_w=10.0):
        self.case_c, self.power_w = case_c, power_w
        self.clock.sleep(1.0)
        return self.guard.look(wanted_c, advertised_w)


@pytest.fixture
def bench(counting_clock):
    return Bench(counting_clock)


def test_a_good_module_that_draws_more_when_hot_does_not_run_away(bench):
    assert bench.look(0.0, 8.0, wanted_c=0.0) is None
    assert bench.look(70.4, 9.6) is None
    assert bench.look(75.9, 9.9) is None


def test_consumption_that_has_grown_beyond_what_is_advertised_is_the_modules_doing(bench):
    assert bench.look(25.0, 8.5, wanted_c=25.0) is None
    found = bench.look(60.0, 11.6)
    assert found is not None
    assert found.by_module
    assert "11.60 W of 10 W advertised at 60.0 C, 3.10 W more" in found.text
    assert [look.case_c for look in found.timeline] == [25.0, 60.0]
    assert [look.bench_time_s for look in found.timeline] == [1.0, 2.0]


def test_a_module_that_draws_too_much_at_each_temperature_is_no_runaway(bench):
    # 35 % of the advertised maximum on top of a good one's; its consumption fails, and the rest is measured.
    assert bench.look(25.0, 12.0, wanted_c=25.0) is None
    assert bench.look(70.0, 13.1) is None


@pytest.mark.parametrize(("power_w", "by_module"), [(10.5, True), (9.5, False), (10.03, False)])
def test_a_case_that_leaves_its_temperature_upwards_is_given_up(bench, power_w, by_module):
    # 10.03 W is above 10 W by less than its uncertainty: nothing says that the heat is the module's own.
    assert bench.look(76.0, power_w) is None
    found = bench.look(76.1, power_w)
    assert found is not None
    assert found.by_module is by_module


def test_below_45_c_nothing_is_to_be_feared(bench):
    assert bench.look(25.0, 8.0, wanted_c=0.0) is None
    assert bench.look(44.0, 13.0, wanted_c=0.0) is None
    assert bench.look(50.0, 9.0, wanted_c=25.0) is None
    assert bench.look(51.5, 9.0, wanted_c=25.0) is not None


def test_a_module_that_does_not_say_what_it_draws_is_watched_by_its_case(bench):
    assert bench.look(25.0, 8.0, advertised_w=None) is None
    assert bench.look(70.0, 14.0, advertised_w=None) is None
    found = bench.look(77.0, 14.0, advertised_w=None)
    assert found is not None
    assert not found.by_module
