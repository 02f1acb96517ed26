"""Signal integrity settings of a simulated module: what it accepts, its applications' own, and those in force
(OIF-CMIS-05.4 §6.2.3, Tables of 01h:153-154 and 161-162).

Where CMIS leaves it open [?]: a code that the module has no control for must be 0, and a CDR that cannot be
bypassed must be on, else ExplicitControl is rejected. No setting acts on a simulated signal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias, cast

from drivers.cmis.fields import LANES, Kind, Value, decode, encode
from drivers.cmis.memory_map import FIELDS
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.profile.host_side import SignalIntegrityProfile

_TX = ("AdaptiveInputEqEnableTx", "FixedInputEqTargetTx", "CDREnableTx")
_RX = (
    "CDREnableRx",
    "OutputEqPreCursorTargetRx",
    "OutputEqPostCursorTargetRx",
    "OutputAmplitudeTargetRx",
)
DIRECTIONS: Mapping[str, tuple[str, ...]] = {"": (*_TX, *_RX), "Tx": _TX, "Rx": _RX}
"""Registers of a control set that ApplyImmediate, ApplyImmediateTx and ApplyImmediateRx commit."""

_RECALL = "AdaptiveInputEqRecallTx"
_BITS_OF_RECALL = 2

Staged: TypeAlias = tuple[dict[str, int], ...]
"""Register without its control set to value, for each of the 8 host lanes."""


class LaneSettings:
    """The settings of one module; those in force live in its Active Control Set."""

    def __init__(self, registers: Registers, profile: SignalIntegrityProfile) -> None:
        self._registers = registers
        self._profile = profile
        self._defaults = defaults(profile)

    def staged(self, control_set: str) -> Staged:
        """What a control set holds now."""
        lanes: Staged = tuple({} for _ in range(LANES))
        for register in DIRECTIONS[""]:
            for lane, value in zip(lanes, self._lanes(f"{control_set}_{register}"), strict=True):
                lane[register] = value
        recall = cast("bytes", decode(FIELDS[f"{control_set}_{_RECALL}"], self._registers))
        codes = int.from_bytes(recall, "little")
        for index, lane in enumerate(lanes):
            lane[_RECALL] = codes >> _BITS_OF_RECALL * index & 0b11
        return lanes

    def accepts(self, settings: Mapping[str, int], direction: str = "") -> bool:
        """Whether a lane may have these settings by ExplicitControl."""
        profile = self._profile
        if direction != "Rx" and settings[_RECALL]:
            return False  # there are no recall buffers
        codes = profile.amplitude_rx_codes or (0,)
        fine = {
            "AdaptiveInputEqEnableTx": profile.adaptive_eq_tx or not settings["AdaptiveInputEqEnableTx"],
            "FixedInputEqTargetTx": settings["FixedInputEqTargetTx"] <= profile.fixed_eq_tx_max,
            "CDREnableTx": _cdr_fine(settings["CDREnableTx"], profile.cdr_tx, profile.cdr_tx_bypass),
            "CDREnableRx": _cdr_fine(settings["CDREnableRx"], profile.cdr_rx, profile.cdr_rx_bypass),
            "OutputEqPreCursorTargetRx": settings["OutputEqPreCursorTargetRx"] <= profile.pre_cursor_rx_max,
            "OutputEqPostCursorTargetRx": settings["OutputEqPostCursorTargetRx"]
            <= profile.post_cursor_rx_max,
            "OutputAmplitudeTargetRx": settings["OutputAmplitudeTargetRx"] in codes,
        }
        return all(fine[register] for register in DIRECTIONS[direction])

    def commit(
        self, staged: Staged, explicit: Collection[int], own: Collection[int], direction: str = ""
    ) -> None:
        """Take settings into the Active Control Set: those staged on lanes with ExplicitControl, the
        applications' own on others. Lanes in neither keep theirs."""
        for register in DIRECTIONS[direction]:
            name = f"ACS_{register}"
            values = self._lanes(name)
            for lane in explicit:
                values[lane - 1] = staged[lane - 1][register]
            for lane in own:
                values[lane - 1] = self._defaults[register]
            encode(FIELDS[name], _value(name, values), self._registers)

    def _lanes(self, name: str) -> list[int]:
        found = decode(FIELDS[name], self._registers)
        assert isinstance(found, tuple)
        return [int(value) for value in found]


def defaults(profile: SignalIntegrityProfile) -> dict[str, int]:
    """What the applications have."""
    return {
        "AdaptiveInputEqEnableTx": int(profile.adaptive_eq_tx),
        "FixedInputEqTargetTx": 0,
        "CDREnableTx": int(profile.cdr_tx),
        "CDREnableRx": int(profile.cdr_rx),
        "OutputEqPreCursorTargetRx": profile.default_pre_cursor_rx,
        "OutputEqPostCursorTargetRx": profile.default_post_cursor_rx,
        "OutputAmplitudeTargetRx": profile.default_amplitude_rx,
    }


def settings_contents(profile: SignalIntegrityProfile, control_sets: Collection[str]) -> dict[str, Value]:
    """Registers at the start: advertising, and the applications' settings in all control sets."""
    pre, post = profile.pre_cursor_rx_max > 0, profile.post_cursor_rx_max > 0
    contents: dict[str, Value] = {
        "TxInputAdaptiveEqSupported": int(profile.adaptive_eq_tx),
        "TxInputEqHostControlSupported": int(profile.fixed_eq_tx_max > 0),
        "TxInputEqMax": profile.fixed_eq_tx_max,
        "TxCDRSupported": int(profile.cdr_tx),
        "TxCDRBypassControlSupported": int(profile.cdr_tx_bypass),
        "RxCDRSupported": int(profile.cdr_rx),
        "RxCDRBypassControlSupported": int(profile.cdr_rx_bypass),
        "RxOutputEqControlSupported": pre | post << 1,
        "RxOutputEqPreCursorMax": profile.pre_cursor_rx_max,
        "RxOutputEqPostCursorMax": profile.post_cursor_rx_max,
        "RxOutputAmplitudeControlSupported": int(bool(profile.amplitude_rx_codes)),
        "RxOutputLevelSupported": sum(1 << code for code in set(profile.amplitude_rx_codes)),
    }
    for control_set in control_sets:
        for register, value in defaults(profile).items():
            name = f"{control_set}_{register}"
            contents[name] = _value(name, [value] * LANES)
    return contents


def _value(name: str, values: list[int]) -> Value:
    return tuple(bool(value) for value in values) if FIELDS[name].kind is Kind.LANE_BITS else tuple(values)


def _cdr_fine(enabled: int, there: bool, bypass: bool) -> bool:
    return there if enabled else bypass or not there
