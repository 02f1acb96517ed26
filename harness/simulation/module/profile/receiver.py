"""Section ``[receiver]`` of a profile."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.simulation.module.profile.rules import limits, per_lane

_MEASURES = {"choices": ("average", "oma")}


@dataclass(frozen=True, slots=True)
class ReceiverProfile:
    """The receivers, as :mod:`harness.simulation.light.reception` has them. Lists have one value per media
    lane; a default that is a list of one value holds for all lanes."""

    los_assert_dbm: float = field(metadata=limits(-60, 10))
    los_deassert_dbm: float = field(metadata=limits(-60, 10))
    los_measures: str = field(default="average", metadata=_MEASURES)
    """What these two are of: average power or OMAouter (01h:151.3)."""
    power_measures: str = field(default="average", metadata=_MEASURES)
    """What the RxPower monitor shows (01h:151.4)."""
    coupling_loss_db: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(0, 60))
    """Between fibre and photodiode, on top of what monitor and thresholds were calibrated with."""
    responsivity_a_per_w: float = field(default=0.8, metadata=limits(0.01, 100))
    """Of the photodiode: shot noise follows from it."""
    thermal_noise_uw: tuple[float, ...] = field(default=(7.6,), metadata=per_lane(0.01, 1000))
    """Rms in the receiver's noise bandwidth, as optical power."""
    thermal_noise_spread_db: float = field(default=0.4, metadata=limits(0, 3))
    """Half width of the specimen's spread of each lane."""
    bandwidth_ghz: float = field(default=32.0, metadata=limits(1, 10_000))
    """Where the front end, a 4th-order Bessel-Thomson low pass, is 3 dB down."""
    equaliser_taps: int = field(default=11, metadata=limits(1, 41))
    """Of the feed-forward equaliser, one symbol apart."""
    implementation_noise: float = field(default=0.0235, metadata=limits(0.0001, 0.2))
    """Rms over OMAouter of what converters and signal processing add: the error floor."""
    jitter_ps: float = field(default=0.15, metadata=limits(0, 10))
    """Rms of the sampling instant."""
    overload_dbm: tuple[float, ...] = field(default=(9.0,), metadata=per_lane(-30, 40))
    """Momentary power that the amplifier compresses by 1 dB."""
    crosstalk_db: tuple[float, ...] = field(default=(45.0,), metadata=per_lane(0, 200))
    """How far a neighbouring lane's OMAouter has come down in this lane's amplifier, dB of optical power."""
    demux_isolation_db: tuple[float, ...] = field(default=(30.0,), metadata=per_lane(0, 200))
    """Of the wavelengths next to a lane's own in a shared fibre; others are 10 dB farther down."""
    error_propagation: tuple[float, ...] = field(default=(0.0,), metadata=per_lane(0, 0.95))
    """Chance that a wrong symbol makes the next one wrong, as in a decision feedback equaliser."""
    snr_error_db: float = field(default=0.3, metadata=limits(0, 20))
    """Half width of the specimen's spread of what each lane says of its SNR and LTP."""
