"""Every driver of the catalogue: loads, serves its roles, does no I/O when made, documents all it offers."""

from __future__ import annotations

import inspect

import pytest

from drivers import interfaces
from drivers.catalogue import DRIVERS, check_options, info, load, names
from drivers.errors import BenchError, InstrumentError
from drivers.scpi_property import BoundReading, Reading

VISA_DRIVERS = [name for name in names() if info(name).transport == "visa"]
SERIAL_DRIVERS = [name for name in names() if info(name).transport == "serial"]
PROTOCOLS = {
    "power_meter": interfaces.PowerMeter,
    "optical_switch": interfaces.OpticalSwitch,
    "attenuator": interfaces.Attenuator,
    "spectrum_analyser": interfaces.SpectrumAnalyser,
    "oscilloscope": interfaces.Oscilloscope,
    "bert": interfaces.Bert,
    "power_supply": interfaces.PowerSupply,
    "thermal": interfaces.Thermal,
    "case_sensor": interfaces.CaseSensor,
    "host_board": interfaces.HostBoard,
    "reference_tx": interfaces.ReferenceTransmitter,
    "operator": interfaces.Operator,
}


def public_members(driver: type) -> dict[str, object]:
    return {name: member for name, member in inspect.getmembers(driver) if not name.startswith("_")}


@pytest.mark.parametrize("name", names())
def test_class_serves_its_roles_and_is_documented(name):
    driver = load(name)
    assert inspect.getdoc(driver)
    assert "ever run on hardware" in (inspect.getdoc(inspect.getmodule(driver)) or "") + driver.__doc__
    for member_name, member in public_members(driver).items():
        if inspect.isfunction(member) or isinstance(member, property | Reading):
            assert inspect.getdoc(member), f"{name}.{member_name} has no docstring"
    for role in info(name).roles:
        wanted = [
            member for member in dir(PROTOCOLS[role]) if not member.startswith("_") and member != "name"
        ]
        missing = [member for member in wanted if not hasattr(driver, member)]
        assert missing == []


@pytest.mark.parametrize("name", VISA_DRIVERS + SERIAL_DRIVERS)
def test_signatures_take_what_the_role_asks(name):
    driver = load(name)
    for role in info(name).roles:
        for member_name, member in inspect.getmembers(PROTOCOLS[role], inspect.isfunction):
            if member_name.startswith("_"):
                continue
            asked = inspect.signature(member).parameters
            found = getattr(driver, member_name)
            called = BoundReading.__call__ if isinstance(found, Reading) else found
            offered = inspect.signature(called).parameters
            assert list(asked) == list(offered)[: len(asked)], f"{name}.{member_name}"


@pytest.mark.parametrize("name", VISA_DRIVERS)
def test_making_a_driver_sends_nothing(name, wire, scripted_session, counting_clock):
    driver = load(name)(scripted_session, counting_clock, name="role", options={})
    assert driver.name == "role"
    assert wire.sent == []


@pytest.mark.parametrize("name", SERIAL_DRIVERS)
def test_making_a_serial_driver_sends_nothing(name, scripted_port, line_session, counting_clock):
    driver = load(name)(line_session, counting_clock, name="role", options={})
    assert driver.name == "role"
    assert scripted_port.sent == []


EMITS_NOTHING = {"power_meter", "spectrum_analyser", "oscilloscope"}
"""Roles with nothing to make safe."""
WITHOUT_ERROR_QUEUE = {"xena-xoa"}
ARGUMENTS = {
    "configure": {
        "wavelength_nm": 1310.0,
        "averaging_s": 0.1,
        "channels": [1],
        "centre_nm": 1310.0,
        "span_nm": 10.0,
        "resolution_nm": 0.05,
        "channel": 1,
        "symbol_rate_bd": 53.125e9,
        "pattern_symbols": 8191,
    },
    "measure": {"channel": 1, "quantities": ["tdecq_db"]},
    "start_pattern": {"pattern": "PRBS31Q"},
    "measure_errors": {"lanes": [1], "gate_s": 1.0},
    "set_amplitude_v": {"lane": 1, "amplitude_v": 0.4},
    "amplitude_v": {"lane": 1},
    "set_error_insertion": {"lane": 1, "ratio": 1e-6},
    "set_alignment_threshold": {"ratio": 1e-3},
    "read_fec_histogram": {"gate_s": 1.0},
    "set_attenuation_db": {"channel": 1, "attenuation_db": 1.0},
    "set_shutter": {"channel": 1, "open_": True},
    "read_powers_w": {"channels": [1]},
    "zero": {"channels": [1]},
    "route": {"routes": {1: 17}},
    "output_of": {"source": 1},
    "configure_output": {"channel": 1, "current_limit_a": 1.0, "overvoltage_v": 4.0, "remote_sense": True},
    "tell": {"command": "*CLS"},
    "set_voltage_v": {"channel": 1, "voltage_v": 3.3},
    "set_output": {"channel": 1, "on": True},
    "start_setpoint_c": {"temperature_c": 25.0, "window_c": 1.0, "soak_s": 1.0},
}


