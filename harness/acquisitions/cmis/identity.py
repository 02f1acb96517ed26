"""Who the module says it is and what it advertises: every static page once, judged by itself. Nothing is
written but the page selection."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from drivers.cmis import codes, information
from drivers.cmis.application import placements
from drivers.cmis.errors import PageUnavailableError
from drivers.cmis.image import CHECKSUM_PAGES, HALF
from drivers.cmis.information import Thresholds
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.states import DATA_PATH_TRANSIENTS, MODULE_TRANSIENTS
from drivers.cmis.wording import where
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks
from harness.run import Run

_CMIS_IDENTIFIERS = {0x18, 0x19, 0x1B, 0x1E, 0x1F, 0x20, 0x21, 0x22}
"""SFF-8024 Table 4-1: form factors that are managed by CMIS."""
_TEXTS = ("VendorName", "VendorPN", "VendorRev", "VendorSN", "DateCode", "CLEICode")
_MONITORS = {
    "thresholds_temperature": ("TempMon", "02h:128-135", "TempMonSupported"),
    "thresholds_vcc": ("VccMon", "02h:136-143", "VccMonSupported"),
    "thresholds_tx_power": ("TxPower", "02h:176-183", "TxOpticalPowerMonSupported"),
    "thresholds_tx_bias": ("TxBias", "02h:184-191", "TxBiasMonSupported"),
    "thresholds_rx_power": ("RxPower", "02h:192-199", "RxOpticalPowerMonSupported"),
}
_ADVERTISED_PAGES = {  # field: pages it stands for
    "Page03hSupported": (0x03,),
    "TransmitterIsTunable": (0x04, 0x12),
    "DiagnosticPagesSupported": (0x13, 0x14),
    "VDMPagesSupported": (0x20, 0x24, 0x28, 0x2D, 0x2F),
    "CdbInstancesSupported": (0x9F,),
}


def cmis_identity(run: Run, _lanes: Sequence[int] = ()) -> Acquired:
    """Identity, checksums, advertisements and thresholds, read once.

    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_identity")
    _identity(checks)
    _checksums(checks)
    _applications(checks)
    _advertised(checks)
    _thresholds(checks)
    return checks.acquired()


def _identity(checks: Checks) -> None:
    module = checks.run.module
    with checks.about("identifier", "cmis_revision", "memory_model", "media_type", "vendor_texts"):
        lower = int.from_bytes(module.memory.read(0, 0, 0, 1), "big")
        copy = module.memory.read(0, 0, 128, 1)[0]
        name = codes.meaning("identifier", lower)
        checks.say(
            "identifier",
            lower == copy and lower in _CMIS_IDENTIFIERS,
            f"lower:0 reads {lower:02X}h ({name}), its copy 00h:128 {copy:02X}h",
        )
        major = information.get_int(module.registers, "CmisRevisionMajor")
        checks.say(
            "cmis_revision", major in (3, 4, 5), f"lower:1 says CMIS {module.identity().cmis_revision}"
        )
        flat = information.get_int(module.registers, "MemoryModel")
        checks.say(
            "memory_model", not flat, f"{where('MemoryModel')} is {flat}: {'flat' if flat else 'paged'}"
        )
        media = module.identity().media_type
        checks.say(
            "media_type", "SMF" in media or "single" in media.lower(), f"{where('MediaType')}: {media}"
        )
        wrong = []
        texts = {}
        for field in (FIELDS[name] for name in _TEXTS):
            raw = module.memory.read(0, field.page, field.byte, field.size)
            texts[field.name] = raw.hex()
            body = raw.rstrip(b" ")
            # CLEI codes are optional, and zeros there are usual.
            if field.name == "CLEICode" and not any(raw):
                continue
            if not all(0x20 <= byte < 0x7F for byte in raw) or body != body.lstrip(b" "):
                wrong.append(f"{where(field.name)}: {raw.hex(' ')}")
        checks.data["texts"] = texts
        checks.say(
            "vendor_texts",
            not wrong,
            f"not ASCII, left-aligned and padded with spaces: {'; '.join(wrong)}"
            if wrong
            else "all are ASCII",
        )
    with checks.about("vendor_identity", "date_code", "power_advertised"):
        identity = module.identity()
        empty = [
            name
            for name, text in (
                ("VendorName", identity.vendor),
                ("VendorPN", identity.part_number),
                ("VendorSN", identity.serial_number),
            )
            if not text.strip()
        ]
        said = f"{identity.vendor} {identity.part_number}, serial number {identity.serial_number}"
        checks.say("vendor_identity", not empty, f"empty: {', '.join(map(where, empty))}" if empty else said)
        code = identity.date_code.strip()
        checks.say("date_code", _is_date(code), f"{where('DateCode')} reads {code!r}")
        checks.say(
            "power_advertised",
            identity.max_power_w > 0.0,
            f"class {identity.power_class}, at most {identity.max_power_w:g} W (00h:200-201)",
        )


