"""The 816x driver on simulated mainframes: slots, dual sensors, the block, accuracy, averaging, zero."""

from __future__ import annotations

import pytest

from drivers.errors import (
    GarbledReplyError,
    InstrumentError,
    NoReplyError,
    OverloadError,
    UnsupportedError,
)
from drivers.keysight_816x import Keysight8163
from drivers.scpi import ScpiSession
from harness.simulation.peers.catalogue import as_stated, build_peer

SMALL, LARGE = "keysight-8163b", "keysight-8164b"
POWERS_W = {1: 1e-3, 2: 2e-3, 3: 3e-3, 4: 4e-3}


@pytest.fixture
def lit(small_bench):
    small_bench.fibres.powers_w = dict(POWERS_W)
    return small_bench


def measured(meter, channels=None, *, averaging_s=0.1):
    meter.configure(wavelength_nm=1310.0, averaging_s=averaging_s)
    readings = meter.read_powers_w(meter.channels if channels is None else channels)
    return {reading.channel: reading.power_w for reading in readings}


@pytest.mark.parametrize("name", [SMALL, LARGE])
@pytest.mark.parametrize("block_reading", [True, False])
def test_all_sensors_are_read_within_their_accuracy(lit, name, block_reading):
    meter = lit.open(name, options={"block_reading": block_reading})
    found = measured(meter)
    assert list(found) == [1, 2, 3, 4]
    errors = [found[channel] / POWERS_W[channel] - 1.0 for channel in found]
    assert all(abs(error) < 0.031 for error in errors)
    assert len(set(errors)) == 4  # each has its own calibration error
    assert {sensor.module.model for sensor in meter.sensors} == {"81635A"}


@pytest.mark.parametrize(
    ("block_reading", "round_trips", "takes_s"),
    # One module after the other; READ blocks for the averaging time of its own.
    [(True, 1, 2.0), (False, 4, 2.0)],
)
def test_what_four_channels_cost(lit, block_reading, round_trips, takes_s):
    meter = lit.open(SMALL, options={"block_reading": block_reading})
    measured(meter, averaging_s=1.0)  # the ranges have settled
    before, start_s = meter.session.round_trips, lit.world.now_s
    meter.read_powers_w([1, 2, 3, 4])
    assert meter.session.round_trips - before == round_trips
    assert lit.world.now_s - start_s == pytest.approx(takes_s, abs=0.02)


def test_over_gpib(lit):
    peer = build_peer(SMALL, lit.world, lit.surroundings, "power_meter")
    lit.library.attach("GPIB0::20::INSTR", peer)
    session = ScpiSession(lit.manager.open_resource("GPIB0::20::INSTR"), lit.clock, name="power_meter")
    meter = Keysight8163(session, lit.clock, name="power_meter")
    assert meter.connect().model == "8163B"
    assert measured(meter)[3] == pytest.approx(3e-3, rel=0.031)
    session.distrust()
    assert meter.read_powers_w([4])[0].power_w == pytest.approx(4e-3, rel=0.031)  # by a device clear


@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_the_bench_file_says_which_sensor_has_which_fibre(small_bench, name):
    options = {"sensors": ["2.2", "1.1"], "block_reading": True}
    assert as_stated(name, options) == {"sensors": ["2.2", "1.1"]}
    small_bench.fibres.powers_w = {1: 1e-3, 2: 0.2e-3}
    meter = small_bench.open(name, options=options, peer_options=as_stated(name, options))
    assert [sensor.module.model for sensor in meter.sensors] == ["81635A", "81634B"]
    found = measured(meter)
    assert found == pytest.approx({1: 1e-3, 2: 0.2e-3}, rel=0.031)


def test_other_modules_are_passed_by(lit):
    meter = lit.open(LARGE, peer_options={"modules": {0: "81600B", 2: "81657A", 3: "81630B"}})
    assert [(sensor.slot, sensor.channel) for sensor in meter.sensors] == [(3, 1)]
    assert meter.sensors[0].wavelengths_nm == (970.0, 1650.0)
    assert measured(meter)[1] == pytest.approx(1e-3, rel=0.031)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"sensors": ["2.1"]}, InstrumentError, "slot 2 is empty"),
        ({"sensors": ["1.2"]}, UnsupportedError, "81634B in slot 1"),
        ({"sensors": ["3.1"]}, UnsupportedError, "81657A in slot 3"),
    ],
)
def test_what_the_bench_file_wants_and_is_not_there(lit, options, error, said):
    with pytest.raises(error, match=said):
        lit.open(LARGE, options=options, peer_options={"modules": {1: "81634B", 3: "81657A"}})


def test_old_firmware_knows_no_block(lit):
    with pytest.raises(NoReplyError, match="block_reading = false"):
        lit.open(SMALL, peer_options={"firmware": "V2.1"})
    meter = lit.open(SMALL, options={"block_reading": False})
    assert measured(meter)[2] == pytest.approx(2e-3, rel=0.031)


@pytest.mark.parametrize("block_reading", [True, False])
def test_a_slave_is_as_new_as_its_master(lit, block_reading):
    meter = lit.open(SMALL, options={"block_reading": block_reading})
    measured(meter)
    lit.fibres.powers_w[2] = 0.1e-3
    assert meter.read_powers_w([2])[0].power_w == pytest.approx(0.1e-3, rel=0.031)


