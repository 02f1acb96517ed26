"""What is acquired of transmitters on the simulated labs, against the world's truth."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest

from drivers.clock import StopFlag
from drivers.errors import InvalidReadingError
from drivers.interfaces import EyeReading
from harness.acquisitions.eye import ATTEMPTS, eye
from harness.acquisitions.eye_again import eye_again
from harness.acquisitions.launch_power import launch_power
from harness.acquisitions.rin import rin
from harness.acquisitions.spectrum import spectrum
from harness.bench_file.reading import find_bench_file, load_bench
from harness.conditions.corner import corner_grid
from harness.judging.limits import limits_of_pmd
from harness.judging.measured import Checked, Measured, NotOffered
from harness.judging.verdict import Verdict, judge
from harness.opening import open_bench
from harness.run import Run
from harness.run_folder.folder import RunFolder
from harness.run_folder.manifest_of_run import build_manifest
from harness.signal.pam4 import rlm
from harness.signal.rin import rin_oma_of_laser_db_hz
from harness.signal.tdecq import EDITION_2017, tdecq
from harness.simulation.bench import SimulatedBackend
from harness.simulation.light.oscilloscope import OscilloscopeFrontEnd, seen_by_oscilloscope
from harness.simulation.light.symbols import symbols_of

LANES = (1, 2, 3, 4)


class Lab:
    """A run on a simulated bench, the module lit; ``wrong``: what the oscilloscope is made to say."""

    def __init__(self, out, bench: str, module: str, pmd: str, **simulation: object) -> None:
        spec = load_bench(find_bench_file(bench))
        section = dataclasses.replace(spec.simulation, module=module, **simulation)
        spec = dataclasses.replace(spec, simulation=section)
        self.backend = SimulatedBackend(spec, section, StopFlag())
        self.bench = open_bench(spec, StopFlag(), self.backend)
        self.run = Run(self.bench, limits_of_pmd(pmd), plan="unit", out=out)
        self.run.power_and_identify()
        self.run.begin(build_manifest(self.run, plan_files=(), items=1, corners=(), lanes=LANES))
        result, _ = self.run.bring_up(self.run.pmd.media_interface)
        assert result.ok, result.stopped_by
        (corner,) = corner_grid(case_temps_c=(25.0,), vccs_v=(3.3,))
        self.run.go_to(corner)

    def close(self) -> None:
        self.run._journal.close()
        self.backend.close()

    def beams(self):
        """By lane, what leaves the module now."""
        module = self.backend.module
        if self.run.pmd.multiplexed:
            return dict(zip(LANES, module.launched(1), strict=True))
        return {lane: module.launched(lane)[0] for lane in LANES}

    def acquisitions(self, name: str):
        return [r for r in RunFolder(self.run.folder).journal.records if getattr(r, "name", "") == name]

    def make(self, monkeypatch, change) -> None:
        """Change the oscilloscope's readings: ``change(count of the measurement, reading)``."""
        scope, count = self.bench.oscilloscope, SimpleNamespace(n=0)
        true = scope.measure

        def measure(channel, quantities, *, patterns=4):
            count.n += 1
            return tuple(change(count.n, reading) for reading in true(channel, quantities, patterns=patterns))

        monkeypatch.setattr(scope, "measure", measure)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    made = Lab(tmp_path_factory.mktemp("dr4"), "sim-dr4-full", "good-dr4", "400GBASE-DR4", seed=7)
    yield made
    made.close()


@pytest.fixture(scope="module")
def fr4(tmp_path_factory):
    made = Lab(tmp_path_factory.mktemp("fr4"), "sim-fr4", "good-fr4", "400G-FR4", seed=5)
    yield made
    made.close()


@pytest.fixture(scope="module")
def powers(lab):
    return {"launch_power": launch_power(lab.run, LANES)}


@pytest.fixture(scope="module")
def eyes(lab, powers):
    return eye(lab.run, LANES, powers)


def near(measured, truth: float) -> None:
    assert isinstance(measured, Measured), measured
    assert abs(measured.value - truth) <= measured.uncertainty, (measured, truth)


