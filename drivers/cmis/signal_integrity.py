"""Signal integrity settings of host lanes: equalisers, CDRs, output cursors and amplitude.

They are staged with a data path's configuration and count where its ExplicitControl bit is 1; otherwise the
module uses what belongs to the application (OIF-CMIS-05.4 §6.2.3). Codes are the module's: what a code means
in dB or mV stands in the tables of CMIS.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from drivers.cmis import information
from drivers.cmis.errors import NotAdvertisedError, WriteNotTakenError
from drivers.cmis.fields import LANES, Kind
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.cmis.ports import bus_held
from drivers.cmis.wording import host_lanes, where

SETTINGS: Mapping[str, str] = {
    "adaptive_eq_tx": "AdaptiveInputEqEnableTx",
    "fixed_eq_tx": "FixedInputEqTargetTx",
    "cdr_tx": "CDREnableTx",
    "cdr_rx": "CDREnableRx",
    "pre_cursor_rx": "OutputEqPreCursorTargetRx",
    "post_cursor_rx": "OutputEqPostCursorTargetRx",
    "amplitude_rx": "OutputAmplitudeTargetRx",
}
"""Attribute of :class:`SignalIntegrity`, register of a control set (``SCS0_`` and so on go before it)."""

_LONGEST_CODE = 15


@dataclass(frozen=True, slots=True)
class SignalIntegrity:
    """Settings of one host lane, or of all lanes of a data path. None: as it is in force, where the module
    advertises the setting and the same application is in force on the lane; else as it is staged.

    ``adaptive_eq_tx``: adaptive equaliser of the host input; ``fixed_eq_tx``: code of its fixed
    equalisation; ``cdr_tx``, ``cdr_rx``: CDR enabled (False bypasses it); ``pre_cursor_rx``,
    ``post_cursor_rx``, ``amplitude_rx``: codes of the host output.

    :raises ValueError: for a code that is not 0..15.
    """

    adaptive_eq_tx: bool | None = None
    fixed_eq_tx: int | None = None
    cdr_tx: bool | None = None
    cdr_rx: bool | None = None
    pre_cursor_rx: int | None = None
    post_cursor_rx: int | None = None
    amplitude_rx: int | None = None

    def __post_init__(self) -> None:
        for name in SETTINGS:
            value = getattr(self, name)
            if value is None:
                continue
            if _is_switch(name) and not isinstance(value, bool):
                raise ValueError(f"{name} is True or False, not {value!r}")
            if not _is_switch(name) and (isinstance(value, bool) or not 0 <= value <= _LONGEST_CODE):
                raise ValueError(f"{name} is a code 0..{_LONGEST_CODE}, not {value!r}")

    def given(self) -> dict[str, int]:
        """The settings that are not None: register without its control set, value."""
        return {
            register: int(value)
            for name, register in SETTINGS.items()
            if (value := getattr(self, name)) is not None
        }


def _is_switch(name: str) -> bool:
    return FIELDS[f"ACS_{SETTINGS[name]}"].kind is Kind.LANE_BITS


@dataclass(frozen=True, slots=True)
class SignalIntegritySupport:
    """What the module advertises (01h:153, 154, 161, 162).

    ``cdr_tx``, ``cdr_rx``: there is one; ``*_bypass``: the host may bypass it. ``*_max``: highest code, 0
    where the host has no control. ``amplitudes_rx``: amplitude codes, empty where the host has no control.
    """

    adaptive_eq_tx: bool
    eq_freeze_tx: bool
    eq_recall_buffers_tx: int
    fixed_eq_tx: bool
    fixed_eq_tx_max: int
    cdr_tx: bool
    cdr_tx_bypass: bool
    cdr_rx: bool
    cdr_rx_bypass: bool
    pre_cursor_rx: bool
    pre_cursor_rx_max: int
    post_cursor_rx: bool
    post_cursor_rx_max: int
    amplitudes_rx: tuple[int, ...]

    def require(self, settings: SignalIntegrity) -> None:
        """Check settings against what is advertised.

        :raises NotAdvertisedError: naming each setting and the register that says no.
        """
        wrong = [
            text
            for field in fields(settings)
            if (value := getattr(settings, field.name)) is not None
            and (text := self._problem(field.name, value))
        ]
        if wrong:
            raise NotAdvertisedError(
                f"signal integrity settings that the module does not offer: {'; '.join(wrong)}. "
                "Nothing was written."
            )

    def offered(self, settings: SignalIntegrity) -> SignalIntegrity:
        """Settings without those (None) that are not advertised."""
        return SignalIntegrity(
            **{
                name: None if value is None or self._problem(name, value) else value
                for name in SETTINGS
                for value in [getattr(settings, name)]
            }
        )

    def _problem(self, name: str, value: int) -> str:
        if name == "adaptive_eq_tx":
            return _unless(self.adaptive_eq_tx or not value, name, "TxInputAdaptiveEqSupported")
        if name in ("cdr_tx", "cdr_rx"):
            side = name[-2:].capitalize()
            present, bypass = (
                (self.cdr_tx, self.cdr_tx_bypass) if name == "cdr_tx" else (self.cdr_rx, self.cdr_rx_bypass)
            )
            if value:
                return _unless(present, name, f"{side}CDRSupported")
            return _unless(bypass or not present, f"{name} bypassed", f"{side}CDRBypassControlSupported")
        if name == "amplitude_rx":
            if not self.amplitudes_rx:
                return _unless(False, name, "RxOutputAmplitudeControlSupported")
            if value not in self.amplitudes_rx:
                codes = ", ".join(map(str, self.amplitudes_rx))
                return f"{name} {value}: {where('RxOutputLevelSupported')} has codes {codes}"
            return ""
        supported, highest, control, maximum = {
            "fixed_eq_tx": (
                self.fixed_eq_tx,
                self.fixed_eq_tx_max,
                "TxInputEqHostControlSupported",
                "TxInputEqMax",
            ),
            "pre_cursor_rx": (
                self.pre_cursor_rx,
                self.pre_cursor_rx_max,
                "RxOutputEqControlSupported",
                "RxOutputEqPreCursorMax",
            ),
            "post_cursor_rx": (
                self.post_cursor_rx,
                self.post_cursor_rx_max,
                "RxOutputEqControlSupported",
                "RxOutputEqPostCursorMax",
            ),
        }[name]
        if not supported:
            return _unless(False, name, control)
        return "" if value <= highest else f"{name} {value}: {where(maximum)} allows {highest} at most"


def _unless(fine: bool, what: str, register: str) -> str:
    return "" if fine else f"{what}: {where(register)} does not advertise it"


def advertised(module: CmisModule) -> SignalIntegritySupport:
    """What the module advertises.

    :raises CmisError: when page 01h cannot be read.
    """

    def number(name: str) -> int:
        return information.get_int(module.registers, name)

    fixed = bool(number("TxInputEqHostControlSupported"))
    cursors = number("RxOutputEqControlSupported")
    levels = number("RxOutputLevelSupported") if number("RxOutputAmplitudeControlSupported") else 0
    return SignalIntegritySupport(
        adaptive_eq_tx=bool(number("TxInputAdaptiveEqSupported")),
        eq_freeze_tx=bool(number("TxInputEqFreezeSupported")),
        eq_recall_buffers_tx=number("TxInputEqRecallBuffersSupported"),
        fixed_eq_tx=fixed,
        fixed_eq_tx_max=number("TxInputEqMax") if fixed else 0,
        cdr_tx=bool(number("TxCDRSupported")),
        cdr_tx_bypass=bool(number("TxCDRBypassControlSupported")),
        cdr_rx=bool(number("RxCDRSupported")),
        cdr_rx_bypass=bool(number("RxCDRBypassControlSupported")),
        pre_cursor_rx=bool(cursors & 1),
        pre_cursor_rx_max=number("RxOutputEqPreCursorMax") if cursors & 1 else 0,
        post_cursor_rx=bool(cursors & 2),
        post_cursor_rx_max=number("RxOutputEqPostCursorMax") if cursors & 2 else 0,
        amplitudes_rx=tuple(code for code in range(4) if levels >> code & 1),
    )


def read_settings(
    module: CmisModule, control_set: str = "ACS", *, bank: int = 0
) -> tuple[SignalIntegrity, ...]:
    """Settings of the 8 host lanes in a control set: ``ACS`` (in force), ``SCS0`` or ``SCS1`` (staged).

    :raises CmisError: when the registers cannot be read.
    """
    values = {
        name: information.get_codes(module.registers, f"{control_set}_{register}", bank)
        for name, register in SETTINGS.items()
    }

    def of_lane(index: int) -> SignalIntegrity:
        settings: dict[str, Any] = {
            name: bool(lanes[index]) if _is_switch(name) else lanes[index] for name, lanes in values.items()
        }
        return SignalIntegrity(**settings)

    return tuple(of_lane(index) for index in range(LANES))


def complete(settings: SignalIntegrity, in_force: SignalIntegrity) -> SignalIntegrity:
    """Settings with what is None taken from those in force."""
    return SignalIntegrity(
        **{
            name: getattr(in_force, name) if getattr(settings, name) is None else getattr(settings, name)
            for name in SETTINGS
        }
    )


def stage_settings(
    module: CmisModule, settings: Mapping[int, SignalIntegrity], control_set: int = 0, *, bank: int = 0
) -> None:
    """Write settings of host lanes (1..8) into Staged Control Set 0 or 1 and read them back.

    Lanes that are not named keep theirs; None leaves a register as it is staged. Nothing comes into force by
    this: see :func:`drivers.cmis.configuration.commit_signal_integrity`.

    :raises WriteNotTakenError: when a register reads back something else.
    """
    for register in SETTINGS.values():
        wanted = {lane: lane_settings.given() for lane, lane_settings in settings.items()}
        changes = {lane: values[register] for lane, values in wanted.items() if register in values}
        if not changes:
            continue
        name = f"SCS{control_set}_{register}"
        with bus_held(module.memory):
            before = information.get_codes(module.registers, name, bank)
            after = tuple(changes.get(lane, code) for lane, code in enumerate(before, start=1))
            module.set(name, after, bank)
            found = information.get_codes(module.registers, name, bank)
        if found != after:
            module.forget_page()
            raise WriteNotTakenError(f"{where(name)} reads back {found!r} after {after!r} was written to it")


def differences(
    wanted: Mapping[int, SignalIntegrity], found: tuple[SignalIntegrity, ...]
) -> dict[int, tuple[str, int, int]]:
    """First setting of each host lane that is not as wanted: (register of the ACS, wanted, found)."""
    wrong: dict[int, tuple[str, int, int]] = {}
    for lane, settings in wanted.items():
        actual = found[lane - 1].given()
        for register, value in settings.given().items():
            if actual[register] != value:
                wrong.setdefault(lane, (f"ACS_{register}", value, actual[register]))
    return wrong


def per_lane(
    settings: SignalIntegrity | Mapping[int, SignalIntegrity], lanes: Collection[int]
) -> dict[int, SignalIntegrity]:
    """Settings for each of these host lanes.

    :raises ValueError: when they name a lane that is not among them.
    """
    if isinstance(settings, SignalIntegrity):
        return dict.fromkeys(lanes, settings)
    strange = set(settings) - set(lanes)
    if strange:
        raise ValueError(
            f"signal integrity settings for {host_lanes(strange)} of a data path of {host_lanes(lanes)}"
        )
    return {lane: settings.get(lane, SignalIntegrity()) for lane in lanes}
