"""The 3 dB step where no attenuator is: a pad that the operator puts in and takes out again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.bench_file.reading import find_bench_file, load_bench
from harness.calibration import pad_step
from harness.calibration.checks import Outcome


class Person:
    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def ask(self, request, *, answers):
        self.requests.append(request)
        answer = self.answers.pop(0)
        assert answer in answers
        return answer


def bench_with(operator):
    return SimpleNamespace(
        spec=load_bench(find_bench_file("sim-dr4")),
        operator=operator,
        has=lambda role: role == "operator" and operator is not None,
    )


@pytest.fixture
def meter(monkeypatch):
    """What the meter reads, one power after the other."""
    powers_w: list[float] = []
    monkeypatch.setattr(pad_step, "_read_w", lambda bench, way: powers_w.pop(0))
    monkeypatch.setattr(pad_step, "close_way", lambda bench, way: None)
    monkeypatch.setattr(pad_step, "open_routes", lambda bench: None)
    return powers_w


@pytest.mark.parametrize(
    ("after_w", "outcome"),
    [(0.5e-3, Outcome.PASSED), (0.45e-3, Outcome.PASSED), (0.4e-3, Outcome.FAILED), (1e-3, Outcome.FAILED)],
)
def test_what_the_pad_takes_away(meter, after_w, outcome):
    # 3.01 dB, 3.47 dB, 3.98 dB and none; 3 dB within 0.6 dB is expected.
    meter += [1e-3, after_w]
    person = Person("in", "out")
    (check,) = pad_step.check_pad_step(bench_with(person), [1, 2, 3, 4])
    assert check.outcome is outcome
    assert check.subject == "power_meter.1"
    assert [entry["answer"] for entry in check.numbers["asked"]] == ["in", "out"]
    assert [entry["request"] for entry in check.numbers["asked"]] == person.requests
    assert "operator" in check.roles


def test_without_a_pad_it_is_not_done(meter):
    meter += [1e-3]
    (check,) = pad_step.check_pad_step(bench_with(Person("no pad")), [1])
    assert check.outcome is Outcome.NOT_DONE
    assert check.numbers["asked"][0]["answer"] == "no pad"


def test_without_an_operator_it_says_what_to_add(meter):
    (check,) = pad_step.check_pad_step(bench_with(None), [1])
    assert check.outcome is Outcome.NOT_DONE
    assert "[instruments.operator]" in check.advice
