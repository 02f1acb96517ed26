"""What discovery finds, what it leaves alone, and the draft it makes of it."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pyvisa
import serial
from hypothesis import given
from hypothesis import strategies as st

from drivers.catalogue import DRIVERS
from drivers.clock import StopFlag
from drivers.interfaces import Identity
from drivers.serial_address import SerialAddress
from harness.bench_file.draft import draft_bench
from harness.bench_file.reading import find_bench_file, load_bench
from harness.commands.bench import main
from harness.discovery import Found, find_i2c, find_serial, find_visa, i2c_buses, matching_drivers
from harness.opening import open_serial_line
from harness.simulation.bench import SimulatedBackend
from harness.simulation.line_peer import LinePeer
from harness.simulation.scpi_tree import ScpiPeer
from harness.simulation.serial_port import SerialLines
from harness.simulation.smbus import SimulatedI2cBus
from harness.simulation.visa import SimulatedVisaLibrary
from harness.simulation.world import VirtualClock, World
from harness.tables import TableError

METER, SWITCH, SUPPLY = "192.0.2.11", "192.0.2.12", "192.0.2.13"


@pytest.fixture
def lab() -> SimulatedBackend:
    """The shipped bench's instruments."""
    spec = load_bench(find_bench_file("sim-dr4"))
    assert spec.simulation is not None
    return SimulatedBackend(spec, spec.simulation, StopFlag())


def found_in(lab: SimulatedBackend, *hosts: str) -> dict[str, Found]:
    found = find_visa(lab._manager, hosts, reach=lambda host, port: False, clock=lab.clock)
    return {thing.address: thing for thing in found}


class TestVisa:
    def test_named_hosts_and_cables_are_asked_and_known(self, lab: SimulatedBackend) -> None:
        found = found_in(lab, METER, SWITCH, SUPPLY)
        assert {address: thing.drivers[:1] for address, thing in found.items()} == {
            "TCPIP0::192.0.2.11::inst0::INSTR": ("keysight-n7745c",),
            "TCPIP0::192.0.2.12::5025::SOCKET": ("polatis",),
            "TCPIP0::192.0.2.13::inst0::INSTR": ("keysight-e36312a",),
            "GPIB0::18::INSTR": ("temptronic-ats545",),
        }
        identity = found["TCPIP0::192.0.2.11::inst0::INSTR"].identity
        assert identity is not None
        assert (identity.model, identity.serial) == ("N7745C", "SIM0001")

    def test_what_is_in_the_network_without_being_named_is_left_alone(self, lab: SimulatedBackend) -> None:
        for peer in lab.peers.values():
            if peer.role != "thermal":  # type: ignore[attr-defined]
                peer.connect = None  # type: ignore[method-assign,assignment]
        found = found_in(lab)
        left = [thing for address, thing in found.items() if address.startswith("TCPIP")]
        assert len(left) == 3
        assert all(thing.identity is None and "give --hosts 192.0.2.1" in thing.note for thing in left)
        assert found["GPIB0::18::INSTR"].drivers

    @pytest.mark.parametrize(
        ("kind", "said"),
        [("dies", "nothing answers"), ("garbles", "four fields"), ("disconnects", "closed the connection")],
    )
    def test_what_does_not_answer_as_it_should_is_told_and_the_rest_is_found(
        self, kind: str, said: str, lab: SimulatedBackend
    ) -> None:
        lab.peers["power_supply"].fail(kind)
        found = found_in(lab, METER, SWITCH, SUPPLY)
        assert said in found["TCPIP0::192.0.2.13::inst0::INSTR"].note
        assert sum(bool(thing.drivers) for thing in found.values()) == 3

    def test_what_no_driver_knows_is_told(self, lab: SimulatedBackend) -> None:
        lab.peers["power_supply"].fail("wrong_identity")
        thing = found_in(lab, SUPPLY)["TCPIP0::192.0.2.13::inst0::INSTR"]
        assert thing.identity == Identity("Another Maker", "OTHER-1", "0", "0")
        assert (thing.drivers, thing.note) == ((), "no driver of this project knows it")


