"""One thing that was looked at on a bench, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from harness.text import columns


class Outcome(StrEnum):
    """What came of a check. ``NOT_DONE``: the bench has not what it takes, which the check says."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_DONE = "not done"


@dataclass(frozen=True, slots=True)
class Check:
    """``step``: which part of the procedure; ``subject``: what was looked at, such as ``power_meter.1``;
    ``found``: in words; ``advice``: what to do next, of all but what passed; ``numbers``: everything
    measured. ``roles``: whose instruments took part."""

    step: str
    subject: str
    outcome: Outcome
    found: str
    advice: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    roles: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {**asdict(self), "outcome": str(self.outcome), "roles": list(self.roles)}


def all_passed(checks: Sequence[Check], required: Sequence[str]) -> bool:
    """Whether nothing failed, and each step that is required was done."""
    if any(check.outcome is Outcome.FAILED for check in checks):
        return False
    return all(any(c.step == step and c.outcome is Outcome.PASSED for c in checks) for step in required)


def check_lines(checks: Sequence[Check]) -> str:
    """A table of checks for a terminal, and below it what to do about those that did not pass."""
    rows = [(check.step, check.subject, str(check.outcome), check.found) for check in checks]
    advice = [
        f"\n{check.outcome.upper()} {check.step} {check.subject}: {check.found}\n  -> {check.advice}"
        for check in checks
        if check.outcome is not Outcome.PASSED
    ]
    return "\n".join([columns(("step", "what", "outcome", "found"), rows), *advice])
