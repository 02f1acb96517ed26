"""Low power by register and by pin, and back (OIF-CMIS-05.4 §6.3.2), with dark fibres and the supply's word
for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.cmis import information
from drivers.cmis.codes import DataPathState, ModuleState
from drivers.cmis.errors import CmisError
from drivers.cmis.states import advertised_s, to_low_power_s, wait_for_data_paths
from drivers.cmis.wording import where
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks, host_lanes_in_use, module_kept_up
from harness.acquisitions.cmis.optical import levels_dbm, require_modules_own, route_or_not
from harness.acquisitions.cmis.timing import State, Watched, legal, say_share, watch_states
from harness.run import Run

_M = ModuleState
_DOWN = (_M.ModuleReady, _M.ModulePwrDn, _M.ModuleLowPwr)
_UP = (_M.ModuleLowPwr, _M.ModulePwrUp, _M.ModuleReady)
DARK_DBM = -15.0
"""Average launch power of an OFF transmitter, at most, DR4 (Table 124-6): what is taken for dark here."""


def cmis_low_power(run: Run, lanes: Sequence[int]) -> Acquired:
    """LowPwrRequestSW set and cleared: states, durations, consumption, darkness.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_low_power")
    with module_kept_up(run):
        paths = route_or_not(checks, lanes, "low_power_dark")
        host_lanes = host_lanes_in_use(run)
        ready_w = run.conditioner.read_connector().power_w
        run.module.flags()
        _down(checks, lanes, paths, ready_w)
        _up(checks, host_lanes)
    return checks.acquired()


def _module_look(run: Run) -> State:
    return run.module.module_state()


def _down(checks: Checks, lanes: Sequence[int], paths: Mapping[int, object] | None, ready_w: float) -> None:
    run = checks.run
    module, clock = run.module, run.bench.clock
    rest = ("low_power_data_paths", "low_power_consumption", "low_power_draws_less", "low_power_dark")
    with checks.about("low_power_request_sw", "module_power_down_share", "module_state_changed_flag", *rest):
        allowed_s = to_low_power_s(module)
        start_s = clock.now_s()
        module.set_low_power(True)
        watched = watch_states(run, lambda: _module_look(run), _M.ModuleLowPwr, allowed_s, start_s=start_s)
        checks.data["down"] = watched.text()
        _say_sequence(checks, "low_power_request_sw", watched, _DOWN, "LowPwrRequestSW (lower:26.4)")
        say_share(checks, "module_power_down_share", watched, _M.ModulePwrDn)
        if not watched.reached:
            raise CmisError(f"LowPwrRequestSW did not lead to ModuleLowPwr: {watched.text()}")
        clock.sleep(0.2)  # ton_flag
        states = module.data_path_states()
        up = [lane for lane, state in enumerate(states, 1) if state is not DataPathState.DPDeactivated]
        checks.say(
            "low_power_data_paths", not up, f"11h:128-131 in ModuleLowPwr: not Deactivated on host lanes {up}"
        )
        raised = "ModuleStateChangedFlag" in module.flags().module
        again = "ModuleStateChangedFlag" in module.flags().module
        checks.say(
            "module_state_changed_flag",
            raised and not again,
            f"lower:8.0 on entry to ModuleLowPwr: {int(raised)}, read again: {int(again)}",
        )
        supply = run.conditioner.read_connector()
        checks.number(
            "low_power_consumption",
            supply.power_w,
            "W",
            supply.power_uncertainty_w,
            plane="connector",
            detector="power_supply",
        )
        checks.say(
            "low_power_draws_less",
            supply.power_w + supply.power_uncertainty_w < ready_w,
            f"{supply.power_w:.2f} W in ModuleLowPwr, {ready_w:.2f} W with traffic",
        )
        if paths is not None:
            levels = levels_dbm(run, lanes)
            bright = {lane: level for lane, level in levels.items() if level > DARK_DBM}
            if bright:
                require_modules_own(run, lanes)
            checks.data["low_power_dbm"] = {str(lane): level for lane, level in levels.items()}
            checks.say(
                "low_power_dark",
                not bright,
                f"light in ModuleLowPwr: {_listed(bright or levels)}",
            )


