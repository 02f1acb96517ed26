"""What the module draws and how warm it is: from the bench's instruments, with its own monitors beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from harness.acquisitions.acquired import Acquired
from harness.judging.uncertainty import expanded, from_expanded, from_half_width
from harness.run import Run

# The module's temperature register counts in 1/256 C (OIF-CMIS-05.4, lower memory, bytes 14-15).
_MONITOR_STEP_C = 1.0 / 256.0
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
    budget = [
        from_expanded("case sensor", sensor.uncertainty or 0.0, "K", "bench file"),
        from_half_width("monitor resolution", _MONITOR_STEP_C / 2.0, "K", "lower memory, bytes 14-15"),
    ]
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
        budget=[
            *({"lane": None, **asdict(entry)} for entry in budget),
            {
                "lane": None,
                "name": "supply read-back (V and A)",
                "standard": supply.power_uncertainty_w / 2.0,
                "unit": "W",
                "source": "bench file",
            },
        ],
    )
    temperature = run.measured_from(record, lane=None, uncertainty=expanded(budget))
    power = run.measured_from(record, lane=None, uncertainty=supply.power_uncertainty_w)
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
