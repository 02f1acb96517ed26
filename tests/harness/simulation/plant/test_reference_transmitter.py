"""The reference transmitter: its own clock, its light, and a calibration that is nearly the truth."""

from __future__ import annotations

import math

import pytest

from drivers.units import dbm_from_w
from harness.simulation.light.beam import PAM4_RATE_BD, STEADY
from harness.simulation.plant import FibrePlant, ReferenceTransmitter
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern
from harness.simulation.world import World
from harness.simulation_section import ReferenceSpec, read_reference
from harness.tables import Table
from harness.wiring import Fibre, Leg, Splitter, Wiring, parse_port


def spec(**content) -> ReferenceSpec:
    complaints: list[str] = []
    made = read_reference(Table(content, file="bench.toml", key="", complaints=complaints))
    assert complaints == []
    return made


def reference(seed: int = 1, **content) -> ReferenceTransmitter:
    return ReferenceTransmitter(World(seed), spec(**content))


def test_clocks_are_within_100_ppm_and_hardly_ever_the_modules():
    offsets_ppm = [(reference(seed).symbol_rate_bd / PAM4_RATE_BD - 1.0) * 1e6 for seed in range(100)]
    assert all(abs(offset) <= 100.0 for offset in offsets_ppm)
    assert max(offsets_ppm) > 90.0
    assert min(offsets_ppm) < -90.0
    assert sum(abs(offset) < 0.1 for offset in offsets_ppm) < 3
    assert reference(5).symbol_rate_bd == reference(5).symbol_rate_bd


def test_its_light_is_what_the_bench_file_says():
    made = reference(average_power="1.5 dBm", extinction_ratio="6 dB", bandwidth="30 GHz", spread="0 dB")
    (beam,) = made.launched(2)
    assert (beam.source, beam.signal) == ("reference_tx.2", TRAFFIC)
    assert dbm_from_w(beam.power_w) == pytest.approx(1.5)
    assert beam.modulation.extinction_ratio_db == pytest.approx(6.0)
    # OMA over average power at 6 dB: +0.781 dB (optics.md section 4).
    assert dbm_from_w(beam.oma_w) - dbm_from_w(beam.power_w) == pytest.approx(0.781, abs=1e-3)
    assert beam.modulation.bandwidth_hz == 30e9
    assert beam.modulation.symbol_rate_bd == made.symbol_rate_bd
    assert 1310.5 <= beam.wavelength_nm <= 1311.5


def test_lanes_differ_within_the_spread():
    made = reference(spread="0.5 dB")
    powers_dbm = [dbm_from_w(made.launched(lane)[0].power_w) for lane in made.lanes]
    assert len(set(powers_dbm)) == 4
    assert all(abs(power_dbm - 2.0) <= 0.5 for power_dbm in powers_dbm)


def test_lanes_are_switched_one_by_one():
    made = reference()
    assert all(made.is_lit(lane) for lane in made.lanes)
    made.set_lane(3, False)
    assert [len(made.launched(lane)) for lane in made.lanes] == [1, 1, 0, 1]
    made.set_lane(3, True)
    assert len(made.launched(3)) == 1
    assert [reference(lit=False).launched(lane) for lane in made.lanes] == [()] * 4
    assert made.launched(5) == ()
    for lane in (0, 5, -1):
        with pytest.raises(ValueError, match=r"lanes 1 \.\. 4"):
            made.set_lane(lane, True)


def test_what_its_symbols_carry():
    made = reference()
    made.set_signal(1, LineSignal((Pattern(0),)))
    assert made.launched(1)[0].signal == LineSignal((Pattern(0),))
    made.set_signal(1, None)
    (beam,) = made.launched(1)
    assert beam.signal is None
    assert beam.modulation.levels == STEADY.levels
    assert made.launched(2)[0].signal == TRAFFIC


def test_a_multiplexed_one_sends_four_wavelengths_from_port_1():
    made = reference(multiplexed=True)
    beams = made.launched(1)
    assert [round(beam.wavelength_nm, -1) for beam in beams] == [1270.0, 1290.0, 1310.0, 1330.0]
    assert made.launched(2) == ()
    made.set_lane(2, False)
    assert [beam.source[-1] for beam in made.launched(1)] == ["1", "3", "4"]


def test_it_was_measured_as_nearly_what_it_is():
    power_off_db, ratio_off_db = [], []
    for seed in range(200):
        made = reference(seed)
        made._secq_db = 0.9
        (beam,) = made.launched(1)
        found = made.calibration(1)
        power_off_db.append(found.average_power_dbm - dbm_from_w(beam.power_w))
        ratio_off_db.append(found.extinction_ratio_db - 5.0)
        assert abs(found.wavelength_nm - beam.wavelength_nm) <= 0.05 + 1e-9
        assert abs(found.secq_db - 0.9) <= 0.2 + 1e-9
        assert found.oma_outer_dbm - found.average_power_dbm == pytest.approx(
            10
            * math.log10(
                2
                * (10 ** (found.extinction_ratio_db / 10) - 1)
                / (10 ** (found.extinction_ratio_db / 10) + 1)
            )
        )
    for off, expanded in ((power_off_db, 0.15), (ratio_off_db, 0.2)):
        assert max(map(abs, off)) <= expanded + 1e-9
        # k = 2: 68 % within half of what is stated.
        assert 0.55 <= sum(abs(each) <= expanded / 2 for each in off) / 200 <= 0.8
    assert made.calibration(1) == made.calibration(1)


def test_its_secq_follows_its_bandwidth():
    # Transmitter of BT4 with 0.60 of the symbol rate: 0.97 dB (optics.md section 5).
    made = reference(bandwidth="31.875 GHz")
    assert made.secq_db() == pytest.approx(0.97, abs=0.03)


# -- in the bench -------------------------------------------------------------------------------------


def test_it_shines_into_the_bench_beside_the_module():
    world = World(1)
    made = ReferenceTransmitter(world, spec(spread="0 dB"))
    wiring = Wiring([Fibre(parse_port("reference_tx.2"), parse_port("module.rx1"), 3.0, 0.0)], {})
    plant = FibrePlant(world, wiring, reference=made)
    (beam,) = plant.rx_light(1)
    assert dbm_from_w(beam.power_w) == pytest.approx(-1.0)
    made.set_lane(2, False)
    assert plant.rx_light(1) == ()
    assert FibrePlant(world, wiring).rx_light(1) == ()


def test_a_demultiplexer_sends_each_wavelength_its_way():
    world = World(1)
    made = ReferenceTransmitter(world, spec(multiplexed=True))
    filters = Splitter("demux", tuple(Leg(1.0, 0.0, 1271.0 + 20.0 * index) for index in range(4)))
    assert not filters.would_amplify
    pieces = [
        Fibre(parse_port("reference_tx.1"), parse_port("demux.in"), 0.5, 0.0),
        *(Fibre(parse_port(f"demux.{n}"), parse_port(f"power_meter.{n}"), 0.5, 0.0) for n in range(1, 5)),
    ]
    plant = FibrePlant(world, Wiring(pieces, {}, [filters]), reference=made)
    for lane in made.lanes:
        (beam,) = plant.light("power_meter", lane)
        assert beam.source == f"reference_tx.{lane}"
        launched = made.launched(1)[lane - 1]
        assert plant.power_w("power_meter", lane) == pytest.approx(launched.power_w * 10**-0.2)
