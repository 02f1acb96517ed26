"""Sections: what only some modules have: tunable lasers, diagnostics, VDM observables, CDB."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from drivers.cmis import codes, information
from drivers.cmis.cdb.advertisement import read_advertisement
from drivers.cmis.description.condition import limits_plain
from drivers.cmis.description.layout import pairs, table
from drivers.cmis.description.sections import Page, Plain, Section, Subject
from drivers.cmis.description.usage import LanesInUse, lanes_in_use
from drivers.cmis.diagnostics.capabilities import Side, read_capabilities
from drivers.cmis.errors import CmisError, NotAdvertisedError
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.pages.page_04h import GRIDS
from drivers.cmis.vdm import VdmReading, read_vdm, support


def _laser(subject: Subject) -> Plain:
    image, bank = subject.image, subject.bank
    if information.get_int(image, "MemoryModel") or not information.get_int(image, "TransmitterIsTunable"):
        return {"tunable": False}
    found: dict[str, Plain] = {"tunable": True, "grids": None, "lanes": None}
    try:
        found["grids"] = [
            {
                "grid": text,
                "low_channel": information.get_int(image, f"LowChannel{name}GHz"),
                "high_channel": information.get_int(image, f"HighChannel{name}GHz"),
            }
            for name, text, _, _, _ in GRIDS
            if information.get_int(image, f"GridSupported{name}GHz")
        ]
        found["fine_tuning"] = bool(information.get_int(image, "FineTuningSupported"))
        power = bool(information.get_int(image, "ProgOutputPowerPerLaneSupported"))
        found["output_power_range_dbm"] = (
            [round(information.get_float(image, f"ProgOutputPower{end}"), 2) for end in ("Min", "Max")]
            if power
            else None
        )
    except CmisError as error:
        found["grids_reason"] = subject.reason(error)
    try:
        found["lanes"] = _laser_lanes(subject, bank)
    except CmisError as error:
        found["lanes_reason"] = subject.reason(error)
    return found


def _laser_lanes(subject: Subject, bank: int) -> list[Plain]:
    image = subject.image
    grid = information.get_codes(image, "GridSpacingTx", bank)
    channel = information.get_codes(image, "ChannelNumberTx", bank)
    frequency_mhz = information.get_lanes(image, "CurrentLaserFrequencyTx", bank)
    power_dbm = information.get_lanes(image, "TargetOutputPowerTx", bank)
    unlocked = information.get_lanes(image, "WavelengthIsUnlockedTx", bank)
    tuning = information.get_lanes(image, "TuningInProgressTx", bank)
    return [
        {
            "lane": lane,
            "grid": codes.meaning("grid_spacing", grid[lane - 1]),
            "channel": channel[lane - 1],
            "frequency_thz": round(frequency_mhz[lane - 1] * 1e-6, 6),
            "target_power_dbm": round(power_dbm[lane - 1], 2),
            "locked": not unlocked[lane - 1],
            "tuning": bool(tuning[lane - 1]),
        }
        for lane in information.media_lanes_present(image)
    ]


def _laser_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    laser = description["laser"]
    if laser is None or not laser["tunable"]:
        return []
    grids = laser["grids"]
    lines = pairs(
        "Tunable laser",
        (
            (
                "grids",
                None
                if grids is None
                else ", ".join(
                    f"{item['grid']} (channels {item['low_channel']} to {item['high_channel']})"
                    for item in grids
                )
                or "none advertised",
            ),
            ("grids", laser.get("grids_reason")),
            ("fine tuning", {True: "yes", False: "no"}.get(laser.get("fine_tuning"))),
            (
                "output power",
                "{:.2f} to {:.2f} dBm".format(*laser["output_power_range_dbm"])
                if laser.get("output_power_range_dbm")
                else None,
            ),
            ("lanes", laser.get("lanes_reason")),
        ),
    )
    if laser["lanes"]:
        lines += table(
            "",
            ("lane", "frequency/THz", "grid", "channel", "target/dBm", "state"),
            (
                (
                    str(item["lane"]),
                    f"{item['frequency_thz']:.6f}",
                    item["grid"],
                    str(item["channel"]),
                    f"{item['target_power_dbm']:.2f}",
                    "tuning" if item["tuning"] else ("locked" if item["locked"] else "unlocked"),
                )
                for item in laser["lanes"]
            ),
            right=(0, 1, 3, 4),
        )[1:]
    return lines


def _diagnostics(subject: Subject) -> Plain:
    try:
        found = read_capabilities(subject.image, subject.bank)
    except NotAdvertisedError as error:
        return {"supported": False, "reason": str(error).removeprefix("no diagnostics: ")}

    def sides(by_side: Mapping[Side, Any]) -> dict[str, Any]:
        return {
            str(side): list(value) if isinstance(value, tuple) else value for side, value in by_side.items()
        }

    return {
        "supported": True,
        "loopbacks": [str(kind) for kind in found.loopbacks],
        "per_lane_loopbacks": sides(found.per_lane_loopbacks),
        "simultaneous_loopbacks": found.simultaneous_loopbacks,
        "gating": found.gating,
        "gating_accuracy": found.gating_accuracy,
        "bit_error_ratio": found.ber,
        "counters": found.counters,
        "snr": sides(found.snr),
        "fec": sides(found.fec),
        "generator_patterns": sides(found.generator_patterns),
        "checker_patterns": sides(found.checker_patterns),
        "user_pattern_bytes": found.user_pattern_bytes,
        "notes": list(found.notes),
    }


def _diagnostics_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    found = description["diagnostics"]
    if found is None or not found["supported"]:
        return []
    results = [
        name
        for name, has in (("bit error ratio", found["bit_error_ratio"]), ("counters", found["counters"]))
        if has
    ]
    results += [f"SNR of {side} input" for side, has in found["snr"].items() if has]
    per_lane = [side for side, has in found["per_lane_loopbacks"].items() if has]
    loopbacks = ", ".join(name.removesuffix(" loopback") for name in found["loopbacks"]) or "none"
    if per_lane:
        loopbacks += f"; lane by lane on the {' and '.join(per_lane)} side"
    if found["simultaneous_loopbacks"]:
        loopbacks += "; both sides together"
    patterns = (
        (f"{side} {unit}", ", ".join(found[f"{unit}_patterns"][side]) or "none")
        for unit in ("generator", "checker")
        for side in ("media", "host")
    )
    return pairs(
        "Diagnostics",
        (
            ("loopbacks", loopbacks),
            *patterns,
            ("results", ", ".join(results) or "none"),
            ("gating", found["gating_accuracy"]),
        ),
    )


def _vdm(subject: Subject) -> Plain:
    image, bank = subject.image, subject.bank
    offered = support(image, bank)
    if not offered.supported:
        return {"supported": False, "reason": offered.reason}
    used = lanes_in_use(subject)
    return {
        "supported": True,
        "groups": offered.groups,
        "observables": [
            {
                "number": item.instance.number,
                "name": item.instance.observable.name,
                "key": item.instance.observable.key,
                "side": item.instance.observable.side,
                "lane": item.instance.lane,
                "unit": item.unit,
                "value": _finite(item.value),
                "limits": None if item.thresholds is None else limits_plain(item.thresholds),
                "state": "unused" if _is_unused(item, used) else item.state,
                "reason": item.reason,
                "beyond_range": item.beyond_range,
                "notes": list(item.instance.notes),
            }
            for item in read_vdm(image, bank)
        ],
    }


def _is_unused(item: VdmReading, used: LanesInUse | None) -> bool:
    """Whether nothing is sent or received that could be judged. What comes with no lane is of all lanes."""
    if used is None or item.instance.observable.side is None:
        return False
    lanes = used.media if item.instance.observable.side == "media" else used.host
    return not lanes if item.instance.lane is None else item.instance.lane not in lanes


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _vdm_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    vdm = description["vdm"]
    if vdm is None or not vdm["supported"]:
        return []
    items = vdm["observables"]
    if not items:
        return ["Observables (VDM)", "  none: every descriptor is unused"]
    lines: list[str] = []
    for side, title in (("media", "media side"), ("host", "host side"), (None, "others")):
        block = _vdm_table(f"Observables (VDM), {title}", [item for item in items if item["side"] == side])
        lines += ["", *block] if lines and block else block
    if any(item["state"] in ("warning", "alarm") for item in items):
        lines.append("  !: beyond a warning limit, !!: beyond an alarm limit")
    reasons: dict[str, list[str]] = {}
    for item in items:
        if item["reason"]:
            reasons.setdefault(item["name"], []).append(item["reason"])
    lines += pairs("", ((name, _some(texts)) for name, texts in reasons.items()))[1:]
    return lines


def _vdm_table(title: str, items: Sequence[Mapping[str, Plain]]) -> list[str]:
    """A row for each observable, a column for each lane."""
    if not items:
        return []
    rows: dict[str, dict[int | None, str]] = {}
    for item in items:
        name = item["name"].removesuffix(f", {item['side']} input")
        mark = {"warning": "!", "alarm": "!!"}.get(item["state"], "")
        cell = "?" if item["value"] is None or item["reason"] else f"{_short(item['value'])}{mark}"
        if item["beyond_range"]:
            cell = "beyond"
        rows.setdefault(f"{name}, {item['unit']}" if item["unit"] else name, {})[item["lane"]] = cell
    lanes = sorted({item["lane"] for item in items if item["lane"] is not None})
    heads = ["", "", *(f"lane {lane}" if lane == lanes[0] else str(lane) for lane in lanes)]
    keys: list[int | None] = [None, *lanes]
    cells = ((name, *(values.get(key, "") for key in keys)) for name, values in rows.items())
    return table(title, heads, cells, right=range(1, len(heads)))


def _short(value: float) -> str:
    """At most 7 characters: ``18.66``, ``4.9e-8``."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _some(texts: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    return distinct[0] + (f" (and {len(distinct) - 1} more)" if len(distinct) > 1 else "")


