"""What a module makes of ApplyDPInit and ApplyImmediate (OIF-CMIS-05.4 §6.2.4, Tables 6-3 and 6-4).

The procedure: ConfigStatus becomes ConfigInProgress, the staged control set is validated, and if it is
valid it is copied to the active control set, DPInitPending is set and the result reported. One result for
all lanes of a data path. Triggers on lanes that are in progress or in a transient state are ignored.

What is judged is the state at the trigger, with the commands before it as good as carried out; what is
accepted comes into force when the result is reported. A deactivated data path stays so until then.

ApplyImmediateTx and ApplyImmediateRx commit the signal integrity settings of one direction, and are rejected
with ConfigRejectedInvalidDataPath where application or data path are staged differently from what is in force
[?].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from drivers.cmis.codes import STEADY_DATA_PATH_STATES, ConfigStatus, DataPathState
from drivers.cmis.fields import decode, encode
from drivers.cmis.memory_map import FIELDS
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.machines.data_paths import DataPaths, LaneConfig, Provisioned
from harness.simulation.module.machines.lane_settings import LaneSettings, Staged
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.applications import (
    HOST_LANES,
    ApplicationProfile,
    may_begin,
    media_lanes_of,
)
from harness.simulation.module.profile.faults import FaultProfile
from harness.simulation.module.profile.quirks import QuirkProfile
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
    before: Provisioned,
) -> ConfigStatus:
    """Judge one group of lanes that are staged for the same data path (or one unused lane).

    ``staged``: the whole staged control set; ``triggered``: all host lanes of the trigger; ``before``: what
    is in force without it.
    """
    config = staged[lanes[0] - 1]
    if config.app_sel:
        if config.app_sel > len(applications):
            return ConfigStatus.ConfigRejectedInvalidAppSel
        application = applications[config.app_sel - 1]
        start = config.data_path_id + 1
        needed = tuple(range(start, start + application.host_lanes))
        if not may_begin(application, start):
            return ConfigStatus.ConfigRejectedInvalidDataPath
        if not triggered.issuperset(needed):
            return ConfigStatus.ConfigRejectedPartialDataPath
        if tuple(lanes) != needed or any(staged[lane - 1].app_sel != config.app_sel for lane in needed):
            return ConfigStatus.ConfigRejectedInvalidDataPath
        extent: tuple[int, ...] | None = needed
    else:
        extent = None
    for lane in lanes:
        path = before.path_of(lane)
        if path is None:
            continue
        same = path.host_lanes == extent and before.config[lane - 1].app_sel == config.app_sel
        # A path that changes its lanes or its application must be deactivated, and go as a whole.
        if not same and (
            path.state is not DataPathState.DPDeactivated or not triggered.issuperset(path.host_lanes)
        ):
            return ConfigStatus.ConfigRejectedLanesInUse
    return ConfigStatus.ConfigSuccess


def refuse_conflicts(
    groups: Mapping[int, Sequence[int]],
    media_lanes: Mapping[int, Sequence[int]],
    results: dict[int, ConfigStatus],
    before: Provisioned,
) -> None:
    """Refuse, in ``results``, what does not go together with what stays in force, and with each other.

    A data path in force is replaced as a whole or not at all, and no media lane serves two data paths [?: the
    tables name no result for that]: a group that wants one of a data path that stays is told
    ConfigRejectedLanesInUse, two that want the same one ConfigRejectedInvalidDataPath.

    ``groups``: host lanes by key; ``media_lanes``: of those that are to be data paths.
    """
    success = ConfigStatus.ConfigSuccess
    settled = False
    while not settled:
        accepted = [key for key in groups if results[key] is success]
        lanes_of_accepted = {lane for key in accepted for lane in groups[key]}
        refused: dict[int, ConfigStatus] = {}
        for key in accepted:
            old = [path for lane in groups[key] if (path := before.path_of(lane)) is not None]
            own = tuple(groups[key]), tuple(media_lanes.get(key, ()))
            wanted = set(own[1])
            stays = [
                path
                for path in before.paths
                if (path.host_lanes, path.media_lanes) != own
                and (
                    lanes_of_accepted.isdisjoint(path.host_lanes)
                    or any(
                        (path.host_lanes, path.media_lanes) == (tuple(groups[other]), media_lanes.get(other))
                        for other in accepted
                    )
                )
            ]
            torn = any(not lanes_of_accepted.issuperset(path.host_lanes) for path in old)
            if torn or any(not wanted.isdisjoint(path.media_lanes) for path in stays):
                refused[key] = ConfigStatus.ConfigRejectedLanesInUse
        if not refused:
            refused = {
                key: ConfigStatus.ConfigRejectedInvalidDataPath
                for key in accepted
                for other in accepted
                if other != key and not set(media_lanes.get(key, ())).isdisjoint(media_lanes.get(other, ()))
            }
        results.update(refused)
        settled = not refused


class Configuration:
    """The configuration commands and their ConfigStatus."""

    def __init__(
        self,
        world: World,
        duration_s: float,
        profile: Profile,
        data_paths: DataPaths,
        registers: Registers,
    ) -> None:
        self._world = world
        self._duration_s = duration_s
        self._applications = profile.applications
        self._stepped = profile.configuration.stepped_config_only
        self._data_paths = data_paths
        self._registers = registers
        self._settings = LaneSettings(registers, profile.signal_integrity)
        self._faults: FaultProfile = profile.faults
        self._quirks: QuirkProfile = profile.quirks
        self._stuck = frozenset(profile.faults.stuck_config_host_lanes)
        self._commands: list[_Command] = []
        self.status: list[ConfigStatus] = [ConfigStatus.ConfigUndefined] * HOST_LANES

    def reset(self) -> None:
        """Forget everything; :meth:`show_status` shows it, once the registers are filled anew."""
        for command in self._commands:
            if command.event is not None:
                command.event.cancel()
        self._commands.clear()
        self.status = [ConfigStatus.ConfigUndefined] * HOST_LANES

    def show_status(self) -> None:
        """ConfigStatus in its registers."""
        encode(FIELDS["ConfigStatus"], tuple(self.status), self._registers)

    def in_progress_mask(self) -> int:
        """Host lanes in ConfigInProgress: bit i - 1 for lane i."""
        return sum(
            1 << index for index, status in enumerate(self.status) if status is ConfigStatus.ConfigInProgress
        )

    def host_wrote(self, written: Mapping[int, int]) -> None:
        """The host wrote these bytes of page 10h."""
        for trigger in TRIGGERS:
            lanes = written.get(FIELDS[trigger.register].byte, 0)
            if lanes:
                self.trigger(lanes, self._staged(trigger.control_set), trigger)

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
        command = _Command(trigger, lanes, tuple(staged), self._settings.staged(trigger.control_set))
        self._judge_all(command)
        for lane in lanes:
            self.status[lane - 1] = ConfigStatus.ConfigInProgress
        if self._quirks.sibling_status_undefined:
            for lane in _ALL_LANES:
                if not host_lane_mask >> lane - 1 & 1:
                    self.status[lane - 1] = ConfigStatus.ConfigUndefined
        self.show_status()
        self._commands.append(command)
        command.event = self._world.after(self._duration_s, lambda: self._finish(command))

    def _staged(self, control_set: str) -> tuple[LaneConfig, ...]:
        raw = decode(FIELDS[f"{control_set}_DPConfig"], self._registers)
        assert isinstance(raw, tuple)
        return tuple(LaneConfig.from_byte(int(value)) for value in raw)

    def _judge_all(self, command: _Command) -> None:
        """Find the results of a command, and what it changes."""
        staged = command.staged
        before = self._foreseen()
        groups: dict[int, list[int]] = {}
        for lane in sorted(command.lanes):
            config = staged[lane - 1]
            key = config.data_path_id if config.app_sel else -lane  # an unused lane stands for itself
            groups.setdefault(key, []).append(lane)
        results = {key: self._judge(command, lanes, before) for key, lanes in groups.items()}
        if not command.trigger.direction:
            working = {
                key: lanes for key, lanes in groups.items() if self._stuck.isdisjoint(lanes)
            }  # what is stuck takes no lanes
            wanted = {
                key: media_lanes_of(self._applications[staged[lanes[0] - 1].app_sel - 1], key + 1)
                for key, lanes in working.items()
                if key >= 0 and results[key] is ConfigStatus.ConfigSuccess
            }
            refuse_conflicts(working, wanted, results, before)
        for key, lanes in groups.items():
            stuck = self._stuck.intersection(lanes)
            command.results.update((lane, results[key]) for lane in lanes if lane not in stuck)
            if results[key] is ConfigStatus.ConfigSuccess and not stuck:
                command.accepted += lanes

    def _foreseen(self) -> Provisioned:
        """What will be in force when the commands in progress are through."""
        config = list(self._data_paths.config)
        for command in self._commands:
            for lane, value in self._changes(command, config).items():
                config[lane - 1] = value
        return self._data_paths.provisioned(config)

    def _finish(self, command: _Command) -> None:
        self._commands.remove(command)
        for lane, result in command.results.items():
            self.status[lane - 1] = result
        if command.accepted:
            self._take(command, command.accepted)
        self.show_status()
        self._data_paths.evaluate()  # deactivated ones waited for the result

    def _judge(self, command: _Command, lanes: Sequence[int], before: Provisioned) -> ConfigStatus:
        staged, direction = command.staged, command.trigger.direction
        if not self._faults_spare(lanes):
            return ConfigStatus(self._faults.config_rejection_code)
        if direction:
            active = before.config
            if any(not _same_path(staged[lane - 1], active[lane - 1]) for lane in lanes):
                return ConfigStatus.ConfigRejectedInvalidDataPath
        else:
            if self._quirks.app_sel_0_rejected and not staged[lanes[0] - 1].app_sel:
                return ConfigStatus.ConfigRejectedInvalidAppSel
            result = validate(staged, command.lanes, lanes, self._applications, before)
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
        changes = self._changes(command, self._data_paths.config)
        self._data_paths.provision(changes, init_pending=not command.trigger.immediate)

    @staticmethod
    def _changes(command: _Command, active: Sequence[LaneConfig]) -> dict[int, LaneConfig]:
        """Host lane to its new DPConfigLane, of the lanes that are accepted."""
        staged = command.staged
        if not command.trigger.direction:
            return {lane: staged[lane - 1] for lane in command.accepted}
        return {
            lane: replace(active[lane - 1], explicit=staged[lane - 1].explicit or active[lane - 1].explicit)
            for lane in command.accepted
        }


@dataclass(slots=True, eq=False)
class _Command:
    """A command that was taken: which lanes, what was staged at that moment, and what comes of it."""

    trigger: Trigger
    lanes: frozenset[int]
    staged: tuple[LaneConfig, ...]
    settings: Staged
    results: dict[int, ConfigStatus] = field(default_factory=dict)
    """Of the host lanes that leave ConfigInProgress."""
    accepted: list[int] = field(default_factory=list)
    event: Event | None = None


def _same_path(staged: LaneConfig, active: LaneConfig) -> bool:
    return (staged.app_sel, staged.data_path_id) == (active.app_sel, active.data_path_id)
