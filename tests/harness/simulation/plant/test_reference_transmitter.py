"""The reference transmitter: its own clock, its light, and a calibration that is nearly the truth."""

from __future__ import annotations

import datetime
import inspect
import math
from dataclasses import replace

import pytest

from drivers import interfaces
from drivers.cmis.diagnostics.patterns import pattern_code
from drivers.units import dbm_from_w
from harness.bench_file.simulation_section import ReferenceSpec, read_reference
from harness.simulation.light.beam import PAM4_RATE_BD, STEADY, Beam
from harness.simulation.module.lanes.received_light import ReceivedLight
from harness.simulation.module.lanes.receiver import Receivers, draw_receivers
from harness.simulation.module.profile import load_profile
from harness.simulation.plant import FibrePlant, ReferenceTransmitter
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern
from harness.simulation.world import World
from harness.tables import Table
from harness.wiring import Fibre, Leg, Splitter, Wiring, parse_port


def spec(**content) -> ReferenceSpec:
    complaints: list[str] = []
    made = read_reference(Table(content, file="bench.toml", key="", complaints=complaints))
    assert complaints == []
    return made


def reference(seed: int = 1, **content) -> ReferenceTransmitter:
    return ReferenceTransmitter(World(seed), spec(**content))


EXACTLY = {"spread": "0 dB", "extinction_ratio_spread": "0 dB", "bandwidth_spread": "0 Hz"}


def test_clocks_are_within_100_ppm_and_hardly_ever_the_modules():
    offsets_ppm = [(reference(seed).symbol_rate_bd / PAM4_RATE_BD - 1.0) * 1e6 for seed in range(100)]
    assert all(abs(offset) <= 100.0 for offset in offsets_ppm)
    assert max(offsets_ppm) > 90.0
    assert min(offsets_ppm) < -90.0
    assert sum(abs(offset) < 0.1 for offset in offsets_ppm) < 3
    assert reference(5).symbol_rate_bd == reference(5).symbol_rate_bd


def test_its_light_is_what_the_bench_file_says():
    made = reference(**EXACTLY, average_power="1.5 dBm", extinction_ratio="6 dB", bandwidth="30 GHz")
    (beam,) = made.launched(2)
    assert (beam.source, beam.signal) == ("reference_tx.2", TRAFFIC)
    assert dbm_from_w(beam.power_w) == pytest.approx(1.5)
    assert beam.modulation.extinction_ratio_db == pytest.approx(6.0)
    # OMA over average power at 6 dB: +0.781 dB.
    assert dbm_from_w(beam.oma_w) - dbm_from_w(beam.power_w) == pytest.approx(0.781, abs=1e-3)
    assert beam.modulation.bandwidth_hz == 30e9
    assert beam.modulation.symbol_rate_bd == made.symbol_rate_bd
    assert 1310.5 <= beam.wavelength_nm <= 1311.5


def test_lanes_differ_within_the_spread():
    made = reference(spread="0.5 dB")
    for values, middle, spread in (
        ([made.launched(lane)[0].modulation.extinction_ratio_db for lane in made.lanes], 5.0, 0.2),
        ([made.launched(lane)[0].modulation.bandwidth_hz for lane in made.lanes], 34e9, 1e9),
    ):
        assert len(set(values)) == 4
        assert all(abs(value - middle) <= spread for value in values)
    powers_dbm = [dbm_from_w(made.launched(lane)[0].power_w) for lane in made.lanes]
    assert len(set(powers_dbm)) == 4
    assert all(abs(power_dbm - 2.0) <= 0.5 for power_dbm in powers_dbm)


def test_lanes_are_switched_one_by_one():
    made = reference()
    assert all(made.is_lit(lane) for lane in made.lanes)
    made.set_lane(3, lit=False)
    assert [len(made.launched(lane)) for lane in made.lanes] == [1, 1, 0, 1]
    made.set_lane(3, lit=True)
    assert len(made.launched(3)) == 1
    assert [reference(lit=False).launched(lane) for lane in made.lanes] == [()] * 4
    assert made.launched(5) == ()
    for lane in (0, 5, -1):
        with pytest.raises(ValueError, match=r"lanes 1 \.\. 4"):
            made.set_lane(lane, lit=True)


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
    made.set_lane(2, lit=False)
    assert [beam.source[-1] for beam in made.launched(1)] == ["1", "3", "4"]


