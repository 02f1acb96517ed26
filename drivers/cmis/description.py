"""Everything that is known about a memory image, as a plain dictionary and as text for people.

What an image does not hold, or what a module does not have, is told with its reason; nothing is made up
in its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from drivers.cmis import codes, information
from drivers.cmis.codes import ConfigStatus, DataPathState, ModuleState
from drivers.cmis.errors import CmisError, PageUnavailableError
from drivers.cmis.fields import LANES
from drivers.cmis.image import CHECKSUM_PAGES, HALF, MemoryImage, page_checksum
from drivers.cmis.information import Thresholds
from drivers.cmis.module import flags_of
from drivers.units import LOWEST_DBM, dbm_from_w

Section = dict[str, Any]

_DURATIONS = (
    "MaxDurationModulePwrUp",
    "MaxDurationModulePwrDn",
    "MaxDurationDPInit",
    "MaxDurationDPDeinit",
    "MaxDurationDPTxTurnOn",
    "MaxDurationDPTxTurnOff",
)


def describe(image: MemoryImage, bank: int = 0) -> Section:
    """Describe an image. The result holds only what JSON can hold, with units in the names.

    Sections that cannot be given are None, and ``unavailable`` says why: a list of
    ``{"section", "reason"}``. Never raises for what an image holds.
    """
    unavailable: list[Section] = []

    def section(name: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except CmisError as error:
            unavailable.append({"section": name, "reason": _reason(image, error)})
            return None

    description: Section = {
        "notes": _notes(image),
        "identity": section("identity", lambda: asdict(information.read_identity(image))),
        "applications": section("applications", lambda: _applications(image)),
        "module_state": section("module_state", lambda: _module_state(image)),
        "media": section("media", lambda: _media(image)),
        "durations": section("durations", lambda: _durations(image)),
        "monitors": section("monitors", lambda: _monitors(image)),
        "host_lanes": section("host_lanes", lambda: _host_lanes(image, bank)),
        "media_lanes": section("media_lanes", lambda: _media_lanes(image, bank)),
        "flags": section("flags", lambda: _flags(image, bank)),
        "checksums": [_checksum(image, page) for page in CHECKSUM_PAGES if image.has(0, page)],
        "pages": [f"{page:02X}h" for of_bank, page in image.pages() if of_bank in (0, bank)],
    }
    description["unavailable"] = unavailable
    return description


def render_text(description: Mapping[str, Any]) -> str:
    """A description as text, without control characters, ending with a newline."""
    lines: list[str] = []
    for render in (
        _notes_text,
        _identity_text,
        _applications_text,
        _media_text,
        _state_text,
        _monitors_text,
        _host_lanes_text,
        _media_lanes_text,
        _flags_text,
        _checksums_text,
    ):
        block = list(render(description))
        if block:
            lines += [*block, ""]
    unavailable = description["unavailable"]
    if unavailable:
        lines.append("Not available")
        lines += [f"  {item['section'].replace('_', ' ')}: {item['reason']}" for item in unavailable]
    return "\n".join(lines).rstrip("\n") + "\n"


# From an image to plain data


def _reason(image: MemoryImage, error: CmisError) -> str:
    flat = image.has_lower and information.get_int(image, "MemoryModel")
    if flat and isinstance(error, PageUnavailableError):
        return f"{error}; a flat-memory module has lower memory and page 00h only"
    return str(error)


def _notes(image: MemoryImage) -> list[str]:
    """What a reader must know before trusting the rest."""
    if not image.has_lower:
        return []
    identifier = information.get_int(image, "SFF8024Identifier")
    if identifier in codes.CMIS_IDENTIFIERS:
        return []
    name = codes.meaning("identifier", identifier)
    return [f"identifier {identifier:02X}h ({name}) is not of a CMIS module: what follows may be meaningless"]


def _applications(image: MemoryImage) -> list[Section]:
    return [
        {
            **asdict(item),
            "host_lane_starts": list(item.host_lane_starts),
            "media_lane_starts": list(item.media_lane_starts),
        }
        for item in information.read_applications(image)
    ]


def _module_state(image: MemoryImage) -> Section:
    state = ModuleState(information.get_int(image, "ModuleState"))
    fault = information.get_int(image, "ModuleFaultCause")
    return {
        "name": state.name,
        "code": int(state),
        "interrupt_asserted": not information.get_int(image, "InterruptDeasserted"),
        "fault_cause": codes.meaning("fault_cause", fault) if state is ModuleState.ModuleFault else None,
        "low_power_requested": bool(information.get_int(image, "LowPwrRequestSW")),
    }


def _media(image: MemoryImage) -> Section:
    copper = information.is_copper(image)
    length_m = information.read_cable_length_m(image)
    found: Section = {
        "copper": copper,
        "cable_length_m": None if length_m is None or math.isinf(length_m) else length_m,
        "wavelength_nm": None,
        "wavelength_tolerance_nm": None,
        "smf_length_km": None,
        "om5_length_m": None,
        "om4_length_m": None,
        "om3_length_m": None,
        "om2_length_m": None,
        "reason": None,
    }
    if copper:
        found["reason"] = "a copper medium has no wavelength and no fibre length"
        return found
    try:
        reach = information.read_reach(image)
        wavelength_nm = information.get_float(image, "NominalWavelength")
        tolerance_nm = information.get_float(image, "WavelengthTolerance")
    except CmisError as error:
        found["reason"] = _reason(image, error)
        return found
    found.update(
        wavelength_nm=round(wavelength_nm, 3) or None,
        wavelength_tolerance_nm=round(tolerance_nm, 3) if wavelength_nm else None,
        smf_length_km=None if reach.smf_km is None else round(reach.smf_km, 1),
        om5_length_m=reach.om5_m,
        om4_length_m=reach.om4_m,
        om3_length_m=reach.om3_m,
        om2_length_m=reach.om2_m,
    )
    return found


def _durations(image: MemoryImage) -> Section:
    return {
        name: {"code": code, "meaning": codes.meaning("duration", code)}
        for name in _DURATIONS
        for code in (information.get_int(image, name),)
    }


def _monitors(image: MemoryImage) -> Section:
    thresholds = _thresholds(image)
    found: Section = {}
    for key, name, advertised in (
        ("temperature_c", "TempMonValue", "TempMonSupported"),
        ("vcc_v", "VccMonVoltage", "VccMonSupported"),
    ):
        # Without the advertisement a register that reads 0 may be no measurement at all.
        supported = information.get_int(image, advertised)
        value = information.get_float(image, name) if supported else None
        found[key] = _monitor(value, thresholds.get(key))
    return found


def _thresholds(image: MemoryImage) -> Mapping[str, Thresholds]:
    try:
        return information.read_thresholds(image)
    except PageUnavailableError:
        return {}


def _against(value: float, limits: Thresholds | None, *, power: bool = False) -> Section:
    """A value with its limits; ``power`` turns watts into dBm."""

    def shown(number: float) -> float:
        return round(dbm_from_w(number), 3) if power else round(number, 6)

    return {
        "value": shown(value),
        "limits": None if limits is None else {name: shown(limit) for name, limit in asdict(limits).items()},
        "verdict": "no thresholds" if limits is None else limits.verdict(value),
    }


def _host_lanes(image: MemoryImage, bank: int) -> list[Section]:
    states = information.get_codes(image, "DPStateHostLane", bank)
    status = information.get_codes(image, "ConfigStatus", bank)
    app_sel = information.get_codes(image, "ACS_AppSel", bank)
    first = information.get_codes(image, "ACS_DataPathID", bank)
    return [
        {
            "lane": index + 1,
            "data_path_state": DataPathState(states[index]).name,
            "config_status": ConfigStatus(status[index]).name,
            "app_sel": app_sel[index],
            "data_path_first_lane": first[index] + 1,
        }
        for index in range(LANES)
    ]


def _media_lanes(image: MemoryImage, bank: int) -> list[Section]:
    present = information.media_lanes_present(image)
    monitors = information.read_lane_monitors(image, bank)
    thresholds = _thresholds(image)
    by_lane: dict[int, list[str]] = {}
    for name, lanes in flags_of(image, bank).lanes.items():
        for lane in lanes:
            by_lane.setdefault(lane, []).append(name)
    return [
        {
            "lane": item.lane,
            "present": item.lane in present,
            "tx_power_dbm": _monitor(item.tx_power_w, thresholds.get("tx_power_w"), power=True),
            "rx_power_dbm": _monitor(item.rx_power_w, thresholds.get("rx_power_w"), power=True),
            "bias_ma": _monitor(item.bias_ma, thresholds.get("tx_bias_ma")),
            "flags": by_lane.get(item.lane, []),
        }
        for item in monitors
    ]


def _monitor(value: float | None, limits: Thresholds | None, *, power: bool = False) -> Section | None:
    return None if value is None else _against(value, limits, power=power)


def _flags(image: MemoryImage, bank: int) -> Section:
    flags = flags_of(image, bank)
    return {"module": list(flags.module), "lanes": {name: list(lanes) for name, lanes in flags.lanes.items()}}


def _checksum(image: MemoryImage, page: int) -> Section:
    checksum = page_checksum(page, image.get(0, page, HALF, HALF))
    return {
        "page": f"{page:02X}h",
        "byte": checksum.byte,
        "stored": checksum.stored,
        "computed": checksum.computed,
        "ok": checksum.ok,
    }


# From plain data to text


def _pairs(title: str, rows: Iterable[tuple[str, object]]) -> list[str]:
    shown = [(label, str(value)) for label, value in rows if value not in (None, "")]
    width = max((len(label) for label, _ in shown), default=0)
    return [title, *(f"  {label:<{width}}  {value}" for label, value in shown)] if shown else []


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    return [
        title,
        *(
            "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ),
    ]


def _notes_text(description: Mapping[str, Any]) -> list[str]:
    return [f"NOTE: {note}" for note in description["notes"]]


def _identity_text(description: Mapping[str, Any]) -> list[str]:
    identity = description["identity"]
    if identity is None:
        return []
    return _pairs(
        "Module",
        (
            ("vendor", f"{identity['vendor'] or '(empty)'}  (OUI {identity['oui']})"),
            (
                "part number",
                f"{identity['part_number'] or '(empty)'}  rev {identity['revision'] or '(empty)'}",
            ),
            ("serial number", identity["serial_number"] or "(empty)"),
            ("date code", identity["date_code"] or "(empty)"),
            ("type", f"{identity['identifier']} ({identity['identifier_code']:02X}h)"),
            ("CMIS revision", identity["cmis_revision"]),
            ("memory", "flat" if identity["flat_memory"] else "paged"),
            ("firmware", identity["firmware"]),
            ("power class", f"{identity['power_class']}, at most {identity['max_power_w']:g} W"),
            ("connector", identity["connector"]),
            ("media", f"{identity['media_type']}, {identity['media_technology']}"),
        ),
    )


def _applications_text(description: Mapping[str, Any]) -> list[str]:
    applications = description["applications"]
    if applications is None:
        return []
    if not applications:
        return ["Applications", "  none advertised"]
    return _table(
        "Applications",
        ("AppSel", "host interface", "media interface", "host lanes", "from", "media lanes", "from"),
        (
            (
                str(item["app_sel"]),
                item["host_interface"],
                item["media_interface"],
                str(item["host_lanes"]),
                ",".join(map(str, item["host_lane_starts"])) or "-",
                str(item["media_lanes"]),
                ",".join(map(str, item["media_lane_starts"])) or "-",
            )
            for item in applications
        ),
    )


def _media_text(description: Mapping[str, Any]) -> list[str]:
    media = description["media"]
    if media is None:
        return []
    wavelength = media["wavelength_nm"]
    tolerance = media["wavelength_tolerance_nm"]
    return _pairs(
        "Medium",
        (
            ("wavelength", None if wavelength is None else f"{wavelength:.2f} nm +/- {tolerance:.3f} nm"),
            ("single-mode fibre", _with_unit(media["smf_length_km"], "km")),
            ("OM5", _with_unit(media["om5_length_m"], "m")),
            ("OM4", _with_unit(media["om4_length_m"], "m")),
            ("OM3", _with_unit(media["om3_length_m"], "m")),
            ("OM2", _with_unit(media["om2_length_m"], "m")),
            ("cable length", _with_unit(media["cable_length_m"], "m")),
            ("no optics data", media["reason"]),
        ),
    )


def _with_unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:g} {unit}"


def _state_text(description: Mapping[str, Any]) -> list[str]:
    state = description["module_state"]
    if state is None:
        return []
    durations = description["durations"] or {}
    return _pairs(
        "State",
        (
            ("module", f"{state['name']} ({state['code']})"),
            ("fault cause", state["fault_cause"]),
            ("interrupt", "asserted" if state["interrupt_asserted"] else "not asserted"),
            ("low power by register", "requested" if state["low_power_requested"] else "not requested"),
            *((name, item["meaning"]) for name, item in durations.items()),
        ),
    )


def _monitors_text(description: Mapping[str, Any]) -> list[str]:
    monitors = description["monitors"]
    if monitors is None:
        return []
    rows: list[tuple[str, ...]] = []
    for label, key, unit, digits in (
        ("temperature", "temperature_c", "degC", 2),
        ("supply", "vcc_v", "V", 4),
    ):
        item = monitors[key]
        if item is None:
            rows.append((label, "no monitor", "-", "-", "-", "-", "-"))
            continue
        rows.append(
            (label, f"{item['value']:.{digits}f} {unit}", *_limits_cells(item, digits), item["verdict"])
        )
    return _table(
        "Module monitors",
        ("", "value", "low alarm", "low warning", "high warning", "high alarm", "verdict"),
        rows,
    )


def _limits_cells(item: Mapping[str, Any], digits: int) -> tuple[str, str, str, str]:
    limits = item["limits"]
    if limits is None:
        return ("-", "-", "-", "-")
    low_alarm, low_warning, high_warning, high_alarm = (
        f"{limits[name]:.{digits}f}" for name in ("low_alarm", "low_warning", "high_warning", "high_alarm")
    )
    return (low_alarm, low_warning, high_warning, high_alarm)


def _host_lanes_text(description: Mapping[str, Any]) -> list[str]:
    lanes = description["host_lanes"]
    if lanes is None:
        return []
    return _table(
        "Host lanes",
        ("lane", "data path state", "configuration", "AppSel", "data path from"),
        (
            (
                str(item["lane"]),
                item["data_path_state"],
                item["config_status"],
                str(item["app_sel"]) if item["app_sel"] else "unused",
                str(item["data_path_first_lane"]) if item["app_sel"] else "-",
            )
            for item in lanes
        ),
    )


def _media_lanes_text(description: Mapping[str, Any]) -> list[str]:
    lanes = description["media_lanes"]
    if lanes is None:
        return []
    shown = [item for item in lanes if item["present"]]
    if not shown:
        return ["Media lanes", "  none implemented (00h:210)"]
    return _table(
        "Media lanes",
        ("lane", "Tx power / dBm", "Rx power / dBm", "bias / mA", "flags"),
        (
            (
                str(item["lane"]),
                _value_cell(item["tx_power_dbm"], lowest="no light"),
                _value_cell(item["rx_power_dbm"], lowest="no light"),
                _value_cell(item["bias_ma"]),
                ", ".join(item["flags"]) or "-",
            )
            for item in shown
        ),
    )


def _value_cell(item: Mapping[str, Any] | None, *, lowest: str = "") -> str:
    if item is None:
        return "no monitor"
    verdict = item["verdict"]
    value = lowest if lowest and item["value"] <= LOWEST_DBM else f"{item['value']:.2f}"
    return value if verdict in ("ok", "not set", "no thresholds") else f"{value} ({verdict})"


def _flags_text(description: Mapping[str, Any]) -> list[str]:
    flags = description["flags"]
    if flags is None:
        return []
    return ["Module flags", f"  {', '.join(flags['module']) or 'none set'}"]


def _checksums_text(description: Mapping[str, Any]) -> list[str]:
    return _pairs(
        "Checksums", ((f"page {item['page']}", _checksum_cell(item)) for item in description["checksums"])
    )


def _checksum_cell(item: Mapping[str, Any]) -> str:
    if item["ok"]:
        return f"OK ({item['stored']:02X}h)"
    return f"WRONG: computed {item['computed']:02X}h, byte {item['byte']} holds {item['stored']:02X}h"
