"""Framed traffic of the host through module and light and back: wrong symbols per codeword, by the BERT's
RS(544,514) decoder, and what the module says of its errors meanwhile.

Source: IEEE 802.3 124.1.1 (frame loss ratio below 1.7e-12; a bit error ratio of 2.4e-4 is enough only where
errors are sufficiently random), known from descriptions; arithmetic in :mod:`harness.signal.kp4`.

With all the light there is errors are rare, and the frame loss ratio is that of the law fitted to the
histogram, bounded by what was observed. Where that cannot bound it, the one with so little light that the
tail is seen bounds it: there it is higher. That histogram also shows whether errors come in bursts; a lane is
found to blame by taking light from it alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from drivers.errors import InstrumentError
from drivers.interfaces import DecodesFec, FecStatistics
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.ber.counts import Count, unlocked
from harness.acquisitions.ber.host import NAME as HOST
from harness.acquisitions.ber.host import lost_flags
from harness.acquisitions.ber.own_light import PLANE, arrived, own_light
from harness.acquisitions.ber.settings import FecSettings, ber_settings
from harness.acquisitions.ber.stress import LEAST_SLOPE, TAP_READINGS, per_db
from harness.acquisitions.ber.vdm import VdmInterval, vdm_interval
from harness.acquisitions.receiver.behind_the_tap import dark_behind_the_tap
from harness.acquisitions.receiver.light import ReceiverLight
from harness.judging.measured import Checked, Contradiction, Measured, ModuleFault, NotOffered
from harness.judging.uncertainty import Contribution, expanded, from_half_width
from harness.run import Run
from harness.run_folder.records import Acquisition
from harness.signal.error_ratio import q_of_ber
from harness.signal.kp4 import (
    CORRECTABLE,
    BurstIndication,
    FecMargin,
    burst_indication,
    frame_loss_ratio,
    margin_from_histogram,
)
from harness.signal.statistics import binomial_interval, binomial_upper
from harness.traffic import TRAFFIC

NAME = "ber_fec"
OF_MODULE = ("frame_loss_ratio", "frame_loss_margin", "burst_overdispersion", "vdm_frame_error_error")
OF_LANE = ("error_bursts", "vdm_ber_error")
DETECTOR = "FEC decoder of the BERT"
_TWICE = 2.0
"""Bins of so many times the codewords that independent errors have, beside the scatter's own limit."""
_OVERLAP = 0.25
"""Share of its time by which the module's interval is longer than the BERT's gate."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One histogram, at levels (dBm at TP3)."""

    fec: FecStatistics
    levels_dbm: Mapping[int, float]

    @property
    def histogram(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array(self.fec.histogram, dtype=np.int64)

    def to_json(self) -> dict[str, Any]:
        return {
            "histogram": list(self.fec.histogram),
            "gate_s": self.fec.gate_s,
            "pre_fec_ber": self.fec.pre_fec_ber,
            "level_dbm": {str(lane): level for lane, level in self.levels_dbm.items()},
        }


def ber_fec(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """Histograms with all the light there is and, at the levels that ``ber_host`` found, with little.

    Gives ``frame_loss_ratio``, ``frame_loss_margin`` (dB of light), ``burst_overdispersion`` (variance over
    mean of wrong symbols per codeword, over the binomial's), ``error_bursts`` (per lane, a yes or no),
    ``vdm_ber_error`` (per lane, %, module less BERT) and ``vdm_frame_error_error`` (%). ``before``:
    ``launch_power``, ``ber_host``.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault, light does not arrive, or the interlock says no.
    """
    start_s, settings = run.bench.clock.now_s(), ber_settings().fec
    run.require_module_up()
    run.traffic.require(TRAFFIC)
    bert = run.bench.bert
    own = own_light(run, lanes, before, attenuated=False)
    if own.dark:
        record = _record_nothing(run, start_s, f"lanes {', '.join(map(str, own.dark))} have no light")
        return Acquired(record, _without(lanes, own.dark))
    lacking = own.lacking
    if lacking is None and not isinstance(bert, DecodesFec):
        lacking = NotOffered("the BERT decodes no FEC")
    if lacking is not None or own.light is None:
        reason = lacking or NotOffered("no light")
        return Acquired(_record_nothing(run, start_s, reason.reason), _all(lanes, reason))
    assert isinstance(bert, DecodesFec)
    seen: dict[str, _Seen] = {}
    alone: dict[int, _Seen] = {}
    vdm: dict[str, VdmInterval] = {}
    levels, counts = _stressed_by_host(before)
    with own.light as light:
        at_open = arrived(light)
        run.module.flags()  # what was latched while the light came
        seen["open"] = _Seen(bert.read_fec_histogram(settings.gate_s), at_open)
        flags = lost_flags(run)
        not_received: dict[int, Value] = {}
        if not seen["open"].fec.codewords:
            not_received.update(dark_behind_the_tap(run, light, lanes))
    bursts: BurstIndication | None = None
    stress = own_light(run, lanes, before, attenuated=True)
    if seen["open"].fec.codewords and stress.light is not None and set(levels) == set(lanes):
        with stress.light as light:
            arrived(light)
            highest = light.highest_dbm
            seen["stressed"], vdm["stressed"] = _at(run, bert, light, levels, settings.gate_s)
            if seen["stressed"].fec.codewords:
                bursts = burst_indication(seen["stressed"].histogram)
                if _is_burst(bursts, settings):
                    for lane in lanes:
                        only = {**highest, lane: levels[lane]}
                        alone[lane], _ = _at(run, bert, light, only, settings.gate_s, with_vdm=False)
                lossy = {lane: level + _lossy_db(settings) for lane, level in levels.items()}
                seen["lossy"], vdm["lossy"] = _at(run, bert, light, lossy, settings.gate_s)
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={"traffic": "framed", "clock": "host's", "fec": "RS(544,514)"},
        data={
            "seen": {name: one.to_json() for name, one in seen.items()},
            "alone": {str(lane): one.to_json() for lane, one in alone.items()},
            "vdm": {name: one.readings for name, one in vdm.items()},
            "bursts": None if bursts is None else asdict(bursts),
            "flags": {str(lane): list(names) for lane, names in flags.items()},
        },
        budget=[],
    )
    if not seen["open"].fec.codewords:
        if not_received:
            return Acquired(record, _without(lanes, not_received))
        return Acquired(record, _no_frames(record, lanes, flags))
    found: dict[tuple[str, int | None], Value] = {}
    found |= _losses(run, record, seen, settings)
    found |= _bursts(run, record, lanes, seen, alone, bursts, settings)
    stressed_vdm = vdm.get("stressed")
    for lane in lanes:
        found["vdm_ber_error", lane] = _vdm_ber(run, record, lane, stressed_vdm, seen, levels, counts)
    found["vdm_frame_error_error", None] = _vdm_frames(run, record, vdm.get("lossy"), seen.get("lossy"))
    return Acquired(record, found)


# -- acquiring -----------------------------------------------------------------------------------------


def _stressed_by_host(
    before: Mapping[str, Acquired | ModuleFault],
) -> tuple[dict[int, float], dict[int, Count]]:
    """Levels that ``ber_host`` stood at, and the host's counts there; empty where it did not."""
    acquired = before.get(HOST)
    if not isinstance(acquired, Acquired):
        return {}, {}
    data = acquired.record.data
    counts = {int(lane): Count(**entry) for lane, entry in data.get("stressed", {}).items()}
    levels = {int(lane): level for lane, level in data.get("level_dbm", {}).items()}
    good = [lane for lane, count in counts.items() if count.ber and lane in levels]
    return {lane: levels[lane] for lane in good}, {lane: counts[lane] for lane in good}


def _at(
    run: Run,
    bert: DecodesFec,
    light: ReceiverLight,
    levels_dbm: Mapping[int, float],
    gate_s: float,
    *,
    with_vdm: bool = True,
) -> tuple[_Seen, VdmInterval]:
    light.set_levels(levels_dbm)
    if not with_vdm:
        return _Seen(bert.read_fec_histogram(gate_s), light.read_levels()), VdmInterval()
    with vdm_interval(run) as vdm:
        fec = bert.read_fec_histogram(gate_s)
    return _Seen(fec, light.read_levels(TAP_READINGS)), vdm


def _lossy_db(settings: FecSettings) -> float:
    """Near a floor it takes more light to change q."""
    step_db = 10.0 * math.log10(q_of_ber(settings.lossy_ber) / q_of_ber(settings.stressed_ber))
    return step_db * 2.0 / (1.0 + LEAST_SLOPE)


# -- deriving ------------------------------------------------------------------------------------------


def _losses(
    run: Run, record: Acquisition, seen: Mapping[str, _Seen], settings: FecSettings
) -> dict[tuple[str, int | None], Value]:
    """The frame loss ratio with all the light, or with little where the former is not bounded by its own
    histogram."""
    margins: dict[str, FecMargin] = {}
    for name in ("open", "stressed"):
        one = seen.get(name)
        if one is not None and one.fec.codewords > one.fec.uncorrectable_codewords:
            margins[name] = margin_from_histogram(one.histogram, confidence=settings.confidence)
    if "open" not in margins:
        # Whatever less light gives: a receiver in overload may do better with it.
        text = "no codeword could be corrected, with all the light there is"
        return {
            (name, None): Checked(False, text, "IEEE 802.3 124.1.1", record.acquisition_id, record.at)
            for name in ("frame_loss_ratio", "frame_loss_margin")
        }
    # Less light loses no fewer frames: the lowest upper end bounds them all. But frames that were lost are
    # lost, whatever the law of another histogram says.
    best = min(margins, key=lambda name: margins[name].frame_loss_interval.high)
    if seen["open"].fec.uncorrectable_codewords:
        best = "open"
    margin = margins[best]
    interval, ratio = margin.frame_loss_interval, margin.frame_loss_ratio
    conditions = {
        "by": best,
        "pre_fec_ber": seen[best].fec.pre_fec_ber,
        "codewords": seen[best].fec.codewords,
        "lost": seen[best].fec.uncorrectable_codewords,
        "upper_bound": interval.high,
        "observed_bound": frame_loss_ratio(
            binomial_upper(
                seen[best].fec.uncorrectable_codewords, seen[best].fec.codewords, settings.confidence
            )
        ),
        "confidence": settings.confidence,
        "law_fits": margin.tail_fits is not False,
        "notes": "; ".join(margin.notes),
    }
    make = run.measured_from(record, lane=None, uncertainty=max(interval.high - ratio, ratio - interval.low))
    found: dict[tuple[str, int | None], Value] = {
        ("frame_loss_ratio", None): make(
            value=ratio, unit="1", plane=PLANE, detector=DETECTOR, conditions=conditions
        )
    }
    first = margins["open"]
    low_db, high_db = first.margin_interval_db
    if not math.isfinite(first.margin_db) or not math.isfinite(low_db):
        found["frame_loss_margin", None] = NotOffered("no codeword had a wrong symbol: no margin in dB")
    else:
        above_db = high_db - first.margin_db if math.isfinite(high_db) else 0.0
        make = run.measured_from(record, lane=None, uncertainty=max(first.margin_db - low_db, above_db))
        found["frame_loss_margin", None] = make(
            value=first.margin_db, unit="dB", plane=PLANE, detector=DETECTOR, conditions=conditions
        )
    return found


def _is_burst(bursts: BurstIndication, settings: FecSettings) -> bool:
    """Statistically certain, and more than light that wanders makes of independent errors."""
    if not bursts.bursts:
        return False
    scatter = bursts.dispersion is not None and bursts.dispersion.index > settings.overdispersion
    return scatter or bursts.observed > _TWICE * max(bursts.expected, 1.0)


def _bursts(
    run: Run,
    record: Acquisition,
    lanes: Sequence[int],
    seen: Mapping[str, _Seen],
    alone: Mapping[int, _Seen],
    bursts: BurstIndication | None,
    settings: FecSettings,
) -> dict[tuple[str, int | None], Value]:
    if bursts is None:
        # Few errors, but some: better than none.
        bursts = burst_indication(seen["open"].histogram)
    found: dict[tuple[str, int | None], Value] = {}
    if bursts.dispersion is None:
        found["burst_overdispersion", None] = NotOffered("fewer than two wrong symbols: no scatter of them")
    else:
        scatter = bursts.dispersion
        spread = (scatter.index - 1.0) / scatter.z if scatter.z else 0.0
        make = run.measured_from(record, lane=None, uncertainty=2.0 * abs(spread))
        found["burst_overdispersion", None] = make(
            value=scatter.index,
            unit="1",
            plane=PLANE,
            detector=DETECTOR,
            conditions={
                "from_bin": bursts.from_bin,
                "observed": bursts.observed,
                "expected": bursts.expected,
            },
        )
    of_lanes = {lane: burst_indication(one.histogram) for lane, one in alone.items() if one.fec.codewords}
    guilty = [lane for lane, one in of_lanes.items() if _is_burst(one, settings)]
    if _is_burst(bursts, settings) and not guilty:
        guilty = list(lanes)  # none of them alone: all of them
    for lane in lanes:
        one = of_lanes.get(lane, bursts)
        index = one.dispersion.index if one.dispersion else 1.0
        text = (
            f"{one.observed} codewords of {one.from_bin} or more wrong symbols, {one.expected:.3g} expected "
            f"of independent errors; scatter {index:.3f} of the binomial's"
            f"{' with little light on this lane alone' if lane in of_lanes else ''}"
        )
        found["error_bursts", lane] = Checked(
            lane not in guilty,
            text,
            "IEEE 802.3 124.1.1: errors sufficiently random",
            record.acquisition_id,
            record.at,
            lane=lane,
        )
    return found


def _vdm_ber(
    run: Run,
    record: Acquisition,
    lane: int,
    vdm: VdmInterval | None,
    seen: Mapping[str, _Seen],
    levels_dbm: Mapping[int, float],
    counts: Mapping[int, Count],
) -> Value:
    """The module's average against what the host counted of the same lane at the same level."""
    if vdm is None:
        return NotOffered("no level was found at which this module makes errors enough to be compared")
    if vdm.lacking is not None:
        return vdm.lacking
    if lane not in vdm.ber:
        return NotOffered(f"the module's VDM gives no pre-FEC BER of media lane {lane}")
    count = counts[lane]
    ratio = count.ber
    assert ratio
    # Brought to the level at which the host counted.
    drift_db = seen["stressed"].levels_dbm[lane] - levels_dbm[lane]
    slope = per_db(ratio)
    there = vdm.ber[lane] * math.exp(0.5 * (1.0 + LEAST_SLOPE) * slope * drift_db)
    unseen_db = ber_settings().agreement.drift_db + 0.5 * (1.0 - LEAST_SLOPE) * abs(drift_db)
    contributions = [
        Contribution("counting", 100.0 * count.uncertainty / 2.0 / ratio * math.sqrt(2.0), "%", "both"),
        from_half_width("light that drifted", 100.0 * slope * unseen_db, "%", "unseen by the taps (assumed)"),
        from_half_width("register", 0.05, "%", "F16, 11 bits"),
    ]
    make = run.measured_from(record, lane=lane, uncertainty=expanded(contributions))
    return make(
        value=100.0 * (there / ratio - 1.0),
        unit="%",
        plane="TP3",
        detector="module monitor against BERT",
        conditions={"vdm": vdm.ber[lane], "bert": ratio, "drift_db": round(drift_db, 3)},
    )


def _vdm_frames(run: Run, record: Acquisition, vdm: VdmInterval | None, seen: _Seen | None) -> Value:
    if vdm is None or seen is None:
        return NotOffered("no level was found at which codewords are lost")
    if vdm.lacking_frames is not None:
        return vdm.lacking_frames
    lost, codewords = seen.fec.uncorrectable_codewords, seen.fec.codewords
    if vdm.frames is None or lost == 0 or codewords == 0:
        return NotOffered(
            f"{lost} of {codewords} codewords were lost: nothing to compare the module's count by"
        )
    ratio = lost / codewords
    ends = binomial_interval(lost, codewords, 0.9545)
    # (1 + 15) symbols wrong: the loss follows the symbol error ratio by that power.
    pre = max(seen.fec.pre_fec_ber or 0.0, 1e-9)
    slope = (CORRECTABLE + 1) * per_db(pre)
    wander = 100.0 * slope * ber_settings().agreement.drift_db * _OVERLAP
    contributions = [
        Contribution("counting", 50.0 * (ends.high - ends.low) / 2.0 / ratio * math.sqrt(2.0), "%", "both"),
        from_half_width(
            "light beyond the gate", wander, "%", "intervals overlap but for a quarter (assumed)"
        ),
    ]
    make = run.measured_from(record, lane=None, uncertainty=expanded(contributions))
    return make(
        value=100.0 * (vdm.frames / ratio - 1.0),
        unit="%",
        plane="TP3",
        detector="module monitor against BERT",
        conditions={"vdm": vdm.frames, "bert": ratio},
    )


# -- nothing -------------------------------------------------------------------------------------------


def _no_frames(
    record: Acquisition, lanes: Sequence[int], flags: Mapping[int, tuple[str, ...]]
) -> dict[tuple[str, int | None], Value]:
    """A codeword needs all lanes: those to blame are those that flag it."""
    if flags:
        lost = {
            lane: unlocked(record, lane, f"no codeword comes back, lane {lane} flags {', '.join(names)}")
            for lane, names in flags.items()
        }
        return _without(lanes, lost)
    fault = InstrumentError(
        "bert",
        "its FEC decoder finds no codewords, but no receiver of the module flags a loss of light or lock",
        advice="Check the BERT's mode (400GAUI-8 with FEC), and the host board's lanes and polarities.",
    )
    return _all(lanes, Contradiction(fault))


def _record_nothing(run: Run, start_s: float, reason: str) -> Acquisition:
    return run.record_acquisition(NAME, start_s, conditions={}, data={"not_offered": reason}, budget=[])


def _without(lanes: Sequence[int], blamed: Mapping[int, Value]) -> dict[tuple[str, int | None], Value]:
    """There are no frames without these lanes: the frame loss ratio and they fail, the rest is not had."""
    first = min(blamed)
    found = _all(lanes, NotOffered(f"a codeword needs all lanes, and lane {first} carries none"))
    value = blamed[first]
    found["frame_loss_ratio", None] = replace(value, lane=None) if isinstance(value, Checked) else value
    return found | {("error_bursts", lane): value for lane, value in blamed.items()}


def _all(lanes: Sequence[int], value: Value) -> dict[tuple[str, int | None], Value]:
    def of(lane: int | None) -> Value:
        return replace(value, lane=lane) if isinstance(value, Checked | Measured) else value

    return {(name, None): of(None) for name in OF_MODULE} | {
        (name, lane): of(lane) for name in OF_LANE for lane in lanes
    }
