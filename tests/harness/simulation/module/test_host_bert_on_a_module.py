"""A host-side BERT (driver and simulated chassis) on a simulated module whose fibres are looped back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import pyvisa

from drivers.cmis.diagnostics import Side
from drivers.cmis.fields import f16_to_float
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from drivers.scpi import ScpiSession
from drivers.units import ratio_from_db
from drivers.xena_xoa import XenaChassis
from harness.signal.kp4 import CODEWORDS_PER_S, expected_histogram, symbol_error_ratio
from harness.simulation.host_lanes import LANE_BITS_PER_S, HostLanes
from harness.simulation.light.beam import Beam
from harness.simulation.module.profile import load_profile
from harness.simulation.peers.xena import XenaPeer
from harness.simulation.visa import SimulatedVisaLibrary

ADDRESS = "TCPIP0::bert.sim::22611::SOCKET"
LANES = tuple(range(1, 9))


class Looped:
    """The module, its own light behind an attenuation, and a chassis at its host lanes."""

    def __init__(self, make_bench: Callable[..., Any], seed: int) -> None:
        profile = load_profile("good-dr4")
        # Light that stands still, so that what is counted scatters by counting alone.
        steady = dataclasses.replace(profile.transmitter, wander_db=0.0)
        host_side = dataclasses.replace(profile.host_side, polarity_flip_rx=True)
        self.host_lanes = HostLanes()
        self.bench = make_bench(
            dataclasses.replace(profile, transmitter=steady, host_side=host_side),
            seed=seed,
            line=self.host_lanes,
        )
        self.module, self.world = self.bench.module, self.bench.world
        self.host_lanes.connect_module(self.module)
        self.attenuations_db = dict.fromkeys((1, 2, 3, 4), 5.0)
        self.bench.surroundings.rx_light = self.rx_light
        self.bench.activate()
        library = SimulatedVisaLibrary.create(self.world)
        self.peer = XenaPeer(self.world, self.host_lanes, role="bert")
        library.attach(ADDRESS, self.peer)
        self.manager = pyvisa.ResourceManager(library)
        self.chassis = self.another_user()
        self.chassis.connect()

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        transmission = ratio_from_db(-self.attenuations_db[port])
        return tuple(beam.through(transmission) for beam in self.module.launched(port))

    def another_user(self, **options: object) -> XenaChassis:
        resource: Any = self.manager.open_resource(ADDRESS)
        session = ScpiSession(resource, self.bench.clock, name="bert")
        return XenaChassis(session, self.bench.clock, name="bert", options=options)

    def attenuate(self, *attenuations_db: float) -> None:
        self.attenuations_db = dict(enumerate(attenuations_db, start=1))
        self.bench.clock.sleep(1.0)

    def true_ber(self, media_lane: int) -> float:
        signal = self.host_lanes.received(2 * media_lane)
        assert signal is not None
        return signal.ber


@pytest.fixture
def make_looped(make_bench: Callable[..., Any]) -> Iterator[Callable[..., Looped]]:
    made: list[Looped] = []

    def make(seed: int = 1) -> Looped:
        made.append(Looped(make_bench, seed))
        return made[-1]

    yield make
    for looped in made:
        looped.manager.close()


@pytest.fixture
def looped(make_looped: Callable[..., Looped]) -> Looped:
    return make_looped()


def own_pre_fec_bers(looped: Looped) -> list[float]:
    """VDM's pre-FEC BER of the media lanes, now, over the bus."""
    raw = looped.bench.get(0, 0x24, 128, 128)
    return [f16_to_float(raw[2 * index] << 8 | raw[2 * index + 1]) for index in range(24, 28)]


def equal_bers(looped: Looped, ber: float) -> None:
    """Attenuate each lane until it has this bit error ratio."""
    low_db, high_db = dict.fromkeys(range(1, 5), 0.0), dict.fromkeys(range(1, 5), 12.0)
    for _ in range(30):
        looped.attenuations_db = {lane: 0.5 * (low_db[lane] + high_db[lane]) for lane in low_db}
        looped.world.advance(0.2)
        for lane, attenuation_db in looped.attenuations_db.items():
            (low_db if looped.true_ber(lane) < ber else high_db)[lane] = attenuation_db


