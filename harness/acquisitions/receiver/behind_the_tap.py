"""What receivers say of light that a tap shows: whether it gets to them.

Between a tap and a photodiode is a fibre and the module's plug. When light is at the tap and a receiver says
that it gets none, either may be dark, and nothing is laid to the module.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.cmis.information import lanes_set
from drivers.errors import InstrumentError
from drivers.units import dbm_from_w, w_from_dbm
from harness.acquisitions.receiver.light import ReceiverLight
from harness.judging.measured import Contradiction
from harness.run import Run
from harness.wiring import OpticalPath

LIT_DBM = -20.0
"""Average power at TP3 below which a lane is dark: LOS is asserted from -15 dBm on at the latest."""
FLAG_S = 0.2
"""ton_flag and more than ton_los (OIF-CMIS-05.4 Tables 10-4, 10-5): from the light to what a flag says."""
MONITOR_REFRESH_S = 1.0


def told_by_receivers(
    run: Run, lanes: Sequence[int]
) -> tuple[dict[int, bool] | None, dict[int, bool] | None, dict[int, float | None]]:
    """Which receivers see light now: by LOS, by the Rx power monitor (None: the module does not have it), and
    what the monitors read, watts.

    :raises CmisError: when the module does not answer as it must.
    """
    run.bench.clock.sleep(MONITOR_REFRESH_S)
    by_los: dict[int, bool] | None = None
    by_monitor: dict[int, bool] | None = None
    monitors: dict[int, float | None] = dict.fromkeys(lanes)
    if run.module.get("RxOpticalPowerMonSupported"):
        monitors |= {one.lane: one.rx_power_w for one in run.module.lane_monitors() if one.lane in monitors}
        by_monitor = {lane: (monitors[lane] or 0.0) >= w_from_dbm(LIT_DBM) for lane in lanes}
    if run.module.get("LOSFlagRxSupported"):
        lanes_set(run.module.registers, "LOSFlagRx")  # read away what was latched before
        run.bench.clock.sleep(FLAG_S)
        lost = lanes_set(run.module.registers, "LOSFlagRx")
        by_los = {lane: lane not in lost for lane in lanes}
    return by_los, by_monitor, monitors


def dark_behind_the_tap(run: Run, light: ReceiverLight, lanes: Sequence[int]) -> dict[int, Contradiction]:
    """Of these lanes, those whose light is at the tap now while all that their receivers tell says that there
    is none. A module that tells nothing of its receivers' light has none of them.

    :raises CmisError: when the module does not answer as it must.
    :raises BenchError: when the meter fails.
    """
    if not lanes:
        return {}
    powers_w = light.read_powers_w()
    by_los, by_monitor, _ = told_by_receivers(run, lanes)
    told = [found for found in (by_los, by_monitor) if found is not None]
    return {
        lane: not_received(lane, light.ways[lane].path, dbm_from_w(powers_w[lane]), "at its tap")
        for lane in lanes
        if powers_w[lane] >= w_from_dbm(LIT_DBM) and told and not any(found[lane] for found in told)
    }


def not_received(lane: int, path: OpticalPath, power_dbm: float, where: str) -> Contradiction:
    """Light that is known to be somewhere, and that no receiver sees."""
    return Contradiction(
        InstrumentError(
            "power_meter",
            f"lane {lane}: {power_dbm:.1f} dBm for {path.end} {where}, and its receiver says that it gets "
            f"no light",
            advice=(
                "Check and clean what is between there and the module's receivers: fan-out, cassette, MPO. "
                "With fibres that are in order it is the module's: exchange two legs to see."
            ),
        )
    )
