"""RIN-OMA of each lane: noise on the settled levels of a square wave, by oscilloscope.

Source: IEEE 802.3, 52.9.6, as clause 124 (Table 124-6, 124.8.9) uses it, known from descriptions only. The
clause measures the noise with an electrical power meter behind the reference receiver, and holds it against
the modulation's power. Whether that is the square wave's, (OMA/2)^2, or OMA^2, which gives 6.02 dB less, is
uncertain (grade D). Here it is (OMA/2)^2: the larger number, so that no transmitter passes by the choice.
The 21.4 dB of back-reflection that the name RIN21.4OMA means are missing.

The oscilloscope's own noise, measured in the dark, is taken off as a power. Its detector's shot noise is
there in the light only, and stays in: the result is rather too high than too low.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from drivers.errors import InvalidReadingError, NotSettledError
from drivers.units import dbm_from_w
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.captured import SignalError, as_waveform
from harness.acquisitions.eye import ATTEMPTS
from harness.acquisitions.lane_light import lane_path, route
from harness.acquisitions.oscilloscope_noise import OwnNoise, own_noise
from harness.judging.budgets import budget_of
from harness.judging.measured import Checked, Contradiction, Measured, ModuleFault, NotOffered
from harness.judging.uncertainty import Contribution, expanded
from harness.run import Run
from harness.run_folder.records import Acquisition
from harness.signal.filters import noise_bandwidth_hz
from harness.signal.rin import RUN, SquareWave, rin_oma_db_hz, square_wave
from harness.signal.waveform import aligned
from harness.traffic import SQUARE_WAVE

NAME = "rin"
RECORD_SYMBOLS = 16384
"""1024 periods: the noise's power is then known to 2 %."""
DEFINITION: Final = "modulation_power"
_SETTLED_UI = 4.0
# OMAouter of the same lane on another pattern agrees within some tenths of a dB; were the user pattern's bits
# sent in another order, ones would come in place of threes, and OMA be a third.
_SAME_OMA_DB = 1.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """A lane's square wave, and the loss it came with."""

    wave: SquareWave
    loss_db: float
    own: OwnNoise


