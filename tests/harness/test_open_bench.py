"""An open bench: roles, set-ups that are not repeated, and the order in which it is made safe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.clock import StopFlag, StopRequested
from drivers.errors import BenchError, NoReplyError
from drivers.interfaces import Identity, SafetyStep
from harness.bench import _SAFE_ORDER, Bench
from harness.bench_file.reading import ROLES as ROLE_NAMES
from harness.bench_file.reading import find_bench_file, load_bench

SPEC = load_bench(find_bench_file("sim-dr4"))
ROLES = tuple(SPEC.instruments)
OWN_ROLES = tuple(role for role in ROLES if role != "case_sensor")


class FakeInstrument:
    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log
        self.fault: BenchError | None = None

    def connect(self) -> Identity:
        self.log.append(f"connect {self.name}")
        if self.fault:
            raise self.fault
        return Identity("V", "M", self.name, "1")

    def make_safe(self) -> tuple[SafetyStep, ...]:
        self.log.append(f"safe {self.name}")
        return (SafetyStep("off", "off", safe=True),)

    def configure(self, **settings: object) -> None:
        self.log.append(f"configure {settings}")
        if self.fault:
            raise self.fault


class FakeIo:
    def __init__(self, clock) -> None:
        self.clock = clock
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def bus_transactions(self) -> int:
        return 7

    def round_trips(self) -> int:
        return 9


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def bench(log, counting_clock) -> Bench:
    instruments = {role: FakeInstrument(role, log) for role in OWN_ROLES}
    instruments["case_sensor"] = instruments["thermal"]
    ordered = {role: instruments[role] for role in ROLES}
    return Bench(SPEC, FakeIo(counting_clock), StopFlag(), ordered)


def test_each_role_gives_its_instrument(bench):
    for role in ("power_meter", "optical_switch", "power_supply", "thermal", "host_board"):
        assert getattr(bench, role).name == role
        assert bench.has(role)
    assert bench.case_sensor is bench.thermal
    assert not bench.has("attenuator")


def test_a_role_that_lacks_says_what_to_do(counting_clock):
    bench = Bench(SPEC, FakeIo(counting_clock), StopFlag(), {})
    with pytest.raises(BenchError, match=r"^the bench sim-dr4 has no power_meter; add one to sim-dr4\.toml$"):
        _ = bench.power_meter


def test_connecting_asks_each_instrument_once_in_the_files_order(bench, log):
    bench.connect()
    assert log == [f"connect {role}" for role in OWN_ROLES]
    assert bench.identities["thermal"].serial == "thermal"
    assert "case_sensor" not in bench.identities


def test_connecting_stops_at_the_first_that_cannot_be(bench, log):
    bench.optical_switch.fault = NoReplyError("optical_switch", "nothing came back")
    with pytest.raises(NoReplyError, match="optical_switch: nothing came back"):
        bench.connect()
    assert log == ["connect power_meter", "connect optical_switch"]


def test_what_is_counted_and_closed_is_the_ios(bench):
    assert (bench.bus_transactions(), bench.round_trips()) == (7, 9)
    bench.close()
    assert bench._io.closed


# -- the power meter's set-up -------------------------------------------------------------------------


def test_a_set_up_that_stands_is_not_repeated(bench, log):
    for _ in range(3):
        bench.set_up_power_meter(1311.0, 0.1, [1, 2])
    assert log == ["configure {'wavelength_nm': 1311.0, 'averaging_s': 0.1, 'channels': (1, 2)}"]


@pytest.mark.parametrize("other", [(1310.0, 0.1, (1, 2)), (1311.0, 0.2, (1, 2)), (1311.0, 0.1, (1, 2, 3))])
def test_another_set_up_is_sent_and_the_first_then_too(bench, log, other):
    bench.set_up_power_meter(1311.0, 0.1, (1, 2))
    bench.set_up_power_meter(*other)
    bench.set_up_power_meter(1311.0, 0.1, (1, 2))
    assert len(log) == 3


def test_a_set_up_that_failed_does_not_stand(bench, log):
    bench.power_meter.fault = NoReplyError("power_meter", "silent")
    for _ in range(2):
        with pytest.raises(NoReplyError):
            bench.set_up_power_meter(1311.0, 0.1, (1,))
    bench.power_meter.fault = None
    bench.set_up_power_meter(1311.0, 0.1, (1,))
    assert len(log) == 3


def test_a_set_up_is_forgotten_on_request(bench, log):
    bench.set_up_power_meter(1311.0, 0.1, (1,))
    bench.forget_set_ups()
    bench.set_up_power_meter(1311.0, 0.1, (1,))
    assert len(log) == 2


# -- safe ---------------------------------------------------------------------------------------------


def test_light_goes_off_before_the_supply_and_the_supply_before_the_heat(bench, log):
    first = [("module", lambda: log.append("safe module") or (SafetyStep("tx off", "off", safe=True),))]
    results = bench.make_safe(first)
    assert log[:3] == ["safe module", "safe host_board", "safe power_supply"]
    assert sorted(log[3:]) == ["safe optical_switch", "safe power_meter", "safe thermal"]
    assert {result.role for result in results} == {"module", *OWN_ROLES}
    assert len(results) == 1 + len(OWN_ROLES)  # the shared sensor is its instrument's business


# What a role does to the module: each is named in the order in which a bench is made safe.
EMITS = {
    "host_board": "drives the module's host side",
    "reference_tx": "sends light into the module",
    "attenuator": "shuts light off, with its shutter",
    "bert": "drives the module's host side",
    "power_supply": "feeds the module",
    "thermal": "heats the module",
}
EMITS_NOTHING = {
    "power_meter",
    "optical_switch",
    "case_sensor",
    "spectrum_analyser",
    "oscilloscope",
    "operator",
}


def test_every_role_that_emits_has_its_place_in_the_order():
    assert set(EMITS) | EMITS_NOTHING == set(ROLE_NAMES)
    places = {role: place for place, group in enumerate(_SAFE_ORDER) for role in group}
    assert set(EMITS) <= set(places)
    first = {role for role in EMITS if places[role] == 0}
    assert first == {"host_board", "reference_tx", "attenuator", "bert"}
    assert places["power_supply"] < places["thermal"]


def test_a_generator_stops_and_shutters_close_before_the_supply_goes_off(log, counting_clock):
    roles = ("thermal", "power_supply", "bert", "attenuator", "oscilloscope")
    part = SPEC.instruments["thermal"]
    spec = replace(SPEC, instruments={role: replace(part, role=role) for role in roles})
    instruments = {role: FakeInstrument(role, log) for role in roles}
    Bench(spec, FakeIo(counting_clock), StopFlag(), instruments).make_safe()
    assert sorted(log[:2]) == ["safe attenuator", "safe bert"]
    assert log[2:] == ["safe power_supply", "safe thermal", "safe oscilloscope"]


def test_a_role_without_a_place_in_the_order_is_made_safe_too(log, counting_clock):
    spec = replace(
        SPEC,
        instruments={
            **SPEC.instruments,
            "oscilloscope": replace(SPEC.instruments["thermal"], role="oscilloscope"),
        },
    )
    bench = Bench(
        spec, FakeIo(counting_clock), StopFlag(), {"oscilloscope": FakeInstrument("oscilloscope", log)}
    )
    (result,) = bench.make_safe()
    assert (result.role, log) == ("oscilloscope", ["safe oscilloscope"])


def test_a_stop_request_does_not_keep_a_bench_hot(bench, log):
    bench.stop.request("SIGTERM")

    def checked() -> tuple[SafetyStep, ...]:
        bench.stop.raise_if_requested()
        return (SafetyStep("off", "off", safe=True),)

    bench.power_supply.make_safe = checked
    assert all(result.step.safe for result in bench.make_safe())
    with pytest.raises(StopRequested):
        bench.stop.raise_if_requested()
