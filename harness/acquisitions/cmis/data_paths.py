"""Data paths taken down and up again by DPDeinit, watched state by state (OIF-CMIS-05.4 §6.3.3)."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.cmis import information
from drivers.cmis.codes import DataPathState
from drivers.cmis.errors import CmisError
from drivers.cmis.hold_off import WRITE_HOLD_OFF_S
from drivers.cmis.module import lane_bits
from drivers.cmis.states import advertised_s
from drivers.cmis.wording import where
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks, host_lanes_in_use, module_kept_up
from harness.acquisitions.cmis.timing import legal, path_look, say_share, watch_states
from harness.run import Run

_D = DataPathState
_DOWN = (_D.DPActivated, _D.DPTxTurnOff, _D.DPInitialized, _D.DPDeinit, _D.DPDeactivated)
_UP = (_D.DPDeactivated, _D.DPInit, _D.DPInitialized, _D.DPTxTurnOn, _D.DPActivated)
_FLAG_S = 0.2  # ton_flag, Table 10-5


def cmis_data_paths(run: Run, _lanes: Sequence[int] = ()) -> Acquired:
    """DPDeinit on all data paths together, and released: order and duration of their states.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_data_paths")
    with module_kept_up(run):
        _down(checks)
        _up(checks)
    return checks.acquired()


def _down(checks: Checks) -> None:
    run = checks.run
    module = run.module
    names = ("data_path_deinit_sequence", "dp_tx_turn_off_share", "dp_deinit_share")
    with checks.about(*names, "output_status_deactivated", "dp_state_changed_flag"):
        lanes = host_lanes_in_use(run)
        held = lane_bits(set(lanes) | set(information.lanes_set(module.registers, "DPDeinit")))
        module.flags()  # what was latched before is gone
        allowed_s = advertised_s(module, "MaxDurationDPTxTurnOff", "MaxDurationDPDeinit")
        start_s = run.bench.clock.now_s()
        module.set("DPDeinit", held)
        watched = watch_states(run, path_look(run, lanes), _D.DPDeactivated, allowed_s, start_s=start_s)
        checks.data["down"] = watched.text()
        checks.say(
            "data_path_deinit_sequence",
            watched.reached and legal(watched.states, [_DOWN]),
            f"after DPDeinit (10h:128): {watched.text()}",
        )
        say_share(checks, "dp_tx_turn_off_share", watched, _D.DPTxTurnOff)
        say_share(checks, "dp_deinit_share", watched, _D.DPDeinit)
        if not watched.reached:
            raise CmisError(
                f"the data path of host lane {min(lanes)} did not become DPDeactivated: {watched.text()}"
            )
        run.bench.clock.sleep(_FLAG_S)
        valid = information.lanes_set(module.registers, "OutputStatusTx")
        mine = sorted(set(valid) & set(run.pmd.lane_numbers()))
        checks.say(
            "output_status_deactivated",
            not mine,
            f"{where('OutputStatusTx')} in DPDeactivated: valid on media lanes {mine or 'none'}",
        )
        if information.get_int(module.registers, "MaxDurationDPDeinit") == 0:
            checks.leave("transitions below 1 ms set no DPStateChangedFlag (6.3.3)", "dp_state_changed_flag")
            return
        raised = module.flags().lanes.get("DPStateChangedFlag", ())
        again = module.flags().lanes.get("DPStateChangedFlag", ())
        checks.say(
            "dp_state_changed_flag",
            set(raised) >= set(lanes) and not again,
            f"11h:134 after host lanes {lanes} became DPDeactivated: set on {raised or 'none'}, read again: "
            f"{again or 'none'}",
        )


def _up(checks: Checks) -> None:
    run = checks.run
    module = run.module
    names = ("data_path_init_sequence", "dp_init_share", "dp_tx_turn_on_share")
    with checks.about(*names, "output_status_activated"):
        configured = [
            lane for lane, code in enumerate(information.get_codes(module.registers, "ACS_AppSel"), 1) if code
        ]
        held = lane_bits(set(range(1, 9)) - set(configured))
        allowed_s = advertised_s(module, "MaxDurationDPInit", "MaxDurationDPTxTurnOn")
        start_s = run.bench.clock.now_s()
        module.set("DPDeinit", held)
        watched = watch_states(run, path_look(run, configured), _D.DPActivated, allowed_s, start_s=start_s)
        checks.data["up"] = watched.text()
        checks.say(
            "data_path_init_sequence",
            watched.reached and legal(watched.states, [_UP]),
            f"after DPDeinit was released (10h:128): {watched.text()}",
        )
        say_share(checks, "dp_init_share", watched, _D.DPInit)
        say_share(checks, "dp_tx_turn_on_share", watched, _D.DPTxTurnOn)
        run.bench.clock.sleep(WRITE_HOLD_OFF_S)
        valid = information.lanes_set(module.registers, "OutputStatusTx")
        wanted = set(run.pmd.lane_numbers())
        checks.say(
            "output_status_activated",
            wanted <= set(valid),
            f"{where('OutputStatusTx')} in DPActivated: valid on media lanes {valid or 'none'}",
        )
