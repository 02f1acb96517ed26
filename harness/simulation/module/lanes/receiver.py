"""The receivers of one module: drawn for the specimen, each with its light, its quality and its lock.

Quality is worked out when somebody asks for it (:mod:`harness.simulation.light.reception`). Lock is looked
after on the module's own grid, coarsely: while the light is the same but for 1 %, nothing is worked out anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.units import ratio_from_db, w_from_dbm
from harness.simulation.light.beam import PAM4_RATE_BD, Beam, strongest
from harness.simulation.light.reception import (
    DARK,
    HIGHEST_LOCKED_BER,
    LOCK_RANGE_PPM,
    ReceiverParameters,
    Reception,
    receive,
    undisturbed,
)
from harness.simulation.module.lanes.received_light import ReceivedLight
from harness.simulation.module.profile.receiver import ReceiverProfile
from harness.simulation.signals import NOISE, LineSignal

_RELOCK_BER = 0.75 * HIGHEST_LOCKED_BER
_RELOCK_PPM = 0.9 * LOCK_RANGE_PPM
_NEAR = 0.01
_NEAR_PS_NM = 0.1
_NEAR_RAD = 0.1


@dataclass(frozen=True, slots=True)
class ReceiverLane:
    """One lane. ``crosstalk``: OMAouter of a neighbour, over its own, in this lane's amplifier;
    ``snr_error_db``: how wrong the module's own measurement of its quality is."""

    parameters: ReceiverParameters
    crosstalk: float = 0.0
    snr_error_db: float = 0.0


def draw_receivers(
    profile: ReceiverProfile, media_lanes: int, uniform: Callable[[str, int], float]
) -> tuple[ReceiverLane, ...]:
    """The receivers of a specimen; ``uniform(key, lane)`` in (0, 1) draws what differs between lanes."""
    lanes = []
    for lane in range(1, media_lanes + 1):
        noise_db = profile.thermal_noise_spread_db * (2.0 * uniform("receiver noise", lane) - 1.0)
        lanes.append(
            ReceiverLane(
                ReceiverParameters(
                    thermal_noise_w=profile.thermal_noise_uw[lane - 1] * 1e-6 * ratio_from_db(noise_db),
                    responsivity_a_per_w=profile.responsivity_a_per_w,
                    overload_w=w_from_dbm(profile.overload_dbm[lane - 1]),
                    bandwidth_hz=profile.bandwidth_ghz * 1e9,
                    equaliser_taps=profile.equaliser_taps,
                    implementation_noise=profile.implementation_noise,
                    jitter_ui_rms=profile.jitter_ps * 1e-12 * PAM4_RATE_BD,
                    error_propagation=profile.error_propagation[lane - 1],
                ),
                crosstalk=ratio_from_db(-profile.crosstalk_db[lane - 1]),
                snr_error_db=profile.snr_error_db * (2.0 * uniform("snr monitor", lane) - 1.0),
            )
        )
    return tuple(lanes)


