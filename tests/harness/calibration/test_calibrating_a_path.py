"""The loss of a way against a reference patch: found as it truly is on the simulated bench, by who plugs."""

from __future__ import annotations

import datetime

import pytest

from drivers.clock import StopFlag
from drivers.errors import BenchError
from drivers.units import db_from_ratio
from harness.bench_file.reading import load_bench
from harness.calibration.levels import Level
from harness.calibration.path_loss import (
    bench_file_lines,
    calibrate_path,
    calibrated_path_lines,
    due_date,
    find_way,
    judge_path,
)
from harness.opening import bench_backend, open_bench
from harness.wiring import parse_port

SOURCE = 'from = "reference_tx.1"\nto = "optical_switch.5"\nloss = "0.35 dB"\nuncertainty = "0.3 dB"'
SOURCE_W = 1.6e-3
HEADLESS = """[instruments.operator]
driver = "operator-headless"
address = "nobody"
options = { answers = ["done"] }

[supply]"""
OPERATOR = ("[supply]", HEADLESS)
START, END = parse_port("reference_tx.1"), parse_port("power_meter.1")
CHANNEL = parse_port("attenuator.1")
ATTENUATOR = (
    "[supply]",
    """[instruments.attenuator]
driver = "keysight-n7764a"
address = "TCPIP0::192.0.2.20::inst0::INSTR"
pass = { loss = "1.2 dB", uncertainty = "0.1 dB" }

[supply]""",
)
BY_THE_ATTENUATOR = "\n".join(
    f'[[fibre]]\nfrom = "{start}"\nto = "{end}"\nloss = "0.3 dB"\nuncertainty = "0.06 dB"'
    for start, end in (("optical_switch.25", "attenuator.1"), ("attenuator.1", "optical_switch.9"))
)


class Plugging:
    """A person who does what is asked: while the patch is at the meter, the source's light is."""

    def __init__(self, fibres, source_w, answers):
        self._fibres, self._natural, self._source_w = fibres, fibres.power_w, source_w
        self._answers = list(answers)
        self.requests = []

    def ask(self, request, *, answers):
        self.requests.append(request)
        at_meter = "reference patch and plug it into power_meter.1" in request or "once more" in request
        self._fibres.power_w = self._at_the_meter if at_meter else self._natural
        return self._answers.pop(0) if self._answers else answers[0]

    def _at_the_meter(self, role, port):
        return self._source_w if (role, port) == ("power_meter", 1) else self._natural(role, port)


@pytest.fixture
def lab(changed_bench, with_reference, lamp):
    """A bench where a lamp is plugged in, in the place of its reference transmitter, and its world."""
    spec = load_bench(
        changed_bench(*with_reference, OPERATOR, ATTENUATOR, more=f"[[fibre]]\n{SOURCE}\n{BY_THE_ATTENUATOR}")
    )
    stop = StopFlag()
    backend = bench_backend(spec, stop)
    backend.fibres.connect_reference(lamp(SOURCE_W))
    bench = open_bench(spec, stop, backend)
    bench.connect()
    yield bench, backend
    bench.close()


def test_the_loss_found_is_the_true_one_within_its_uncertainty(lab):
    bench, backend = lab
    way = find_way(bench, START, END)
    bench.optical_switch.route({5: 17})
    true_db = db_from_ratio(SOURCE_W / backend.fibres.power_w("power_meter", 1))
    assert abs(true_db - way.loss_db) > 0.02  # of another world it may be nearer; then nothing is shown
    person = Plugging(backend.fibres, SOURCE_W, [])
    bench.instruments["operator"] = person
    found = calibrate_path(bench, way)
    assert found.loss_db == pytest.approx(true_db, abs=found.uncertainty_db)
    assert 0.1 < found.uncertainty_db < 0.13  # the connector's 0.1 dB and the meter's 0.04 dB
    assert found.loss_db != way.loss_db
    assert len(found.asked) == len(person.requests) == 4
    assert {entry["answer"] for entry in found.asked} == {"done"}
    lines = bench_file_lines(bench, found)
    assert 'from = "reference_tx.1"' in lines
    first_db = float(lines.split('loss = "')[1].split(" ")[0])
    assert first_db == pytest.approx(0.35 + found.loss_db - way.loss_db, abs=0.006)


