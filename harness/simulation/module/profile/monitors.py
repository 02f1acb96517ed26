"""Sections ``[monitors]``, ``[thresholds]`` and ``[vdm]`` of a profile."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.simulation.module.profile.rules import QUAD, limits, per_lane


@dataclass(frozen=True, slots=True)
class MonitorProfile:
    """Errors of the module's monitors. Those of calibration are drawn for the specimen when left out and have
    the offsets on top. ``*_stuck``: the share of every change that a monitor no longer shows."""

    temperature_offset_c: float = field(metadata=limits(-20, 20))
    temperature_error_c: float | None = field(default=None, metadata=limits(-50, 50))
    vcc_error_percent: float | None = field(default=None, metadata=limits(-50, 50))
    tx_power_monitor_error_db: tuple[float, ...] | None = field(default=None, metadata=per_lane(-20, 20))
    rx_power_monitor_error_db: tuple[float, ...] | None = field(default=None, metadata=per_lane(-20, 20))
    bias_monitor_error_percent: tuple[float, ...] | None = field(default=None, metadata=per_lane(-90, 200))
    vcc_offset_percent: float = field(default=0.0, metadata=limits(-50, 50))
    tx_power_monitor_offset_db: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(-20, 20))
    rx_power_monitor_offset_db: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(-20, 20))
    bias_monitor_offset_percent: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(-90, 200))
    stuck_after_s: float = field(default=30.0, metadata=limits(0, 1e6))
    """After power-up or reset; what a monitor sees then is what it sticks to."""
    temperature_stuck: float = field(default=0.0, metadata=limits(0, 1))
    vcc_stuck: float = field(default=0.0, metadata=limits(0, 1))
    tx_power_monitor_stuck: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(0, 1))
    rx_power_monitor_stuck: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(0, 1))
    bias_monitor_stuck: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(0, 1))


@dataclass(frozen=True, slots=True)
class ThresholdProfile:
    """Page 02h: high alarm, low alarm, high warning, low warning."""

    temperature_c: tuple[float, ...] = field(metadata={**limits(-128, 127), "length": QUAD})
    vcc_v: tuple[float, ...] = field(metadata={**limits(0, 6.5), "length": QUAD})
    tx_power_dbm: tuple[float, ...] = field(metadata={**limits(-40, 8), "length": QUAD})
    bias_ma: tuple[float, ...] = field(metadata={**limits(0, 131), "length": QUAD})
    rx_power_dbm: tuple[float, ...] = field(metadata={**limits(-40, 8), "length": QUAD})


_OBSERVABLES = (
    "laser_temperature",
    "media_snr",
    "media_ltp",
    *(f"media_prefec_ber_{part}" for part in ("min", "max", "average", "current")),
    *(f"media_ferc_{part}" for part in ("min", "max", "average", "current")),
)


@dataclass(frozen=True, slots=True)
class VdmProfile:
    """Pages 20h to 2Fh. Thresholds: high alarm, low alarm, high warning, low warning."""

    supported: bool = True
    observables: tuple[str, ...] = field(
        default=_OBSERVABLES, metadata={"choices": _OBSERVABLES, "longest": len(_OBSERVABLES)}
    )
    """In this order: one instance for each media lane, or one for the module (ferc). Without any of the
    statistics (min, max, average) the module does not answer to a freeze request."""
    update_s: float = field(default=1.0, metadata=limits(0.1, 6.5))
    """Period of new samples, and the fine interval of the statistics."""
    freeze_s: float = field(default=0.005, metadata=limits(0, 10))
    """Freeze or unfreeze request to done (tVDMF allows 10 ms)."""
    laser_temperature_error_c: float = field(default=1.5, metadata=limits(0, 50))
    """Half width of the specimen's spread."""
    laser_temperature_c: tuple[float, ...] = field(
        default=(95.0, -15.0, 90.0, -10.0), metadata={**limits(-128, 127), "length": QUAD}
    )
    snr_db: tuple[float, ...] = field(
        default=(255.0, 17.0, 255.0, 18.0), metadata={**limits(0, 255), "length": QUAD}
    )
    ltp_db: tuple[float, ...] = field(
        default=(255.0, 20.0, 255.0, 24.0), metadata={**limits(0, 255), "length": QUAD}
    )
    prefec_ber: tuple[float, ...] = field(
        default=(2.4e-4, 0.0, 1e-5, 0.0), metadata={**limits(0, 1), "length": QUAD}
    )
    ferc: tuple[float, ...] = field(
        default=(1e-9, 0.0, 1e-10, 0.0), metadata={**limits(0, 1), "length": QUAD}
    )
