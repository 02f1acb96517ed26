"""Launch power of a DR4 transmitter over temperature and supply, and the module's own word on it.

IEEE 802.3 clause 124, Table 124-6, at TP2; the monitors after the module's data sheet; consumption after
the module's advertised power. Case 0 / 25 / 70 C, supply 3.135 / 3.3 / 3.465 V at the module's connector.
"""

from __future__ import annotations

from drivers.cmis.bringup import BringUpResult
from fixtures.judging import Judge
from harness.judging.measured import Measured, ModuleFault
from testplans.corners import NINE

CORNERS = NINE


def test_bring_up(bring_up: BringUpResult, judge: Judge) -> None:
    """OIF-CMIS-05.4, 6.3.2 and 6.3.3: from power-on to all data paths Activated in the advertised times."""
    judge.check(
        "bring_up",
        passed=bring_up.ok,
        text=bring_up.stopped_by or f"all {len(bring_up.steps)} steps in time",
        source="OIF-CMIS-05.4, 6.3.2, 6.3.3; page 01h bytes 144, 167, 168",
    )


def test_bring_up_time(bring_up_time: Measured, judge: Judge) -> None:
    """OIF-CMIS-05.4, 6.3: the step that came nearest to its advertised time."""
    judge("bring_up_time", bring_up_time)


def test_average_launch_power(launch_power: Measured | ModuleFault, judge: Judge) -> None:
    """Table 124-6, average launch power, each lane, at TP2."""
    judge("average_launch_power", launch_power)


def test_tx_power_monitor(tx_power_monitor_error: Measured | ModuleFault, judge: Judge) -> None:
    """Tx power monitor (page 11h, bytes 154-169) against the power meter, each lane."""
    judge("tx_power_monitor_error", tx_power_monitor_error)


def test_temperature_monitor(temperature_monitor_error: Measured | ModuleFault, judge: Judge) -> None:
    """Temperature monitor (lower memory, bytes 14-15) against the case sensor."""
    judge("temperature_monitor_error", temperature_monitor_error)


def test_power_consumption(power_consumption: Measured | ModuleFault, judge: Judge) -> None:
    """Consumption at the connector against the advertised maximum (page 00h, bytes 200-201)."""
    judge("power_consumption", power_consumption)


def test_average_launch_power_of_off_transmitter(
    launch_power_off: Measured | ModuleFault, judge: Judge
) -> None:
    """Table 124-6, average launch power of OFF transmitter, each lane, at TP2."""
    judge("average_launch_power_off", launch_power_off)