def _cdb(subject: Subject) -> Plain:
    try:
        found = read_advertisement(subject.image)
    except NotAdvertisedError as error:
        return {"supported": False, "reason": str(error)}
    if not found.instances:
        where = FIELDS["CdbInstancesSupported"].where
        return {"supported": False, "reason": f"the module advertises no CDB instance ({where} is 0)"}
    return {
        "supported": True,
        "instances": found.instances,
        "background": found.background,
        "auto_paging": found.auto_paging,
        "epl_pages": found.epl_pages,
        "access_bytes": found.access_bytes,
        "trigger_on_stop": found.trigger_on_stop,
        "max_busy_s": round(found.max_busy_s, 3),
    }


def _cdb_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    cdb = description["cdb"]
    if cdb is None or not cdb["supported"]:
        return []
    return pairs(
        "Commands (CDB)",
        (
            ("instances", cdb["instances"]),
            ("execution", "background" if cdb["background"] else "foreground: no acknowledge meanwhile"),
            (
                "extended payload",
                f"{cdb['epl_pages']} pages" + (", automatic paging" if cdb["auto_paging"] else ""),
            ),
            ("longest access", f"{cdb['access_bytes']} bytes"),
            (
                "started by",
                "any write that includes 9Fh:129"
                if cdb["trigger_on_stop"]
                else "a write of 9Fh:129 alone, or of 128-129",
            ),
            ("busy for at most", f"{cdb['max_busy_s']:g} s"),
        ),
    )


LASER = Section("laser", _laser, _laser_text)
DIAGNOSTICS = Section("diagnostics", _diagnostics, _diagnostics_text)
VDM = Section("vdm", _vdm, _vdm_text, "observables (VDM)")
CDB = Section("cdb", _cdb, _cdb_text, "commands (CDB)")
