"""Light at all ports of the power meter at once, and what counts as none."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.errors import BenchError
from drivers.units import dbm_from_w, w_from_dbm
from harness.acquisitions.launch_power import AVERAGING_S, METER_WAVELENGTH_NM, READINGS
from harness.bench import Bench

DARK_DBM = -50.0
"""A port with less is dark. What is measured at a tap is above -30 dBm, so light at this level adds less than
1 % (0.04 dB) to it."""
NO_LIGHT_DBM = -150.0
"""Shown where noise left nothing, or less than nothing."""


@dataclass(frozen=True, slots=True)
class Level:
    """Readings of one port, W."""

    readings_w: tuple[float, ...]

    @property
    def mean_w(self) -> float:
        """Their mean: noise may make it negative in the dark."""
        return statistics.fmean(self.readings_w)

    @property
    def dbm(self) -> float:
        """The mean in dBm, at least :data:`NO_LIGHT_DBM`."""
        return shown_dbm(self.mean_w)

    @property
    def size_dbm(self) -> float:
        """How far the mean is from nothing, either way, dBm."""
        return shown_dbm(abs(self.mean_w))


def shown_dbm(power_w: float) -> float:
    """A power in dBm, at least :data:`NO_LIGHT_DBM`."""
    return dbm_from_w(max(power_w, w_from_dbm(NO_LIGHT_DBM)))


def read_levels(bench: Bench, ports: Sequence[int]) -> dict[int, Level]:
    """Read ports :data:`READINGS` times, now.

    :raises BenchError: when the meter fails; it is set up anew at its next use then.
    """
    bench.set_up_power_meter(METER_WAVELENGTH_NM, AVERAGING_S, ports)
    seen: Mapping[int, list[float]] = {port: [] for port in ports}
    try:
        for _ in range(READINGS):
            for reading in bench.power_meter.read_powers_w(ports):
                seen[reading.channel].append(reading.power_w)
    except BenchError:
        bench.forget_set_ups()
        raise
    return {port: Level(tuple(values)) for port, values in seen.items()}


def darkness_dbm(bench: Bench, asked_dbm: float = DARK_DBM) -> float:
    """At which level a port of this bench's meter is dark: what is asked for, or the lowest that the meter
    measures."""
    return max(asked_dbm, bench.power_meter.range_dbm[0])
