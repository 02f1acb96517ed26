"""Multipath interference: which pairs of reflections make an echo, how strong, how late, and its drift."""

from __future__ import annotations

import itertools
import math

import pytest

from harness.bench_file.simulation_section import WiringFaultSpec
from harness.simulation.light.beam import PAM4_RATE_BD, Beam, Echo
from harness.simulation.plant import FibrePlant
from harness.simulation.plant.echoes import Phases, Reflection, pair_key, pairs
from harness.simulation.world import World
from harness.wiring import Fibre, InsertionLoss, Wiring, parse_port

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


def strongest(made: FibrePlant) -> Echo:
    (beam,) = made.light("power_meter", 1)
    return max(beam.echoes, key=lambda echo: echo.field_ratio)


CLEAN_DB = -(30.0 + 40.0) - 2.0 * 0.5
"""Of the ports of module and meter, 0.5 dB apart: what every path has."""


def test_good_connectors_leave_the_ports_own_reflections():
    (beam,) = plant().light("power_meter", 1)
    (echo,) = beam.echoes
    assert echo.field_ratio == pytest.approx(10 ** (CLEAN_DB / 20.0), rel=1e-6)


def test_a_pair_of_minus_26_db():
    echo = strongest(plant(PAIR))
    # 10^(-52/20), and 3.5 mdB of glass twice.
    assert echo.field_ratio == pytest.approx(10 ** (-52.007 / 20.0), rel=1e-6)
    # There and back: 20 m at 4.9 ns/m, in symbols.
    assert echo.delay_ui == pytest.approx(20.0 * 4.9e-9 * PAM4_RATE_BD)


def test_what_goes_back_does_not_go_on():
    took = plant(PAIR).power_w("power_meter", 1) / plant().power_w("power_meter", 1)
    assert took == pytest.approx(((1.0 - 10**-2.6) / (1.0 - 10**-5.5)) ** 2)
    # However little loss the bench file states.
    open_ended = [Fibre(TX1, parse_port("power_meter.1"), 0.0, 0.0, reflectance_db=-14.0)]
    made = FibrePlant(World(1), Wiring(open_ended, {}))
    made.connect_module(Body())
    assert made.power_w("power_meter", 1) == pytest.approx(1e-3 * (1.0 - 10**-1.4) ** 2)


def field_ratio(made: FibrePlant, one: str, other: str) -> float:
    """Of the echo between two end faces, by their names."""
    (way,) = made._tracer.ways_to(parse_port("power_meter.1"))
    return next(pair.field_ratio for pair in way.pairs if pair.key == pair_key(one, other))


def test_the_loss_between_counts_twice():
    bend = WiringFaultSpec("bent_fibre", port=TX1, loss_db=3.0)
    faces = ("module.tx1>power_meter.1:start", "module.tx1>power_meter.1:end")
    without, bent = field_ratio(plant(PAIR), *faces), field_ratio(plant(PAIR, bend), *faces)
    # 6 dB of power more on the way: half the field.
    assert bent / without == pytest.approx(10 ** (-6.0 / 20.0))


def test_an_element_between_two_reflections_counts_twice_too():
    pieces = [
        Fibre(TX1, parse_port("attenuator.1"), 1.0, 0.0, 0.0, -20.0),
        Fibre(parse_port("attenuator.1"), parse_port("power_meter.1"), 1.0, 0.0, 0.0, -20.0),
    ]
    made = FibrePlant(World(1), Wiring(pieces, {"attenuator": InsertionLoss(1.5, 0.0)}))
    for setting_db in (0.0, 3.0):
        made.set_attenuation("attenuator", 1, setting_db)
        found = field_ratio(made, "module.tx1>attenuator.1:end", "attenuator.1>power_meter.1:start")
        # Half a decibel of each connector is between them, too.
        assert found == pytest.approx(10 ** ((-40.0 - 2.0 * (1.0 + 1.5 + setting_db)) / 20.0))


