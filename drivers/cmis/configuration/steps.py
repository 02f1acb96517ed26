"""The steps of a configuration, each on the lanes of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.cmis import information, signal_integrity
from drivers.cmis.codes import STEADY_DATA_PATH_STATES, ConfigStatus, DataPathState
from drivers.cmis.configuration.apply import (
    EVIDENCE_S,
    apply,
    config_limit_s,
    status_text,
    wait_until_in_force,
)
from drivers.cmis.configuration.control_sets import UNUSED, LaneConfig, read_config, stage
from drivers.cmis.configuration.plan import Plan, PlannedPath
from drivers.cmis.configuration.result import Findings, Outcome
from drivers.cmis.errors import CmisError
from drivers.cmis.lane_controls import change_lanes
from drivers.cmis.module import CmisModule
from drivers.cmis.signal_integrity import SignalIntegrity
from drivers.cmis.states import (
    Look,
    advertised_s,
    data_path_limits,
    limit_text,
    wait_for_data_paths,
    watch,
)
from drivers.cmis.wording import by_lane, host_lanes, lanes_text, where

_ACTIVATED, _INITIALIZED, _DEACTIVATED = (
    DataPathState.DPActivated,
    DataPathState.DPInitialized,
    DataPathState.DPDeactivated,
)


class StoppedError(Exception):
    """The sequence ends here; why is in the findings. Never leaves this package."""


@dataclass(slots=True)
class ConfigurationSteps:
    """One configuration on its way; what is found goes to ``findings``."""

    module: CmisModule
    control_set: int
    immediate: bool
    bank: int
    findings: Findings
    applied_at_s: float = 0.0
    pending: tuple[int, ...] = ()

    def settle(self, plan: Plan) -> None:
        """Triggers are ignored on lanes that are busy or on their way: wait for those that will be triggered.

        Lanes that will be deactivated anyway are only waited for until no command runs on them.
        """
        module, bank = self.module, self.bank
        running, concerned = plan.running_on, plan.concerned
        ways = (
            ("MaxDurationDPTxTurnOff", "MaxDurationDPDeinit"),
            ("MaxDurationDPInit", "MaxDurationDPTxTurnOn"),
        )
        allowed_s = max(config_limit_s(module), *(advertised_s(module, *names) for names in ways))

        def steady() -> Look:
            status, states = module.config_status(bank), module.data_path_states(bank)
            busy = {
                lane: status[lane - 1].name
                for lane in concerned
                if status[lane - 1] is ConfigStatus.ConfigInProgress
            }
            if busy:
                return Look(False, by_lane(busy), tuple(busy), "An earlier command has not ended.")
            moving = {
                lane: states[lane - 1].name
                for lane in running
                if states[lane - 1] not in STEADY_DATA_PATH_STATES
            }
            return Look(not moving, by_lane(moving) or "steady", tuple(moving))

        wait = watch(
            module.clock,
            steady,
            register=f"{where('ConfigStatus')} and {where('DPStateHostLane')}",
            expected="no command running and no data path on its way",
            allowed_s=allowed_s,
            lanes=concerned,
        )
        if wait.reached:
            if wait.elapsed_s > EVIDENCE_S:
                self.findings.notes.append(
                    f"{host_lanes(concerned)} had to be waited for, {wait.elapsed_s:.3f} s, until no earlier "
                    "command or transition was under way."
                )
            return
        status = module.config_status(bank)
        for lane in wait.lanes or concerned:
            if status[lane - 1] is ConfigStatus.ConfigInProgress:
                text = f"Left by an earlier command; nothing was written. {status_text(status[lane - 1])}"
                self.findings.fail(
                    lane, "ConfigStatus", "no command running", status[lane - 1].name, wait, text
                )
            else:
                state = module.data_path_states(bank)[lane - 1].name
                text = f"{wait.explanation} A trigger would be ignored; nothing was written.".strip()
                self.findings.fail(lane, "DPStateHostLane", "a steady state", state, wait, text)
        raise StoppedError

    def carry_out(self, plan: Plan) -> None:
        """Everything that is written, in its order."""
        for old in plan.displaced:
            self.findings.notes.append(
                f"The data path of {host_lanes(old.host_lanes)} (AppSel {old.app_sel}) was displaced."
            )
        self.note_siblings_staged(plan)
        self.deactivate(plan.cycled)
        self.free(plan)
        self.activate(self.apply(plan.paths))

    def note_siblings_staged(self, plan: Plan) -> None:
        """Tell of lanes that a trigger by somebody else would change."""
        active = read_config(self.module, bank=self.bank)
        staged = read_config(self.module, f"SCS{self.control_set}", bank=self.bank)
        others = [lane for path in plan.untouched for lane in path.host_lanes]
        differ = [lane for lane in others if active[lane - 1] != staged[lane - 1]]
        if differ:
            self.findings.notes.append(
                f"Staged Control Set {self.control_set} holds something else than is in force on "
                f"{host_lanes(differ)}, which were left alone: a trigger on those lanes would change them."
            )

    def deactivate(self, lanes: tuple[int, ...]) -> None:
        """Hold lanes by DPDeinit and wait for DPDeactivated."""
        if not lanes:
            return
        module, bank = self.module, self.bank
        states = module.data_path_states(bank)
        names = data_path_limits([states[lane - 1] for lane in lanes], _DEACTIVATED)
        allowed_s = advertised_s(module, *names)
        start_s = module.clock.now_s()
        change_lanes(module, "DPDeinit", set_lanes=lanes, bank=bank)
        wait = wait_for_data_paths(
            module,
            lanes,
            _DEACTIVATED,
            allowed_s,
            bank=bank,
            since_s=start_s,
            explanation=f"{where('DPDeinit')} is set. {limit_text(names)}",
        )
        if not wait.reached:
            states = module.data_path_states(bank)
            for lane in wait.lanes or lanes:
                self.findings.fail(
                    lane,
                    "DPStateHostLane",
                    _DEACTIVATED.name,
                    states[lane - 1].name,
                    wait,
                    f"{wait.explanation} Nothing was applied; the lane stays held.",
                )
            raise StoppedError

    def free(self, plan: Plan) -> None:
        """Free lanes in a trigger of their own: a rejection of AppSel 0 cannot spoil what is wanted then."""
        module, bank, lanes = self.module, self.bank, plan.freed_by_trigger
        held = Outcome(
            True,
            where("DPDeinit"),
            "held in DPDeactivated",
            "held in DPDeactivated",
            "Without application; DPDeinit stays set, so that nothing begins there by itself.",
        )
        self.findings.outcomes.update(dict.fromkeys(plan.freed, held))
        if plan.freed:
            stage(module, dict.fromkeys({*lanes, *plan.freed}, UNUSED), self.control_set, bank=bank)
        if not lanes:
            return
        applied = apply(module, lanes, control_set=self.control_set, bank=bank)
        stuck = [
            lane
            for lane in lanes
            if applied.status[lane - 1] in (ConfigStatus.ConfigInProgress, ConfigStatus.ConfigUndefined)
        ]
        rejected = [
            lane
            for lane in lanes
            if lane not in stuck and applied.status[lane - 1] is not ConfigStatus.ConfigSuccess
        ]
        for lane in stuck:
            self.findings.fail_status(lane, applied)
        if rejected:
            names = ", ".join(dict.fromkeys(applied.status[lane - 1].name for lane in rejected))
            self.findings.notes.append(
                f"The module rejected AppSel 0 on {host_lanes(rejected)} ({names}): the lanes could not be "
                "freed. Those that no new data path takes are held in DPDeactivated by "
                f"{where('DPDeinit')} instead."
            )
            text = f"AppSel 0 was rejected ({names}); DPDeinit stays set and keeps the lane dark."
            for lane in set(rejected) & set(plan.freed):
                self.findings.outcomes[lane] = Outcome(
                    True, held.register, held.expected, held.found, text, 0.0, None
                )
        accepted = [lane for lane in lanes if applied.status[lane - 1] is ConfigStatus.ConfigSuccess]
        if accepted:
            self._check_in_force(accepted)

    def apply(self, paths: tuple[PlannedPath, ...]) -> tuple[PlannedPath, ...]:
        """Stage and trigger; returns the data paths whose configuration is in force."""
        module, bank = self.module, self.bank
        paths = tuple(path for path in paths if not self.findings.spoiled(path.host_lanes))
        lanes = [lane for path in paths for lane in path.host_lanes]
        if not lanes:
            return ()
        stage(
            module,
            {lane: path.config for path in paths for lane in path.host_lanes},
            self.control_set,
            bank=bank,
        )
        settings = self._stage_settings(paths)
        applied = apply(module, lanes, control_set=self.control_set, immediate=self.immediate, bank=bank)
        self.applied_at_s, self.pending = module.clock.now_s(), applied.pending
        for lane in lanes:
            if applied.status[lane - 1] is not ConfigStatus.ConfigSuccess:
                self.findings.fail_status(lane, applied)
            elif not applied.wait.reached and lane in applied.wait.lanes:
                self.findings.fail(lane, "ConfigStatus", "a final result", applied.wait.found, applied.wait)
        accepted = [path for path in paths if not self.findings.spoiled(path.host_lanes)]
        if applied.unshown:
            self.findings.notes.append(
                f"Nothing shows that the module took up the trigger on {host_lanes(applied.unshown)}: "
                "ConfigStatus and active settings were the same before, and ConfigInProgress was not seen."
            )
        self._check_in_force([lane for path in accepted for lane in path.host_lanes])
        self._check_settings(settings)
        good = tuple(path for path in accepted if not self.findings.spoiled(path.host_lanes))
        silent = {
            lane
            for path in good
            if path.cycled and not self.immediate
            for lane in path.host_lanes
            if lane not in applied.pending
        }
        if silent:
            self.findings.notes.append(
                f"{where('DPInitPending')} was not seen set on {host_lanes(silent)} after a successful "
                "ApplyDPInit. CMIS has it set until DPInit is over; nothing depends on it here."
            )
        return good

    def _stage_settings(self, paths: Sequence[PlannedPath]) -> dict[int, SignalIntegrity]:
        given = [path for path in paths if path.request.signal_integrity is not None]
        if not given:
            return {}
        module, bank = self.module, self.bank
        active = read_config(module, bank=bank)
        in_force = signal_integrity.read_settings(module, bank=bank)
        support = signal_integrity.advertised(module)
        settings = {}
        for path in given:
            assert path.request.signal_integrity is not None
            items = signal_integrity.per_lane(path.request.signal_integrity, path.host_lanes)
            for lane, item in items.items():
                now = active[lane - 1]
                if (now.app_sel, now.data_path_id) == (path.config.app_sel, path.config.data_path_id):
                    # What another application had, or what nobody offers, says nothing of this one.
                    item = signal_integrity.complete(item, support.offered(in_force[lane - 1]))
                support.require(item)
                settings[lane] = item
        signal_integrity.stage_settings(module, settings, self.control_set, bank=bank)
        return settings

    def _check_in_force(self, lanes: Sequence[int]) -> None:
        if not lanes:
            return
        wait = wait_until_in_force(self.module, lanes, control_set=self.control_set, bank=self.bank)
        if wait.reached:
            return
        active = read_config(self.module, bank=self.bank)
        staged = read_config(self.module, f"SCS{self.control_set}", bank=self.bank)
        for lane in wait.lanes or lanes:
            expected, found = staged[lane - 1], active[lane - 1]
            self.findings.fail(
                lane, "ACS_DPConfig", f"{expected.byte:02X}h, {expected}", f"{found.byte:02X}h, {found}", wait
            )

    def _check_settings(self, settings: Mapping[int, SignalIntegrity]) -> None:
        wanted = {lane: item for lane, item in settings.items() if not self.findings.failed(lane)}
        if not wanted:
            return
        found = signal_integrity.read_settings(self.module, bank=self.bank)
        for lane, (register, value, actual) in signal_integrity.differences(wanted, found).items():
            self.findings.outcomes[lane] = Outcome(
                False,
                where(register),
                str(value),
                str(actual),
                "ConfigStatus says success, yet this setting did not come into force.",
            )

    def activate(self, paths: Sequence[PlannedPath]) -> None:
        """Release what is held, and wait until each data path is where its outputs let it come."""
        if not paths:
            return
        module, bank = self.module, self.bank
        states = module.data_path_states(bank)
        wanted = self._final_states(paths)
        held = [lane for path in paths if path.cycled for lane in path.host_lanes]
        # These go through all states by themselves; what is committed immediately stays where it is.
        recycled = [lane for lane in wanted if lane not in held and not self.immediate]
        limits = {
            self._limit(states[lane - 1], any_of[-1], lane in recycled) for lane, any_of in wanted.items()
        }
        allowed_s, names = max((advertised_s(module, *names), names) for names in limits)
        since_s = self.applied_at_s
        unseen = [lane for lane in recycled if lane not in self.pending]
        if unseen:
            self._see_recycling(unseen)
        if held:
            since_s = module.clock.now_s()
            change_lanes(module, "DPDeinit", clear_lanes=held, bank=bank)
        wait = wait_for_data_paths(
            module,
            wanted,
            wanted,
            allowed_s,
            bank=bank,
            since_s=since_s,
            explanation=limit_text(names),
            # CMIS has it set from ApplyDPInit until DPInit is over. ApplyImmediate does not concern it.
            initialised=() if self.immediate else tuple(wanted),
        )
        pending = information.lanes_set(module.registers, "DPInitPending", bank)
        states = module.data_path_states(bank)
        for lane, any_of in wanted.items():
            expected, found = " or ".join(state.name for state in any_of), states[lane - 1]
            if not wait.reached and (lane in wait.lanes or not wait.lanes):
                if lane in pending and found in any_of and not self.immediate:
                    text = (
                        f"The lane is in {found.name}, but what was applied has not been initialised. "
                        f"{wait.explanation}"
                    )
                    self.findings.fail(lane, "DPInitPending", "0, cleared by DPInit", "1", wait, text)
                else:
                    self.findings.fail(lane, "DPStateHostLane", expected, found.name, wait)
                continue
            self.findings.outcomes[lane] = Outcome(
                True,
                where("DPStateHostLane"),
                expected,
                (found if found in any_of else any_of[0]).name,  # it may have gone on since
                "" if wait.measured else wait.explanation,
                wait.lane_elapsed_s.get(lane, wait.elapsed_s),
                allowed_s,
            )

    def _limit(self, state: DataPathState, wanted: DataPathState, recycled: bool) -> tuple[str, ...]:
        if not recycled:
            return data_path_limits([state], wanted)
        return (*data_path_limits([_ACTIVATED], _DEACTIVATED), *data_path_limits([_DEACTIVATED], wanted))

    def _final_states(self, paths: Sequence[PlannedPath]) -> dict[int, tuple[DataPathState, ...]]:
        """States of which any will do, by host lane; the last is the farthest."""
        registers = self.module.registers
        off = {
            lane
            for name in ("OutputDisableTx", "OutputSquelchForceTx")
            for lane in information.lanes_set(registers, name, self.bank)
        }
        wanted: dict[int, tuple[DataPathState, ...]] = {}
        for path in paths:
            if off and not path.media_lanes:
                self.findings.notes.append(
                    f"The data path of {host_lanes(path.host_lanes)} may end in {_INITIALIZED.name} or in "
                    f"{_ACTIVATED.name}: the module does not say which media lanes it has, and "
                    f"{where('OutputDisableTx')} or {where('OutputSquelchForceTx')} is set on media lanes "
                    f"{lanes_text(off)}."
                )
                wanted.update(dict.fromkeys(path.host_lanes, (_INITIALIZED, _ACTIVATED)))
                continue
            dark = off.intersection(path.media_lanes)
            if dark:
                self.findings.notes.append(
                    f"The data path of {host_lanes(path.host_lanes)} stays in {_INITIALIZED.name}: "
                    f"{where('OutputDisableTx')} or {where('OutputSquelchForceTx')} is set on media lanes "
                    f"{', '.join(map(str, sorted(dark)))}."
                )
            wanted.update(dict.fromkeys(path.host_lanes, (_INITIALIZED if dark else _ACTIVATED,)))
        return wanted

    def _see_recycling(self, lanes: Sequence[int]) -> None:
        """A data path that is to be commissioned without the host leaves its state by itself."""
        module, bank = self.module, self.bank
        resting = set(lanes)

        def left() -> Look:
            states = module.data_path_states(bank)
            resting.intersection_update(
                [lane for lane in lanes if states[lane - 1] in (_ACTIVATED, _INITIALIZED)]
            )
            return Look(not resting, "", tuple(sorted(resting)))

        watch(module.clock, left, register="", expected="", allowed_s=EVIDENCE_S)
        if resting:
            self.findings.notes.append(
                f"{host_lanes(resting)} were at no look outside {_ACTIVATED.name} or {_INITIALIZED.name} "
                "after ApplyDPInit: nothing shows that the module re-initialised the data path by itself."
            )

    def look_at_others(self, plan: Plan, before: tuple[DataPathState, ...]) -> None:
        """Data paths that were left alone have to be as they were."""
        try:
            states = self.module.data_path_states(self.bank)
            active = read_config(self.module, bank=self.bank)
        except CmisError as error:
            self.findings.notes.append(f"The other data paths could not be looked at afterwards: {error}")
            return
        for path in plan.untouched:
            for lane in path.host_lanes:
                was, now = before[lane - 1], states[lane - 1]
                text = "This data path was not touched by the host: the module disturbed it by itself."
                if was in STEADY_DATA_PATH_STATES and now is not was:
                    self.findings.outcomes[lane] = Outcome(
                        False, where("DPStateHostLane"), was.name, now.name, text
                    )
                elif (active[lane - 1].app_sel, active[lane - 1].data_path_id) != (
                    path.app_sel,
                    path.host_lanes[0] - 1,
                ):
                    expected = LaneConfig(path.app_sel, path.host_lanes[0] - 1)
                    self.findings.outcomes[lane] = Outcome(
                        False, where("ACS_DPConfig"), str(expected), str(active[lane - 1]), text
                    )
