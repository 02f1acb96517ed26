"""Supply and temperature: reached, read, and only then called reached; else the bench says what lacks."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from drivers.clock import StopFlag
from drivers.errors import NotSettledError
from harness.bench import Bench
from harness.bench_file.reading import find_bench_file, load_bench
from harness.conditions.conditioner import Conditioner, ConnectorReading
from harness.conditions.corner import Corner, corner_grid

SPEC = load_bench(find_bench_file("sim-dr4"))
LEAD_OHM = 0.05


class FakeSupply:
    """A supply at the end of whose leads a module draws ``load_w``; what it is told, and what it reads."""

    name = "power_supply"

    def __init__(self, *, remote: bool) -> None:
        self.remote = remote
        self.load_w = 10.0
        self.error_v = 0.0
        self.dead = False
        self.log: list[tuple[object, ...]] = []
        self.set_v = 0.0
        self.on = False

    def configure_output(self, channel, **limits):
        self.log.append(("limits", channel, limits))

    def set_voltage_v(self, channel, voltage_v):
        self.log.append(("volts", channel, voltage_v))
        self.set_v = voltage_v

    def set_output(self, channel, *, on):
        self.log.append(("output", channel, on))
        self.on = on

    def _connector_v(self) -> float:
        if self.dead:
            return 0.0
        source_v = self.set_v + self.error_v
        if self.remote:
            return source_v
        return (source_v + math.sqrt(source_v**2 - 4.0 * self.load_w * LEAD_OHM)) / 2.0

    def measure_current_a(self, channel):
        return 0.0 if self.dead else self.load_w / self._connector_v()

    def measure_voltage_v(self, channel):
        drop_v = 0.0 if self.remote else self.measure_current_a(channel) * LEAD_OHM
        return self._connector_v() + drop_v

    @property
    def voltages(self) -> list[float]:
        return [entry[2] for entry in self.log if entry[0] == "volts"]


class FakeThermal:
    """Arrives so many polls after it was told."""

    name = "thermal"
    controls = "case"

    def __init__(self) -> None:
        self.polls_needed = 3
        self.told: list[tuple[float, float, float]] = []
        self.case_error_c = 0.3
        self._polls = 0

    def start_setpoint_c(self, temperature_c, *, window_c, soak_s):
        self.told.append((temperature_c, window_c, soak_s))
        self._polls = 0

    def at_temperature(self):
        self._polls += 1
        return self._polls > self.polls_needed

    def read_air_c(self):
        return 11.0

    def read_case_c(self):
        return self.told[-1][0] + self.case_error_c if self.told else 23.0


class FakeIo:
    def __init__(self, clock) -> None:
        self.clock = clock


class Parts:
    def __init__(self, clock, *, remote: bool = True) -> None:
        self.clock = clock
        self.supply = FakeSupply(remote=remote)
        self.thermal = FakeThermal()
        spec = replace(SPEC, supply=replace(SPEC.supply, remote_sense=remote, lead_resistance_ohm=LEAD_OHM))
        instruments = {
            "power_supply": self.supply,
            "thermal": self.thermal,
            "case_sensor": self.thermal,
        }
        self.bench = Bench(spec, FakeIo(clock), StopFlag(), instruments)
        self.conditioner = Conditioner(self.bench)


@pytest.fixture
def remote(counting_clock) -> Parts:
    return Parts(counting_clock)


@pytest.fixture
def local(counting_clock) -> Parts:
    return Parts(counting_clock, remote=False)


# -- supply -------------------------------------------------------------------------------------------


def test_power_of_a_reading_and_its_uncertainty():
    reading = ConnectorReading(3.3, 0.004, 3.0, 0.012)
    assert reading.power_w == pytest.approx(9.9)
    # (0.004 V * 3 A) and (0.012 A * 3.3 V) in squares
    assert reading.power_uncertainty_w == pytest.approx(math.sqrt(0.012**2 + 0.0396**2))


def test_limits_are_set_before_the_output_is_on(remote):
    reading = remote.conditioner.power_on(3.3)
    kinds = [entry[0] for entry in remote.supply.log]
    assert kinds == ["limits", "volts", "output", "volts"]
    assert remote.supply.log[0] == (
        "limits",
        1,
        {"current_limit_a": 4.5, "overvoltage_v": 3.8, "remote_sense": True},
    )
    assert remote.supply.log[1:3] == [("volts", 1, 3.3), ("output", 1, True)]
    assert reading.voltage_v == pytest.approx(3.3)
    assert remote.clock.sleeps == [pytest.approx(0.2)]  # settling, before it was read


def test_remote_sense_reads_the_connector(remote):
    remote.supply.set_v = 3.3
    reading = remote.conditioner.read_connector()
    assert reading.voltage_v == pytest.approx(3.3)
    assert reading.current_a == pytest.approx(10.0 / 3.3)
    assert reading.voltage_uncertainty_v == pytest.approx(0.004)
    assert reading.current_uncertainty_a == pytest.approx(0.012)


def test_local_sense_takes_the_leads_drop_off_and_their_uncertainty_in(local):
    local.supply.set_v = 3.3
    connector_v = local.supply._connector_v()
    current_a = 10.0 / connector_v
    reading = local.conditioner.read_connector()
    assert reading.voltage_v == pytest.approx(connector_v)
    assert connector_v < 3.3 - 0.1
    assert reading.voltage_uncertainty_v == pytest.approx(math.hypot(0.004, current_a * 0.002))


@pytest.mark.parametrize("vcc_v", [3.135, 3.3, 3.465])
def test_local_sense_raises_the_source_by_the_leads_drop(local, vcc_v):
    reading = local.conditioner.set_vcc(vcc_v)
    assert reading.voltage_v == pytest.approx(vcc_v, abs=0.010)
    assert local.supply.set_v == pytest.approx(vcc_v + 10.0 / vcc_v * LEAD_OHM, abs=0.010)


def test_local_sense_never_raises_beyond_what_the_leads_can_drop(local):
    # A rail that is pulled to zero recovers to what the supply was last told.
    local.supply.dead = True
    with pytest.raises(NotSettledError):
        local.conditioner.set_vcc(3.3)
    assert max(local.supply.voltages) <= 3.3 + 4.5 * (LEAD_OHM + 0.002) + 0.010 + 1e-9


def test_remote_sense_never_sets_anything_but_what_was_asked(remote):
    remote.supply.error_v = -0.05
    with pytest.raises(NotSettledError):
        remote.conditioner.set_vcc(3.3)
    assert set(remote.supply.voltages) == {3.3}


def test_a_voltage_that_is_not_reached_is_the_benchs_fault_with_numbers_and_advice(remote):
    remote.supply.error_v = -0.05
    with pytest.raises(NotSettledError) as raised:
        remote.conditioner.set_vcc(3.3)
    assert raised.value.instrument == "power_supply"
    assert "connector is at 3.250 V with 3.08 A, expected 3.300 V within 0.010 V" in str(raised.value)
    assert "lead" in raised.value.advice


def test_a_voltage_within_the_tolerance_is_reached(remote):
    remote.supply.error_v = 0.009
    assert remote.conditioner.set_vcc(3.3).voltage_v == pytest.approx(3.309)


@pytest.mark.parametrize(
    ("share", "failed"), [(0.049, False), (0.051, True), (-0.049, False), (-0.051, True)]
)
def test_a_supply_has_failed_when_it_is_more_than_five_percent_off(remote, share, failed):
    remote.conditioner.power_on(3.3)
    remote.supply.error_v = share * 3.3
    if not failed:
        remote.conditioner.require_supply(3.3)
        return
    with pytest.raises(NotSettledError, match=r"expected 3\.300 V within 0\.165 V \(no acknowledge\)"):
        remote.conditioner.require_supply(3.3, "no acknowledge")


@pytest.mark.parametrize(("share", "tries"), [(-0.049, 4), (-0.051, 1)])
def test_a_supply_that_collapsed_is_not_set_again(remote, share, tries):
    remote.supply.error_v = share * 3.3
    with pytest.raises(NotSettledError):
        remote.conditioner.set_vcc(3.3)
    assert len(remote.supply.voltages) == tries


def test_before_another_corner_a_collapsed_supply_is_told_and_not_set(remote):
    first, second = corner_grid([25.0], [3.135, 3.3])
    remote.conditioner.go_to(first)
    remote.supply.error_v = -0.06 * 3.135
    before = remote.supply.voltages
    with pytest.raises(NotSettledError):
        remote.conditioner.go_to(second)
    assert remote.supply.voltages == before


def test_no_voltage_is_not_less_than_none(remote):
    remote.conditioner.power_on(3.3)
    remote.supply.error_v = -3.3003
    with pytest.raises(NotSettledError, match=r"connector is at 0\.000 V"):
        remote.conditioner.require_vcc(3.3)


def test_a_drop_of_the_leads_is_no_collapse(local):
    local.conditioner.set_vcc(3.135)
    local.supply.load_w = 13.0  # another 60 mV in the leads
    local.conditioner.go_to(Corner(1, 25.0, 3.135))
    assert local.conditioner.read_connector().voltage_v == pytest.approx(3.135, abs=0.010)


# -- temperature --------------------------------------------------------------------------------------


def test_a_temperature_is_waited_for(remote):
    remote.thermal.polls_needed = 5
    waited_s = remote.conditioner.reach_temperature(70.0)
    assert remote.thermal.told == [(70.0, 1.0, 30.0)]
    assert waited_s == pytest.approx(5 * 2.0)
    assert remote.conditioner.chamber_moves == 1


def test_a_temperature_that_is_not_reached_says_where_case_and_air_stand(remote):
    remote.thermal.polls_needed = 10**9
    with pytest.raises(NotSettledError) as raised:
        remote.conditioner.reach_temperature(70.0)
    assert remote.clock.now_s() == pytest.approx(900.0)
    assert "thermal: case at 70.3 C, air at 11.0 C, expected 70 C within 1 K for 30 s, after 900 s" in str(
        raised.value
    )


# -- corners ------------------------------------------------------------------------------------------


def test_the_chamber_moves_once_for_each_visit(remote):
    for corner in corner_grid([0.0, 25.0, 0.0], [3.135, 3.3, 3.465]):
        reached = remote.conditioner.go_to(corner)
        assert reached.corner == corner
        assert reached.vcc_v == pytest.approx(corner.vcc_v)
        assert reached.case_temp_measured_c == pytest.approx(corner.case_temp_c + 0.3)
        assert reached.chamber_moved is (corner.vcc_v == 3.135)
    assert [temperature for temperature, *_ in remote.thermal.told] == [0.0, 25.0, 0.0]
    assert remote.conditioner.chamber_moves == 3


def test_a_supply_that_stands_is_read_and_not_set_again(remote):
    corner = Corner(1, 25.0, 3.3)
    remote.conditioner.go_to(corner)
    before = len(remote.supply.log)
    reached = remote.conditioner.go_to(corner)
    assert len(remote.supply.log) == before
    assert reached.vcc_v == pytest.approx(3.3)
    assert reached.settling_s == 0.0


def test_a_supply_that_does_not_stand_any_more_is_not_called_reached(remote):
    corner = Corner(1, 25.0, 3.3)
    remote.conditioner.go_to(corner)
    remote.supply.error_v = -0.5
    with pytest.raises(NotSettledError, match="power_supply"):
        remote.conditioner.go_to(corner)


def test_another_temperature_is_reached_whatever_the_visit_is_called(remote):
    remote.conditioner.go_to(Corner(1, 25.0, 3.3))
    reached = remote.conditioner.go_to(Corner(1, 70.0, 3.3))
    assert reached.chamber_moved
    assert reached.case_temp_measured_c == pytest.approx(70.3)


def test_a_sensor_that_disagrees_with_the_source_is_not_believed(remote):
    remote.thermal.case_error_c = -2.5  # the window is 1 K: more than twice that is not the case's
    with pytest.raises(NotSettledError) as raised:
        remote.conditioner.go_to(Corner(1, 70.0, 3.3))
    assert raised.value.instrument == "case_sensor"
    assert "the case is at 67.5 C; expected 70 C" in str(raised.value)


def test_after_a_corner_that_was_not_reached_everything_is_moved_anew(remote):
    first, second = corner_grid([25.0], [3.135, 3.3])
    remote.conditioner.go_to(first)
    remote.supply.error_v = 1.0
    with pytest.raises(NotSettledError):
        remote.conditioner.go_to(second)
    remote.supply.error_v = 0.0
    assert remote.conditioner.go_to(second).chamber_moved is True


def test_settling_is_the_bench_time_it_took(remote):
    reached = remote.conditioner.go_to(Corner(1, 25.0, 3.3))
    assert reached.settling_s == pytest.approx(3 * 2.0 + 0.2)
