"""Multipath interference: which pairs of reflections make an echo, how strong, how late, and its drift."""

from __future__ import annotations

import itertools
import math

import pytest

from harness.simulation.light.beam import PAM4_RATE_BD, Beam
from harness.simulation.plant import FibrePlant
from harness.simulation.plant.echoes import Phases, Reflection, pairs
from harness.simulation.world import World
from harness.simulation_section import WiringFaultSpec
from harness.wiring import Fibre, Wiring, parse_port

TX1 = parse_port("module.tx1")
PAIR = WiringFaultSpec("reflective_pair", port=TX1)


class Body:
    def launched(self, port: int) -> tuple[Beam, ...]:
        return (Beam(f"module.tx{port}", 1e-3, 1310.0),)


def plant(*faults: WiringFaultSpec, world: World | None = None, length_m: float = 10.0, **more) -> FibrePlant:
    pieces = [Fibre(TX1, parse_port("power_meter.1"), 0.5, 0.0, length_m, **more)]
    made = FibrePlant(world or World(1), Wiring(pieces, {}), faults=faults)
    made.connect_module(Body())
    return made


def echoes(made: FibrePlant):
    (beam,) = made.light("power_meter", 1)
    return beam.echoes


def test_good_connectors_make_no_echo():
    assert echoes(plant()) == ()


def test_a_pair_of_minus_26_db():
    (echo,) = echoes(plant(PAIR))
    # 10^(-52/20), and 3.5 mdB of glass twice.
    assert echo.field_ratio == pytest.approx(10 ** (-52.007 / 20.0), rel=1e-6)
    # There and back: 20 m at 4.9 ns/m, in symbols.
    assert echo.delay_ui == pytest.approx(20.0 * 4.9e-9 * PAM4_RATE_BD)


def test_a_pair_takes_no_light_away():
    assert plant(PAIR).power_w("power_meter", 1) == plant().power_w("power_meter", 1)


def test_the_loss_between_counts_twice():
    bend = WiringFaultSpec("bent_fibre", port=TX1, loss_db=3.0)
    (without,), (bent,) = echoes(plant(PAIR)), echoes(plant(PAIR, bend))
    # 6 dB of power more on the way: half the field.
    assert bent.field_ratio / without.field_ratio == pytest.approx(10 ** (-6.0 / 20.0))


def test_a_milder_pair_and_one_that_is_none():
    # Half way, in dB, from -55 to -26 dB: -40.5 dB each, -81 dB together, too weak to keep.
    assert echoes(plant(WiringFaultSpec("reflective_pair", port=TX1, severity=0.5))) == ()
    (echo,) = echoes(plant(WiringFaultSpec("reflective_pair", port=TX1, severity=0.75)))
    assert echo.field_ratio == pytest.approx(10 ** (-2 * 33.25 / 20.0), rel=1e-3)
    assert echoes(plant(WiringFaultSpec("reflective_pair", port=TX1, severity=0.0))) == ()


def test_stated_reflectances_make_echoes_too():
    (echo,) = echoes(plant(reflectance_db=-30.0, length_m=0.0))
    assert echo.field_ratio == pytest.approx(1e-3)


def test_two_dirty_ends_make_an_echo_and_one_does_not():
    near = WiringFaultSpec("dirty_end_face", port=TX1)
    far = WiringFaultSpec("dirty_end_face", port=parse_port("power_meter.1"))
    assert echoes(plant(near)) == ()
    (echo,) = echoes(plant(near, far))
    assert echo.field_ratio == pytest.approx(10 ** (-52.007 / 20.0), rel=1e-6)


def test_three_reflections_make_three_echoes():
    found = list(pairs([Reflection(str(n), -20.0, n * 1.0, n * 100.0) for n in range(3)]))
    assert sorted(pair.key for pair in found) == ["0|1", "0|2", "1|2"]
    assert sorted(pair.delay_s for pair in found) == pytest.approx([980e-9, 980e-9, 1960e-9])


# -- phase --------------------------------------------------------------------------------------------


def phases_rad(seed: int, times_s: list[float]) -> list[float]:
    found = []
    for when_s in times_s:
        world = World(seed)
        world.advance_to(round(when_s * 1e9))
        found.append(Phases(world).phase_rad("pair"))
    return found


def test_a_phase_depends_on_time_alone_not_on_who_asked_before():
    times_s = [0.0, 12.0, 29.999, 30.0, 31.0, 500.0]
    world = World(3)
    asked = Phases(world)
    along = []
    for when_s in times_s:
        world.advance_to(round(when_s * 1e9))
        along.append(asked.phase_rad("pair"))
    assert along == phases_rad(3, times_s)
    assert along != phases_rad(4, times_s)


def test_a_phase_drifts_smoothly_through_several_cycles_in_ten_minutes():
    travelled, steps = [], []
    for seed in range(20):
        world = World(seed)
        asked = Phases(world)
        course = []
        for _ in range(600):
            course.append(asked.phase_rad("pair"))
            world.advance(1.0)
        moves = [abs(b - a) for a, b in itertools.pairwise(course)]
        travelled.append(sum(moves) / (2.0 * math.pi))
        steps.append(max(moves))
    assert 4.0 < sum(travelled) / 20 < 12.0
    assert min(travelled) > 2.0
    assert max(steps) < 1.0  # rad in a second


def test_different_pairs_have_phases_of_their_own():
    asked = Phases(World(1))
    assert asked.phase_rad("one") != asked.phase_rad("other")
