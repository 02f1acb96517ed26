"""Data path state machines and the transmitters they switch (OIF-CMIS-05.4 §6.3.3).

Host lanes are numbered 1..8, media lanes 1..; a data path of an H:M application that begins on host lane
s uses the media lanes from (s - 1) M / H + 1 on, so that in an 8:4 path media lane m is fed by the host
lanes 2m - 1 and 2m.

Each transmitter follows its own OutputDisableTx and OutputSquelchForceTx within its path, while the path as a
whole leaves DPActivated when any of its transmitters is disabled. That a path with one lane disabled keeps
the light of its other lanes is how modules behave; the state tables leave it open [?].
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from drivers.cmis.codes import DataPathState
from harness.simulation.module.profile.applications import (
    HOST_LANES,
    ApplicationProfile,
    may_begin,
    media_lanes_of,
)
from harness.simulation.module.states import ModuleState, may_emit
from harness.simulation.module.timing import Durations
from harness.simulation.world import Event, World


@dataclass(frozen=True, slots=True)
class LaneConfig:
    """One DPConfigLane register."""

    app_sel: int = 0
    data_path_id: int = 0
    explicit: bool = False

    @classmethod
    def from_byte(cls, raw: int) -> LaneConfig:
        """From the register: AppSel in bits 7-4, DataPathID in 3-1, ExplicitControl in 0."""
        return cls(raw >> 4, raw >> 1 & 0b111, bool(raw & 1))

    @property
    def byte(self) -> int:
        """As the register holds it."""
        return self.app_sel << 4 | self.data_path_id << 1 | self.explicit


UNUSED = LaneConfig()


def default_config(application: ApplicationProfile) -> tuple[LaneConfig, ...]:
    """Application 1 on as many data paths as fit: what a module wakes up with."""
    lanes = [UNUSED] * HOST_LANES
    for start in range(HOST_LANES):
        free = all(lane is UNUSED for lane in lanes[start : start + application.host_lanes])
        if free and may_begin(application, start + 1):
            for lane in range(start, start + application.host_lanes):
                lanes[lane] = LaneConfig(1, start)
    return tuple(lanes)


class DataPathContext(Protocol):
    """What the data paths ask of, and tell, the module around them. Masks: bit i - 1 for lane i."""

    def module_state(self) -> ModuleState:
        """The module's state."""

    def low_power_requested(self) -> bool:
        """LowPwrS."""

    def deinit_mask(self) -> int:
        """DPDeinit, per host lane."""

    def output_off_mask(self) -> int:
        """OutputDisableTx or OutputSquelchForceTx, per media lane."""

    def squelched_mask(self) -> int:
        """Media lanes that the module squelches by itself: nothing comes for them from the host."""

    def configuring_mask(self) -> int:
        """Host lanes whose configuration is in progress."""

    def data_paths_changed(self) -> None:
        """States, configuration or outputs changed."""

    def data_path_settled(self, host_lanes: Sequence[int]) -> None:
        """A data path entered a steady state and stays: DPStateChangedFlag is due."""


