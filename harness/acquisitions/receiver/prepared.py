"""What the receiver's acquisitions have in common: whether bench and module offer them, and by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drivers.cmis.errors import CmisError
from drivers.cmis.module_prbs import ModulePrbs
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.receiver.counting import common_pattern, module_checker
from harness.acquisitions.receiver.light import ReceiverLight, damage_threshold_dbm, lit_by
from harness.acquisitions.receiver.reference import Source, source_of
from harness.acquisitions.receiver.ways import ReceiveWay, receive_ways
from harness.judging.measured import Contradiction, Measured, ModuleFault, NotOffered
from harness.run import Run

LANE_MAP = "receive_lane_map"
Before = Mapping[str, Acquired | ModuleFault]
Values = dict[tuple[str, int | None], Value]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a receiver test uses. ``contradicted``: lanes of which nothing can be told, for other light than
    theirs comes to them; all lanes are lit all the same."""

    run: Run
    ways: dict[int, ReceiveWay]
    source: Source
    checker: ModulePrbs
    pattern: str
    contradicted: Mapping[int, Contradiction]

    def light(self) -> ReceiverLight:
        """All lanes lit by the reference, sending :attr:`pattern`; levels are OMAouter."""
        reference = self.run.bench.reference_tx
        return ReceiverLight(
            self.run,
            self.ways,
            lit_by(self.source, tuple(self.ways)),
            on=lambda: reference.start_pattern(self.pattern),
            off=reference.stop_pattern,
        )

    @property
    def lanes(self) -> list[int]:
        """Lanes that can be measured.

        :raises BenchError: when there is none.
        """
        found = [lane for lane in self.ways if lane not in self.contradicted]
        if not found:
            raise next(iter(self.contradicted.values())).fault
        return found

    @property
    def conditions(self) -> dict[str, Any]:
        """What every record and value says of the light."""
        return {
            "pattern": self.pattern,
            "reference": self.source.known_by,
            "clock": "the reference's own",
            "lit": "all lanes",
        }

    @property
    def detector(self) -> str:
        """What counts, in words."""
        return f"{self.checker.detector}{' (self_measured)' if self.checker.self_measured else ''}"


def prepared(
    run: Run, lanes: Sequence[int], before: Before, *, attenuated: bool = True
) -> Prepared | NotOffered:
    """What a test needs, or why it cannot be done.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    run.require_module_up()
    source = source_of(before)
    if isinstance(source, NotOffered):
        return source
    ways = receive_ways(run.bench.spec, run.pmd, lanes, attenuated=attenuated)
    if isinstance(ways, NotOffered):
        return ways
    if any(damage_threshold_dbm(run, lane) is None for lane in lanes):
        return NotOffered(
            f"the damage threshold of a {run.pmd.name} receiver is not known to this project: no light of "
            f"the bench is led to one. State it in a layer of limits (damage_threshold)"
        )
    checker = module_checker(run)
    if isinstance(checker, NotOffered):
        return checker
    pattern = common_pattern(checker, run.bench.reference_tx.patterns)
    if isinstance(pattern, NotOffered):
        return pattern
    return Prepared(run, ways, source, checker, pattern, contradicted_lanes(before, lanes))


def contradicted_lanes(before: Before, lanes: Sequence[int]) -> dict[int, Contradiction]:
    """Lanes that the lane map found exchanged or dark.

    :raises CmisError: when the module did not let its lanes be looked at.
    """
    found = before.get(LANE_MAP)
    if isinstance(found, ModuleFault):
        raise CmisError(found.text)
    if not isinstance(found, Acquired):
        return {}
    values = {lane: found.measured.get(("lane_map", lane)) for lane in lanes}
    return {lane: value for lane, value in values.items() if isinstance(value, Contradiction)}


def nothing(
    run: Run, name: str, start_s: float, parameters: Sequence[str], lanes: Sequence[int], why: NotOffered
) -> Acquired:
    """An acquisition that could not be done, recorded as such."""
    record = run.record_acquisition(name, start_s, conditions={}, data={"not_offered": why.reason}, budget=[])
    return Acquired(record, {(parameter, lane): why for parameter in parameters for lane in lanes})


def with_facts(run: Run, measured: Measured, source: Source, lane: int) -> Measured:
    """The value, with what limits may ask of the reference beside it."""
    return replace(measured, facts={**run.facts, "secq": source.lanes[lane].secq_db})
