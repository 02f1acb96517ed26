"""The M8070B driver on the simulated instrument: alignment, status, gated counts, generators, identifiers."""

from __future__ import annotations

import pytest

from drivers.errors import GarbledReplyError, InstrumentReportedError, NotSettledError
from drivers.keysight_m8070b import parse_counters
from harness.bench_file.reading import load_bench
from harness.opening import open_bench
from harness.simulation.host_lanes import LANE_BITS_PER_S
from harness.simulation.peers.catalogue import as_stated
from harness.simulation.signals import TRAFFIC, UNKNOWN, LineSignal, Pattern

BERT = "keysight-m8070b"
PRBS13Q, PRBS31Q = Pattern(6), Pattern(0)


class Outputs:
    """A module that sends what a test says."""

    def __init__(self):
        self.signals = {}

    def host_output_signal(self, host_lane):
        return self.signals.get(host_lane)


@pytest.fixture
def outputs(small_bench):
    module = Outputs()
    small_bench.surroundings.host_lanes.connect_module(module)
    return module


@pytest.fixture
def bert(small_bench, outputs):
    return small_bench.open(BERT, transport="INSTR")


@pytest.mark.parametrize("transport", ["SOCKET", "INSTR"])
def test_a_clean_lane_is_counted_for_the_gate(small_bench, outputs, transport):
    bert = small_bench.open(BERT, transport=transport)
    outputs.signals[1] = LineSignal((PRBS13Q,))
    bert.start_pattern("PRBS13Q", generate=False)
    for gate_s in (1.0, 10.0):
        (found,) = bert.measure_errors(bert.lanes, gate_s)
        assert found.locked
        assert found.errors == 0
        assert found.bits == pytest.approx(gate_s * LANE_BITS_PER_S, rel=1e-6)
    assert bert.drain_errors() == ()


@pytest.mark.parametrize("ber", [1e-4, 1e-7, 3e-11])
def test_errors_scatter_about_their_mean(small_bench, outputs, bert, ber):
    outputs.signals[1] = LineSignal((PRBS31Q,), ber)
    bert.start_pattern("PRBS31Q", generate=False)
    mean = ber * LANE_BITS_PER_S * 2.0
    counts = [bert.measure_errors([1], 2.0)[0].errors for _ in range(20)]
    deviation = (mean / len(counts)) ** 0.5
    assert sum(counts) / len(counts) == pytest.approx(mean, abs=4.0 * deviation)
    assert len(set(counts)) > 2
    spread = (sum((count - mean) ** 2 for count in counts) / len(counts)) ** 0.5
    assert 0.5 * mean**0.5 < spread < 1.7 * mean**0.5


def test_a_gate_counts_what_is_new_and_the_counters_all_of_it(small_bench, outputs, bert):
    outputs.signals[1] = LineSignal((PRBS13Q,), 1e-6)
    bert.start_pattern("PRBS13Q", generate=False)
    first = bert.measure_errors([1], 1.0)[0]
    second = bert.measure_errors([1], 1.0)[0]
    assert first.errors != second.errors
    counters = bert.counters()
    assert counters.errors >= first.errors + second.errors
    assert counters.bits > first.bits + second.bits
    assert counters.ones == pytest.approx(counters.zeros, rel=1e-6)
    assert counters.errored_ones == pytest.approx(counters.errors / 2, abs=5 * counters.errors**0.5)
    compared, errored = counters.symbols[0], counters.symbols[1]
    assert compared == pytest.approx(counters.bits / 2, rel=1e-6)
    assert sum(counters.symbols[2::2]) == compared
    assert sum(counters.symbols[3::2]) == errored == counters.errors


@pytest.mark.parametrize("signal", [None, TRAFFIC, LineSignal((PRBS31Q,)), LineSignal((UNKNOWN,), 0.5)])
def test_without_its_pattern_it_is_not_locked(small_bench, outputs, bert, signal):
    outputs.signals[1] = signal
    bert.start_pattern("PRBS13Q", generate=False)
    (found,) = bert.measure_errors([1], 1.0)
    assert (found.bits, found.errors, found.locked) == (0, 0, False)
    status = bert.input_status()
    assert status.synchronisation_lost
    assert status.clock_lost is status.data_lost is (signal is None)