@pytest.mark.parametrize("name", VISA_DRIVERS)
def test_on_a_dead_line_every_method_raises_our_error_or_needs_no_line(name, counting_clock):
    class DeadResource:
        resource_name = "TCPIP0::dead::5025::SOCKET"
        session = 1
        timeout = 0
        read_termination = write_termination = None

        def write(self, *_args, **_kwargs):
            raise BrokenPipeError(32, "Broken pipe")

        read_bytes = write

    from drivers.scpi import ScpiSession

    driver = load(name)(ScpiSession(DeadResource(), counting_clock, name="role"), counting_clock, name="role")
    check_every_method(driver, name)


@pytest.mark.parametrize("name", SERIAL_DRIVERS)
def test_on_a_dead_port_every_method_raises_our_error_or_needs_no_line(name, counting_clock):
    class DeadPort:
        timeout = None
        in_waiting = 0

        def write(self, _data):
            raise OSError(5, "Input/output error")

        read = write

    from drivers.line_session import LineSession

    driver = load(name)(LineSession(DeadPort(), counting_clock, name="role"), counting_clock, name="role")
    check_every_method(driver, name)


def check_every_method(driver, name):
    safe_without_a_line = {
        "name",
        "session",
        "channels",
        "range_dbm",
        "attenuation_range_db",
        "quantities",
        "temperature_range_c",
        "controls",
        "errors_at_connect",
        "plane",
        "generator_plane",
        "detector",
        "self_measured",
        "lanes",
        "generator_lanes",
        "patterns",
        "generator_patterns",
        "checker_patterns",
    }
    for member_name, member in public_members(type(driver)).items():
        if isinstance(member, property):
            if member_name not in safe_without_a_line:
                with pytest.raises(InstrumentError):
                    getattr(driver, member_name)
        elif member_name == "make_safe":
            steps = driver.make_safe()
            assert not any(step.safe for step in steps)
            assert bool(steps) is EMITS_NOTHING.isdisjoint(info(name).roles)
        elif member_name == "drain_errors" and name in WITHOUT_ERROR_QUEUE:
            assert driver.drain_errors() == ()
        elif isinstance(member, Reading):
            asked = getattr(driver, member_name)
            arguments = (1,) if "{at}" in member.query else ()
            with pytest.raises(InstrumentError):
                asked(*arguments)
        elif member_name == "place_of":
            with pytest.raises(InstrumentError):
                driver.place_of(99)
        elif inspect.isfunction(member):
            taken = inspect.signature(member).parameters
            known = ARGUMENTS.get(member_name, {"channel": 1})
            arguments = {key: value for key, value in known.items() if key in taken}
            with pytest.raises(InstrumentError):
                getattr(driver, member_name)(**arguments)


def test_unknown_names_and_options():
    with pytest.raises(BenchError, match="Did you mean 'polatis'"):
        info("polattis")
    with pytest.raises(BenchError, match="no option 'speed'"):
        check_options("polatis", {"speed": 1})
    with pytest.raises(BenchError, match="must be a float"):
        check_options("polatis", {"settling_s": "slow"})
    with pytest.raises(BenchError, match="must be a bool"):
        check_options("keysight-n7745c", {"block_reading": 1})
    check_options("polatis", {"settling_s": 1})
    check_options("i2c-host-board", {"anything": object()})


def test_nothing_claims_to_be_proven_on_hardware():
    assert [name for name, entry in DRIVERS.items() if entry.proven_on_hardware] == []
