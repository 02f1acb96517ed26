"""Finding the ways of light: rings end, bands narrow, ways join again, and none are followed without end."""

from __future__ import annotations

import math

import pytest

from drivers.errors import BenchError
from harness.bench_file.simulation_section import WiringFaultSpec
from harness.simulation.light.beam import Beam, Echo, total_power_w
from harness.simulation.plant import FibrePlant
from harness.simulation.plant.echoes import GLASS_S_PER_M
from harness.simulation.world import World
from harness.wiring import Fibre, InsertionLoss, Leg, Port, Splitter, Wiring, parse_port

HALF = (Leg(3.02, 0.0), Leg(3.02, 0.0))
SENT_W = 1e-3
PASSES = {"optical_switch": InsertionLoss(0.0, 0.0), "attenuator": InsertionLoss(0.0, 0.0)}


class Body:
    def __init__(self, wavelength_nm: float = 1311.0) -> None:
        self.wavelength_nm = wavelength_nm

    def launched(self, port: int) -> tuple[Beam, ...]:
        return (Beam(f"module.tx{port}", SENT_W, self.wavelength_nm),)


def fibre(start: str, end: str, *, length_m: float = 2.0, loss_db: float = 0.0) -> Fibre:
    return Fibre(parse_port(start), parse_port(end), loss_db, 0.0, length_m)


def plant(
    fibres: list[Fibre],
    *splitters: Splitter,
    faults: tuple[WiringFaultSpec, ...] = (),
    wavelength_nm: float = 1311.0,
) -> FibrePlant:
    made = FibrePlant(World(1), Wiring(fibres, PASSES, splitters), faults=faults)
    made.connect_module(Body(wavelength_nm))
    return made


def test_light_in_a_ring_is_followed_once():
    # A ring of two couplers: half of the light goes on to the meter, half of the rest comes round.
    ring = [
        fibre("module.tx1", "a.1"),
        fibre("a.in", "b.in"),
        fibre("b.1", "a.2"),
        fibre("b.2", "power_meter.1"),
    ]
    made = plant(ring, Splitter("a", HALF), Splitter("b", HALF))
    assert made.power_w("power_meter", 1) == pytest.approx(SENT_W * 10**-0.604, rel=1e-3)
    assert len(made.light("power_meter", 1)) == 1


def stages(count: int, legs: tuple[Leg, ...]) -> tuple[list[Fibre], list[Splitter]]:
    """So many times divided and joined again."""
    fibres, splitters, last = [], [], "module.tx1"
    for stage in range(count):
        splitters += [Splitter(f"d{stage}", legs), Splitter(f"j{stage}", legs)]
        fibres.append(fibre(last, f"d{stage}.in"))
        fibres += [fibre(f"d{stage}.{n}", f"j{stage}.{n}") for n in range(1, len(legs) + 1)]
        last = f"j{stage}.in"
    fibres.append(fibre(last, "power_meter.1"))
    return fibres, splitters


def test_demultiplexers_and_multiplexers_in_a_row_pass_each_wavelength_one_way():
    # 20 wavelengths and 12 stages: 20^12 ways, of which light takes 20.
    fibres, splitters = stages(12, tuple(Leg(0.0, 0.0, 1215.0 + 20.0 * n) for n in range(20)))
    made = plant(fibres, *splitters, wavelength_nm=1255.0)
    (beam,) = made.light("power_meter", 1)
    assert beam.power_w == pytest.approx(SENT_W, rel=1e-3)
    crossed = [
        fibre("module.tx1", "d.in"),
        fibre("d.1", "j.2"),
        fibre("d.2", "j.1"),
        fibre("j.in", "power_meter.1"),
    ]
    bands = (Leg(0.0, 0.0, 1271.0), Leg(0.0, 0.0, 1291.0))
    dark = plant(crossed, Splitter("d", bands), Splitter("j", bands), wavelength_nm=1271.0)
    assert dark.light("power_meter", 1) == ()


def test_more_ways_than_anybody_can_follow_are_refused_before_anything_runs():
    fibres, splitters = stages(16, HALF)
    with pytest.raises(BenchError, match=r"light can come to power_meter\.1 by more than 10000 ways"):
        plant(fibres, *splitters)


def test_light_through_very_many_pieces_is_refused():
    splitters = [Splitter(f"s{n}", (Leg(0.0, 0.0),)) for n in range(200)]
    fibres = [fibre("module.tx1", "s0.in")]
    fibres += [fibre(f"s{n}.1", f"s{n + 1}.in") for n in range(199)]
    fibres.append(fibre("s199.1", "power_meter.1"))
    with pytest.raises(BenchError, match=r"on its way to power_meter\.1 goes through more than 100 fibres"):
        plant(fibres, *splitters)


