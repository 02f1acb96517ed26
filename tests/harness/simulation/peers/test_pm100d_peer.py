"""The PM100D driver on the simulated meter: nanometres, averaging, accuracy, zero, overload."""

from __future__ import annotations

import pytest

from drivers.errors import InstrumentError, NoReplyError, OverloadError, UnsupportedError

METER = "thorlabs-pm100d"


@pytest.fixture
def lit(small_bench):
    small_bench.fibres.powers_w = {1: 1e-3}
    return small_bench


def ready(bench, averaging_s=0.3, **options):
    meter = bench.open(METER, **options)
    meter.configure(wavelength_nm=1310.0, averaging_s=averaging_s)
    return meter


@pytest.mark.parametrize("transport", ["SOCKET", "INSTR"])
@pytest.mark.parametrize("power_w", [1e-3, 1e-5, 1e-7])
def test_it_reads_within_its_accuracy(lit, transport, power_w):
    lit.fibres.powers_w[1] = power_w
    meter = ready(lit, transport=transport)
    (reading,) = meter.read_powers_w([1])
    assert reading.power_w == pytest.approx(power_w, rel=0.04)


def test_it_names_its_sensor(lit):
    assert ready(lit).sensor.name == "S154C"


def test_a_sensor_for_energy_is_no_power_meter(lit):
    with pytest.raises(UnsupportedError, match="flags 2"):
        lit.open(METER, peer_options={"flags": 2})


def test_a_reading_lasts_its_average_and_is_new(lit):
    meter = ready(lit, averaging_s=3.0)
    meter.read_powers_w([1])
    start_s = lit.world.now_s
    lit.world.after(2.5, lambda: lit.fibres.powers_w.update({1: 0.99e-3}))
    (reading,) = meter.read_powers_w([1])
    assert lit.world.now_s - start_s == pytest.approx(3.0, abs=0.01)
    first_w = reading.power_w
    lit.fibres.powers_w[1] = 0.5e-3
    assert meter.session.query("FETC?").real() == first_w
    assert meter.read_powers_w([1])[0].power_w == pytest.approx(0.5e-3, rel=0.04)


def test_longer_averages_scatter_less(lit):
    def spread(averaging_s):
        meter.configure(wavelength_nm=1310.0, averaging_s=averaging_s)
        readings = [meter.read_powers_w([1])[0].power_w for _ in range(40)]
        mean_w = sum(readings) / len(readings)
        return sum((value - mean_w) ** 2 for value in readings) / len(readings)

    meter = lit.open(METER)
    assert spread(0.003) > 20.0 * spread(0.3)


def test_wavelengths_are_nanometres_without_suffix(lit):
    session = ready(lit).session
    assert session.query("SENS:CORR:WAV?").real() == 1310.0
    for command, code in (("SENS:CORR:WAV 1310NM", -138), ("SENS:CORR:WAV 1.31E-6", -222)):
        with pytest.raises(InstrumentError, match=str(code)):
            session.command(command)
    assert session.query("SENS:CORR:WAV?").real() == 1310.0


def test_a_wrong_wavelength_reads_wrong(lit):
    meter = ready(lit)
    right_w = meter.read_powers_w([1])[0].power_w
    meter.configure(wavelength_nm=1550.0, averaging_s=0.3)
    assert meter.read_powers_w([1])[0].power_w == pytest.approx(right_w * (1.0 - 0.108), rel=0.005)


def test_zero_takes_the_dark_offset_and_not_the_light(lit):
    meter = ready(lit, averaging_s=3.0)
    with pytest.raises(InstrumentError, match="there was light"):
        meter.zero()
    lit.fibres.powers_w[1] = 0.0
    meter.zero([1])
    assert abs(meter.read_powers_w([1])[0].power_w) < 1e-10


def test_too_much_light_is_an_overload(lit):
    meter = ready(lit)
    lit.fibres.powers_w[1] = 4e-3
    with pytest.raises(OverloadError):
        meter.read_powers_w([1])


def test_nothing_was_measured_yet(lit):
    session = lit.open(METER).session
    with pytest.raises(NoReplyError):
        session.query("FETC?")


@pytest.mark.parametrize(("neutral", "shown_w"), [(True, 1e-3), (False, 1e-2)])
def test_an_attenuation_that_somebody_stated_counts_only_when_asked_for(lit, neutral, shown_w):
    meter = lit.open(METER, options={"neutral_corrections": neutral})
    meter.session.command("SENS:CORR:LOSS 10")
    meter.configure(wavelength_nm=1310.0, averaging_s=0.3)
    (reading,) = meter.read_powers_w([1])
    assert reading.power_w == pytest.approx(shown_w, rel=0.04)


def test_fetch_waits_for_the_measurement_that_was_begun(lit):
    session = ready(lit, averaging_s=3.0).session
    session.query("READ?", time_limit_s=10.0)  # the range has settled
    session.command("AVER:COUN 1000")  # SENSe may be left out
    start_s = lit.world.now_s
    session.command("INIT")
    lit.world.after(2.5, lambda: lit.fibres.powers_w.update({1: 0.9e-3}))
    assert session.query("FETC?", time_limit_s=10.0).real() == pytest.approx(0.9e-3, rel=0.04)
    assert lit.world.now_s - start_s == pytest.approx(3.0, abs=0.02)
    session.command("INIT")
    session.command("ABOR")
    lit.fibres.powers_w[1] = 0.5e-3
    lit.clock.sleep(10.0)
    assert session.query("FETC?").real() == pytest.approx(0.9e-3, rel=0.04)  # nothing newer was measured


def test_the_operation_register_tells_of_a_new_value_when_its_filter_lets_it(lit):
    session = ready(lit).session
    assert session.query("STAT:OPER?").integer() == 0
    session.query("READ?")
    assert session.query("STAT:OPER?").integer() == 512
    assert session.query("STAT:OPER?").integer() == 0
    session.command("STAT:OPER:PTR 0")
    assert session.query("STAT:OPER:PTR?").integer() == 0
    session.query("READ?")
    assert session.query("STAT:OPER?").integer() == 0
