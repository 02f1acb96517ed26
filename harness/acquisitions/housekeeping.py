"""What the module draws and how warm it is: from the bench's instruments, with its own monitors beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from harness.acquisitions.acquired import Acquired
from harness.judging.budgets import budget_of
from harness.judging.uncertainty import expanded, from_expanded
from harness.run import Run

MONITOR_REFRESH_S = 1.0


def housekeeping(run: Run, _lanes: Sequence[int] = ()) -> Acquired:
    """Consumption at the module's connector and the temperature monitor against the case sensor.

    Gives ``power_consumption`` (W) and ``temperature_monitor_error`` (K, monitor minus case).
    """
    bench = run.bench
    start_s = bench.clock.now_s()
    run.require_module_up()
    bench.clock.sleep(MONITOR_REFRESH_S)
    supply = run.conditioner.read_connector()
    case_c = bench.case_sensor.read_case_c()
    monitor_c = run.module.temperature_c()
    vcc_monitor_v = run.module.vcc_v()
    sensor = bench.spec.instruments["case_sensor"]
    stated = from_expanded("case sensor", sensor.uncertainty or 0.0, "K", "bench file")
    drawn = from_expanded("supply read-back", supply.power_uncertainty_w, "W", "bench file")
    of_temperature = budget_of("temperature_monitor_error").contributions({"sensor": stated})
    of_power = budget_of("power_consumption").contributions({"supply": drawn})
    record = run.record_acquisition(
        "housekeeping",
        start_s,
        conditions={"supply": "at the module's connector"},
        data={
            "connector_v": supply.voltage_v,
            "connector_a": supply.current_a,
            "case_c": case_c,
            "temperature_monitor_c": monitor_c,
            "vcc_monitor_v": vcc_monitor_v,
        },
        budget=[{"lane": None, **asdict(entry)} for entry in (*of_temperature, *of_power)],
    )
    temperature = run.measured_from(record, lane=None, uncertainty=expanded(of_temperature))
    power = run.measured_from(record, lane=None, uncertainty=expanded(of_power))
    return Acquired(
        record,
        {
            ("temperature_monitor_error", None): temperature(
                value=monitor_c - case_c,
                unit="K",
                plane="case",
                detector="module monitor against case_sensor",
            ),
            ("power_consumption", None): power(
                value=supply.power_w, unit="W", plane="connector", detector="power_supply"
            ),
        },
    )
