"""How long a module stays in its transient states: watched as closely as the bus lets, against what it
advertises (01h:144, 01h:167-168)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.cmis import information
from drivers.cmis.codes import DataPathState, ModuleState
from drivers.cmis.states import DATA_PATH_TRANSIENTS, MODULE_TRANSIENTS
from drivers.cmis.wording import where
from harness.acquisitions.cmis.checks import Checks
from harness.run import Run

State = DataPathState | ModuleState
LOOKS = 100
"""Looks within an advertised duration, at least."""
SHORTEST_S, LONGEST_S = 0.002, 0.020
_PATIENCE = 3.0
"""How many times what is advertised is waited for: a late module has a duration too, not only a failure."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of states: each with the bench time of the first look that found it, from ``start_s``
    (the command) on; ``interval_s``: the longest time between two looks; ``reached``: whether the state
    waited for came."""

    start_s: float
    seen: tuple[tuple[float, State], ...]
    interval_s: float
    reached: bool

    @property
    def states(self) -> tuple[State, ...]:
        """In their order."""
        return tuple(state for _, state in self.seen)

    def stay_s(self, state: State) -> float | None:
        """How long a state lasted, as seen; None when it was not seen to begin or not seen to end."""
        for (since_s, found), (until_s, _) in zip(self.seen, self.seen[1:], strict=False):
            if found is state:
                return until_s - since_s
        return None

    def text(self) -> str:
        """For people: ``DPInit 0.000 s, DPInitialized 1.234 s``."""
        return ", ".join(f"{state.name} {at_s - self.start_s:.3f} s" for at_s, state in self.seen)


def watch_states(
    run: Run, look: Callable[[], State], wanted: State, allowed_s: float, *, start_s: float | None = None
) -> Watched:
    """Look until a state is there, or :data:`_PATIENCE` times what is allowed has passed.

    :raises CmisError: when the module cannot be read.
    :raises BenchError: when the bench is at fault.
    """
    clock = run.bench.clock
    begin_s = last_s = clock.now_s() if start_s is None else start_s
    pause_s = min(LONGEST_S, max(SHORTEST_S, allowed_s / LOOKS))
    seen: list[tuple[float, State]] = []
    longest_s = 0.0
    while True:
        state = look()
        now_s = clock.now_s()
        longest_s = max(longest_s, now_s - last_s)
        last_s = now_s
        if not seen or seen[-1][1] is not state:
            seen.append((now_s, state))
        if state is wanted:
            return Watched(begin_s, tuple(seen), longest_s, True)
        if now_s - begin_s > _PATIENCE * allowed_s + 1.0:
            return Watched(begin_s, tuple(seen), longest_s, False)
        clock.sleep(pause_s)


def say_share(checks: Checks, parameter: str, watched: Watched, state: State) -> None:
    """The time in a transient state as share of what is advertised for it, %, with the time between two looks
    as uncertainty. What cannot be told apart from an advertisement that short is not offered."""
    module = checks.run.module
    name = MODULE_TRANSIENTS[state] if isinstance(state, ModuleState) else DATA_PATH_TRANSIENTS[state]
    code = information.get_int(module.registers, name)
    allowed_s = module.duration_s(name)
    if code == 0 and information.get_int(module.registers, "CmisRevisionMajor") < 4:
        checks.leave(f"before CMIS 4.0 no duration is stated: {where(name)} is 0", parameter)
        return
    stay_s = watched.stay_s(state)
    if stay_s is None and state in watched.states:
        last_s = watched.seen[-1][0]
        checks.say(
            parameter,
            False,
            f"{state.name} did not end within {last_s - watched.start_s:.2f} s: {watched.text()}",
        )
        return
    if stay_s is None:
        if watched.reached:
            between_ms = watched.interval_s * 1e3
            reason = f"{state.name} was not seen: shorter than the {between_ms:.1f} ms between two looks"
            checks.leave(reason, parameter)
        else:
            checks.say(parameter, False, f"{state.name} was not entered: {watched.text()}")
        return
    if allowed_s < 2 * watched.interval_s and stay_s < allowed_s + 2 * watched.interval_s:
        checks.leave(f"{where(name)} advertises less than the host can time", parameter)
        return
    checks.number(
        parameter,
        100.0 * stay_s / allowed_s,
        "%",
        100.0 * watched.interval_s / allowed_s,
        advertised_s=allowed_s,
        stay_s=stay_s,
        register=where(name),
    )


def path_look(run: Run, lanes: Sequence[int]) -> Callable[[], State]:
    """One look at the data path of the first of these host lanes."""
    first = min(lanes)
    return lambda: run.module.data_path_states()[first - 1]


def legal(states: Sequence[State], ways: Sequence[Sequence[State]]) -> bool:
    """Whether a sequence is one of these, of which transient states may be missing: those below 1 ms may go
    unreported (6.3.3)."""
    return any(_within(states, way) for way in ways)


def _within(states: Sequence[State], way: Sequence[State]) -> bool:
    rest = iter(way)
    return all(any(state is step for step in rest) for state in states)


__all__ = ["LOOKS", "Watched", "legal", "path_look", "say_share", "watch_states"]
