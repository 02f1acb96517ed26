"""Sections: who the module is, what it can carry, over which medium."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from drivers.cmis import codes, information
from drivers.cmis.description.layout import pairs, table
from drivers.cmis.description.sections import Page, Plain, Section, Subject
from drivers.cmis.errors import CmisError
from drivers.cmis.wording import lanes_text


def _identity(subject: Subject) -> Plain:
    return asdict(information.read_identity(subject.image))


def _applications(subject: Subject) -> Plain:
    return [
        {
            **asdict(item),
            "host_lane_starts": list(item.host_lane_starts),
            "media_lane_starts": list(item.media_lane_starts),
        }
        for item in information.read_applications(subject.image)
    ]


def _media(subject: Subject) -> Plain:
    image = subject.image
    copper = information.is_copper(image)
    length_m = information.read_cable_length_m(image)
    found: dict[str, Plain] = {
        "copper": copper,
        "cable_length_m": None if length_m is None or math.isinf(length_m) else round(length_m, 1),
        "cable_length_beyond_m": 6300.0 if length_m is not None and math.isinf(length_m) else None,
        "wavelength_nm": None,
        "wavelength_tolerance_nm": None,
        "smf_length_km": None,
        "om5_length_m": None,
        "om4_length_m": None,
        "om3_length_m": None,
        "om2_length_m": None,
        "detector": None,
        "rx_power_type": None,
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
        found["reason"] = subject.reason(error)
        return found
    found.update(
        wavelength_nm=round(wavelength_nm, 3) or None,
        wavelength_tolerance_nm=round(tolerance_nm, 3) if wavelength_nm else None,
        smf_length_km=None if reach.smf_km is None else round(reach.smf_km, 1),
        om5_length_m=reach.om5_m,
        om4_length_m=reach.om4_m,
        om3_length_m=reach.om3_m,
        om2_length_m=reach.om2_m,
        detector=codes.meaning("detector", information.get_int(image, "OpticalDetectorType")),
        rx_power_type=codes.meaning("rx_power_type", information.get_int(image, "RxPowerMeasurementType")),
    )
    return found


def _identity_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    identity = description["identity"]
    if identity is None:
        return []
    return pairs(
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
            ("CMIS revision", f"{identity['cmis_revision']}, {_memory(identity)}"),
            ("firmware", identity["firmware"]),
            ("power class", f"{identity['power_class']}, at most {identity['max_power_w']:g} W"),
            ("connector", identity["connector"]),
            ("media", f"{identity['media_type']}, {identity['media_technology']}"),
        ),
    )


def _memory(identity: Mapping[str, Plain]) -> str:
    return "flat memory" if identity["flat_memory"] else "paged memory"


def _applications_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    applications = description["applications"]
    if applications is None:
        return []
    if not applications:
        return ["Applications", "  none advertised"]
    return table(
        "Applications",
        ("AppSel", "host interface", "lanes", "from", "media interface", "lanes", "from"),
        (
            (
                str(item["app_sel"]),
                item["host_interface"],
                str(item["host_lanes"]),
                lanes_text(item["host_lane_starts"]) or "-",
                item["media_interface"],
                str(item["media_lanes"]),
                lanes_text(item["media_lane_starts"]) or "-",
            )
            for item in applications
        ),
        right=(0, 2, 5),
    )


def _media_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    media = description["media"]
    if media is None:
        return []
    wavelength, tolerance = media["wavelength_nm"], media["wavelength_tolerance_nm"]
    beyond = media["cable_length_beyond_m"]
    return pairs(
        "Medium",
        (
            ("wavelength", None if wavelength is None else f"{wavelength:.2f} nm +/- {tolerance:.3f} nm"),
            ("single-mode fibre", _with_unit(media["smf_length_km"], "km")),
            ("OM5", _with_unit(media["om5_length_m"], "m")),
            ("OM4", _with_unit(media["om4_length_m"], "m")),
            ("OM3", _with_unit(media["om3_length_m"], "m")),
            ("OM2", _with_unit(media["om2_length_m"], "m")),
            (
                "cable length",
                _with_unit(media["cable_length_m"], "m") if beyond is None else f"more than {beyond:g} m",
            ),
            (
                "receiver",
                None
                if media["detector"] is None
                else f"{media['detector']}, power as {media['rx_power_type']}",
            ),
            ("no optics data", media["reason"]),
        ),
    )


def _with_unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:g} {unit}"


IDENTITY = Section("identity", _identity, _identity_text)
APPLICATIONS = Section("applications", _applications, _applications_text)
MEDIA = Section("media", _media, _media_text)
