"""Section ``[transmitter]`` of a profile."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.simulation.light.laser import quantum_limit_w_per_a
from harness.simulation.module.profile.rules import limits, per_lane


@dataclass(frozen=True, slots=True)
class TransmitterProfile:
    """The lasers and modulators. Lists have one value per media lane; a default that is a list of one value
    holds for all lanes.

    What is nominal holds at 25 C and 3.3 V, for a module that is new.
    """

    average_launch_power_dbm: tuple[float, ...] = field(metadata=per_lane(-60, 15))
    """At 25 C, in the fibre."""
    launch_power_spread_db: float = field(metadata=limits(0, 3))
    """Half width of the seed's spread about these powers; 0 fixes them."""
    off_power_dbm: float = field(metadata=limits(-100, 10))
    wavelength_nm: tuple[float, ...] = field(metadata=per_lane(1000, 2000))
    wavelength_slope_nm_per_c: float = field(metadata=limits(0, 1))
    threshold_ma: float = field(metadata=limits(0.1, 1000))
    slope_mw_per_ma: float = field(metadata=limits(0.0001, 1))
    """In the fibre of a lane: a laser that feeds two lanes gives so much to each. All lanes of a laser
    together: at most a photon for each electron, 0.946 mW/mA at 1310 nm."""
    t0_k: tuple[float, ...] = field(metadata=per_lane(1, 10_000))
    t1_k: float = field(metadata=limits(1, 10_000))
    bias_limit_ma: float = field(metadata=limits(0.1, 1000))
    junction_rise_c: float = field(metadata=limits(0, 60))
    """Laser above case, whatever its bias."""
    wander_db: float = field(metadata=limits(0, 3))
    """Standard deviation of the power's wander, redrawn every 100 ms."""
    supply_db_per_v: float = field(metadata=limits(-3, 3))
    coupling_loss_db: tuple[float, ...] = field(metadata=per_lane(0, 60))
    """Loss behind the monitor photodiode, which the module itself does not see."""
    tracking_db: tuple[float, ...] | None = field(default=None, metadata=per_lane(-10, 10))
    """Monitor to fibre deviation 45 C away from 25 C; drawn at 0.1..0.3 dB with a sign when left out."""

    laser_of_lane: tuple[int, ...] = field(default=(), metadata=per_lane(1, 8))
    """Number of the laser that feeds each lane; empty: each lane has its own."""
    laser_efficiency: tuple[float, ...] = field(default=(1.0,), metadata=per_lane(0, 1))
    """Share of the slope that is left; 0: the laser emits nothing at any bias. Lanes that share a laser: the
    least of theirs."""
    thermal_resistance_k_per_w: float = field(default=0.0, metadata=limits(0, 5000))
    """Of a laser to its case: heats it by what its bias dissipates, on top of the rise."""
    diode_v: float = field(default=1.0, metadata=limits(0, 5))
    series_resistance_ohm: float = field(default=5.0, metadata=limits(0, 100))
    age_hours: float = field(default=0.0, metadata=limits(0, 1e6))
    age_junction_c: float = field(default=55.0, metadata=limits(-40, 150))
    """Temperature of the lasers in that time."""
    wavelength_error_nm: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(-100, 100))
    """True wavelength above the nominal one, which is what the module advertises."""
    wavelength_slope_nm_per_ma: float = field(default=0.0, metadata=limits(-1, 1))
    """Per bias above that at 25 C, on top of what temperature does."""
    smsr_db: tuple[float, ...] = field(default=(45.0,), metadata=per_lane(0, 100))
    smsr_spread_db: float = field(default=2.0, metadata=limits(0, 20))
    rin_db_hz: tuple[float, ...] = field(default=(-152.0,), metadata=per_lane(-200, -100))
    rin_spread_db: float = field(default=1.5, metadata=limits(0, 20))

    extinction_ratio_db: tuple[float, ...] = field(default=(5.0,), metadata=per_lane(0.5, 20))
    extinction_ratio_spread_db: float = field(default=0.2, metadata=limits(0, 3))
    extinction_ratio_supply_db_per_v: float = field(default=0.3, metadata=limits(-10, 10))
    modulator_bias_error: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(-0.5, 0.5))
    """Of the modulator's V_pi, away from quadrature."""
    modulator_bias_error_per_c: float = field(default=0.0, metadata=limits(-0.01, 0.01))
    """On top, times the case's distance from 25 C; 0: the modulator's own control holds quadrature."""
    modulator_bias_error_per_khour: float = field(default=0.0003, metadata=limits(-0.1, 0.1))
    """On top, times the age."""
    level_mismatch: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(-0.15, 0.15))
    """Both inner levels too high by this share of OMAouter."""
    bandwidth_ghz: tuple[float, ...] = field(default=(34.0,), metadata=per_lane(1, 200))
    bandwidth_spread_ghz: float = field(default=1.0, metadata=limits(0, 20))
    bandwidth_slope_ghz_per_c: float = field(default=-0.03, metadata=limits(-1, 1))
    skew_ps: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(-1e6, 1e6))
    chirp: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(-10, 10))
    """Linewidth enhancement factor of the modulator; 0: a balanced one."""
    clock_error_ppm: float = field(default=0.0, metadata=limits(-1000, 1000))
    """Of the clock of its symbols: its own crystal's, and its host's, which is taken to be as far off."""


def beyond_quantum_limit(transmitter: TransmitterProfile, media_lanes: int) -> str:
    """What is wrong when a laser would give more than a photon for each electron; empty: nothing."""
    lasers = transmitter.laser_of_lane or tuple(range(1, media_lanes + 1))
    for lane, (laser, wavelength_nm) in enumerate(
        zip(lasers, transmitter.wavelength_nm, strict=False), start=1
    ):
        fed = lasers.count(laser)
        limit = quantum_limit_w_per_a(wavelength_nm)
        if fed * transmitter.slope_mw_per_ma > limit:
            together = f" to each of {fed} lanes" if fed > 1 else ""
            return (
                f"{transmitter.slope_mw_per_ma:g} mW/mA{together} is more than a photon for each electron, "
                f"{limit:.3f} mW/mA from one laser at {wavelength_nm:g} nm (lane {lane})"
            )
    return ""


def shares_lasers(transmitter: TransmitterProfile) -> bool:
    """Whether one laser feeds more than one lane."""
    return len(set(transmitter.laser_of_lane)) < len(transmitter.laser_of_lane)