@dataclass(slots=True, eq=False)
class DataPath:
    """One data path and the state it is in."""

    host_lanes: tuple[int, ...]
    media_lanes: tuple[int, ...]
    state: DataPathState = DataPathState.DPDeactivated
    init_pending: bool = False
    timer: Event | None = None

    def cancel(self) -> None:
        """Forget the transition that was due."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


@dataclass(frozen=True, slots=True)
class Provisioned:
    """An Active Control Set, with the data paths that it makes."""

    config: tuple[LaneConfig, ...]
    paths: tuple[DataPath, ...]

    def path_of(self, host_lane: int) -> DataPath | None:
        """The data path a host lane belongs to."""
        return next((path for path in self.paths if host_lane in path.host_lanes), None)


@dataclass(slots=True)
class _Output:
    """A transmitter: on or off, and the change that is due."""

    lit: bool = False
    change: Event | None = field(default=None)

    def cancel(self) -> None:
        if self.change is not None:
            self.change.cancel()
            self.change = None


class DataPaths:
    """All data paths of a module with one bank of eight host lanes."""

    def __init__(
        self,
        world: World,
        durations: Durations,
        applications: Sequence[ApplicationProfile],
        media_lanes: int,
        context: DataPathContext,
        *,
        unflagged: Collection[DataPathState],
        stuck_init_host_lanes: Sequence[int],
        stepped: bool = False,
    ) -> None:
        """``stepped``: SteppedConfigOnly, what is provisioned waits for the host to go through DPDeinit."""
        self._world = world
        self._durations = durations
        self._applications = tuple(applications)
        self._context = context
        self._unflagged = frozenset(unflagged)
        self._stepped = stepped
        self._stuck_init = frozenset(stuck_init_host_lanes)
        self._outputs = {lane: _Output() for lane in range(1, media_lanes + 1)}
        self.config: tuple[LaneConfig, ...] = (UNUSED,) * HOST_LANES
        self.paths: tuple[DataPath, ...] = ()

    # -- what others see -------------------------------------------------------------------------------

    def path_of(self, host_lane: int) -> DataPath | None:
        """The data path a host lane belongs to."""
        return next((path for path in self.paths if host_lane in path.host_lanes), None)

    def path_of_media(self, media_lane: int) -> DataPath | None:
        """The data path a media lane belongs to."""
        return next((path for path in self.paths if media_lane in path.media_lanes), None)

    def host_lane_states(self) -> tuple[DataPathState, ...]:
        """State per host lane; lanes without an application are deactivated."""
        states = [DataPathState.DPDeactivated] * HOST_LANES
        for path in self.paths:
            for lane in path.host_lanes:
                states[lane - 1] = path.state
        return tuple(states)

    def media_lane_states(self) -> tuple[DataPathState, ...]:
        """State per media lane, likewise."""
        states = [DataPathState.DPDeactivated] * len(self._outputs)
        for path in self.paths:
            for lane in path.media_lanes:
                states[lane - 1] = path.state
        return tuple(states)

    def pending_mask(self) -> int:
        """DPInitPending, per host lane."""
        return sum(1 << lane - 1 for path in self.paths if path.init_pending for lane in path.host_lanes)

    def lit(self, media_lane: int) -> bool:
        """Whether this transmitter is on."""
        return self._outputs[media_lane].lit

    def all_deactivated(self) -> bool:
        """Whether no data path is in any other state than DPDeactivated."""
        return all(path.state is DataPathState.DPDeactivated for path in self.paths)

    def provisioned(self, config: Sequence[LaneConfig]) -> Provisioned:
        """What a valid configuration makes of the data paths: those that it keeps, and new ones."""
        return Provisioned(tuple(config), self._build_paths(config, self.paths))

    # -- what others do --------------------------------------------------------------------------------

    def reset(self) -> None:
        """Power, reset: outputs dark now, configuration back to the default."""
        for path in self.paths:
            path.cancel()
        for output in self._outputs.values():
            output.cancel()
            output.lit = False
        self.config = default_config(self._applications[0])
        self.paths = self._build_paths(self.config, ())

    def provision(self, changes: dict[int, LaneConfig], *, init_pending: bool) -> None:
        """Take a validated configuration (host lane to its new value) into the Active Control Set.

        What a deactivated data path is given waits for DPInit in any case.
        """
        self.config = tuple(changes.get(lane, self.config[lane - 1]) for lane in range(1, HOST_LANES + 1))
        self.paths = self._build_paths(self.config, self.paths)
        for path in self.paths:
            waits = init_pending or path.state is DataPathState.DPDeactivated
            if waits and path.host_lanes[0] in changes:
                path.init_pending = True
        self._context.data_paths_changed()
        self.evaluate()

    def evaluate(self) -> None:
        """Take the exits that are open now. Called after any input changed."""
        for path in self.paths:
            self._step(path)
        self._drive_outputs()

    # -- inside ----------------------------------------------------------------------------------------

    def _build_paths(
        self, config: Sequence[LaneConfig], existing: Sequence[DataPath]
    ) -> tuple[DataPath, ...]:
        groups: dict[int, list[int]] = {}
        for lane, value in enumerate(config, start=1):
            if value.app_sel:
                groups.setdefault(value.data_path_id, []).append(lane)
        kept = {(path.host_lanes, path.media_lanes): path for path in existing}
        paths = []
        for data_path_id, lanes in groups.items():
            application = self._applications[config[lanes[0] - 1].app_sel - 1]
            extent = (tuple(lanes), media_lanes_of(application, data_path_id + 1))
            paths.append(kept.get(extent) or DataPath(*extent))
        return tuple(paths)

    def _deinit_wanted(self, path: DataPath) -> bool:
        """DPDeinitS."""
        context = self._context
        return (
            context.module_state() is not ModuleState.READY
            or context.low_power_requested()
            or any(context.deinit_mask() >> lane - 1 & 1 for lane in path.host_lanes)
        )

    def _redeinit_wanted(self, path: DataPath) -> bool:
        """DPReDeinitS."""
        return (path.init_pending and not self._stepped) or self._deinit_wanted(path)

    def _deactivate_wanted(self, path: DataPath) -> bool:
        """DPDeactivateS."""
        off = self._context.output_off_mask()
        return self._redeinit_wanted(path) or any(off >> lane - 1 & 1 for lane in path.media_lanes)

    def _step(self, path: DataPath) -> None:
        state, times = path.state, self._durations
        if state is DataPathState.DPDeactivated:
            configuring = self._context.configuring_mask()
            waits = any(configuring >> lane - 1 & 1 for lane in path.host_lanes)
            if not waits and not self._deinit_wanted(path):
                stuck = self._stuck_init.intersection(path.host_lanes)
                self._enter(path, DataPathState.DPInit, None if stuck else times.dp_init_s)
        elif state is DataPathState.DPInit:
            if self._deinit_wanted(path):
                self._enter(path, DataPathState.DPDeinit, times.dp_deinit_s)
        elif state is DataPathState.DPInitialized:
            if self._redeinit_wanted(path):
                self._enter(path, DataPathState.DPDeinit, times.dp_deinit_s)
            elif not self._deactivate_wanted(path):
                self._enter(path, DataPathState.DPTxTurnOn, times.dp_tx_turn_on_s)
        elif state is DataPathState.DPActivated and self._deactivate_wanted(path):
            self._enter(path, DataPathState.DPTxTurnOff, times.dp_tx_turn_off_s)

    def _enter(self, path: DataPath, state: DataPathState, duration_s: float | None) -> None:
        path.cancel()
        path.state = state
        if duration_s is not None:
            path.timer = self._world.after(duration_s, lambda: self._arrive(path))
        self._drive_outputs()
        self._context.data_paths_changed()

    _NEXT = {  # noqa: RUF012 - a constant table
        DataPathState.DPInit: DataPathState.DPInitialized,
        DataPathState.DPTxTurnOn: DataPathState.DPActivated,
        DataPathState.DPTxTurnOff: DataPathState.DPInitialized,
        DataPathState.DPDeinit: DataPathState.DPDeactivated,
    }

    def _arrive(self, path: DataPath) -> None:
        """A transient state ends."""
        if path not in self.paths:
            return  # the module was restarted meanwhile
        left = path.state
        if left is DataPathState.DPInit:
            path.init_pending = False  # what was provisioned is now in force
        arrived = self._NEXT[left]
        self._enter(path, arrived, None)
        self._finish_outputs(path)
        self._step(path)
        if path.state is arrived and left not in self._unflagged:
            self._context.data_path_settled(path.host_lanes)
        self._drive_outputs()
        self._context.data_paths_changed()

    def _wanted(self, media_lane: int) -> bool:
        path = self.path_of_media(media_lane)
        return (
            path is not None
            and may_emit(path.state)
            and not self._redeinit_wanted(path)
            and not self._context.output_off_mask() >> media_lane - 1 & 1
            and not self._context.squelched_mask() >> media_lane - 1 & 1
        )

    def _drive_outputs(self) -> None:
        """Start what has to happen for every transmitter to follow its controls."""
        for lane, output in self._outputs.items():
            path = self.path_of_media(lane)
            wanted = self._wanted(lane)
            squelched = self._context.squelched_mask() >> lane - 1 & 1
            if path is None or not may_emit(path.state) or squelched:
                self._switch(lane, lit=False)  # a squelch was late already when it was noticed
            elif wanted == output.lit:
                output.cancel()
            elif output.change is None:
                delay_s = self._durations.tx_enable_s if wanted else self._durations.tx_disable_s
                output.change = self._world.after(delay_s, lambda lane=lane: self._follow(lane))  # type: ignore[misc]

    def _follow(self, lane: int) -> None:
        self._switch(lane, lit=self._wanted(lane))
        self._context.data_paths_changed()

    def _finish_outputs(self, path: DataPath) -> None:
        """A transient state is over: its transmitters are where it was to bring them."""
        if path.state in (DataPathState.DPActivated, DataPathState.DPInitialized):
            for lane in path.media_lanes:
                if path.state is DataPathState.DPActivated or not self._wanted(lane):
                    self._switch(lane, lit=self._wanted(lane))

    def _switch(self, lane: int, *, lit: bool) -> None:
        output = self._outputs[lane]
        output.cancel()
        if output.lit != lit:
            output.lit = lit
