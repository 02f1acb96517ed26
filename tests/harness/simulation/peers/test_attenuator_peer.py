"""The N776x driver on the simulated attenuator: linearity, slew, shutters, offsets, power control."""

from __future__ import annotations

import pytest

from drivers.errors import GarbledReplyError, NotSettledError
from drivers.keysight_n776x import N7764A
from drivers.scpi import ScpiSession
from drivers.units import dbm_from_w
from harness.simulation.light.beam import Beam
from harness.simulation.peers.attenuator import AttenuatorPeer
from harness.simulation.plant import FibrePlant
from harness.wiring import Fibre, InsertionLoss, Port, Wiring

VOA = "keysight-n7764a"


@pytest.fixture
def voa(small_bench):
    small_bench.fibres.powers_w = dict.fromkeys(range(1, 5), 1e-3)
    driver = small_bench.open(VOA)
    driver.configure(wavelength_nm=1310.0)
    return driver


def light_db(bench, channel):
    return bench.fibres.attenuations_db[channel]


@pytest.mark.parametrize("transport", ["SOCKET", "INSTR"])
def test_a_step_of_1_db_moves_the_light_by_1_db_within_its_linearity(small_bench, transport):
    driver = small_bench.open(VOA, transport=transport)
    driver.configure(wavelength_nm=1310.0)
    for channel in driver.channels:
        driver.set_attenuation_db(channel, 10.0)
        before_db = light_db(small_bench, channel)
        driver.set_attenuation_db(channel, 11.0)
        assert driver.attenuation_db(channel) == pytest.approx(11.0)
        step_db = light_db(small_bench, channel) - before_db
        assert step_db == pytest.approx(1.0, abs=0.1)
        assert step_db != 1.0  # no attenuator is that good


def test_the_whole_range_is_within_its_accuracy_and_each_channel_has_its_own_error(small_bench, voa):
    errors_db = []
    for channel in voa.channels:
        voa.set_attenuation_db(channel, 0.0)
        zero_db = light_db(small_bench, channel)
        for setting_db in (1.0, 4.5, 20.0, 33.0, 45.0):
            voa.set_attenuation_db(channel, setting_db)
            errors_db.append(light_db(small_bench, channel) - zero_db - setting_db)
    assert max(map(abs, errors_db)) < 0.1 + 4 * 0.005
    assert len(set(errors_db)) == 20


def test_other_channels_stay(small_bench, voa):
    before = dict(small_bench.fibres.attenuations_db)
    voa.set_attenuation_db(2, 20.0)
    after = small_bench.fibres.attenuations_db
    assert {channel for channel in before if before[channel] != after[channel]} == {2}


def test_a_driver_that_does_not_wait_sees_the_filter_on_its_way(small_bench):
    driver = small_bench.open(VOA, options={"speed_db_s": 10.0})
    driver.configure(wavelength_nm=1310.0)
    driver.session.command(":INP1:ATT 30DB")
    assert driver.attenuation_db(1) == 30.0  # what it is told, not where it is
    small_bench.clock.sleep(1.5)
    assert light_db(small_bench, 1) == pytest.approx(15.0, abs=2.0)
    start_s = small_bench.world.now_s
    driver.set_attenuation_db(1, 10.0)
    assert light_db(small_bench, 1) == pytest.approx(10.0, abs=0.1)
    assert small_bench.world.now_s - start_s >= 0.5


def test_shutters_are_closed_at_power_on_and_take_their_time(small_bench, voa):
    assert small_bench.fibres.open_shutters == set()
    assert [voa.shutter_is_open(channel) for channel in voa.channels] == [False] * 4
    voa.session.command(":OUTP3 1")
    assert small_bench.fibres.open_shutters == set()
    small_bench.clock.sleep(0.1)
    assert small_bench.fibres.open_shutters == {2}
    voa.set_shutter(4, open_=True)
    assert small_bench.fibres.open_shutters == {2, 4}
    voa.set_shutter(2, open_=False)
    assert small_bench.fibres.open_shutters == {4}


def test_configuring_takes_offsets_and_power_control_out(small_bench, voa):
    session = voa.session
    voa.set_attenuation_db(1, 10.0)
    session.command(":INP1:OFFS 3DB")
    assert voa.attenuation_db(1) == pytest.approx(13.0)  # filter and offset together
    assert light_db(small_bench, 1) == pytest.approx(10.0, abs=0.1)
    session.command(":OUTP1:POW -20DBM")
    assert session.query(":OUTP1:POW:CONTR?").boolean()
    voa.configure(wavelength_nm=1310.0, channels=[1])
    assert session.query(":INP1:OFFS?").real() == 0.0
    assert not session.query(":OUTP1:POW:CONTR?").boolean()
    voa.set_attenuation_db(1, 10.0)
    assert light_db(small_bench, 1) == pytest.approx(10.0, abs=0.1)


def test_an_offset_that_someone_leaves_is_found_when_an_attenuation_is_set(small_bench, voa):
    voa.session.command(":INP1:OFFS 3DB")
    voa.session.command(":INP1:ATT MAX")
    assert voa.attenuation_db(1) == pytest.approx(48.0)
    peer = small_bench.peers[VOA]
    submit = peer.submit

    def knob_turned(connection, message):
        submit(connection, message)
        if ":ATT 5.0000DB" in message:
            submit(connection, ":INP1:OFFS 4DB")

    peer.submit = knob_turned
    with pytest.raises(NotSettledError, match="6 dB is read back"):
        voa.set_attenuation_db(1, 5.0)


