"""A measured value on its way to being judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.errors import BenchError


@dataclass(frozen=True, slots=True)
class Measured:
    """A value with expanded uncertainty (k = 2), and what it came from. ``facts``: what limits may ask
    for beside it (``max_power_w``, ``extinction_ratio``, ...)."""

    value: float
    unit: str
    uncertainty: float
    plane: str
    detector: str
    acquisition_id: str
    acquired_at: str
    attempt: int = 1
    lane: int | None = None
    host_lane: int | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """A yes or no of the module: ``text`` says what was found, ``source`` which clause asks for it."""

    passed: bool
    text: str
    source: str
    acquisition_id: str
    acquired_at: str
    attempt: int = 1
    lane: int | None = None
    host_lane: int | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotOffered:
    """The module or the bench does not offer this; what needs it is skipped with the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Bench and module contradict each other, so that nothing is proven of the module; ``fault`` says how."""

    fault: BenchError


@dataclass(frozen=True, slots=True)
class ModuleFault:
    """The module, on a bench that was checked, did not let itself be measured: a failure of the module."""

    text: str
    at: str
    lane: int | None = None
    host_lane: int | None = None
