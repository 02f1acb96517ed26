"""What a lane's lock depends on, whose errors are whose, and how often light is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.module import CmisModule
from drivers.cmis.vdm.readings import read_vdm
from drivers.units import w_from_dbm
from harness.signal.kp4 import codeword_error_ratio
from harness.simulation.light.beam import Beam, Modulation, even_levels
from harness.simulation.module.lanes.glance import Glance
from harness.simulation.module.lanes.received_light import ReceivedLight
from harness.simulation.module.lanes.receiver import Receivers, draw_receivers
from harness.simulation.module.profile import load_profile
from harness.simulation.served.callables import TwoCallables
from harness.simulation.served.served_module import ServedModule
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern

if TYPE_CHECKING:
    from conftest import ModuleBench

GOOD = load_profile("good-dr4")
LIGHT = Modulation(even_levels(5.0), bandwidth_hz=34e9, rin_db_hz=-150.0)


class _Light:
    def __init__(self) -> None:
        self.power_dbm = 0.0
        self.modulation = LIGHT

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        return (Beam("tx", w_from_dbm(self.power_dbm), 1311.0, TRAFFIC, self.modulation),)

    def vcc_v(self) -> float:
        return 3.3

    def case_temp_c(self) -> float:
        return 25.0


def _receivers() -> tuple[_Light, Receivers]:
    light = _Light()
    drawn = draw_receivers(GOOD.receiver, 4, lambda *_: 0.5)
    receivers = Receivers(drawn, ReceivedLight(GOOD, light))
    receivers.look()
    return light, receivers


@pytest.mark.parametrize(
    "worse",
    [
        dataclasses.replace(LIGHT, rin_db_hz=-115.0),
        # The inner levels all but meet: OMA and average stay.
        dataclasses.replace(LIGHT, levels=(LIGHT.levels[0], 0.995, 1.005, LIGHT.levels[3])),
    ],
    ids=["noise of the laser", "inner levels"],
)
def test_lock_follows_everything_of_the_light(worse: Modulation) -> None:
    light, receivers = _receivers()
    assert receivers.locked(1)
    light.modulation = worse
    receivers.look()
    assert receivers.reception(1).ber > 0.02
    assert not receivers.locked(1)
    light.modulation = LIGHT
    receivers.look()
    assert receivers.locked(1)


def _weakest_locked_dbm(powers: list[float]) -> float:
    light, receivers = _receivers()
    locked = []
    for power in powers:
        light.power_dbm = power
        receivers.look()
        if receivers.locked(1):
            locked.append(power)
    return min(locked)


def test_lock_is_lost_at_the_same_light_however_it_was_reached() -> None:
    # By steps below the grain that lock is judged with, from different sides of it, and at once.
    slow = _weakest_locked_dbm([-8.0 - step / 500.0 for step in range(1500)])
    coarse = _weakest_locked_dbm([-8.0 - step / 100.0 for step in range(300)])
    shifted = _weakest_locked_dbm([-7.987 - step / 100.0 for step in range(300)])
    assert slow == pytest.approx(coarse, abs=0.011)
    assert slow == pytest.approx(shifted, abs=0.011)


def test_after_reset_a_lane_has_to_find_lock_anew() -> None:
    light, receivers = _receivers()
    held = found = None
    for step in range(300):  # light that holds a lock, but gives none
        light.power_dbm = -8.0 - step / 100.0
        receivers.look()
        ber = receivers.reception(1).ber
        if 0.0165 < ber < 0.0185:
            held = receivers.locked(1)
            receivers.reset()
            assert receivers.locked(1)  # before the first look
            receivers.look()
            found = receivers.locked(1)
            break
    assert (held, found) == (True, False)


def test_the_same_light_is_judged_alike_before_and_after_a_power_cycle() -> None:
    light, receivers = _receivers()
    light.power_dbm = -30.0
    receivers.look()
    light.power_dbm = -3.0
    receivers.reset()
    receivers.look()
    assert receivers.locked(1)
    light.modulation = dataclasses.replace(LIGHT, rin_db_hz=-115.0)
    receivers.reset()
    receivers.look()
    assert not receivers.locked(1)


# -- data paths ----------------------------------------------------------------------------------------


class _Lane1Errs:
    def __init__(self, signal: LineSignal | None) -> None:
        self.signal = signal

    def rx_signal(self, lane: int) -> LineSignal | None:
        return self.signal if lane == 1 else TRAFFIC

    def host_signal(self, host_lane: int) -> LineSignal | None:
        return TRAFFIC


def _ferc(bench: ModuleBench) -> float:
    bench.activate()
    bench.world.advance(2.5)
    module = CmisModule(bench.host.memory, bench.clock)
    found = [item.value for item in read_vdm(module.registers) if item.instance.observable.type_id == 23]
    assert len(found) == 1
    assert found[0] is not None
    return found[0]


def test_frame_errors_are_those_of_the_path_that_has_them(make_bench: Callable[..., ModuleBench]) -> None:
    one_of_four = codeword_error_ratio(1e-3) / 4.0
    found = _ferc(make_bench("dr4-breakout", line=_Lane1Errs(LineSignal((None,), 1e-3))))
    assert found == pytest.approx(one_of_four, rel=0.05)
    shared = _ferc(make_bench("good-dr4", line=_Lane1Errs(LineSignal((None,), 1e-3))))
    assert shared == pytest.approx(codeword_error_ratio(2.5e-4), abs=1e-9)


def test_a_path_without_frames_says_nothing_of_the_others(make_bench: Callable[..., ModuleBench]) -> None:
    assert _ferc(make_bench("dr4-breakout", line=_Lane1Errs(LineSignal((Pattern(0),))))) == 0.0
    assert _ferc(make_bench("good-dr4", line=_Lane1Errs(LineSignal((Pattern(0),))))) == 1.0


class _ErringHost:
    """Errors in bursts on host lane 1 alone; the media side is looped inside."""

    def rx_signal(self, lane: int) -> LineSignal | None:
        return TRAFFIC

    def host_signal(self, host_lane: int) -> LineSignal | None:
        return LineSignal((Pattern(0),), 1e-4, 5.0) if host_lane == 1 else LineSignal((Pattern(0),))


def test_errors_of_a_host_lane_come_back_on_it_alone(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench(line=_ErringHost())
    bench.activate()
    bench.write("MediaSideOutputLoopbackEnable", 0x0F)
    first, second = (bench.module.host_output_signal(lane) for lane in (1, 2))
    assert first == LineSignal((Pattern(0),), 1e-4, 5.0)
    assert second == LineSignal((Pattern(0),))
    sent = bench.module.transmitted_signal(1)
    assert sent is not None
    assert (sent.ber, sent.burst_bits) == (pytest.approx(5e-5), pytest.approx(5.0))


# -- looking once --------------------------------------------------------------------------------------


def test_a_glance_keeps_what_no_ring_cut_short() -> None:
    glance, asked = Glance(), []

    def find(name: str, needs: str | None) -> int | None:
        asked.append(name)
        return 1 if needs is None else glance.once(needs, lambda: find(needs, needs_of[needs]))

    needs_of = {"a": "b", "b": "a", "c": None, "d": "c"}
    with glance:
        assert [glance.once(name, lambda name=name: find(name, needs_of[name])) for name in "ddcc"] == [1] * 4
        assert asked == ["d", "c"]
        assert glance.once("a", lambda: find("a", "b")) is None
        assert glance.once("b", lambda: find("b", "a")) is None
        assert asked == ["d", "c", "a", "b", "b"]
    with glance:
        glance.once("c", lambda: find("c", None))
    assert asked[-1] == "c"


def test_a_ring_through_a_shared_fibre_is_walked_once_per_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    served = ServedModule(load_profile("good-fr4"), speed=None)
    served.surroundings.set_loopback_db(0, 3.0)
    served.world.advance(2.0)
    served.module.set_low_power(asserted=False)
    served.world.advance(15.0)
    TwoCallables(served.world, served.module).write(0, 0x13, 181, b"\x0f")  # media side input loopback
    asked = []
    plain = served.surroundings.rx_light

    def counting(port: int) -> tuple[Beam, ...]:
        asked.append(port)
        return plain(port)

    monkeypatch.setattr(served.surroundings, "rx_light", counting)
    served.world.advance(1.0)  # ten looks
    assert len(asked) < 60
    assert served.module.transmitted_signal(1) is None
