"""The N77xx driver on the simulated meter: averaging, staleness, accuracy, faults."""

from __future__ import annotations

import pytest

from drivers.errors import (
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    NoReplyError,
    OverloadError,
)
from harness.simulation.world import ns_from_s

METER = "keysight-n7745c"


@pytest.fixture
def lit(small_bench):
    small_bench.fibres.powers_w = dict.fromkeys(range(1, 9), 1e-3)
    return small_bench


@pytest.mark.parametrize("transport", ["SOCKET", "INSTR"])
@pytest.mark.parametrize("block_reading", [True, False])
def test_reads_all_ports_within_its_accuracy(lit, transport, block_reading):
    meter = lit.open(METER, transport=transport, options={"block_reading": block_reading})
    meter.configure(wavelength_nm=1310.0, averaging_s=0.1)
    readings = meter.read_powers_w(meter.channels)
    assert [reading.channel for reading in readings] == list(range(1, 9))
    errors = [reading.power_w / 1e-3 - 1.0 for reading in readings]
    assert all(abs(error) < 0.026 for error in errors)
    assert len(set(errors)) == 8  # each port has its own calibration error


def test_four_port_model(lit):
    meter = lit.open("keysight-n7744c")
    meter.configure(wavelength_nm=1310.0, averaging_s=0.1)
    assert [reading.channel for reading in meter.read_powers_w([4, 2])] == [4, 2]


def test_a_reading_takes_its_averaging_time_and_shows_what_is_there_then(lit):
    meter = lit.open(METER)
    meter.configure(wavelength_nm=1310.0, averaging_s=5.0)
    meter.read_powers_w([1])
    start_s = lit.world.now_s
    lit.world.after(4.0, lambda: lit.fibres.powers_w.update({1: 0.5e-3}))
    (reading,) = meter.read_powers_w([1])
    assert lit.world.now_s - start_s == pytest.approx(5.0, abs=0.01)
    assert reading.power_w == pytest.approx(0.5e-3, rel=0.03)


def test_fetch_is_stale_and_read_is_not(lit):
    meter = lit.open(METER)
    meter.configure(wavelength_nm=1310.0, averaging_s=0.1)
    session = meter.session
    first_w = session.query(":READ1:POW?").real()
    lit.fibres.powers_w[1] = 0.1e-3
    lit.clock.sleep(10.0)
    assert session.query(":FETC1:POW?").real() == first_w
    assert session.query(":READ1:POW?").real() == pytest.approx(0.1e-3, rel=0.03)


def test_read_is_a_stale_fetch_while_the_trigger_is_continuous(lit):
    meter = lit.open(METER)
    meter.configure(wavelength_nm=1310.0, averaging_s=1.0)
    session = meter.session
    session.command(":INIT1:CONT 1")
    lit.clock.sleep(3.0)
    lit.fibres.powers_w[1] = 0.1e-3
    start_s = lit.world.now_s
    stale_w = session.query(":READ1:POW?").real()
    assert lit.world.now_s - start_s < 0.01
    assert stale_w == pytest.approx(1e-3, rel=0.03)
    lit.clock.sleep(1.1)
    assert session.query(":READ1:POW?").real() == pytest.approx(0.1e-3, rel=0.03)


def test_reading_before_any_trigger_is_an_error_of_the_instrument(lit):
    session = lit.open(METER).session
    session.command(":INIT1:CONT 0")
    lit.peers[METER]._ports[1].last_w = None
    with pytest.raises(NoReplyError):
        session.query(":FETC1:POW?")
    session.resynchronise()
    assert [code for code, _ in session.errors_at_resynchronisation] == [-230]


def test_default_unit_is_metres_and_replies_are_metres(lit):
    session = lit.open(METER).session
    session.command(":SENS1:POW:WAV 1.31E-6")
    assert session.query(":SENS1:POW:WAV?").real() == pytest.approx(1310e-9)
    session.command(":sense1:channel1:power:wavelength 1550nm")
    assert session.query(":SENS1:POW:WAV?").real() == pytest.approx(1550e-9)
    assert session.query(":SENS1:POW:WAV? MIN").real() == pytest.approx(1250e-9)
    session.command(":SENS1:POW:WAV:ALL MAX")
    assert session.query(":SENS8:POW:WAV?").real() == pytest.approx(1650e-9)
    session.command(":SENS1:POW:WAV 1310", check=False)  # 1310 metres
    assert [code for code, _ in session.drain_errors()] == [-222]


def test_the_wavelength_set_matters(lit):
    meter = lit.open(METER)
    meter.configure(wavelength_nm=1310.0, averaging_s=0.1)
    (right,) = meter.read_powers_w([1])
    meter.configure(wavelength_nm=1550.0, averaging_s=0.1)
    (wrong,) = meter.read_powers_w([1])
    assert abs(wrong.power_w / right.power_w - 1.0) > 0.05


def test_unit_is_dbm_until_set(lit):
    session = lit.open(METER).session
    session.command(":INIT1:CONT 0")
    session.command(":SENS1:POW:WAV 1310NM")
    assert session.query(":SENS1:POW:UNIT?").integer() == 0
    assert session.query(":READ1:POW?").real() == pytest.approx(0.0, abs=0.12)
    session.command(":SENS1:POW:UNIT WATT")
    assert session.query(":SENS:POW:UNIT:ALL:CSV?").text == "1,0,0,0,0,0,0,0"


