"""The transmitters' eyes at the oscilloscope, one lane after the other, on the module's own pattern.

Source: IEEE 802.3 clause 124 (Table 124-6; TDECQ by 121.8.5.3 as 124.8.5 uses it), read in data sheets and
reflector mail only. Light comes back to back: without the compliance fibre and without the back-reflection
that TDECQ is defined with, which each value's conditions say. The path's loss from the wiring is added to
powers; ratios need none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from types import MappingProxyType
from typing import Any

from drivers.errors import GarbledReplyError, InstrumentError, InvalidReadingError, NotSettledError
from drivers.interfaces import EyeReading
from drivers.units import dbm_from_w
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.captured import EyeClosedError, SignalError, own_tdecq
from harness.acquisitions.lane_light import lane_path, route
from harness.acquisitions.launch_power import LOWEST_MONITORED_DBM
from harness.acquisitions.oscilloscope_noise import own_noise
from harness.judging.budgets import budget_of
from harness.judging.measured import Checked, Contradiction, Measured, ModuleFault, NotOffered
from harness.judging.uncertainty import Contribution, expanded, from_expanded
from harness.run import Run
from harness.run_folder.records import Acquisition
from harness.wiring import OpticalPath

NAME = "eye"
SSPRQ, PRBS13Q = "SSPRQ", "PRBS13Q"
PATTERN_SYMBOLS = {SSPRQ: 65535, PRBS13Q: 8191}
PATTERNS = 1
"""Periods in an acquisition: one of SSPRQ has every edge and 15 000 samples of each outer level."""
ATTEMPTS = 3
_QT = 3.414  # of a symbol error ratio of 4.8e-4
_BY_HARNESS = "harness, of the oscilloscope's waveform"
BACK_TO_BACK = {
    "compliance_fibre": "none, back to back",
    "back_reflection": "none; 21.4 dB and the compliance fibre belong to the definition",
}
_ON_ANY = ("oma_outer_w", "extinction_ratio_db", "rlm", "average_power_w")
_ON_SSPRQ = ("tdecq_db", "ceq_db", "transition_time_s")
_CROSS_CHECK = 2.0
"""Meter and oscilloscope may differ by so many combined expanded uncertainties (k = 4): more is no chance."""
# What is measured at each lane, by what it needs of the oscilloscope.
_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "oma_outer": ("oma_outer_w",),
        "extinction_ratio": ("extinction_ratio_db",),
        "rlm": ("rlm",),
        "tdecq": ("tdecq_db",),
        "ceq": ("ceq_db",),
        "tdecq_minus_ceq": ("tdecq_db", "ceq_db"),
        "oma_outer_minus_tdecq": ("oma_outer_w", "tdecq_db", "extinction_ratio_db"),
        "transition_time": ("transition_time_s",),
        "oscilloscope_power_difference": ("average_power_w",),
    }
)
_UNITS = {
    "oma_outer": "dBm",
    "extinction_ratio": "dB",
    "rlm": "1",
    "tdecq": "dB",
    "ceq": "dB",
    "tdecq_minus_ceq": "dB",
    "oma_outer_minus_tdecq": "dBm",
    "transition_time": "ps",
    "oscilloscope_power_difference": "dB",
}
_NO_RATE = NotOffered(
    "no instrument of a bench tells the frequency of the recovered clock: that it locks says 0.1 % at best, "
    "and what a generator of the host side is set to is not what the module sends"
)


@dataclass
class _Look:
    """What was seen of a lane in an attempt."""

    path: OpticalPath
    readings: dict[str, EyeReading] = field(default_factory=dict)
    fault: InstrumentError | None = None
    own: dict[str, float] = field(default_factory=dict)
    """What the harness made of the waveform where the oscilloscope has no TDECQ."""
    closed_above_db: float | None = None
    """TDECQ of an eye that is closed without added noise is above this."""
    record: Acquisition | None = None

    def good(self, wanted: Sequence[str]) -> bool:
        """Whether all of these have a value that the oscilloscope does not doubt."""
        return self.fault is None and all(self.usable(quantity) for quantity in wanted)

    def usable(self, quantity: str) -> bool:
        if quantity in self.own:
            return True
        reading = self.readings.get(quantity)
        return reading is not None and reading.value is not None and not reading.questionable

    def value(self, quantity: str) -> float:
        if quantity in self.own:
            return self.own[quantity]
        value = self.readings[quantity].value
        assert value is not None  # usable() was asked
        return value


def eye(
    run: Run,
    lanes: Sequence[int],
    before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({}),
    *,
    attempts: int = ATTEMPTS,
) -> Acquired:
    """Eyes of all lanes: one configuration of the oscilloscope and one period of the pattern for each.

    Gives, per lane, ``oma_outer`` (dBm), ``extinction_ratio`` (dB), ``rlm`` and
    ``oscilloscope_power_difference`` (dB, average power at TP2 as the oscilloscope has it less the power
    meter's); on SSPRQ also ``tdecq``, ``ceq`` (10log10(Ceq)), ``tdecq_minus_ceq`` (dB),
    ``oma_outer_minus_tdecq`` (dBm) and ``transition_time`` (ps, behind the reference filter); of the module
    ``lane_oma_difference`` (dB). A module that sends PRBS13Q alone has the first four.

    What the oscilloscope has no valid value of, or doubts, is measured again, lane set up anew, as another
    attempt with its own record, twice at most; after that it is invalid. Only where the eye has an OMA and no
    TDECQ, that is then the harness's, of the oscilloscope's waveform; of an eye that is closed it is a lower
    bound (condition ``lower_bound``), for the oscilloscope's noise is all that TDECQ adds to it. A lane that
    ``launch_power`` (``before``) found dark together with the module's own monitor fails; where those two
    contradicted each other, that stands. OMAouter is invalid where oscilloscope and power meter disagree on
    the average power: a connector on one of the ways is at fault then.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    run.require_module_up()
    pattern, lacking = SSPRQ, run.traffic.require(SSPRQ)
    if lacking is not None:
        pattern, second = PRBS13Q, run.traffic.require(PRBS13Q)
        if second is not None:
            return _nothing(run, lanes, lacking)
    powers = _powers(before.get("launch_power"), lanes)
    lit = [lane for lane in lanes if _lit(powers[lane])]
    looks: dict[int, _Look] = {}
    record: Acquisition | None = None
    pending = lit
    wanted = (*_ON_ANY, *(_ON_SSPRQ if lacking is None else ()))
    for attempt in range(1, attempts + 1):
        if not pending and record is not None:
            break
        start_s = run.bench.clock.now_s()
        seen = {lane: _look(run, lane, pattern, wanted, last=attempt == attempts) for lane in pending}
        record = _record(run, start_s, pattern, seen, attempt)
        for look in seen.values():
            look.record = record
        looks |= seen
        pending = [lane for lane in pending if not looks[lane].good(wanted)]
    assert record is not None
    measured: dict[tuple[str, int | None], Value] = {}
    for lane in lanes:
        power = powers[lane]
        if isinstance(power, Contradiction):
            found: dict[str, Value] = dict.fromkeys(_OF, power)
        elif lane not in looks:
            assert isinstance(power, Measured)
            found = _dark(run, record, lane, power)
        else:
            found = _of_lane(run, lane, looks[lane], power, pattern, lacking)
        measured |= {(parameter, lane): value for parameter, value in found.items()}
        measured["signalling_rate_offset", lane] = _NO_RATE
    measured["lane_oma_difference", None] = _difference(run, record, lanes, looks, measured)
    return Acquired(record, measured)


# -- acquiring -----------------------------------------------------------------------------------------


def _look(run: Run, lane: int, pattern: str, wanted: Sequence[str], *, last: bool) -> _Look:
    """Set the oscilloscope up for a lane and measure. In the ``last`` attempt, an eye without TDECQ is looked
    at by the harness too."""
    path = lane_path(run, lane, "oscilloscope")
    look = _Look(path)
    route(run, path)
    scope, channel = run.bench.oscilloscope, path.end.number
    try:
        scope.configure(
            channel,
            wavelength_nm=run.pmd.lane_wavelength_nm(lane),
            symbol_rate_bd=run.pmd.symbol_rate_bd,
            pattern_symbols=PATTERN_SYMBOLS[pattern],
        )
        readings = scope.measure(channel, wanted, patterns=PATTERNS)
        look.readings = {reading.quantity: reading for reading in readings}
        if last and "tdecq_db" in wanted and not look.usable("tdecq_db") and look.usable("oma_outer_w"):
            _by_harness(run, lane, look, pattern)
    except SignalError as error:
        look.fault = InvalidReadingError(
            "oscilloscope", f"lane {lane}: its waveform is none of {pattern}: {error}"
        )
    except (NotSettledError, InvalidReadingError, GarbledReplyError) as fault:
        # One lane's, until it has shown otherwise; an instrument that does not answer is no lane's.
        look.fault = fault
    return look


def _by_harness(run: Run, lane: int, look: _Look, pattern: str) -> None:
    captured = run.bench.oscilloscope.capture(look.path.end.number)
    noise = own_noise(run, look.path, lane)
    if isinstance(noise, NotOffered):
        return
    try:
        own = own_tdecq(captured, pattern, scope_noise_w=noise.noise_w)
    except EyeClosedError:
        # No noise may be added: TDECQ is that of the oscilloscope's own, or more (121.8.5.3, step 5).
        ideal_w = look.value("oma_outer_w") / (6.0 * _QT)
        look.closed_above_db = 10.0 * math.log10(ideal_w / noise.noise_w)
    else:
        look.own = {"tdecq_db": own.tdecq_db, "ceq_db": 10.0 * math.log10(own.ceq)}


def _record(run: Run, start_s: float, pattern: str, seen: Mapping[int, _Look], attempt: int) -> Acquisition:
    budget = [
        {"lane": lane, "parameter": parameter, **asdict(entry)}
        for lane, look in seen.items()
        for parameter in _OF
        if look.good(_OF[parameter]) and parameter != "oscilloscope_power_difference"
        for entry in _budget(parameter, look)
    ]
    return run.record_acquisition(
        NAME,
        start_s,
        conditions={"pattern": pattern, "periods": PATTERNS, **BACK_TO_BACK},
        data={
            "readings": {
                str(lane): {name: _shown(reading) for name, reading in look.readings.items()}
                for lane, look in seen.items()
            },
            "fault": {str(lane): str(look.fault) for lane, look in seen.items() if look.fault},
            "by_harness": {str(lane): look.own for lane, look in seen.items() if look.own},
            "closed_above_db": {
                str(lane): look.closed_above_db
                for lane, look in seen.items()
                if look.closed_above_db is not None
            },
            "port": {str(lane): str(look.path.end) for lane, look in seen.items()},
            "path_loss_db": {str(lane): look.path.loss_db for lane, look in seen.items()},
        },
        budget=budget,
        attempt=attempt,
    )


def _shown(reading: EyeReading) -> dict[str, Any]:
    return {
        "value": reading.value,
        "questionable": reading.questionable,
        "reason": reading.reason,
        "autoscales_failed": reading.autoscales_failed,
    }


# -- deriving ------------------------------------------------------------------------------------------


def _of_lane(
    run: Run, lane: int, look: _Look, power: Measured | None, pattern: str, lacking: NotOffered | None
) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for parameter, needs in _OF.items():
        if lacking is not None and any(quantity in _ON_SSPRQ for quantity in needs):
            found[parameter] = lacking
        elif not look.good(needs):
            found[parameter] = _invalid(lane, look, needs)
        elif parameter == "oscilloscope_power_difference":
            found[parameter] = _cross_check(run, lane, look, power, pattern)
        else:
            found[parameter] = _value(run, lane, look, parameter, pattern)
    if look.closed_above_db is not None:
        found |= _closed(run, lane, look, look.closed_above_db, pattern)
    crossed = found["oscilloscope_power_difference"]
    if isinstance(crossed, Contradiction):
        needing = ("oma_outer", "oma_outer_minus_tdecq")
        found |= {parameter: crossed for parameter in needing if isinstance(found[parameter], Measured)}
    return found


def _closed(run: Run, lane: int, look: _Look, above_db: float, pattern: str) -> dict[str, Value]:
    """Of a closed eye: a lower bound of TDECQ, if that says anything."""
    assert look.record is not None
    uncertainty_db = expanded(_budget("tdecq", look))
    limit = run.limits.resolve("tdecq", run.facts, lane=lane)
    if limit is None or limit.high is None or above_db < limit.high.value + uncertainty_db:
        dim = InvalidReadingError(
            "oscilloscope",
            f"lane {lane}: the equalised eye is closed, which with so little light on this oscilloscope says "
            f"only that TDECQ is above {above_db:.2f} dB",
            advice=f"Bring more light to {look.path.end}: a shorter way, cleaner fibres.",
        )
        needing = ("tdecq", "ceq", "tdecq_minus_ceq", "oma_outer_minus_tdecq")
        return dict.fromkeys(needing, Contradiction(dim))
    absent = NotOffered(f"the equalised eye is closed: TDECQ is above {above_db:.2f} dB; more is not known")
    bound = run.measured_from(look.record, lane=lane, uncertainty=uncertainty_db)(
        value=above_db,
        unit="dB",
        plane="TP2",
        detector=_BY_HARNESS,
        conditions={"pattern": pattern, **BACK_TO_BACK, "lower_bound": True},
    )
    return {"tdecq": bound, "ceq": absent, "tdecq_minus_ceq": absent, "oma_outer_minus_tdecq": absent}


def _value(run: Run, lane: int, look: _Look, parameter: str, pattern: str) -> Measured:
    assert look.record is not None
    by_harness = any(quantity in look.own for quantity in _OF[parameter])
    budget = _budget(parameter, look)
    measured = run.measured_from(look.record, lane=lane, uncertainty=expanded(budget))(
        value=_number(parameter, look),
        unit=_UNITS[parameter],
        plane="TP2",
        detector=_BY_HARNESS if by_harness else "oscilloscope",
        conditions={"pattern": pattern, **(BACK_TO_BACK if "tdecq" in parameter else {})},
    )
    facts = {
        fact: look.value(quantity)
        for fact, quantity in (("extinction_ratio", "extinction_ratio_db"), ("tdecq", "tdecq_db"))
        if look.usable(quantity)
    }
    return replace(measured, facts={**measured.facts, **facts})


def _number(parameter: str, look: _Look) -> float:
    def oma_dbm() -> float:
        return dbm_from_w(max(look.value("oma_outer_w"), 1e-15)) + look.path.loss_db

    match parameter:
        case "oma_outer":
            return oma_dbm()
        case "oma_outer_minus_tdecq":
            return oma_dbm() - look.value("tdecq_db")
        case "tdecq_minus_ceq":
            return look.value("tdecq_db") - look.value("ceq_db")
        case "transition_time":
            return look.value("transition_time_s") * 1e12
    return look.value(_OF[parameter][0])


def _budget(parameter: str, look: _Look) -> list[Contribution]:
    given = {}
    if parameter in {"oma_outer", "oma_outer_minus_tdecq"}:
        given["path"] = _path(look)
    if parameter == "extinction_ratio":
        given["dark_level"] = _dark_level(look)
    return budget_of(parameter).contributions(given)


def _path(look: _Look) -> Contribution:
    return from_expanded("path loss", look.path.uncertainty_db, "dB", " > ".join(look.path.hops))


# Of the trace's zero, half width: assumed, a few times what an input's dark calibration leaves.
_DARK_LEVEL_W = 1e-6


def _dark_level(look: _Look) -> Contribution:
    """What an error of the trace's zero does to the ratio: it adds to both levels."""
    ratio = 10.0 ** (look.value("extinction_ratio_db") / 10.0)
    zero_w = look.value("oma_outer_w") / max(ratio - 1.0, 1e-6) if look.usable("oma_outer_w") else 1e-4
    slope = 10.0 / math.log(10.0) * (1.0 / zero_w - 1.0 / (zero_w * ratio))
    return Contribution("dark level", slope * _DARK_LEVEL_W / math.sqrt(3.0), "dB", "1 uW, assumed")


def _cross_check(run: Run, lane: int, look: _Look, power: Measured | None, pattern: str) -> Value:
    """The oscilloscope's average power against the meter's, on ways of their own."""
    if power is None:
        return NotOffered("the power meter has no value of this lane at this corner to compare with")
    assert look.record is not None
    meter = from_expanded("power meter", power.uncertainty, "dB", power.acquisition_id)
    parameter = "oscilloscope_power_difference"
    budget = budget_of(parameter).contributions({"path": _path(look), "meter": meter})
    seen_dbm = dbm_from_w(max(look.value("average_power_w"), 1e-15)) + look.path.loss_db
    difference_db, uncertainty_db = seen_dbm - power.value, expanded(budget)
    if abs(difference_db) > _CROSS_CHECK * uncertainty_db:
        return Contradiction(
            InstrumentError(
                "oscilloscope",
                f"lane {lane}: {seen_dbm:.2f} dBm by the oscilloscope and {power.value:.2f} dBm by the power "
                f"meter, which agree within {uncertainty_db:.2f} dB when all is well",
                advice=f"Check and clean the fibres to {look.path.end}, and the losses in the bench file.",
            )
        )
    return run.measured_from(look.record, lane=lane, uncertainty=uncertainty_db)(
        value=difference_db,
        unit="dB",
        plane="TP2",
        detector="oscilloscope against power_meter",
        conditions={"pattern": pattern},
    )


def _difference(
    run: Run,
    record: Acquisition,
    lanes: Sequence[int],
    looks: Mapping[int, _Look],
    measured: Mapping[tuple[str, int | None], Value],
) -> Value:
    """Largest difference of OMAouter between two lanes."""
    levels = {lane: measured["oma_outer", lane] for lane in lanes}
    for value in levels.values():
        if not isinstance(value, Measured):
            return value if isinstance(value, (Contradiction, NotOffered)) else NotOffered(value.text)
    if len(lanes) < 2:
        return NotOffered("a module of one lane has no difference between lanes")
    found = [value for value in levels.values() if isinstance(value, Measured)]
    one, other = max(combinations(found, 2), key=lambda pair: abs(pair[0].value - pair[1].value))
    # Ways of different lanes are independent; the oscilloscope is the same, which is left on the safe side.
    uncertainty = math.hypot(one.uncertainty, other.uncertainty)
    return run.measured_from(record, lane=None, uncertainty=uncertainty)(
        value=abs(one.value - other.value),
        unit="dB",
        plane="TP2",
        detector="oscilloscope",
        conditions={"lanes": [one.lane, other.lane], "of": "OMAouter"},
    )


# -- what has no value ---------------------------------------------------------------------------------


def _powers(
    lit: Acquired | ModuleFault | None, lanes: Sequence[int]
) -> dict[int, Measured | Contradiction | None]:
    """What the power meter found of each lane at this corner; None: nothing."""
    found: dict[int, Measured | Contradiction | None] = dict.fromkeys(lanes)
    if isinstance(lit, Acquired):
        for lane in lanes:
            value = lit.measured.get(("average_launch_power", lane))
            if isinstance(value, (Measured, Contradiction)):
                found[lane] = value
    return found


def _lit(power: Measured | Contradiction | None) -> bool:
    if isinstance(power, Contradiction):
        return False
    return power is None or power.value >= LOWEST_MONITORED_DBM


def _dark(run: Run, record: Acquisition, lane: int, power: Measured) -> dict[str, Value]:
    """A lane that meter and monitor agree is dark has no OMA; more is not to be had of it."""
    text = f"the lane is dark: it launches {power.value:.1f} dBm"
    found: dict[str, Value] = dict.fromkeys(_OF, NotOffered(text))
    found["oma_outer"] = Checked(
        passed=False,
        text=text,
        source=f"transmitter table of {run.pmd.name}",
        acquisition_id=record.acquisition_id,
        acquired_at=record.at,
        lane=lane,
    )
    return found


def _invalid(lane: int, look: _Look, needs: Sequence[str]) -> Contradiction:
    if look.fault is not None:
        return Contradiction(look.fault)
    for quantity in needs:
        reading = look.readings.get(quantity)
        if reading is None or reading.value is None or reading.questionable:
            what = "no valid" if reading is None or reading.value is None else "only a questionable"
            reason = reading.reason if reading else "it was not answered"
            fault = InvalidReadingError(
                "oscilloscope",
                f"lane {lane}: {what} value of {quantity} in {ATTEMPTS} attempts: {reason}",
                advice="Look at the eye on its screen; check light, scale and the locks.",
            )
            return Contradiction(fault)
    raise AssertionError("nothing is missing")


def _nothing(run: Run, lanes: Sequence[int], lacking: NotOffered) -> Acquired:
    """No pattern that an oscilloscope could lock on."""
    record = run.record_acquisition(
        NAME, run.bench.clock.now_s(), conditions={"pattern": "none"}, data={}, budget=[]
    )
    measured: dict[tuple[str, int | None], Value] = {
        (parameter, lane): lacking for parameter in (*_OF, "signalling_rate_offset") for lane in lanes
    }
    measured["lane_oma_difference", None] = lacking
    return Acquired(record, measured)
