"""Errors on all lanes at once, by the module's own media side checker; and what was counted of a lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.cmis.diagnostics import Side
from drivers.cmis.errors import CmisError, NotAdvertisedError
from drivers.cmis.module_prbs import ModulePrbs
from harness.judging.measured import NotOffered
from harness.run import Run
from harness.signal.waterfall import WaterfallPoint

PATTERNS = ("PRBS31Q", "PRBS23Q", "PRBS15Q", "PRBS13Q")
"""By which sensitivity may be measured, the best first: 802.3 has PRBS31Q or scrambled idle."""
GATE_S = 0.5
"""Of a count. Counters of a module are renewed once a second, so that a count takes one to two seconds and
has 1e11 bits of a lane in it: at 2.4e-4 25 million errors, at 1e-9 a hundred. The dwell of practice (3 s)
waits for settling, and the attenuator's and the lock's have passed before the counters are reset."""
NO_LOCK_BER = 0.5
"""Given for a lane whose checker does not find the pattern: as bad as chance."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Errors of one lane at one level (dBm at TP3); ``locked``: the checker was in step meanwhile."""

    level_dbm: float
    bits: int
    errors: int
    locked: bool

    @property
    def ber(self) -> float:
        """Bit error ratio; :data:`NO_LOCK_BER` without lock."""
        return self.errors / self.bits if self.locked and self.bits else NO_LOCK_BER

    @property
    def point(self) -> WaterfallPoint | None:
        """As a point of a waterfall; None where the count is of no noise."""
        if not self.locked or not self.bits or self.errors > 0.1 * self.bits:
            return None
        return WaterfallPoint(10.0 ** (self.level_dbm / 10.0) * 1e-3, self.errors, self.bits)

    def to_json(self) -> dict[str, Any]:
        """As it is recorded."""
        return {
            "level_dbm": self.level_dbm,
            "bits": self.bits,
            "errors": self.errors,
            "locked": self.locked,
        }


def module_checker(run: Run) -> ModulePrbs | NotOffered:
    """The module's media side checker, where it counts.

    :raises CmisError: when the module does not answer as it must.
    """
    prbs = ModulePrbs(run.module, side=Side.MEDIA)
    try:
        patterns = prbs.checker_patterns
        counters = prbs.diagnostics.capabilities.counters
    except NotAdvertisedError:
        patterns, counters = (), False
    if not set(patterns).intersection(PATTERNS):
        return NotOffered(
            "the module has no media side checker of a PRBS (page 13h), so that nothing counts at TP3"
        )
    if not counters:
        return NotOffered("the module's checkers have no counters of errors and bits (13h:130.1)")
    return prbs


def common_pattern(checker: ModulePrbs, sent: Sequence[str]) -> str | NotOffered:
    """The best pattern that a source sends and the module checks."""
    for pattern in PATTERNS:
        if pattern in sent and pattern in checker.checker_patterns:
            return pattern
    return NotOffered(
        f"the source sends {', '.join(sent) or 'no pattern'}, the module checks "
        f"{', '.join(checker.checker_patterns)}: no PRBS is in both"
    )


def count(
    checker: ModulePrbs, lanes: Sequence[int], levels_dbm: Mapping[int, float], gate_s: float = GATE_S
) -> dict[int, Counted]:
    """Count on all these lanes at once.

    :raises CmisError: when the module does not answer as it must.
    """
    found = {}
    for errors in checker.measure_errors(lanes, gate_s):
        if errors.locked and not errors.bits:
            raise CmisError(
                f"lane {errors.lane}: the media side checker says it is in step, and counted no bit in "
                f"{errors.gate_s:.1f} s (14h:192-255)"
            )
        found[errors.lane] = Counted(levels_dbm[errors.lane], errors.bits, errors.errors, errors.locked)
    return found