def test_a_pattern_on_all_eight_lanes_comes_back_on_all_eight(looped: Looped) -> None:
    looped.attenuate(0.5, 0.5, 0.5, 0.5)
    looped.chassis.start_pattern("PRBS31Q")
    found = looped.chassis.measure_errors(LANES, 1.0)
    assert [lane.lane for lane in found] == list(LANES)
    for lane in found:
        assert lane.locked
        assert lane.bits == pytest.approx(LANE_BITS_PER_S, rel=1e-9)
        expected = looped.true_ber((lane.lane + 1) // 2) * lane.bits
        assert expected < 5.0
        assert lane.errors <= expected + 6.0 * math.sqrt(expected)


def test_good_light_has_no_codeword_with_many_wrong_symbols(looped: Looped) -> None:
    looped.attenuate(0.5, 0.5, 0.5, 0.5)
    found = looped.chassis.read_fec_histogram(10.0)
    assert found.codewords == pytest.approx(10.0 * CODEWORDS_PER_S, rel=1e-6)
    assert sum(found.histogram[2:]) == 0
    assert found.pre_fec_ber is not None
    assert found.pre_fec_ber < 1e-9


def test_at_low_light_it_counts_what_the_module_says_of_itself(looped: Looped) -> None:
    looped.attenuate(8.0, 7.0, 7.5, 6.5)
    looped.bench.clock.sleep(2.5)  # a whole VDM interval of this light
    own = own_pre_fec_bers(looped)
    own_bits = 2.0 * LANE_BITS_PER_S * looped.module.profile.vdm.update_s
    looped.chassis.start_pattern("PRBS31Q")
    for lane in looped.chassis.measure_errors(LANES, 10.0):
        module_ber = own[(lane.lane - 1) // 2]
        deviation = math.sqrt(module_ber / lane.bits + module_ber / own_bits)
        rounding = module_ber * 2.0**-11  # of F16
        assert lane.locked
        assert lane.errors > 1000
        assert lane.ber == pytest.approx(module_ber, abs=5.0 * deviation + rounding)
    # Counts of the two host lanes in one media lane are not the same count.
    pairs = looped.chassis.measure_errors((1, 2), 1.0)
    assert pairs[0].errors != pairs[1].errors


def test_wrong_symbols_per_codeword_are_distributed_as_independent_errors(looped: Looped) -> None:
    equal_bers(looped, 1e-4)
    ber = sum(looped.true_ber(lane) for lane in range(1, 5)) / 4.0
    assert ber == pytest.approx(1e-4, rel=1e-4)
    found = looped.chassis.read_fec_histogram(2.0)
    expected = expected_histogram(ber) * found.codewords
    usual = expected >= 10.0
    counted = np.array(found.histogram)
    chi_squared = float((np.square(counted - expected) / expected)[usual].sum())
    freedom = int(usual.sum()) - 1
    assert freedom >= 5
    assert abs(chi_squared - freedom) < 5.0 * math.sqrt(2.0 * freedom)
    assert counted[~usual].sum() <= expected[~usual].sum() + 20.0
    # One wrong bit to a symbol: a little below the true ratio.
    assert found.pre_fec_ber == pytest.approx(symbol_error_ratio(ber) / 10.0, rel=1e-3)


def test_light_beyond_the_code_s_strength_loses_codewords(looped: Looped) -> None:
    looped.attenuate(9.5, 9.5, 9.5, 9.5)
    found = looped.chassis.read_fec_histogram(1.0)
    assert 0.001 < found.uncorrectable_codewords / found.codewords < 1.0


def test_no_lock_in_the_dark(looped: Looped) -> None:
    looped.chassis.start_pattern("PRBS31Q")
    looped.attenuate(5.0, 100.0, 5.0, 5.0)
    found = looped.chassis.measure_errors(LANES, 1.0)
    assert [lane.lane for lane in found if not lane.locked] == [3, 4]
    assert {(lane.bits, lane.ber) for lane in found if not lane.locked} == {(0, None)}
    looped.chassis.stop_pattern()
    dark = looped.chassis.read_fec_histogram(1.0)
    assert (dark.codewords, dark.pre_fec_ber) == (0, None)


def test_lock_that_is_lost_within_a_gate_is_told(looped: Looped) -> None:
    looped.chassis.start_pattern("PRBS31Q")
    looped.world.after(2.6, lambda: looped.attenuations_db.update({1: 100.0}))
    looped.world.after(4.1, lambda: looped.attenuations_db.update({1: 5.0}))
    found = looped.chassis.measure_errors((1, 2, 3), 5.0)
    assert [lane.locked for lane in found] == [False, False, True]
    assert 0 < found[0].bits < found[2].bits
    assert all(lane.locked for lane in looped.chassis.measure_errors((1, 2, 3), 1.0))


def test_lanes_that_send_no_pattern_are_not_locked(looped: Looped) -> None:
    looped.chassis.start_pattern("PRBS31Q", [1, 2, 5])
    looped.chassis.start_pattern("PRBS31Q", generate=False)
    found = looped.chassis.measure_errors(LANES, 1.0)
    assert [lane.lane for lane in found if lane.locked] == [1, 2, 5]


def test_it_and_the_module_s_host_side_mean_the_same_by_a_pattern(looped: Looped) -> None:
    module = CmisModule(looped.bench.host.memory, looped.bench.clock)
    looped.chassis.start_pattern("PRBS13Q")
    with ModulePrbs(module, side=Side.HOST) as own:
        own.start_pattern("PRBS13Q", generate=False)
        assert all(lane.locked and lane.errors == 0 for lane in own.measure_errors(LANES, 1.0))
        looped.chassis.stop_pattern()
        own.start_pattern("PRBS31Q", check=False)
        looped.chassis.start_pattern("PRBS31Q", generate=False)
        assert all(lane.locked and lane.errors == 0 for lane in looped.chassis.measure_errors(LANES, 1.0))


def test_a_pattern_in_the_other_sense_is_not_found(looped: Looped) -> None:
    looped.chassis.start_pattern("PRBS31Q")
    looped.bench.write("OutputPolarityFlipRx", 0b0001)
    found = looped.chassis.measure_errors((1, 2), 1.0)
    assert [lane.locked for lane in found] == [False, True]
    looped.chassis.make_safe()
    inverted = looped.another_user(inverted=True)
    inverted.connect()
    inverted.start_pattern("PRBS31Q")
    assert [lane.locked for lane in inverted.measure_errors((1, 2), 1.0)] == [False, True]


def counts_at_27_s(looped: Looped, reads: int) -> list[object]:
    looped.attenuate(7.0, 7.0, 7.0, 7.0)
    looped.chassis.start_pattern("PRBS31Q")
    assert looped.world.now_s < 22.0
    looped.world.advance_to(22_000_000_000)
    looped.chassis.session.query("0/0 PP_RXCLEAR")
    for _ in range(reads):
        for lane in (1, 5):
            looped.chassis.session.query(f"0/0 PP_RXPRBSSTATUS [{lane}] ?")
        looped.chassis.session.query("0/0 PP_RXFECSTATS ?")
        looped.world.advance(0.07)
    looped.world.advance_to(27_100_000_000)
    return [looped.chassis.session.query(f"0/0 PP_RXPRBSSTATUS [{lane}] ?").text for lane in range(8)]


def test_the_same_seed_counts_the_same_whoever_reads(make_looped: Callable[..., Looped]) -> None:
    counts = counts_at_27_s(make_looped(seed=3), reads=0)
    assert counts_at_27_s(make_looped(seed=3), reads=40) == counts
    assert counts_at_27_s(make_looped(seed=4), reads=0) != counts