def _is_date(code: str) -> bool:
    """YYMMDD and a lot code; modules before CMIS 4 have YYYYMMDD."""
    for digits, form in ((6, "%y%m%d"), (8, "%Y%m%d")):
        try:
            datetime.datetime.strptime(code[:digits], form)  # noqa: DTZ007
        except ValueError:
            continue
        return True
    return False


def _checksums(checks: Checks) -> None:
    names = {page: f"checksum_{page:02x}h" for page in CHECKSUM_PAGES}
    with checks.about(*names.values()):
        for found in checks.run.module.checksums():
            checks.say(
                names[found.page],
                found.stored == found.computed,
                f"{found.page:02X}h: stored {found.stored:02X}h, computed {found.computed:02X}h",
            )
        checks.leave("the transmitter is not tunable (01h:155.6): there is no page 04h", names[0x04])


def _applications(checks: Checks) -> None:
    module, pmd = checks.run.module, checks.run.pmd
    with checks.about("application_descriptors", "application_of_pmd", "media_lanes"):
        applications = module.applications()
        listed = ", ".join(
            f"{item.app_sel}: {item.host_interface} / {item.media_interface}" for item in applications
        )
        present = information.media_lanes_present(module.registers)
        wrong = []
        for item in applications:
            if not item.host_lane_starts:
                wrong.append(f"AppSel {item.app_sel} may begin on no host lane")
            elif item.host_lanes and not placements(item):
                wrong.append(f"AppSel {item.app_sel} fits on no lanes that it may begin on")
            for place in placements(item):
                absent = set(place.media_lanes) - set(present)
                if absent:
                    wrong.append(
                        f"AppSel {item.app_sel} uses media lanes {sorted(absent)}, which 00h:210 denies"
                    )
        checks.data["applications"] = listed
        checks.say(
            "application_descriptors",
            bool(applications) and not wrong,
            "; ".join(dict.fromkeys(wrong))
            or (f"lower:86-117: {listed}" if applications else "none advertised"),
        )
        offered = [item.app_sel for item in applications if item.media_interface == pmd.media_interface]
        checks.say(
            "application_of_pmd",
            bool(offered),
            f"{pmd.media_interface}: AppSel {offered or 'none'}; {listed}",
        )
        wanted = set(pmd.lane_numbers())
        checks.say(
            "media_lanes",
            wanted <= set(present),
            f"{where('MediaLaneUnsupported')}: media lanes {present} are there",
        )


