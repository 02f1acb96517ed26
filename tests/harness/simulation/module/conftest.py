"""A simulated module on its board, driven by the real host-board driver on the virtual clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from drivers.cmis.fields import Value, decode, encode
from drivers.cmis.memory_map import FIELDS
from drivers.host_board import I2cHostBoard
from drivers.i2c import I2cBus, I2cNackError
from harness.simulation.light.beam import Beam, Modulation, even_levels
from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.module.building import build_module
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.module.profile.medium import fibres_of
from harness.simulation.module.states import ModuleState
from harness.simulation.signals import TRAFFIC
from harness.simulation.smbus import SimulatedI2cBus
from harness.simulation.world import VirtualClock, World

PIN_BITS: Mapping[str, int] = {"reset_l": 0, "lpmode": 1, "modsel_l": 2, "modprs_l": 8, "int_l": 9}


class FakeSurroundings:
    """What a test sets, the module feels."""

    def __init__(self, profile: Profile, line: Any = None) -> None:
        self.vcc = 3.3
        self.case_c = 25.0
        self.rx_w = [1e-3] * 8
        self.fibres = fibres_of(profile.medium, profile.media_lanes)
        self.wavelengths_nm = profile.transmitter.wavelength_nm
        self.line = line

    def vcc_v(self) -> float:
        return self.vcc

    def case_temp_c(self) -> float:
        return self.case_c

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        return tuple(
            Beam(
                f"light {lane}",
                self.rx_w[lane - 1],
                self.wavelengths_nm[lane - 1],
                self.line.rx_signal(lane) if self.line else TRAFFIC,
                Modulation(even_levels(5.0)),
            )
            for lane in self.fibres[port - 1]
        )


class ModuleBench:
    """World, bus, module, board and driver in one."""

    def __init__(
        self,
        profile: Profile,
        seed: int = 1,
        name: str = "module",
        line: Any = None,
    ) -> None:
        """``line`` has ``rx_signal(lane)`` and ``host_signal(host_lane)``; None: traffic from both sides."""
        self.world = World(seed)
        self.clock = VirtualClock(self.world)
        self.surroundings = FakeSurroundings(profile, line)
        self.module = build_module(self.world, profile, self.surroundings, host=line, name=name)
        self.smbus = SimulatedI2cBus(self.world)
        self.board = SimulatedHostBoard(self.world, self.smbus, self.module, PIN_BITS)
        self.bus = I2cBus(self.smbus, self.clock, name="host_board")
        self.host = I2cHostBoard(
            self.bus,
            self.clock,
            name="host_board",
            options={"expander_address": 0x20, "pin_bits": dict(PIN_BITS)},
        )

    # The shape of an image, so that the register tables decode and encode through the bus.
    def get(self, bank: int, page: int, byte: int, length: int) -> bytes:
        return self.host.memory.read(bank, page, byte, length)

    def put(self, bank: int, page: int, byte: int, data: bytes) -> None:
        self.host.memory.write(bank, page, byte, data)

    def read(self, name: str) -> Value:
        return decode(FIELDS[name], self)

    def write(self, name: str, value: Value) -> None:
        encode(FIELDS[name], value, self)

    def power_on(self) -> None:
        """Supply on, low power: runs until the management interface answers."""
        self.host.connect()
        self.module.supply_changed()
        self.run_until(lambda: self.module.state is ModuleState.LOW_PWR, limit_s=2.0)

    def activate(self) -> None:
        """Power on and let the default application initialise by itself."""
        self.power_on()
        self.host.pins.set_low_power(asserted=False)
        self.run_until(lambda: all(state == 4 for state in self.module.data_path_states()), limit_s=20.0)

    def run_until(self, reached: Callable[[], bool], *, limit_s: float) -> float:
        """Advance in 1 ms steps; returns the virtual seconds it took."""
        start_s = self.world.now_s
        while not reached():
            assert self.world.now_s - start_s < limit_s, f"not reached in {limit_s} s"
            self.world.advance(0.001)
        return self.world.now_s - start_s


class RawCdb:
    """CDB by raw bytes on the bus, as a host that knows the module's ways: no host library involved."""

    def __init__(self, bench: ModuleBench) -> None:
        self.bench = bench

    def acknowledged(self) -> bool:
        """Whether the module acknowledges its address now (costs a byte on the bus, no more)."""
        try:
            self.bench.bus.write(0x50, b"")
        except I2cNackError:
            return False
        return True

    def patient(self, limit_s: float = 0.1) -> None:
        """Advance until the module acknowledges."""
        self.bench.run_until(self.acknowledged, limit_s=limit_s)

    def write(self, *data: int) -> None:
        """One bus write, after the hold-off of the last one."""
        self.patient()
        self.bench.bus.write(0x50, bytes(data))

    def read(self, byte: int, length: int) -> bytes:
        """One bus read."""
        self.patient()
        return self.bench.bus.write_read(0x50, bytes([byte]), length)

    def page(self, page: int) -> None:
        """Select a page of bank 0."""
        self.write(126, 0, page)

    def prepare(
        self, command: int, lpl: bytes = b"", epl: bytes = b"", check_code: int | None = None
    ) -> None:
        """Everything but the command's number, in the longest writes that the module takes."""
        longest = min(8 * (1 + self.bench.module.profile.cdb.length_extension), 128)
        for start in range(0, len(epl), longest):
            if start % 128 == 0:
                self.page(0xA0 + start // 128)
            self.write(128 + start % 128, *epl[start : start + longest])
        self.page(0x9F)
        if check_code is None:
            header = command.to_bytes(2) + len(epl).to_bytes(2) + bytes([len(lpl) & 0xFF])
            check_code = 255 - (sum(header) + sum(lpl)) % 256
        self.write(130, *len(epl).to_bytes(2), len(lpl) & 0xFF, check_code)
        for start in range(0, len(lpl), longest):
            self.write(136 + start, *lpl[start : start + longest])

    def send(self, command: int, lpl: bytes = b"", epl: bytes = b"", check_code: int | None = None) -> None:
        """Prepare, and trigger by a write of 128-129."""
        self.prepare(command, lpl, epl, check_code)
        self.write(128, *command.to_bytes(2))

    def status(self) -> int:
        """CdbStatus of instance 1."""
        return self.read(37, 1)[0]

    def wait(self, limit_s: float = 10.0) -> int:
        """Advance until the command is done; its status."""
        started_s = self.bench.world.now_s
        while not self.acknowledged() or (status := self.status()) >= 0x80:
            assert self.bench.world.now_s - started_s < limit_s, f"not done in {limit_s} s"
            self.bench.world.advance(0.01)
        return status

    def reply(self) -> bytes:
        """The reply in LPL, its check code proven."""
        self.page(0x9F)
        length, check_code = self.read(134, 2)
        body = self.read(136, length) if length else b""
        assert check_code == ((255 - sum(body) % 256) if body else 0)
        return body

    def run(self, command: int, lpl: bytes = b"", epl: bytes = b"") -> tuple[int, bytes]:
        """Status and reply of a command."""
        self.send(command, lpl, epl)
        return self.wait(), self.reply()

    def start(self, image: bytes, header_bytes: int) -> int:
        """Start Firmware Download; its status."""
        return self.run(0x0101, len(image).to_bytes(4) + bytes(4) + image[:header_bytes])[0]

    def write_body(self, body: bytes, upto: int | None = None) -> None:
        """Blocks through LPL, up to address ``upto``."""
        end = len(body) if upto is None else upto
        for address in range(0, end, 116):
            block = body[address : min(address + 116, end)]
            assert self.run(0x0103, address.to_bytes(4) + block)[0] == 0x01

    def download(self, image: bytes, header_bytes: int) -> int:
        """Start, all blocks, Complete; the status of the last."""
        assert self.start(image, header_bytes) == 0x01
        self.write_body(image[header_bytes:])
        return self.run(0x0107)[0]


@pytest.fixture
def make_cdb(make_bench: Callable[..., ModuleBench]) -> Callable[..., RawCdb]:
    """CDB of a powered module: ``profile``, and differences in its cdb section."""

    def make(profile: str = "good-dr4", **differences: object) -> RawCdb:
        loaded = load_profile(profile)
        cdb = dataclasses.replace(loaded.cdb, **differences)  # type: ignore[arg-type]
        bench = make_bench(dataclasses.replace(loaded, cdb=cdb))
        bench.power_on()
        return RawCdb(bench)

    return make


@pytest.fixture
def make_bench() -> Callable[..., ModuleBench]:
    def make(
        profile: str | Profile = "good-dr4",
        seed: int = 1,
        name: str = "module",
        line: Any = None,
    ) -> ModuleBench:
        loaded = load_profile(profile) if isinstance(profile, str) else profile
        return ModuleBench(loaded, seed, name, line)

    return make


@pytest.fixture
def bench(make_bench: Callable[..., ModuleBench]) -> ModuleBench:
    """The good module, without supply."""
    return make_bench()


@pytest.fixture
def raw_cdb_of() -> Callable[[ModuleBench], RawCdb]:
    """CDB of a module that is powered already."""
    return RawCdb


@pytest.fixture
def changed() -> Callable[..., Profile]:
    """A profile with other values: ``changed(timing={"dp_init_code": 5}, quirks={...})``."""

    def change(profile: str = "good-dr4", **sections: Mapping[str, object]) -> Profile:
        loaded = load_profile(profile)
        return dataclasses.replace(
            loaded,
            **{
                section: dataclasses.replace(getattr(loaded, section), **values)  # type: ignore[type-var]
                for section, values in sections.items()
            },
        )

    return change
