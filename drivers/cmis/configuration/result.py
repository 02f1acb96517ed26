"""What a configuration came to, lane by lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.cmis.codes import ConfigStatus, DataPathState
from drivers.cmis.configuration.apply import SAME_REJECTION, Applied, status_text
from drivers.cmis.configuration.control_sets import LaneConfig
from drivers.cmis.states import Wait
from drivers.cmis.wording import by_lane, host_lanes, where


@dataclass(frozen=True, slots=True)
class LaneResult:
    """What became of one host lane.

    ``requested``: what it was to be given; None for a lane of another data path that did not stay as it was.
    ``config_status``, ``data_path_state``: as read last, None where they could not be read. ``elapsed_s``,
    ``allowed_s``: of the wait for the state it was to reach, or of the one that failed (None: no limit).
    ``register``: ``page:byte name`` of what was looked at last; where it failed, the one that disagreed.
    """

    host_lane: int
    requested: LaneConfig | None
    config_status: ConfigStatus | None
    data_path_state: DataPathState | None
    elapsed_s: float
    allowed_s: float | None
    passed: bool
    register: str
    expected: str
    found: str
    explanation: str


@dataclass(frozen=True, slots=True)
class ConfigurationResult:
    """What became of a configuration. ``refusal``: why nothing was written, else empty. ``notes``: what a
    person should know although it is no failure. ``stopped_by`` is empty when ``ok``."""

    lanes: tuple[LaneResult, ...]
    notes: tuple[str, ...] = ()
    elapsed_s: float = 0.0
    refusal: str = ""

    @property
    def ok(self) -> bool:
        """Whether every lane passed."""
        return not self.refusal and bool(self.lanes) and all(lane.passed for lane in self.lanes)

    @property
    def stopped_by(self) -> str:
        """What went wrong first, with lanes and register."""
        if self.refusal:
            return self.refusal
        failed = [lane for lane in self.lanes if not lane.passed]
        if not failed:
            return ""
        # A lane that failed by itself says more than one that only stands beside it.
        first = next((lane for lane in failed if lane.register), failed[0])
        same = [
            lane
            for lane in failed
            if (lane.register, lane.expected, lane.explanation)
            == (first.register, first.expected, first.explanation)
        ]
        found = {lane.host_lane: lane.found for lane in same}
        text = first.found if len(set(found.values())) == 1 else by_lane(found)
        return (
            f"{host_lanes(found)}, {first.register or 'configuration'}: expected {first.expected}, "
            f"found {text}. {first.explanation}"
        ).strip()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a lane's result is made of; the attributes are those of :class:`LaneResult`."""

    passed: bool
    register: str
    expected: str
    found: str
    explanation: str
    elapsed_s: float = 0.0
    allowed_s: float | None = None


_NOT_BEGUN = Outcome(
    False, "", "to be configured", "not begun", "The configuration stopped before this lane's turn."
)


@dataclass(slots=True)
class Findings:
    """What is found on the way: notes, and outcomes of host lanes."""

    notes: list[str] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def failed(self, lane: int) -> bool:
        """Whether this lane has failed already."""
        outcome = self.outcomes.get(lane)
        return outcome is not None and not outcome.passed

    def fail(
        self, lane: int, name: str, expected: str, found: str, wait: Wait, explanation: str | None = None
    ) -> None:
        """A wait for something in the register ``name`` failed on this lane."""
        self.outcomes[lane] = Outcome(
            False,
            where(name),
            expected,
            found,
            wait.explanation if explanation is None else explanation,
            wait.elapsed_s,
            wait.allowed_s,
        )

    def fail_status(self, lane: int, applied: Applied) -> None:
        """A trigger did not lead to success on this lane."""
        status, wait = applied.status[lane - 1], applied.wait
        late = ""
        if lane in applied.repeated:
            late = f"{SAME_REJECTION} "
        elif wait.ran_out and wait.allowed_s is not None:
            late = f"Not final after {wait.elapsed_s:.3f} s, {wait.allowed_s:g} s are allowed. "
        text = f"{late}{status_text(status)}"
        self.fail(lane, "ConfigStatus", ConfigStatus.ConfigSuccess.name, status.name, wait, text)

    def spoiled(self, lanes: Sequence[int]) -> bool:
        """Whether a lane of this data path has failed; if so, the others fail with it."""
        culprit = next((lane for lane in lanes if self.failed(lane)), None)
        if culprit is None:
            return False
        beside = Outcome(
            False,
            "",
            "its data path to be configured",
            "its data path failed",
            f"Belongs to the same data path as host lane {culprit}, which failed.",
        )
        for lane in lanes:
            if not self.failed(lane):
                self.outcomes[lane] = beside
        return True

    def lane_results(
        self,
        requested: Mapping[int, LaneConfig],
        status: Sequence[ConfigStatus],
        states: Sequence[DataPathState],
    ) -> tuple[LaneResult, ...]:
        """Results of the lanes requested, and of others that something was found on.

        ``status``, ``states``: of the 8 host lanes, empty where they could not be read.
        """
        results = []
        for lane in sorted({*requested, *self.outcomes}):
            outcome = self.outcomes.get(lane, _NOT_BEGUN)
            results.append(
                LaneResult(
                    host_lane=lane,
                    requested=requested.get(lane),
                    config_status=status[lane - 1] if status else None,
                    data_path_state=states[lane - 1] if states else None,
                    elapsed_s=outcome.elapsed_s,
                    allowed_s=outcome.allowed_s,
                    passed=outcome.passed,
                    register=outcome.register,
                    expected=outcome.expected,
                    found=outcome.found,
                    explanation=outcome.explanation,
                )
            )
        return tuple(results)
