"""Pages 13h and 14h of a simulated module: generators, checkers, loopbacks and their results.

Where CMIS leaves it open, this module does the following [?]:

* A checker starts when its enable bit rises and takes pattern, gate and update period at that moment; a
  stopped one keeps its results. StartStopIsGlobal: any start starts all enabled checkers anew.
* Selectors 01h to 05h show what the running checker has counted since its start, or since its gate began,
  there renewed once per update period; selectors 11h to 15h show the last gate.
* Without its pattern a checker counts neither bits nor errors.
* After a gate without AutoRestartGating the checker counts no more, though its enable bit stays.
* The custom measurement time is no gate.

Not built: pre-FEC and post-FEC patterns (there is no FEC inside), clock sources, SNR of the host's signal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from drivers.cmis.fields import Scalar, Value, decode, encode
from drivers.cmis.memory_map import FIELDS
from harness.simulation.light.errors import error_count
from harness.simulation.module.interface.flags import FlagRegisters
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.lanes.signal_paths import SideControls, SignalPaths
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.monitoring.checkers import Checker, Count
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.applications import HOST_LANES, ApplicationProfile
from harness.simulation.module.profile.diagnostics import DiagnosticsProfile
from harness.simulation.signals import LineSignal, Pattern
from harness.simulation.world import NS_PER_S, Event, World, ns_from_s

CONTROLS_PAGE = FIELDS["MediaSideCheckerEnable"].page
RESULTS_PAGE = FIELDS["DiagnosticsSelector"].page
_DATA = FIELDS["DiagnosticsData"]
_USER_PATTERN = 15
_USER_PATTERN_LENGTH_CODE = 15  # 2 * (1 + 15) = 32 bytes
_GATES_S = (0, 5, 10, 30, 60, 120, 300, 0)  # measurement_time
_UPDATES_S = (1, 5)  # update_period
_LOOPBACKS = {
    "media_output": "MediaSideOutputLoopback",
    "media_input": "MediaSideInputLoopback",
    "host_output": "HostSideOutputLoopback",
    "host_input": "HostSideInputLoopback",
}
_GATED = 0x10
_LARGEST_SNR = 0xFFFF / 256


@dataclass(frozen=True, slots=True)
class _Side:
    """``flag`` ends the names of lane flags, ``name`` begins those of controls."""

    name: str
    flag: str
    lanes: int
    generator_patterns: tuple[int, ...]
    checker_patterns: tuple[int, ...]


class Diagnostics:
    """Generators, checkers and loopbacks of one module. ``name`` keys its errors' draws."""

    def __init__(
        self,
        world: World,
        registers: Registers,
        flags: FlagRegisters,
        profile: Profile,
        data_paths: DataPaths,
        signals: SignalPaths,
        *,
        name: str,
    ) -> None:
        self._world = world
        self._registers = registers
        self._flags = flags
        self._profile: DiagnosticsProfile = profile.diagnostics
        self._applications = profile.applications
        self._data_paths = data_paths
        self._signals = signals
        patterns = profile.diagnostics
        self._host = _Side(
            "HostSide",
            "Host",
            HOST_LANES,
            patterns.host_generator_patterns,
            patterns.host_checker_patterns,
        )
        self._media = _Side(
            "MediaSide",
            "Media",
            profile.media_lanes,
            patterns.media_generator_patterns,
            patterns.media_checker_patterns,
        )
        self._checkers = {
            (side.flag, lane): Checker(self._draws(name, profile.name, side.flag, lane))
            for side in (self._host, self._media)
            for lane in range(1, side.lanes + 1)
        }
        self._selectors = _selectors(profile.diagnostics, profile.media_lanes)
        self._enabled: dict[str, int] = {}
        self._gate_event: Event | None = None
        self._busy = False  # a generator or a checker is enabled
        self._selector = 0
        self._stale = bytes(_DATA.size)
        self._valid_ns = 0

    def reset(self) -> None:
        """Power or reset: the registers were filled anew."""
        for checker in self._checkers.values():
            checker.reset()
        self._enabled = {side.flag: 0 for side in (self._host, self._media)}
        self._signals.reset()
        if self._gate_event is not None:
            self._gate_event.cancel()
            self._gate_event = None
        self._busy = False
        self._selector = 0
        self._stale = bytes(_DATA.size)
        self._valid_ns = 0

    def look(self) -> None:
        """All checkers look at their signals. Called on the module's own grid and when something changes."""
        if not self._busy:
            return
        now_ns = self._world.now_ns
        for (side, lane), checker in self._checkers.items():
            if checker.running:
                checker.look(now_ns, self._signal(side, lane), self._bit_rate(side, lane))

    def conditions(self) -> dict[str, int]:
        """Lane flags that hold now."""
        found: dict[str, int] = {}
        if not self._busy:
            return found
        for side, controls in ((self._host, self._signals.host), (self._media, self._signals.media)):
            lost = sum(
                1 << lane - 1
                for lane in range(1, side.lanes + 1)
                if self._checkers[side.flag, lane].running and not self._checkers[side.flag, lane].locked
            )
            if lost:
                found[f"PatternCheckerLOLFlag{side.flag}"] = lost
            if controls.generating:
                silent = sum(
                    1 << lane - 1
                    for lane in range(1, side.lanes + 1)
                    if controls.generating >> lane - 1 & 1 and self._output(side.flag, lane) is None
                )
                if silent:
                    found[f"PatternGeneratorLOLFlag{side.flag}"] = silent
        return found

    def host_wrote_selector(self, written: dict[int, int]) -> None:
        """The host wrote these bytes of page 14h."""
        if FIELDS["DiagnosticsSelector"].byte in written:
            self._select()

    def host_wrote_controls(self, written: dict[int, int]) -> None:
        """The host wrote these bytes of page 13h."""
        self.look()  # what was is counted before what will be
        self._refuse_loopbacks(written)
        self._read_controls()
        held = self._number("ResetErrorInformation") == 1
        self._follow_enables()
        for checker in self._checkers.values():
            if checker.held != held:
                checker.hold_reset(self._world.now_ns, held)
        self.look()

    def before_host_read(self, page: int, last: int) -> None:
        """Put the selected data in place, as soon as they are due."""
        if page == RESULTS_PAGE and last >= _DATA.byte:
            shown = self._selected_data() if self._world.now_ns >= self._valid_ns else self._stale
            self._registers.put(0, RESULTS_PAGE, _DATA.byte, shown)

    # -- controls --------------------------------------------------------------------------------------

    def _refuse_loopbacks(self, written: dict[int, int]) -> None:
        """Take back what this module cannot do."""
        enables = {key: FIELDS[f"{stem}Enable"] for key, stem in _LOOPBACKS.items()}
        for key, field in enables.items():
            if field.byte in written and key not in self._profile.loopbacks:
                encode(field, 0, self._registers)
        if self._profile.simultaneous_loopbacks:
            return
        for own, other in (("media", "host"), ("host", "media")):
            if any(
                self._registers.lane_mask(f"{_LOOPBACKS[f'{other}_{end}']}Enable")
                for end in ("output", "input")
            ):
                for end in ("output", "input"):
                    if enables[f"{own}_{end}"].byte in written:
                        encode(enables[f"{own}_{end}"], 0, self._registers)

    def _read_controls(self) -> None:
        self._signals.host = self._controls(self._host)
        self._signals.media = self._controls(self._media)

    def _controls(self, side: _Side) -> SideControls:
        existing = (1 << side.lanes) - 1
        loopbacks = {}
        for end in ("Output", "Input"):
            mask = self._registers.lane_mask(f"{side.name}{end}LoopbackEnable")
            if mask and not self._profile.per_lane_loopbacks:
                mask = 0xFF
            loopbacks[end] = mask & existing
        return SideControls(
            generating=self._registers.lane_mask(f"{side.name}GeneratorEnable") & existing,
            generated=self._patterns(f"{side.name}Generator", side.generator_patterns),
            output_loopback=loopbacks["Output"],
            input_loopback=loopbacks["Input"],
        )

    def _patterns(self, unit: str, available: Sequence[int]) -> tuple[Pattern | None, ...]:
        codes = cast("tuple[int, ...]", decode(FIELDS[f"{unit}PatternSelect"], self._registers))
        inverted, swapped = (
            self._registers.lane_mask(f"{unit}DataInvert"),
            self._registers.lane_mask(f"{unit}ByteSwap"),
        )
        user = self._registers.get(0, CONTROLS_PAGE, FIELDS["UserPattern"].byte, FIELDS["UserPattern"].size)
        return tuple(
            Pattern(
                code,
                inverted=bool(inverted >> index & 1),
                bytes_swapped=bool(swapped >> index & 1),
                user=user if code == _USER_PATTERN else b"",
            )
            if code in available
            else None
            for index, code in enumerate(codes)
        )

    def _follow_enables(self) -> None:
        now_ns = self._world.now_ns
        wanted = {
            side.flag: self._registers.lane_mask(f"{side.name}CheckerEnable")
            for side in (self._host, self._media)
        }
        risen = {flag: mask & ~self._enabled[flag] for flag, mask in wanted.items()}
        if any(risen.values()) and self._number("StartStopIsGlobal"):
            risen = wanted
        gate_ns = _GATES_S[self._number("MeasurementTime")] * NS_PER_S if self._profile.gating else 0
        update_ns = _UPDATES_S[self._number("UpdatePeriodSelect")] * NS_PER_S
        for side in (self._host, self._media):
            patterns = self._patterns(f"{side.name}Checker", side.checker_patterns)
            for lane in range(1, side.lanes + 1):
                checker = self._checkers[side.flag, lane]
                if risen[side.flag] >> lane - 1 & 1:
                    signal = self._signal(side.flag, lane)
                    checker.start(now_ns, patterns[lane - 1], signal, gate_ns=gate_ns, update_ns=update_ns)
                elif not wanted[side.flag] >> lane - 1 & 1 and checker.running:
                    checker.stop()
                elif checker.running:
                    checker.pattern = patterns[lane - 1]
        self._enabled = wanted
        self._busy = any(wanted.values()) or bool(
            self._signals.host.generating or self._signals.media.generating
        )
        self._plan_gate_end()

    # -- gates -----------------------------------------------------------------------------------------

    def _plan_gate_end(self) -> None:
        if self._gate_event is not None:
            self._gate_event.cancel()
            self._gate_event = None
        ends = [c.gate_end_ns for c in self._checkers.values() if c.gate_end_ns is not None]
        if ends:
            self._gate_event = self._world.at(min(ends), self._end_gates)

    def _end_gates(self) -> None:
        now_ns = self._world.now_ns
        self._gate_event = None
        self.look()
        again = bool(self._number("AutoRestartGating"))
        gate_ns = _GATES_S[self._number("MeasurementTime")] * NS_PER_S
        complete = {side.flag: 0 for side in (self._host, self._media)}
        for (side, lane), checker in self._checkers.items():
            if checker.gate_end_ns is not None and checker.gate_end_ns <= now_ns:
                checker.end_gate(now_ns, gate_ns if again and gate_ns else None)
                complete[side] |= 1 << lane - 1
        for flag, lanes in complete.items():
            self._flags.latch(f"GatingCompleteFlag{flag}", lanes)
        self._plan_gate_end()

    # -- results ---------------------------------------------------------------------------------------

    def _select(self) -> None:
        now_ns = self._world.now_ns
        if self._profile.slow_selector_s > 0.0:
            self._stale = bytes(_DATA.size)
            wait_s = self._profile.slow_selector_s
        else:
            if now_ns >= self._valid_ns:
                self._stale = self._selected_data()
            wait_s = self._profile.selector_latency_s
        field = FIELDS["DiagnosticsSelector"]
        self._selector = self._number("DiagnosticsSelector")
        if self._selector not in self._selectors:
            self._selector = 0
            encode(field, 0, self._registers)
        self._valid_ns = now_ns + ns_from_s(wait_s)

    def _selected_data(self) -> bytes:
        """The 64 bytes that the selector asks for, now."""
        memory = _Data()
        for name, values in self._selected_values().items():
            encode(FIELDS[name], values, memory)
        return bytes(memory.data)

    def _selected_values(self) -> dict[str, Value | Sequence[Scalar]]:
        what, gated = self._selector & ~_GATED, bool(self._selector & _GATED)
        if what == 0x01:
            return {
                f"BitErrorRatio{side.flag}": tuple(
                    self._ratio(side.flag, lane, gated) for lane in range(1, HOST_LANES + 1)
                )
                for side in (self._host, self._media)
            }
        if 0x02 <= what <= 0x05:
            side = "Host" if what <= 0x03 else "Media"
            first = 1 if what % 2 == 0 else 5
            numbers: list[int] = []
            for lane in range(first, first + 4):
                count = self._count(side, lane, gated)
                numbers += [count.errors, count.bits & ~1 | count.lost]
            return {"ErrorAndBitCounters": tuple(numbers)}
        if what == 0x06:
            lanes = range(1, self._media.lanes + 1)
            shown = [min(_LARGEST_SNR, self._signals.quality(lane)[0]) for lane in lanes]
            return {"SNRMedia": tuple(shown + [0.0] * (HOST_LANES - len(shown)))}
        return {}

    def _count(self, side: str, lane: int, gated: bool) -> Count:
        checker = self._checkers.get((side, lane))
        if checker is None:
            return Count()
        return checker.gated if gated else checker.shown

    def _ratio(self, side: str, lane: int, gated: bool) -> float:
        count = self._count(side, lane, gated)
        ratio = count.ratio
        if ratio is not None:
            return ratio
        return self._profile.ratio_without_lock if count.lost else 0.0

    # -- inside ----------------------------------------------------------------------------------------

    def _signal(self, side: str, lane: int) -> LineSignal | None:
        return self._signals.host_input(lane) if side == "Host" else self._signals.ingress(lane)

    def _output(self, side: str, lane: int) -> LineSignal | None:
        return self._signals.host_output(lane) if side == "Host" else self._signals.egress(lane)

    def _bit_rate(self, side: str, lane: int) -> float:
        path = self._data_paths.path_of(lane) if side == "Host" else self._data_paths.path_of_media(lane)
        if path is None:
            return 0.0
        app_sel = self._data_paths.config[path.host_lanes[0] - 1].app_sel
        application: ApplicationProfile = self._applications[app_sel - 1]
        rate = application.media_lane_gbps * 1e9
        return rate if side == "Media" else rate * application.media_lanes / application.host_lanes

    def _draws(self, *key: str | int) -> Callable[[float, float, int], int]:
        return lambda mean, burst_bits, start_ns: error_count(
            self._world.noise, mean, burst_bits, *key, "bit errors", start_ns
        )

    def _number(self, name: str) -> int:
        value = decode(FIELDS[name], self._registers)
        assert isinstance(value, int)
        return value