class TestHosts:
    def manager(self, *addresses: str) -> tuple[pyvisa.ResourceManager, VirtualClock]:
        world = World(1)
        library = SimulatedVisaLibrary.create(world)
        for address in addresses:
            library.attach(
                address, ScpiPeer(world, role="x", identity="Keysight Technologies,E36312A,MY1,1.0")
            )
        manager = pyvisa.ResourceManager(library)
        manager.list_resources = lambda query="": ()  # type: ignore[method-assign,assignment]
        return manager, VirtualClock(world)

    @pytest.mark.parametrize(
        ("open_ports", "address"),
        [
            ({4880, 5025}, "TCPIP0::192.0.2.50::hislip0::INSTR"),
            ({5025, 111}, "TCPIP0::192.0.2.50::5025::SOCKET"),
            ({111}, "TCPIP0::192.0.2.50::inst0::INSTR"),
        ],
    )
    def test_the_first_way_that_answers(self, open_ports: set[int], address: str) -> None:
        manager, clock = self.manager(address)
        tried: list[tuple[str, int]] = []

        def reach(host: str, port: int) -> bool:
            tried.append((host, port))
            return port in open_ports

        (thing,) = find_visa(manager, ["192.0.2.50"], reach=reach, clock=clock)
        assert (thing.address, thing.drivers) == (address, ("keysight-e36312a",))
        assert tried[0] == ("192.0.2.50", 4880)

    def test_a_host_with_nothing_is_told_with_what_was_tried(self) -> None:
        manager, clock = self.manager()
        (thing,) = find_visa(manager, ["192.0.2.50"], reach=lambda host, port: port == 5025, clock=clock)
        assert thing.drivers == ()
        assert thing.note.startswith("port 4880 is closed; port 5025: cannot be opened: ")

    @pytest.mark.parametrize("host", ["a b", "x::INSTR", "", "-a", "a;b"])
    def test_no_host(self, host: str) -> None:
        with pytest.raises(ValueError, match="is no host"):
            list(find_visa(self.manager()[0], [host]))


def test_each_driver_over_visa_knows_the_model_it_is_named_after() -> None:
    models = {
        "keysight-n7744c": Identity("Keysight Technologies", "N7744C", "1", "1"),
        "keysight-n7745c": Identity("Agilent Technologies", "N7745A", "1", "1"),
        "keysight-8163b": Identity("Agilent Technologies", "8163B", "1", "1"),
        "keysight-8164b": Identity("HEWLETT-PACKARD", "8164A", "1", "1"),
        "polatis": Identity("Huber+Suhner Polatis", "6000n-32x32", "1", "1"),
        "keysight-e36312a": Identity("Keysight Technologies", "E36312A", "1", "1"),
        "thorlabs-pm100d": Identity("Thorlabs", "PM100D", "1", "1"),
        "temptronic-ats545": Identity("inTEST Thermal", "ATS-545", "1", "1"),
        "yokogawa-aq6370d": Identity("YOKOGAWA", "AQ6370D", "1", "1"),
        "keysight-n7764a": Identity("Keysight Technologies", "N7764A", "1", "1"),
    }
    assert {name: matching_drivers(identity)[:1] for name, identity in models.items()} == {
        name: (name,) for name in models
    }
    assert all(DRIVERS[name].transport == "visa" for name in models)
    assert matching_drivers(Identity("", "", "", "")) == ()


# -- serial lines ----------------------------------------------------------------------------------


class Chamber(LinePeer):
    """As much of a chamber as connecting needs."""

    def answer(self, line: str) -> str | None:
        return {
            "TYPE?": "T,P300,100.0",
            "MODE?": "STANDBY",
            "ROM?": "P300-1",
            "ALARM?": "0",
            "MON?": "23.0,,STANDBY,0",
        }.get(line)


PORTS = [
    SimpleNamespace(device="/dev/ttyUSB1", description="USB serial", hwid="USB VID:PID=0403:6001"),
    SimpleNamespace(device="/dev/ttyS0", description="n/a", hwid="n/a"),
]


def test_serial_ports_are_listed_and_left_alone() -> None:
    def opened(device: str, baud: int) -> Any:
        raise AssertionError(f"{device} was opened")

    found = list(find_serial(PORTS, open_port=opened))
    assert [thing.address for thing in found] == ["serial:/dev/ttyS0", "serial:/dev/ttyUSB1"]
    assert all("not opened" in thing.note and not thing.drivers for thing in found)
    assert "0403:6001" in found[1].note


