"""Tx disable and forced squelch, with the power meter as proof; Rx outputs and polarities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from drivers.cmis import information
from drivers.cmis.codes import DataPathState
from drivers.cmis.diagnostics import Diagnostics, Loopback, Side
from drivers.cmis.errors import NotAdvertisedError
from drivers.cmis.lane_controls import LaneControl, is_advertised, lanes_on, set_lanes
from drivers.cmis.wording import where
from drivers.errors import InstrumentError
from drivers.units import w_from_dbm
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks, host_lanes_in_use, module_kept_up
from harness.acquisitions.cmis.low_power import DARK_DBM
from harness.acquisitions.cmis.optical import levels_dbm, require_modules_own, route_or_not
from harness.acquisitions.launch_power import (
    LOWEST_MONITORED_DBM,
    MONITOR_REFRESH_S,
    TX_ENABLE_S,
    disable_settling_s,
)
from harness.run import Run

_HALF_DB = 3.0
_EFFECT_S = 0.1  # rxdis, Table 10-5
_LOCK_S = 0.5  # for the receivers to lock to the light; CMIS gives no time [uncertain]
_LOOK_S = 0.02
_BACK_S = 10.0  # for a module that is late, so that what comes next is not laid to it as well


def cmis_tx_disable(run: Run, lanes: Sequence[int]) -> Acquired:
    """OutputDisableTx and OutputSquelchForceTx on all lanes: states, light, monitors.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_tx_disable")
    with module_kept_up(run):
        _disable(checks, lanes)
        _one_lane(checks, lanes)
        _squelch(checks, lanes)
    return checks.acquired()


def _disable(checks: Checks, lanes: Sequence[int]) -> None:
    run = checks.run
    module, clock = run.module, run.bench.clock
    optical = ("tx_disable_dark", "tx_enable_light")
    others = ("tx_disable_state", "tx_enable_state", "monitors_follow", "tx_disable_flags")
    with checks.about(*optical, *others):
        if not is_advertised(module, LaneControl.OUTPUT_DISABLE_TX):
            reason = "the module does not advertise OutputDisableTx (01h:155.1)"
            checks.leave(reason, *optical, *others, "tx_disable_one_lane")
            return
        routed = route_or_not(checks, lanes, *optical) is not None
        host_lanes = host_lanes_in_use(run)
        lit = levels_dbm(run, lanes) if routed else {}
        before = _monitors(run, lanes)
        settling_s = disable_settling_s(module)
        module.flags()
        start_s = clock.now_s()
        module.set_output_disable_tx(lanes)
        clock.sleep(max(0.0, start_s + settling_s - clock.now_s()))
        dark = levels_dbm(run, lanes) if routed else {}
        states = _settled(run, host_lanes, DataPathState.DPInitialized, settling_s)
        if routed:
            bright = {lane: level for lane, level in dark.items() if level > min(DARK_DBM, lit[lane] - 10.0)}
            if bright:
                require_modules_own(run, lanes)
            unlit = [lane for lane in lanes if lit[lane] < LOWEST_MONITORED_DBM]
            checks.data["disabled_dbm"] = _keyed(dark)
            if unlit:
                reason = f"no light arrived from lanes {unlit} before: darkness would prove nothing"
                checks.leave(reason, *optical)
            checks.say(
                "tx_disable_dark",
                not bright,
                f"{settling_s:g} s after OutputDisableTx (10h:130): {_listed(bright or dark)}",
            )
        wrong = {
            lane: states[lane - 1].name
            for lane in host_lanes
            if states[lane - 1] is not DataPathState.DPInitialized
        }
        early = information.get_int(module.registers, "CmisRevisionMajor") < 4
        if early:
            checks.leave("DPInitialized came with CMIS 4.0", "tx_disable_state")
        checks.say(
            "tx_disable_state", not wrong, f"data paths with all outputs disabled: {wrong or 'DPInitialized'}"
        )
        clock.sleep(MONITOR_REFRESH_S)
        _follow(checks, lit, before, _monitors(run, lanes))
        flags = module.flags()
        failed = flags.lanes.get("FailureFlagTx", ())
        checks.say(
            "tx_disable_flags",
            not failed,
            f"FailureFlagTx (11h:135) of outputs that were disabled: {failed or 'none'}",
        )
        start_s = clock.now_s()
        module.set_output_disable_tx(())
        allowed_s = TX_ENABLE_S + module.duration_s("MaxDurationDPTxTurnOn")
        clock.sleep(max(0.0, start_s + allowed_s - clock.now_s()))
        if routed:
            again = levels_dbm(run, lanes)
            weak = {lane: level for lane, level in again.items() if level < lit[lane] - _HALF_DB}
            checks.data["enabled_dbm"] = _keyed(again)
            checks.say(
                "tx_enable_light",
                not weak,
                f"{allowed_s:g} s after OutputDisableTx was cleared: {_listed(weak or again)}; "
                f"before: {_listed(lit)}",
            )
        states = module.data_path_states()
        wrong = {
            lane: states[lane - 1].name
            for lane in host_lanes
            if states[lane - 1] is not DataPathState.DPActivated
        }
        checks.say(
            "tx_enable_state", not wrong, f"data paths {allowed_s:g} s after it: {wrong or 'DPActivated'}"
        )
        _settled(run, host_lanes, DataPathState.DPActivated, _BACK_S)


