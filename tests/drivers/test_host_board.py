"""The host-board driver against a simulated PCA9535 with a module's pins."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

import pytest

from drivers.errors import InstrumentError, OutOfRangeError
from drivers.host_board import RESET_HOLD_S, I2cHostBoard
from drivers.i2c import I2cBus, I2cNackError
from drivers.interfaces import HostBoard, Identity
from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.smbus import Nack, SimulatedI2cBus
from harness.simulation.world import VirtualClock, World

PIN_BITS: Mapping[str, int] = {"reset_l": 3, "lpmode": 12, "modsel_l": 0, "modprs_l": 15, "int_l": 7}
OPTIONS: Mapping[str, object] = {"expander_address": 0x20, "pin_bits": PIN_BITS}


class Memory:
    """A module's two-wire interface that answers A5h everywhere."""

    def acknowledges(self) -> bool:
        return True

    def write(self, data: bytes) -> None: ...

    def read(self, length: int) -> bytes:
        return b"\xa5" * length


class Pins:
    """A module of pins only: records every edge."""

    def __init__(self, world: World) -> None:
        self.interface = Memory()
        self.edges: list[tuple[str, bool]] = []
        self.times_s: list[float] = []
        self.interrupt = False
        self._world = world

    def _edge(self, pin: str, asserted: bool) -> None:
        self.edges.append((pin, asserted))
        self.times_s.append(self._world.now_s)

    def set_reset(self, *, asserted: bool) -> None:
        self._edge("reset", asserted)

    def set_low_power(self, *, asserted: bool) -> None:
        self._edge("low_power", asserted)

    def set_selected(self, *, asserted: bool) -> None:
        self._edge("selected", asserted)

    def interrupt_asserted(self) -> bool:
        return self.interrupt


class Rig:
    def __init__(self) -> None:
        self.world = World(0)
        self.smbus = SimulatedI2cBus(self.world)
        self.pins = Pins(self.world)
        self.peer = SimulatedHostBoard(self.world, self.smbus, self.pins, PIN_BITS)
        clock = VirtualClock(self.world)
        self.bus = I2cBus(self.smbus, clock, name="host_board")
        self.board = I2cHostBoard(self.bus, clock, name="host_board", options=OPTIONS)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_pull_ups_hold_the_module_before_anything_is_driven(rig: Rig) -> None:
    assert rig.pins.edges == [("reset", False), ("low_power", True), ("selected", False)]


def test_constructing_sends_nothing(rig: Rig) -> None:
    assert rig.bus.transactions == 0


def test_connect_selects_the_module_without_a_glitch_on_reset_or_lpmode(rig: Rig) -> None:
    del rig.pins.edges[:]
    assert rig.board.connect() == Identity("", "I2C host board", "", "")
    assert rig.pins.edges == [("selected", True)]


def test_it_satisfies_its_role(rig: Rig) -> None:
    assert isinstance(rig.board, HostBoard)
    assert rig.board.drain_errors() == ()
    assert rig.board.memory.read(0, 0, 0, 2) == b"\xa5\xa5"


def test_levels_are_written_before_directions(rig: Rig) -> None:
    rig.board.connect()
    command_2 = rig.bus.write_read(0x20, b"\x02", 2)
    command_6 = rig.bus.write_read(0x20, b"\x06", 2)
    # reset_l (bit 3) high, lpmode (12) high, modsel_l (0) low; these three are outputs, all others inputs
    assert int.from_bytes(command_2, "little") == 0xFFFF & ~0x0001
    assert int.from_bytes(command_6, "little") == 0xFFFF & ~(0x0008 | 0x1000 | 0x0001)


def test_pins_mean_what_their_names_say(rig: Rig) -> None:
    rig.board.connect()
    del rig.pins.edges[:]
    pins = rig.board.pins
    pins.set_reset(asserted=True)
    pins.set_reset(asserted=False)
    pins.set_low_power(asserted=False)
    pins.set_selected(asserted=False)
    assert rig.pins.edges == [
        ("reset", True),
        ("reset", False),
        ("low_power", False),
        ("selected", False),
    ]


