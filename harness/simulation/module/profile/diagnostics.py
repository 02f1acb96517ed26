"""Section ``[diagnostics]`` of a profile."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.simulation.module.profile.rules import limits

_LOOPBACKS = ("media_output", "media_input", "host_output", "host_input")


@dataclass(frozen=True, slots=True)
class DiagnosticsProfile:
    """Pages 13h and 14h. Patterns are codes of 13h:148."""

    supported: bool = True
    host_generator_patterns: tuple[int, ...] = field(
        default=(0, 2, 4, 6, 8, 10), metadata={**limits(0, 15), "longest": 16}
    )
    media_generator_patterns: tuple[int, ...] = field(
        default=(0, 2, 4, 6, 8, 10, 12, 15), metadata={**limits(0, 15), "longest": 16}
    )
    host_checker_patterns: tuple[int, ...] = field(
        default=(0, 2, 4, 6, 8, 10), metadata={**limits(0, 15), "longest": 16}
    )
    media_checker_patterns: tuple[int, ...] = field(
        default=(0, 2, 4, 6, 8, 10, 15), metadata={**limits(0, 15), "longest": 16}
    )
    loopbacks: tuple[str, ...] = field(default=_LOOPBACKS, metadata={"choices": _LOOPBACKS, "longest": 4})
    per_lane_loopbacks: bool = True
    simultaneous_loopbacks: bool = True
    """False: a loopback of one side is not taken while one of the other side is on."""
    gating: bool = True
    counters: bool = True
    media_snr: bool = True
    selector_latency_s: float = field(default=0.006, metadata=limits(0, 10))
    """Until then 14h:192-255 hold what the selector before asked for (tDDCS allows 10 ms)."""
    slow_selector_s: float = field(default=0.0, metadata=limits(0, 10))
    """Above 0: zeros for this long after a selector instead."""
    ratio_without_lock: float = field(default=0.5, metadata=limits(0, 1))
    """Bit error ratio shown for a checker that runs and never found its pattern."""
