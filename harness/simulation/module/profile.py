"""Profiles of simulated modules: TOML in, frozen dataclasses out.

A profile is untrusted input: its size is bounded, every key, type, length and range is checked, and each
fault is one line that names file and key. ``extends = "<name>"`` takes another profile and states only the
differences; tables are merged, values and lists replaced.

What a profile leaves out of the optional keys is drawn from the specimen's number, as real modules spread.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

HOST_LANES = 8
"""Host lanes of one bank."""

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "modules"
"""Where profiles are looked up by name."""

_MAX_BYTES = 65_536
_MAX_TEXT = 200
_MAX_DEPTH_OF_EXTENDS = 8


class ProfileError(ValueError):
    """A profile cannot be used; the message names file and key."""


def _limits(low: float, high: float) -> dict[str, float]:
    return {"low": low, "high": high}


def _per_lane(low: float, high: float) -> dict[str, Any]:
    return {"low": low, "high": high, "length": "media_lanes"}


@dataclass(frozen=True, slots=True)
class IdentityProfile:
    """What the module says it is (page 00h, lower page)."""

    vendor: str = field(metadata={"longest": 16})
    part_number: str = field(metadata={"longest": 16})
    serial: str = field(metadata={"longest": 16})
    revision: str = field(metadata={"longest": 2})
    date_code: str = field(metadata={"longest": 8})
    oui: int = field(metadata=_limits(0, 0xFFFFFF))
    identifier: int = field(metadata=_limits(0, 255))
    cmis_major: int = field(metadata=_limits(3, 5))
    cmis_minor: int = field(metadata=_limits(0, 15))
    firmware_major: int = field(metadata=_limits(0, 254))
    firmware_minor: int = field(metadata=_limits(0, 254))
    hardware_major: int = field(metadata=_limits(0, 255))
    hardware_minor: int = field(metadata=_limits(0, 255))
    connector: int = field(metadata=_limits(0, 255))
    media_technology: int = field(metadata=_limits(0, 255))
    clei: str = field(default="", metadata={"longest": 10})


@dataclass(frozen=True, slots=True)
class ManagementProfile:
    """The two-wire interface and what the registers do beyond the standard."""

    longest_read_bytes: int = field(metadata=_limits(8, 128))
    """Reads longer than this are refused (CMIS asks for 8; most modules give 128)."""
    longest_write_bytes: int = field(metadata=_limits(8, 128))
    write_hold_off_s: float = field(metadata=_limits(0, 1))
    page_change_hold_off_s: float = field(metadata=_limits(0, 1))
    monitor_update_s: float = field(metadata=_limits(0.001, 10))
    lowest_vcc_v: float = field(metadata=_limits(0, 3.3))
    """Below this supply voltage the module is dead."""
    wrong_checksum_page: str = field(default="", metadata={"choices": ("", "00h", "01h", "02h")})


@dataclass(frozen=True, slots=True)
class TimingProfile:
    """Transition times: the advertised CMIS duration codes, and actual times where the profile fixes them.

    An actual time that is left out is drawn at 30..80 % of its upper bound.
    """

    module_power_up_code: int = field(metadata=_limits(0, 13))
    module_power_down_code: int = field(metadata=_limits(0, 13))
    dp_init_code: int = field(metadata=_limits(0, 13))
    dp_deinit_code: int = field(metadata=_limits(0, 13))
    dp_tx_turn_on_code: int = field(metadata=_limits(0, 13))
    dp_tx_turn_off_code: int = field(metadata=_limits(0, 13))
    mgmt_init_s: float | None = field(default=None, metadata=_limits(0, 60))
    module_power_up_s: float | None = field(default=None, metadata=_limits(0, 3600))
    module_power_down_s: float | None = field(default=None, metadata=_limits(0, 3600))
    dp_init_s: float | None = field(default=None, metadata=_limits(0, 3600))
    dp_deinit_s: float | None = field(default=None, metadata=_limits(0, 3600))
    dp_tx_turn_on_s: float | None = field(default=None, metadata=_limits(0, 3600))
    dp_tx_turn_off_s: float | None = field(default=None, metadata=_limits(0, 3600))
    tx_disable_s: float | None = field(default=None, metadata=_limits(0, 60))
    tx_enable_s: float | None = field(default=None, metadata=_limits(0, 60))
    config_s: float | None = field(default=None, metadata=_limits(0, 60))


@dataclass(frozen=True, slots=True)
class TransmitterProfile:
    """The lasers. Lists have one value per media lane."""

    average_launch_power_dbm: tuple[float, ...] = field(metadata=_per_lane(-60, 15))
    """At 25 C, in the fibre."""
    launch_power_spread_db: float = field(metadata=_limits(0, 3))
    """Half width of the seed's spread about these powers; 0 fixes them."""
    off_power_dbm: float = field(metadata=_limits(-100, 10))
    wavelength_nm: tuple[float, ...] = field(metadata=_per_lane(1000, 2000))
    wavelength_slope_nm_per_c: float = field(metadata=_limits(0, 1))
    threshold_ma: float = field(metadata=_limits(0.1, 1000))
    slope_mw_per_ma: float = field(metadata=_limits(0.0001, 10))
    t0_k: float = field(metadata=_limits(1, 10_000))
    t1_k: float = field(metadata=_limits(1, 10_000))
    bias_limit_ma: float = field(metadata=_limits(0.1, 1000))
    junction_rise_c: float = field(metadata=_limits(0, 60))
    wander_db: float = field(metadata=_limits(0, 3))
    """Standard deviation of the power's wander, redrawn every 100 ms."""
    supply_db_per_v: float = field(metadata=_limits(-3, 3))
    coupling_loss_db: tuple[float, ...] = field(metadata=_per_lane(0, 60))
    """Loss behind the monitor photodiode, which the module itself does not see."""
    tracking_db: tuple[float, ...] | None = field(default=None, metadata=_per_lane(-10, 10))
    """Monitor to fibre deviation 45 C away from 25 C; drawn at 0.1..0.3 dB with a sign when left out."""