def test_a_reset_pulse_is_never_too_short(rig: Rig) -> None:
    rig.board.connect()
    del rig.pins.times_s[:]
    rig.board.pins.set_reset(asserted=True)
    rig.board.pins.set_reset(asserted=False)
    assert rig.pins.times_s[1] - rig.pins.times_s[0] >= RESET_HOLD_S >= 10e-6


def test_presence_and_interrupt_are_active_low_inputs(rig: Rig) -> None:
    rig.board.connect()
    assert rig.board.pins.module_present()
    assert not rig.board.pins.interrupt_asserted()
    rig.pins.interrupt = True
    assert rig.board.pins.interrupt_asserted()
    rig.peer.set_inserted(False)
    assert not rig.board.pins.module_present()
    assert not rig.board.pins.interrupt_asserted()  # nobody pulls IntL of an empty cage
    with pytest.raises(I2cNackError):
        rig.bus.write_read(0x50, b"\0", 1)


def test_make_safe_holds_the_module_in_reset_and_low_power_and_reads_that_back(rig: Rig) -> None:
    rig.board.connect()
    rig.board.pins.set_low_power(asserted=False)
    del rig.pins.edges[:]
    steps = rig.board.make_safe()
    assert rig.pins.edges == [("reset", True), ("low_power", True)]
    assert [(step.action, step.read_back, step.safe) for step in steps] == [
        ("assert reset_l", "pin asserted", True),
        ("assert lpmode", "pin asserted", True),
    ]


def test_make_safe_works_on_a_board_that_was_never_connected(rig: Rig) -> None:
    assert all(step.safe for step in rig.board.make_safe())
    assert ("reset", True) in rig.pins.edges


