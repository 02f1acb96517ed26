"""A person who is asked on the terminal, and one who is not there."""

from __future__ import annotations

import os
import pty

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.catalogue import load
from drivers.clock import StopRequested
from drivers.errors import BenchError, InstrumentError, OutOfRangeError
from drivers.operator_prompt import Terminal


class Typed:
    """A terminal at which these lines are typed, and then nobody is."""

    def __init__(self, *lines):
        self.lines = list(lines)
        self.shown = []

    def line(self, clock, prompt):
        self.shown.append(prompt)
        return self.lines.pop(0) if self.lines else None


def at_terminal(*lines):
    session = Typed(*lines)
    return load("operator-terminal")(session, None, name="operator"), session


def nobody(*answers):
    return load("operator-headless")(None, None, name="operator", options={"answers": list(answers)})


def test_the_request_and_the_answers_are_shown():
    operator, session = at_terminal("done")
    assert operator.ask("Clean the end face.", answers=("done", "skip")) == "done"
    assert session.shown == ["\n>>> Clean the end face.\n    [done / skip] "]


def test_case_and_blanks_do_not_matter_and_other_words_are_asked_again():
    operator, session = at_terminal("", "what?", "  SKIP ")
    assert operator.ask("Clean it.", answers=("done", "skip")) == "skip"
    assert len(session.shown) == 3


def test_who_never_answers_is_not_taken_to_agree():
    operator, session = at_terminal(*["no idea"] * 9)
    with pytest.raises(InstrumentError, match="no answer to: Clean it"):
        operator.ask("Clean it.", answers=("done",))
    assert len(session.lines) == 4


def test_nobody_at_the_terminal():
    operator, _ = at_terminal()
    with pytest.raises(InstrumentError, match="operator-headless"):
        operator.ask("Clean it.", answers=("done",))


@given(st.text(max_size=30))
def test_an_answer_is_one_of_those_asked_for_whatever_is_typed(typed):
    operator, _ = at_terminal(typed)
    try:
        assert operator.ask("Clean it.", answers=("done", "skip")) in ("done", "skip")
    except InstrumentError:
        assert typed.strip().casefold() not in ("done", "skip")


def test_headless_answers_are_those_of_the_bench_file_in_its_order():
    operator = nobody("skip", "done")
    assert operator.ask("Clean it.", answers=("done", "skip")) == "skip"
    assert operator.ask("Look at it.", answers=("seen", "Done")) == "Done"


def test_headless_without_an_answer_nothing_is_assumed():
    with pytest.raises(InstrumentError, match=r"Add one of done, skip to \[instruments.operator.options\]"):
        nobody("yes").ask("Clean it.", answers=("done", "skip"))


@pytest.mark.parametrize("operator", [at_terminal("done")[0], nobody("done")])
def test_a_question_without_answers_is_a_mistake(operator):
    with pytest.raises(OutOfRangeError):
        operator.ask("Clean it.", answers=())


def test_the_headless_form_refuses_other_options():
    with pytest.raises(BenchError, match="list of texts"):
        load("operator-headless")(None, None, name="operator", options={"answers": [1]})


@pytest.fixture
def terminal():
    """Our end of a terminal, and the program's."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, encoding="utf-8") as reading:
        yield ours, reading
    os.close(ours)


def test_a_line_typed_at_a_real_terminal(terminal, counting_clock, tmp_path):
    ours, reading = terminal
    os.write(ours, b"done\n")
    with (tmp_path / "shown").open("w+") as writing:
        assert Terminal(reading, writing).line(counting_clock, "Clean it. ") == "done"
        writing.seek(0)
        assert writing.read() == "Clean it. "


def test_a_stop_request_ends_the_wait_for_an_answer(terminal, counting_clock, tmp_path):
    counting_clock.stop.request("SIGINT")
    with (tmp_path / "shown").open("w") as writing, pytest.raises(StopRequested):
        Terminal(terminal[1], writing).line(counting_clock, "Clean it. ")


def test_what_is_no_terminal_has_nobody_at_it(counting_clock, tmp_path):
    path = tmp_path / "piped"
    path.write_text("done\n")
    with path.open() as reading:
        assert Terminal(reading, None).line(counting_clock, "Clean it. ") is None
