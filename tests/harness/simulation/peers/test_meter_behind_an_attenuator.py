"""The N77xx driver at the end of the plant: a step of the attenuator is that step of the reading."""

from __future__ import annotations

import pytest
import pyvisa

from drivers import catalogue
from drivers.scpi import ScpiSession
from drivers.units import dbm_from_w
from harness.simulation.light.beam import Beam
from harness.simulation.peers.catalogue import SimulatedSurroundings, build_peer
from harness.simulation.plant import FibrePlant
from harness.simulation.visa import SimulatedVisaLibrary
from harness.simulation.world import VirtualClock, World
from harness.wiring import Fibre, InsertionLoss, Leg, Splitter, Wiring, parse_port

METER = "keysight-n7745c"
LINEARITY_DB = 0.005  # of the meter from 0.1 uW to 1 mW, with its noise
CHANNELS = (1, 5)  # behind the attenuator, and behind the tap


class Body:
    def launched(self, port: int) -> tuple[Beam, ...]:
        return (Beam(f"module.tx{port}", 1e-3, 1310.0),)


@pytest.fixture
def bench():
    """A plant with a lit attenuator, and a meter behind it and behind a tap of 10 dB."""
    world = World(1)
    pieces = [
        Fibre(parse_port("module.tx1"), parse_port("attenuator.1"), 0.4, 0.1),
        Fibre(parse_port("attenuator.1"), parse_port("tap.in"), 0.4, 0.1),
        Fibre(parse_port("tap.1"), parse_port("power_meter.1"), 0.4, 0.1),
        Fibre(parse_port("tap.2"), parse_port("power_meter.5"), 0.4, 0.1),
    ]
    tap = Splitter("tap", (Leg(0.6, 0.1), Leg(10.4, 0.1)))
    plant = FibrePlant(world, Wiring(pieces, {"attenuator": InsertionLoss(1.5, 0.2)}, [tap]))
    plant.connect_module(Body())
    peer = build_peer(METER, world, SimulatedSurroundings(plant, None, {}), "power_meter")
    library = SimulatedVisaLibrary.create(world)
    library.attach("TCPIP0::meter::5025::SOCKET", peer)
    manager = pyvisa.ResourceManager(library)
    clock = VirtualClock(world)
    session = ScpiSession(manager.open_resource("TCPIP0::meter::5025::SOCKET"), clock, name="power_meter")
    meter = catalogue.load(METER)(session, clock, name="power_meter", options={})
    meter.connect()
    meter.configure(wavelength_nm=1310.0, averaging_s=1.0)
    yield plant, meter
    manager.close()


def read_dbm(meter) -> list[float]:
    return [dbm_from_w(reading.power_w) for reading in meter.read_powers_w(CHANNELS)]


@pytest.mark.parametrize("start_db", [0.0, 7.3, 15.0])
def test_one_decibel_more_reads_one_decibel_less(bench, start_db):
    plant, meter = bench
    plant.set_attenuation("attenuator", 1, start_db)
    before_dbm = read_dbm(meter)
    plant.set_attenuation("attenuator", 1, start_db + 1.0)
    for before, after in zip(before_dbm, read_dbm(meter), strict=True):
        assert before - after == pytest.approx(1.0, abs=LINEARITY_DB)


def test_a_closed_shutter_is_dark(bench):
    plant, meter = bench
    plant.set_shutter("attenuator", 1, open_=False)
    assert all(reading.power_w < 1e-9 for reading in meter.read_powers_w(CHANNELS))
    plant.set_shutter("attenuator", 1, open_=True)
    assert all(power_dbm > -15.0 for power_dbm in read_dbm(meter))


def test_the_tap_says_what_goes_on(bench):
    _, meter = bench
    through_dbm, tapped_dbm = read_dbm(meter)
    # 9.8 dB by what is stated; two legs and two fibres of 0.1 dB each, and the meter's ports.
    assert through_dbm - tapped_dbm == pytest.approx(9.8, abs=0.5)
