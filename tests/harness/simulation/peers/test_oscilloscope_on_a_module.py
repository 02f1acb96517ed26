"""From the module's pattern generator by the plant to the FlexDCA driver: a good module's lanes measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
import pyvisa

from drivers import catalogue
from drivers.cmis.diagnostics import Side
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from drivers.errors import NotSettledError
from drivers.host_board import I2cHostBoard
from drivers.i2c import I2cBus
from drivers.scpi import ScpiSession
from harness.signal.tdecq import EDITION_2017, tdecq
from harness.signal.waveform import Waveform
from harness.simulation.light.oscilloscope import OscilloscopeFrontEnd, seen_by_oscilloscope
from harness.simulation.light.symbols import symbols_of
from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.module.building import build_module
from harness.simulation.module.profile import load_profile
from harness.simulation.peers.catalogue import SimulatedSurroundings, build_peer
from harness.simulation.plant import FibrePlant
from harness.simulation.smbus import SimulatedI2cBus
from harness.simulation.visa import SimulatedVisaLibrary
from harness.simulation.world import VirtualClock, World
from harness.wiring import Fibre, Wiring, parse_port

SCOPE = "keysight-flexdca"
BAUD = 53.125e9
BOARD = {
    "expander_address": 0x20,
    "pin_bits": {"reset_l": 0, "lpmode": 1, "modsel_l": 2, "modprs_l": 8, "int_l": 9},
}


class Site:
    """3.3 V, a case of 35 C, no light in, no host."""

    def vcc_v(self) -> float:
        return 3.3

    def case_temp_c(self) -> float:
        return 35.0

    def rx_light(self, port: int):
        return ()


class Lab:
    """A good module, whose fibres go to an oscilloscope of four channels."""

    def __init__(self) -> None:
        world = World(1)
        self.clock = VirtualClock(world)
        site = Site()
        self.body = build_module(world, load_profile("good-dr4"), site)
        bus = SimulatedI2cBus(world)
        self.board = SimulatedHostBoard(world, bus, self.body, BOARD["pin_bits"], expander_address=0x20)
        host = I2cHostBoard(I2cBus(bus, self.clock, name="host"), self.clock, name="host", options=BOARD)
        host.connect()
        self.body.supply_changed()
        self.clock.sleep(2.0)
        host.pins.set_low_power(asserted=False)
        self.clock.sleep(20.0)
        self.module = CmisModule(host.memory, self.clock)
        ends = [(parse_port(f"module.tx{n}"), parse_port(f"oscilloscope.{n}")) for n in range(1, 5)]
        self.plant = FibrePlant(world, Wiring([Fibre(start, end, 0.4, 0.1) for start, end in ends], {}))
        self.plant.connect_module(self.body)
        peer = build_peer(SCOPE, world, SimulatedSurroundings(self.plant, None, {}), "oscilloscope")
        library = SimulatedVisaLibrary.create(world)
        library.attach("TCPIP0::scope::hislip0::INSTR", peer)
        self.manager = pyvisa.ResourceManager(library)
        session = ScpiSession(
            self.manager.open_resource("TCPIP0::scope::hislip0::INSTR"), self.clock, name="scope"
        )
        self.scope = catalogue.load(SCOPE)(session, self.clock, name="scope", options={})
        self.scope.connect()


@pytest.fixture(scope="module")
def lab():
    made = Lab()
    yield made
    made.manager.close()


def configure(lab: Lab, lane: int, symbols: int) -> None:
    lab.scope.configure(lane, wavelength_nm=1311.0, symbol_rate_bd=BAUD, pattern_symbols=symbols)


def test_traffic_is_no_pattern(lab):
    with pytest.raises(NotSettledError, match="does not lock to a pattern"):
        configure(lab, 1, 65535)


def test_a_good_lane_measures_as_its_light_is(lab):
    with ModulePrbs(lab.module, side=Side.MEDIA) as bert:
        bert.start_pattern("SSPRQ", check=False)
        configure(lab, 2, 65535)
        readings = {
            reading.quantity: reading for reading in lab.scope.measure(2, lab.scope.quantities, patterns=1)
        }
        (beam,) = lab.plant.light("oscilloscope", 2)
    assert not any(reading.questionable or reading.value is None for reading in readings.values())
    value = {quantity: reading.value for quantity, reading in readings.items()}
    symbols = symbols_of(beam.signal.streams[0])
    clean = seen_by_oscilloscope([beam], None, OscilloscopeFrontEnd(0.5 * BAUD))
    expected = tdecq(clean, symbols, reference_filter_applied=True, method=EDITION_2017)
    assert value["tdecq_db"] == pytest.approx(expected.tdecq_db, abs=0.1)
    assert value["ceq_db"] == pytest.approx(expected.ceq_db, abs=0.1)
    assert 10.0 * math.log10(value["oma_outer_w"] / beam.oma_w) == pytest.approx(0.0, abs=0.05)
    assert value["extinction_ratio_db"] == pytest.approx(beam.modulation.extinction_ratio_db, abs=0.05)
    assert value["average_power_w"] == pytest.approx(beam.power_w, rel=0.021)
    assert value["rlm"] > 0.97
    assert value["transition_time_s"] < 17e-12  # 802.3cu's limit, for comparison


def test_a_captured_lane_has_the_tdecq_that_the_oscilloscope_shows(lab):
    with ModulePrbs(lab.module, side=Side.MEDIA) as bert:
        bert.start_pattern("PRBS13Q", check=False)
        configure(lab, 3, 8191)
        captures = [lab.scope.capture(3) for _ in range(4)]
        (shown,) = lab.scope.measure(3, ["tdecq_db"])
        (beam,) = lab.plant.light("oscilloscope", 3)
    # One period of 8191 symbols has a TDECQ that noise spreads by 0.085 dB (one sigma): four of them.
    results = [
        tdecq(
            Waveform(np.array(one.samples_w), one.samples_per_ui, one.symbol_rate_bd),
            symbols_of(beam.signal.streams[0]),
            reference_filter_applied=one.filtered,
            scope_noise_w=12e-6,
            method=EDITION_2017,
        ).tdecq_db
        for one in captures
    ]
    assert np.mean(results) == pytest.approx(shown.value, abs=0.15)


def test_a_lane_that_is_switched_off_is_dark(lab):
    with ModulePrbs(lab.module, side=Side.MEDIA) as bert:
        bert.start_pattern("PRBS13Q", check=False)
        configure(lab, 4, 8191)
        lab.module.set_output_disable_tx([4])
        lab.clock.sleep(1.0)
        oma, power = lab.scope.measure(4, ["oma_outer_w", "average_power_w"])
        lab.module.set_output_disable_tx([])
        lab.clock.sleep(1.0)
    assert oma.value is None
    assert oma.reason
    assert power.value < 1e-6
