"""A profile from a dump of a real module: its bytes, and what the other sections can learn from them.

The bytes alone make the module that stands still (``frozen = true``). The other sections serve a simulated
module on the base of these bytes (``frozen = false``); what a dump does not tell, physics above all, comes
from the profile that is extended.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from drivers.cmis import information
from drivers.cmis.codes import MediaType
from drivers.cmis.dump.formats import Dump, half_digits, halves_of, page_name
from drivers.cmis.errors import CmisError
from drivers.cmis.image import MemoryImage, mirrored_pages
from drivers.cmis.information import get_int
from drivers.cmis.memory_map import FIELDS
from drivers.units import dbm_from_w
from harness.simulation.module.profile.applications import (
    HOST_LANES,
    MOST_APPLICATIONS,
    ApplicationProfile,
    beyond,
)
from harness.simulation.module.profile.cdb import EPL_PAGES
from harness.simulation.module.profile.profile import SECTIONS
from harness.text import printable_text
from harness.wiring.pieces import CWDM_NM

BASE = "good-dr4"
"""The profile that is extended."""

_LONGEST_TEXT = 200
_READY_SHARE, _DATA_PATH_SHARE = 0.4, 0.36
_CWDM4_FROM_NM = 4.0  # a wavelength so far from all of a lane's is no CWDM grid's middle
_CWDM4_MIDDLE_NM = 1301.0
_EPL_PAGES = dict(enumerate(EPL_PAGES))
_OBSERVABLES = {
    4: "laser_temperature",
    5: "media_snr",
    7: "media_ltp",
    9: "media_prefec_ber_min",
    11: "media_prefec_ber_max",
    13: "media_prefec_ber_average",
    15: "media_prefec_ber_current",
    17: "media_ferc_min",
    19: "media_ferc_max",
    21: "media_ferc_average",
    23: "media_ferc_current",
}
_LOOPBACKS = {
    "media_output": "MediaSideOutputLoopbackSupported",
    "media_input": "MediaSideInputLoopbackSupported",
    "host_output": "HostSideOutputLoopbackSupported",
    "host_input": "HostSideInputLoopbackSupported",
}
_NUMBERS: Mapping[str, str] = {  # key of a profile to the field that holds just that
    "identity.identifier": "SFF8024Identifier",
    "identity.cmis_major": "CmisRevisionMajor",
    "identity.cmis_minor": "CmisRevisionMinor",
    "identity.firmware_major": "ModuleActiveFirmwareMajorRevision",
    "identity.firmware_minor": "ModuleActiveFirmwareMinorRevision",
    "identity.hardware_major": "ModuleHardwareMajorRevision",
    "identity.hardware_minor": "ModuleHardwareMinorRevision",
    "identity.connector": "ConnectorType",
    "identity.media_technology": "MediaInterfaceTechnology",
    "identity.media_type": "MediaType",
    "power.class_code": "ModulePowerClass",
    "timing.module_power_up_code": "MaxDurationModulePwrUp",
    "timing.module_power_down_code": "MaxDurationModulePwrDn",
    "timing.dp_init_code": "MaxDurationDPInit",
    "timing.dp_deinit_code": "MaxDurationDPDeinit",
    "timing.dp_tx_turn_on_code": "MaxDurationDPTxTurnOn",
    "timing.dp_tx_turn_off_code": "MaxDurationDPTxTurnOff",
    "cdb.length_extension": "CdbReadWriteLengthExtension",
    "signal_integrity.fixed_eq_tx_max": "TxInputEqMax",
    "signal_integrity.pre_cursor_rx_max": "RxOutputEqPreCursorMax",
    "signal_integrity.post_cursor_rx_max": "RxOutputEqPostCursorMax",
}
_SWITCHES: Mapping[str, str] = {
    "management.flat_memory": "MemoryModel",
    "management.user_eeprom": "Page03hSupported",
    "configuration.staged_control_set_1": "StagedControlSet1Supported",
    "configuration.stepped_config_only": "SteppedConfigOnly",
    "configuration.unidirectional": "UnidirectionalConfigSupported",
    "signal_integrity.adaptive_eq_tx": "TxInputAdaptiveEqSupported",
    "signal_integrity.cdr_tx": "TxCDRSupported",
    "signal_integrity.cdr_tx_bypass": "TxCDRBypassControlSupported",
    "signal_integrity.cdr_rx": "RxCDRSupported",
    "signal_integrity.cdr_rx_bypass": "RxCDRBypassControlSupported",
    "host_side.los_tx": "LOSFlagTxSupported",
    "host_side.auto_squelch_disable_tx": "AutoSquelchDisableTxSupported",
    "host_side.auto_squelch_disable_rx": "AutoSquelchDisableRxSupported",
    "host_side.polarity_flip_tx": "InputPolarityFlipTxSupported",
    "host_side.polarity_flip_rx": "OutputPolarityFlipRxSupported",
    "diagnostics.supported": "DiagnosticPagesSupported",
    "diagnostics.per_lane_loopbacks": "PerLaneMediaLoopbacksSupported",
    "diagnostics.simultaneous_loopbacks": "SimultaneousHostAndMediaLoopbacksSupported",
    "diagnostics.gating": "GatingSupported",
    "diagnostics.counters": "BitsAndErrorsCountingSupported",
    "diagnostics.media_snr": "MediaSideInputSNRSupported",
    "vdm.supported": "VDMPagesSupported",
    "cdb.supported": "CdbInstancesSupported",
    "cdb.background": "CdbBackgroundModeSupported",
    "cdb.auto_paging": "CdbAutoPagingSupported",
    "cdb.trigger_any_write": "CdbCommandTriggerMethod",
}
_TEXTS: Mapping[str, str] = {
    "identity.vendor": "VendorName",
    "identity.part_number": "VendorPN",
    "identity.serial": "VendorSN",
    "identity.revision": "VendorRev",
    "identity.date_code": "DateCode",
    "identity.clei": "CLEICode",
}


class NotForLivingError(ValueError):
    """The dump is of a module that the simulation cannot bring to life; the text says why."""


def profile_text(dump: Dump, *, description: str = "", frozen: bool = True) -> str:
    """The profile of a dump, as TOML.

    ``description``: what the profile says of itself; the module's own identity when it is empty.

    :raises NotForLivingError: with ``frozen`` false, when the other sections cannot agree with the bytes.
    :raises CmisError: when the dump does not hold lower memory and page 00h.
    """
    image = dump.image
    identity = information.read_identity(image)
    learnt = _Learnt(image)
    obstacles = learnt.obstacles()
    if obstacles and not frozen:
        raise NotForLivingError("; ".join(obstacles))
    text = description or f"{identity.vendor} {identity.part_number} {identity.serial_number}, from a dump"
    lines = [
        "# Made from a dump of a module's memory. [memory] holds its bytes.",
        *(f"# {printable_text(f'not as dumped: {note}')}" for note in learnt.notes),
        *(f"# {printable_text(f'frozen = false does not work: {note}')}" for note in obstacles),
        f"extends = {_toml(BASE)}",
        f"description = {_toml(_printable(text)[:_LONGEST_TEXT])}",
        f"media_lanes = {learnt.media_lanes}",
    ]
    for section, values in learnt.sections.items():
        lines += ["", f"[{section}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    lines += ["", "[memory]", f"frozen = {_toml(frozen)}", "", "[memory.pages]"]
    for bank, page in halves_of(image):
        name = page_name(bank, page)
        lines.append(
            f"{name if page is None else _toml(name)} = {_toml(''.join(half_digits(image, bank, page)))}"
        )
    for application in learnt.applications if not obstacles else ():
        lines += ["", "[[application]]", *(f"{key} = {_toml(value)}" for key, value in application.items())]
    return "\n".join(lines) + "\n"


class _Learnt:
    """What the sections of a profile can learn from an image; a key whose value a profile cannot have is left
    to the profile that is extended, with a note."""

    def __init__(self, image: MemoryImage) -> None:
        self._image = image
        self.notes: list[str] = []
        self.sections: dict[str, dict[str, Any]] = {}
        self.applications, self._unusable = self._read_applications()
        self.media_lanes = self._count_media_lanes()
        for table, read in (
            (_TEXTS, self._text),
            (_NUMBERS, lambda name: get_int(image, name)),
            (_SWITCHES, lambda name: bool(get_int(image, name))),
        ):
            for key, name in table.items():
                self._learn(key, lambda name=name, read=read: read(name))  # type: ignore[misc]
        self._learn("identity.oui", lambda: int.from_bytes(image.get(0, 0, FIELDS["VendorOUI"].byte, 3)))
        self._learn_consumption()
        for key, name in (("los", "RxLOSType"), ("power", "RxPowerMeasurementType")):
            self._learn(
                f"receiver.{key}_measures",
                lambda name=name: "average" if get_int(image, name) else "oma",  # type: ignore[misc]
            )
        self._learn("cdb.epl_pages", lambda: _EPL_PAGES.get(get_int(image, "CdbMaxPagesEPL")))
        self._learn("management.banks", lambda: {0: 1, 1: 2, 2: 4}.get(get_int(image, "BanksSupported")))
        self._learn("quirks.bias_multiplier", lambda: information.bias_multiplier(image))
        self._learn(
            "quirks.status_reserved_bits", lambda: image.get(0, 0, FIELDS["ModuleState"].byte, 1)[0] & 0xF0
        )
        self._learn("quirks.unsupported_pages_mirror_00h", lambda: bool(mirrored_pages(image)))
        self._learn(
            "signal_integrity.amplitude_rx_codes", lambda: _bits(get_int(image, "RxOutputLevelSupported"), 4)
        )
        self._learn_optics()
        if self.sections.get("diagnostics", {}).get("supported"):
            self._learn_diagnostics()
        if self.sections.get("vdm", {}).get("supported"):
            self._learn_observables()

    def obstacles(self) -> list[str]:
        """Why a simulated module cannot live on these bytes."""
        found = list(self._unusable)
        image = self._image
        if not found:
            found += [
                f"application {number}: host_lane_assignment: {fault}"
                for number, values in enumerate(self.applications, start=1)
                if (fault := beyond(ApplicationProfile(**values), self.media_lanes))
            ]
        if get_int(image, "MediaType") not in (MediaType.MMF, MediaType.SMF):
            found.append(
                f"lower:85 MediaType holds {get_int(image, 'MediaType'):02X}h: only optics are simulated"
            )
        found += [
            f"the dump does not hold page {page:02X}h"
            for page in (0x01, 0x02)
            if not get_int(image, "MemoryModel") and not image.has(0, page)
        ]
        return found

    def _learn(self, key: str, read: Callable[[], Any]) -> None:
        section, _, name = key.partition(".")
        try:
            value = read()
        except CmisError:
            return  # the dump does not hold it, or holds what means nothing
        field = next(item for item in dataclasses.fields(SECTIONS[section]) if item.name == name)
        wrong = _wrong(value, field.metadata)
        if wrong:
            self.notes.append(f"{key}: {wrong}")
            return
        self.sections.setdefault(section, {})[name] = value

    def _text(self, name: str) -> str:
        return _printable(information.get_text(self._image, name))

    def _read_applications(self) -> tuple[list[dict[str, int]], list[str]]:
        """Descriptors as a profile has them, and what is wrong with those that it cannot have."""
        found: list[dict[str, int]] = []
        wrong = []
        try:
            advertised = information.read_applications(self._image)
        except CmisError as error:
            return [], [str(error)]
        for expected, item in enumerate(advertised, start=1):
            if item.app_sel != expected:
                wrong.append(f"application descriptor {expected} is empty, but others follow")
                break
            values = {
                "host_interface": item.host_interface_code,
                "media_interface": item.media_interface_code,
                "host_lanes": item.host_lanes,
                "media_lanes": item.media_lanes,
                "host_lane_assignment": _mask(item.host_lane_starts),
                "media_lane_assignment": _mask(item.media_lane_starts),
            }
            wrong += [
                f"application {item.app_sel}: {field.name}: {problem}"
                for field in dataclasses.fields(ApplicationProfile)
                if field.name in values and (problem := _wrong(values[field.name], field.metadata))
            ]
            found.append(values)
        if not 1 <= len(found) <= MOST_APPLICATIONS:
            wrong.append(f"it advertises {len(found)} applications")
        return found, wrong

    def _count_media_lanes(self) -> int:
        needed = max((item["media_lanes"] for item in self.applications), default=1)
        try:
            present = max(information.media_lanes_present(self._image), default=1)
        except CmisError:
            present = 1
        return max(1, min(HOST_LANES, max(needed, present)))

    def _learn_consumption(self) -> None:
        self._learn("power.advertised_max_w", lambda: information.get_float(self._image, "MaxPower"))
        most_w = self.sections.get("power", {}).get("advertised_max_w", 0.0)
        if most_w:  # the shares are those of the profile that is extended
            self._learn("power.ready_w", lambda: round(_READY_SHARE * most_w, 2))
            self._learn("power.data_path_w", lambda: round(_DATA_PATH_SHARE * most_w, 2))

    def _learn_optics(self) -> None:
        """Per-lane values of the profile that is extended are of four lanes: each is written anew."""
        self._learn("transmitter.coupling_loss_db", lambda: (0.0,) * self.media_lanes)
        self._learn("transmitter.average_launch_power_dbm", self._launch_powers_dbm)
        self._learn("transmitter.wavelength_nm", self._wavelengths_nm)
        written = self.sections["transmitter"]
        written.setdefault("average_launch_power_dbm", (1.0,) * self.media_lanes)
        written.setdefault("wavelength_nm", (1311.0,) * self.media_lanes)

    def _launch_powers_dbm(self) -> tuple[float, ...]:
        monitors = information.read_lane_monitors(self._image)[: self.media_lanes]
        return tuple(round(dbm_from_w(lane.tx_power_w), 2) if lane.tx_power_w else 1.0 for lane in monitors)

    def _wavelengths_nm(self) -> tuple[float, ...]:
        nominal_nm = information.get_float(self._image, "NominalWavelength")
        if abs(nominal_nm - _CWDM4_MIDDLE_NM) < _CWDM4_FROM_NM:
            self._learn("medium.multiplexed", lambda: True)
            return tuple(CWDM_NM[lane % 4] for lane in range(self.media_lanes))
        return (nominal_nm,) * self.media_lanes

    def _learn_diagnostics(self) -> None:
        image = self._image
        for side in ("Host", "Media"):
            for unit in ("Generator", "Checker"):
                key = f"diagnostics.{side.lower()}_{unit.lower()}_patterns"
                self._learn(key, lambda name=f"{side}Side{unit}Patterns": _bits(get_int(image, name), 16))  # type: ignore[misc]
        self._learn(
            "diagnostics.loopbacks",
            lambda: tuple(key for key, name in _LOOPBACKS.items() if get_int(image, name)),
        )

    def _learn_observables(self) -> None:
        types = set(_observable_types(self._image))
        known = tuple(name for code, name in _OBSERVABLES.items() if code in types)
        if known:
            self._learn("vdm.observables", lambda: known)
        else:
            self.sections["vdm"]["supported"] = False
            self.notes.append("vdm.supported: none of the observables in the dump is simulated")


def _observable_types(image: MemoryImage) -> Iterator[int]:
    for page in range(0x20, 0x24):
        try:
            data = image.get(0, page, 128, 128)
        except CmisError:
            continue
        yield from data[1::2]


def _wrong(value: Any, rules: Mapping[str, Any]) -> str:
    """What a profile has against a value; empty: nothing."""
    if value is None:
        return "a reserved code"
    if isinstance(value, tuple):
        return next((wrong for item in value if (wrong := _wrong(item, rules))), "")
    if isinstance(value, str):
        return ""  # the register is no longer than what a profile takes
    if "choices" in rules:
        return "" if value in rules["choices"] else f"{value} is none that is simulated"
    if "low" in rules and not rules["low"] <= value <= rules["high"]:
        return f"{value} is not within {rules['low']:g} .. {rules['high']:g}"
    return ""


def _mask(lanes: Sequence[int]) -> int:
    return sum(1 << lane - 1 for lane in lanes)


def _bits(bitmap: int, count: int) -> tuple[int, ...]:
    return tuple(bit for bit in range(count) if bitmap >> bit & 1)


def _printable(text: str) -> str:
    return "".join(
        character if character.isascii() and character.isprintable() else "?" for character in text
    )


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value)  # of printable ASCII: the same in TOML
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return repr(value)
