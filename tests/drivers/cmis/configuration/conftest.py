"""A module with data paths, small and breakable, for tests of how they are configured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from drivers.cmis.codes import ConfigStatus, DataPathState
from drivers.cmis.errors import ModuleNotRespondingError
from drivers.cmis.fields import decode, encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule

APPLICATIONS = (  # host ID, media ID, host lanes, media lanes, host options, media options
    (0x11, 0x1C, 8, 4, 0x01, 0x01),  # 400GAUI-8, 400GBASE-DR4
    (0x0F, 0x17, 4, 2, 0x11, 0x05),  # 200GAUI-4, 200GBASE-DR4: two of them, as a test of 2x200G
    (0x0D, 0x14, 2, 1, 0x55, 0x0F),  # 100GAUI-2, 100GBASE-DR
)
ADVERTISED = {
    "SFF8024Identifier": 0x18,
    "SFF8024IdentifierCopy": 0x18,
    "VendorName": "LANEWISE",
    "CmisRevisionMajor": 5,
    "ModuleState": 3,
    "LowPwrAllowRequestHW": 1,
    "MediaType": 2,
    "MediaLaneUnsupported": 0xF0,
    "MaxDurationModulePwrUp": 7,
    "MaxDurationModulePwrDn": 5,
    "MaxDurationDPInit": 7,  # 5 s
    "MaxDurationDPDeinit": 5,  # 0.5 s
    "MaxDurationDPTxTurnOn": 5,
    "MaxDurationDPTxTurnOff": 4,  # 0.1 s
    "StagedControlSet1Supported": 1,
}
Deactivated, Init, Deinit, Activated, TurnOn, TurnOff, Initialized = (
    DataPathState.DPDeactivated,
    DataPathState.DPInit,
    DataPathState.DPDeinit,
    DataPathState.DPActivated,
    DataPathState.DPTxTurnOn,
    DataPathState.DPTxTurnOff,
    DataPathState.DPInitialized,
)


@dataclass(eq=False)
class Path:
    lanes: tuple[int, ...]
    app_sel: int
    state: DataPathState = Deactivated
    pending: bool = False
    due_s: float | None = None


class PathModule:
    """A module in ModuleReady whose data paths follow CMIS's state machine. Attributes break it."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.image = MemoryImage(
            bytes(128), {(0, page): bytes(128) for page in (0x00, 0x01, 0x02, 0x10, 0x11)}
        )
        for name, value in ADVERTISED.items():
            self.put(name, value)
        for app_sel, (host, media, hosts, medias, starts, media_starts) in enumerate(APPLICATIONS, start=1):
            self.put(f"HostInterfaceIDApp{app_sel}", host)
            self.put(f"MediaInterfaceIDApp{app_sel}", media)
            self.put(f"HostLaneCountApp{app_sel}", hosts)
            self.put(f"MediaLaneCountApp{app_sel}", medias)
            self.put(f"HostLaneAssignmentOptionsApp{app_sel}", starts)
            self.put(f"MediaLaneAssignmentOptionsApp{app_sel}", media_starts)
        self.put(f"HostInterfaceIDApp{len(APPLICATIONS) + 1}", 0xFF)
        self.times = {Init: 0.4, Deinit: 0.1, TurnOn: 0.2, TurnOff: 0.05}
        self.config_s = 0.02
        self.paths: list[Path] = []
        self.written: list[tuple[int, int, bytes]] = []
        self.history: list[tuple[DataPathState, ...]] = []
        self.commands: list[tuple[float, int, str, bool]] = []
        # What may be wrong with it.
        self.verdict: Callable[[int], ConfigStatus | None] = lambda lane: None
        self.stuck: set[int] = set()
        self.rejects_app_sel_0 = False
        self.never_pending = False
        self.never_deinit = False
        self.ignores_triggers = False
        self.ignores_settings = False
        self.tears_siblings = False
        self.no_recycling = False
        self.silent_after_writes: int | None = None
        self.script: tuple[tuple[float, int | None], ...] = ()
        self.first_write_s = 0.0
        self.show()

    # memory

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        self.live()
        return self.image.get(bank, page, byte, length)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        self.live()
        if not self.written:
            self.first_write_s = self.clock.now_s()
        self.written.append((page, byte, data))
        for prefix, number in (("", 0), ("SCS1_", 1)):
            for name, immediate in (("ApplyDPInit", False), ("ApplyImmediate", True)):
                if (page, byte) == (0x10, FIELDS[f"{prefix}{name}"].byte):
                    assert len(data) == 1, "a trigger is written by itself"
                    self.trigger(data[0], f"SCS{number}", immediate)
                    return
        self.image.put(bank, page, byte, data)
        self.evaluate(self.clock.now_s())

    def live(self) -> None:
        if self.silent_after_writes is not None and len(self.written) >= self.silent_after_writes:
            raise ModuleNotRespondingError("no acknowledge")
        now_s = self.clock.now_s()
        past = [state for at_s, state in self.script if now_s - self.first_write_s >= at_s]
        if past and self.written:
            if past[-1] is None:
                raise ModuleNotRespondingError("no acknowledge")
            self.put("ModuleState", past[-1])
        while True:
            events = [(path.due_s, path) for path in self.paths if path.due_s is not None]
            first = min(events, key=lambda event: event[0], default=None)
            command = min(self.commands, default=None)
            if command and command[0] <= now_s and (first is None or command[0] <= first[0]):
                self.commands.remove(command)
                self.finish(*command)
            elif first and first[0] <= now_s:
                self.arrive(first[1], first[0])
            else:
                return

    # for tests

    def state_after(self, *steps: tuple[float, int | None]) -> None:
        """From the next write on, show these module states, each from that time; None: silent."""
        self.written.clear()
        self.script = steps

    def get(self, name: str) -> Any:
        return decode(FIELDS[name], self.image)

    def put(self, name: str, value: Any) -> None:
        encode(FIELDS[name], value, self.image)

    def run(self, *first_lanes_of: tuple[int, int]) -> None:
        """Data paths (AppSel, first lane) in force, activated, and staged likewise."""
        config = [0] * 8
        for app_sel, start in first_lanes_of:
            for lane in range(start, start + APPLICATIONS[app_sel - 1][2]):
                config[lane - 1] = app_sel << 4 | (start - 1) << 1
        for name in ("ACS_DPConfig", "SCS0_DPConfig", "SCS1_DPConfig"):
            self.put(name, tuple(config))
        self.rebuild()
        for path in self.paths:
            path.state = Activated
        self.put("ConfigStatus", tuple(1 if code else 0 for code in config))
        self.show()
        self.history.clear()

    def states(self) -> tuple[DataPathState, ...]:
        self.live()
        return tuple(DataPathState(code) for code in self.get("DPStateHostLane"))

    def bits_written(self, name: str) -> list[int]:
        field = FIELDS[name]
        return [data[0] for page, byte, data in self.written if (page, byte) == (field.page, field.byte)]

    # behaviour

    def media_lanes(self, path: Path) -> set[int]:
        _, _, hosts, medias, _, _ = APPLICATIONS[path.app_sel - 1]
        first = (path.lanes[0] - 1) * medias // hosts + 1
        return set(range(first, first + medias))

    def rebuild(self) -> None:
        groups: dict[tuple[int, int], list[int]] = {}
        for lane, code in enumerate(self.get("ACS_DPConfig"), start=1):
            if code >> 4:
                groups.setdefault((code >> 4, code >> 1 & 7), []).append(lane)
        kept = {(path.lanes, path.app_sel): path for path in self.paths}
        self.paths = [
            kept.get((tuple(lanes), app_sel)) or Path(tuple(lanes), app_sel)
            for (app_sel, _), lanes in groups.items()
        ]

    def show(self) -> None:
        states = [Deactivated] * 8
        pending = 0
        for path in self.paths:
            for lane in path.lanes:
                states[lane - 1] = path.state
                pending |= path.pending << lane - 1
        self.put("DPStateHostLane", tuple(map(int, states)))
        self.put("DPInitPending", 0 if self.never_pending else pending)
        if not self.history or self.history[-1] != tuple(states):
            self.history.append(tuple(states))

    def evaluate(self, now_s: float) -> None:
        for path in self.paths:
            self.step(path, now_s)
        self.show()

    def step(self, path: Path, now_s: float) -> None:
        held = any(self.get("DPDeinit")[lane - 1] for lane in path.lanes) and not self.never_deinit
        redo = held or (path.pending and not self.get("SteppedConfigOnly") and not self.no_recycling)
        dark = {
            lane
            for name in ("OutputDisableTx", "OutputSquelchForceTx")
            for lane in self.media_lanes(path)
            if self.get(name)[lane - 1]
        }
        following = {
            Deactivated: None if held else Init,
            Init: Deinit if held else None,
            Initialized: Deinit if redo else None if dark else TurnOn,
            Activated: TurnOff if redo or dark else None,
        }.get(path.state)
        if following is not None:
            path.state, path.due_s = following, now_s + self.times[following]

    def arrive(self, path: Path, now_s: float) -> None:
        if path.state is Init:
            path.pending = False
        path.due_s = None
        path.state = {Init: Initialized, TurnOn: Activated, TurnOff: Initialized, Deinit: Deactivated}[
            path.state
        ]
        self.show()
        self.evaluate(now_s)

    def trigger(self, mask: int, control_set: str, immediate: bool) -> None:
        if self.ignores_triggers or (immediate and self.get("SteppedConfigOnly")):
            return
        states, status = self.states(), list(self.get("ConfigStatus"))
        taken = 0
        for lane in range(1, 9):
            steady = states[lane - 1] in (Deactivated, Activated, Initialized)
            if mask >> lane - 1 & 1 and steady and status[lane - 1] != ConfigStatus.ConfigInProgress:
                taken |= 1 << lane - 1
                status[lane - 1] = ConfigStatus.ConfigInProgress
        self.put("ConfigStatus", tuple(map(int, status)))
        self.commands.append((self.clock.now_s() + self.config_s, taken, control_set, immediate))

    def finish(self, now_s: float, mask: int, control_set: str, immediate: bool) -> None:
        lanes = [lane for lane in range(1, 9) if mask >> lane - 1 & 1]
        staged, active = self.get(f"{control_set}_DPConfig"), list(self.get("ACS_DPConfig"))
        status = list(self.get("ConfigStatus"))
        result = {lane: self.judge(lane, lanes, staged) for lane in lanes}
        for lane in lanes:
            group = [other for other in lanes if staged[other - 1] == staged[lane - 1]]
            if self.stuck.intersection(group if staged[lane - 1] >> 4 else [lane]):
                if lane not in self.stuck:
                    status[lane - 1] = result[lane]
                result[lane] = ConfigStatus.ConfigInProgress
            else:
                status[lane - 1] = result[lane]
        self.put("ConfigStatus", tuple(map(int, status)))
        good = [lane for lane in lanes if result[lane] is ConfigStatus.ConfigSuccess]
        for lane in good:
            active[lane - 1] = staged[lane - 1]
            if staged[lane - 1] & 1 and not self.ignores_settings:
                self.copy_settings(lane, control_set)
        self.put("ACS_DPConfig", tuple(active))
        before = {path.lanes: path for path in self.paths}
        self.rebuild()
        for path in self.paths:
            if set(path.lanes) & set(good) and not immediate:
                path.pending = True
            elif self.tears_siblings and path.lanes in before and not set(path.lanes) & set(lanes):
                path.state, path.due_s = Deinit, now_s + 100.0
        self.evaluate(now_s)

    def judge(self, lane: int, lanes: list[int], staged: tuple[int, ...]) -> ConfigStatus:
        verdict = self.verdict(lane)
        if verdict is not None:
            return verdict
        if self.rejects_app_sel_0 and any(not staged[other - 1] >> 4 for other in lanes):
            return ConfigStatus.ConfigRejectedInvalidAppSel  # of everything in this trigger
        code = staged[lane - 1]
        group = tuple(other for other in lanes if staged[other - 1] == code) if code >> 4 else (lane,)
        for path in self.paths:
            changes = lane in path.lanes and (path.lanes, path.app_sel) != (group, code >> 4)
            torn = not self.rejects_app_sel_0 and not set(path.lanes) <= set(lanes)
            if changes and (path.state is not Deactivated or torn):
                return ConfigStatus.ConfigRejectedLanesInUse
        if code >> 4 and len(group) != APPLICATIONS[(code >> 4) - 1][2]:
            return ConfigStatus.ConfigRejectedPartialDataPath
        return ConfigStatus.ConfigSuccess

    def copy_settings(self, lane: int, control_set: str) -> None:
        for name, field in FIELDS.items():
            if name.startswith("ACS_") and 214 <= field.byte <= 234 and "Recall" not in name:
                values = list(self.get(name))
                values[lane - 1] = self.get(f"{control_set}_{name.removeprefix('ACS_')}")[lane - 1]
                self.put(name, tuple(values))


@pytest.fixture
def device(clock: Any) -> PathModule:
    return PathModule(clock)


@pytest.fixture
def module(device: PathModule, clock: Any) -> CmisModule:
    return CmisModule(device, clock)