def test_the_far_connectors_loss_lies_between_its_face_and_what_is_behind():
    # 2 dB in the connectors, half at each end; the reflecting source port lies beyond the far one.
    pieces = [Fibre(TX1, parse_port("power_meter.1"), 2.0, 0.0, 0.0)]
    reflections = FibrePlant(World(1), Wiring(pieces, {}))._tracer.ways_to(pieces[0].end)[0].reflections
    assert [(round(each.at_db, 6), each.reflectance_db) for each in reflections] == [
        (0.0, -40.0),
        (1.0, -55.0),
        (1.0, -55.0),
        (2.0, -30.0),
    ]


def test_a_milder_pair_and_one_that_is_none():
    # Half way, in dB, from -55 to -26 dB: -40.5 dB each, -81 dB together, too weak to keep.
    mild = [
        plant(WiringFaultSpec("reflective_pair", port=TX1, severity=severity)) for severity in (0.0, 0.75)
    ]
    assert mild[0].light("power_meter", 1) == plant().light("power_meter", 1)
    ratios = [echo.field_ratio for echo in mild[1].light("power_meter", 1)[0].echoes]
    assert any(ratio == pytest.approx(10 ** (-2 * 33.25 / 20.0), rel=1e-3) for ratio in ratios)


def test_one_dirty_face_shows_beside_the_ports():
    for port in (TX1, parse_port("power_meter.1")):
        echo = strongest(plant(WiringFaultSpec("dirty_end_face", port=port)))
        assert echo.field_ratio > 10 ** (-71.0 / 20.0) * 2.0


def test_two_dirty_ends_make_the_strongest_echo_of_a_path():
    near = WiringFaultSpec("dirty_end_face", port=TX1)
    far = WiringFaultSpec("dirty_end_face", port=parse_port("power_meter.1"))
    assert strongest(plant(near, far)).field_ratio == pytest.approx(10 ** (-52.007 / 20.0), rel=1e-6)


def test_light_keeps_the_echoes_that_it_comes_with():
    own = Echo(0.01, 100.0, 1.0)

    class Echoing:
        def launched(self, port: int) -> tuple[Beam, ...]:
            return (Beam(f"module.tx{port}", 1e-3, 1310.0, echoes=(own,)),)

    made = plant(PAIR)
    made.connect_module(Echoing())
    (beam,) = made.light("power_meter", 1)
    assert beam.echoes[0] == own
    assert len(beam.echoes) > 1


def test_both_directions_of_light_see_one_phase():
    rx1 = parse_port("module.rx1")
    loop = [
        Fibre(TX1, parse_port("attenuator.1"), 0.1, 0.0, 10.0),
        Fibre(parse_port("attenuator.1"), rx1, 0.1, 0.0, 10.0),
    ]
    wiring = Wiring(loop, {"attenuator": InsertionLoss(0.1, 0.0)})
    dirt = (WiringFaultSpec("dirty_end_face", port=TX1), WiringFaultSpec("dirty_end_face", port=rx1))
    seen = []
    for faults in (dirt, (*dirt, WiringFaultSpec("key_flipped"))):
        made = FibrePlant(World(1), wiring, faults=faults)
        made.connect_module(Body())
        (beam,) = made.rx_light(1)
        seen.append(max(beam.echoes, key=lambda echo: echo.field_ratio))
    # Between the two dirty faces: nothing else is as strong.
    assert seen[0].delay_ui == pytest.approx(40.0 * 4.9e-9 * PAM4_RATE_BD)
    assert seen[0].phase_rad == seen[1].phase_rad
    assert seen[0].field_ratio == pytest.approx(seen[1].field_ratio)


def test_of_very_many_echoes_the_strongest_are_kept():
    found = pairs([Reflection(str(n), -20.0 - 0.01 * n, 0.0, n * 1.0) for n in range(200)])
    assert len(found) == 32
    assert min(pair.field_ratio for pair in found) >= 10 ** (-2 * (20.0 + 0.01 * 9) / 20.0)
    assert "0|1" in {pair.key for pair in found}


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
