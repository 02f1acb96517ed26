"""Sections ``[transmitter]`` and ``[receiver]`` of a profile."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.simulation.module.profile.rules import limits, per_lane


@dataclass(frozen=True, slots=True)
class TransmitterProfile:
    """The lasers. Lists have one value per media lane."""

    average_launch_power_dbm: tuple[float, ...] = field(metadata=per_lane(-60, 15))
    """At 25 C, in the fibre."""
    launch_power_spread_db: float = field(metadata=limits(0, 3))
    """Half width of the seed's spread about these powers; 0 fixes them."""
    off_power_dbm: float = field(metadata=limits(-100, 10))
    wavelength_nm: tuple[float, ...] = field(metadata=per_lane(1000, 2000))
    wavelength_slope_nm_per_c: float = field(metadata=limits(0, 1))
    threshold_ma: float = field(metadata=limits(0.1, 1000))
    slope_mw_per_ma: float = field(metadata=limits(0.0001, 10))
    t0_k: float = field(metadata=limits(1, 10_000))
    t1_k: float = field(metadata=limits(1, 10_000))
    bias_limit_ma: float = field(metadata=limits(0.1, 1000))
    junction_rise_c: float = field(metadata=limits(0, 60))
    wander_db: float = field(metadata=limits(0, 3))
    """Standard deviation of the power's wander, redrawn every 100 ms."""
    supply_db_per_v: float = field(metadata=limits(-3, 3))
    coupling_loss_db: tuple[float, ...] = field(metadata=per_lane(0, 60))
    """Loss behind the monitor photodiode, which the module itself does not see."""
    tracking_db: tuple[float, ...] | None = field(default=None, metadata=per_lane(-10, 10))
    """Monitor to fibre deviation 45 C away from 25 C; drawn at 0.1..0.3 dB with a sign when left out."""


@dataclass(frozen=True, slots=True)
class ReceiverProfile:
    """The receivers. Errors: the provisional model of :mod:`harness.simulation.module.lanes.receiver`."""

    los_assert_dbm: float = field(metadata=limits(-60, 10))
    los_deassert_dbm: float = field(metadata=limits(-60, 10))
    sensitivity_dbm: float = field(default=-8.0, metadata=limits(-40, 10))
    """Average power at which 2.4e-4 of the bits are wrong."""
    sensitivity_spread_db: float = field(default=0.4, metadata=limits(0, 3))
    """Half width of the specimen's spread of each lane."""
    best_q: float = field(default=6.0, metadata=limits(3.5, 30))
    """Q factor that no light exceeds: the error floor."""
    snr_error_db: float = field(default=0.3, metadata=limits(0, 20))
    """Half width of the specimen's spread of what each lane says of its SNR and LTP."""
