"""What a module makes of ApplyDPInit and ApplyImmediate (OIF-CMIS-05.4 §6.2.4, Tables 6-3 and 6-4).

The procedure: ConfigStatus becomes ConfigInProgress, the staged control set is validated, and if it is
valid it is copied to the active control set, DPInitPending is set and the result reported. One result for
all lanes of a data path. Triggers on lanes that are in progress or in a transient state are ignored.

ApplyImmediateTx and ApplyImmediateRx commit the signal integrity settings of one direction, and are rejected
with ConfigRejectedInvalidDataPath where application or data path are staged differently from what is in force
[?].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from drivers.cmis.codes import STEADY_DATA_PATH_STATES, ConfigStatus, DataPathState
from harness.simulation.module.data_paths import DataPaths, LaneConfig, media_lanes_of
from harness.simulation.module.lane_settings import LaneSettings, Staged
from harness.simulation.module.profile import HOST_LANES, ApplicationProfile, FaultProfile, Profile
from harness.simulation.module.quirks import QuirkProfile
from harness.simulation.world import Event, World

_ALL_LANES = range(1, HOST_LANES + 1)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger register. ``direction``: ``Tx`` or ``Rx`` for one that commits settings of one side only."""

    register: str
    control_set: str
    immediate: bool
    direction: str = ""


TRIGGERS = (
    Trigger("ApplyDPInit", "SCS0", False),
    Trigger("ApplyImmediate", "SCS0", True),
    Trigger("ApplyImmediateTx", "SCS0", True, "Tx"),
    Trigger("ApplyImmediateRx", "SCS0", True, "Rx"),
    Trigger("SCS1_ApplyDPInit", "SCS1", False),
    Trigger("SCS1_ApplyImmediate", "SCS1", True),
)
"""All triggers of the register tables."""


def validate(
    staged: Sequence[LaneConfig],
    triggered: frozenset[int],
    lanes: Sequence[int],
    applications: Sequence[ApplicationProfile],
    data_paths: DataPaths,
) -> ConfigStatus:
    """Judge one group of lanes that are staged for the same data path (or one unused lane).

    ``staged``: the whole staged control set; ``triggered``: all host lanes of the trigger.
    """
    config = staged[lanes[0] - 1]
    if config.app_sel:
        if config.app_sel > len(applications):
            return ConfigStatus.ConfigRejectedInvalidAppSel
        application = applications[config.app_sel - 1]
        start = config.data_path_id + 1
        needed = tuple(range(start, start + application.host_lanes))
        if needed[-1] > HOST_LANES or not application.host_lane_assignment >> start - 1 & 1:
            return ConfigStatus.ConfigRejectedInvalidDataPath
        if not application.media_lane_assignment >> media_lanes_of(application, start)[0] - 1 & 1:
            return ConfigStatus.ConfigRejectedInvalidDataPath
        if not triggered.issuperset(needed):
            return ConfigStatus.ConfigRejectedPartialDataPath
        if tuple(lanes) != needed or any(staged[lane - 1].app_sel != config.app_sel for lane in needed):
            return ConfigStatus.ConfigRejectedInvalidDataPath
        extent: tuple[int, ...] | None = needed
    else:
        extent = None
    for lane in lanes:
        path = data_paths.path_of(lane)
        if path is None:
            continue
        same = path.host_lanes == extent and data_paths.config[lane - 1].app_sel == config.app_sel
        # A path that changes its lanes or its application must be deactivated, and go as a whole.
        if not same and (
            path.state is not DataPathState.DPDeactivated or not triggered.issuperset(path.host_lanes)
        ):
            return ConfigStatus.ConfigRejectedLanesInUse
    return ConfigStatus.ConfigSuccess