@dataclass(frozen=True, slots=True)
class ReceiverProfile:
    """The receivers."""

    los_assert_dbm: float = field(metadata=_limits(-60, 10))
    los_deassert_dbm: float = field(metadata=_limits(-60, 10))


@dataclass(frozen=True, slots=True)
class PowerProfile:
    """Electrical consumption, watts, at 25 C."""

    class_code: int = field(metadata=_limits(1, 8))
    """Power class 1..8, as advertised."""
    advertised_max_w: float = field(metadata=_limits(0, 63.75))
    initialising_w: float = field(metadata=_limits(0, 60))
    low_power_w: float = field(metadata=_limits(0, 60))
    ready_w: float = field(metadata=_limits(0, 60))
    data_path_w: float = field(metadata=_limits(0, 60))
    """On top of ready, for all media lanes initialised."""
    laser_supply_efficiency: float = field(metadata=_limits(0.05, 1))
    temperature_w_per_c: float = field(metadata=_limits(-1, 1))


@dataclass(frozen=True, slots=True)
class MonitorProfile:
    """Calibration errors of the module's monitors; each is drawn for the specimen when left out."""

    temperature_offset_c: float = field(metadata=_limits(-20, 20))
    temperature_error_c: float | None = field(default=None, metadata=_limits(-50, 50))
    vcc_error_percent: float | None = field(default=None, metadata=_limits(-50, 50))
    tx_power_monitor_error_db: tuple[float, ...] | None = field(default=None, metadata=_per_lane(-20, 20))
    rx_power_monitor_error_db: tuple[float, ...] | None = field(default=None, metadata=_per_lane(-20, 20))
    bias_monitor_error_percent: tuple[float, ...] | None = field(default=None, metadata=_per_lane(-90, 200))


_QUAD = 4


@dataclass(frozen=True, slots=True)
class ThresholdProfile:
    """Page 02h: high alarm, low alarm, high warning, low warning."""

    temperature_c: tuple[float, ...] = field(metadata={**_limits(-128, 127), "length": _QUAD})
    vcc_v: tuple[float, ...] = field(metadata={**_limits(0, 6.5), "length": _QUAD})
    tx_power_dbm: tuple[float, ...] = field(metadata={**_limits(-40, 8), "length": _QUAD})
    bias_ma: tuple[float, ...] = field(metadata={**_limits(0, 131), "length": _QUAD})
    rx_power_dbm: tuple[float, ...] = field(metadata={**_limits(-40, 8), "length": _QUAD})


