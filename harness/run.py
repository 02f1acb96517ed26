"""A run: one module through one plan on one bench, from the opened bench to the last record."""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from drivers.clock import StopRequested
from drivers.cmis.bringup import BringUpResult, bring_up, power_down
from drivers.cmis.codes import DataPathState, ModuleState
from drivers.cmis.errors import CmisError
from drivers.cmis.module import CmisModule, ModuleIdentity
from drivers.cmis.states import MGMT_INIT_S, first_answer
from drivers.errors import BenchError, InstrumentError, NotSettledError
from drivers.interfaces import SafetyStep
from harness.bench import Bench
from harness.conditions.case_in_air import AirTrim
from harness.conditions.conditioner import NOMINAL_VCC_V, Conditioner, Conditions
from harness.conditions.corner import Corner
from harness.conditions.heat_guard import WATCHED_FROM_C, HeatGuard, Runaway
from harness.judging.limits import LimitSet
from harness.judging.measured import Checked, Measured, ModuleFault
from harness.judging.pmd import pmd_by_name
from harness.judging.verdict import DECISION_RULE, Judgement, Verdict, judge, worst
from harness.run_folder.folder import JOURNAL, MANIFEST, create_run_folder
from harness.run_folder.journal import Journal
from harness.run_folder.manifest import Manifest
from harness.run_folder.records import (
    Acquisition,
    AirTrimmed,
    BringUp,
    CornerReached,
    Measurement,
    Record,
    RunFinished,
    RunStarted,
    SafeState,
)
from harness.safety import SafetyResult, make_all_safe
from harness.traffic import ModuleTraffic

BRING_UP = "bring_up"
# A module that is late is to be judged, not to stay unknown.
_IDENTITY_LIMIT_S = 2.0 * MGMT_INIT_S
# Within the time that one instrument is given for making it safe.
_LOW_POWER_LIMIT_S = 8.0


THERMAL_RUNAWAY = "thermal_runaway"


class RanAwayError(CmisError):
    """The module ran away and was switched off, which is recorded; nothing more is measured of it."""


class MeasuredFactory(Protocol):
    """Makes values of one acquisition; what is common to them is filled in."""

    def __call__(
        self, *, value: float, unit: str, plane: str, detector: str, conditions: Mapping[str, Any] = ...
    ) -> Measured:
        """A measured value."""


