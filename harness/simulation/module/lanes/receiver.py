"""The receivers of one module: drawn for the specimen, each with its light, its quality and its lock.

Quality is worked out when somebody asks for it (:mod:`harness.simulation.light.reception`), of light that is
rounded finely (powers to 0.0004 dB). Lock is looked after on the module's own grid, of light that is rounded
coarsely (powers to 1 %): it depends on the present light, and on whether the lane was locked
before. After power or reset a lane has to find lock, as after losing it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from drivers.units import ratio_from_db, w_from_dbm
from harness.simulation.light.beam import PAM4_RATE_BD, Beam, Echo, Modulation, loudest, loudest_oma_w
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
from harness.simulation.signals import NOISE, UNSAID, LineSignal

_RELOCK_BER = 0.75 * HIGHEST_LOCKED_BER
_RELOCK_PPM = 0.875 * LOCK_RANGE_PPM  # 105 ppm: every transmitter within its 100 ppm is found again


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
    """Per media lane, from 1. Light and lock are looked after by :meth:`look` alone. ``said(source)``: the
    bits of the module's own light, where it comes back to it."""

    def __init__(
        self,
        lanes: Sequence[ReceiverLane],
        light: ReceivedLight,
        said: Callable[[str], LineSignal | None] = lambda _source: None,
    ) -> None:
        self._said = said
        self._lanes = tuple(lanes)
        self._light = light
        self._best = tuple(undisturbed(lane.parameters) for lane in self._lanes)
        self._last: dict[int, tuple[tuple[Beam, ...], float, Reception]] = {}
        self._known: dict[tuple[int, tuple[Beam, ...], float], Reception] = {}
        self._holding: list[bool] = []
        self._forget()

    def reset(self) -> None:
        """Power or reset: no lane is taken for dark, and none for unlocked, before the first look."""
        self._light.reset()
        self._forget()

    def look(self) -> tuple[float, ...]:
        """What the RxPower monitor looks at, of each lane, watts; called on the module's own grid."""
        light = self._light.all_light()
        carrying = [self._carried(loudest(beams)) is not None for beams in light]
        monitored_w = self._light.look(light)
        self._judge()
        self._holding = [
            carries and not self.dark(lane) and self._holds(lane, was)
            for lane, (carries, was) in enumerate(zip(carrying, self._holding, strict=True), start=1)
        ]
        self._locked = self._holding
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
        signal = self._carried(loudest(beams))
        if signal is None:
            return None
        if not self.locked(lane):
            return NOISE
        found = self._received(lane, beams)
        return signal.worsened(found.ber, found.burst_bits)

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

    def _forget(self) -> None:
        lanes = len(self._lanes)
        self._seen_before: tuple[tuple[Beam, ...], ...] = ((),) * lanes
        self._coarse: list[tuple[Beam, ...]] = [()] * lanes
        self._judged: list[Reception] = [DARK] * lanes
        self._holding = [False] * lanes
        self._locked = [True] * lanes

    def _aggressor_w(self, lane: int, light: Sequence[tuple[Beam, ...]]) -> float:
        """OMAouter of electrical crosstalk into a lane, of the light on all lanes."""
        return self._lanes[lane - 1].crosstalk * math.hypot(
            *(loudest_oma_w(light[other - 1]) for other in self._neighbours(lane))
        )

    def _carried(self, beam: Beam | None) -> LineSignal | None:
        if beam is None:
            return None
        return self._said(beam.source) if beam.signal is UNSAID else beam.signal

    def _received(self, lane: int, beams: tuple[Beam, ...]) -> Reception:
        aggressor_w = _LOCK.stepped(self._aggressor_w(lane, self._light.seen))
        last = self._last.get(lane)
        if last is not None and last[1] == aggressor_w and last[0] == beams:
            return last[2]
        reception = self._worked_out(lane, tuple(_rounded(beam, _QUALITY) for beam in beams), aggressor_w)
        self._last[lane] = (beams, aggressor_w, reception)
        return reception

    def _worked_out(self, lane: int, beams: tuple[Beam, ...], aggressor_w: float) -> Reception:
        """Of rounded light, so that a laser's wander over a hundredth of a dB need not be worked out anew."""
        key = (lane, beams, aggressor_w)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            found = receive(beams, self._lanes[lane - 1].parameters, aggressor_oma_w=aggressor_w)
            self._known[key] = found
        return found

    def _neighbours(self, lane: int) -> list[int]:
        return [other for other in (lane - 1, lane + 1) if 1 <= other <= len(self._lanes)]

    def _judge(self) -> None:
        """Work out what a lane finds where its light, or a neighbour's, is another than at the last look: of
        coarse light alone, so that the same light is judged alike whatever there was before."""
        coarse = [
            before if beams == old else tuple(_rounded(beam, _LOCK) for beam in beams)
            for beams, old, before in zip(self._light.seen, self._seen_before, self._coarse, strict=True)
        ]
        self._seen_before = self._light.seen
        moved = {lane for lane, beams in enumerate(coarse, start=1) if beams != self._coarse[lane - 1]}
        self._coarse = coarse
        for lane in {near for of in moved for near in (of, *self._neighbours(of))}:
            self._judged[lane - 1] = self._worked_out(lane, coarse[lane - 1], self._aggressor_w(lane, coarse))

    def _holds(self, lane: int, was: bool) -> bool:
        found = self._judged[lane - 1]
        return found.locked if was else found.ber <= _RELOCK_BER and found.off_rate_ppm <= _RELOCK_PPM


_MOST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Steps:
    """How finely light is told apart: ``relative`` of powers and bandwidths, ``digits`` of levels, of the
    laser's noise in dB/Hz and of nanometres and ps/nm, ``phase_rad`` of echoes."""

    relative: float
    level_digits: int
    digits: int
    phase_rad: float

    def stepped(self, value: float) -> float:
        """On a grid of equal ratios; 0 and infinity stay."""
        if value <= 0.0 or value == math.inf:
            return value
        return math.exp(self.relative * round(math.log(value) / self.relative))


_LOCK = _Steps(0.01, level_digits=3, digits=1, phase_rad=0.1)
_QUALITY = _Steps(1e-4, level_digits=4, digits=2, phase_rad=0.01)
"""0.0004 dB of light: 0.2 % of a bit error ratio of 1e-6."""


def _rounded(beam: Beam, steps: _Steps) -> Beam:
    """The same for all light that a receiver can hardly tell apart."""
    return Beam(
        source="",
        power_w=steps.stepped(beam.power_w),
        wavelength_nm=round(beam.wavelength_nm, steps.digits - 1),
        modulation=_rounded_modulation(beam.modulation, steps),
        dispersion_ps_nm=round(beam.dispersion_ps_nm, steps.digits),
        echoes=tuple(
            Echo(
                math.copysign(steps.stepped(abs(echo.field_ratio)), echo.field_ratio),
                0.0,
                steps.phase_rad * round(echo.phase_rad / steps.phase_rad),
            )
            for echo in beam.echoes
        ),
    )


@lru_cache(maxsize=1024)
def _rounded_modulation(modulation: Modulation, steps: _Steps) -> Modulation:
    zero, one, two, three = (round(level, steps.level_digits) for level in modulation.levels)
    return Modulation(
        (zero, one, two, three),
        symbol_rate_bd=modulation.symbol_rate_bd,
        bandwidth_hz=steps.stepped(modulation.bandwidth_hz),
        rin_db_hz=round(modulation.rin_db_hz, steps.digits),
        chirp=round(modulation.chirp, steps.digits),
    )
