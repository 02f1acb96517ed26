"""Sections: host lanes with their data paths, media lanes with their monitors, and the latched flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.cmis import information
from drivers.cmis.codes import ConfigStatus, DataPathState
from drivers.cmis.description.condition import QUANTITIES, against, bar_of, limits_of
from drivers.cmis.description.layout import pairs, sentences, table
from drivers.cmis.description.sections import Page, Plain, Section, Subject
from drivers.cmis.description.usage import lanes_in_use
from drivers.cmis.errors import PageUnavailableError
from drivers.cmis.fields import LANES
from drivers.cmis.flag_table import FLAGS as FLAG_TABLE
from drivers.cmis.module import flags_of
from drivers.cmis.wording import lanes_text
from drivers.units import LOWEST_DBM

_BAR_WIDTH = 12
_LANE_PAGE = 0x11
_OUTPUT_STATUS_SINCE = 5
_JUDGED_FINE = ("ok", "not set", "no thresholds", "off", "unused")
_COLUMNS = (("tx_power_dbm", "tx_power_w"), ("rx_power_dbm", "rx_power_w"), ("bias_ma", "tx_bias_ma"))


def _flags_by_lane(subject: Subject) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Names of set flags of (host lanes, media lanes), by lane; nothing where they were not read."""
    host: dict[int, list[str]] = {}
    media: dict[int, list[str]] = {}
    try:
        flags = flags_of(subject.image, subject.bank)
    except PageUnavailableError:
        return host, media
    for name, lanes in flags.lanes.items():
        for lane in lanes:
            (host if _is_of_host_lanes(name) else media).setdefault(lane, []).append(name)
    return host, media


def _is_of_host_lanes(flag: str) -> bool:
    return flag in FLAG_TABLE and FLAG_TABLE[flag].side == "host"


def _host_lanes(subject: Subject) -> Plain:
    image, bank = subject.image, subject.bank
    states = information.get_codes(image, "DPStateHostLane", bank)
    status = information.get_codes(image, "ConfigStatus", bank)
    app_sel = information.get_codes(image, "ACS_AppSel", bank)
    first = information.get_codes(image, "ACS_DataPathID", bank)
    flags, _ = _flags_by_lane(subject)
    return [
        {
            "lane": index + 1,
            "data_path_state": DataPathState(states[index]).name,
            "config_status": ConfigStatus(status[index]).name,
            "app_sel": app_sel[index],
            "data_path_first_lane": first[index] + 1,
            "flags": flags.get(index + 1, []),
        }
        for index in range(LANES)
    ]


def _media_lanes(subject: Subject) -> Plain:
    present, monitors, unknown = _lane_monitors(subject)
    limits = limits_of(subject)
    _, flags = _flags_by_lane(subject)
    used, sending = lanes_in_use(subject), _lanes_sending(subject)
    found = []
    for item in monitors:
        plain: dict[str, Plain] = {
            "lane": item.lane,
            "present": item.lane in present,
            "tx_power_dbm": against(item.tx_power_w, limits.get("tx_power_w"), power=True),
            "rx_power_dbm": against(item.rx_power_w, limits.get("rx_power_w"), power=True),
            "bias_ma": against(item.bias_ma, limits.get("tx_bias_ma")),
            "flags": flags.get(item.lane, []),
            "unknown": unknown,
        }
        idle = used is not None and item.lane not in used.media
        silent = sending is not None and item.lane not in sending
        for name, off in (("tx_power_dbm", silent), ("bias_ma", silent), ("rx_power_dbm", False)):
            # What is there nevertheless is judged: a lane that should be dark and is not is worth a look.
            if plain[name] is not None and (idle or off) and plain[name]["verdict"].startswith("low"):
                plain[name]["verdict"] = "unused" if idle else "off"
        found.append(plain)
    return found


def _lane_monitors(
    subject: Subject,
) -> tuple[tuple[int, ...], tuple[information.LaneMonitor, ...], list[str]]:
    """Lanes that are implemented, the monitors of all, and what is not known of them.

    Of page 11h alone, as `ethtool` shows single pages, the monitors are given as they stand in it.
    """
    image, bank = subject.image, subject.bank
    unknown = []
    try:
        present = information.media_lanes_present(image)
    except PageUnavailableError:
        if image.has(0, 0x00) or not image.has(bank, _LANE_PAGE):
            raise
        present = tuple(range(1, LANES + 1))
        unknown.append("which lanes are implemented is not known (00h:210)")
    try:
        return present, information.read_lane_monitors(image, bank), unknown
    except PageUnavailableError:
        if image.has(0, 0x01) or not image.has(bank, _LANE_PAGE):
            raise
    unknown.append(
        "without page 01h neither the monitors that there are nor the multiplier of the bias are known: it "
        "is taken as 1"
    )
    columns = [information.get_lanes(image, name, bank) for name in ("TxPower", "RxPower", "TxBias")]
    monitors = tuple(
        information.LaneMonitor(lane, *values)
        for lane, values in enumerate(zip(*columns, strict=True), start=1)
    )
    return present, monitors, unknown


