"""The AQ6370D driver on the simulated analyser: accuracy, SMSR, CWDM lanes, login, offset stalls."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from drivers.errors import ConnectionFailedError, InvalidReadingError, NoReplyError
from harness.simulation.light.beam import Beam, Modulation, even_levels

OSA = "yokogawa-aq6370d"
CWDM_NM = (1271.0, 1291.0, 1311.0, 1331.0)


def laser(wavelength_nm=1311.2, power_w=1e-3, smsr_db=45.0, source="module.tx1"):
    return Beam(source, power_w, wavelength_nm, None, Modulation(even_levels(5.0), smsr_db=smsr_db))


def analyser(bench, *beams, transport="SOCKET", options=None, **peer_options):
    bench.fibres.beams[1] = beams
    driver = bench.open(OSA, transport=transport, options=options, peer_options=peer_options)
    driver.configure(centre_nm=1311.0, span_nm=10.0, resolution_nm=0.05)
    return driver


@pytest.mark.parametrize("transport", ["SOCKET", "INSTR"])
@pytest.mark.parametrize("binary", [False, True])
def test_wavelength_level_and_smsr_within_the_accuracy(small_bench, transport, binary):
    osa = analyser(small_bench, laser(), transport=transport, options={"binary_traces": binary})
    line = osa.laser_line()
    assert line.wavelength_nm == pytest.approx(1311.2, abs=0.11)
    assert line.power_dbm == pytest.approx(0.0, abs=0.6)
    assert line.smsr_db == pytest.approx(45.0, abs=0.5)


def test_each_analyser_has_errors_of_its_own(another_small_bench):
    lines = [analyser(another_small_bench(seed), laser()).laser_line() for seed in range(6)]
    errors_nm = [line.wavelength_nm - 1311.2 for line in lines]
    assert max(map(abs, errors_nm)) < 0.11
    assert max(errors_nm) - min(errors_nm) > 0.02
    assert len({line.power_dbm for line in lines}) == 6


@pytest.mark.parametrize("smsr_db", [25.0, 30.0, 38.0, 50.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_smsr_within_half_a_db(another_small_bench, smsr_db, seed):
    bench = another_small_bench(seed)
    osa = analyser(bench, laser(power_w=0.2e-3, smsr_db=smsr_db), options={"sensitivity": "HIGH1"})
    assert osa.laser_line().smsr_db == pytest.approx(smsr_db, abs=0.5)


def test_a_laser_without_side_modes_has_no_smsr(small_bench):
    osa = analyser(small_bench, laser(smsr_db=math.inf))
    assert osa.laser_line().smsr_db is None


def test_weak_side_modes_show_with_more_sensitivity_and_that_takes_longer(small_bench):
    beam = laser(power_w=1e-6, smsr_db=45.0)
    osa = analyser(small_bench, beam)
    assert osa.laser_line().smsr_db is None
    sensitive = small_bench.open(OSA, options={"sensitivity": "HIGH3"}, transport="SOCKET")
    sensitive.configure(centre_nm=1311.0, span_nm=10.0, resolution_nm=0.05)
    sensitive.calibrate_offset()
    start_s = small_bench.world.now_s
    assert sensitive.laser_line().smsr_db == pytest.approx(45.0, abs=1.0)
    assert small_bench.world.now_s - start_s > 60.0


def test_four_cwdm_lanes(small_bench):
    powers_w = (1e-3, 0.5e-3, 0.8e-3, 0.3e-3)
    beams = [
        laser(wavelength_nm, power_w, source=f"module.tx1.{lane}")
        for lane, (wavelength_nm, power_w) in enumerate(zip(CWDM_NM, powers_w, strict=True), start=1)
    ]
    osa = analyser(small_bench, *beams)
    osa.configure(centre_nm=1301.0, span_nm=90.0, resolution_nm=0.2)
    spectrum = osa.sweep()
    found = {}
    for place, level_dbm in enumerate(spectrum.powers_dbm[1:-1], start=1):
        near = spectrum.powers_dbm[place - 1 : place + 2]
        if level_dbm == max(near) and level_dbm > -20.0:
            found[spectrum.wavelengths_nm[place]] = level_dbm
    assert sorted(found) == pytest.approx(CWDM_NM, abs=0.15)
    shown_dbm = [level_dbm for _, level_dbm in sorted(found.items())]
    assert shown_dbm == pytest.approx([10.0 * math.log10(power_w * 1e3) for power_w in powers_w], abs=0.6)


def test_wavelengths_are_those_in_vacuum_and_the_peer_begins_in_air(small_bench):
    osa = analyser(small_bench, laser(), wavelength_accuracy_nm=0.0)
    in_vacuum_nm = osa.laser_line().wavelength_nm
    assert in_vacuum_nm == pytest.approx(1311.2, abs=0.006)
    osa.session.command(":SENS:CORR:RVEL:MED AIR")
    assert osa.laser_line().wavelength_nm == pytest.approx(1311.2 / 1.00027, abs=0.011)


def test_in_the_dark_there_is_noise_and_no_line_stands_out(small_bench):
    osa = analyser(small_bench)
    spectrum = osa.sweep()
    assert max(spectrum.powers_dbm) < -65.0
    assert len(set(spectrum.powers_dbm)) > 400


def test_noise_falls_with_sensitivity(small_bench):
    highest_dbm = []
    for sensitivity in ("NORM", "MID", "HIGH1", "HIGH2"):
        osa = analyser(small_bench, options={"sensitivity": sensitivity})
        highest_dbm.append(max(osa.sweep().powers_dbm))
    assert all(more > less + 2.0 for more, less in pairwise(highest_dbm))


def test_a_sweep_shows_what_is_there_when_it_ends(small_bench):
    osa = analyser(small_bench, laser())
    osa.sweep()
    small_bench.world.after(1.0, lambda: small_bench.fibres.beams.update({1: (laser(1309.0),)}))
    assert osa.laser_line().wavelength_nm == pytest.approx(1309.0, abs=0.11)


def test_without_login_a_raw_socket_is_silent(small_bench):
    session = small_bench.session(OSA)
    with pytest.raises(NoReplyError):
        session.query("*IDN?")


def test_an_unknown_user_is_put_out(small_bench):
    session = small_bench.session(OSA)
    assert session.query('open "nobody"').text == "AUTHENTICATE CRAM-MD5."
    with pytest.raises(ConnectionFailedError):
        session.query("secret")


def test_login_in_pieces_and_lines_that_end_with_crlf(small_bench):
    small_bench.session(OSA)
    client = small_bench.peers[OSA].connect(marks_end=False)
    for piece in (b'OPEN "anon', b'ymous"\r\n \r', b"\n*IDN?\r\n"):
        client.receive(piece, end=False)
    small_bench.clock.sleep(0.1)
    received, ended = client.take(1000, None)
    first, second, identity = received.split(b"\r\n")[:3]
    assert (first, second) == (b"AUTHENTICATE CRAM-MD5.", b"ready")
    assert identity.startswith(b"YOKOGAWA,AQ6370D,")
    assert received.endswith(b"\r\n")
    assert not ended


def test_the_automatic_offset_stalls_it_every_ten_minutes(small_bench):
    small_bench.clock.sleep(580.0)  # one is under way from 570 s to 600 s
    osa = analyser(small_bench, laser())
    assert small_bench.world.now_s == pytest.approx(600.0, abs=5.0)
    start_s = small_bench.world.now_s
    small_bench.clock.sleep(3600.0)
    osa.identify()
    assert small_bench.world.now_s - start_s < 3601.0  # it is off
    osa.session.command(":CAL:ZERO ON")
    stalls_s = []
    for _ in range(700):
        small_bench.clock.sleep(1.0)
        asked_s = small_bench.world.now_s
        osa.identify()
        stalls_s.append(small_bench.world.now_s - asked_s)
    assert sum(stalls_s) == pytest.approx(30.0, abs=3.0)


def test_sweeps_go_on_through_the_automatic_offset(small_bench):
    osa = analyser(small_bench, laser(), options={"automatic_offset": True})
    for _ in range(12):
        small_bench.clock.sleep(97.0)
        assert osa.laser_line().smsr_db == pytest.approx(45.0, abs=0.5)


def test_the_driver_takes_the_offset_itself_before_the_drift_shows(small_bench):
    osa = analyser(small_bench, laser())
    osa.sweep()
    start_s = small_bench.world.now_s
    osa.sweep()
    assert small_bench.world.now_s - start_s < 5.0
    small_bench.clock.sleep(700.0)
    start_s = small_bench.world.now_s
    osa.sweep()
    assert 30.0 < small_bench.world.now_s - start_s < 37.0


def test_the_latest_error_alone_is_kept(small_bench):
    session = analyser(small_bench, laser()).session
    session.command(":NONS", check=False)
    session.command(":SENS:WAV:CENT 1310", check=False)  # metres
    assert [code for code, _ in session.drain_errors()] == [-222]


def test_nothing_to_read_before_a_sweep(small_bench):
    session = analyser(small_bench, laser()).session
    session.time_limit_s = 1.0
    with pytest.raises(NoReplyError):
        session.query(":TRAC:X? TRA")
    with pytest.raises(NoReplyError):
        session.query(":CALC:DATA?")
    assert [code for code, _ in session.errors_at_resynchronisation] == [-230]


def test_abort_ends_a_sweep_without_a_trace(small_bench):
    session = analyser(small_bench, laser()).session
    session.command(":SENS:SENS HIGH3")
    session.query(":STAT:OPER:EVEN?")
    session.command(":INIT")
    assert session.query(":STAT:OPER:COND?").integer() == 0
    session.command(":ABOR")
    assert session.query(":STAT:OPER:COND?").integer() == 1
    assert session.wait_complete(1.0) < 1.0
    small_bench.clock.sleep(100.0)
    assert session.query(":STAT:OPER:EVEN?").integer() == 0


def test_repeated_sweeps(small_bench):
    session = analyser(small_bench, laser(1309.0)).session
    session.command(":INIT:SMOD REP")
    session.command(":INIT")
    small_bench.clock.sleep(5.0)
    small_bench.fibres.beams[1] = (laser(1312.0),)
    small_bench.clock.sleep(5.0)
    session.command(":CALC:MARK:MAX")
    assert session.query(":CALC:MARK:X? 0").real() == pytest.approx(1312e-9, abs=0.11e-9)
    assert session.query(":CALC:MARK:Y? 0").real() == pytest.approx(0.0, abs=0.6)
    session.command(":ABOR")


def test_what_another_public_driver_of_this_family_sends_is_understood(small_bench):
    """Long forms, plain metres and numbers for words, as third-party drivers have them."""
    session = analyser(small_bench, laser(), transport="INSTR").session
    for setting in (
        ":ABORt",
        ":INITiate:SMODe 1",
        ":DISPlay:TRACe:Y1:SCALe:RLEVel -5",
        ":DISPlay:TRACe:Y1:RPOSition 8",
        ":SENSe:SWEep:TIME:INTerval 0",
        ":SENSe:SWEep:SPEed 1",
        ":SENSe:SENSe 6",
        ":SENSe:WAVelength:CENTer 1.311e-06",
        ":SENSe:WAVelength:SPAN 5e-09",
        ":SENSe:WAVelength:STARt 1.308e-06",
        ":SENSe:WAVelength:STOP 1.314e-06",
        ":SENSe:BWIDth:RESolution 2e-11",
        ":SENSe:SWEep:POINts:AUTO 0",
        ":SENSe:SWEep:POINts 1001",
        ":INITiate:IMMediate",
        "CFORM1",
    ):
        session.command(setting)
    readings = {
        query: session.query(query).real()
        for query in (
            ":DISPlay:TRACe:Y1:SCALe:RLEVel?",
            ":DISPlay:TRACe:Y1:RPOSition?",
            ":INITiate:SMODe?",
            ":SENSe:SWEep:TIME:INTerval?",
            ":SENSe:SWEep:POINts:AUTO?",
            ":SENSe:SWEep:POINts?",
            ":SENSe:SENSe?",
            ":SENSe:WAVelength:CENTer?",
            ":SENSe:WAVelength:SPAN?",
            ":SENSe:WAVelength:STARt?",
            ":SENSe:WAVelength:STOP?",
            ":SENSe:BWIDth:RESolution?",
            ":SENSe:SWEep:SPEed?",
            ":STATus:OPERation:CONDition?",
        )
    }
    wanted = [-5.0, 8, 1, 0, 0, 1001, 6, 1311e-9, 6e-9, 1308e-9, 1314e-9, 2e-11, 1, 0]
    assert list(readings.values()) == pytest.approx(wanted)
    small_bench.clock.sleep(3.0)
    assert session.query(":STATus:OPERation:CONDition?").integer() == 1
    wavelengths_m = session.query(":TRACe:X? TRA").reals(1001)
    powers_dbm = session.query(":TRACe:Y? TRA").reals(1001)
    assert wavelengths_m[int(np.argmax(powers_dbm))] == pytest.approx(1311.2e-9, abs=0.11e-9)
    for setting in (
        ":CALCulate:MARKer:MAXimum:SRLevel",
        ":TRACe:COPY TRA,TRB",
        ":CALCulate",
        ":TRACe:DELete TRB",
        ":TRACe:DELete:ALL",
    ):
        session.command(setting)
    assert session.query(":CALCulate:DATA?").reals(5)[1] == pytest.approx(1311.2e-9, abs=0.11e-9)
    assert session.query(":TRACe:ACTive?").text == "TRA"


def test_smsr_category_and_unsimulated_things_are_refused(small_bench):
    osa = analyser(small_bench, laser(), transport="INSTR")
    osa.sweep()
    session = osa.session
    session.command(":CALC:CAT SMSR")
    session.command(":CALC")
    assert session.query(":CALC:DATA?").reals(6)[5] == pytest.approx(45.0, abs=0.5)
    for setting in (
        ":CALC:CAT WDM",
        ":DISP:TRAC:Y1:UNIT W",
        ":DISP:TRAC:Y1:SPAC LIN",
        "CFORM0",
        ":SENS:SENS 7",
    ):
        session.command(setting, check=False)
        assert len(session.drain_errors()) == 1
    session.command(":INIT:SMOD AUTO")
    session.command(":INIT", check=False)
    assert [text for _, text in session.drain_errors()] == ["Sweep mode not simulated"]


def test_same_seed_same_trace_whatever_was_asked_before(another_small_bench):
    def trace(seed, ask):
        bench = another_small_bench(seed)
        osa = analyser(bench, laser())
        if ask:
            osa.sweep()
        bench.clock.sleep(500.0 - bench.world.now_s)
        osa.calibrate_offset()
        bench.clock.sleep(540.0 - bench.world.now_s)
        return osa.sweep().powers_dbm

    assert trace(1, ask=False) == trace(1, ask=True)
    assert trace(1, ask=False) != trace(2, ask=False)


def test_an_invalid_value_is_no_line(small_bench):
    osa = analyser(small_bench, laser())
    osa.sweep()
    peer = small_bench.peers[OSA]
    peer._analyse = None
    original = peer._find(":CALC:DATA?")

    def invalid(header, find=peer._find):
        if header == ":CALC:DATA?":
            command, suffixes = original
            return type(command)(command.pattern, lambda _: "1E-10,9.91E+37,0,0,0", True), suffixes
        return find(header)

    peer._find = invalid
    with pytest.raises(InvalidReadingError):
        osa.laser_line()


def test_shifts_and_masks_that_somebody_left_behind_do_not_count(small_bench):
    small_bench.fibres.beams[1] = (laser(),)
    osa = small_bench.open(OSA)
    for left in (
        ":SENS:CORR:LEV:SHIF 10DB",
        ":SENS:CORR:WAV:SHIF 2NM",
        ":CALC:PAR:DFBL SMSR,SMASK,50NM",
        ":CALC:PAR:DFBL SMSR,SMODE,SMSR2",
    ):
        osa.session.command(left)
    osa.configure(centre_nm=1311.0, span_nm=10.0, resolution_nm=0.05)
    line = osa.laser_line()
    assert line.wavelength_nm == pytest.approx(1311.2, abs=0.11)
    assert line.power_dbm == pytest.approx(0.0, abs=0.6)
    assert line.smsr_db == pytest.approx(45.0, abs=0.5)


def test_without_neutral_corrections_they_do_count(small_bench):
    small_bench.fibres.beams[1] = (laser(),)
    osa = small_bench.open(OSA, options={"neutral_corrections": False})
    osa.session.command(":SENS:CORR:LEV:SHIF 10DB")
    osa.configure(centre_nm=1311.0, span_nm=10.0, resolution_nm=0.05)
    assert osa.laser_line().power_dbm == pytest.approx(10.0, abs=0.6)
