"""From value, uncertainty and limit to a verdict.

Decision rule: ILAC-G8:09/2019, 4.2.3, guard band w = U (k = 2). A value inside a limit by at least the
guard band passes, outside by more than it fails; between the two the verdict is conditional, and says on
which side the value itself lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.judging.limits import Bound, Force, Limit

DECISION_RULE = "ilac-g8-guard-band"
DECISION_RULE_TEXT = (
    "ILAC-G8:09/2019, 4.2.3: guard band equal to the expanded uncertainty U (k = 2). "
    "pass: inside the limit by U or more; conditional pass: inside by less; "
    "conditional fail: outside by U or less; fail: outside by more."
)


class Verdict(StrEnum):
    """What is said of a measurement, or of a run."""

    PASS = "pass"
    CONDITIONAL_PASS = "conditional_pass"
    CONDITIONAL_FAIL = "conditional_fail"
    FAIL = "fail"
    INVALID = "invalid"
    INFO = "info"

    @property
    def fails_module(self) -> bool:
        """Whether it is a failure of the module."""
        return self in {Verdict.CONDITIONAL_FAIL, Verdict.FAIL}


_WORST_FIRST = (
    Verdict.INVALID,
    Verdict.FAIL,
    Verdict.CONDITIONAL_FAIL,
    Verdict.CONDITIONAL_PASS,
    Verdict.PASS,
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """``margin``: distance to the nearest limit in the value's unit, negative outside, None without a
    limit. ``bound``: the limit that decided."""

    verdict: Verdict
    margin: float | None
    bound: Bound | None


def judge(value: float, uncertainty: float, limit: Limit | None) -> Judgement:
    """Judge a value with its expanded uncertainty (k = 2) against a limit.

    Informative and unverified bounds give a margin but never a failure. When both bounds of a limit bind,
    the worse verdict decides, and at equal verdicts the smaller margin.

    :raises ValueError: when value or uncertainty is no number, or the uncertainty is negative: a fault of
        the bench or the plan, of which no verdict may be made.
    """
    if not math.isfinite(value):
        raise ValueError(f"a value that is judged is a finite number, got {value}")
    if not (math.isfinite(uncertainty) and uncertainty >= 0.0):
        raise ValueError(f"an expanded uncertainty is finite and not negative, got {uncertainty}")
    if limit is None:
        return Judgement(Verdict.INFO, None, None)
    sides = [
        Judgement(_side_verdict(margin, uncertainty, bound.force), margin, bound)
        for bound, margin in _margins(value, limit)
    ]
    if not sides:
        return Judgement(Verdict.INFO, None, None)
    return min(sides, key=lambda side: (_severity(side.verdict), side.margin))


def _margins(value: float, limit: Limit) -> Iterable[tuple[Bound, float]]:
    if limit.low is not None:
        yield limit.low, value - limit.low.value
    if limit.high is not None:
        yield limit.high, limit.high.value - value


def _side_verdict(margin: float, guard: float, force: Force) -> Verdict:
    if not force.binds:
        return Verdict.INFO
    if margin >= guard:
        return Verdict.PASS
    if margin >= 0.0:
        return Verdict.CONDITIONAL_PASS
    return Verdict.CONDITIONAL_FAIL if margin >= -guard else Verdict.FAIL


def _severity(verdict: Verdict) -> int:
    return _WORST_FIRST.index(verdict) if verdict in _WORST_FIRST else len(_WORST_FIRST)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a whole run.

    A run with an invalid item is invalid, even if other items failed: with a bench at fault no failure of
    the module is proven. A run in which nothing was judged against a binding limit is invalid too.
    """
    judged = [verdict for verdict in verdicts if verdict is not Verdict.INFO]
    return min(judged, key=_severity, default=Verdict.INVALID)