def test_a_signal_that_comes_later_is_aligned_to_at_the_next_count(small_bench, outputs, bert):
    bert.start_pattern("PRBS13Q", generate=False)
    assert not bert.measure_errors([1], 1.0)[0].locked
    outputs.signals[1] = LineSignal((PRBS13Q,))
    assert bert.measure_errors([1], 1.0)[0].locked


def test_a_loss_in_the_middle_of_a_gate_is_seen(small_bench, outputs, bert):
    outputs.signals[1] = LineSignal((PRBS13Q,))
    bert.start_pattern("PRBS13Q", generate=False)
    small_bench.world.after(6.0, lambda: outputs.signals.pop(1))
    small_bench.world.after(14.0, lambda: outputs.signals.update({1: LineSignal((PRBS13Q,))}))
    (found,) = bert.measure_errors([1], 20.0)
    assert not found.locked
    assert found.bits == pytest.approx(12.0 * LANE_BITS_PER_S, rel=0.02)


def test_an_alignment_takes_its_time(small_bench, outputs, bert):
    outputs.signals[1] = LineSignal((PRBS13Q,))
    start_s = small_bench.clock.now_s()
    assert bert.align() is False  # it is still NRZ
    assert 20.0 < small_bench.clock.now_s() - start_s < 42.0
    bert.start_pattern("PRBS13Q", generate=False)
    assert bert.align() is True


def test_an_alignment_slower_than_the_limit(small_bench, outputs):
    bert = small_bench.open(BERT, options={"alignment_limit_s": 10.0})
    outputs.signals[1] = LineSignal((PRBS13Q,))
    with pytest.raises(NotSettledError, match="10 s"):
        bert.start_pattern("PRBS13Q", generate=False)


def test_the_other_way_to_ask_how_an_alignment_went(small_bench, outputs):
    bert = small_bench.open(BERT, options={"alignment_status": False})
    bert.start_pattern("PRBS13Q", generate=False)
    assert bert.align() is False
    outputs.signals[1] = LineSignal((PRBS13Q,))
    assert bert.align() is True


# -- generators ----------------------------------------------------------------------------------------


def sent(bench, lane):
    return bench.surroundings.host_lanes.host_signal(lane)


def test_a_generator_drives_its_lane_and_no_other(small_bench, bert):
    assert sent(small_bench, 1) == TRAFFIC
    bert.start_pattern("PRBS13Q", check=False)
    assert sent(small_bench, 1) == LineSignal((PRBS13Q,))
    assert sent(small_bench, 2) == TRAFFIC
    bert.stop_pattern()
    assert sent(small_bench, 1) == TRAFFIC


def test_two_generators(small_bench, outputs):
    options = {"generators": ["M1.DataOut1", "M1.DataOut2"]}
    bert = small_bench.open(BERT, options=options)
    bert.start_pattern("PRBS31Q", check=False)
    assert {lane for lane in range(1, 9) if sent(small_bench, lane) == LineSignal((PRBS31Q,))} == {1, 2}
    bert.start_pattern("PRBS13Q", [2], check=False)
    assert sent(small_bench, 1) == LineSignal((PRBS31Q,))
    assert sent(small_bench, 2) == LineSignal((PRBS13Q,))
    assert all(step.safe for step in bert.make_safe())
    assert sent(small_bench, 2) == TRAFFIC


def test_error_insertion(small_bench, bert):
    bert.start_pattern("PRBS13Q", check=False)
    bert.set_error_insertion(1, 1e-6)
    assert sent(small_bench, 1).ber == pytest.approx(1e-6)
    bert.set_error_insertion(1, None)
    assert sent(small_bench, 1).ber == 0.0


def test_errors_that_somebody_left_switched_on_are_not_sent(small_bench, bert):
    def leave_on():
        for setting in ("MODE 'M1.DataOut1',ERATio", "RATio 'M1.DataOut1',RM3", "STATe 'M1.DataOut1',1"):
            bert.session.command(f":OUTPut:EINSertion:{setting}")

    leave_on()
    bert.connect()
    bert.start_pattern("PRBS13Q", check=False)
    assert sent(small_bench, 1) == LineSignal((PRBS13Q,))
    leave_on()
    assert all(step.safe for step in bert.make_safe())
    assert not bert.session.query(":OUTPut:EINSertion:STATe? 'M1.DataOut1'").boolean()