def test_a_way_through_an_attenuator_is_measured_at_0_db_and_left_as_it_was(lab):
    bench, backend = lab
    way = find_way(bench, START, END, CHANNEL)
    assert way.attenuators == (CHANNEL,)
    assert find_way(bench, START, END).attenuators == ()  # without being asked for by that port
    bench.attenuator.configure(wavelength_nm=1311.0)
    bench.attenuator.set_attenuation_db(1, 7.0)
    bench.attenuator.set_shutter(1, open_=True)
    bench.attenuator.set_shutter(2, open_=True)
    person = Plugging(backend.fibres, SOURCE_W, [])
    bench.instruments["operator"] = person
    found = calibrate_path(bench, way, via=CHANNEL)
    assert (bench.attenuator.attenuation_db(1), bench.attenuator.shutter_is_open(1)) == (7.0, True)
    bench.attenuator.set_attenuation_db(1, 0.0)
    bench.optical_switch.route({entry: leave for _, entry, leave in way.routes})
    true_db = db_from_ratio(SOURCE_W / backend.fibres.power_w("power_meter", 1))
    assert true_db > 4.0  # a matrix crossed twice, and the attenuator's own
    assert found.loss_db == pytest.approx(true_db, abs=found.uncertainty_db)
    assert found.to_json()["attenuators"] == [{"channel": "attenuator.1", "attenuation_db": 0.0}]
    assert 'via = "attenuator.1"' in calibrated_path_lines(found)


def test_an_attenuator_is_left_as_it_was_when_the_calibration_fails(lab):
    bench, backend = lab
    bench.attenuator.configure(wavelength_nm=1311.0)
    bench.attenuator.set_attenuation_db(1, 7.0)
    bench.instruments["operator"] = Plugging(backend.fibres, SOURCE_W, ["done", "done", "stop"])
    with pytest.raises(BenchError, match="the operator stopped"):
        calibrate_path(bench, find_way(bench, START, END, CHANNEL))
    assert (bench.attenuator.attenuation_db(1), bench.attenuator.shutter_is_open(1)) == (7.0, False)


def test_a_person_may_stop(lab):
    bench, backend = lab
    bench.instruments["operator"] = Plugging(backend.fibres, 1e-3, ["done", "stop"])
    with pytest.raises(BenchError, match="the operator stopped"):
        calibrate_path(bench, find_way(bench, START, END))


def test_who_only_says_done_calibrates_nothing(bench_command, changed_bench, with_reference):
    # The headless operator plugs nothing: the port is dark, and that is seen.
    file = changed_bench(*with_reference, OPERATOR, more=f"[[fibre]]\n{SOURCE}")
    done = bench_command("calibrate", file, "--path", "reference_tx.1", "power_meter.1")
    assert done.code == 2
    assert "at power_meter.1 by the reference patch" in done.complained
    assert "turn the source on" in done.complained


def test_without_an_operator_nothing_begins(bench_command, changed_bench):
    done = bench_command("calibrate", changed_bench(), "--path", "module.tx1", "power_meter.1")
    assert done.code == 2
    assert "has no operator; add one to bench.toml" in done.complained


@pytest.mark.parametrize(
    ("end", "message"),
    [("power_meter.9", "such as power_meter.1"), ("power_meter.7", "add the missing fibre")],
)
def test_ways_that_are_not_there(lab, end, message):
    with pytest.raises(BenchError, match=message):
        find_way(lab[0], START, parse_port(end))


def level(power_w: float) -> Level:
    return Level((power_w,) * 4)


def test_known_numbers(lab):
    way = find_way(lab[0], START, END)
    found = judge_path(way, level(1e-3), level(0.5e-3), level(1e-3), linearity_db=0.03, connector_db=0.04)
    assert found.loss_db == pytest.approx(3.0103, abs=1e-4)
    assert found.uncertainty_db == pytest.approx(0.05)  # 3, 4, 5
    # 0.08 dB of drift: half of it either way, rectangular, k = 2: 0.046 dB.
    moved = judge_path(way, level(1e-3), level(0.5e-3), level(1.0186e-3), linearity_db=0.0, connector_db=0.0)
    assert moved.uncertainty_db == pytest.approx(0.0462, abs=1e-3)


@pytest.mark.parametrize(
    ("through_w", "after_w", "message"),
    [(0.5e-3, 1.03e-3, "moved by"), (1.2e-3, 1e-3, "more light by the way")],
)
def test_what_cannot_be_is_refused(lab, through_w, after_w, message):
    with pytest.raises(BenchError, match=message):
        judge_path(find_way(lab[0], START, END), level(1e-3), level(through_w), level(after_w))


def test_the_rest_of_the_way_cannot_lose_more_than_all_of_it(lab):
    bench, _ = lab
    found = judge_path(find_way(bench, START, END), level(1e-3), level(0.9e-3), level(1e-3))
    with pytest.raises(BenchError, match="correct those losses first"):
        bench_file_lines(bench, found)


def test_due_dates():
    moment = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
    assert due_date(moment, 180) == "2027-05-21"
