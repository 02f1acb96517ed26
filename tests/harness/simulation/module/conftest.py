"""A simulated module on its board, driven by the real host-board driver on the virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from drivers.cmis.fields import Value, decode, encode
from drivers.cmis.memory_map import FIELDS
from drivers.host_board import I2cHostBoard
from drivers.i2c import I2cBus
from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.module.simulated_module import SimulatedModule
from harness.simulation.module.states import ModuleState
from harness.simulation.smbus import SimulatedI2cBus
from harness.simulation.world import VirtualClock, World

PIN_BITS: Mapping[str, int] = {"reset_l": 0, "lpmode": 1, "modsel_l": 2, "modprs_l": 8, "int_l": 9}


class FakeSurroundings:
    """What a test sets, the module feels."""

    def __init__(self) -> None:
        self.vcc = 3.3
        self.case_c = 25.0
        self.rx_w = [1e-3] * 4

    def vcc_v(self) -> float:
        return self.vcc

    def case_temp_c(self) -> float:
        return self.case_c

    def rx_power_w(self, lane: int) -> float:
        return self.rx_w[lane - 1]


class ModuleBench:
    """World, bus, module, board and driver in one."""

    def __init__(self, profile: Profile, seed: int = 1, name: str = "module") -> None:
        self.world = World(seed)
        self.clock = VirtualClock(self.world)
        self.surroundings = FakeSurroundings()
        self.module = SimulatedModule(self.world, profile, self.surroundings, name=name)
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


@pytest.fixture
def make_bench() -> Callable[..., ModuleBench]:
    def make(profile: str | Profile = "good-dr4", seed: int = 1, name: str = "module") -> ModuleBench:
        loaded = load_profile(profile) if isinstance(profile, str) else profile
        return ModuleBench(loaded, seed, name)

    return make


@pytest.fixture
def bench(make_bench: Callable[..., ModuleBench]) -> ModuleBench:
    """The good module, without supply."""
    return make_bench()
