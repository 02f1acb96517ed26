"""Sections of a profile for what a module offers its host beyond the lanes' states: how data paths are
configured, signal integrity settings, and controls of the host's signals."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.simulation.module.profile.rules import limits

_CODE = limits(0, 15)


@dataclass(frozen=True, slots=True)
class ConfigurationProfile:
    """How data paths are configured (lower:2, 01h:162)."""

    staged_control_set_1: bool = True
    """False: 10h:178-212 are not there."""
    stepped_config_only: bool = False
    """ApplyDPInit provisions and does no more until DPDeinit; ApplyImmediate does nothing."""
    unidirectional: bool = False
    """ApplyImmediateTx and ApplyImmediateRx, 10h:176-177."""


@dataclass(frozen=True, slots=True)
class SignalIntegrityProfile:
    """Signal integrity settings that the host may choose by ExplicitControl (01h:153-154, 161-162). The
    defaults are none: then a CDR that is there is always on."""

    adaptive_eq_tx: bool = False
    """The host input has an adaptive equaliser, on by default."""
    fixed_eq_tx_max: int = field(default=0, metadata=_CODE)
    """Highest code of the host input's fixed equalisation; 0: no control."""
    cdr_tx: bool = False
    cdr_tx_bypass: bool = False
    cdr_rx: bool = True
    cdr_rx_bypass: bool = False
    pre_cursor_rx_max: int = field(default=0, metadata=_CODE)
    post_cursor_rx_max: int = field(default=0, metadata=_CODE)
    amplitude_rx_codes: tuple[int, ...] = field(default=(), metadata={**limits(0, 3), "longest": 4})
    default_pre_cursor_rx: int = field(default=0, metadata=_CODE)
    """What the applications have where ExplicitControl is 0, as the next two."""
    default_post_cursor_rx: int = field(default=0, metadata=_CODE)
    default_amplitude_rx: int = field(default=0, metadata=limits(0, 3))


@dataclass(frozen=True, slots=True)
class HostSideProfile:
    """The host's signals (01h:155-157). Off by default: the module then takes any host for one that sends."""

    los_tx: bool = False
    """The module detects that the host is silent: LOSFlagTx, CDRLOLFlagTx, and automatic squelch."""
    auto_squelch_disable_tx: bool = False
    auto_squelch_disable_rx: bool = False
    polarity_flip_tx: bool = False
    polarity_flip_rx: bool = False
