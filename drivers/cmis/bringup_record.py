"""The steps of a bring-up, as they are recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.clock import Clock
from drivers.cmis.application import Placement
from drivers.cmis.information import Application
from drivers.cmis.module import CmisModule
from drivers.cmis.states import Look, Wait, require_module, watch
from drivers.cmis.wording import host_lanes as host_lanes_text
from drivers.interfaces import ModulePins


@dataclass(frozen=True, slots=True)
class BringUpStep:
    """One step. ``register`` is ``page:byte name``; ``lanes`` are host lanes: those concerned, or in a
    failed step those at fault. ``allowed_s`` is None where no time limit applies.

    ``measured``: False where the step passed but proves nothing about the module: what was expected was there
    already at a look later than the limit, so that ``elapsed_s`` does not say when it came, or nothing showed
    that the module did it. Such a step is no proof of a module that is in time."""

    name: str
    passed: bool
    elapsed_s: float
    allowed_s: float | None
    lanes: tuple[int, ...]
    register: str
    expected: str
    found: str
    explanation: str
    measured: bool = True


@dataclass(frozen=True, slots=True)
class BringUpResult:
    """How far the module came. ``stopped_by`` is empty when ``ok``."""

    steps: tuple[BringUpStep, ...]
    application: Application | None = None
    host_lanes: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every step passed."""
        return bool(self.steps) and all(step.passed for step in self.steps)

    @property
    def stopped_by(self) -> str:
        """What stopped the sequence, with lanes and register."""
        for step in self.steps:
            if not step.passed:
                lanes = f", {host_lanes_text(step.lanes)}" if step.lanes else ""
                return (
                    f"{step.name}{lanes}, {step.register}: expected {step.expected}, found {step.found}. "
                    f"{step.explanation}"
                )
        return ""


@dataclass(slots=True)
class BringUpSequence:
    """The steps taken so far, and what they are for."""

    module: CmisModule
    pins: ModulePins
    clock: Clock
    bank: int
    steps: list[BringUpStep] = field(default_factory=list)
    placed: tuple[Placement, ...] = ()

    @property
    def host_lanes(self) -> tuple[int, ...]:
        """Host lanes of the data paths that were chosen."""
        return tuple(lane for placement in self.placed for lane in placement.host_lanes)

    def record(self, name: str, wait: Wait) -> bool:
        """Keep how a wait ended as a step; says whether it passed.

        :raises BenchError: instead of recording a failure, when the module is gone or its pins cannot be
            read: what failed then is the bench.
        """
        if not wait.reached:
            require_module(self.pins)
        self.steps.append(
            BringUpStep(
                name=name,
                passed=wait.reached,
                elapsed_s=wait.elapsed_s,
                allowed_s=wait.allowed_s,
                lanes=wait.lanes,
                register=wait.register,
                expected=wait.expected,
                found=wait.found,
                explanation=wait.explanation,
                measured=wait.measured,
            )
        )
        return wait.reached

    def do(
        self,
        name: str,
        register: str,
        expected: str,
        action: Callable[[], Look],
        *,
        since_s: float | None = None,
        lanes: tuple[int, ...] = (),
        explanation: str = "",
    ) -> bool:
        """One action without a time limit."""
        wait = watch(
            self.clock,
            action,
            register=register,
            expected=expected,
            since_s=since_s,
            lanes=lanes,
            explanation=explanation,
        )
        return self.record(name, wait)

    def fail(self, name: str, register: str, expected: str, found: str) -> None:
        """A failure that needs no look."""
        self.record(name, Wait(False, register, expected, found, 0.0, None))

    def result(self) -> BringUpResult:
        """How far it came."""
        application = self.placed[0].application if self.placed else None
        return BringUpResult(tuple(self.steps), application, self.host_lanes)