class Configuration:
    """The configuration commands and their ConfigStatus."""

    def __init__(
        self,
        world: World,
        duration_s: float,
        profile: Profile,
        data_paths: DataPaths,
        settings: LaneSettings,
        status_changed: Callable[[], None],
    ) -> None:
        self._world = world
        self._duration_s = duration_s
        self._applications = profile.applications
        self._stepped = profile.configuration.stepped_config_only
        self._data_paths = data_paths
        self._settings = settings
        self._status_changed = status_changed
        self._faults: FaultProfile = profile.faults
        self._quirks: QuirkProfile = profile.quirks
        self._stuck = frozenset(profile.faults.stuck_config_host_lanes)
        self._due: list[Event] = []
        self.status: list[ConfigStatus] = [ConfigStatus.ConfigUndefined] * HOST_LANES

    def reset(self) -> None:
        """Forget everything."""
        for event in self._due:
            event.cancel()
        self._due.clear()
        self.status = [ConfigStatus.ConfigUndefined] * HOST_LANES

    def trigger(self, host_lane_mask: int, staged: Sequence[LaneConfig], trigger: Trigger) -> None:
        """A trigger was written for these host lanes."""
        if trigger.immediate and self._stepped:
            return
        states = self._data_paths.host_lane_states()
        lanes = frozenset(
            lane
            for lane in _ALL_LANES
            if host_lane_mask >> lane - 1 & 1
            and self.status[lane - 1] is not ConfigStatus.ConfigInProgress
            and states[lane - 1] in STEADY_DATA_PATH_STATES
        )
        if not lanes:
            return
        for lane in lanes:
            self.status[lane - 1] = ConfigStatus.ConfigInProgress
        if self._quirks.sibling_status_undefined:
            for lane in _ALL_LANES:
                if not host_lane_mask >> lane - 1 & 1:
                    self.status[lane - 1] = ConfigStatus.ConfigUndefined
        self._status_changed()
        command = _Command(trigger, lanes, tuple(staged), self._settings.staged(trigger.control_set))
        event = self._world.after(self._duration_s, lambda: self._finish(command))
        self._due = [due for due in self._due if due.when_ns >= self._world.now_ns and not due.cancelled]
        self._due.append(event)

    def _finish(self, command: _Command) -> None:
        staged = command.staged
        groups: dict[int, list[int]] = {}
        for lane in sorted(command.lanes):
            config = staged[lane - 1]
            key = config.data_path_id if config.app_sel else -lane  # an unused lane stands for itself
            groups.setdefault(key, []).append(lane)
        results = {key: self._judge(command, lanes) for key, lanes in groups.items()}
        if not command.trigger.direction:
            self._refuse_torn_paths(groups, results)
        accepted: list[int] = []
        for key, lanes in groups.items():
            stuck = self._stuck.intersection(lanes)
            for lane in lanes:
                if lane not in stuck:
                    self.status[lane - 1] = results[key]
            if results[key] is ConfigStatus.ConfigSuccess and not stuck:
                accepted += lanes
        if accepted:
            self._take(command, accepted)
        self._status_changed()

    def _judge(self, command: _Command, lanes: Sequence[int]) -> ConfigStatus:
        staged, direction = command.staged, command.trigger.direction
        if not self._faults_spare(lanes):
            return ConfigStatus(self._faults.config_rejection_code)
        if direction:
            active = self._data_paths.config
            if any(not _same_path(staged[lane - 1], active[lane - 1]) for lane in lanes):
                return ConfigStatus.ConfigRejectedInvalidDataPath
        else:
            if self._quirks.app_sel_0_rejected and not staged[lanes[0] - 1].app_sel:
                return ConfigStatus.ConfigRejectedInvalidAppSel
            result = validate(staged, command.lanes, lanes, self._applications, self._data_paths)
            if result is not ConfigStatus.ConfigSuccess:
                return result
        explicit = [lane for lane in lanes if staged[lane - 1].explicit and staged[lane - 1].app_sel]
        if all(self._settings.accepts(command.settings[lane - 1], direction) for lane in explicit):
            return ConfigStatus.ConfigSuccess
        return ConfigStatus.ConfigRejectedInvalidSI

    def _faults_spare(self, lanes: Sequence[int]) -> bool:
        return set(self._faults.rejected_config_host_lanes).isdisjoint(lanes)

    def _take(self, command: _Command, lanes: Sequence[int]) -> None:
        """Accepted: into the Active Control Set."""
        staged, direction = command.staged, command.trigger.direction
        explicit = [lane for lane in lanes if staged[lane - 1].explicit]
        own = [] if direction else [lane for lane in lanes if not staged[lane - 1].explicit]
        self._settings.commit(command.settings, explicit, own, direction)
        active = self._data_paths.config
        changes = {
            lane: replace(active[lane - 1], explicit=staged[lane - 1].explicit or active[lane - 1].explicit)
            if direction
            else staged[lane - 1]
            for lane in lanes
        }
        self._data_paths.provision(changes, init_pending=not command.trigger.immediate)

    def _refuse_torn_paths(self, groups: dict[int, list[int]], results: dict[int, ConfigStatus]) -> None:
        """A data path in force is replaced as a whole or not at all."""
        settled = False
        while not settled:
            settled = True
            accepted = {
                lane
                for key, lanes in groups.items()
                if results[key] is ConfigStatus.ConfigSuccess and not self._stuck.intersection(lanes)
                for lane in lanes
            }
            for key, lanes in groups.items():
                old = [path for lane in lanes if (path := self._data_paths.path_of(lane)) is not None]
                torn = any(not accepted.issuperset(path.host_lanes) for path in old)
                if (
                    results[key] is ConfigStatus.ConfigSuccess
                    and torn
                    and not self._stuck.intersection(lanes)
                ):
                    results[key] = ConfigStatus.ConfigRejectedLanesInUse
                    settled = False


@dataclass(frozen=True, slots=True)
class _Command:
    """A command that was taken: which lanes, and what was staged at that moment."""

    trigger: Trigger
    lanes: frozenset[int]
    staged: tuple[LaneConfig, ...]
    settings: Staged


def _same_path(staged: LaneConfig, active: LaneConfig) -> bool:
    return (staged.app_sel, staged.data_path_id) == (active.app_sel, active.data_path_id)
