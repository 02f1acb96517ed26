"""The reference module's driver on a simulated board: byte by byte, and what it makes of a failing module."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from drivers.errors import InstrumentError, OutOfRangeError, UnsupportedError
from drivers.i2c import I2cBus
from drivers.reference_module import TRAFFIC, ReferenceModule
from harness.bench_file.simulation_section import ReferenceSpec
from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.reference_place import ReferencePlace
from harness.simulation.smbus import SimulatedI2cBus
from harness.simulation.world import VirtualClock, World

PIN_BITS = {"reset_l": 0, "lpmode": 1, "modsel_l": 2, "modprs_l": 8, "int_l": 9}
OPTIONS: dict[str, object] = {"expander_address": 0x20, "pin_bits": PIN_BITS}
GOLDEN = load_profile("reference-dr4")
PRBS31Q, SSPRQ = 0, 12
MODULE = 0x50


class Rig:
    """A reference module on its board; ``written``: what went to the module's registers since :meth:`clear`,
    page by page, page selects taken out."""

    def __init__(self, profile: Profile, **options: object) -> None:
        self.world = World(1)
        self.place = ReferencePlace(self.world, profile, ReferenceSpec(profile.name), room_temp_c=23.0)
        self.module: Any = self.place.module
        smbus = SimulatedI2cBus(self.world)
        self.board = SimulatedHostBoard(self.world, smbus, self.module, PIN_BITS)
        self.clock = VirtualClock(self.world)
        self.bus = I2cBus(smbus, self.clock, name="reference_tx")
        self.driver = ReferenceModule(
            self.bus, self.clock, name="reference_tx", options={**OPTIONS, **options}
        )
        self.written: list[tuple[int, int, bytes]] = []
        self._page = 0
        self._write = self.bus.write
        self.bus.write = self._watched  # type: ignore[method-assign]

    def _watched(self, address: int, data: bytes) -> None:
        self._write(address, data)
        if address == MODULE:
            if data[0] == 126:
                self._page = data[2]
            else:
                self.written.append((self._page if data[0] >= 128 else 0, data[0], data[1:]))

    def lit(self) -> list[int]:
        return [lane for lane in range(1, 5) if self.module.launch_power_w(lane) > 1e-4]

    def codes(self) -> list[int]:
        signals = (self.module.transmitted_signal(lane) for lane in range(1, 5))
        return [signal.streams[0].code for signal in signals if signal is not None]


@pytest.fixture
def make_rig() -> Callable[..., Rig]:
    def make(profile: Profile = GOLDEN, **options: object) -> Rig:
        return Rig(profile, **options)

    return make


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    rig = make_rig()
    rig.driver.connect()
    return rig


@pytest.fixture
def lit_rig(rig: Rig) -> Rig:
    rig.driver.start_pattern("PRBS31Q")
    rig.written.clear()
    return rig


def test_connecting_tells_who_it_is_and_lights_nothing(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    identity = rig.driver.connect()
    assert (identity.vendor, identity.model, identity.serial) == ("LANEWISE", "LW-400G-DR4-REF", "LWREF00001")
    assert rig.driver.identify() == identity
    assert rig.driver.lanes == (1, 2, 3, 4)
    assert rig.driver.lit_lanes() == ()
    assert rig.lit() == []
    rig.world.advance(60.0)
    assert rig.lit() == []
    assert rig.written == []


def test_connecting_darkens_a_module_that_an_earlier_run_left_lit(lit_rig: Rig) -> None:
    assert lit_rig.lit() == [1, 2, 3, 4]
    lit_rig.driver.connect()
    lit_rig.world.advance(5.0)
    assert lit_rig.lit() == []


def test_a_pattern_is_sent_on_every_lane(rig: Rig) -> None:
    rig.driver.start_pattern("PRBS31Q")
    assert rig.lit() == [1, 2, 3, 4]
    assert rig.codes() == [PRBS31Q] * 4
    assert rig.driver.lit_lanes() == (1, 2, 3, 4)


def test_another_pattern_while_it_is_up_is_a_matter_of_four_registers(lit_rig: Rig) -> None:
    began_s = lit_rig.world.now_s
    lit_rig.driver.start_pattern("ssprq")
    assert lit_rig.codes() == [SSPRQ] * 4
    # 13h:152 enable, 156-159 patterns (two lanes to a byte), 152 again; OutputDisableTx stays.
    assert lit_rig.written == [
        (0x13, 152, b"\x00"),
        (0x13, 156, b"\xcc\xcc\x00\x00"),
        (0x13, 152, b"\x0f"),
        (0x10, 130, b"\x00"),
    ]
    # MaxDurationDPTxTurnOn (code 5: below 500 ms) and 0.4 s, 0.2 s for the flags of the generators.
    assert 1.1 < lit_rig.world.now_s - began_s < 1.2


def test_a_lane_is_switched_by_its_disable(lit_rig: Rig) -> None:
    lit_rig.driver.set_lane(2, lit=False)
    assert lit_rig.lit() == [1, 3, 4]
    lit_rig.driver.set_lane(4, lit=False)
    assert lit_rig.lit() == [1, 3]
    assert lit_rig.driver.lit_lanes() == (1, 3)
    lit_rig.driver.set_lane(2, lit=True)
    assert lit_rig.lit() == [1, 2, 3]
    assert lit_rig.codes() == [PRBS31Q] * 3
    assert lit_rig.written == [(0x10, 130, b"\x02"), (0x10, 130, b"\x0a"), (0x10, 130, b"\x08")]


def test_stopping_leaves_it_dark_and_ready(lit_rig: Rig) -> None:
    lit_rig.driver.stop_pattern()
    assert lit_rig.lit() == []
    assert lit_rig.driver.lit_lanes() == ()
    assert lit_rig.written == [(0x10, 130, b"\x0f"), (0x13, 152, b"\x00")]
    began_s = lit_rig.world.now_s
    lit_rig.driver.start_pattern("PRBS13Q")
    assert lit_rig.lit() == [1, 2, 3, 4]
    assert lit_rig.world.now_s - began_s < 1.5


def test_traffic_is_what_its_host_sends(rig: Rig) -> None:
    assert rig.driver.patterns[0] == TRAFFIC
    rig.driver.start_pattern(TRAFFIC)
    assert all(rig.module.transmitted_signal(lane).is_traffic for lane in range(1, 5))
    rig.driver.start_pattern("SSPRQ")
    rig.driver.start_pattern(TRAFFIC)
    assert all(rig.module.transmitted_signal(lane).is_traffic for lane in range(1, 5))


def test_switching_off_what_is_not_up_is_no_fault(rig: Rig) -> None:
    rig.driver.set_lane(1, lit=False)
    rig.driver.stop_pattern()
    with pytest.raises(InstrumentError, match="lane 1 cannot be lit: the module is not up"):
        rig.driver.set_lane(1, lit=True)
    assert rig.lit() == []


def test_only_the_lanes_that_are_wired_send(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(lanes=[2, 3])
    rig.driver.connect()
    rig.driver.start_pattern("PRBS31Q")
    assert rig.driver.lanes == rig.driver.lit_lanes() == (2, 3)
    assert rig.lit() == [2, 3]
    with pytest.raises(OutOfRangeError, match="its lanes are 2-3, not 1"):
        rig.driver.set_lane(1, lit=False)
    rig.driver.stop_pattern()
    assert rig.lit() == []


def test_stopping_darkens_lanes_too_that_nobody_has_wired(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(lanes=[2, 3])
    rig.driver.connect()
    rig.driver.start_pattern("PRBS31Q")
    rig.driver._module.set_output_disable_tx(())  # somebody else lights them
    rig.world.advance(2.0)
    assert rig.lit() == [1, 2, 3, 4]
    rig.driver.stop_pattern()
    assert rig.lit() == []


def test_a_module_that_does_not_heed_low_power_is_not_connected(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig()
    monkeypatch.setattr(type(rig.module), "low_power_requested", lambda _: False)
    with pytest.raises(InstrumentError, match=r"^reference_tx: is not in low power.*may be lit"):
        rig.driver.connect()


def test_the_application_can_be_chosen(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(application="100GBASE-DR")
    rig.driver.connect()
    rig.driver.start_pattern("PRBS31Q")
    paths = rig.module._data_paths.paths
    assert [len(path.media_lanes) for path in paths] == [1, 1, 1, 1]
    wrong = make_rig(application="400GBASE-SR8")
    wrong.driver.connect()
    with pytest.raises(InstrumentError, match=r"reference_tx: did not come up: find_application"):
        wrong.driver.start_pattern("PRBS31Q")


def test_making_it_safe_holds_it_in_reset(lit_rig: Rig) -> None:
    steps = lit_rig.driver.make_safe()
    assert [(step.action, step.read_back, step.safe) for step in steps] == [
        ("assert reset_l", "pin asserted", True),
        ("assert lpmode", "pin asserted", True),
    ]
    assert lit_rig.lit() == []
    with pytest.raises(InstrumentError, match="reference_tx"):
        lit_rig.driver.lit_lanes()


# -- what the reference module does wrong is a fault of the bench, and its own ------------------------


def test_an_empty_cage(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.board.set_inserted(False)
    with pytest.raises(InstrumentError, match=r"^reference_tx: .*ModPrsL says that no module") as raised:
        rig.driver.connect()
    assert "host_board" not in str(raised.value)  # that is the role of the other module's board


def test_a_silent_module(rig: Rig) -> None:
    rig.module.set_reset(asserted=True)
    for ask in (
        rig.driver.identify,
        rig.driver.lit_lanes,
        rig.driver.stop_pattern,
        lambda: rig.driver.start_pattern("PRBS31Q"),
        lambda: rig.driver.set_lane(1, lit=False),
    ):
        with pytest.raises(InstrumentError, match=r"^reference_tx: .*not the one under test") as raised:
            ask()
        assert raised.value.instrument == "reference_tx"


def test_a_module_that_does_not_come_up(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(load_profile("dr4-lane2-stuck-config"))
    rig.driver.connect()
    with pytest.raises(InstrumentError, match=r"^reference_tx: did not come up: .*host lane 2"):
        rig.driver.start_pattern("PRBS31Q")


def test_a_module_that_fell_back_to_low_power_is_brought_up_again(lit_rig: Rig) -> None:
    lit_rig.module.set_reset(asserted=True)
    lit_rig.module.set_reset(asserted=False)
    lit_rig.world.advance(3.0)
    assert lit_rig.driver.lit_lanes() == ()
    lit_rig.driver.start_pattern("PRBS31Q")
    assert lit_rig.driver.lit_lanes() == (1, 2, 3, 4)


def test_a_lane_that_stays_dark_is_named(lit_rig: Rig) -> None:
    lit_rig.driver.set_lane(3, lit=False)
    # A register that reads back as written, and a transmitter that does not follow.
    lit_rig.module._data_paths.lit = lambda lane: lane != 3
    with pytest.raises(InstrumentError, match=r"lanes 3 are dark still \(11h:133 OutputStatusTx\)"):
        lit_rig.driver.set_lane(3, lit=True)


@pytest.mark.parametrize("pattern", ["PRBS31", "PRBS63Q", ""])
def test_patterns_that_it_does_not_send(rig: Rig, pattern: str) -> None:
    with pytest.raises(
        UnsupportedError, match=r"reference_tx: does not send .*: 13h:134-135 advertise PRBS31Q"
    ):
        rig.driver.start_pattern(pattern)
    assert rig.written == []


def test_a_module_without_generators_sends_traffic_alone(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(
        dataclasses.replace(GOLDEN, diagnostics=dataclasses.replace(GOLDEN.diagnostics, supported=False))
    )
    rig.driver.connect()
    assert rig.driver.patterns == (TRAFFIC,)
    rig.driver.start_pattern(TRAFFIC)
    assert rig.lit() == [1, 2, 3, 4]
    with pytest.raises(UnsupportedError, match="no generator"):
        rig.driver.start_pattern("SSPRQ")
    rig.driver.stop_pattern()
    assert rig.lit() == []


def test_a_module_that_does_not_switch_its_light_is_stopped_when_it_is_dark(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.reference_module.is_advertised", lambda *_: False)
    rig.driver.stop_pattern()
    rig.driver.start_pattern("PRBS31Q")
    with pytest.raises(UnsupportedError, match="does not switch its light"):
        rig.driver.stop_pattern()


def test_lanes_that_the_module_does_not_have(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(lanes=[4, 5])
    rig.driver.connect()
    with pytest.raises(UnsupportedError, match=r"has no media lanes 5 \(00h:210\)"):
        rig.driver.start_pattern("PRBS31Q")
    assert rig.lit() == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"lanes": []}, "option lanes must list"),
        ({"lanes": [0]}, "option lanes must list"),
        ({"lanes": [1, 1]}, "option lanes must list"),
        ({"lanes": [True]}, "option lanes must list"),
        ({"lanes": "1"}, "option lanes must list"),
        ({"application": 3}, "option application must be text"),
        ({"pins": {}}, "unknown option 'pins'"),
    ],
)
def test_options_are_checked(make_rig: Callable[..., Rig], options: dict[str, object], told: str) -> None:
    with pytest.raises(OutOfRangeError, match=f"reference_tx: {told}"):
        make_rig(**options)