@pytest.mark.parametrize(
    "command",
    [
        ":SENS1:CHAN2:POW:ATIM 1S",
        ":SENS1:CHAN2:POW:RANG:AUTO 0",
        ":INIT1:CHAN2:CONT 0",
        ":INIT1:CHAN2",
        ":SENS1:CHAN2:CORR:COLL:ZERO",
    ],
)
def test_what_concerns_a_whole_module_goes_to_its_master_alone(lit, command):
    session = lit.open(SMALL).session
    session.command(command, check=False)
    assert [code for code, _ in session.drain_errors()] == [-306]
    session.command(command.replace("CHAN2", "CHAN1"), check=False)
    assert session.drain_errors() in ((), ((-213, "Init ignored"),))


def test_a_slave_has_its_own_wavelength_and_unit_and_its_masters_averaging_time(lit):
    meter = lit.open(SMALL)
    session = meter.session
    meter.configure(wavelength_nm=1310.0, averaging_s=0.3, channels=[1])
    meter.configure(wavelength_nm=1550.0, averaging_s=0.7, channels=[2])
    assert meter.wavelength_nm(1) == pytest.approx(1310.0)
    assert meter.wavelength_nm(2) == pytest.approx(1550.0)
    assert session.query(":SENS1:CHAN1:POW:ATIM?").real() == pytest.approx(0.7)
    assert meter.in_watts(3) is False  # dBm until it is set


def test_a_command_without_a_slot_goes_to_the_lowest(lit):
    session = lit.open(LARGE).session
    with pytest.raises(NoReplyError):
        session.query(":SENS:POW:WAV?")  # slot 0, the laser
    session.resynchronise()
    assert [code for code, _ in session.errors_at_resynchronisation] == [-303]
    assert session.query(":SLOT:IDN?").identity().model == "81600B"


def test_the_block_is_in_watts_whatever_the_unit(lit):
    meter = lit.open(SMALL)
    measured(meter)
    for channel in meter.channels:
        meter.in_watts.set(False, channel)
    found = {reading.channel: reading.power_w for reading in meter.read_powers_w(meter.channels)}
    assert found == pytest.approx(POWERS_W, rel=0.031)
    assert meter.session.query(":READ1:CHAN1:POW?").real() == pytest.approx(0.0, abs=0.14)  # dBm


def test_a_meter_left_in_dbm_is_found_out_without_the_block(lit):
    meter = lit.open(SMALL, options={"block_reading": False})
    measured(meter)
    meter.in_watts.set(False, 4)
    with pytest.raises(GarbledReplyError, match="no power that it can measure"):
        meter.read_powers_w([4])


def test_too_much_light_on_a_slave_spares_its_master(lit):
    lit.fibres.powers_w[2] = 30e-3
    meter = lit.open(SMALL)
    assert measured(meter, [1])[1] == pytest.approx(1e-3, rel=0.031)
    with pytest.raises(OverloadError, match=r"port 2 \(sensor 1\.2\)"):
        meter.read_powers_w([2])


@pytest.mark.parametrize("block_reading", [True, False])
def test_a_dark_channel_that_can_tell_nothing_reads_no_light(lit, block_reading):
    lit.fibres.powers_w[2] = 0.0
    options, peer_options = {"block_reading": block_reading}, {"questionable_in_dark": True}
    meter = lit.open(SMALL, options=options, peer_options=peer_options)
    found = measured(meter)
    assert found[2] == 0.0
    assert found[1] == pytest.approx(1e-3, rel=0.031)
    measured(meter)  # not refused for the -231 that the dark left
    assert {code for code, _ in meter.session.errors_tolerated} == {-231}


def test_a_range_change_costs_another_averaging_time(lit):
    meter = lit.open(SMALL)
    measured(meter, averaging_s=1.0)

    def took_s():
        start_s = lit.world.now_s
        meter.read_powers_w([1])
        return lit.world.now_s - start_s

    settled_s = took_s()
    lit.fibres.powers_w[1] = 1e-6
    assert took_s() - settled_s == pytest.approx(1.0, abs=0.01)  # of one of the two modules
    assert took_s() == pytest.approx(settled_s, abs=0.01)


def test_zeroing_needs_both_channels_of_a_module_dark_and_takes_the_offset_away(small_bench):
    small_bench.fibres.powers_w = {2: 1e-6}
    meter = small_bench.open(SMALL, peer_options={"dark_w": 1e-9})
    meter.configure(wavelength_nm=1310.0, averaging_s=1.0)

    def dark_w(channel):
        return abs(meter.read_powers_w([channel])[0].power_w)

    assert min(dark_w(3), dark_w(4)) > 2e-11
    meter.zero([3])
    assert max(dark_w(3), dark_w(4)) < 2e-11
    with pytest.raises(InstrumentError, match=r"zeroing of port 1 \(sensor 1\.1\) failed"):
        meter.zero([1])


def test_dark_readings_average_down(small_bench):
    meter = small_bench.open(SMALL)
    meter.zero()

    def spread_w(averaging_s):
        meter.configure(wavelength_nm=1310.0, averaging_s=averaging_s, channels=[1])
        return max(abs(meter.read_powers_w([1])[0].power_w) for _ in range(30))

    assert spread_w(1.0) < spread_w(0.01) / 3


def test_same_seed_same_meter(another_small_bench):
    def found(seed, serial="S1"):
        bench = another_small_bench(seed)
        bench.fibres.powers_w = dict(POWERS_W)
        return measured(bench.open(SMALL, peer_options={"serial": serial}))

    assert found(1) == found(1)
    assert found(1) != found(2)
    assert found(1) != found(1, "S2")