def test_eyes_are_those_that_leave_the_module(lab, eyes):
    for lane, beam in lab.beams().items():
        levels = beam.modulation.levels
        near(eyes.of("oma_outer", lane), 10 * math.log10(beam.oma_w * 1e3))
        near(eyes.of("extinction_ratio", lane), beam.modulation.extinction_ratio_db)
        near(eyes.of("rlm", lane), rlm(levels))


def test_tdecq_is_that_of_an_oscilloscope_without_noise(lab, eyes):
    (lane, beam), *_ = lab.beams().items()
    seen = seen_by_oscilloscope(
        [beam], None, OscilloscopeFrontEnd(26.5625e9), rng=np.random.default_rng(1), samples_per_ui=8
    )
    true = tdecq(seen, symbols_of(beam.signal.streams[0]), reference_filter_applied=True, method=EDITION_2017)
    near(eyes.of("tdecq", lane), true.tdecq_db)
    near(eyes.of("ceq", lane), 10 * math.log10(true.ceq))
    minus = eyes.of("tdecq_minus_ceq", lane)
    assert minus.value == pytest.approx(eyes.of("tdecq", lane).value - eyes.of("ceq", lane).value)
    power = eyes.of("oma_outer_minus_tdecq", lane)
    assert power.value == pytest.approx(eyes.of("oma_outer", lane).value - eyes.of("tdecq", lane).value)
    assert "back to back" in power.conditions["compliance_fibre"]
    assert power.facts["extinction_ratio"] == eyes.of("extinction_ratio", lane).value


def test_two_instruments_agree_on_the_average_power(eyes):
    for lane in LANES:
        difference = eyes.of("oscilloscope_power_difference", lane)
        assert abs(difference.value) <= difference.uncertainty


def test_a_signalling_rate_is_not_made_up(eyes):
    assert isinstance(eyes.of("signalling_rate_offset", 1), NotOffered)


def test_the_harness_agrees_with_the_oscilloscope(lab, eyes):
    found = eye_again(lab.run, LANES, {"eye": eyes}).of("tdecq_difference")
    assert abs(found.value) <= found.uncertainty


def test_another_tdecq_than_that_of_its_waveform_is_the_oscilloscopes_fault(lab, eyes):
    told = eyes.of("tdecq", 1)
    off = dict(eyes.measured) | {("tdecq", 1): dataclasses.replace(told, value=told.value + 1.0)}
    seen = eye_again(lab.run, (1,), {"eye": dataclasses.replace(eyes, measured=off)})
    with pytest.raises(InvalidReadingError, match="reference receiver filter"):
        seen.of("tdecq_difference")


def test_noise_is_that_of_the_lasers(lab, eyes):
    found = rin(lab.run, LANES, {"eye": eyes})
    for lane, beam in lab.beams().items():
        modulation = beam.modulation
        near(
            found.of("rin_oma", lane),
            rin_oma_of_laser_db_hz(modulation.rin_db_hz, modulation.extinction_ratio_db),
        )
        assert "grade D" in found.of("rin_oma", lane).conditions["definition"]


def test_a_user_pattern_of_other_levels_is_no_square_wave(lab, eyes):
    oma = eyes.of("oma_outer", 1)
    thrice = dict(eyes.measured) | {("oma_outer", 1): dataclasses.replace(oma, value=oma.value + 4.8)}
    found = rin(lab.run, (1,), {"eye": dataclasses.replace(eyes, measured=thrice)}).of("rin_oma", 1)
    assert isinstance(found, NotOffered)
    assert "does not come as a square wave" in found.reason


def test_spectra_are_those_of_the_lasers(lab, powers):
    found = spectrum(lab.run, LANES, powers)
    for lane, beam in lab.beams().items():
        near(found.of("wavelength", lane), beam.wavelength_nm)
        near(found.of("smsr", lane), beam.modulation.smsr_db)


# -- what goes wrong ----------------------------------------------------------------------------------


