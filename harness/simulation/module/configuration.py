"""What a module makes of ApplyDPInit and ApplyImmediate (OIF-CMIS-05.4 §6.2.4, Tables 6-3 and 6-4).

The procedure: ConfigStatus becomes ConfigInProgress, the staged control set is validated, and if it is
valid it is copied to the active control set, DPInitPending is set and the result reported. One result for
all lanes of a data path. Triggers on lanes that are in progress or in a transient state are ignored.

Signal integrity settings are neither validated nor applied: the simulated module advertises no such controls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drivers.cmis.codes import STEADY_DATA_PATH_STATES, ConfigStatus, DataPathState
from harness.simulation.module.data_paths import DataPaths, LaneConfig, media_lanes_of
from harness.simulation.module.profile import HOST_LANES, ApplicationProfile
from harness.simulation.world import Event, World

_ALL_LANES = range(1, HOST_LANES + 1)


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
        applications: Sequence[ApplicationProfile],
        data_paths: DataPaths,
        status_changed: Callable[[], None],
        *,
        stuck_host_lanes: Sequence[int],
    ) -> None:
        self._world = world
        self._duration_s = duration_s
        self._applications = tuple(applications)
        self._data_paths = data_paths
        self._status_changed = status_changed
        self._stuck = frozenset(stuck_host_lanes)
        self._due: list[Event] = []
        self.status: list[ConfigStatus] = [ConfigStatus.ConfigUndefined] * HOST_LANES

    def reset(self) -> None:
        """Forget everything."""
        for event in self._due:
            event.cancel()
        self._due.clear()
        self.status = [ConfigStatus.ConfigUndefined] * HOST_LANES

    def trigger(self, host_lane_mask: int, staged: Sequence[LaneConfig], *, immediate: bool) -> None:
        """ApplyDPInit, or ApplyImmediate, was written for these host lanes."""
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
        self._status_changed()
        snapshot = tuple(staged)
        event = self._world.after(self._duration_s, lambda: self._finish(lanes, snapshot, immediate))
        self._due = [due for due in self._due if due.when_ns >= self._world.now_ns and not due.cancelled]
        self._due.append(event)

    def _finish(self, triggered: frozenset[int], staged: tuple[LaneConfig, ...], immediate: bool) -> None:
        groups: dict[int, list[int]] = {}
        for lane in sorted(triggered):
            config = staged[lane - 1]
            key = config.data_path_id if config.app_sel else -lane  # an unused lane stands for itself
            groups.setdefault(key, []).append(lane)
        results = {
            key: validate(staged, triggered, lanes, self._applications, self._data_paths)
            for key, lanes in groups.items()
        }
        self._refuse_torn_paths(groups, results)
        changes: dict[int, LaneConfig] = {}
        for key, lanes in groups.items():
            stuck = self._stuck.intersection(lanes)
            for lane in lanes:
                if lane not in stuck:
                    self.status[lane - 1] = results[key]
            if results[key] is ConfigStatus.ConfigSuccess and not stuck:
                changes.update({lane: staged[lane - 1] for lane in lanes})
        self._status_changed()
        if changes:
            self._data_paths.provision(changes, init_pending=not immediate)

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
