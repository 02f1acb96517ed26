"""Sections: the state of the module as a whole, its monitors, and the limits of all monitors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from drivers.cmis import codes, information
from drivers.cmis.codes import ModuleState
from drivers.cmis.description.bars import DEFAULT_WIDTH, bar
from drivers.cmis.description.layout import pairs, table
from drivers.cmis.description.sections import Page, Plain, Section, Subject
from drivers.cmis.errors import PageUnavailableError
from drivers.cmis.information import Thresholds
from drivers.cmis.monitors import read_module_monitors
from drivers.units import LOWEST_DBM, dbm_from_w

_TRANSITIONS = (
    "MaxDurationModulePwrUp",
    "MaxDurationModulePwrDn",
    "MaxDurationDPInit",
    "MaxDurationDPDeinit",
    "MaxDurationDPTxTurnOn",
    "MaxDurationDPTxTurnOff",
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a monitored quantity is shown."""

    label: str
    unit: str
    digits: int


QUANTITIES: Mapping[str, Quantity] = {
    "temperature_c": Quantity("temperature", "degC", 2),
    "vcc_v": Quantity("supply", "V", 3),
    "tx_power_w": Quantity("Tx power", "dBm", 2),
    "tx_bias_ma": Quantity("Tx bias", "mA", 1),
    "rx_power_w": Quantity("Rx power", "dBm", 2),
}
"""By the names of :func:`drivers.cmis.information.read_thresholds`; powers are shown in dBm."""

_MODULE_KEYS = {"temperature": "temperature_c", "vcc": "vcc_v"}


def limits_of(subject: Subject) -> Mapping[str, Thresholds]:
    """Thresholds of page 02h; none when the image does not hold them."""
    try:
        return information.read_thresholds(subject.image)
    except PageUnavailableError:
        return {}


def against(value: float | None, limits: Thresholds | None, *, power: bool = False) -> Plain:
    """A value with its limits and what they say of it; ``power`` turns watts into dBm."""
    if value is None:
        return None
    return {
        "value": _shown(value, power=power),
        "limits": None if limits is None else limits_plain(limits, power=power),
        "verdict": "no thresholds" if limits is None else limits.verdict(value),
    }


def limits_plain(limits: Thresholds, *, power: bool = False) -> dict[str, float]:
    """Limits as plain data."""
    return {name: _shown(limit, power=power) for name, limit in asdict(limits).items()}


def bar_of(item: Mapping[str, Plain] | None, page: Page, width: int = DEFAULT_WIDTH) -> str:
    """The bar of a value with limits; empty where there is nothing to draw."""
    limits = None if item is None else item["limits"]
    if (
        item is None
        or limits is None
        or item["verdict"] in ("not set", "off", "unused")
        or limits["low_alarm"] <= LOWEST_DBM
    ):
        return ""
    return bar(
        item["value"],
        limits["low_alarm"],
        limits["low_warning"],
        limits["high_warning"],
        limits["high_alarm"],
        width=width,
        style=page.bars,
    )


def _shown(number: float, *, power: bool) -> float:
    return round(dbm_from_w(number), 3) if power else round(number, 6)


def _module_state(subject: Subject) -> Plain:
    image = subject.image
    state = ModuleState(information.get_int(image, "ModuleState"))
    fault = information.get_int(image, "ModuleFaultCause")
    return {
        "name": state.name,
        "code": int(state),
        "interrupt_asserted": not information.get_int(image, "InterruptDeasserted"),
        "fault_cause": codes.meaning("fault_cause", fault) if state is ModuleState.ModuleFault else None,
        "low_power_requested": bool(information.get_int(image, "LowPwrRequestSW")),
        "low_power_pin_counts": bool(information.get_int(image, "LowPwrAllowRequestHW")),
        "flat_memory": bool(information.get_int(image, "MemoryModel")),
    }


def _durations(subject: Subject) -> Plain:
    return {
        name: {"code": code, "meaning": codes.meaning("duration", code)}
        for name in _TRANSITIONS
        for code in (information.get_int(subject.image, name),)
    }


def _monitors(subject: Subject) -> Plain:
    # A register that reads 0 may be no measurement at all: without page 01h there are no monitors.
    information.get_int(subject.image, "TempMonSupported")
    found: dict[str, Plain] = {"auxiliary": []}
    for item in read_module_monitors(subject.image):
        plain = against(item.value, item.thresholds)
        if item.key in _MODULE_KEYS:
            found[_MODULE_KEYS[item.key]] = plain
        elif plain is not None:
            found["auxiliary"].append({"key": item.key, "quantity": item.name, "unit": item.unit, **plain})
    return found


def _thresholds(subject: Subject) -> Plain:
    return {
        key: limits_plain(limits, power=key.endswith("_w"))
        for key, limits in information.read_thresholds(subject.image).items()
    }


def _state_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    state = description["module_state"]
    if state is None:
        return []
    requested = "requested" if state["low_power_requested"] else "not requested"
    pin = "counts" if state["low_power_pin_counts"] else "does not count"
    flat = state["flat_memory"]
    return pairs(
        "State",
        (
            (
                "module",
                f"{state['name']} ({state['code']})" + (", which a flat memory keeps" if flat else ""),
            ),
            ("fault cause", state["fault_cause"]),
            ("interrupt", "asserted" if state["interrupt_asserted"] else "not asserted"),
            ("low power", None if flat else f"{requested} by register; the LPMode pin {pin}"),
        ),
    )


def _durations_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    durations = description["durations"]
    if durations is None:
        return []
    cells = [(name.removeprefix("MaxDuration"), item["meaning"]) for name, item in durations.items()]
    rows = zip(cells[::2], cells[1::2], strict=True)
    return table("Longest transitions, as advertised", ("",) * 4, ((*left, *right) for left, right in rows))


def _monitors_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    monitors = description["monitors"]
    if monitors is None:
        return []
    rows: list[tuple[str, ...]] = []
    items = [
        (QUANTITIES[key].label, QUANTITIES[key].unit, monitors[key], QUANTITIES[key].digits)
        for key in ("temperature_c", "vcc_v")
    ]
    items += [(item["quantity"], item["unit"], item, 2) for item in monitors["auxiliary"]]
    for label, unit, item, digits in items:
        if item is None:
            rows.append((label, "no monitor", "", "", ""))
        else:
            rows.append((label, f"{item['value']:.{digits}f}", unit, bar_of(item, page), item["verdict"]))
    return table("Module monitors", ("",) * 5, rows, right=(1,))


def _thresholds_text(description: Mapping[str, Plain], page: Page) -> Sequence[str]:
    thresholds = description["thresholds"]
    if not thresholds:
        return []
    rows = []
    for key, limits in thresholds.items():
        quantity = QUANTITIES[key]
        sides = [limits[name] for name in ("low_alarm", "low_warning", "high_warning", "high_alarm")]
        power = key.endswith("_w")
        if len(set(sides)) == 1:
            texts = ["not set", "", "", ""]
        else:
            texts = [
                "0 mW" if power and side <= LOWEST_DBM else f"{side:.{quantity.digits}f}" for side in sides
            ]
        rows.append((quantity.label, quantity.unit, *texts))
    return table(
        "Thresholds",
        ("", "", "low alarm", "low warning", "high warning", "high alarm"),
        rows,
        right=(2, 3, 4, 5),
    )


MODULE_STATE = Section("module_state", _module_state, _state_text)
DURATIONS = Section("durations", _durations, _durations_text)
MONITORS = Section("monitors", _monitors, _monitors_text)
THRESHOLDS = Section("thresholds", _thresholds, _thresholds_text)