def test_serial_ports_are_asked_when_told_so() -> None:
    world = World(1)
    lines = SerialLines(world)
    # It hears nothing at another speed than its own.
    at_19200 = SerialAddress.parse("serial:/dev/ttyUSB1?baud=19200")
    lines.attach(at_19200, Chamber(world, role="thermal", answer_s=0.05))
    mute = SerialAddress.parse("serial:/dev/ttyS0?baud=9600")
    lines.attach(mute, LineMute(world, role="mute", answer_s=0.05))

    def opened(device: str, baud: int) -> Any:
        there = at_19200 if (device, baud) == ("/dev/ttyUSB1", 19200) else mute
        return serial.serial_for_url(lines.url(there), **there.settings)

    quiet, chamber = find_serial(PORTS, ask=True, open_port=opened, clock=VirtualClock(world))
    assert (chamber.address, chamber.drivers) == ("serial:/dev/ttyUSB1?baud=19200", ("espec-p300",))
    assert (quiet.drivers, quiet.note) == ((), "nothing known answers")


class LineMute(LinePeer):
    """Says nothing."""

    def answer(self, line: str) -> str | None:
        return None


def test_a_port_that_is_held_is_told() -> None:
    def opened(device: str, baud: int) -> Any:
        raise serial.SerialException("Device or resource busy")

    found = list(find_serial(PORTS, ask=True, open_port=opened))
    assert all("cannot be opened: Device or resource busy" in thing.note for thing in found)


# -- two-wire buses --------------------------------------------------------------------------------


class Memory:
    """Answers byte 0, and minds being asked anything else."""

    def __init__(self, identifier: int) -> None:
        self.identifier = identifier
        self.written = b""

    def acknowledges(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        assert data == b"\0"

    def read(self, length: int) -> bytes:
        assert length == 1
        return bytes([self.identifier])


def bus_with(*identifiers: int) -> SimulatedI2cBus:
    bus = SimulatedI2cBus(World(1))
    for identifier in identifiers:
        bus.attach(0x50, Memory(identifier))
    return bus


def test_buses_are_listed_and_not_touched(tmp_path: Path) -> None:
    for name in ("i2c-10", "i2c-2", "i2c-x", "ttyS0"):
        (tmp_path / name).touch()
    assert i2c_buses(tmp_path) == ("i2c:2", "i2c:10")

    def opened(address: str) -> Any:
        raise AssertionError(f"{address} was opened")

    found = list(find_i2c(i2c_buses(tmp_path), open_bus=opened))
    assert [thing.note for thing in found] == ["not touched; give --i2c to look for a module at 50h"] * 2


@pytest.mark.parametrize(
    ("identifiers", "drivers", "said"),
    [
        ((0x18,), ("i2c-host-board",), "identifier 18h (QSFP-DD)"),
        ((0x1E,), ("i2c-host-board",), "with CMIS"),
        ((0x11,), (), "no CMIS module"),
        ((), (), "nobody acknowledges 50h"),
    ],
)
def test_only_byte_0_is_read(identifiers: tuple[int, ...], drivers: tuple[str, ...], said: str) -> None:
    (thing,) = find_i2c(["i2c:4"], ask=True, open_bus=lambda _: bus_with(*identifiers))
    assert thing.drivers == drivers
    assert said in thing.note


def test_a_bus_that_this_user_may_not_open_is_told() -> None:
    def opened(address: str) -> Any:
        raise PermissionError(13, "Permission denied")

    (thing,) = find_i2c(["i2c:4"], ask=True, open_bus=opened)
    assert thing.note == "cannot be opened: Permission denied"


# -- the draft -------------------------------------------------------------------------------------


def test_a_draft_holds_what_was_found_and_names_what_lacks(lab: SimulatedBackend, tmp_path: Path) -> None:
    found = [*found_in(lab, METER, SWITCH, SUPPLY).values()]
    found += find_i2c(["i2c:4"], ask=True, open_bus=lambda _: bus_with(0x18))
    found += [Found("serial:/dev/ttyS0", note="not opened")]
    path = tmp_path / "draft.toml"
    path.write_text(draft_bench(found))
    roles = tomllib.loads(path.read_text())["instruments"]
    assert {role: part.get("driver") for role, part in roles.items()} == {
        "power_meter": "keysight-n7745c",
        "optical_switch": "polatis",
        "power_supply": "keysight-e36312a",
        "thermal": "temptronic-ats545",
        "case_sensor": None,
        "host_board": "i2c-host-board",
    }
    assert roles["case_sensor"] == {"shared_with": "thermal"}
    assert roles["host_board"]["address"] == "i2c:4"
    with pytest.raises(TableError) as raised:
        load_bench(path)
    assert all(
        "missing" in line or "no fibre" in line or "option" in line for line in raised.value.complaints
    )
    said = "\n".join(raised.value.complaints)
    for key in ("supply.current_limit", "thermal.soak", "power_meter.uncertainty", "case_sensor.uncertainty"):
        assert key in said, said


def test_a_draft_that_was_filled_in_is_a_bench_file(lab: SimulatedBackend, tmp_path: Path) -> None:
    found = [*found_in(lab, METER, SWITCH, SUPPLY).values()]
    found += find_i2c(["i2c:4"], ask=True, open_bus=lambda _: bus_with(0x18))
    path = tmp_path / "draft.toml"
    lines = draft_bench(found).splitlines()
    filled = [
        line[2:]
        if line.startswith(("# [", "# pin", "# exp")) or (" = " in line[:30] and line.startswith("# "))
        else line
        for line in lines
    ]
    path.write_text("\n".join(filled))
    spec = load_bench(path)
    assert spec.clock == "wall"
    assert spec.supply.current_limit_a == 4.5
    assert [str(fibre.start) for fibre in spec.wiring.fibres] == ["module.tx1"]


def test_a_second_instrument_for_a_role_is_a_comment() -> None:
    meter = Identity("Keysight Technologies", "N7745C", "1", "1")
    found = [Found(f"USB0::1::2::{n}::INSTR", meter, ("keysight-n7745c",)) for n in (1, 2)]
    text = draft_bench(found)
    assert tomllib.loads(text)["instruments"]["power_meter"]["address"] == "USB0::1::2::1::INSTR"
    assert '# address = "USB0::1::2::2::INSTR"' in text
    assert "taken already" in text


@given(text=st.text(max_size=60), known=st.booleans())
def test_whatever_an_instrument_says_the_draft_is_toml(text: str, known: bool) -> None:
    identity = Identity(text, text, text, text)
    found = [Found(f"USB0::{text}", identity, ("polatis",) if known else (), text)]
    content = tomllib.loads(draft_bench(found, visa_library=text).encode("utf-8", "replace").decode())
    assert set(content) >= {"schema", "bench", "clock", "io"}
    assert set(content.get("instruments", {})) == ({"optical_switch"} if known else set())


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def surroundings(lab: SimulatedBackend, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedBackend]:
    """The command finds the shipped bench, one serial port and no bus."""
    monkeypatch.setattr("pyvisa.ResourceManager", lambda library: lab._manager)
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: PORTS[:1])
    monkeypatch.setattr("harness.commands.bench_discover.i2c_buses", lambda: ())
    monkeypatch.setattr("harness.discovery.reachable", lambda host, port: False)
    monkeypatch.setattr("harness.discovery.WallClock", lambda: lab.clock)
    return lab