def _follow(
    checks: Checks,
    lit: Mapping[int, float],
    before: Mapping[int, tuple[float | None, float | None]],
    after: Mapping[int, tuple[float | None, float | None]],
) -> None:
    """The Tx monitors, with light and without. ``lit``: dBm at the meter before, where there is one."""
    wrong = []
    watched = False
    least_w = w_from_dbm(LOWEST_MONITORED_DBM)
    for lane, (power_w, bias_ma) in before.items():
        dark_w, dark_ma = after[lane]
        shone = lit.get(lane, -100.0) > LOWEST_MONITORED_DBM
        if power_w is not None and dark_w is not None:
            watched |= shone or power_w > least_w
            if shone and power_w < least_w / 10.0:
                wrong.append(
                    f"TxPower of lane {lane} reads {power_w * 1e3:.4f} mW with {lit[lane]:.1f} dBm of light"
                )
            if power_w > least_w and dark_w > power_w / 10.0:
                wrong.append(
                    f"TxPower of lane {lane} reads {dark_w * 1e3:.3f} mW, {power_w * 1e3:.3f} mW with light"
                )
        if bias_ma is not None and dark_ma is not None:
            watched = True
            if shone and not bias_ma:
                wrong.append(f"TxBias of lane {lane} reads 0 with {lit[lane]:.1f} dBm of light")
            if bias_ma and dark_ma == bias_ma:
                wrong.append(f"TxBias of lane {lane} stands at {bias_ma:.3f} mA")
    checks.data["monitors"] = {str(lane): [before[lane], after[lane]] for lane in before}
    if not watched:
        checks.leave("the module has no Tx monitors that show anything (01h:160)", "monitors_follow")
    checks.say(
        "monitors_follow",
        not wrong,
        f"{MONITOR_REFRESH_S:g} s after the outputs were disabled (page 11h): "
        f"{'; '.join(wrong) or 'the monitors fell'}",
    )


def _one_lane(checks: Checks, lanes: Sequence[int]) -> None:
    run = checks.run
    module = run.module
    with checks.about("tx_disable_one_lane"):
        if len(lanes) < 2 or module.get("TxDisableIsModuleWide"):
            checks.leave(
                "the module turns its transmitters off only all together (01h:151.0)", "tx_disable_one_lane"
            )
            return
        if route_or_not(checks, lanes, "tx_disable_one_lane") is None:
            return
        host_lanes = host_lanes_in_use(run)
        lit = levels_dbm(run, lanes)
        module.set_output_disable_tx(lanes[:1])
        run.bench.clock.sleep(disable_settling_s(module))
        seen = levels_dbm(run, lanes)
        fell = [lane for lane in lanes if seen[lane] < lit[lane] - _HALF_DB]
        if fell and lanes[0] not in fell:
            _require_not_exchanged(run, lanes, lit)
        module.set_output_disable_tx(())
        _settled(run, host_lanes, DataPathState.DPActivated, _BACK_S)
        checks.say(
            "tx_disable_one_lane",
            fell == list(lanes[:1]),
            f"OutputDisableTx of lane {lanes[0]} alone: dark are lanes {fell or 'none'}; {_listed(seen)}",
        )