@dataclass(frozen=True, slots=True)
class ApplicationProfile:
    """One application descriptor. Assignment masks: bit i = may start on lane i + 1."""

    host_interface: int = field(metadata=_limits(0, 254))
    media_interface: int = field(metadata=_limits(0, 255))
    host_lanes: int = field(metadata=_limits(1, 8))
    media_lanes: int = field(metadata=_limits(1, 8))
    host_lane_assignment: int = field(metadata=_limits(0, 255))
    media_lane_assignment: int = field(metadata=_limits(0, 255))


@dataclass(frozen=True, slots=True)
class FaultProfile:
    """Defects of the module's firmware. All default to none."""

    stuck_config_host_lanes: tuple[int, ...] = field(default=(), metadata={**_limits(1, 8), "longest": 8})
    """Host lanes whose ConfigStatus never leaves ConfigInProgress."""
    stuck_init_host_lanes: tuple[int, ...] = field(default=(), metadata={**_limits(1, 8), "longest": 8})
    """Host lanes whose data path never leaves DPInit."""
    dead_media_lanes: tuple[int, ...] = field(default=(), metadata={**_limits(1, 8), "longest": 8})
    """Media lanes whose laser emits nothing, at any bias."""
    powers_up: bool = True
    """False: the module stays in ModulePwrUp."""
    module_fault_cause: int = field(default=0, metadata=_limits(0, 6))
    """Above 0: the module ends its power-up in ModuleFault with this cause."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A simulated module's physics, memory contents, quirks and faults."""

    name: str
    description: str
    media_lanes: int
    identity: IdentityProfile
    management: ManagementProfile
    timing: TimingProfile
    transmitter: TransmitterProfile
    receiver: ReceiverProfile
    power: PowerProfile
    monitors: MonitorProfile
    thresholds: ThresholdProfile
    applications: tuple[ApplicationProfile, ...]
    faults: FaultProfile


_SECTIONS: Mapping[str, type[Any]] = {
    "identity": IdentityProfile,
    "management": ManagementProfile,
    "timing": TimingProfile,
    "transmitter": TransmitterProfile,
    "receiver": ReceiverProfile,
    "power": PowerProfile,
    "monitors": MonitorProfile,
    "thresholds": ThresholdProfile,
    "faults": FaultProfile,
}
_TOP = {"description", "media_lanes", "application", "extends", *_SECTIONS}

_Section = TypeVar("_Section")


def load_profile(name_or_path: str | Path) -> Profile:
    """Load and check a profile by name (looked up in the repository's ``fixtures/modules``) or path.

    :raises ProfileError: with file and key, when it cannot be read or anything in it is wrong.
    """
    path = _find(name_or_path, Path())
    return _build(path, _merged(path, ()))