def test_it_was_measured_as_nearly_what_it_is():
    power_off_db, ratio_off_db, secq_off_db = [], [], []
    for seed in range(200):
        made = reference(seed)
        made._secq_db = {1: 0.9}
        (beam,) = made.launched(1)
        found = made.calibration(1)
        power_off_db.append(found.average_power_dbm - dbm_from_w(beam.power_w))
        ratio_off_db.append(found.extinction_ratio_db - beam.modulation.extinction_ratio_db)
        assert abs(found.wavelength_nm - beam.wavelength_nm) <= 0.05 + 1e-9
        secq_off_db.append(found.secq_db - 0.9)
        assert found.oma_outer_dbm - found.average_power_dbm == pytest.approx(
            10
            * math.log10(
                2
                * (10 ** (found.extinction_ratio_db / 10) - 1)
                / (10 ** (found.extinction_ratio_db / 10) + 1)
            )
        )
    for off, expanded in ((power_off_db, 0.15), (ratio_off_db, 0.2), (secq_off_db, 0.2)):
        assert max(map(abs, off)) <= expanded + 1e-9
        # k = 2: 68 % within half of what is stated.
        assert 0.55 <= sum(abs(each) <= expanded / 2 for each in off) / 200 <= 0.8
    assert made.calibration(1) == made.calibration(1)


def test_its_secq_follows_its_bandwidth():
    # Transmitter of BT4 with 0.60 of the symbol rate: 0.97 dB.
    made = reference(**EXACTLY, bandwidth="31.875 GHz")
    assert made.secq_db(1) == pytest.approx(0.97, abs=0.03)
    assert made.secq_db(1) == reference(**EXACTLY, bandwidth="31.875 GHz", average_power="-5 dBm").secq_db(1)


def test_its_calibration_has_a_date():
    made = reference(calibrated=datetime.date(2026, 3, 31))
    made._secq_db = {2: 0.9}
    assert made.calibration(2).calibrated == "2026-03-31"


@pytest.mark.parametrize("name", ["PRBS31Q", "PRBS13Q", "SSPRQ"])
def test_it_sends_the_pattern_that_the_bench_file_names(name):
    (beam,) = reference(pattern=name).launched(1)
    assert beam.signal is not None
    assert beam.signal.carries(Pattern(pattern_code(name)))
    assert not beam.signal.is_traffic


def test_it_is_switched_as_the_role_is():
    role = inspect.signature(interfaces.ReferenceTransmitter.set_lane)
    assert list(inspect.signature(ReferenceTransmitter.set_lane).parameters.items()) == list(
        role.parameters.items()
    )


def test_a_module_finds_its_clock_from_the_dark_wherever_it_is():
    """802.3 Table 124-6: within 100 ppm of the nominal rate."""
    profile = load_profile("good-dr4")

    class Dark:
        beams: tuple[Beam, ...] = ()

        def rx_light(self, port: int) -> tuple[Beam, ...]:
            return self.beams

    (sent,) = reference().launched(1)
    for ppm in (-100.0, 100.0, 0.0):
        bench = Dark()
        drawn = draw_receivers(profile.receiver, 4, lambda *_: 0.5)
        receivers = Receivers(drawn, ReceivedLight(profile, bench))
        receivers.look()
        assert not receivers.locked(1)
        rate_bd = PAM4_RATE_BD * (1.0 + ppm * 1e-6)
        bench.beams = (replace(sent, modulation=replace(sent.modulation, symbol_rate_bd=rate_bd)),)
        receivers.look()
        receivers.look()
        assert receivers.locked(1), ppm


# -- in the bench -------------------------------------------------------------------------------------


def test_it_shines_into_the_bench_beside_the_module():
    world = World(1)
    made = ReferenceTransmitter(world, spec(spread="0 dB"))
    wiring = Wiring([Fibre(parse_port("reference_tx.2"), parse_port("module.rx1"), 3.0, 0.0)], {})
    plant = FibrePlant(world, wiring, reference=made)
    (beam,) = plant.rx_light(1)
    assert dbm_from_w(beam.power_w) == pytest.approx(-1.0)
    made.set_lane(2, lit=False)
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