class _Data:
    """Page 14h while its data are put together."""

    def __init__(self) -> None:
        self.data = bytearray(_DATA.size)

    def get(self, bank: int, page: int, byte: int, length: int) -> bytes:
        return bytes(self.data[byte - _DATA.byte : byte - _DATA.byte + length])

    def put(self, bank: int, page: int, byte: int, data: bytes) -> None:
        self.data[byte - _DATA.byte : byte - _DATA.byte + len(data)] = data


def _selectors(profile: DiagnosticsProfile, media_lanes: int) -> frozenset[int]:
    """What may be selected."""
    found = {0x00, 0x01}
    if profile.counters:
        found |= {0x02, 0x03, 0x04} | ({0x05} if media_lanes > 4 else set())
    if profile.gating:
        found |= {selector | _GATED for selector in found if selector}
    return frozenset(found | ({0x06} if profile.media_snr else set()))


def diagnostics_pages(profile: DiagnosticsProfile) -> tuple[tuple[int, int], ...]:
    """(bank, page) that a module with these diagnostics has."""
    return ((0, CONTROLS_PAGE), (0, RESULTS_PAGE)) if profile.supported else ()


def diagnostics_contents(profile: DiagnosticsProfile) -> dict[str, Value]:
    """What page 01h and page 13h say about it."""
    if not profile.supported:
        return {}

    def bitmap(patterns: Sequence[int]) -> int:
        return sum(1 << code for code in set(patterns))

    return {
        "DiagnosticPagesSupported": 1,
        **{f"{stem}Supported": int(key in profile.loopbacks) for key, stem in _LOOPBACKS.items()},
        "SimultaneousHostAndMediaLoopbacksSupported": int(profile.simultaneous_loopbacks),
        "PerLaneMediaLoopbacksSupported": int(profile.per_lane_loopbacks),
        "PerLaneHostLoopbacksSupported": int(profile.per_lane_loopbacks),
        "GatingSupported": int(profile.gating),  # accuracy better than 2 ms
        "GatingResultsSupported": int(profile.gating),
        "PeriodicUpdatesSupported": int(profile.gating),
        "PerLaneGatingTimersSupported": int(profile.gating),
        "AutoRestartGatingSupported": int(profile.gating),
        "MediaSideInputSNRSupported": int(profile.media_snr),
        "BitsAndErrorsCountingSupported": int(profile.counters),
        "BitErrorRatioResultsSupported": 1,
        "HostSideGeneratorPatterns": bitmap(profile.host_generator_patterns),
        "MediaSideGeneratorPatterns": bitmap(profile.media_generator_patterns),
        "HostSideCheckerPatterns": bitmap(profile.host_checker_patterns),
        "MediaSideCheckerPatterns": bitmap(profile.media_checker_patterns),
        "UserPatternLengthCode": _USER_PATTERN_LENGTH_CODE,
    }
