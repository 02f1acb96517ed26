"""Flags, masks and the interrupt: raised, latched, cleared by reading, set again while their cause lasts."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.cmis import information
from drivers.cmis.codes import DataPathState
from drivers.cmis.flags import advertised_flags, interrupt
from drivers.cmis.image import HALF
from drivers.cmis.lane_controls import LaneControl, is_advertised
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.monitors import MonitorReading, read_lane_readings, read_module_monitors
from drivers.cmis.wording import where
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks, host_lanes_in_use, module_kept_up
from harness.acquisitions.launch_power import TX_ENABLE_S, disable_settling_s
from harness.run import Run

_TON_FLAG_S = 0.2  # ton_flag, ton_Int: Table 10-5
_MASK_S = 0.1
_MARGIN = 0.1
"""Share of a limit within which a value may be on either side of it by the time its flag is looked at."""
_EVENTS = ("DPStateChangedFlag", "OutputStatusChangedFlagRx", "ModuleStateChangedFlag")
_FLAG_OF = {
    "temperature": ("TempMon{}Flag", ""),
    "vcc": ("VccMon{}Flag", ""),
    "tx_power": ("OpticalPower{}FlagTx", "TxOpticalPowerMonSupported"),
    "tx_bias": ("LaserBias{}FlagTx", "TxBiasMonSupported"),
    "rx_power": ("OpticalPower{}FlagRx", "RxOpticalPowerMonSupported"),
}
_SIDES = {
    "HighAlarm": (1, "high_alarm"),
    "LowAlarm": (-1, "low_alarm"),
    "HighWarning": (1, "high_warning"),
    "LowWarning": (-1, "low_warning"),
}


def cmis_flags(run: Run, lanes: Sequence[int]) -> Acquired:
    """An event of one lane (OutputDisableTx) followed through flag, summary, mask and interrupt.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_flags")
    with module_kept_up(run):
        _cleared(checks)
        _against_monitors(checks)
        _interrupt(checks, lanes)
    return checks.acquired()


def _cleared(checks: Checks) -> None:
    run = checks.run
    with checks.about("flags_cleared_by_reading", "flags_set_again"):
        run.module.flags()
        run.bench.clock.sleep(_TON_FLAG_S)
        lasting = run.module.flags()
        run.bench.clock.sleep(_TON_FLAG_S)
        again = run.module.flags()
        events = [name for name in _EVENTS if name in again.module or again.lanes.get(name)]
        checks.say(
            "flags_cleared_by_reading",
            not events,
            f"events that are flagged again without happening: {events or 'none'}",
        )
        conditions = {name: found for name, found in lasting.lanes.items() if name not in _EVENTS}
        if not conditions:
            checks.leave(
                "no flag tells of anything that lasts: nothing shows whether it is set again",
                "flags_set_again",
            )
        lost = {
            name: sorted(set(found) - set(again.lanes.get(name, ()))) for name, found in conditions.items()
        }
        lost = {name: found for name, found in lost.items() if found}
        checks.data["lasting"] = {name: list(found) for name, found in conditions.items()}
        checks.say(
            "flags_set_again",
            not lost,
            f"flags of what lasts, {_TON_FLAG_S:g} s after they were cleared: "
            f"{'lost ' + str(lost) if lost else 'set again'}",
        )


def _against_monitors(checks: Checks) -> None:
    run = checks.run
    registers = run.module.registers
    with checks.about("flags_agree_with_monitors"):
        readings: list[MonitorReading] = [
            reading
            for reading in (*read_module_monitors(registers), *read_lane_readings(registers))
            if reading.key in _FLAG_OF and reading.value is not None and reading.thresholds is not None
        ]
        run.module.flags()
        run.bench.clock.sleep(_TON_FLAG_S)
        flags = run.module.flags()
        wrong, compared = [], 0
        for reading in readings:
            for side, (sign, attribute) in _SIDES.items():
                limit = getattr(reading.thresholds, attribute)
                distance = sign * ((reading.value or 0.0) - limit)
                if abs(distance) <= _MARGIN * abs(limit) or not limit:
                    continue
                name = _FLAG_OF[reading.key][0].format(side)
                is_set = (
                    name in flags.module
                    if reading.lane is None
                    else reading.lane in flags.lanes.get(name, ())
                )
                compared += 1
                if is_set != (distance > 0.0):
                    lane = "" if reading.lane is None else f" of lane {reading.lane}"
                    wrong.append(
                        f"{where(name)}{lane} is {int(is_set)}, {reading.name} reads "
                        f"{reading.value:.4g} {reading.unit}, "
                        f"the limit is {limit:.4g}"
                    )
        if not compared:
            checks.leave("the module has no monitors with thresholds", "flags_agree_with_monitors")
        checks.say("flags_agree_with_monitors", not wrong, "; ".join(wrong) or f"{compared} flags agree")