def _require_not_exchanged(run: Run, lanes: Sequence[int], lit: Mapping[int, float]) -> None:
    """Another port than that of the first lane, which alone is disabled, is dark: by the module's own
    monitors it is the module's doing, or the fibres'.

    :raises InstrumentError: when its monitors say that the right lane is dark.
    """
    run.bench.clock.sleep(MONITOR_REFRESH_S)
    seen = levels_dbm(run, lanes)
    least_w = w_from_dbm(LOWEST_MONITORED_DBM)
    told = {lane: power_w for lane, (power_w, _) in _monitors(run, lanes).items() if power_w is not None}
    inside = [lane for lane, power_w in told.items() if power_w < least_w]
    fell = [lane for lane in lanes if seen[lane] < lit[lane] - _HALF_DB]
    if inside == list(lanes[:1]) and fell and lanes[0] not in fell:
        raise InstrumentError(
            "power_meter",
            f"with OutputDisableTx of lane {lanes[0]} the ports of lanes {fell} are dark, and the module's "
            f"monitors say that lane {lanes[0]} is",
            advice="Check cassette, fan-out and matrix wiring: two fibres are exchanged.",
        )


def _squelch(checks: Checks, lanes: Sequence[int]) -> None:
    run = checks.run
    module, clock = run.module, run.bench.clock
    with checks.about("tx_squelch", "tx_squelch_released"):
        host_lanes = host_lanes_in_use(run)
        method = information.get_int(module.registers, "SquelchMethodTx")
        if method == 0 or not is_advertised(module, LaneControl.SQUELCH_FORCE_TX):
            reason = "the module does not advertise forced squelch (01h:155.3, 155.5-4)"
            checks.leave(reason, "tx_squelch", "tx_squelch_released")
            return
        if method == 1:
            reason = "the module squelches by OMA (01h:155.5-4), which an average power meter does not see"
            checks.leave(reason, "tx_squelch", "tx_squelch_released")
            return
        if route_or_not(checks, lanes, "tx_squelch", "tx_squelch_released") is None:
            return
        lit = levels_dbm(run, lanes)
        select = information.get_int(module.registers, "SquelchMethodSelect")
        if method == 3:
            module.set_and_verify("SquelchMethodSelect", 1)
        set_lanes(module, LaneControl.SQUELCH_FORCE_TX, lanes, True)
        clock.sleep(disable_settling_s(module))
        seen = levels_dbm(run, lanes)
        set_lanes(module, LaneControl.SQUELCH_FORCE_TX, lanes, False)
        clock.sleep(TX_ENABLE_S + module.duration_s("MaxDurationDPTxTurnOn"))
        again = levels_dbm(run, lanes)
        if method == 3:
            module.set_and_verify("SquelchMethodSelect", select)
        bright = {lane: level for lane, level in seen.items() if level > lit[lane] - 10.0}
        weak = {lane: level for lane, level in again.items() if level < lit[lane] - _HALF_DB}
        checks.say(
            "tx_squelch", not bright, f"with OutputSquelchForceTx (10h:132): {_listed(bright or seen)}"
        )
        checks.say("tx_squelch_released", not weak, f"after it was released: {_listed(weak or again)}")
        _settled(run, host_lanes, DataPathState.DPActivated, _BACK_S)


_FLIPS = {
    "auto_squelch_disable_tx": LaneControl.AUTO_SQUELCH_DISABLE_TX,
    "auto_squelch_disable_rx": LaneControl.AUTO_SQUELCH_DISABLE_RX,
    "input_polarity_flip_tx": LaneControl.INPUT_POLARITY_FLIP_TX,
    "output_polarity_flip_rx": LaneControl.OUTPUT_POLARITY_FLIP_RX,
}


