"""Light of a known power on all receivers at once, and the interlock that no receiver is damaged by it.

Before any route is closed, and before an attenuator lets more through, the highest power that could then
arrive at TP3 is worked out: what the source sends, as it was measured, less what this very way loses at the
attenuator's setting, both on the side of more light by their expanded uncertainty. It must stay below the
PMD's damage threshold. How much does arrive is what the taps show, and nothing else.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from drivers.errors import BenchError, InstrumentError
from drivers.units import dbm_from_w, w_from_dbm
from harness.acquisitions.launch_power import AVERAGING_S, METER_WAVELENGTH_NM
from harness.acquisitions.receiver.reference import Source
from harness.acquisitions.receiver.ways import ReceiveWay
from harness.judging.uncertainty import Contribution, from_expanded
from harness.run import Run

MORE_THAN_KNOWN_DB = 1.0
"""A tap that shows so much more than the source and the way allow (uncertainties included): it is not the
light, or not the way, that the bench file tells of, and the interlock rests on nothing."""
LESS_THAN_KNOWN_DB = 3.0
"""A tap that shows so much less: a fibre between the source and the tap is unplugged or dirty."""
_STEP_DB = 0.01
"""Of an attenuator, at least; a setting is rounded to it."""
_NO_LIGHT_DBM = -90.0
_WATCHED_EVERY_S = 5.0
"""Sweeps and soaks last minutes and days, at the hottest corner too: so often its heat is looked at."""


@dataclass(frozen=True, slots=True)
class LitLane:
    """What is known of the light that a lane is lit with, where it starts. ``offset_db``: of the level that
    targets and readings are in, over average power (OMAouter; 0: the average itself)."""

    average_dbm: float
    uncertainty_db: float
    offset_db: float = 0.0


def lit_by(source: Source, lanes: Sequence[int]) -> dict[int, LitLane]:
    """The reference's lanes; levels are OMAouter."""
    return {
        lane: LitLane(
            known.average_power_dbm, known.average_power_uncertainty_db, offset_db=known.oma_to_average_db
        )
        for lane in lanes
        for known in (source.lanes[lane],)
    }


def damage_threshold_dbm(run: Run, lane: int) -> float | None:
    """Average power that the receiver bears by any layer, dBm; None: not known to this project. A customer
    who asks for a receiver that bears more is asking, and does not make it so."""
    stated = [
        row.low
        for row in run.limits.rows
        if row.parameter == "damage_threshold" and (not row.lanes or lane in row.lanes)
    ]
    return min((low for low in stated if isinstance(low, float)), default=None)


def highest_at_tp3_dbm(way: ReceiveWay, lit: LitLane, attenuation_db: float = 0.0) -> float:
    """The highest average power that may arrive, with all uncertainties on the side of more light."""
    more_db = math.hypot(lit.uncertainty_db, way.path.uncertainty_db)
    return lit.average_dbm + more_db - way.path.loss_db - attenuation_db


def require_harmless(run: Run, way: ReceiveWay, lit: LitLane, attenuation_db: float = 0.0) -> None:
    """The interlock.

    :raises BenchError: when the receiver could be damaged, or nobody knows what it bears; nothing was lit.
    """
    threshold_dbm = damage_threshold_dbm(run, way.lane)
    if threshold_dbm is None:
        raise BenchError(
            f"lane {way.lane}: the damage threshold of a {run.pmd.name} receiver is not known; no light is "
            f"led to it. Add a limit damage_threshold in a layer of your own (--limits)"
        )
    highest_dbm = highest_at_tp3_dbm(way, lit, attenuation_db)
    if highest_dbm >= threshold_dbm:
        raise BenchError(
            f"interlock, lane {way.lane}: up to {highest_dbm:.2f} dBm could arrive at TP3 "
            f"({lit.average_dbm:.2f} dBm from {way.path.start}, less {way.path.loss_db:.2f} dB of "
            f"{' > '.join(way.path.hops)}, less {attenuation_db:.2f} dB attenuation, more "
            f"{math.hypot(lit.uncertainty_db, way.path.uncertainty_db):.2f} dB uncertainty); the receiver's "
            f"damage threshold is {threshold_dbm:g} dBm. No light was led to it. Attenuate more, or add a "
            f"pad to the way"
        )