def rin(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """RIN-OMA of all lanes, one after the other: 1024 periods of eight threes and eight zeros of each.

    Gives ``rin_oma`` (dB/Hz). Where the transmitter's noise does not stand out of the oscilloscope's, what
    would just do so (k = 2) is reported as an upper bound (condition ``at_oscilloscope_floor``). What
    ``eye`` (``before``) found of a lane that it could not measure stands here too.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    eyes = before.get("eye")
    run.require_module_up()
    lacking = run.traffic.require(SQUARE_WAVE)
    measured: dict[tuple[str, int | None], Value] = {}
    pending: list[int] = []
    for lane in lanes:
        found = _known(eyes, lane) if lacking is None else lacking
        if found is None:
            pending.append(lane)
        else:
            measured["rin_oma", lane] = found
    owns: dict[int, OwnNoise] = {}
    record: Acquisition | None = None
    for attempt in range(1, ATTEMPTS + 1):
        if not pending and record is not None:
            break
        start_s = run.bench.clock.now_s()
        seen: dict[int, _Seen] = {}
        faults: dict[int, InvalidReadingError | NotSettledError | NotOffered] = {}
        for lane in pending:
            try:
                look = _square_wave(run, lane, owns)
                if isinstance(look, NotOffered):
                    faults[lane] = look
                else:
                    seen[lane] = look
            except SignalError as error:
                faults[lane] = InvalidReadingError(
                    "oscilloscope", f"lane {lane}: its waveform is no {SQUARE_WAVE}: {error}"
                )
            except (NotSettledError, InvalidReadingError) as fault:
                faults[lane] = fault
        record = _record(run, start_s, attempt, seen, faults)
        measured |= {("rin_oma", lane): _value(run, record, lane, look, eyes) for lane, look in seen.items()}
        for lane, why in faults.items():
            measured["rin_oma", lane] = why if isinstance(why, NotOffered) else Contradiction(why)
        pending = [lane for lane, why in faults.items() if not isinstance(why, NotOffered)]
    assert record is not None
    return Acquired(record, measured)


def _known(eyes: Acquired | ModuleFault | None, lane: int) -> Value | None:
    """What the eye says of a lane that it could not measure."""
    if not isinstance(eyes, Acquired):
        return None
    oma = eyes.measured.get(("oma_outer", lane))
    if isinstance(oma, Checked):
        return NotOffered(oma.text)
    return oma if isinstance(oma, Contradiction) else None


def _square_wave(run: Run, lane: int, owns: dict[int, OwnNoise]) -> _Seen | NotOffered:
    path = lane_path(run, lane, "oscilloscope")
    channel, scope = path.end.number, run.bench.oscilloscope
    if channel not in owns:
        own = own_noise(run, path, lane)
        if isinstance(own, NotOffered):
            return own
        owns[channel] = own
    route(run, path)
    scope.configure(
        channel,
        wavelength_nm=run.pmd.lane_wavelength_nm(lane),
        symbol_rate_bd=run.pmd.symbol_rate_bd,
        pattern_symbols=RECORD_SYMBOLS,
    )
    record = as_waveform(scope.capture(channel))
    symbols = np.repeat(np.array([3, 0], dtype=np.uint8), RUN)
    return _Seen(square_wave(aligned(record, symbols), settled_ui=_SETTLED_UI), path.loss_db, owns[channel])


def _record(
    run: Run, start_s: float, attempt: int, seen: Mapping[int, _Seen], faults: Mapping[int, object]
) -> Acquisition:
    return run.record_acquisition(
        NAME,
        start_s,
        conditions={"pattern": SQUARE_WAVE, "symbols": RECORD_SYMBOLS, **_conditions()},
        data={
            "oma_w": {str(lane): look.wave.outer.oma_outer_w for lane, look in seen.items()},
            "noise_on_threes_w": {str(lane): look.wave.noise_high_w for lane, look in seen.items()},
            "noise_on_zeros_w": {str(lane): look.wave.noise_low_w for lane, look in seen.items()},
            "oscilloscope_noise_w": {str(lane): list(look.own.readings_w) for lane, look in seen.items()},
            "fault": {str(lane): str(fault) for lane, fault in faults.items()},
        },
        budget=[
            {"lane": lane, **asdict(entry)}
            for lane, look in seen.items()
            for entry in budget_of("rin_oma").contributions({"statistics": _statistics(run, look)})
        ],
        attempt=attempt,
    )


def _conditions() -> dict[str, str]:
    return {
        "definition": "noise power over (OMA/2)^2, uncertain (grade D); over OMA^2 it is 6.02 dB less",
        "back_reflection": "none",
    }


def _value(
    run: Run, record: Acquisition, lane: int, look: _Seen, eyes: Acquired | ModuleFault | None
) -> Value:
    oma_w = look.wave.outer.oma_outer_w
    oma_dbm = dbm_from_w(max(oma_w, 1e-15)) + look.loss_db
    other = eyes.measured.get(("oma_outer", lane)) if isinstance(eyes, Acquired) else None
    if isinstance(other, Measured) and abs(oma_dbm - other.value) > _SAME_OMA_DB:
        return NotOffered(
            f"lane {lane}: the user pattern does not come as a square wave of the outer levels: its OMA is "
            f"{oma_dbm:.2f} dBm, OMAouter on {other.conditions.get('pattern')} {other.value:.2f} dBm"
        )
    own_w2, _ = _own_power(look)
    floor_w2 = 2.0 * _standard_w2(run, look)
    at_floor = own_w2 < floor_w2
    bandwidth_hz = noise_bandwidth_hz(0.5 * run.pmd.symbol_rate_bd)
    value = rin_oma_db_hz(math.sqrt(max(own_w2, floor_w2)), oma_w, bandwidth_hz, definition=DEFINITION)
    budget = budget_of("rin_oma").contributions({"statistics": _statistics(run, look)})
    return run.measured_from(record, lane=lane, uncertainty=expanded(budget))(
        value=value,
        unit="dB/Hz",
        plane="TP2",
        detector="oscilloscope",
        conditions={"pattern": SQUARE_WAVE, **_conditions(), "at_oscilloscope_floor": at_floor},
    )


def _own_power(look: _Seen) -> tuple[float, float]:
    """The transmitter's noise, W^2, and that of the record."""
    seen_w2 = look.wave.noise_w**2
    return seen_w2 - look.own.noise_w**2, seen_w2


def _standard_w2(run: Run, look: _Seen) -> float:
    """Standard uncertainty of the transmitter's noise, W^2: two variances, each of so many independent
    samples (textbook: 2 B T of them in a time T)."""
    _, seen_w2 = _own_power(look)
    rate_bd = run.pmd.symbol_rate_bd
    settled_s = RECORD_SYMBOLS * _SETTLED_UI / RUN / rate_bd
    independent = 2.0 * noise_bandwidth_hz(0.5 * rate_bd) * settled_s
    return math.hypot(seen_w2 * math.sqrt(2.0 / independent), look.own.noise_w**2 * look.own.relative)


def _statistics(run: Run, look: _Seen) -> Contribution:
    """In dB, towards more noise, which is the side of the limit."""
    own_w2, _ = _own_power(look)
    standard_w2 = _standard_w2(run, look)
    ratio = standard_w2 / max(own_w2, 2.0 * standard_w2)
    return Contribution("statistics", 10.0 * math.log10(1.0 + 2.0 * ratio) / 2.0, "dB", "2 B T samples")
