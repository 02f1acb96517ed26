"""The host's electrical lanes on a simulated bench, and counters that go with the world's time alone."""

from __future__ import annotations

import dataclasses

import pytest

from drivers.clock import StopFlag
from drivers.xena_xoa import XenaChassis
from harness.bench_file.reading import InstrumentSpec, find_bench_file, load_bench
from harness.opening import open_bench
from harness.signal.kp4 import CODEWORDS_PER_S
from harness.simulation.bench import SimulatedBackend
from harness.simulation.host_lanes import LANE_BITS_PER_S, HostCounters, HostLanes
from harness.simulation.signals import TRAFFIC, UNKNOWN, LineSignal, Pattern
from harness.simulation.world import World

PRBS = Pattern(0)


class Module:
    """Sends the same on every lane."""

    def __init__(self, signal: LineSignal | None) -> None:
        self.signal = signal

    def host_output_signal(self, host_lane: int) -> LineSignal | None:
        return self.signal


def counters(signal: LineSignal | None, seed: int = 1) -> tuple[World, Module, HostCounters]:
    world, lanes, module = World(seed), HostLanes(), Module(signal)
    lanes.connect_module(module)
    return world, module, HostCounters(world, lanes, name="bert", lanes=8)


def test_a_host_sends_traffic_until_told_otherwise() -> None:
    lanes = HostLanes()
    assert lanes.host_signal(1) is TRAFFIC
    assert lanes.received(1) is None
    lanes.send(1, PRBS)
    assert lanes.host_signal(1) == LineSignal((PRBS,))
    lanes.send(1, None)
    lanes.send(2, None)
    assert lanes.host_signal(1) is TRAFFIC


def test_errors_are_counted_at_the_signal_s_ratio_and_shown_once_a_second() -> None:
    world, _, counting = counters(LineSignal((PRBS,), ber=1e-6))
    counting.expect(PRBS)
    counting.watch()
    world.advance(0.9)
    assert counting.shown == {}
    world.advance(10.0)
    for lane in range(1, 9):
        count = counting.shown[lane]
        assert count.bits == 10 * LANE_BITS_PER_S
        assert count.errors == pytest.approx(531_250, abs=5 * 531_250**0.5)
        assert not count.lost
    assert len({count.errors for count in counting.shown.values()}) == 8


@pytest.mark.parametrize(
    "signal",
    [None, TRAFFIC, LineSignal((UNKNOWN,), 0.5), LineSignal((PRBS,), 0.03), LineSignal((PRBS, PRBS))],
)
def test_what_a_checker_does_not_lock_to(signal: LineSignal | None) -> None:
    world, _, counting = counters(signal)
    counting.expect(PRBS)
    counting.watch()
    world.advance(2.0)
    assert counting.shown[1].bits == 0
    assert not counting.locked(1)


def test_the_decoder_counts_while_it_is_aligned() -> None:
    world, module, counting = counters(LineSignal((None,), ber=1e-5))
    counting.watch()
    world.advance(1.0)
    aligned = sum(counting.shown_fec)
    assert aligned == CODEWORDS_PER_S
    assert 0.04 < counting.shown_fec[1] / aligned < 0.06  # 5440 bits
    module.signal = LineSignal((PRBS,))
    world.advance(3.0)
    assert sum(counting.shown_fec) == aligned
    module.signal = TRAFFIC
    world.advance(2.0)
    # What lies between the last look that found none and the first that did is not counted.
    assert sum(counting.shown_fec) == aligned + 1.75 * CODEWORDS_PER_S


def test_a_change_of_quality_ends_a_slice_of_time() -> None:
    world, module, counting = counters(LineSignal((None,), ber=1e-4))
    counting.watch()
    world.advance(0.5)
    module.signal = TRAFFIC
    world.advance(0.5)
    share = 1.0 - counting.shown_fec[0] / sum(counting.shown_fec)
    assert share == pytest.approx(0.5 * 0.4195, rel=0.01)  # 1 - (1 - 1e-4)^5440, half of the time
    assert sum(counting.shown_fec) == CODEWORDS_PER_S


def test_one_bad_lane_spoils_its_share_of_every_codeword() -> None:
    class OneBad(Module):
        def host_output_signal(self, host_lane: int) -> LineSignal | None:
            return LineSignal((None,), ber=8e-5 if host_lane == 3 else 0.0)

    world, lanes = World(1), HostLanes()
    lanes.connect_module(OneBad(None))
    counting = HostCounters(world, lanes, name="bert", lanes=8)
    counting.watch()
    world.advance(1.0)
    wrong = sum(symbols * count for symbols, count in enumerate(counting.shown_fec))
    assert wrong / sum(counting.shown_fec) / 5440 == pytest.approx(1e-5, rel=1e-3)


def test_clearing_and_resting() -> None:
    world, _, counting = counters(LineSignal((PRBS,), ber=1e-6))
    counting.expect(PRBS)
    assert not counting.watching
    world.advance(5.0)
    assert counting.shown == {}
    counting.watch()
    world.advance(2.0)
    counting.clear()
    assert counting.shown == {}
    world.advance(1.0)
    assert counting.shown[1].bits == LANE_BITS_PER_S
    counting.rest()
    world.advance(5.0)
    assert counting.shown[1].bits == LANE_BITS_PER_S


def test_a_bench_file_s_bert_is_at_the_module_s_lanes() -> None:
    spec = load_bench(find_bench_file("sim-dr4"))
    simulation = spec.simulation
    assert simulation is not None
    part = InstrumentSpec("bert", "xena-xoa", "TCPIP0::bert.sim::22611::SOCKET", {}, "", None, "", None)
    spec = dataclasses.replace(spec, instruments={**spec.instruments, "bert": part})
    stop = StopFlag()
    backend = SimulatedBackend(spec, simulation, stop)
    bench = open_bench(spec, stop, backend)
    bert = bench.instruments["bert"]
    assert isinstance(bert, XenaChassis)
    assert bert.connect().serial == "260010"
    assert backend.host_lanes.host_signal(1) is TRAFFIC
    bert.start_pattern("PRBS31Q")
    assert backend.host_lanes.host_signal(8) == LineSignal((PRBS,))
    assert not any(lane.locked for lane in bert.measure_errors(bert.lanes, 1.0))  # the module is not on
    results = {(result.role, result.step.action): result.step.safe for result in bench.make_safe()}
    assert results["bert", "no lane sends a pattern"]
    assert results["bert", "port released"]
    assert backend.host_lanes.host_signal(8) is TRAFFIC
    bench.close()
