"""Profiles of simulated modules: TOML in, frozen dataclasses out.

A profile is untrusted input: its size is bounded, every key, type, length and range is checked, and each
mistake is one line that names file and key. ``extends = "<name>"`` takes another profile and states only the
differences; tables are merged, values and lists replaced. docs/profiles.md describes every key.

What a profile leaves out of the optional keys is drawn from the specimen's number, as real modules spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.simulation.module.host_side_profile import (
    ConfigurationProfile,
    HostSideProfile,
    SignalIntegrityProfile,
)
from harness.simulation.module.medium_profile import MediumProfile
from harness.simulation.module.memory_profile import MemoryProfile, read_memory
from harness.simulation.module.quirks import QuirkProfile, vendor_name
from harness.simulation.module.section_reading import PER_LANE, has_required_keys, read_section
from harness.tables import Table, TableError, read_table
from harness.text import printable_text

HOST_LANES = 8
"""Host lanes of one bank."""

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "modules"
"""Where profiles are looked up by name."""

MOST_APPLICATIONS = 15
_MAX_TEXT = 200
_MAX_DEPTH_OF_EXTENDS = 8


class ProfileError(TableError):
    """A profile cannot be used; each line of the message names file and key."""


def _limits(low: float, high: float) -> dict[str, float]:
    return {"low": low, "high": high}


def _per_lane(low: float, high: float) -> dict[str, Any]:
    return {"low": low, "high": high, "length": PER_LANE}


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
    media_type: int = field(default=2, metadata=_limits(0, 5))
    """lower:85; 2: single-mode fibre, 3: passive copper."""


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
    flat_memory: bool = False
    """Lower memory and page 00h alone; the module is ready as soon as it answers, and emits no light."""
    banks: int = field(default=1, metadata={**_limits(1, 4), "choices": (1, 2, 4)})
    """Banks of pages 10h and 11h; the applications use bank 0 alone."""
    user_eeprom: bool = False
    """Page 03h."""
    nv_write_hold_off_s: float = field(default=0.03, metadata=_limits(0, 1))
    """After a write to page 03h (tWRITENV allows 80 ms)."""


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
    """The receivers. Errors: the provisional model of :mod:`harness.simulation.module.receiver`."""

    los_assert_dbm: float = field(metadata=_limits(-60, 10))
    los_deassert_dbm: float = field(metadata=_limits(-60, 10))
    sensitivity_dbm: float = field(default=-8.0, metadata=_limits(-40, 10))
    """Average power at which 2.4e-4 of the bits are wrong."""
    sensitivity_spread_db: float = field(default=0.4, metadata=_limits(0, 3))
    """Half width of the specimen's spread of each lane."""
    best_q: float = field(default=6.0, metadata=_limits(3.5, 30))
    """Q factor that no light exceeds: the error floor."""
    snr_error_db: float = field(default=0.3, metadata=_limits(0, 20))
    """Half width of the specimen's spread of what each lane says of its SNR and LTP."""


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


_LOOPBACKS = ("media_output", "media_input", "host_output", "host_input")


@dataclass(frozen=True, slots=True)
class DiagnosticsProfile:
    """Pages 13h and 14h. Patterns are codes of 13h:148."""

    supported: bool = True
    host_generator_patterns: tuple[int, ...] = field(
        default=(0, 2, 4, 6, 8, 10), metadata={**_limits(0, 15), "longest": 16}
    )
    media_generator_patterns: tuple[int, ...] = field(
        default=(0, 2, 4, 6, 8, 10, 12, 15), metadata={**_limits(0, 15), "longest": 16}
    )
    host_checker_patterns: tuple[int, ...] = field(
        default=(0, 2, 4, 6, 8, 10), metadata={**_limits(0, 15), "longest": 16}
    )
    media_checker_patterns: tuple[int, ...] = field(
        default=(0, 2, 4, 6, 8, 10, 15), metadata={**_limits(0, 15), "longest": 16}
    )
    loopbacks: tuple[str, ...] = field(default=_LOOPBACKS, metadata={"choices": _LOOPBACKS, "longest": 4})
    per_lane_loopbacks: bool = True
    simultaneous_loopbacks: bool = True
    """False: a loopback of one side is not taken while one of the other side is on."""
    gating: bool = True
    counters: bool = True
    media_snr: bool = True
    selector_latency_s: float = field(default=0.006, metadata=_limits(0, 10))
    """Until then 14h:192-255 hold what the selector before asked for (tDDCS allows 10 ms)."""
    slow_selector_s: float = field(default=0.0, metadata=_limits(0, 10))
    """Above 0: zeros for this long after a selector instead."""
    ratio_without_lock: float = field(default=0.5, metadata=_limits(0, 1))
    """Bit error ratio shown for a checker that runs and never found its pattern."""


