"""The words, letters and style names for verdicts, forces and grades."""

from __future__ import annotations

from dataclasses import dataclass

from harness.judging.limits import GRADES
from harness.judging.verdict import Verdict


@dataclass(frozen=True, slots=True)
class VerdictStyle:
    """How a verdict is shown: ``letter`` reads in black and white, ``css`` names its colours, ``rank`` sorts
    the worst first."""

    key: str
    letter: str
    word: str
    css: str
    rank: int


_STYLES = {
    style.key: style
    for style in (
        VerdictStyle(Verdict.FAIL, "F", "fail", "fail", 0),
        VerdictStyle(Verdict.CONDITIONAL_FAIL, "CF", "conditional fail", "cond-fail", 1),
        VerdictStyle(Verdict.INVALID, "INV", "invalid", "invalid", 2),
        VerdictStyle(Verdict.CONDITIONAL_PASS, "CP", "conditional pass", "cond-pass", 3),
        VerdictStyle(Verdict.PASS, "P", "pass", "pass", 4),
        VerdictStyle(Verdict.INFO, "i", "information", "info", 5),
    )
}
STYLES = tuple(_STYLES.values())
INCOMPLETE = VerdictStyle("incomplete", "INC", "incomplete", "incomplete", 2)

FORCE_WORDS = {
    "normative": "binding: a module outside fails",
    "necessary": "binding: outside, a module cannot comply; inside, nothing more is shown",
    "informative": "shown for information, never fails",
    "unverified": "value not verified, never fails",
}


def verdict_style(verdict: str) -> VerdictStyle:
    """The style of a verdict; one that this version does not know is shown as it was written."""
    return _STYLES.get(verdict) or VerdictStyle(verdict, "?", verdict or "no verdict", "unknown", 2)


def force_words(force: str) -> str:
    """What a limit's force means."""
    return FORCE_WORDS.get(force, force)


def grade_words(grade: str) -> str:
    """What a limit's grade means."""
    return GRADES.get(grade, grade)
