"""The module's monitors of supply and bias against what the bench knows, and whether they are renewed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from drivers.cmis.wording import where
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks
from harness.acquisitions.launch_power import MONITOR_REFRESH_S
from harness.judging.uncertainty import expanded, from_expanded, from_half_width
from harness.run import Run

_VCC_STEP_V = 1e-4


def cmis_monitors(run: Run, lanes: Sequence[int]) -> Acquired:
    """Vcc monitor against the voltage at the connector; bias of each lane within its own alarms.

    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_monitors")
    module = run.module
    run.require_module_up()
    run.bench.clock.sleep(MONITOR_REFRESH_S)
    with checks.about("vcc_monitor_error"):
        if not module.get("VccMonSupported"):
            checks.leave(f"the monitor is not advertised ({where('VccMonSupported')})", "vcc_monitor_error")
        else:
            supply = run.conditioner.read_connector()
            monitor_v = module.vcc_v()
            budget = (
                from_expanded("supply read-back", supply.voltage_uncertainty_v, "V", "bench file"),
                from_half_width("monitor resolution", _VCC_STEP_V / 2.0, "V", "lower memory, bytes 16-17"),
            )
            checks.data["vcc"] = {
                "connector_v": supply.voltage_v,
                "monitor_v": monitor_v,
                "budget": [asdict(entry) for entry in budget],
            }
            checks.number(
                "vcc_monitor_error",
                100.0 * (monitor_v / supply.voltage_v - 1.0),
                "%",
                100.0 * expanded(budget) / supply.voltage_v,
                plane="connector",
                detector="module monitor against power_supply",
            )
    with checks.about("tx_bias_plausible"):
        if not module.get("TxBiasMonSupported"):
            checks.leave(
                f"the monitor is not advertised ({where('TxBiasMonSupported')})", "tx_bias_plausible"
            )
        else:
            limits = module.thresholds().get("tx_bias_ma")
            found = {
                monitor.lane: monitor.bias_ma for monitor in module.lane_monitors() if monitor.lane in lanes
            }
            checks.data["tx_bias_ma"] = {str(lane): value for lane, value in found.items()}
            wrong = [
                lane
                for lane, value in found.items()
                if not value
                or (limits is not None and not limits.problem and "alarm" in limits.verdict(value))
            ]
            shown = ", ".join(f"lane {lane} {value or 0.0:.2f} mA" for lane, value in found.items())
            checks.say(
                "tx_bias_plausible",
                not wrong,
                f"11h:170-185 with light: {shown}; beyond their alarms: {wrong or 'none'}",
            )
    return checks.acquired()


__all__ = ["cmis_monitors"]
