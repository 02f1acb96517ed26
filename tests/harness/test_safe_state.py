"""Making a bench safe: order, time limit, and that nothing an instrument does keeps the others hot."""

from __future__ import annotations

import threading

import pytest

from drivers.interfaces import SafetyStep
from harness.safety import SafetyResult, make_all_safe

DONE = SafetyStep("output off", "off", safe=True)


@pytest.fixture
def let_go():
    """Instruments that hang wait for this; set at the end, so that no thread is left behind."""
    event = threading.Event()
    yield event
    event.set()


def done() -> tuple[SafetyStep, ...]:
    return (DONE,)


def test_every_step_of_every_instrument_is_told():
    second = SafetyStep("laser off", "still on", safe=False)
    assert make_all_safe([[("a", lambda: (DONE, second))], [("b", done)]]) == (
        SafetyResult("a", DONE),
        SafetyResult("a", second),
        SafetyResult("b", DONE),
    )
    assert make_all_safe([]) == ()
    assert make_all_safe([[], []]) == ()


def test_groups_go_one_after_the_other():
    order: list[str] = []

    def note(name: str):
        return lambda: order.append(name) or (DONE,)

    make_all_safe([[("light", note("light"))], [("supply", note("supply"))], [("heat", note("heat"))]])
    assert order == ["light", "supply", "heat"]


def test_the_members_of_a_group_go_at_once():
    # Each waits for the other: one after the other they could not both come back.
    barrier = threading.Barrier(2, timeout=5.0)

    def meet() -> tuple[SafetyStep, ...]:
        barrier.wait()
        return (DONE,)

    assert all(result.step.safe for result in make_all_safe([[("a", meet), ("b", meet)]]))


@pytest.mark.parametrize(
    "fault", [RuntimeError("no reply"), KeyboardInterrupt("stop"), SystemExit(3)], ids=repr
)
def test_an_instrument_that_raises_is_not_safe_and_the_rest_goes_on(fault):
    def fail() -> tuple[SafetyStep, ...]:
        raise fault

    first, second, third = make_all_safe([[("a", fail), ("b", done)], [("c", done)]])
    assert (first.role, first.step.safe) == ("a", False)
    assert type(fault).__name__ in first.step.read_back
    assert str(fault) in first.step.read_back
    assert (second, third) == (SafetyResult("b", DONE), SafetyResult("c", DONE))


def test_an_answer_that_is_none_is_not_safe():
    (result,) = make_all_safe([[("a", lambda: None)]])
    assert result.step.safe is False
    assert "TypeError" in result.step.read_back


def test_an_instrument_that_hangs_is_not_safe_and_the_rest_goes_on(let_go):
    results = make_all_safe([[("a", let_go.wait), ("b", done)], [("c", done)]], limit_s=0.02)
    assert [(result.role, result.step.safe) for result in results] == [("a", False), ("b", True), ("c", True)]
    assert results[0].step.read_back == "no answer within 0.02 s"


def test_several_that_hang_share_one_time_limit(let_go, monkeypatch):
    waits: list[float] = []
    join = threading.Thread.join

    def noted(thread, timeout=None):
        waits.append(timeout)
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", noted)
    results = make_all_safe([[(name, let_go.wait) for name in "abcd"]], limit_s=0.05)
    assert [result.step.safe for result in results] == [False] * 4
    assert waits[1:] == [0.0, 0.0, 0.0]  # the first has used it up


def test_two_outputs_of_one_role_are_both_told():
    other = SafetyStep("second", "off", safe=True)
    results = make_all_safe([[("a", done), ("a", lambda: (other,))]])
    assert [result.step for result in results] == [DONE, other]


def test_a_system_without_threads_is_told_and_not_raised(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    (result,) = make_all_safe([[("a", done)]])
    assert result.step.safe is False
    assert "can't start new thread" in result.step.read_back