class Stuck:
    """An expander whose pin 3 (reset_l) is shorted high."""

    def __init__(self, expander: SimulatedHostBoard) -> None:
        self._expander = expander
        self._inputs = False

    def acknowledges(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        self._inputs = data[0] == 0
        self._expander.write(data)

    def read(self, length: int) -> bytes:
        data = bytearray(self._expander.read(length))
        if self._inputs:
            data[0] |= 0x08
        return bytes(data)


def test_a_pin_that_does_not_follow_is_an_error_and_not_safe(rig: Rig) -> None:
    bus = SimulatedI2cBus(rig.world)
    bus.attach(0x20, Stuck(rig.peer))
    clock = VirtualClock(rig.world)
    board = I2cHostBoard(I2cBus(bus, clock, name="host_board"), clock, name="host_board", options=OPTIONS)
    board.connect()
    with pytest.raises(InstrumentError, match=r"reset_l.*0x20.*does not follow"):
        board.pins.set_reset(asserted=True)
    steps = {step.action: step for step in board.make_safe()}
    assert not steps["assert reset_l"].safe
    assert steps["assert reset_l"].read_back == "pin released"
    assert steps["assert lpmode"].safe


class Failing:
    """An expander of which some writes fail, as ``fails`` says of their bytes; and all reads if so told."""

    def __init__(self, expander: SimulatedHostBoard, *, fails: Callable[[bytes], bool], reads: bool) -> None:
        self._expander = expander
        self._fails = fails
        self._reads = reads
        self.written: list[bytes] = []

    def acknowledges(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        if len(data) > 1:
            self.written.append(data)
            if self._fails(data):
                raise Nack
        self._expander.write(data)

    def read(self, length: int) -> bytes:
        if not self._reads:
            raise Nack
        return self._expander.read(length)


def _failing_board(rig: Rig, expander: Failing) -> I2cHostBoard:
    bus = SimulatedI2cBus(rig.world)
    bus.attach(0x20, expander)
    clock = VirtualClock(rig.world)
    return I2cHostBoard(I2cBus(bus, clock, name="host_board"), clock, name="host_board", options=OPTIONS)


def test_make_safe_drives_the_pins_before_anything_else_can_fail(rig: Rig) -> None:
    expander = Failing(rig.peer, fails=lambda data: data[0] == 4, reads=True)  # no inversion can be set
    del rig.pins.edges[:]
    steps = _failing_board(rig, expander).make_safe()
    assert ("reset", True) in rig.pins.edges
    assert [step.action for step in steps] == ["assert reset_l", "assert lpmode"]
    assert not any(step.safe for step in steps)
    assert all("pin asserted, but: " in step.read_back for step in steps)


def test_a_pin_that_cannot_be_driven_does_not_keep_the_next_from_it(rig: Rig) -> None:
    rig.board.connect()
    rig.board.pins.set_low_power(asserted=False)
    reset_l = 1 << PIN_BITS["reset_l"]
    fails = lambda data: data[0] == 2 and not int.from_bytes(data[1:], "little") & reset_l  # noqa: E731
    del rig.pins.edges[:]
    steps = {
        step.action: step
        for step in _failing_board(rig, Failing(rig.peer, fails=fails, reads=True)).make_safe()
    }
    assert rig.pins.edges == [("low_power", True)]
    assert not steps["assert reset_l"].safe
    assert steps["assert lpmode"].safe


def test_make_safe_of_a_dead_board_says_so_pin_by_pin(rig: Rig) -> None:
    steps = _failing_board(rig, Failing(rig.peer, fails=lambda data: True, reads=False)).make_safe()
    assert [(step.action, step.safe) for step in steps] == [
        ("assert reset_l", False),
        ("assert lpmode", False),
    ]
    assert all(step.read_back.startswith("not confirmed: host_board: I2C address 0x20") for step in steps)


def test_an_adapter_that_is_gone_is_no_exception_of_make_safe(rig: Rig) -> None:
    class Gone:
        def i2c_rdwr(self, *messages: object) -> None:
            raise OSError(errno.ENODEV, "No such device")

        def close(self) -> None: ...

    clock = VirtualClock(rig.world)
    board = I2cHostBoard(I2cBus(Gone(), clock, name="host_board"), clock, name="host_board", options=OPTIONS)
    assert [step.safe for step in board.make_safe()] == [False, False]


def test_whether_the_module_is_held_in_reset_is_read_from_the_pin(rig: Rig) -> None:
    assert not rig.board.pins.reset_asserted()
    rig.board.make_safe()
    assert rig.board.pins.reset_asserted()
    rig.board.connect()
    assert not rig.board.pins.reset_asserted()


def test_an_expander_that_does_not_answer_is_a_fault_of_the_bench(rig: Rig) -> None:
    clock = VirtualClock(rig.world)
    silent = I2cBus(SimulatedI2cBus(rig.world), clock, name="host_board")
    board = I2cHostBoard(silent, clock, name="host_board", options=OPTIONS)
    with pytest.raises(I2cNackError, match="0x20"):
        board.connect()


def test_other_pins_of_the_expander_are_left_alone(rig: Rig) -> None:
    rig.bus.write(0x20, bytes([2, 0xBF, 0xFF]))  # somebody uses pin 6
    rig.bus.write(0x20, bytes([6, 0xBF, 0xFF]))
    rig.board.connect()
    assert not rig.bus.write_read(0x20, b"\x02", 1)[0] & 0x40
    assert not rig.bus.write_read(0x20, b"\x06", 1)[0] & 0x40


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"expander_address": 0x100}, "expander_address must be a whole number"),
        ({"expander_address": "0x20"}, "expander_address must be a whole number"),
        ({"expander_address": None}, "expander_address must be a whole number"),
        ({"pin_bits": {"reset_l": 0}}, "pin_bits must give a bit for each of reset_l, lpmode"),
        ({"pin_bits": 5}, "pin_bits must give"),
        ({"pin_bits": {**PIN_BITS, "int_l": 16}}, r"pin_bits\.int_l must be a whole number 0\.\.15"),
        ({"pin_bits": {**PIN_BITS, "int_l": 3}}, "two pins on one bit"),
        ({"max_read_bytes": 1}, r"max_read_bytes must be a whole number 8\.\.128"),
        ({"max_read_bytes": 33}, "max_read_bytes must be even"),
        ({"max_read_bytes": 129}, "max_read_bytes must be a whole number"),
        ({"speed": 5}, "unknown option 'speed'"),
    ],
)
def test_options_are_checked(rig: Rig, changed: dict[str, object], said: str) -> None:
    with pytest.raises(OutOfRangeError, match=said):
        I2cHostBoard(rig.bus, VirtualClock(rig.world), name="host_board", options={**OPTIONS, **changed})