def test_power_control_holds_the_output_until_an_attenuation_is_set(small_bench, voa):
    session = voa.session
    session.command(":OUTP1:POW -15DBM")
    small_bench.clock.sleep(0.1)
    assert light_db(small_bench, 1) == pytest.approx(15.0, abs=0.1)
    session.command(":INP1:ATT 3DB")
    assert not session.query(":OUTP1:POW:CONTR?").boolean()


def test_default_unit_is_metres(small_bench, voa):
    session = voa.session
    session.command(":INP1:WAV 1310", check=False)
    assert [code for code, _ in session.drain_errors()] == [-222]
    session.command(":input1:channel1:wavelength 1550nm")
    assert session.query(":INP1:WAV?").real() == pytest.approx(1550e-9)
    assert session.query(":INP1:WAV? MIN").real() == pytest.approx(1260e-9)
    session.command(":INP2:ATT 1", check=False)  # the second channel is slot 3
    assert [code for code, _ in session.drain_errors()] == [-114]


def test_the_wavelength_set_matters(small_bench, voa):
    voa.set_attenuation_db(1, 20.0)
    right_db = light_db(small_bench, 1)
    voa.configure(wavelength_nm=1550.0, channels=[1])
    assert abs(light_db(small_bench, 1) - right_db) > 0.3


def test_making_safe_closes_and_attenuates(small_bench, voa):
    voa.set_shutter(1, open_=True)
    voa.session.command(":INP1:OFFS 3DB")
    steps = voa.make_safe()
    assert [step.safe for step in steps] == [True] * 4
    assert steps[0].read_back == "shutter closed, 48 dB"
    small_bench.clock.sleep(1.0)
    assert small_bench.fibres.open_shutters == set()
    assert min(small_bench.fibres.attenuations_db.values()) > 44.8


def test_reset_opens_nothing(small_bench, voa):
    voa.set_shutter(1, open_=True)
    voa.set_attenuation_db(1, 10.0)
    voa.session.command("*RST")
    small_bench.clock.sleep(1.0)
    assert small_bench.fibres.open_shutters == set()
    assert light_db(small_bench, 1) == pytest.approx(0.0, abs=0.05)


def test_same_seed_same_errors(another_small_bench):
    def settings_db(seed):
        bench = another_small_bench(seed)
        driver = bench.open(VOA)
        driver.configure(wavelength_nm=1310.0)
        driver.set_attenuation_db(3, 17.0)
        return light_db(bench, 3)

    assert settings_db(1) == settings_db(1)
    assert settings_db(1) != settings_db(2)


@pytest.mark.parametrize(("name", "count"), [("keysight-n7761a", 1), ("keysight-n7762a", 2)])
def test_smaller_models(small_bench, name, count):
    driver = small_bench.open(name)
    driver.configure(wavelength_nm=1310.0)
    driver.set_attenuation_db(count, 3.0)
    assert light_db(small_bench, count) == pytest.approx(3.0, abs=0.1)
    assert set(small_bench.fibres.attenuations_db) == set(range(1, count + 1))


def test_an_attenuator_that_sends_garbage(small_bench, voa):
    small_bench.peers[VOA].garble()
    with pytest.raises(GarbledReplyError):
        voa.attenuation_db(1)
    small_bench.peers[VOA].garble(on=False)
    assert voa.attenuation_db(1) == 0.0


def test_in_the_bench_s_own_fibres(small_bench):
    """Module, attenuator and power meter in one fibre, through the plant."""

    class Lit:
        def launched(self, port):
            return (Beam("module.tx1", 1e-3, 1311.0),) if port == 1 else ()

    attenuator, meter = Port("attenuator", "1"), Port("power_meter", "2")
    fibres = [Fibre(Port("module", "tx1"), attenuator, 0.5, 0.1), Fibre(attenuator, meter, 0.3, 0.1)]
    plant = FibrePlant(small_bench.world, Wiring(fibres, {"attenuator": InsertionLoss(1.2, 0.2)}))
    plant.connect_module(Lit())
    peer = AttenuatorPeer(small_bench.world, plant, role="attenuator")
    small_bench.library.attach("TCPIP0::voa::5025::SOCKET", peer)
    resource = small_bench.manager.open_resource("TCPIP0::voa::5025::SOCKET")
    voa = N7764A(ScpiSession(resource, small_bench.clock, name="attenuator"), small_bench.clock, name="voa")
    voa.connect()
    voa.configure(wavelength_nm=1311.0)
    assert plant.power_w("power_meter", 2) == 0.0  # the shutter is closed
    voa.set_shutter(1, open_=True)
    unattenuated_dbm = dbm_from_w(plant.power_w("power_meter", 2))
    assert unattenuated_dbm == pytest.approx(-2.0, abs=0.4)
    voa.set_attenuation_db(1, 7.0)
    before_dbm = dbm_from_w(plant.power_w("power_meter", 2))
    voa.set_attenuation_db(1, 8.0)
    assert before_dbm - dbm_from_w(plant.power_w("power_meter", 2)) == pytest.approx(1.0, abs=0.1)
    assert all(step.safe for step in voa.make_safe())
    assert plant.power_w("power_meter", 2) == 0.0
