"""A small world around simulated instruments: constant light, an open rail, air with a first-order case."""

from __future__ import annotations

import pytest
import pyvisa
import serial

from drivers import catalogue
from drivers.line_session import LineSession
from drivers.scpi import ScpiSession
from drivers.serial_address import SerialAddress
from harness.simulation.light.beam import Beam
from harness.simulation.peers.catalogue import SimulatedSurroundings, build_peer
from harness.simulation.serial_port import SerialLines
from harness.simulation.visa import SimulatedVisaLibrary
from harness.simulation.world import VirtualClock, World


class FakeFibres:
    def __init__(self) -> None:
        self.powers_w: dict[int, float] = {}
        self.light_nm: float | None = 1310.0
        self.routes: dict[int, int] = {}
        self.attenuations_db: dict[int, float] = {}
        self.open_shutters: set[int] = set()
        self.beams: dict[int, tuple[Beam, ...]] = {}

    def power_w(self, role, port):
        return self.powers_w.get(port, 0.0)

    def wavelength_nm(self, role, port):
        return self.light_nm if self.powers_w.get(port) else None

    def light(self, role, port):
        if port in self.beams:
            return self.beams[port]
        power_w = self.powers_w.get(port, 0.0)
        return (Beam("light", power_w, self.light_nm),) if power_w else ()

    def set_routes(self, role, routes):
        self.routes = dict(routes)

    def set_attenuation(self, role, port, attenuation_db):
        self.attenuations_db[port] = attenuation_db

    def set_shutter(self, role, port, *, open_):
        (self.open_shutters.add if open_ else self.open_shutters.discard)(port)


class FakeRail:
    """A resistor at the end of an output."""

    def __init__(self) -> None:
        self.load_ohm = 3.3
        self.source: dict[str, object] = {"voltage_v": 0.0, "on": False, "current_limit_a": 0.0}

    def set_source(self, **source):
        self.source = source

    def _unlimited_a(self):
        return self.source["voltage_v"] / self.load_ohm if self.source["on"] else 0.0

    def current_a(self):
        return min(self._unlimited_a(), self.source["current_limit_a"])

    def sense_voltage_v(self):
        return self.current_a() * self.load_ohm

    def current_limited(self):
        return self._unlimited_a() > self.source["current_limit_a"]


class FakeAir:
    """Air that follows at 8 C/s, or as told; a case that follows the air with 40 s and sits 15 C above it."""

    STEP_S = 0.25

    def __init__(self, world) -> None:
        self._world = world
        self.air_c = 25.0
        self.case_c = 25.0
        self.target_c = 25.0
        self.flowing = False
        self.rate_c_per_s = 8.0
        self.lowest_asked_c, self.highest_asked_c = 25.0, 25.0
        self._step()

    def _step(self):
        target_c = self.target_c if self.flowing else 25.0
        most_c = self.rate_c_per_s * self.STEP_S
        self.air_c += max(-most_c, min(most_c, target_c - self.air_c))
        self.case_c += (self.air_c + 15.0 - self.case_c) * self.STEP_S / 40.0
        self._world.after(self.STEP_S, self._step)

    def set_air(self, *, target_c, flowing, rate_c_per_s=8.0):
        self.target_c, self.flowing, self.rate_c_per_s = target_c, flowing, rate_c_per_s
        self.lowest_asked_c = min(self.lowest_asked_c, target_c)
        self.highest_asked_c = max(self.highest_asked_c, target_c)

    def air_temp_c(self):
        return self.air_c

    def case_temp_c(self):
        return self.case_c


class SmallBench:
    """Opens drivers on simulated instruments through a real ``pyvisa.ResourceManager``."""

    def __init__(self, seed: int = 1) -> None:
        self.world = World(seed)
        self.clock = VirtualClock(self.world)
        self.fibres, self.rail, self.air = FakeFibres(), FakeRail(), FakeAir(self.world)
        self.surroundings = SimulatedSurroundings(self.fibres, self.air, {1: self.rail})
        self.library = SimulatedVisaLibrary.create(self.world)
        self.manager = pyvisa.ResourceManager(self.library)
        self.lines = SerialLines(self.world)
        self.peers: dict[str, object] = {}

    def line_session(self, driver_name, *, peer_options=None):
        address = SerialAddress.parse(f"serial:/dev/{driver_name}?baud=19200")
        if driver_name not in self.peers:
            self.peers[driver_name] = build_peer(
                driver_name, self.world, self.surroundings, driver_name, peer_options
            )
            self.lines.attach(address, self.peers[driver_name])
        port = serial.serial_for_url(self.lines.url(address), **address.settings)
        return LineSession(port, self.clock, name=driver_name)

    def session(self, driver_name, *, transport="SOCKET", peer_options=None):
        host = driver_name.replace("-", "")
        tail = "5025::SOCKET" if transport == "SOCKET" else "inst0::INSTR"
        address = f"TCPIP0::{host}::{tail}"
        if driver_name not in self.peers:
            self.peers[driver_name] = build_peer(
                driver_name, self.world, self.surroundings, driver_name, peer_options
            )
            self.library.attach(address, self.peers[driver_name])
        return ScpiSession(self.manager.open_resource(address), self.clock, name=driver_name)

    def open(self, driver_name, *, transport="SOCKET", options=None, peer_options=None):
        if catalogue.info(driver_name).transport == "serial":
            session = self.line_session(driver_name, peer_options=peer_options)
        else:
            session = self.session(driver_name, transport=transport, peer_options=peer_options)
        driver = catalogue.load(driver_name)(session, self.clock, name=driver_name, options=options or {})
        driver.connect()
        return driver


@pytest.fixture
def small_bench():
    bench = SmallBench()
    yield bench
    bench.manager.close()


@pytest.fixture
def another_small_bench():
    """Makes further benches, each with its own world."""
    benches = []

    def make(seed=1):
        benches.append(SmallBench(seed))
        return benches[-1]

    yield make
    for bench in benches:
        bench.manager.close()