def test_overload_on_a_fixed_range_and_beyond_the_highest(lit):
    meter = lit.open(METER)
    meter.configure(wavelength_nm=1310.0, averaging_s=0.1)
    meter.session.command(":SENS1:POW:RANG:AUTO 0")
    meter.session.command(":SENS1:POW:RANG -20DBM")
    with pytest.raises(OverloadError, match="port 1"):
        meter.read_powers_w([1])
    lit.fibres.powers_w[2] = 20e-3
    with pytest.raises(OverloadError, match="port 2"):
        meter.read_powers_w([2])


def test_dark_readings_scatter_around_zero_and_average_down(lit):
    lit.fibres.powers_w = {}
    meter = lit.open(METER)
    meter.zero([1])

    def spread_w(averaging_s):
        meter.configure(wavelength_nm=1310.0, averaging_s=averaging_s, channels=[1])
        return [meter.read_powers_w([1])[0].power_w for _ in range(40)]

    fast, slow = spread_w(0.01), spread_w(1.0)
    assert min(fast) < 0.0 < max(fast)
    assert max(map(abs, slow)) < max(map(abs, fast)) / 3
    assert max(map(abs, slow)) < 1e-11


def test_zeroing_fails_in_the_light(lit):
    meter = lit.open(METER)
    with pytest.raises(InstrumentError, match="zeroing of port 1 failed"):
        meter.zero([1])


def test_same_seed_same_numbers_whatever_the_order(another_small_bench):
    def readings(order, seed=1):
        bench = another_small_bench(seed)
        bench.fibres.powers_w = {1: 1e-6, 2: 2e-6}
        session = bench.open(METER).session
        for port in (1, 2):
            session.command(f":SENS{port}:POW:UNIT 1")
            session.command(f":INIT{port}:CONT 0")
            session.command(f":SENS{port}:POW:ATIM 0.1S")
            session.query(f":READ{port}:POW?")  # the automatic range has settled
        found = {}
        for turn, port in enumerate(order):
            bench.world.advance_to(ns_from_s(100.0 + (0 if port == 1 else 50)))
            if turn == 1:
                bench.world.advance_to(ns_from_s(150.0))
            found[port] = session.query(f":READ{port}:POW?").real()
        return found

    assert readings([1, 2]) == readings([1, 2])
    assert readings([2])[2] == readings([1, 2])[2]
    assert readings([2], seed=2)[2] != readings([2])[2]


def test_a_meter_that_dies_gives_time_outs(lit):
    meter = lit.open(METER)
    meter.configure(wavelength_nm=1310.0, averaging_s=0.1)
    lit.peers[METER].die_at(lit.world.now_s + 0.05)
    start_s = lit.world.now_s
    with pytest.raises(NoReplyError):
        meter.read_powers_w([1])
    assert lit.world.now_s - start_s == pytest.approx(3.3, abs=0.01)
    with pytest.raises(NoReplyError):
        meter.read_powers_w([1])


def test_a_meter_that_sends_garbage(lit):
    meter = lit.open(METER)
    meter.configure(wavelength_nm=1310.0, averaging_s=0.1)
    lit.peers[METER].garble()
    with pytest.raises(GarbledReplyError):
        meter.read_powers_w([1])
    lit.peers[METER].garble(on=False)
    assert meter.read_powers_w([1])[0].power_w == pytest.approx(1e-3, rel=0.03)


def test_a_connection_that_is_dropped(lit):
    meter = lit.open(METER)
    lit.peers[METER].drop_connections()
    with pytest.raises(ConnectionFailedError):
        meter.identify()


def test_a_dead_meter_is_found_when_it_is_connected(lit):
    lit.session(METER)
    lit.peers[METER].die()
    with pytest.raises(ConnectionFailedError, match="nothing answers"):
        lit.open(METER)


@pytest.mark.parametrize("block_reading", [True, False])
def test_dark_ports_that_answer_less_than_they_can_tell_read_no_light(small_bench, block_reading):
    small_bench.fibres.powers_w = {2: 1e-3}
    meter = small_bench.open(
        METER, options={"block_reading": block_reading}, peer_options={"questionable_in_dark": True}
    )
    meter.configure(wavelength_nm=1310.0, averaging_s=0.1)
    dark, lit = meter.read_powers_w([1, 2])
    assert dark.power_w == 0.0
    assert lit.power_w == pytest.approx(1e-3, rel=0.03)
    meter.configure(wavelength_nm=1311.0, averaging_s=0.1)  # not refused for the -231 that the dark left
    assert {code for code, _ in meter.session.errors_tolerated} == {-231}


def test_a_trigger_while_one_is_under_way_is_ignored_with_minus_213(lit):
    meter = lit.open(METER)
    meter.configure(wavelength_nm=1310.0, averaging_s=1.0)
    meter.session.command(":INIT1")
    meter.session.command(":INIT1")
    assert [code for code, _ in meter.session.errors_tolerated] == [-213]
    lit.clock.sleep(3.0)
    meter.session.command(":INIT1")
    assert len(meter.session.errors_tolerated) == 1


def test_a_unit_that_does_not_take_is_found_when_the_meter_is_configured(lit):
    meter = lit.open(METER)
    peer = lit.peers[METER]
    lit.clock.sleep(0.1)

    def deaf_to_units(connection, message, submit=peer.submit):
        if ":UNIT 1" not in message:
            submit(connection, message)

    peer.submit = deaf_to_units
    with pytest.raises(GarbledReplyError, match="UNIT"):
        meter.configure(wavelength_nm=1310.0, averaging_s=0.1)