def test_the_command(
    surroundings: SimulatedBackend, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "draft.toml"
    assert main(["discover", "--hosts", METER, SWITCH, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Keysight Technologies N7745C SIM0001" in printed
    assert "5 found, 3 known" in printed
    assert "give --hosts 192.0.2.13" in printed
    assert set(tomllib.loads(out.read_text())["instruments"]) >= {"power_meter", "optical_switch", "thermal"}
    before = out.read_bytes()
    assert main(["discover", "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_a_host_that_is_none_is_one_line(
    surroundings: SimulatedBackend, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["discover", "--hosts", "a b", "--out", str(tmp_path / "x.toml")]) == 2
    assert "'a b' is no host" in capsys.readouterr().err
    assert not (tmp_path / "x.toml").exists()


def test_a_port_that_a_run_holds_is_not_disturbed() -> None:
    master, slave = os.openpty()
    try:
        device = os.ttyname(slave)
        with contextlib.closing(open_serial_line(f"serial:{device}?baud=9600", write_limit_s=1.0)):
            port = SimpleNamespace(device=device, description="n/a", hwid="n/a")
            (found,) = find_serial([port], ask=True, clock=VirtualClock(World(1)))
        assert "cannot be opened" in found.note
        assert "lock" in found.note
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 1)
    finally:
        os.close(master)
        os.close(slave)


def test_a_library_that_cannot_list_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Manager:
        def list_resources(self, query: str) -> tuple[str, ...]:
            raise pyvisa.errors.VisaIOError(pyvisa.constants.StatusCode.error_system_error)

        def close(self) -> None:
            pass

    monkeypatch.setattr(pyvisa, "ResourceManager", lambda library: Manager())
    assert main(["discover", "--out", str(tmp_path / "draft.toml")]) == 2
    printed = capsys.readouterr().err
    assert "does not list what it finds" in printed
    assert printed.count("\n") == 1