class ReceiverLight:
    """All lanes' receivers lit by their ways, within a context.

    Entering checks the interlock, sets the attenuators high, closes the routes, switches the source on and
    compares the taps with what is known; leaving switches the source off, opens the routes, and sets the
    attenuators back.

    ``on``, ``off``: of the source; both may be nothing for light that is there anyhow (the module's own).
    """

    def __init__(
        self,
        run: Run,
        ways: Mapping[int, ReceiveWay],
        lit: Mapping[int, LitLane],
        *,
        on: Callable[[], None] = lambda: None,
        off: Callable[[], None] = lambda: None,
    ) -> None:
        self._run = run
        self.ways = dict(ways)
        self.lit = dict(lit)
        self._on, self._off = on, off
        self._set_db: dict[int, float] = {}
        self._watched_at_s = run.bench.clock.now_s()
        # Level at 0 dB of attenuation; from the bench file first, then as the taps show it.
        self._open_dbm = {
            lane: lit[lane].average_dbm - way.path.loss_db + lit[lane].offset_db
            for lane, way in self.ways.items()
        }
        self._undo = ExitStack()

    @property
    def highest_dbm(self) -> dict[int, float]:
        """By lane, the highest level that can be set, as far as is known by now."""
        return {
            lane: level - (0.0 if self.ways[lane].channel is None else self._range_db()[0])
            for lane, level in self._open_dbm.items()
        }

    def __enter__(self) -> Self:
        run, bench = self._run, self._run.bench
        channels = {lane: way.channel for lane, way in self.ways.items() if way.channel is not None}
        most_db = self._range_db()[1] if channels else 0.0
        for lane, way in self.ways.items():
            require_harmless(run, way, self.lit[lane], most_db if lane in channels else 0.0)
        with ExitStack() as undo:
            for channel in channels.values():
                found_db = bench.attenuator.attenuation_db(channel)
                open_ = bench.attenuator.shutter_is_open(channel)
                undo.callback(bench.attenuator.set_attenuation_db, channel, found_db)
                undo.callback(bench.attenuator.set_shutter, channel, open_=open_)
            if channels:
                bench.attenuator.configure(
                    wavelength_nm=METER_WAVELENGTH_NM, channels=tuple(channels.values())
                )
            for lane, channel in channels.items():
                bench.attenuator.set_attenuation_db(channel, most_db)
                self._set_db[lane] = most_db
            if bench.has("optical_switch"):
                undo.callback(bench.optical_switch.disconnect_all)
                bench.optical_switch.disconnect_all()
                routes = {entry: leave for way in self.ways.values() for _, entry, leave in way.path.routes}
                bench.optical_switch.route(routes)
            for channel in channels.values():
                bench.attenuator.set_shutter(channel, open_=True)
            undo.callback(self._off)
            self._on()
            self._compare()
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def set_levels(self, targets_dbm: Mapping[int, float]) -> None:
        """Set the levels of lanes, as near as the attenuators can; others stay.

        :raises BenchError: by the interlock, before anything is set; and when an attenuator fails.
        """
        low_db, high_db = self._range_db()
        wanted: dict[int, float] = {}
        for lane, target_dbm in targets_dbm.items():
            asked_db = round((self._open_dbm[lane] - target_dbm) / _STEP_DB) * _STEP_DB
            wanted[lane] = round(min(max(asked_db, low_db), high_db), 3)
            require_harmless(self._run, self.ways[lane], self.lit[lane], wanted[lane])
        for lane, attenuation_db in wanted.items():
            channel = self.ways[lane].channel
            assert channel is not None  # _range_db() has looked
            if self._set_db.get(lane) != attenuation_db:
                self._set_db.pop(lane, None)
                self._run.bench.attenuator.set_attenuation_db(channel, attenuation_db)
                self._set_db[lane] = attenuation_db

    def read_levels(self, readings: int = 1) -> dict[int, float]:
        """Levels at TP3 by the taps, dBm by lane; :data:`_NO_LIGHT_DBM` and offset at least. The module's
        heat is watched, too.

        :raises BenchError: when the meter fails.
        :raises RanAwayError: when the module runs away (:meth:`Run.watch_heat`).
        """
        now_s = self._run.bench.clock.now_s()
        if now_s - self._watched_at_s >= _WATCHED_EVERY_S:
            self._run.watch_heat()
            self._watched_at_s = now_s
        levels = {
            lane: dbm_from_w(max(power_w, w_from_dbm(_NO_LIGHT_DBM))) + self.lit[lane].offset_db
            for lane, power_w in self.read_powers_w(readings).items()
        }
        for lane, level in levels.items():
            if self.ways[lane].channel is not None and lane in self._set_db and level > -40.0:
                self._open_dbm[lane] = level + self._set_db[lane]
        return levels

    def read_powers_w(self, readings: int = 1) -> dict[int, float]:
        """Average power at TP3 by the taps, watts by lane; noise may make darkness negative.

        :raises BenchError: when the meter fails; it is set up anew at its next use then.
        """
        bench = self._run.bench
        lane_of = {way.tap_port: lane for lane, way in self.ways.items()}
        bench.set_up_power_meter(METER_WAVELENGTH_NM, AVERAGING_S, tuple(lane_of))
        seen: dict[int, list[float]] = {lane: [] for lane in self.ways}
        try:
            for _ in range(readings):
                for reading in bench.power_meter.read_powers_w(tuple(lane_of)):
                    seen[lane_of[reading.channel]].append(reading.power_w)
        except BenchError:
            bench.forget_set_ups()
            raise
        return {
            lane: statistics.fmean(values) * 10.0 ** (self.ways[lane].tap_to_tp3_db / 10.0)
            for lane, values in seen.items()
        }

    def contributions(self, lane: int) -> dict[str, Contribution]:
        """What a level at TP3 owes to the meter and the tap, by the names of the budgets."""
        way, spec = self.ways[lane], self._run.bench.spec.instruments["power_meter"]
        certificate = spec.calibration.certificate if spec.calibration else "bench file, no certificate"
        return {
            "meter": from_expanded("power meter", spec.uncertainty or 0.0, "dB", certificate),
            "tap": from_expanded(
                "tap", way.tap_uncertainty_db, "dB", f"legs to power_meter.{way.tap_port} and {way.path.end}"
            ),
        }

    # inside

    def _range_db(self) -> tuple[float, float]:
        return self._run.bench.attenuator.attenuation_range_db

    def _compare(self) -> None:
        """Whether the taps show what source and ways allow, while the attenuators are high."""
        floor_dbm = self._run.bench.power_meter.range_dbm[0]
        powers_w = self.read_powers_w()
        for lane, way in self.ways.items():
            attenuation_db = self._set_db.get(lane, 0.0)
            most_dbm = highest_at_tp3_dbm(way, self.lit[lane], attenuation_db) + MORE_THAN_KNOWN_DB
            # The meter's own noise is no light.
            most_dbm = max(most_dbm, floor_dbm + way.tap_to_tp3_db + 3.0)
            seen_dbm = dbm_from_w(max(powers_w[lane], w_from_dbm(_NO_LIGHT_DBM)))
            if seen_dbm > most_dbm:
                raise InstrumentError(
                    "power_meter",
                    f"interlock, lane {lane}: {seen_dbm:.2f} dBm at TP3 by the tap, with "
                    f"{attenuation_db:.2f} dB attenuation; source and way allow {most_dbm:.2f} dBm at most",
                    advice="Check the wiring, the attenuator's setting, and the reference's calibration.",
                )

    def require_arriving(self, levels: Mapping[int, float], targets_dbm: Mapping[int, float]) -> None:
        """Look whether what was set arrives.

        :raises InstrumentError: when a lane's tap shows far less than source and way should give.
        """
        for lane, target_dbm in targets_dbm.items():
            if levels[lane] < target_dbm - LESS_THAN_KNOWN_DB:
                way = self.ways[lane]
                raise InstrumentError(
                    "power_meter",
                    f"lane {lane}: {levels[lane] - self.lit[lane].offset_db:.1f} dBm at TP3 by the tap; "
                    f"{target_dbm - self.lit[lane].offset_db:.1f} dBm should come from {way.path.start}",
                    advice=f"Check and clean the fibres of {' > '.join(way.path.hops)}.",
                )