def test_a_doubtful_reading_is_taken_again_with_a_record_of_its_own(lab, powers, monkeypatch):
    def first_is_questionable(count: int, reading: EyeReading) -> EyeReading:
        doubt = count == 1 and reading.quantity == "extinction_ratio_db"
        return dataclasses.replace(reading, questionable=True, reason="too small") if doubt else reading

    lab.make(monkeypatch, first_is_questionable)
    before = len(lab.acquisitions("eye"))
    found = eye(lab.run, (1,), powers)
    again = lab.acquisitions("eye")[before:]
    assert [record.attempt for record in again] == [1, 2]
    assert list(again[1].data["readings"]) == ["1"]
    assert again[0].data["readings"]["1"]["extinction_ratio_db"]["reason"] == "too small"
    assert found.of("extinction_ratio", 1).attempt == 2


def test_what_stays_without_a_value_is_invalid_and_the_rest_is_not(lab, powers, monkeypatch):
    lab.make(
        monkeypatch,
        lambda _, reading: (
            dataclasses.replace(reading, value=None, reason="no edges")
            if reading.quantity == "transition_time_s"
            else reading
        ),
    )
    found = eye(lab.run, (1,), powers)
    with pytest.raises(InvalidReadingError, match=rf"lane 1.*{ATTEMPTS} attempts: no edges"):
        found.of("transition_time", 1)
    assert isinstance(found.of("tdecq", 1), Measured)


def test_oscilloscope_and_meter_that_disagree_prove_no_oma(lab, powers):
    power = powers["launch_power"]
    low = {
        key: dataclasses.replace(value, value=value.value + 1.5)
        if key[0] == "average_launch_power"
        else value
        for key, value in power.measured.items()
    }
    found = eye(lab.run, (2,), {"launch_power": dataclasses.replace(power, measured=low)})
    for parameter in ("oma_outer", "oma_outer_minus_tdecq"):
        with pytest.raises(Exception, match="Check and clean the fibres to oscilloscope"):
            found.of(parameter, 2)
    assert isinstance(found.of("extinction_ratio", 2), Measured)


def test_a_lane_that_meter_and_monitor_found_dark_fails(lab, powers):
    power = powers["launch_power"]
    level = dataclasses.replace(power.of("average_launch_power", 3), value=-35.0)
    dark = dataclasses.replace(power, measured=dict(power.measured) | {("average_launch_power", 3): level})
    found = eye(lab.run, (3,), {"launch_power": dark})
    oma = found.of("oma_outer", 3)
    assert isinstance(oma, Checked)
    assert not oma.passed
    assert isinstance(found.of("tdecq", 3), NotOffered)
    assert isinstance(spectrum(lab.run, (3,), {"launch_power": dark}).of("smsr", 3), NotOffered)


# -- lanes in one fibre -------------------------------------------------------------------------------


def test_each_wavelength_of_a_fibre_is_measured_as_its_lane(fr4):
    run = fr4.run
    powers = launch_power(run, LANES)
    colours = spectrum(run, LANES, {"launch_power": powers})
    beams = fr4.beams()
    for lane, beam in beams.items():
        near(powers.of("average_launch_power", lane), 10 * math.log10(beam.power_w * 1e3))
        near(colours.of("wavelength", lane), beam.wavelength_nm)
    total_w = sum(beam.power_w for beam in beams.values())
    near(powers.of("total_launch_power"), 10 * math.log10(total_w * 1e3))
    found = eye(run, (1, 4), {"launch_power": powers})
    for lane in (1, 4):
        near(found.of("oma_outer", lane), 10 * math.log10(fr4.beams()[lane].oma_w * 1e3))
    # Its own limits are met; those of 400GBASE-DR4, whose lanes have one wavelength, are not.
    own, other = limits_of_pmd("400G-FR4"), limits_of_pmd("400GBASE-DR4")
    verdicts = {}
    for limits in (own, other):
        for lane in LANES:
            value = colours.of("wavelength", lane)
            limit = limits.resolve("wavelength", {}, lane=lane)
            verdicts[limits is own, lane] = judge(value.value, value.uncertainty, limit).verdict
    assert {verdicts[True, lane] for lane in LANES} == {Verdict.PASS}
    assert [verdicts[False, lane] is Verdict.FAIL for lane in LANES] == [True, True, False, True]
