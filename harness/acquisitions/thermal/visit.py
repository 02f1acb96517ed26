"""What a visit adds to launch power and housekeeping: bias, power class, flags of the temperature, and the
way up against the way down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final

from drivers.cmis import information
from drivers.cmis.wording import where
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.launch_power import LOWEST_MONITORED_DBM
from harness.acquisitions.thermal.definition import thermal_definition
from harness.judging.budgets import budget_of
from harness.judging.measured import Checked, Contradiction, Measured, ModuleFault, NotOffered
from harness.judging.uncertainty import Contribution, expanded, from_half_width
from harness.run import Run

NAME = "thermal_visit"
# Power classes of 00h:200 by QSFP-DD's and OSFP's specifications (recalled, not read); class 8 is "more than
# that of class 7".
CLASS_CEILINGS_W: Final = {1: 1.5, 2: 3.5, 3: 7.0, 4: 8.0, 5: 10.0, 6: 12.0, 7: 14.0}
_BIAS_SHARE = 0.1
"""Of a module's bias monitor, by data sheets."""
_TON_FLAG_S = 0.2  # Table 10-5
_DATA_SHEETS = "module data sheets: bias monitor within 10 %"


def thermal_visit(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """Bias and temperature flags at a visit, and what follows from ``before``: ``launch_power`` and
    ``housekeeping`` of the same corner.

    Gives, per lane, ``tx_bias`` (mA, by the module's monitor) and ``launch_power_hysteresis`` (dB, here less
    at the first visit of this temperature); of the module ``power_class_consumption`` (W, against the ceiling
    of its class), ``temperature_flags``, ``high_temperature_alarm`` and ``thermal_runaway``.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    bench, module = run.bench, run.module
    start_s = bench.clock.now_s()
    run.require_module_up()
    power = before.get("launch_power")
    drawn = before.get("housekeeping")
    supported = bool(module.get("TxBiasMonSupported"))
    bias_ma = {monitor.lane: monitor.bias_ma for monitor in module.lane_monitors() if monitor.lane in lanes}
    flags = _temperature_flags(run)
    hysteresis = {lane: _against_first_visit(run, lane, power) for lane in lanes}
    of_bias = {
        lane: [from_half_width("bias monitor", _BIAS_SHARE * (value or 0.0), "mA", _DATA_SHEETS)]
        for lane, value in bias_ma.items()
    }
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={},
        data={
            "tx_bias_ma": {str(lane): value for lane, value in bias_ma.items()},
            "temperature": flags,
            "power_class": module.get("ModulePowerClass"),
        },
        budget=[
            *(
                {"lane": lane, "parameter": "tx_bias", **asdict(entry)}
                for lane, entries in of_bias.items()
                for entry in entries
            ),
            *(
                {"lane": lane, "parameter": "launch_power_hysteresis", **asdict(entry)}
                for lane, found in hysteresis.items()
                if isinstance(found, tuple)
                for entry in found[1]
            ),
        ],
    )
    measured: dict[tuple[str, int | None], Value] = {
        ("power_class_consumption", None): _of_class(run, record.data["power_class"], drawn),
        ("temperature_flags", None): _judged_flags(flags, record.acquisition_id, record.at),
        ("high_temperature_alarm", None): _alarm(flags, record.acquisition_id, record.at),
        ("thermal_runaway", None): Checked(
            True,
            f"the case stayed where it was held; monitor {flags['monitor_c']:.1f} C",
            "choice of this harness (docs/plans.md)",
            record.acquisition_id,
            record.at,
        ),
    }
    for lane in lanes:
        value = bias_ma.get(lane)
        if not supported or value is None:
            measured["tx_bias", lane] = NotOffered(
                f"the module has no bias monitor ({where('TxBiasMonSupported')})"
            )
        else:
            measured["tx_bias", lane] = run.measured_from(
                record, lane=lane, uncertainty=expanded(of_bias[lane])
            )(value=value, unit="mA", plane="module", detector="module monitor")
        found = hysteresis[lane]
        if isinstance(found, tuple):
            change = run.measured_from(record, lane=lane, uncertainty=expanded(found[1]))
            measured["launch_power_hysteresis", lane] = change(
                value=found[0], unit="dB", plane="TP2", detector="power_meter", conditions=found[2]
            )
        else:
            measured["launch_power_hysteresis", lane] = found
    return Acquired(record, measured)


# -- up and down ---------------------------------------------------------------------------------------


def _against_first_visit(
    run: Run, lane: int, power: Acquired | ModuleFault | None
) -> tuple[float, list[Contribution], dict[str, Any]] | NotOffered | Contradiction:
    """What the lane launches here less what it launched at the first visit of this temperature and supply,
    which this one may be: then there is nothing to compare it with."""
    assert run.conditions is not None
    corner = run.conditions.corner
    if not isinstance(power, Acquired):
        return NotOffered("launch power was not measured here")
    here = power.measured.get(("average_launch_power", lane))
    if isinstance(here, Contradiction):
        return here
    if not isinstance(here, Measured):
        return NotOffered("launch power was not measured here")
    repeatability = math.hypot(
        *(
            entry["standard"]
            for entry in power.record.budget
            if entry["lane"] == lane and entry["name"] == "repeatability"
        ),
        0.0,
    )
    first = run.memory.setdefault(NAME, {}).setdefault(
        (corner.case_temp_c, corner.vcc_v, lane), (corner.visit, here.value, repeatability)
    )
    visit, first_dbm, first_repeatability = first
    if visit == corner.visit:
        return NotOffered(f"this is the first visit of {corner.text()}")
    if min(here.value, first_dbm) < LOWEST_MONITORED_DBM:
        return NotOffered(f"dark: {here.value:.1f} dBm here, {first_dbm:.1f} dBm at visit {visit}")
    both = Contribution(
        "repeatability", math.hypot(repeatability, first_repeatability), "dB", "readings of both visits"
    )
    budget = budget_of("launch_power_hysteresis").contributions({"repeatability": both})
    return here.value - first_dbm, budget, {"first_visit": visit}


# -- power class ---------------------------------------------------------------------------------------


def _of_class(run: Run, power_class: int, drawn: Acquired | ModuleFault | None) -> Value:
    if not isinstance(drawn, Acquired):
        return NotOffered("consumption was not measured here")
    consumption = drawn.measured.get(("power_consumption", None))
    if not isinstance(consumption, Measured):
        return NotOffered("consumption was not measured here")
    ceiling_w = CLASS_CEILINGS_W.get(power_class)
    if ceiling_w is None:
        return NotOffered(f"power class {power_class} has no ceiling ({where('ModulePowerClass')})")
    return Measured(
        consumption.value,
        consumption.unit,
        consumption.uncertainty,
        consumption.plane,
        consumption.detector,
        consumption.acquisition_id,
        consumption.acquired_at,
        conditions={"power_class": power_class},
        facts={**run.facts, "power_class_w": ceiling_w},
    )


# -- temperature flags ---------------------------------------------------------------------------------


def _temperature_flags(run: Run) -> dict[str, Any]:
    """Flags of the temperature as they are now, not as they were latched, beside monitor and thresholds."""
    module = run.module
    module.flags()
    run.bench.clock.sleep(_TON_FLAG_S)
    raised = module.flags().module
    thresholds = module.thresholds().get("temperature_c")
    registers = module.registers
    found: dict[str, Any] = {
        "monitor_c": module.temperature_c(),
        "case_c": run.bench.case_sensor.read_case_c(),
        "highest_case_c": information.get_float(registers, "ModuleTempMax"),
        "lowest_case_c": information.get_float(registers, "ModuleTempMin"),
        "raised": [name for name in raised if name.startswith("TempMon")],
        "thresholds": {},
    }
    if thresholds is not None and not thresholds.problem:
        found["thresholds"] = {
            "HighAlarm": thresholds.high_alarm,
            "HighWarning": thresholds.high_warning,
            "LowWarning": thresholds.low_warning,
            "LowAlarm": thresholds.low_alarm,
        }
    return found


def _judged_flags(found: Mapping[str, Any], acquisition_id: str, at: str) -> Value:
    thresholds: Mapping[str, float] = found["thresholds"]
    if not any(thresholds.values()):
        return NotOffered("the module gives no thresholds of its temperature (02h:128-135)")
    monitor_c, near_k = found["monitor_c"], thermal_definition().flags_near_k
    wrong = []
    for side, threshold_c in thresholds.items():
        beyond_k = (monitor_c - threshold_c) * (1.0 if side.startswith("High") else -1.0)
        name = f"TempMon{side}Flag"
        is_set = name in found["raised"]
        if abs(beyond_k) > near_k and is_set != (beyond_k > 0.0):
            wrong.append(f"{where(name)} is {int(is_set)}, the threshold is {threshold_c:g} C")
    text = f"temperature monitor {monitor_c:.2f} C: " + ("; ".join(wrong) or "its four flags agree")
    return Checked(not wrong, text, "OIF-CMIS-05.4 8.2 lower:9, 8.5 02h:128-135", acquisition_id, at)


def _alarm(found: Mapping[str, Any], acquisition_id: str, at: str) -> Value:
    """The high alarm where the module is hot enough for it, and else what stands in the way."""
    alarm_c = found["thresholds"].get("HighAlarm")
    if not alarm_c:
        return NotOffered("the module gives no high alarm of its temperature (02h:128)")
    if found["monitor_c"] >= alarm_c + thermal_definition().flags_near_k:
        is_set = "TempMonHighAlarmFlag" in found["raised"]
        text = (
            f"temperature monitor {found['monitor_c']:.1f} C, alarm at {alarm_c:g} C: "
            f"{where('TempMonHighAlarmFlag')} is {int(is_set)}"
        )
        return Checked(is_set, text, "OIF-CMIS-05.4 8.2 lower:9.0, 8.5 02h:128", acquisition_id, at)
    highest_c, lowest_c = found["highest_case_c"], found["lowest_case_c"]
    needed_c = alarm_c - (found["monitor_c"] - found["case_c"])
    if highest_c == lowest_c == 0.0:
        reason = "and the module does not say how hot its case may be (01h:146)"
    elif needed_c > highest_c:
        reason = f"and the module allows {highest_c:g} C (01h:146)"
    else:
        reason = "which the module allows (01h:146), but this plan heats no further than its visits"
    return NotOffered(
        f"the high alarm is at {alarm_c:g} C (02h:128) of the module's monitor, which reads "
        f"{found['monitor_c']:.1f} C with the case at {found['case_c']:.1f} C: the case would have to be at "
        f"{needed_c:.1f} C, {reason}. "
        "Alarm, throttling and recovery are not seen"
    )