def test_at_another_symbol_rate_no_module_knows_the_pattern(small_bench, outputs):
    bert = small_bench.open(BERT, options={"symbol_rate_bd": 53.125e9})
    bert.start_pattern("PRBS13Q", check=False)
    assert sent(small_bench, 1) == LineSignal((UNKNOWN,))
    outputs.signals[1] = LineSignal((PRBS13Q,))
    bert.start_pattern("PRBS13Q", generate=False)
    assert bert.input_status().clock_lost


def test_without_gray_coding_it_is_another_pattern(small_bench, bert):
    bert.start_pattern("PRBS13Q", check=False)
    bert.session.command(":DATA:LIN:PAM4:MAPP 'M1.DataOut1',NONE")
    assert sent(small_bench, 1) == LineSignal((UNKNOWN,))


def test_amplitude_reads_back(bert):
    bert.set_amplitude_v(1, 0.35)
    assert bert.amplitude_v(1) == pytest.approx(0.35)


@pytest.mark.parametrize("option", [{"analyser": "M2.dataIn"}, {"generators": ["M3.DataOut1"]}])
def test_identifiers_that_it_does_not_have_are_its_refusal(small_bench, outputs, option):
    bert = small_bench.open(BERT, options=option)
    with pytest.raises(InstrumentReportedError, match="-224"):
        bert.start_pattern("PRBS13Q")


def test_it_is_built_as_the_bench_file_states(small_bench, outputs):
    options = {
        "generators": ["M3.DataOut2"],
        "generator_lanes": [5],
        "analyser": "M4.DataIn1",
        "analyser_lane": 6,
        "amplitude_v": 0.3,
    }
    stated = as_stated(BERT, options)
    assert "amplitude_v" not in stated
    bert = small_bench.open(BERT, options=options, peer_options=stated)
    outputs.signals[6] = LineSignal((PRBS13Q,))
    bert.start_pattern("PRBS13Q")
    assert sent(small_bench, 5) == LineSignal((PRBS13Q,))
    assert bert.measure_errors([6], 1.0)[0].locked
    assert as_stated("polatis", {"settling_s": 1.0}) == {}


def test_a_measurement_that_never_ran_has_no_data(bert):
    session = bert.session
    session.command(":PLUGin:ERATio:NEW 'mine'")
    assert session.query(":PLUGin:ERATio:CATalog?").text == '"mine"'
    with pytest.raises(GarbledReplyError):
        parse_counters(session.query(":PLUGin:ERATio:FETCh:DATA? 'mine'"))
    with pytest.raises(InstrumentReportedError, match="-221"):
        session.command(":PLUGin:ERATio:STARt 'mine'")


def test_reset_turns_everything_off(small_bench, outputs, bert):
    outputs.signals[1] = LineSignal((PRBS13Q,))
    bert.start_pattern("PRBS13Q")
    bert.session.command("*RST")
    assert sent(small_bench, 1) == TRAFFIC
    assert bert.input_status().synchronisation_lost


def test_the_same_seed_counts_the_same(another_small_bench):
    def count():
        bench = another_small_bench(seed=7)
        module = Outputs()
        module.signals[1] = LineSignal((PRBS13Q,), 1e-7)
        bench.surroundings.host_lanes.connect_module(module)
        bert = bench.open(BERT)
        bert.start_pattern("PRBS13Q", generate=False)
        return bert.measure_errors([1], 5.0)

    assert count() == count()


def test_a_bench_file_with_one_opens_and_its_lane_is_where_it_states(bench_file):
    lines = (
        '[instruments.bert]\ndriver = "keysight-m8070b"\naddress = "TCPIP0::192.0.2.21::hislip0::INSTR"\n'
        '[instruments.bert.options]\ngenerators = ["M5.DataOut1"]\ngenerator_lanes = [3]\n\n[supply]'
    )
    bench = open_bench(load_bench(bench_file(("[supply]", lines))))
    try:
        bert = bench.instruments["bert"]
        bert.connect()
        assert bert.lanes == (3,)
        bert.start_pattern("PRBS13Q")
        (found,) = bert.measure_errors([3], 1.0)
        assert not found.locked  # nobody has powered the module
        assert all(result.step.safe for result in bench.make_safe())
    finally:
        bench.close()