def _mask_bytes(run: Run) -> tuple[tuple[int, int], ...]:
    """(page, byte) of the masks of all flags that the module advertises."""
    return tuple(
        dict.fromkeys(
            (0 if field.byte < HALF else field.page, byte)
            for field in (FIELDS[definition.mask] for definition in advertised_flags(run.module.registers))
            for byte in range(field.byte, field.byte + field.size)
        )
    )


def _interrupt(checks: Checks, lanes: Sequence[int]) -> None:
    run = checks.run
    module, clock, pins = run.module, run.bench.clock, run.bench.host_board.pins
    names = ("interrupt_raised", "interrupt_cleared", "flag_summary", "flag_latched")
    with checks.about("masks_read_back", "interrupt_masked", *names):
        memory = module.memory
        found = {(page, byte): memory.read(0, page, byte, 1)[0] for page, byte in _mask_bytes(run)}
        try:
            for page, byte in found:
                memory.write(0, page, byte, b"\xff")
            unset = [
                where(definition.mask)
                for definition in advertised_flags(module.registers)
                if not _masked(run, definition.mask)
            ]
            checks.say(
                "masks_read_back",
                not unset,
                f"not set after FFh was written to {len(found)} bytes of masks: {', '.join(unset) or 'none'}",
            )
            _read_all(run)
            clock.sleep(_MASK_S)
            quiet = interrupt(module.registers, pins)
            checks.say(
                "interrupt_masked",
                not quiet.by_register and not quiet.by_pin,
                f"with all flags masked: {quiet.text}",
            )
            _raise(checks, lanes, names)
        finally:
            for (page, byte), value in found.items():
                memory.write(0, page, byte, bytes([value]))


def _raise(checks: Checks, lanes: Sequence[int], names: Sequence[str]) -> None:
    run = checks.run
    module, clock, pins = run.module, run.bench.clock, run.bench.host_board.pins
    if not is_advertised(module, LaneControl.OUTPUT_DISABLE_TX):
        checks.leave(
            "without OutputDisableTx (01h:155.1) there is no event that disturbs little enough", *names
        )
        return
    if information.get_int(module.registers, "CmisRevisionMajor") < 4:
        checks.leave("before CMIS 4.0 OutputDisableTx changes no data path's state", *names)
        return
    host_lanes = host_lanes_in_use(run)
    module.set("DPStateChangedMask", (False,) * 8)
    module.set_output_disable_tx(lanes)
    clock.sleep(disable_settling_s(module) + _TON_FLAG_S)
    raised = interrupt(module.registers, pins)
    summary = information.get_int(module.registers, "FlagSummaryLanesBank0")
    # The event is past: what is found now was latched.
    latched = module.flags().lanes.get("DPStateChangedFlag", ())
    clock.sleep(_TON_FLAG_S)
    cleared = interrupt(module.registers, pins)
    module.set_output_disable_tx(())
    until_s = clock.now_s() + TX_ENABLE_S + 2 * module.duration_s("MaxDurationDPTxTurnOn")
    while clock.now_s() < until_s and any(
        module.data_path_states()[lane - 1] is not DataPathState.DPActivated for lane in host_lanes
    ):
        clock.sleep(0.05)
    cause = "after OutputDisableTx, DPStateChanged unmasked (10h:213)"
    checks.say(
        "interrupt_raised", raised.by_register and raised.by_pin is not False, f"{cause}: {raised.text}"
    )
    checks.say("flag_summary", bool(summary), f"{where('FlagSummaryLanesBank0')} {cause}: {summary}")
    checks.say(
        "flag_latched",
        set(latched) >= set(host_lanes),
        f"{where('DPStateChangedFlag')} {cause}: host lanes {latched or 'none'}",
    )
    checks.say(
        "interrupt_cleared",
        not cleared.by_register and not cleared.by_pin,
        f"{_TON_FLAG_S:g} s after the flags were read: {cleared.text}",
    )


def _masked(run: Run, name: str) -> bool:
    value = run.module.get(name)
    if not isinstance(value, tuple):
        return bool(value)
    # Of lanes that are not there a mask may stay 0.
    return all(value[lane - 1] for lane in run.pmd.lane_numbers())


def _read_all(run: Run) -> None:
    """Read every latched flag away, VDM's too: page by page, as far as it is advertised."""
    run.module.flags()
    if information.get_int(run.module.registers, "VDMPagesSupported"):
        run.module.memory.read(0, 0x2C, HALF, HALF)


__all__ = ["cmis_flags"]
