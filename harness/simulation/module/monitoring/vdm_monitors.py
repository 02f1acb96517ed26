"""Pages 20h to 2Fh of a simulated module: observables, their statistics, thresholds and flags.

Samples are taken once per update period, whoever reads. Pre-FEC bit error ratios and frame error ratios need
FEC-framed traffic: a lane that has none (dark, or a test pattern) counts as half of its bits wrong, adds
nothing to the statistics, and shows that same value while the interval has no other. The frame error ratio,
one for the module, is lost codewords over codewords of all data paths that are framed on each of their lanes;
a path that is not has no codewords, and adds none; 1 where no path in use is framed. Minimum, maximum and
average are those of the interval that began with the last freeze; while frozen they stand still [?: what a
statistic shows in an interval that is not over yet is left open by CMIS; here, its value so far].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from drivers.cmis.codes import DataPathState
from drivers.cmis.fields import Scalar, Value, encode, f16_from_float, f16_to_float
from drivers.cmis.memory_map import FIELDS
from harness.signal.kp4 import CODEWORD_BITS
from harness.simulation.light.errors import codeword_error_ratio, error_count
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.lanes.signal_paths import SignalPaths
from harness.simulation.module.machines.data_paths import DataPaths
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.monitors import VdmProfile
from harness.simulation.signals import LineSignal
from harness.simulation.world import Event, World, ns_from_s

_FREEZE = FIELDS["VDMFreezeRequest"]
CONTROL_PAGE = _FREEZE.page

_INSTANCES = 64
_SETS = 16
_MODULE_LANE = 15
_NOT_FRAMED_BER = 0.5
_NOT_FRAMED_FERC = 1.0
_EMPTY_VALLEY_DB = 60.0  # no sample of a histogram falls midway between levels any more
_NO_VALLEY = 0xFFFF
_PAGES = tuple(
    [page for group in range(4) for page in range(0x20 + group, 0x30, 4) if page < 0x2C] + [0x2C, 0x2D, 0x2F]
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """An observable: its type code, of which quantity, which statistic ("" or "current": none)."""

    code: int
    quantity: str
    statistic: str = ""


_KINDS: Mapping[str, _Kind] = {
    "laser_temperature": _Kind(4, "laser_temperature_c"),
    "media_snr": _Kind(5, "snr_db"),
    "media_ltp": _Kind(7, "ltp_db"),
    **{
        f"media_{quantity}_{statistic}": _Kind(first + 2 * index, register, statistic)
        for quantity, register, first in (("prefec_ber", "prefec_ber", 9), ("ferc", "ferc", 17))
        for index, statistic in enumerate(("min", "max", "average", "current"))
    },
}
_STATISTICS = ("min", "max", "average")
_QUANTITIES = ("laser_temperature_c", "snr_db", "ltp_db", "prefec_ber", "ferc")
"""In the order of their threshold sets, which are the same in every group."""


@dataclass(slots=True)
class _Interval:
    """What a statistic remembers of the interval."""

    lowest: float = math.inf
    highest: float = -math.inf
    total: float = 0.0
    samples: int = 0

    def take(self, value: float) -> None:
        self.lowest = min(self.lowest, value)
        self.highest = max(self.highest, value)
        self.total += value
        self.samples += 1

    def value(self, statistic: str) -> float:
        if statistic == "min":
            return self.lowest
        return self.highest if statistic == "max" else self.total / self.samples


@dataclass(frozen=True, slots=True)
class _Instance:
    """One descriptor. ``lane`` 0: the module as a whole."""

    kind: _Kind
    lane: int

    @property
    def descriptor(self) -> int:
        lane = self.lane - 1 if self.lane else _MODULE_LANE
        return _QUANTITIES.index(self.kind.quantity) << 12 | lane << 8 | self.kind.code


class VdmMonitors:
    """The monitors of one module. ``uniform(key, lane)`` in (0, 1) draws the specimen's errors; ``name``
    keys what varies with time; ``laser_temp_c()`` is the lasers' true temperature."""

    def __init__(
        self,
        world: World,
        registers: Registers,
        profile: Profile,
        data_paths: DataPaths,
        signals: SignalPaths,
        uniform: Callable[[str, int], float],
        *,
        laser_temp_c: Callable[[], float],
        name: str,
    ) -> None:
        self._world = world
        self._registers = registers
        self._profile: VdmProfile = profile.vdm
        self._applications = profile.applications
        self._data_paths = data_paths
        self._signals = signals
        self._laser_temp_c = laser_temp_c
        self._key = (name, profile.name)
        self._lanes = range(1, profile.media_lanes + 1)
        self._laser_error_c = {
            lane: profile.vdm.laser_temperature_error_c * (2.0 * uniform("laser temperature", lane) - 1.0)
            for lane in self._lanes
        }
        self._instances = _instances(profile.vdm, profile.media_lanes)
        self._has_statistics = any(item.kind.statistic in _STATISTICS for item in self._instances)
        self._update_ns = ns_from_s(profile.vdm.update_s)
        self._thresholds = {name: _thresholds(name, profile.vdm) for name in _QUANTITIES}
        self._quiet = {name: _quiet(name, profile.vdm) for name in _QUANTITIES}
        self.conditions: dict[str, int] = {}
        """Flag fields to the bits that hold now."""
        self._due_ns = 0
        self._stale = False
        self._requested = False
        self._done: Event | None = None
        self._now: dict[tuple[str, int], float] = {}
        self._intervals: dict[tuple[str, int], _Interval] = {}
        self._frozen: dict[_Instance, float | None] = {}

    def reset(self) -> None:
        """Power or reset: the registers were filled anew."""
        if self._done is not None:
            self._done.cancel()
        self.conditions = {}
        self._due_ns = 0
        self._stale = True
        self._requested = False
        self._done = None
        self._now = {}
        self._intervals = {}
        self._frozen = {}

    def look(self) -> None:
        """Take samples if they are due. Called on the module's own grid."""
        now_ns = self._world.now_ns
        if now_ns < self._due_ns:
            return
        self._due_ns = (now_ns // self._update_ns + 1) * self._update_ns
        self._sample(now_ns)
        self.conditions = self._judge()
        self._stale = True

    def host_wrote(self, written: dict[int, int]) -> None:
        """The host wrote these bytes of page 2Fh."""
        if _FREEZE.byte not in written:
            return
        wanted = self._registers.bit("VDMFreezeRequest")
        if wanted == self._requested or not self._has_statistics:
            return
        self._requested = wanted
        if self._done is not None:
            self._done.cancel()
        encode(FIELDS["VDMUnfreezeDone" if wanted else "VDMFreezeDone"], 0, self._registers)
        self._done = self._world.after(self._profile.freeze_s, self._freeze if wanted else self._unfreeze)

    def before_host_read(self, page: int, last: int) -> None:
        """Bring samples up to date."""
        if self._stale and 0x24 <= page <= 0x27 and last >= 128:
            self._stale = False
            words = [self._word(item) for item in self._instances]
            for group in range(_groups(self._instances)):
                part = words[group * _INSTANCES : (group + 1) * _INSTANCES]
                encode(
                    FIELDS[f"VDMSamplesGroup{group + 1}"],
                    tuple(part + [0] * (_INSTANCES - len(part))),
                    self._registers,
                )

    # -- inside ----------------------------------------------------------------------------------------

    def _freeze(self) -> None:
        self._done = None
        self._frozen = {
            item: self._value(item) for item in self._instances if item.kind.statistic in _STATISTICS
        }
        self._intervals = {}
        self._stale = True
        encode(FIELDS["VDMFreezeDone"], 1, self._registers)

    def _unfreeze(self) -> None:
        self._done = None
        self._frozen = {}
        self._stale = True
        encode(FIELDS["VDMUnfreezeDone"], 1, self._registers)

    def _sample(self, now_ns: int) -> None:
        now: dict[tuple[str, int], float] = {}
        framed: dict[tuple[int, ...], list[LineSignal]] = {}
        codewords: dict[tuple[int, ...], float] = {}
        laser_temp_c = self._laser_temp_c()
        for lane in self._lanes:
            now["laser_temperature_c", lane] = laser_temp_c + self._laser_error_c[lane]
            path = self._data_paths.path_of_media(lane)
            if path is None or path.state is DataPathState.DPDeactivated:
                continue
            of_path = framed.setdefault(path.media_lanes, [])
            now["snr_db", lane], now["ltp_db", lane] = self._signals.quality(lane)
            signal = self._signals.ingress(lane)
            if signal is None or not signal.is_traffic:
                now["prefec_ber", lane] = _NOT_FRAMED_BER
                continue
            app_sel = self._data_paths.config[path.host_lanes[0] - 1].app_sel
            bits = self._applications[app_sel - 1].media_lane_gbps * 1e9 * self._profile.update_s
            errors = error_count(
                self._world.noise,
                signal.ber * bits,
                signal.burst_bits,
                *self._key,
                "pre-FEC errors",
                lane,
                now_ns,
            )
            now["prefec_ber", lane] = errors / bits
            self._remember("prefec_ber", lane, errors / bits)
            of_path.append(signal)
            codewords[path.media_lanes] = codewords.get(path.media_lanes, 0.0) + bits / CODEWORD_BITS
        if framed:
            whole = {lanes: signals for lanes, signals in framed.items() if len(signals) == len(lanes)}
            if whole:
                frames = sum(codewords[lanes] for lanes in whole)
                mean = sum(
                    codewords[lanes]
                    * codeword_error_ratio([one.ber for one in signals], [one.burst_bits for one in signals])
                    for lanes, signals in whole.items()
                )
                lost = self._world.noise.poisson(mean, *self._key, "frame errors", now_ns)
                now["ferc", 0] = min(1.0, lost / frames)
                self._remember("ferc", 0, now["ferc", 0])
            else:
                now["ferc", 0] = _NOT_FRAMED_FERC
        self._now = now

    def _remember(self, quantity: str, lane: int, value: float) -> None:
        self._intervals.setdefault((quantity, lane), _Interval()).take(value)

    def _value(self, item: _Instance) -> float | None:
        """What an instance shows; None: nothing to observe."""
        if item in self._frozen:
            return self._frozen[item]
        key = (item.kind.quantity, item.lane)
        interval = self._intervals.get(key)
        if item.kind.statistic in _STATISTICS and interval is not None:
            return interval.value(item.kind.statistic)
        return self._now.get(key)

    def _word(self, item: _Instance) -> int:
        value = self._value(item)
        return 0 if value is None else _raw(item.kind.quantity, value)

    def _judge(self) -> dict[str, int]:
        flags: dict[str, int] = {}
        for index, item in enumerate(self._instances):
            value = self._value(item)
            if value is None:
                continue
            low, high = self._quiet[item.kind.quantity]
            if low < value < high:
                continue
            shown = _rounded(item.kind.quantity, value)
            high_alarm, low_alarm, high_warning, low_warning = self._thresholds[item.kind.quantity]
            nibble = (
                (shown > high_alarm)
                | (shown < low_alarm) << 1
                | (shown > high_warning) << 2
                | (shown < low_warning) << 3
            )
            if nibble:
                name = f"VDMFlagsGroup{index // _INSTANCES + 1}"
                flags[name] = flags.get(name, 0) | nibble << 4 * (index % _INSTANCES)
        return flags


def vdm_pages(profile: VdmProfile, media_lanes: int) -> tuple[tuple[int, int], ...]:
    """(bank, page) that a module with these monitors has: those of the groups in use."""
    if not profile.supported:
        return ()
    groups = _groups(_instances(profile, media_lanes))
    return tuple((0, page) for page in _PAGES if page >= 0x2C or page % 4 < groups)


def vdm_contents(profile: VdmProfile, media_lanes: int) -> dict[str, Value | tuple[Scalar, ...]]:
    """What page 01h and the static pages say."""
    if not profile.supported:
        return {}
    instances = _instances(profile, media_lanes)
    groups = _groups(instances)
    thresholds = [
        _raw(quantity, threshold) for quantity in _QUANTITIES for threshold in getattr(profile, quantity)
    ]
    values: dict[str, Value | tuple[Scalar, ...]] = {
        "VDMPagesSupported": 1,
        "VDMGroupsSupported": groups - 1,
        "VDMFineIntervalLength": profile.update_s,
    }
    for group in range(groups):
        part = [item.descriptor for item in instances[group * _INSTANCES : (group + 1) * _INSTANCES]]
        values[f"VDMDescriptorsGroup{group + 1}"] = tuple(part + [0] * (_INSTANCES - len(part)))
        values[f"VDMThresholdsGroup{group + 1}"] = tuple(thresholds + [0] * (4 * _SETS - len(thresholds)))
    for group in range(1, 5):
        values[f"VDMMasksGroup{group}"] = (0xF,) * _INSTANCES
    return values


def _instances(profile: VdmProfile, media_lanes: int) -> tuple[_Instance, ...]:
    found = []
    for name in profile.observables:
        kind = _KINDS[name]
        lanes = (0,) if kind.quantity == "ferc" else range(1, media_lanes + 1)
        found += [_Instance(kind, lane) for lane in lanes]
    return tuple(found)


def _groups(instances: tuple[_Instance, ...]) -> int:
    return max(1, -(-len(instances) // _INSTANCES))


def _thresholds(quantity: str, profile: VdmProfile) -> tuple[float, ...]:
    """High alarm, low alarm, high warning, low warning, as the registers hold them."""
    return tuple(_rounded(quantity, value) for value in getattr(profile, quantity))


def _quiet(quantity: str, profile: VdmProfile) -> tuple[float, float]:
    """Between these a value raises no flag, whatever the rounding to the register's steps does to it."""
    limits = _thresholds(quantity, profile)
    low, high = max(limits[1], limits[3]), min(limits[0], limits[2])
    if quantity in ("prefec_ber", "ferc"):
        return (low * 1.01 if low else -1.0), high * 0.99
    return low + 0.01, high - 0.01


@lru_cache(maxsize=1024)  # a lane in the dark shows the same for hours
def _rounded(quantity: str, value: float) -> float:
    """A value as its register holds it."""
    return _from_raw(quantity, _raw(quantity, value))


def _raw(quantity: str, value: float) -> int:
    if quantity in ("prefec_ber", "ferc"):
        return f16_from_float(value)
    if quantity == "laser_temperature_c":
        return max(-0x8000, min(0x7FFF, round(value * 256))) & 0xFFFF
    if quantity == "ltp_db" and _EMPTY_VALLEY_DB < value < 255.0:
        return _NO_VALLEY
    return max(0, min(0xFFFE, round(value * 256)))


def _from_raw(quantity: str, raw: int) -> float:
    if quantity in ("prefec_ber", "ferc"):
        return f16_to_float(raw)
    if quantity == "laser_temperature_c":
        return (raw - 0x10000 if raw & 0x8000 else raw) / 256
    return raw / 256
