"""A single-lane BERT (driver and simulated M8040A) on a simulated module whose fibres are looped back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pyvisa

from drivers.interfaces import LaneErrors
from drivers.keysight_m8070b import M8070B
from drivers.scpi import ScpiSession
from drivers.units import ratio_from_db
from harness.simulation.host_lanes import LANE_BITS_PER_S, HostLanes
from harness.simulation.light.beam import Beam
from harness.simulation.module.profile import load_profile
from harness.simulation.peers.m8070b import M8070bPeer
from harness.simulation.visa import SimulatedVisaLibrary

ADDRESS = "TCPIP0::bert.sim::inst0::INSTR"
FLOOR = 1e-9  # a good receiver's, with much light
BOTH = {"generators": ["M1.DataOut1", "M1.DataOut2"]}


class LoopedLane:
    """The module, its own light behind an attenuation, and the instrument at host lanes 1 and 2, which the
    module multiplexes into media lane 1."""

    def __init__(self, make_bench: Callable[..., Any]) -> None:
        profile = load_profile("good-dr4")
        # Light that stands still, so that what is counted scatters by counting alone.
        steady = dataclasses.replace(profile.transmitter, wander_db=0.0)
        self.host_lanes = HostLanes()
        self.bench = make_bench(dataclasses.replace(profile, transmitter=steady), line=self.host_lanes)
        self.host_lanes.connect_module(self.bench.module)
        self.attenuation_db = 2.0
        self.bench.surroundings.rx_light = self.rx_light
        self.bench.activate()
        library = SimulatedVisaLibrary.create(self.bench.world)
        library.attach(ADDRESS, M8070bPeer(self.bench.world, self.host_lanes, role="bert"))
        self.manager = pyvisa.ResourceManager(library)
        resource: Any = self.manager.open_resource(ADDRESS)
        session = ScpiSession(resource, self.bench.clock, name="bert")
        self.bert = M8070B(session, self.bench.clock, name="bert", options=BOTH)
        self.bert.connect()

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        transmission = ratio_from_db(-self.attenuation_db)
        return tuple(beam.through(transmission) for beam in self.bench.module.launched(port))

    def attenuate(self, attenuation_db: float) -> None:
        self.attenuation_db = attenuation_db
        self.bench.clock.sleep(1.0)

    def count(self, gate_s: float) -> LaneErrors:
        (found,) = self.bert.measure_errors(self.bert.lanes, gate_s)
        return found


@pytest.fixture
def looped(make_bench: Callable[..., Any]) -> Iterator[LoopedLane]:
    made = LoopedLane(make_bench)
    yield made
    made.manager.close()


def test_a_pattern_goes_through_the_module_and_the_light_and_comes_back(looped: LoopedLane) -> None:
    looped.bert.start_pattern("PRBS31Q")
    found = looped.count(2.0)
    assert found.locked
    assert found.bits == pytest.approx(2.0 * LANE_BITS_PER_S, rel=1e-6)
    assert found.errors < FLOOR * found.bits


def test_one_generator_is_enough_for_its_own_lane(looped: LoopedLane) -> None:
    looped.bert.start_pattern("PRBS13Q", [1])
    assert looped.count(1.0).locked


def test_little_light_makes_as_many_errors_as_the_receiver_does(looped: LoopedLane) -> None:
    looped.bert.start_pattern("PRBS31Q")
    ratios = []
    for attenuation_db in (5.0, 6.0, 7.0):
        looped.attenuate(attenuation_db)
        signal = looped.host_lanes.received(1)
        assert signal is not None
        found = looped.count(1.0)
        mean = signal.ber * found.bits
        assert found.errors == pytest.approx(mean, abs=4.0 * (mean * signal.burst_bits) ** 0.5 + 1e-3 * mean)
        ratios.append(found.ber)
    assert None not in ratios
    assert ratios == sorted(ratios)
    assert ratios[-1] > 1e-6


def test_inserted_errors_come_back_at_their_ratio(looped: LoopedLane) -> None:
    looped.bert.start_pattern("PRBS31Q")
    for lane in looped.bert.generator_lanes:
        looped.bert.set_error_insertion(lane, 1e-6)
    found = looped.count(1.0)
    assert found.ber == pytest.approx(1e-6, rel=4.0 / found.errors**0.5)
    for lane in looped.bert.generator_lanes:
        looped.bert.set_error_insertion(lane, None)
    after = looped.count(1.0)
    assert after.errors < FLOOR * after.bits


def test_a_dark_fibre_is_a_result_and_light_brings_the_lane_back(looped: LoopedLane) -> None:
    looped.bert.start_pattern("PRBS13Q")
    looped.attenuate(40.0)
    dark = looped.count(1.0)
    assert (dark.bits, dark.locked, dark.ber) == (0, False, None)
    assert looped.bert.input_status().data_lost
    looped.attenuate(2.0)
    assert looped.count(1.0).locked


def test_the_host_has_its_lanes_back_when_the_bench_is_made_safe(looped: LoopedLane) -> None:
    looped.bert.start_pattern("PRBS13Q")
    assert all(step.safe for step in looped.bert.make_safe())
    signal = looped.host_lanes.received(1)
    assert signal is not None
    assert signal.is_traffic
    assert not looped.count(1.0).locked