_OBSERVABLES = (
    "laser_temperature",
    "media_snr",
    "media_ltp",
    *(f"media_prefec_ber_{part}" for part in ("min", "max", "average", "current")),
    *(f"media_ferc_{part}" for part in ("min", "max", "average", "current")),
)


@dataclass(frozen=True, slots=True)
class VdmProfile:
    """Pages 20h to 2Fh. Thresholds: high alarm, low alarm, high warning, low warning."""

    supported: bool = True
    observables: tuple[str, ...] = field(
        default=_OBSERVABLES, metadata={"choices": _OBSERVABLES, "longest": len(_OBSERVABLES)}
    )
    """In this order: one instance for each media lane, or one for the module (ferc). Without any of the
    statistics (min, max, average) the module does not answer to a freeze request."""
    update_s: float = field(default=1.0, metadata=_limits(0.1, 6.5))
    """Period of new samples, and the fine interval of the statistics."""
    freeze_s: float = field(default=0.005, metadata=_limits(0, 10))
    """Freeze or unfreeze request to done (tVDMF allows 10 ms)."""
    laser_temperature_error_c: float = field(default=1.5, metadata=_limits(0, 50))
    """Half width of the specimen's spread."""
    laser_temperature_c: tuple[float, ...] = field(
        default=(95.0, -15.0, 90.0, -10.0), metadata={**_limits(-128, 127), "length": _QUAD}
    )
    snr_db: tuple[float, ...] = field(
        default=(255.0, 17.0, 255.0, 18.0), metadata={**_limits(0, 255), "length": _QUAD}
    )
    ltp_db: tuple[float, ...] = field(
        default=(255.0, 20.0, 255.0, 24.0), metadata={**_limits(0, 255), "length": _QUAD}
    )
    prefec_ber: tuple[float, ...] = field(
        default=(2.4e-4, 0.0, 1e-5, 0.0), metadata={**_limits(0, 1), "length": _QUAD}
    )
    ferc: tuple[float, ...] = field(
        default=(1e-9, 0.0, 1e-10, 0.0), metadata={**_limits(0, 1), "length": _QUAD}
    )


@dataclass(frozen=True, slots=True)
class ApplicationProfile:
    """One application descriptor. Assignment masks: bit i = may start on lane i + 1."""

    host_interface: int = field(metadata=_limits(0, 254))
    media_interface: int = field(metadata=_limits(0, 255))
    host_lanes: int = field(metadata=_limits(1, 8))
    media_lanes: int = field(metadata=_limits(1, 8))
    host_lane_assignment: int = field(metadata=_limits(0, 255))
    media_lane_assignment: int = field(metadata=_limits(0, 255))
    media_lane_gbps: float = field(default=106.25, metadata=_limits(1, 1000))
    """Bits per second and media lane, in 1e9; the default is 53.125 GBd PAM4."""


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
    module_fault_after_s: float = field(default=0.0, metadata=_limits(0, 1e6))
    """Above 0: only this long after it reached ModuleReady."""
    rejected_config_host_lanes: tuple[int, ...] = field(default=(), metadata={**_limits(1, 8), "longest": 8})
    """Host lanes of which every configuration is rejected."""
    config_rejection_code: int = field(
        default=2, metadata={**_limits(2, 15), "choices": (2, 3, 4, 5, 6, 7, 8, 13, 14, 15)}
    )
    """ConfigStatus of those."""


_EPL_PAGES = (0, 1, 2, 3, 4, 8, 12, 16)
_LONGEST_FOREGROUND_S = 4.96