class Run:
    """Everything a plan's fixtures work with."""

    def __init__(self, bench: Bench, limits: LimitSet, *, plan: str, out: Path) -> None:
        self.bench = bench
        self.limits = limits
        self.pmd = pmd_by_name(limits.pmd)
        self.plan = plan
        self.conditioner = Conditioner(bench)
        self.module = CmisModule(bench.host_board.memory, bench.clock)
        self.identity: ModuleIdentity | None = None
        self.identity_fault = ""
        self.facts: dict[str, float] = {}
        self.accept_overdue = False
        """Whether calibrations that were due before :attr:`judged_on` may be used; the report says so."""
        self.judged_on: datetime.date | None = None
        """The day that due dates are held against: of a replay that of its recording; None: today."""
        self.conditions: Conditions | None = None
        self.ran_away = ""
        """Why the module was switched off for good: it ran away. Empty: it did not."""
        self.memory: dict[str, Any] = {}
        """What an acquisition keeps for another one at a later corner, by a name of its own."""
        self._heat: HeatGuard | None = None
        self.firmware_image: bytes | None = None
        self.soak_s: float | None = None
        """How long the plan of bit errors soaks; None: as its settings say."""
        self._traffic: ModuleTraffic | None = None
        self.verdicts: Counter[Verdict] = Counter()
        self.final_verdict: Verdict | None = None
        self._out = out
        self._started_at = datetime.datetime.now(datetime.UTC)
        self._start_s = bench.clock.now_s()
        self._wall_start_s = time.monotonic()
        self._acquisitions = 0
        self._journal: Journal | None = None
        self._folder: Path | None = None
        self.items_done = 0
        self._module_lit = False
        self._bring_up_judged = False
        self._host_lanes: tuple[int, ...] = ()

    @property
    def traffic(self) -> ModuleTraffic:
        """What the module sends on its media side."""
        if self._traffic is None:
            self._traffic = ModuleTraffic(self.module)
        return self._traffic

    # -- time ---------------------------------------------------------------------------------------

    def bench_time_s(self) -> float:
        """Seconds of bench time since the run began."""
        return self.bench.clock.now_s() - self._start_s

    def timestamp(self) -> str:
        """Bench time as a UTC date and time: wall time of the start plus bench time since."""
        moment = self._started_at + datetime.timedelta(seconds=self.bench_time_s())
        return moment.isoformat(timespec="milliseconds")

    # -- beginning ----------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The run folder, made on first use: it is named after the module."""
        if self._folder is None:
            serial = self.identity.serial_number if self.identity else "unknown"
            stamp = self._started_at.strftime("%Y%m%dT%H%M%SZ")
            self._folder = create_run_folder(self._out, stamp=stamp, serial=serial, plan=self.plan)
        return self._folder

    @property
    def has_folder(self) -> bool:
        """Whether the run folder was made."""
        return self._folder is not None

    @property
    def run_id(self) -> str:
        """The run's name: its folder's."""
        return self.folder.name

    def power_and_identify(self) -> None:
        """Connect every instrument, power the module in low power and read who it is.

        A module that is plugged in and powered but does not answer is noted (``identity_fault``), for the
        plan's bring-up to fail on; everything else that goes wrong is the bench's.

        From here on the limits are those of this module: layers for a part number or a firmware apply.

        :raises BenchError: when the bench, not the module, is at fault.
        :raises TableError: when layers of limits that apply to this module do not go together.
        """
        bench = self.bench
        bench.connect()
        if not bench.host_board.pins.module_present():
            raise InstrumentError(
                "host_board",
                "ModPrsL says that no module is inserted",
                advice="Insert the module fully, then start again.",
            )
        self.conditioner.power_on(NOMINAL_VCC_V)
        self._module_lit = True
        try:
            self.identity = self._wait_for_identity()
        except CmisError as fault:
            self._check_bench(str(fault))
            self.identity_fault = str(fault)
            return
        self.limits = self.limits.for_module(self.identity)
        self.facts["max_power_w"] = self.identity.max_power_w

    def _wait_for_identity(self) -> ModuleIdentity:
        """The module's identity, as soon as it answers. Patient: how long it may keep silent is judged by the
        bring-up, after a power-on of its own."""
        until_s = self.conditioner.powered_at_s + _IDENTITY_LIMIT_S
        return first_answer(self.module, self.module.identity, until_s=until_s)

    def begin(self, manifest: Manifest) -> None:
        """Write manifest and first record."""
        manifest.write(self.folder / MANIFEST)
        self.attach_journal(Journal(self.folder / JOURNAL))
        digest = hashlib.sha256((self.folder / MANIFEST).read_bytes()).hexdigest()
        self.record(RunStarted(self.run_id, self.timestamp(), manifest_sha256=digest))

    def attach_journal(self, journal: Journal) -> None:
        """Where records go from now on."""
        self._journal = journal

    @property
    def begun(self) -> bool:
        """Whether the run has a journal."""
        return self._journal is not None

    # -- records ------------------------------------------------------------------------------------

    def record(self, *records: Record) -> None:
        """Append records to the journal, durably.

        :raises StopRequested: when the journal cannot be written; nothing is measured any more then.
        """
        if self._journal is None:
            raise RuntimeError("the run has not begun")
        try:
            self._journal.append(*records)
        except OSError as fault:
            # What cannot be recorded must not be measured: a tidy end, as if somebody had asked for it.
            reason = f"the journal cannot be written: {fault}"
            self.bench.stop.request(reason)
            raise StopRequested(reason) from fault

    def record_acquisition(
        self,
        name: str,
        start_s: float,
        *,
        conditions: dict[str, Any],
        data: dict[str, Any],
        budget: list[dict[str, Any]],
        attempt: int = 1,
    ) -> Acquisition:
        """Record what was acquired, before anything is derived from it."""
        self._acquisitions += 1
        corner = self.conditions.corner if self.conditions else None
        record = Acquisition(
            acquisition_id=f"a{self._acquisitions:05d}",
            name=name,
            attempt=attempt,
            at=self.timestamp(),
            bench_time_s=self.bench_time_s(),
            duration_s=self.bench.clock.now_s() - start_s,
            visit=corner.visit if corner else None,
            case_temp_c=corner.case_temp_c if corner else None,
            vcc_v=corner.vcc_v if corner else None,
            conditions=conditions,
            data=data,
            budget=budget,
        )
        self.record(record)
        return record

    def measured_from(self, record: Acquisition, *, lane: int | None, uncertainty: float) -> MeasuredFactory:
        """Make values of an acquisition."""
        return functools.partial(
            Measured,
            uncertainty=uncertainty,
            acquisition_id=record.acquisition_id,
            acquired_at=record.at,
            attempt=record.attempt,
            lane=lane,
            facts=self.facts,
        )

    def judge(self, test_id: str, parameter: str, measured: Measured) -> tuple[Measurement, Judgement]:
        """Judge a value against the limit of its parameter in its case, and record the row.

        :raises BenchError: when the value or a fact is no number, or the limit is in another unit: a fault of
            the plan or the bench, of which no verdict may be made.
        """
        try:
            limit = self.limits.resolve(parameter, {**self.facts, **measured.facts}, lane=measured.lane)
        except ValueError as fault:
            raise BenchError(f"{parameter}: {fault}") from fault
        if limit is not None and limit.unit != measured.unit:
            raise BenchError(f"{parameter} was measured in {measured.unit!r}, its limit is in {limit.unit!r}")
        try:
            judgement = judge(measured.value, measured.uncertainty, limit)
        except ValueError as fault:
            raise BenchError(f"{parameter}: {fault}") from fault
        row = self._row(
            test_id,
            parameter,
            measured,
            judgement,
            kind="number",
            value=measured.value,
            plane=measured.plane,
            detector=measured.detector,
            unit=measured.unit,
            uncertainty=measured.uncertainty,
            low=limit.low.value if limit and limit.low else None,
            high=limit.high.value if limit and limit.high else None,
            waiver=limit.waiver if limit else "",
        )
        self.verdicts[judgement.verdict] += 1
        self.record(row)
        return row, judgement

    def record_check(self, test_id: str, parameter: str, checked: Checked) -> Measurement:
        """Record a yes-or-no check."""
        verdict = Verdict.PASS if checked.passed else Verdict.FAIL
        row = self._row(
            test_id,
            parameter,
            checked,
            Judgement(verdict, None, None),
            kind="bool",
            value=1.0 if checked.passed else 0.0,
            value_text=checked.text,
            limit_source=checked.source,
            limit_force="normative",
        )
        self.verdicts[verdict] += 1
        self._bring_up_judged |= parameter == BRING_UP
        self.record(row)
        return row

    def record_failed_bring_up(self, result: BringUpResult) -> None:
        """Record the failure of a module that did not come up, unless a test of the plan has judged it: what
        a plan does not ask for is a failure all the same."""
        if self._bring_up_judged:
            return
        found = Checked(False, result.stopped_by, "OIF-CMIS-05.4, 6.3", "", self.timestamp())
        self.record_check(BRING_UP, BRING_UP, found)

    def _row(
        self,
        test_id: str,
        parameter: str,
        measured: Measured | Checked,
        judgement: Judgement,
        **values: Any,
    ) -> Measurement:
        conditions, bound = self.conditions, judgement.bound
        corner = conditions.corner if conditions else None
        filled: dict[str, Any] = {
            "value_text": "",
            "waiver": "",
            "low": None,
            "high": None,
            "limit_source": bound.source if bound else "",
            "limit_grade": bound.grade if bound else "",
            "limit_force": str(bound.force) if bound else "",
            "limit_layer": bound.layer if bound else "",
            "plane": "",
            "detector": "host",
            "unit": "",
            "uncertainty": None,
            **values,
        }
        return Measurement(
            run_id=self.run_id,
            module_sn=self.identity.serial_number if self.identity else "",
            plan=self.plan,
            test_id=test_id,
            parameter=parameter,
            lane=measured.lane,
            host_lane=measured.host_lane,
            visit=corner.visit if corner else None,
            case_temp_c=corner.case_temp_c if corner else None,
            case_temp_measured_c=conditions.case_temp_measured_c if conditions else None,
            vcc_v=corner.vcc_v if corner else None,
            conditions=dict(measured.conditions),
            decision_rule=DECISION_RULE,
            margin=judgement.margin,
            verdict=str(judgement.verdict),
            attempt=measured.attempt,
            acquired_at=measured.acquired_at,
            acquisition_id=measured.acquisition_id,
            **filled,
        )

    # -- the bench ----------------------------------------------------------------------------------

    def bring_up(self, media_interface: str) -> tuple[BringUpResult, Acquisition]:
        """Bring the module from power-on to light on all lanes, and record each step.

        The supply is taken away first and turned on again, so that the times have an origin.

        :raises BenchError: when the bench is at fault; a failed step is laid to the module only once the
            bench was looked at and found in order.
        """
        start_s = self.bench.clock.now_s()
        self.conditioner.power_cycle(NOMINAL_VCC_V)
        self.module.forget_page()
        self.traffic.forget()
        result = bring_up(
            self.module,
            self.bench.host_board.pins,
            self.bench.clock,
            media_interface=media_interface,
            vcc_applied_at_s=self.conditioner.powered_at_s,
        )
        if not result.ok:
            self._check_bench(result.stopped_by)
        self._host_lanes = result.host_lanes
        steps = [asdict(step) for step in result.steps]
        self.record(BringUp(self.timestamp(), self.bench_time_s(), result.ok, result.stopped_by, steps))
        acquisition = self.record_acquisition(
            "bring_up",
            start_s,
            conditions={"media_interface": media_interface, "vcc_v": NOMINAL_VCC_V},
            data={"elapsed_s": {step.name: step.elapsed_s for step in result.steps}},
            budget=[],
        )
        return result, acquisition

    def go_to(self, corner: Corner) -> Conditions:
        """Bring the bench to a corner and record where it stands.

        :raises BenchError: when it cannot be reached.
        """
        left, self.conditions = self.conditions, None
        watching = self.conditioner.on_the_way
        hot = max(corner.case_temp_c, left.corner.case_temp_c if left else 0.0) >= WATCHED_FROM_C
        from_c: float | None = None

        def watch_on_the_way() -> None:
            nonlocal from_c
            case_c = self.bench.case_sensor.read_case_c()
            # A case that comes down from above is not too hot.
            from_c = case_c if from_c is None else from_c
            if case_c > WATCHED_FROM_C:
                found = self._look_at_heat(max(corner.case_temp_c, from_c))
                if found is not None:
                    self._switch_off(found)
            watching()

        self.conditioner.on_the_way = watch_on_the_way if hot else watching
        try:
            reached = self.conditioner.go_to(corner, functools.partial(self._record_trim, corner))
        except NotSettledError as fault:
            # It may be the module's own heat that the bench cannot master, or its load on the supply.
            with contextlib.suppress(BenchError):  # of two faults the first
                found = self._look_at_heat(corner.case_temp_c)
                if found is not None and found.by_module:
                    self._switch_off(found, f"; {fault}")
            raise
        finally:
            self.conditioner.on_the_way = watching
        self._arrived(corner, reached)
        self._heat_guard().remember(reached.power_w)
        self.watch_heat()
        return reached

    def stay(self) -> Conditions:
        """Take the bench as it stands for a corner, without moving anything, and record where that is.

        :raises BenchError: when the supply is not at the nominal voltage.
        """
        self.conditions = None
        reached = self.conditioner.where_it_stands()
        self._arrived(reached.corner, reached)
        return reached

    def _arrived(self, corner: Corner, reached: Conditions) -> None:
        self.conditions = reached
        self.record(
            CornerReached(
                at=self.timestamp(),
                bench_time_s=self.bench_time_s(),
                visit=corner.visit,
                case_temp_c=corner.case_temp_c,
                case_temp_measured_c=reached.case_temp_measured_c,
                vcc_nominal_v=corner.vcc_v,
                vcc_v=reached.vcc_v,
                chamber_moved=reached.chamber_moved,
                settling_s=reached.settling_s,
            )
        )

    def watch_heat(self) -> None:
        """See that the module does not run away (:mod:`harness.conditions.heat_guard`). Acquisitions that
        take longer than some seconds call this now and then; all others are watched before and after.

        :raises RanAwayError: when it does: it is without supply then, its air commanded to ambient, and the
            failure is recorded with its time line.
        :raises BenchError: when its heat is not carried away, which is the bench's fault; air as above.
        """
        if self.ran_away:
            raise RanAwayError(self.ran_away)
        if self.conditions is None:
            return
        wanted_c = self.conditions.corner.case_temp_c
        if wanted_c < WATCHED_FROM_C:
            return
        found = self._look_at_heat(wanted_c)
        if found is not None:
            self._switch_off(found)

    def _look_at_heat(self, wanted_c: float) -> Runaway | None:
        return self._heat_guard().look(wanted_c, self.facts.get("max_power_w"))

    def _heat_guard(self) -> HeatGuard:
        if self._heat is None:
            bench = self.bench
            self._heat = HeatGuard(
                bench.clock, bench.case_sensor, self.conditioner, window_c=bench.spec.thermal.window_c
            )
        return self._heat

    def _switch_off(self, found: Runaway, seen: str = "") -> None:
        start_s = self.bench.clock.now_s()
        off: list[dict[str, Any]] = []
        with self.bench.stop.shield():
            try:
                self.conditioner.power_off()
                off.append({"action": "supply off", "read_back": "off", "safe": True})
            except BenchError as fault:
                off.append({"action": "supply off", "read_back": f"not confirmed: {fault}", "safe": False})
            results = make_all_safe([[("thermal", self.bench.thermal.make_safe)]])
            off += [asdict(result.step) for result in results]
        text = f"{found.text}{seen}; its supply was taken away and the air commanded to ambient"
        record = self.record_acquisition(
            THERMAL_RUNAWAY, start_s, conditions={}, data={**found.data(), "made_safe": off}, budget=[]
        )
        if not found.by_module:
            # Without its supply nothing can be measured any more, whoever is to blame.
            self.ran_away = f"the module was switched off, too hot by no heat of its own: {text}"
            raise InstrumentError(
                "thermal", text, advice="Check the air over the module, and the sensor on its case."
            )
        self.ran_away = f"the module ran away and was switched off: {text}"
        checked = Checked(
            False, text, "choice of this harness (docs/plans.md)", record.acquisition_id, record.at
        )
        self.record_check(THERMAL_RUNAWAY, THERMAL_RUNAWAY, checked)
        raise RanAwayError(self.ran_away)

    def _record_trim(self, corner: Corner, trim: AirTrim) -> None:
        self.record(AirTrimmed(self.timestamp(), self.bench_time_s(), corner.visit, **asdict(trim)))

    def require_module_up(self) -> None:
        """Look whether the module is still as bring-up left it, before anything of it is measured.

        :raises CmisError: when it is not: ready, and every data path of the bring-up Activated; or when it
            runs away (:meth:`watch_heat`).
        """
        self.watch_heat()
        state = self.module.module_state()
        if state is not ModuleState.ModuleReady:
            raise CmisError(f"the module left ModuleReady: it is in {state.name}")
        paths = self.module.data_path_states()
        down = [lane for lane in self._host_lanes if paths[lane - 1] is not DataPathState.DPActivated]
        if down:
            raise CmisError(
                f"host lanes {', '.join(map(str, down))} left DPActivated: {paths[down[0] - 1].name}"
            )

    def module_fault(self, fault: CmisError) -> ModuleFault:
        """The module did not answer as it must: the module's failure, once the bench is found in order.

        :raises BenchError: when the supply or the module's presence says that the bench is at fault.
        """
        self._check_bench(str(fault))
        return ModuleFault(str(fault), self.timestamp())

    def _check_bench(self, seen: str) -> None:
        """Look whether a failure that was seen may be laid to the module.

        :raises BenchError: when it may not: the module is not there, or its supply is not.
        """
        if not self.bench.host_board.pins.module_present():
            raise InstrumentError("host_board", f"the module is not inserted any more ({seen})")
        corner = self.conditions.corner if self.conditions else None
        expected_v = corner.vcc_v if corner else NOMINAL_VCC_V
        self.conditioner.require_supply(expected_v, seen)

    # -- the end ------------------------------------------------------------------------------------

    def make_safe(self) -> tuple[SafeState, ...]:
        """Bring the bench to its safe state, on every way out. Never raises; what is not safe says so."""
        first: Sequence[tuple[str, Callable[[], Sequence[SafetyStep]]]] = ()
        if self._module_lit:
            pins = self.bench.host_board.pins
            first = [("module", lambda: power_down(self.module, pins, timeout_s=_LOW_POWER_LIMIT_S))]
        results = self.bench.make_safe(first)
        supply = [result.step.safe for result in results if result.role == "power_supply"]
        unpowered = bool(supply) and all(supply)
        return tuple(self._safe_state(result, unpowered=unpowered) for result in results)

    def _safe_state(self, result: SafetyResult, *, unpowered: bool) -> SafeState:
        step, read_back, safe = result.step, result.step.read_back, result.step.safe
        if not safe and unpowered and result.role == "module":
            # A module that does not answer is dark all the same once its supply is known to be off.
            read_back, safe = f"{read_back}; its supply is off", True
        return SafeState(self.timestamp(), result.role, step.action, read_back, safe)

    def finish(self, ended: str) -> Verdict:
        """Make the bench safe, write the last records and close everything. Never raises on a fault of the
        bench: an instrument that could not be made safe is a record."""
        bench_time_s = self.bench_time_s()
        states = self.make_safe()
        self.safe_states = states
        verdict = self._verdict(ended)
        self.final_verdict = verdict
        try:
            if self._journal is not None:
                self._record_the_end(ended, verdict, states, bench_time_s)
                self._journal.close()
        finally:
            self.bench.close()
        return verdict

    def _record_the_end(
        self, ended: str, verdict: Verdict, states: Sequence[SafeState], bench_time_s: float
    ) -> None:
        finished = RunFinished(
            at=self.timestamp(),
            verdict=str(verdict),
            ended=ended,
            bench_time_s=bench_time_s,
            wall_time_s=time.monotonic() - self._wall_start_s,
            counts={str(key): count for key, count in sorted(self.verdicts.items())},
            bus_transactions=self.bench.bus_transactions(),
            instrument_round_trips=self.bench.round_trips(),
        )
        # Without its last record the run has no verdict, which is what readers of its folder are told.
        with contextlib.suppress(StopRequested):
            self.record(*states, finished)

    safe_states: tuple[SafeState, ...] = ()

    def _verdict(self, ended: str) -> Verdict:
        # An aborted run proves nothing, whatever passed before.
        return worst(self.verdicts) if ended == "completed" else Verdict.INVALID
