"""Configuring data paths: only the lanes concerned are touched, and the result tells of every lane.

The order (OIF-CMIS-05.4 §6.2.4, §6.3.3): hold the lanes concerned by DPDeinit where their application or
boundaries change, free lanes with AppSel 0, stage, apply, look at ConfigStatus and the Active Control Set,
release DPDeinit, wait for DPActivated. Bits and bytes of other data paths are written back as they were read,
or not written at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from drivers.cmis import information, signal_integrity
from drivers.cmis.application import DataPathRequest
from drivers.cmis.codes import ConfigStatus, DataPathState, ModuleState
from drivers.cmis.configuration.control_sets import (
    UNUSED,
    ActiveDataPath,
    LaneConfig,
    data_paths_of,
    read_config,
    staged_name,
)
from drivers.cmis.configuration.plan import Plan, make_plan
from drivers.cmis.configuration.result import ConfigurationResult, Findings, LaneResult, Outcome
from drivers.cmis.configuration.steps import ConfigurationSteps, StoppedError
from drivers.cmis.errors import CmisError, ConfigurationRefusedError, NotAdvertisedError
from drivers.cmis.module import CmisModule, lane_bits
from drivers.cmis.paged_memory import require_paged_memory
from drivers.cmis.signal_integrity import SignalIntegrity
from drivers.cmis.states import fault_text
from drivers.cmis.wording import host_lanes, where


def configure(
    module: CmisModule,
    requests: Sequence[DataPathRequest] = (),
    *,
    free_lanes: Collection[int] = (),
    control_set: int = 0,
    immediate: bool = False,
    bank: int = 0,
    displace: bool = False,
) -> ConfigurationResult:
    """Give host lanes (1..8 of a bank) to data paths, and free others, in ModuleReady.

    Data paths that are in use on these lanes go only with ``displace``; otherwise nothing is written. Outputs
    that are disabled stay so: a data path then ends in DPInitialized. ``immediate``: by ApplyImmediate, which
    changes settings of a running data path without taking it down, instead of ApplyDPInit. ``control_set``:
    Staged Control Set 0, or 1 where 01h:162.5 advertises it.

    A module that rejects AppSel 0 for lanes that are freed keeps them in DPDeactivated by DPDeinit: a note.

    :raises ValueError: for lanes or sets that there are not, or when nothing is asked.
    :raises BenchError: when the bench is at fault. What the module does wrong is in the result.
    """
    staged_name(control_set, "DPConfig")
    lane_bits(free_lanes)
    if not requests and not free_lanes:
        raise ValueError("nothing to configure: neither a data path nor lanes to be freed were named")
    return _Configuration(
        module, tuple(requests), frozenset(free_lanes), control_set, immediate, bank, displace
    ).run()


def free(
    module: CmisModule, lanes: Collection[int], *, bank: int = 0, displace: bool = False
) -> ConfigurationResult:
    """Take down the data paths of these host lanes and leave the lanes without application.

    As :func:`configure` without requests: a data path of which only some lanes are named needs ``displace``.
    """
    return configure(module, free_lanes=lanes, bank=bank, displace=displace)


def active_data_paths(module: CmisModule, *, bank: int = 0) -> tuple[ActiveDataPath, ...]:
    """The data paths in force (11h:206-213).

    :raises CmisError: when they cannot be read.
    """
    return data_paths_of(read_config(module, bank=bank))


def commit_signal_integrity(
    module: CmisModule,
    settings: Mapping[int, SignalIntegrity],
    *,
    control_set: int = 0,
    bank: int = 0,
) -> ConfigurationResult:
    """Change signal integrity settings of running data paths while they run, by ApplyImmediate.

    ``settings``: by host lane (1..8). Other lanes of the same data paths keep what is in force.

    :raises ValueError: when no lane is named.
    :raises BenchError: when the bench is at fault. What the module does wrong is in the result.
    """
    lane_bits(settings)
    if not settings:
        raise ValueError("name at least one host lane")
    try:
        paths = active_data_paths(module, bank=bank)
    except CmisError as error:
        return ConfigurationResult((), refusal=f"The active configuration cannot be read: {error}")
    homeless = set(settings).difference(*(path.host_lanes for path in paths)) if paths else set(settings)
    if homeless:
        return ConfigurationResult(
            (),
            refusal=f"{host_lanes(homeless)} belong to no data path ({where('ACS_DPConfig')}). "
            "Nothing was written.",
        )
    requests = [
        DataPathRequest(
            path.app_sel,
            path.host_lanes[0],
            signal_integrity={lane: settings[lane] for lane in path.host_lanes if lane in settings},
        )
        for path in paths
        if not set(settings).isdisjoint(path.host_lanes)
    ]
    return configure(module, requests, control_set=control_set, immediate=True, bank=bank)


@dataclass(slots=True)
class _Configuration:
    """One configuration: what was asked, and what is found."""

    module: CmisModule
    requests: tuple[DataPathRequest, ...]
    free_lanes: frozenset[int]
    control_set: int
    immediate: bool
    bank: int
    displace: bool
    findings: Findings = field(default_factory=Findings)

    def run(self) -> ConfigurationResult:
        clock = self.module.clock
        start_s = clock.now_s()
        plan: Plan | None = None
        before: tuple[DataPathState, ...] = ()
        steps = ConfigurationSteps(self.module, self.control_set, self.immediate, self.bank, self.findings)
        try:
            self._require_possible()
            plan = self._plan()
            steps.settle(plan)
            plan = self._plan()  # a data path that was on its way may have ended elsewhere
            before = self.module.data_path_states(self.bank)
            steps.carry_out(plan)
        except StoppedError:
            pass
        except CmisError as error:
            if plan is None or not before:  # nothing was written
                text = str(error)
                return ConfigurationResult((), tuple(self.findings.notes), clock.now_s() - start_s, text)
            broken = Outcome(False, "", "an answer of the module as CMIS has it", "none", str(error))
            for lane in plan.concerned:
                if not self.findings.failed(lane):
                    self.findings.outcomes[lane] = broken
        assert plan is not None  # else it was refused
        if before:
            steps.look_at_others(plan, before)
        lanes = self._lane_results(plan)
        result = ConfigurationResult(lanes, tuple(self.findings.notes), clock.now_s() - start_s)
        if result.ok:
            self.module.configuration_settled()
        return result

    def _require_possible(self) -> None:
        module = self.module
        require_paged_memory(module, bank=self.bank)
        state = module.module_state()
        if state is not ModuleState.ModuleReady:
            advice = (
                fault_text(module)
                if state is ModuleState.ModuleFault
                else "Data paths are configured in ModuleReady: leave low power first."
            )
            raise ConfigurationRefusedError(
                f"{where('ModuleState')} reads {state.name}. {advice} Nothing was written."
            )
        if self.control_set and not information.get_int(module.registers, "StagedControlSet1Supported"):
            raise NotAdvertisedError(
                f"the module has no Staged Control Set 1: {where('StagedControlSet1Supported')} is 0. "
                "Nothing was written."
            )
        if self.immediate and self._stepped():
            raise ConfigurationRefusedError(
                f"{where('SteppedConfigOnly')} is 1: ApplyImmediate does nothing in this module. Use "
                "ApplyDPInit (immediate=False), which takes the data paths down meanwhile. Nothing was "
                "written."
            )
        settings = [
            item
            for request in self.requests
            if request.signal_integrity is not None
            for item in (
                (request.signal_integrity,)
                if isinstance(request.signal_integrity, SignalIntegrity)
                else request.signal_integrity.values()
            )
        ]
        if settings:
            support = signal_integrity.advertised(module)
            for item in settings:
                support.require(item)

    def _stepped(self) -> bool:
        return bool(information.get_int(self.module.registers, "SteppedConfigOnly"))

    def _plan(self) -> Plan:
        module, bank = self.module, self.bank
        plan = make_plan(
            module.applications(),
            read_config(module, bank=bank),
            module.data_path_states(bank),
            self.requests,
            self.free_lanes,
            displace=self.displace,
            stepped=self._stepped(),
        )
        for path in plan.paths:
            if isinstance(path.request.signal_integrity, Mapping):
                signal_integrity.per_lane(path.request.signal_integrity, path.host_lanes)
        return plan

    def _lane_results(self, plan: Plan) -> tuple[LaneResult, ...]:
        status: tuple[ConfigStatus, ...] = ()
        states: tuple[DataPathState, ...] = ()
        notes = self.findings.notes
        try:
            status = self.module.config_status(self.bank)
            states = self.module.data_path_states(self.bank)
            held = set(information.lanes_set(self.module.registers, "DPDeinit", self.bank))
            held = {lane for lane in held.intersection(plan.cycled) if self.findings.failed(lane)}
            if held:
                notes.append(f"{host_lanes(held)} stay held by {where('DPDeinit')}.")
        except CmisError as error:
            notes.append(f"Status and states could not be read in the end: {error}")
        wanted = {lane: path.config for path in plan.paths for lane in path.host_lanes}
        requested: dict[int, LaneConfig] = dict.fromkeys(plan.concerned, UNUSED) | wanted
        return self.findings.lane_results(requested, status, states)
