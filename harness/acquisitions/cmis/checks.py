"""Checks that share one thing done with the module, collected until it is recorded.

A check is named in the matrix, which also says its clause. Each is told at most once; what the module does
wrong while several are looked at fails those of them that were not told yet, and what it does not advertise
skips them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from drivers.cmis.bringup import bring_up
from drivers.cmis.codes import DataPathState
from drivers.cmis.errors import CmisError, NotAdvertisedError
from harness.acquisitions.acquired import Acquired, Value
from harness.judging.measured import Checked, NotOffered
from harness.planning.matrix import matrix
from harness.run import Run


@dataclass(frozen=True, slots=True)
class _Said:
    passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Number:
    value: float
    unit: str
    uncertainty: float
    plane: str
    detector: str
    conditions: Mapping[str, Any] = field(default_factory=dict)


class Checks:
    """The findings of one acquisition."""

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.data: dict[str, Any] = {}
        self._name = name
        self._start_s = run.bench.clock.now_s()
        self._found: dict[tuple[str, int | None], _Said | _Number | NotOffered] = {}

    def told(self, parameter: str, lane: int | None = None) -> bool:
        """Whether something was found of it."""
        return (parameter, lane) in self._found

    def say(self, parameter: str, passed: bool, text: str, lane: int | None = None) -> None:
        """A yes or no, and in words what was found."""
        self._found.setdefault((parameter, lane), _Said(passed, text))

    def number(
        self,
        parameter: str,
        value: float,
        unit: str,
        uncertainty: float,
        *,
        plane: str = "management interface",
        detector: str = "host",
        lane: int | None = None,
        **conditions: Any,
    ) -> None:
        """A value with its expanded uncertainty (k = 2)."""
        found = _Number(value, unit, uncertainty, plane, detector, conditions)
        self._found.setdefault((parameter, lane), found)

    def leave(self, reason: str, *parameters: str) -> None:
        """These are not offered, for this reason."""
        for parameter in parameters:
            self._found.setdefault((parameter, None), NotOffered(reason))

    @contextmanager
    def about(self, *parameters: str) -> Iterator[None]:
        """What goes wrong in here with the module is the failure of those of ``parameters`` that nothing was
        said of; what it does not advertise is not offered.

        :raises BenchError: when the bench is at fault.
        """
        try:
            yield
        except NotAdvertisedError as absent:
            self.leave(str(absent), *parameters)
        except CmisError as fault:
            text = self.run.module_fault(fault).text
            for parameter in parameters:
                self.say(parameter, False, text)

    def acquired(self, **conditions: Any) -> Acquired:
        """Record what was found, and only then derive from it."""
        data = {
            **self.data,
            "found": {
                parameter if lane is None else f"{parameter}, lane {lane}": _as_data(found)
                for (parameter, lane), found in self._found.items()
            },
        }
        record = self.run.record_acquisition(
            self._name, self._start_s, conditions=conditions, data=data, budget=[]
        )
        clauses = {measured.parameter: measured.clause for _, measured in matrix().by_fixture.values()}
        values: dict[tuple[str, int | None], Value] = {}
        for (parameter, lane), found in self._found.items():
            if isinstance(found, NotOffered):
                values[parameter, lane] = found
            elif isinstance(found, _Said):
                values[parameter, lane] = Checked(
                    passed=found.passed,
                    text=found.text,
                    source=clauses.get(parameter, "OIF-CMIS-05.4"),
                    acquisition_id=record.acquisition_id,
                    acquired_at=record.at,
                    lane=lane,
                )
            else:
                values[parameter, lane] = self.run.measured_from(
                    record, lane=lane, uncertainty=found.uncertainty
                )(
                    value=found.value,
                    unit=found.unit,
                    plane=found.plane,
                    detector=found.detector,
                    conditions=found.conditions,
                )
        return Acquired(record, values)


def _as_data(found: _Said | _Number | NotOffered) -> dict[str, Any]:
    if isinstance(found, NotOffered):
        return {"not_offered": found.reason}
    if isinstance(found, _Said):
        return {"passed": found.passed, "text": found.text}
    return {"value": found.value, "unit": found.unit, "uncertainty": found.uncertainty}


def host_lanes_in_use(run: Run) -> tuple[int, ...]:
    """Host lanes whose data paths are Activated.

    :raises CmisError: when they cannot be read.
    """
    states = run.module.data_path_states()
    return tuple(lane for lane, state in enumerate(states, 1) if state is DataPathState.DPActivated)


def bring_back(run: Run) -> None:
    """Bring the module to where its bring-up left it, if it is not there: by a reset, all of it.

    :raises CmisError: when it does not come up.
    :raises BenchError: when the bench is at fault.
    """
    try:
        run.require_module_up()
    except CmisError:
        bring_up_anew(run)


def bring_up_anew(run: Run) -> None:
    """Reset the module and bring it up, as at the beginning of the run but without taking its supply.

    :raises CmisError: when it does not come up.
    :raises BenchError: when the bench is at fault.
    """
    bench = run.bench
    run.module.forget_page()
    run.module.forget_page()
    run.traffic.forget()
    result = bring_up(run.module, bench.host_board.pins, bench.clock, media_interface=run.pmd.media_interface)
    if not result.ok:
        raise CmisError(f"the module could not be brought up again: {result.stopped_by}")


@contextmanager
def module_kept_up(run: Run) -> Iterator[None]:
    """However this ends, the module is up again afterwards. A fault that happened in here goes first."""
    run.require_module_up()
    try:
        yield
    except BaseException as error:
        try:
            bring_back(run)
        except Exception as second:
            error.add_note(f"and the module was not brought up again: {second}")
        raise
    bring_back(run)


@contextmanager
def then_brought_up_anew(run: Run, bring: Callable[[Run], None] | None = None) -> Iterator[None]:
    """However this ends, the module is reset and brought up afterwards (``bring``: brought back otherwise). A
    fault that happened in here goes first: with one of the bench, that the module does not come up is not its
    failure."""
    bring = bring or bring_up_anew
    try:
        yield
    except BaseException as error:
        try:
            bring(run)
        except Exception as second:
            error.add_note(f"and the module was not brought up again: {second}")
        raise
    bring(run)


__all__ = [
    "Checks",
    "bring_back",
    "bring_up_anew",
    "host_lanes_in_use",
    "module_kept_up",
    "then_brought_up_anew",
]