@dataclass(frozen=True, slots=True)
class CdbProfile:
    """Command messaging and firmware management."""

    supported: bool = False
    background: bool = True
    """False: the module acknowledges nothing while a command runs."""
    trigger_any_write: bool = True
    """Trigger method 1; False: only a write of 9Fh:129 or 128-129 starts a command."""
    auto_paging: bool = True
    length_extension: int = field(default=15, metadata=_limits(0, 255))
    """k: 8 * (1 + k) bytes in one access to pages 9Fh and up."""
    epl_pages: int = field(default=16, metadata=_limits(0, 16))
    """0, 1, 2, 3, 4, 8, 12 or 16."""
    max_busy_s: float = field(default=0.08, metadata=_limits(0.01, _LONGEST_FOREGROUND_S))
    """Longest execution of commands that have no limit of their own."""
    start_max_s: float = field(default=4.0, metadata=_limits(0.01, 600))
    write_max_s: float = field(default=0.08, metadata=_limits(0.01, 60))
    complete_max_s: float = field(default=2.0, metadata=_limits(0.01, 600))
    banks: int = field(default=2, metadata=_limits(1, 2))
    """1: an update overwrites the image that runs."""
    abort_supported: bool = True
    """Abort Firmware Download."""
    copy_supported: bool = True
    readback_supported: bool = False
    skips_erased: bool = True
    """Blocks of FFh need not be written."""
    password_required: bool = False
    """Firmware commands need the host password."""
    host_password: int = field(default=0x00001011, metadata=_limits(0, 0x7FFFFFFF))
    nack_every_n_writes: int = field(default=0, metadata=_limits(0, 10_000))
    """Every n-th write to pages 9Fh and up is not acknowledged; 0: none."""
    completion_flag: bool = True
    """False: CdbCmdCompleteFlag is never set."""
    abort_shows_aborted: bool = True
    """Abort Processing ends with status 03h, the command before was aborted; False: with 01h, success [?]."""
    start_returns_early: bool = False
    """Start reports success before the memory is erased; blocks are refused until then."""
    bad_flash_address: int = field(default=-1, metadata=_limits(-1, 0xFFFFFFFF))
    """The block with this address cannot be stored; -1: none."""
    firmware_corrupt: bool = False
    """No valid image: the module ends in ModuleFault with cause 3."""


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
    diagnostics: DiagnosticsProfile
    vdm: VdmProfile
    applications: tuple[ApplicationProfile, ...]
    faults: FaultProfile
    cdb: CdbProfile = field(default_factory=CdbProfile)
    configuration: ConfigurationProfile = field(default_factory=ConfigurationProfile)
    signal_integrity: SignalIntegrityProfile = field(default_factory=SignalIntegrityProfile)
    host_side: HostSideProfile = field(default_factory=HostSideProfile)
    quirks: QuirkProfile = field(default_factory=QuirkProfile)
    memory: MemoryProfile = field(default_factory=MemoryProfile)
    medium: MediumProfile = field(default_factory=MediumProfile)


SECTIONS: Mapping[str, type[Any]] = {
    "identity": IdentityProfile,
    "management": ManagementProfile,
    "timing": TimingProfile,
    "transmitter": TransmitterProfile,
    "receiver": ReceiverProfile,
    "power": PowerProfile,
    "monitors": MonitorProfile,
    "thresholds": ThresholdProfile,
    "diagnostics": DiagnosticsProfile,
    "vdm": VdmProfile,
    "faults": FaultProfile,
    "cdb": CdbProfile,
    "configuration": ConfigurationProfile,
    "signal_integrity": SignalIntegrityProfile,
    "host_side": HostSideProfile,
    "medium": MediumProfile,
    "quirks": QuirkProfile,
}
"""Sections of a profile but ``memory``, which holds pages by name, and ``application``, of which there are
several."""


def load_profile(name_or_path: str | Path) -> Profile:
    """Load and check a profile by name (looked up in the repository's ``fixtures/modules``) or path.

    :raises ProfileError: with one line per mistake, naming file and key.
    """
    try:
        return _load(_find(name_or_path, Path()), ())[1]
    except ProfileError:
        raise
    except TableError as fault:
        raise ProfileError(fault.complaints) from fault