def profile_names() -> tuple[str, ...]:
    """The profiles that come with the repository."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def _find(name_or_path: str | Path, beside: Path) -> Path:
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text:
        return beside / text if not Path(text).is_absolute() else Path(text)
    path = FOLDER / f"{text}.toml"
    if not path.is_file():
        raise ProfileError(
            f"no module profile named {text[:_MAX_TEXT]!r}; there are: {', '.join(profile_names()) or 'none'}"
        )
    return path


def _merged(path: Path, parents: tuple[Path, ...]) -> dict[str, Any]:
    if path in parents or len(parents) >= _MAX_DEPTH_OF_EXTENDS:
        raise ProfileError(f"{path}: extends: profiles extend each other in a circle, or too deeply")
    table = _read(path)
    base = table.pop("extends", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise ProfileError(f"{path}: extends: must be the name of a profile")
    try:
        below = _merged(_find(base, path.parent), (*parents, path))
    except ProfileError as fault:
        raise ProfileError(f"{path}: extends: {fault}") from fault
    return _overlay(below, table)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ProfileError(f"{path}: larger than {_MAX_BYTES} bytes: this is no module profile")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise ProfileError(f"{path}: cannot be read: {fault}") from fault
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise ProfileError(f"{path}: not TOML: {fault}") from fault


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _build(path: Path, table: dict[str, Any]) -> Profile:
    _refuse_unknown(path, "", table, _TOP)
    media_lanes = _value(path, "media_lanes", _required(path, table, "media_lanes"), int, _limits(1, 8), 0)
    description = _value(path, "description", table.get("description", ""), str, {"longest": _MAX_TEXT}, 0)
    sections = {
        key: _section(path, key, table.get(key, {}), kind, media_lanes) for key, kind in _SECTIONS.items()
    }
    listed = _required(path, table, "application")
    if not isinstance(listed, list) or not 1 <= len(listed) <= 8:
        raise ProfileError(f"{path}: application: must be 1 to 8 tables [[application]]")
    applications = tuple(
        _section(path, f"application[{number}]", item, ApplicationProfile, media_lanes)
        for number, item in enumerate(listed, start=1)
    )
    for number, application in enumerate(applications, start=1):
        if application.media_lanes > media_lanes:
            raise ProfileError(
                f"{path}: application[{number}].media_lanes: {application.media_lanes}, "
                f"but the module has {media_lanes}"
            )
    profile = Profile(
        name=path.stem,
        description=description,
        media_lanes=media_lanes,
        applications=applications,
        **sections,
    )
    if profile.receiver.los_deassert_dbm < profile.receiver.los_assert_dbm:
        raise ProfileError(f"{path}: receiver.los_deassert_dbm: must not be below los_assert_dbm")
    return profile


def _required(path: Path, table: Mapping[str, Any], key: str, prefix: str = "") -> Any:
    if key not in table:
        raise ProfileError(f"{path}: {prefix}{key}: missing")
    return table[key]


def _refuse_unknown(path: Path, prefix: str, table: Mapping[str, Any], known: set[str]) -> None:
    for key in table:
        if key not in known:
            raise ProfileError(
                f"{path}: {prefix}{key[:_MAX_TEXT]}: unknown key; known: {', '.join(sorted(known))}"
            )


def _section(path: Path, key: str, table: object, kind: type[_Section], media_lanes: int) -> _Section:
    if not isinstance(table, dict):
        raise ProfileError(f"{path}: {key}: must be a table")
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    _refuse_unknown(path, f"{key}.", table, set(fields))
    hints = typing.get_type_hints(kind)
    values = {}
    for name, item in fields.items():
        if name in table:
            values[name] = _value(path, f"{key}.{name}", table[name], hints[name], item.metadata, media_lanes)
        elif item.default is dataclasses.MISSING:
            raise ProfileError(f"{path}: {key}.{name}: missing")
    return kind(**values)


def _value(path: Path, key: str, value: object, hint: Any, rules: Mapping[str, Any], media_lanes: int) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        return _list(path, key, value, typing.get_args(hint)[0], rules, media_lanes)
    return _scalar(path, key, value, hint, rules)


def _list(
    path: Path, key: str, value: object, item_type: Any, rules: Mapping[str, Any], media_lanes: int
) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ProfileError(f"{path}: {key}: must be a list, got {_shown(value)}")
    length = rules.get("length")
    if length is not None:
        wanted = media_lanes if length == "media_lanes" else length
        what = (
            "one value per media lane"
            if length == "media_lanes"
            else "high alarm, low alarm, high warning, low warning"
        )
        if len(value) != wanted:
            raise ProfileError(f"{path}: {key}: must have {wanted} values ({what}), got {len(value)}")
    elif len(value) > rules["longest"]:
        raise ProfileError(f"{path}: {key}: at most {rules['longest']} values, got {len(value)}")
    return tuple(
        _scalar(path, f"{key}[{number}]", item, item_type, {name: rules[name] for name in ("low", "high")})
        for number, item in enumerate(value, start=1)
    )


def _scalar(path: Path, key: str, value: object, hint: Any, rules: Mapping[str, Any]) -> Any:
    if hint is bool:
        if not isinstance(value, bool):
            raise ProfileError(f"{path}: {key}: must be true or false, got {_shown(value)}")
        return value
    if hint is str:
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise ProfileError(f"{path}: {key}: must be printable ASCII text, got {_shown(value)}")
        if "choices" in rules and value not in rules["choices"]:
            raise ProfileError(f"{path}: {key}: must be one of {rules['choices']}, got {_shown(value)}")
        if len(value) > rules.get("longest", _MAX_TEXT):
            raise ProfileError(f"{path}: {key}: at most {rules.get('longest', _MAX_TEXT)} characters")
        return value
    accepted = (int, float) if hint is float else (int,)
    if isinstance(value, bool) or not isinstance(value, accepted):
        kind = "a number" if hint is float else "a whole number"
        raise ProfileError(f"{path}: {key}: must be {kind}, got {_shown(value)}")
    if not rules["low"] <= value <= rules["high"]:  # nan fails as well
        raise ProfileError(f"{path}: {key}: must be {rules['low']} .. {rules['high']}, got {value}")
    return hint(value)


def _shown(value: object) -> str:
    return f"{type(value).__name__} {repr(value)[:60]}"
