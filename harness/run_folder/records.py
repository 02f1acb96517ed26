"""What a run writes down, as types. The journal holds these and everything else is made from them.

A record is a frozen dataclass; on disk it is one JSON object per line with its ``type``. Fields that a
newer minor version added are ignored when read, record types that it added are kept as
:class:`UnknownRecord`; so a folder written today opens next year.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

SCHEMA_MAJOR = 1
SCHEMA_MINOR = 0

_TYPES: dict[str, type[Record]] = {}


class RecordError(ValueError):
    """A journal line that is JSON but not a record."""


@dataclass(frozen=True, slots=True)
class Record:
    """Base of all records."""

    TYPE: ClassVar[str] = ""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, with its ``type``."""
        return {"type": self.TYPE, **dataclasses.asdict(self)}


@dataclass(frozen=True, slots=True)
class RunStarted(Record):
    """First record: when, and by its hash that the manifest beside the journal belongs to it."""

    TYPE = "run_started"
    run_id: str
    at: str
    schema_major: int = SCHEMA_MAJOR
    schema_minor: int = SCHEMA_MINOR
    manifest_sha256: str = ""


@dataclass(frozen=True, slots=True)
class BringUp(Record):
    """The module's way from power-on to all data paths Activated; ``steps`` as the host library gives them:
    name, passed, elapsed_s, allowed_s, lanes, register, expected, found, explanation."""

    TYPE = "bring_up"
    at: str
    bench_time_s: float
    ok: bool
    stopped_by: str
    steps: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CornerReached(Record):
    """The bench stands at a corner. ``chamber_moved`` says whether the temperature was changed for it."""

    TYPE = "corner_reached"
    at: str
    bench_time_s: float
    visit: int
    case_temp_c: float
    case_temp_measured_c: float
    vcc_nominal_v: float
    vcc_v: float
    chamber_moved: bool
    settling_s: float


@dataclass(frozen=True, slots=True)
class AirTrimmed(Record):
    """On the way to a corner the set point of a source that controls the air was trimmed, for the case was at
    ``case_temp_measured_c`` in air of ``air_c``, and is to be at ``case_temp_c``."""

    TYPE = "air_trimmed"
    at: str
    bench_time_s: float
    visit: int
    case_temp_c: float
    case_temp_measured_c: float
    air_c: float
    set_point_c: float


@dataclass(frozen=True, slots=True)
class Acquisition(Record):
    """One thing done on the bench; ``data`` holds raw values per lane, ``conditions`` what they were taken
    under, ``budget`` the uncertainty contributions (name, standard uncertainty, unit, source)."""

    TYPE = "acquisition"
    acquisition_id: str
    name: str
    attempt: int
    at: str
    bench_time_s: float
    duration_s: float
    visit: int | None
    case_temp_c: float | None
    vcc_v: float | None
    conditions: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    budget: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Measurement(Record):
    """One judged value: a row of ``measurements.parquet``. ``uncertainty`` is expanded, k = 2."""

    TYPE = "measurement"
    run_id: str
    module_sn: str
    plan: str
    test_id: str
    parameter: str
    kind: str
    lane: int | None
    host_lane: int | None
    visit: int | None
    case_temp_c: float | None
    case_temp_measured_c: float | None
    vcc_v: float | None
    plane: str
    detector: str
    conditions: dict[str, Any]
    value: float | None
    value_text: str
    unit: str
    uncertainty: float | None
    low: float | None
    high: float | None
    limit_source: str
    limit_grade: str
    limit_force: str
    limit_layer: str
    waiver: str
    decision_rule: str
    margin: float | None
    verdict: str
    attempt: int
    acquired_at: str
    acquisition_id: str


@dataclass(frozen=True, slots=True)
class Skipped(Record):
    """A planned item that was not measured, and why."""

    TYPE = "skipped"
    at: str
    test_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Invalid(Record):
    """A planned item that the bench, not the module, made impossible."""

    TYPE = "invalid"
    at: str
    test_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class SafeState(Record):
    """Proof that one output was brought to its safe state, or that it could not be reached."""

    TYPE = "safe_state"
    at: str
    role: str
    action: str
    read_back: str
    safe: bool


@dataclass(frozen=True, slots=True)
class RunFinished(Record):
    """Last record: how the run ended. ``ended`` is ``completed`` or why it ended early."""

    TYPE = "run_finished"
    at: str
    verdict: str
    ended: str
    bench_time_s: float
    wall_time_s: float
    counts: dict[str, int]
    bus_transactions: int
    instrument_round_trips: int


@dataclass(frozen=True, slots=True)
class UnknownRecord(Record):
    """A record of a type that this version does not know, kept as it was."""

    content: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The object as it was read."""
        return dict(self.content)


_TYPES.update(
    (record_type.TYPE, record_type)
    for record_type in (
        RunStarted,
        BringUp,
        CornerReached,
        AirTrimmed,
        Acquisition,
        Measurement,
        Skipped,
        Invalid,
        SafeState,
        RunFinished,
    )
)


def record_from_json(content: Mapping[str, Any]) -> Record:
    """The record a JSON object stands for.

    :raises RecordError: when it has no type, or misses a field that its type needs.
    """
    name = content.get("type")
    if not isinstance(name, str):
        raise RecordError("a record has no type")
    record_type = _TYPES.get(name)
    if record_type is None:
        return UnknownRecord(dict(content))
    known = {f.name for f in dataclasses.fields(record_type)}
    try:
        return record_type(**{key: value for key, value in content.items() if key in known})
    except TypeError as fault:
        raise RecordError(f"record of type {name}: {fault}") from fault