def _lanes_sending(subject: Subject) -> tuple[int, ...] | None:
    """Media lanes whose output is valid (11h:133, since CMIS 5.0); None where that is not known."""
    try:
        if information.get_int(subject.image, "CmisRevisionMajor") < _OUTPUT_STATUS_SINCE:
            return None
        return information.lanes_set(subject.image, "OutputStatusTx", subject.bank)
    except PageUnavailableError:
        return None


def _flags(subject: Subject) -> Plain:
    flags = flags_of(subject.image, subject.bank)
    return {
        "module": list(flags.module),
        "lanes": {name: list(lanes) for name, lanes in flags.lanes.items()},
    }


def _host_lanes_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    lanes = description["host_lanes"]
    if lanes is None:
        return []
    names = {
        item["app_sel"]: f"{item['host_interface']} to {item['media_interface']}"
        for item in description["applications"] or ()
    }
    missing = "unknown" if description["applications"] is None else "not advertised"
    groups: list[tuple[list[int], tuple[str, ...]]] = []
    for item in lanes:
        app_sel = item["app_sel"]
        row = (
            str(item["data_path_first_lane"]) if app_sel else "-",
            item["data_path_state"],
            item["config_status"],
            f"{app_sel}: {names.get(app_sel, missing)}" if app_sel else "unused",
        )
        if groups and groups[-1][1] == row:
            groups[-1][0].append(item["lane"])
        else:
            groups.append(([item["lane"]], row))
    return table(
        "Host lanes",
        ("lanes", "path from", "data path state", "configuration", "AppSel"),
        ((lanes_text(numbers), *row) for numbers, row in groups),
    )


def _media_lanes_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    lanes = description["media_lanes"]
    if lanes is None:
        return []
    shown = [item for item in lanes if item["present"]]
    if not shown:
        return ["Media lanes", "  none implemented (00h:210)"]
    columns = [pair for pair in _COLUMNS if any(item[pair[0]] is not None for item in shown)]
    if not columns:
        numbers = lanes_text([item["lane"] for item in shown])
        return [
            "Media lanes",
            f"  {numbers}: no monitor of power or bias is advertised (01h:160)",
        ]
    heads, right = ["lane"], [0]
    for _, key in columns:
        right.append(len(heads))
        heads += [f"{QUANTITIES[key].label}/{QUANTITIES[key].unit}", ""]
    rows = []
    beyond: dict[tuple[str, str], list[int]] = {}
    for item in shown:
        row = [str(item["lane"])]
        for name, key in columns:
            power = key.endswith("_w")
            row += [
                _value(item[name], QUANTITIES[key].digits, power=power),
                bar_of(item[name], page, _BAR_WIDTH),
            ]
            if item[name] is not None and item[name]["verdict"] not in _JUDGED_FINE:
                beyond.setdefault((QUANTITIES[key].label, item[name]["verdict"]), []).append(item["lane"])
        rows.append(row)
    absent = [name for name, key in _COLUMNS if (name, key) not in columns]
    lines = table("Media lanes", heads, rows, right=right)
    lines += [
        f"  beyond {verdict}: {label} of lane{'s' * (len(numbers) > 1)} {lanes_text(numbers)}"
        for (label, verdict), numbers in beyond.items()
    ]
    lines += sentences("", shown[0]["unknown"], mark="")[1:]
    for verdict, text in (("unused", "in no active data path"), ("off", "transmitter off (11h:133)")):
        idle = [item["lane"] for item in shown if _is(item, verdict)]
        if idle:
            lines.append(f"  not judged, {text}: lane{'s' * (len(idle) > 1)} {lanes_text(idle)}")
    if absent:
        labels = ", ".join(QUANTITIES[key].label for name, key in _COLUMNS if name in absent)
        lines.append(f"  {labels}: no such monitor, or no valid multiplier (01h:160)")
    return lines


def _is(item: Mapping[str, Plain], verdict: str) -> bool:
    return any(item[name] is not None and item[name]["verdict"] == verdict for name, _ in _COLUMNS)


def _value(item: Mapping[str, Plain] | None, digits: int, *, power: bool) -> str:
    if item is None:
        return "-"
    if power and item["value"] <= LOWEST_DBM:
        return "no light"
    return f"{item['value']:.{digits}f}"


def _flags_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    flags = description["flags"]
    if flags is None:
        return []
    if not flags["module"] and not flags["lanes"]:
        return ["Latched flags", "  none set"]
    return pairs(
        "Latched flags",
        (
            ("module", ", ".join(flags["module"])),
            *((name, _lanes_of_flag(name, numbers)) for name, numbers in flags["lanes"].items()),
        ),
    )


def _lanes_of_flag(name: str, numbers: Sequence[int]) -> str:
    side = "host" if _is_of_host_lanes(name) else "media"
    return f"{side} lane{'s' * (len(numbers) > 1)} {lanes_text(numbers)}"


HOST_LANES = Section("host_lanes", _host_lanes, _host_lanes_text)
MEDIA_LANES = Section("media_lanes", _media_lanes, _media_lanes_text)
FLAGS = Section("flags", _flags, _flags_text)