def cmis_lane_controls(run: Run, _lanes: Sequence[int] = ()) -> Acquired:
    """Controls of single lanes that are advertised: taken, read back, harmless to the data path, undone.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_lane_controls")
    module = run.module
    with module_kept_up(run):
        host_lanes = host_lanes_in_use(run)
        for parameter, control in _FLIPS.items():
            with checks.about(parameter):
                before = lanes_on(module, control)
                try:
                    found = set_lanes(module, control, (1,), True)
                    states = module.data_path_states()
                finally:
                    if 1 not in before and is_advertised(module, control):
                        set_lanes(module, control, (1,), False)
                down = [lane for lane in host_lanes if states[lane - 1] is not DataPathState.DPActivated]
                checks.say(
                    parameter,
                    1 in found and not down,
                    f"{where(control.value)} set on lane 1 reads back {found}; data paths that "
                    f"went: {down or 'none'}",
                )
        _rx_output(checks, host_lanes)
    return checks.acquired()


def _rx_output(checks: Checks, host_lanes: Sequence[int]) -> None:
    """With the module's own light on its receivers where it can: without any no host output is valid."""
    run = checks.run
    module = run.module
    with checks.about("output_disable_rx", "output_disable_rx_state"):
        if not is_advertised(module, LaneControl.OUTPUT_DISABLE_RX):
            reason = "the module does not advertise OutputDisableRx (01h:156.1)"
            checks.leave(reason, "output_disable_rx", "output_disable_rx_state")
            return
        diagnostics = Diagnostics(module)
        looped: tuple[int, ...] = ()
        with suppress(NotAdvertisedError):
            if Loopback.MEDIA_OUTPUT in diagnostics.capabilities.loopbacks:
                looped = diagnostics.lanes_present(Side.MEDIA)
                diagnostics.set_loopback(Loopback.MEDIA_OUTPUT, looped)
        try:
            _host_outputs(checks, host_lanes)
        finally:
            if looped:
                diagnostics.set_loopback(Loopback.MEDIA_OUTPUT, looped, on=False)


def _host_outputs(checks: Checks, host_lanes: Sequence[int]) -> None:
    run = checks.run
    module, clock = run.module, run.bench.clock
    control = LaneControl.OUTPUT_DISABLE_RX
    clock.sleep(_LOCK_S)
    before = information.lanes_set(module.registers, "OutputStatusRx")
    set_lanes(module, control, host_lanes, True)
    clock.sleep(_EFFECT_S)
    during = information.lanes_set(module.registers, "OutputStatusRx")
    states = module.data_path_states()
    set_lanes(module, control, host_lanes, False)
    clock.sleep(_EFFECT_S)
    after = information.lanes_set(module.registers, "OutputStatusRx")
    lit = sorted(set(during) & set(host_lanes))
    down = [lane for lane in host_lanes if states[lane - 1] is not DataPathState.DPActivated]
    checks.say(
        "output_disable_rx_state",
        not down,
        f"data paths that OutputDisableRx took down: host lanes {down or 'none'}",
    )
    if not set(before) & set(host_lanes):
        checks.leave(
            "no host output was valid before (11h:132): there is no light to be received", "output_disable_rx"
        )
        return
    checks.say(
        "output_disable_rx",
        not lit and set(after) >= set(before),
        f"{where('OutputStatusRx')}: valid on host lanes {before} before, {lit or 'none'} with "
        "OutputDisableRx "
        f"(10h:138), {after or 'none'} after it",
    )


def _settled(
    run: Run, host_lanes: Sequence[int], wanted: DataPathState, limit_s: float
) -> tuple[DataPathState, ...]:
    clock = run.bench.clock
    until_s = clock.now_s() + limit_s
    while True:
        states = run.module.data_path_states()
        if all(states[lane - 1] is wanted for lane in host_lanes) or clock.now_s() >= until_s:
            return states
        clock.sleep(_LOOK_S)


def _monitors(run: Run, lanes: Sequence[int]) -> dict[int, tuple[float | None, float | None]]:
    monitors = {monitor.lane: monitor for monitor in run.module.lane_monitors()}
    return {lane: (monitors[lane].tx_power_w, monitors[lane].bias_ma) for lane in lanes}


def _keyed(levels: Mapping[int, float]) -> dict[str, float]:
    return {str(lane): level for lane, level in levels.items()}


def _listed(levels: Mapping[int, float]) -> str:
    return ", ".join(f"lane {lane} {level:.1f} dBm" for lane, level in levels.items())


__all__ = ["cmis_lane_controls", "cmis_tx_disable"]
