"""A person at the bench, asked on the terminal; and one who is not there, whose answers stand in the bench
file.

No instrument: nothing here touches light or voltage. Who asks records question and answer.
Never run on hardware by this project: no person at a real bench has been asked yet.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol, TextIO

from drivers.clock import Clock
from drivers.errors import BenchError, InstrumentError, OutOfRangeError
from drivers.interfaces import Identity, SafetyStep

__all__ = ["HeadlessOperator", "Terminal", "TerminalOperator"]

_LOOK_S = 0.2
_TRIES = 5
_LONGEST_ANSWER = 200


class AskingLines(Protocol):
    """Where a person reads and writes lines."""

    def line(self, clock: Clock, prompt: str) -> str | None:
        """Show ``prompt``; the line that is typed then, without its end, or None when there is nobody."""


class Terminal:
    """The terminal that the program runs in. A stop request is honoured while it waits."""

    def __init__(self, reading: TextIO | None = None, writing: TextIO | None = None) -> None:
        self._reading = reading
        self._writing = writing

    def line(self, clock: Clock, prompt: str) -> str | None:
        """Show ``prompt`` and wait for a line; None where no terminal is, or it was closed."""
        reading = self._reading or sys.stdin
        writing = self._writing or sys.stderr
        if reading is None or not reading.isatty():
            return None
        writing.write(prompt)
        writing.flush()
        while not select.select([reading], [], [], _LOOK_S)[0]:
            clock.checkpoint()
        typed = reading.readline()
        return typed.rstrip("\r\n") if typed else None


class _Person:
    """What both have in common with instruments: nothing to connect, nothing that could be hot."""

    def __init__(self, clock: Clock, *, name: str) -> None:
        self._clock = clock
        self._name = name

    @property
    def name(self) -> str:
        """How records call it."""
        return self._name

    def connect(self) -> Identity:
        """Who it is; nobody is asked yet."""
        return self.identify()

    def identify(self) -> Identity:
        """What it is; a person's name is not kept."""
        return Identity("", type(self).__name__, "", "")

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """There are none."""
        return ()

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Nothing to turn off."""
        return ()

    def _checked(self, request: str, answers: Sequence[str]) -> dict[str, str]:
        if not answers:
            raise OutOfRangeError(self._name, f"{request!r} was asked without an answer to choose")
        return {answer.casefold(): answer for answer in answers}


class TerminalOperator(_Person):
    """Role ``operator``: asks on the terminal. Address ``terminal``; no options."""

    def __init__(
        self, session: AskingLines, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(clock, name=name)
        self._session = session

    def ask(self, request: str, *, answers: Sequence[str]) -> str:
        """Show the request until one of ``answers`` is typed; case does not matter.

        :raises InstrumentError: when no terminal is there, or no such answer after five tries.
        :raises OutOfRangeError: when there is no answer to choose.
        """
        allowed = self._checked(request, answers)
        for _ in range(_TRIES):
            typed = self._session.line(self._clock, f"\n>>> {request}\n    [{' / '.join(answers)}] ")
            if typed is None:
                raise InstrumentError(
                    self._name,
                    f"nobody is at the terminal to answer: {request}",
                    advice="Start the command in a terminal, or give the bench file driver operator-headless "
                    "with the answers.",
                )
            answer = allowed.get(typed[:_LONGEST_ANSWER].strip().casefold())
            if answer is not None:
                return answer
        raise InstrumentError(
            self._name,
            f"no answer to: {request}",
            advice=f"Type one of {', '.join(answers)}.",
        )


class HeadlessOperator(_Person):
    """Role ``operator`` where nobody is, as in CI. Address ``nobody``. Option ``answers``: what may be
    answered, the first of it that is among those asked for; without one, the question fails: nothing is
    assumed to be done."""

    def __init__(
        self, session: object, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(clock, name=name)
        given = (options or {}).get("answers", [])
        if not isinstance(given, list) or not all(isinstance(answer, str) for answer in given):
            raise BenchError(f"{name}: option 'answers' must be a list of texts, such as [\"done\"]")
        self._answers: tuple[str, ...] = tuple(given)

    def ask(self, request: str, *, answers: Sequence[str]) -> str:
        """The first answer of the bench file's that is among ``answers``.

        :raises InstrumentError: when none of them is.
        :raises OutOfRangeError: when there is no answer to choose.
        """
        allowed = self._checked(request, answers)
        for answer in self._answers:
            if answer.casefold() in allowed:
                return allowed[answer.casefold()]
        raise InstrumentError(
            self._name,
            f"the bench file has no answer to: {request}",
            advice=f"Add one of {', '.join(answers)} to [instruments.{self._name}.options] answers, or use "
            f"driver operator-terminal.",
        )