def _advertised(checks: Checks) -> None:
    module, pmd = checks.run.module, checks.run.pmd
    with checks.about("duration_codes"):
        reserved, said = [], {}
        for name in (*MODULE_TRANSIENTS.values(), *DATA_PATH_TRANSIENTS.values()):
            code = information.get_int(module.registers, name)
            said[name] = code
            if code > 0xD:
                reserved.append(f"{where(name)} holds the reserved code {code:X}h")
        checks.data["duration_codes"] = said
        checks.say("duration_codes", not reserved, "; ".join(reserved) or f"{said}")
    with checks.about("advertised_wavelength"):
        nominal_nm = information.get_float(module.registers, "NominalWavelength")
        tolerance_nm = information.get_float(module.registers, "WavelengthTolerance")
        low_nm = min(low for low, _ in pmd.wavelength_ranges_nm)
        high_nm = max(high for _, high in pmd.wavelength_ranges_nm)
        checks.say(
            "advertised_wavelength",
            low_nm <= nominal_nm <= high_nm,
            f"01h:138-141 say {nominal_nm:g} nm within {tolerance_nm:g} nm; "
            f"{pmd.media_interface} has {low_nm:g} to {high_nm:g} nm",
        )
    with checks.about("advertised_pages"):
        lost, there = [], []
        for name, pages in _ADVERTISED_PAGES.items():
            if not information.get_int(module.registers, name):
                continue
            for page in pages:
                try:
                    module.memory.read(0, page, HALF, 1)
                    there.append(f"{page:02X}h")
                except PageUnavailableError as error:
                    lost.append(f"{where(name)} is set, yet {error}")
        checks.say(
            "advertised_pages", not lost, "; ".join(lost) or f"{', '.join(there) or 'none'} can be selected"
        )


def _thresholds(checks: Checks) -> None:
    module = checks.run.module
    registers = module.registers
    found: dict[str, Thresholds] = {}
    for parameter, (monitor, register, advertisement) in _MONITORS.items():
        with checks.about(parameter):
            if not information.get_int(registers, advertisement):
                checks.leave(f"the monitor is not advertised ({where(advertisement)})", parameter)
                continue
            high_alarm, low_alarm, high_warning, low_warning = (
                information.get_float(registers, f"{monitor}{side}Threshold")
                for side in ("HighAlarm", "LowAlarm", "HighWarning", "LowWarning")
            )
            if not any((high_alarm, low_alarm, high_warning, low_warning)):
                checks.leave(f"all thresholds are 0, which means not used ({register})", parameter)
                continue
            found[monitor] = Thresholds(high_alarm, low_alarm, high_warning, low_warning)
            checks.say(
                parameter,
                low_alarm < low_warning < high_warning < high_alarm,
                f"{register}: low alarm {low_alarm:g}, low warning {low_warning:g}, high warning "
                f"{high_warning:g}, high alarm {high_alarm:g}",
            )
    with checks.about("temperature_range_inside_warnings"):
        low_c = information.get_float(registers, "ModuleTempMin")
        high_c = information.get_float(registers, "ModuleTempMax")
        if "TempMon" not in found or low_c == high_c == 0:
            reason = "no operating range (01h:146-147) or no thresholds of the temperature are given"
            checks.leave(reason, "temperature_range_inside_warnings")
        else:
            limits = found["TempMon"]
            checks.say(
                "temperature_range_inside_warnings",
                limits.low_warning <= low_c < high_c <= limits.high_warning,
                f"01h:146-147: {low_c:g} to {high_c:g} C; warnings at {limits.low_warning:g} and "
                f"{limits.high_warning:g} C (02h:132-135)",
            )
    with checks.about("supply_range_inside_warnings"):
        lowest_v = information.get_float(registers, "OperatingVoltageMin")
        if "VccMon" not in found or not lowest_v:
            reason = "no lowest voltage (01h:150) or no thresholds of the supply are given"
            checks.leave(reason, "supply_range_inside_warnings")
        else:
            limits = found["VccMon"]
            # 01h:150 counts in steps of 20 mV.
            checks.say(
                "supply_range_inside_warnings",
                limits.low_warning <= lowest_v + 0.02 and limits.high_warning > 3.3,
                f"01h:150: {lowest_v:g} V at least; warnings at {limits.low_warning:g} and "
                f"{limits.high_warning:g} V (02h:140-143)",
            )