class Receivers:
    """Per media lane, from 1. Light and lock are looked after by :meth:`look` alone."""

    def __init__(self, lanes: Sequence[ReceiverLane], light: ReceivedLight) -> None:
        self._lanes = tuple(lanes)
        self._light = light
        self._best = tuple(undisturbed(lane.parameters) for lane in self._lanes)
        self._last: dict[int, tuple[tuple[Beam, ...], float, Reception]] = {}
        self._judged_light: list[tuple[Beam, ...] | None] = [None] * len(self._lanes)
        self._judged: list[Reception] = [DARK] * len(self._lanes)
        self._locked = [True] * len(self._lanes)

    def reset(self) -> None:
        """Power or reset: no lane is taken for dark, and none for unlocked, before the first look."""
        self._light.reset()
        self._locked = [True] * len(self._lanes)

    def look(self) -> tuple[float, ...]:
        """What the RxPower monitor looks at, of each lane, watts; called on the module's own grid."""
        monitored_w = self._light.look()
        self._judge()
        self._locked = [self._holds(lane, was) for lane, was in enumerate(self._locked, start=1)]
        return monitored_w

    def dark(self, lane: int) -> bool:
        """Whether the lane had too little light when it was looked at."""
        return self._light.dark(lane)

    def locked(self, lane: int) -> bool:
        """Whether the lane held its clock and its equaliser when it was looked at; never in the dark."""
        return self._locked[lane - 1]

    def heard(self, lane: int) -> LineSignal | None:
        """The bits that the lane's light brings now, with the receiver's errors; None in the dark, or from
        light that carries none."""
        beams = () if self.dark(lane) else self._light.light(lane)
        beam = strongest(beams)
        if beam is None or beam.signal is None:
            return None
        if not self.locked(lane):
            return NOISE
        found = self._received(lane, beams)
        return beam.signal.worsened(found.ber, found.burst_bits)

    def reception(self, lane: int) -> Reception:
        """What becomes of the light on a lane's photodiode now, beside what shone on its neighbours' at the
        last look."""
        return DARK if self.dark(lane) else self._received(lane, self._light.light(lane))

    def undisturbed(self, lane: int) -> Reception:
        """The best that a lane makes of anything: an electrical loopback."""
        return self._best[lane - 1]

    def shown_quality_db(self, lane: int, reception: Reception) -> tuple[float, float]:
        """SNR and LTP, dB, as the module measures them."""
        if reception.closed:
            return 0.0, 0.0
        error_db = self._lanes[lane - 1].snr_error_db
        return max(0.0, reception.snr_db + error_db), max(0.0, reception.ltp_db + error_db)

    # -- inside ----------------------------------------------------------------------------------------

    def _received(self, lane: int, beams: tuple[Beam, ...]) -> Reception:
        of_lane = self._lanes[lane - 1]
        seen = self._light.seen
        aggressor_w = of_lane.crosstalk * math.hypot(
            *(_oma_w(seen[other - 1]) for other in self._neighbours(lane))
        )
        last = self._last.get(lane)
        if last is not None and last[1] == aggressor_w and last[0] == beams:
            return last[2]
        reception = receive(beams, of_lane.parameters, aggressor_oma_w=aggressor_w)
        self._last[lane] = (beams, aggressor_w, reception)
        return reception

    def _neighbours(self, lane: int) -> list[int]:
        return [other for other in (lane - 1, lane + 1) if 1 <= other <= len(self._lanes)]

    def _judge(self) -> None:
        """Work out anew what a lane finds when its light, or a neighbour's, is another than it was."""
        seen = self._light.seen
        moved = {
            lane
            for lane, beams in enumerate(seen, start=1)
            if not _alike(beams, self._judged_light[lane - 1])
        }
        for lane in moved:
            self._judged_light[lane - 1] = seen[lane - 1]
        for lane in {near for of in moved for near in (of, *self._neighbours(of))}:
            self._judged[lane - 1] = self._received(lane, seen[lane - 1])

    def _holds(self, lane: int, was: bool) -> bool:
        beam = strongest(self._light.seen[lane - 1])
        if self._light.dark(lane) or beam is None or beam.signal is None:
            return False
        found = self._judged[lane - 1]
        return found.locked if was else found.ber <= _RELOCK_BER and found.off_rate_ppm <= _RELOCK_PPM


def _oma_w(beams: tuple[Beam, ...]) -> float:
    beam = strongest(beams)
    return beam.oma_w if beam is not None else 0.0


def _alike(beams: tuple[Beam, ...], before: tuple[Beam, ...] | None) -> bool:
    """Whether a receiver finds the same in both, but for a little."""
    return before is not None and (
        beams == before or (len(beams) == len(before) and all(map(_alike_beams, beams, before)))
    )


def _alike_beams(beam: Beam, before: Beam) -> bool:
    now, then = beam.modulation, before.modulation
    return (
        beam.source == before.source
        and _near(beam.power_w, before.power_w)
        and (
            now is then
            or now == then
            or (
                now.symbol_rate_bd == then.symbol_rate_bd
                and _near(now.oma_ratio, then.oma_ratio)
                and _near(now.bandwidth_hz, then.bandwidth_hz)
            )
        )
        and abs(beam.dispersion_ps_nm - before.dispersion_ps_nm) <= _NEAR_PS_NM
        and len(beam.echoes) == len(before.echoes)
        and all(
            _near(echo.field_ratio, old.field_ratio) and abs(echo.phase_rad - old.phase_rad) <= _NEAR_RAD
            for echo, old in zip(beam.echoes, before.echoes, strict=True)
        )
    )


def _near(value: float, before: float) -> bool:
    return value == before or abs(value - before) <= _NEAR * before