@pytest.mark.parametrize(
    ("attenuation_db", "seen"), [(59.0, True), (80.0, True), (99.0, True), (101.0, False)]
)
def test_darkness_begins_where_no_instrument_sees_anything(attenuation_db, seen):
    made = plant([fibre("module.tx1", "attenuator.1"), fibre("attenuator.1", "power_meter.1")])
    made.set_attenuation("attenuator", 1, attenuation_db)
    assert bool(made.light("power_meter", 1)) is seen
    if seen:
        expected_w = SENT_W * 10 ** (-attenuation_db / 10.0)
        assert made.power_w("power_meter", 1) == pytest.approx(expected_w, rel=1e-3)


def test_a_fault_is_of_its_own_fibre():
    faults = (
        WiringFaultSpec("bent_fibre", port=Port("module", "tx1"), loss_db=1.0),
        WiringFaultSpec("bent_fibre", port=Port("module", "tx2"), loss_db=4.0),
    )
    made = plant(
        [fibre("module.tx1", "power_meter.1"), fibre("module.tx2", "power_meter.2")],
        faults=faults,
    )
    for port, loss_db in ((1, 1.0), (2, 4.0)):
        lost_db = -10.0 * math.log10(made.power_w("power_meter", port) / SENT_W)
        assert lost_db == pytest.approx(loss_db, abs=1e-3)


# -- light of one laser that comes by two ways --------------------------------------------------------


def rejoined(shorter_db: float, *, longer_m: float = 12.0) -> FibrePlant:
    return plant(
        [
            fibre("module.tx1", "a.in"),
            fibre("a.1", "b.1", loss_db=shorter_db),
            fibre("a.2", "b.2", length_m=longer_m),
            fibre("b.in", "module.rx1"),
        ],
        Splitter("a", HALF),
        Splitter("b", HALF),
    )


def test_it_is_one_beam_with_an_echo():
    made = rejoined(20.0)
    (beam,) = made.rx_light(1)
    assert beam.source == "module.tx1"
    echo = max(beam.echoes, key=lambda echo: echo.field_ratio)
    # 20 dB of power are a tenth of the field; 10 m of glass later.
    assert echo.field_ratio == pytest.approx(0.1, rel=1e-3)
    assert echo.delay_ui == pytest.approx(10.0 * GLASS_S_PER_M * beam.modulation.symbol_rate_bd)


def test_it_keeps_the_echoes_that_it_comes_with():
    own = Echo(0.5, 100.0, 1.0)

    class Echoing:
        def launched(self, port: int) -> tuple[Beam, ...]:
            return (Beam(f"module.tx{port}", SENT_W, 1311.0, echoes=(own,)),)

    made = rejoined(20.0)
    made.connect_module(Echoing())
    (beam,) = made.rx_light(1)
    assert own in beam.echoes


def test_its_powers_add_and_do_not_beat_on_average():
    alone = SENT_W * 10**-0.604
    (beam,) = rejoined(20.0).rx_light(1)
    assert beam.power_w == pytest.approx(alone * 1.01, rel=1e-4)
    (beam,) = rejoined(0.0).rx_light(1)
    assert beam.power_w == pytest.approx(alone * 2.0, rel=1e-4)
    assert max(echo.field_ratio for echo in beam.echoes) == pytest.approx(1.0)


def test_ways_of_one_length_are_not_one_to_a_symbol():
    (beam,) = rejoined(20.0, longer_m=2.0).rx_light(1)
    assert max(beam.echoes, key=lambda echo: echo.field_ratio).delay_ui > 1.0


def test_joined_by_a_matrix_it_is_so_too():
    made = plant(
        [
            fibre("module.tx1", "a.in"),
            fibre("a.1", "optical_switch.1"),
            fibre("a.2", "optical_switch.2"),
            fibre("optical_switch.17", "b.1"),
            fibre("optical_switch.18", "b.2"),
            fibre("b.in", "power_meter.1"),
        ],
        Splitter("a", HALF),
        Splitter("b", HALF),
    )
    made.set_routes("optical_switch", {1: 17, 2: 18})
    light = made.light("power_meter", 1)
    assert len(light) == 1
    assert total_power_w(light) == pytest.approx(made.power_w("power_meter", 1))