def _up(checks: Checks, host_lanes: Sequence[int]) -> None:
    run = checks.run
    module, clock = run.module, run.bench.clock
    with checks.about("module_power_up", "module_power_up_share", "data_paths_return"):
        allowed_s = advertised_s(module, "MaxDurationModulePwrUp")
        start_s = clock.now_s()
        module.set_low_power(False)
        watched = watch_states(run, lambda: _module_look(run), _M.ModuleReady, allowed_s, start_s=start_s)
        checks.data["up"] = watched.text()
        _say_sequence(checks, "module_power_up", watched, _UP, "LowPwrRequestSW was cleared (lower:26.4)")
        say_share(checks, "module_power_up_share", watched, _M.ModulePwrUp)
        wait_s = advertised_s(module, "MaxDurationDPInit", "MaxDurationDPTxTurnOn")
        wait = wait_for_data_paths(module, host_lanes, DataPathState.DPActivated, wait_s)
        checks.say(
            "data_paths_return",
            wait.reached,
            wait.in_words()
            if not wait.reached
            else f"host lanes {tuple(host_lanes)} Activated {wait.elapsed_s:.2f} s "
            f"after ModuleReady, by themselves (10h:128 is clear)",
        )


def _say_sequence(checks: Checks, parameter: str, watched: Watched, way: Sequence[State], cause: str) -> None:
    checks.say(
        parameter, watched.reached and legal(watched.states, [way]), f"after {cause}: {watched.text()}"
    )


def cmis_low_power_pin(run: Run, _lanes: Sequence[int] = ()) -> Acquired:
    """LPMode, and what LowPwrAllowRequestHW makes of it.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_low_power_pin")
    module, pins, clock = run.module, run.bench.host_board.pins, run.bench.clock
    with module_kept_up(run):
        try:
            with checks.about("low_power_allow_request_hw"):
                module.set_and_verify("LowPwrAllowRequestHW", 0)
                pins.set_low_power(asserted=True)
                clock.sleep(0.5)
                state = module.module_state()
                checks.say(
                    "low_power_allow_request_hw",
                    state is _M.ModuleReady,
                    f"{where('LowPwrAllowRequestHW')} is 0 and LPMode asserted for 0.5 s: {state.name}",
                )
                pins.set_low_power(asserted=False)
                module.set_and_verify("LowPwrAllowRequestHW", 1)
            host_lanes = host_lanes_in_use(run)
            with checks.about("low_power_by_pin", "low_power_pin_released"):
                allowed_s = to_low_power_s(module)
                start_s = clock.now_s()
                pins.set_low_power(asserted=True)
                watched = watch_states(
                    run, lambda: _module_look(run), _M.ModuleLowPwr, allowed_s, start_s=start_s
                )
                in_time = watched.seen[-1][0] - start_s <= allowed_s + watched.interval_s
                checks.say(
                    "low_power_by_pin",
                    watched.reached and in_time and legal(watched.states, [_DOWN]),
                    f"after LPMode was asserted: {watched.text()}; {allowed_s:g} s are allowed",
                )
                allowed_s = advertised_s(module, "MaxDurationModulePwrUp")
                start_s = clock.now_s()
                pins.set_low_power(asserted=False)
                watched = watch_states(
                    run, lambda: _module_look(run), _M.ModuleReady, allowed_s, start_s=start_s
                )
                in_time = watched.seen[-1][0] - start_s <= allowed_s + watched.interval_s
                checks.say(
                    "low_power_pin_released",
                    watched.reached and in_time and legal(watched.states, [_UP]),
                    f"after LPMode was released: {watched.text()}; {allowed_s:g} s are allowed",
                )
                wait_for_data_paths(
                    module,
                    host_lanes,
                    DataPathState.DPActivated,
                    advertised_s(module, "MaxDurationDPInit", "MaxDurationDPTxTurnOn"),
                )
        finally:
            pins.set_low_power(asserted=False)
        with checks.about():
            if not information.get_int(module.registers, "LowPwrAllowRequestHW"):
                module.set("LowPwrAllowRequestHW", 1)
    return checks.acquired()


def _listed(levels: Mapping[int, float]) -> str:
    return ", ".join(f"lane {lane} {level:.1f} dBm" for lane, level in levels.items())


__all__ = ["DARK_DBM", "cmis_low_power", "cmis_low_power_pin"]