def profile_names() -> tuple[str, ...]:
    """The profiles that come with the repository."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def _find(name_or_path: str | Path, beside: Path) -> Path:
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text:
        return beside / text
    if text not in profile_names():
        known = ", ".join(profile_names()) or "none"
        raise ProfileError(
            [f"no module profile named {printable_text(text, longest=_MAX_TEXT)!r}; there are: {known}"]
        )
    return FOLDER / f"{text}.toml"


def _load(path: Path, parents: tuple[Path, ...]) -> tuple[dict[str, Any], Profile]:
    """What a file says together with those that it extends, and the profile that it makes.

    Each of them is a profile by itself, so that a mistake is told of the file that makes it.
    """
    shown = printable_text(str(path))
    if path in parents or len(parents) >= _MAX_DEPTH_OF_EXTENDS:
        raise ProfileError([f"{shown}: extends: profiles extend each other in a circle, or too deeply"])
    try:
        special = path.exists() and not path.is_file()  # a device or a pipe might never end
    except (OSError, ValueError):
        special = False  # reading it says what is wrong
    if special:
        raise ProfileError([f"{shown}: cannot be read: it is no file"])
    table = read_table(path, shown=str(path))
    base = table.text("extends") if table.has("extends") else ""
    table.finish()
    content = {key: table.raw(key) for key in table.names() if key != "extends"}
    if base:
        try:
            below = _load(_find(base, path.parent), (*parents, path))[0]
        except TableError as fault:
            raise ProfileError([f"{shown}: extends: {line}" for line in fault.complaints]) from fault
        content = _overlay(below, content)
    return content, _build(path, Table(content, file=str(path), key="", complaints=[]))


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _build(path: Path, table: Table) -> Profile:
    description = table.text("description", "")
    if len(description) > _MAX_TEXT:
        table.complain("description", f"at most {_MAX_TEXT} characters, found {len(description)}")
    media_lanes = table.integer("media_lanes", low=1, high=HOST_LANES)
    memory = read_memory(table.table("memory", required=False))
    # The optics of a module that is nothing but its memory are never asked.
    lanes = None if memory.stands_still else media_lanes
    sections = {
        key: read_section(table.table(key, required=has_required_keys(kind)), kind, lanes)
        for key, kind in SECTIONS.items()
    }
    applications = _applications(table, lanes)
    _check_together(table, sections)
    table.end()
    table.finish()
    return Profile(
        name=path.stem,
        description=description,
        media_lanes=media_lanes,
        applications=applications,
        memory=memory,
        **sections,
    )


def _applications(table: Table, media_lanes: int | None) -> tuple[ApplicationProfile, ...]:
    listed = table.tables("application")
    if not 1 <= len(listed) <= MOST_APPLICATIONS:
        table.complain(
            "application", f"expected 1 to {MOST_APPLICATIONS} tables [[application]], found {len(listed)}"
        )
        return ()
    found = []
    for part in listed:
        application = read_section(part, ApplicationProfile, None)
        if media_lanes is not None and application.media_lanes > media_lanes:
            part.complain("media_lanes", f"{application.media_lanes}, but the module has {media_lanes}")
        found.append(application)
    return tuple(found)


def _check_together(table: Table, sections: Mapping[str, Any]) -> None:
    """What no key says by itself."""
    receiver: ReceiverProfile = sections["receiver"]
    if receiver.los_deassert_dbm < receiver.los_assert_dbm:
        table.complain("receiver.los_deassert_dbm", "must not be below los_assert_dbm")
    cdb: CdbProfile = sections["cdb"]
    if cdb.epl_pages not in _EPL_PAGES:
        table.complain("cdb.epl_pages", f"{cdb.epl_pages} is not one of {', '.join(map(str, _EPL_PAGES))}")
    for key in ("start_max_s", "write_max_s", "complete_max_s"):
        if not cdb.background and getattr(cdb, key) > _LONGEST_FOREGROUND_S:
            table.complain(f"cdb.{key}", f"at most {_LONGEST_FOREGROUND_S} s without background mode")
    try:
        vendor_name(sections["quirks"])
    except ValueError as fault:
        table.complain("quirks.vendor_name_hex", str(fault))
