"""Profiles of simulated modules: TOML in, frozen dataclasses out.

A profile is untrusted input: its size is bounded, every key, type, length and range is checked, and each
mistake is one line that names file and key. ``extends = "<name>"`` takes another profile and states only the
differences; tables are merged, values and lists replaced. docs/profiles.md describes every key.

Tables ``[[defect]]`` are applied to what was read and checked, once: nothing else knows of them.
What a profile leaves out of the optional keys is drawn from the specimen's number, as real modules spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drivers.cmis.errors import CmisError
from harness.simulation.module.profile.applications import (
    HOST_LANES,
    MOST_APPLICATIONS,
    ApplicationProfile,
    beyond,
)
from harness.simulation.module.profile.cdb import EPL_PAGES, LONGEST_FOREGROUND_S, CdbProfile, with_quirks
from harness.simulation.module.profile.defects import read_defects, with_defects
from harness.simulation.module.profile.faults import FaultProfile
from harness.simulation.module.profile.management import TimingProfile
from harness.simulation.module.profile.memory import read_memory
from harness.simulation.module.profile.profile import SECTIONS, Profile
from harness.simulation.module.profile.quirks import vendor_name
from harness.simulation.module.profile.receiver import ReceiverProfile
from harness.simulation.module.profile.section_reading import has_required_keys, read_section
from harness.simulation.module.profile.transmitter import beyond_quantum_limit, shares_lasers
from harness.tables import Table, TableError, did_you_mean, read_table
from harness.text import printable_text

FOLDER = Path(__file__).resolve().parents[4] / "fixtures" / "modules"
"""Where profiles are looked up by name."""

_MAX_TEXT = 200
_SLOWER = "faults.slower_than_advertised = true"
_SLOW_START = "quirks.firmware_start_s"
_MAX_DEPTH_OF_EXTENDS = 8


class ProfileError(TableError):
    """A profile cannot be used; each line of the message names file and key."""


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
        hint = did_you_mean(text, profile_names()) or f"there are: {known}"
        if _is_file(beside / f"{text}.toml"):
            hint = f"the file is meant by ./{printable_text(text, longest=_MAX_TEXT)}.toml"
        raise ProfileError([f"no module profile named {printable_text(text, longest=_MAX_TEXT)!r}; {hint}"])
    return FOLDER / f"{text}.toml"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


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
    defects = read_defects(table, lanes, shared_fibre=sections["medium"].multiplexed)
    _check_together(table, sections, lanes)
    table.end()
    table.finish()
    stated = Profile(
        name=path.stem,
        description=description,
        media_lanes=media_lanes,
        applications=applications,
        memory=memory,
        defects=defects,
        **sections,
    )
    return with_defects(stated)


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
        found.append(application)
        if media_lanes is None:
            continue
        if application.media_lanes > media_lanes:
            part.complain("media_lanes", f"{application.media_lanes}, but the module has {media_lanes}")
        elif application.host_lanes > 0 and application.media_lanes > 0:
            fault = beyond(application, media_lanes)
            if fault:
                part.complain("host_lane_assignment", fault)
    return tuple(found)


def _check_together(table: Table, sections: Mapping[str, Any], lanes: int | None) -> None:
    """What no key says by itself."""
    _check_times(table, sections["timing"], sections["faults"])
    if sections["medium"].multiplexed and shares_lasers(sections["transmitter"]):
        table.complain(
            "transmitter.laser_of_lane",
            "lanes that share a laser have one wavelength, and medium.multiplexed wants one for each lane",
        )
    if lanes is not None:
        impossible = beyond_quantum_limit(sections["transmitter"], lanes)
        if impossible:
            table.complain("transmitter.slope_mw_per_ma", impossible)
    receiver: ReceiverProfile = sections["receiver"]
    if receiver.los_deassert_dbm < receiver.los_assert_dbm:
        table.complain("receiver.los_deassert_dbm", "must not be below los_assert_dbm")
    cdb: CdbProfile = with_quirks(sections["cdb"], sections["quirks"])
    if cdb.epl_pages not in EPL_PAGES:
        table.complain("cdb.epl_pages", f"{cdb.epl_pages} is not one of {', '.join(map(str, EPL_PAGES))}")
    for key in ("start_max_s", "write_max_s", "complete_max_s"):
        if not cdb.background and getattr(cdb, key) > LONGEST_FOREGROUND_S:
            whose = f"cdb.{key}" if getattr(cdb, key) == getattr(sections["cdb"], key) else _SLOW_START
            table.complain(whose, f"at most {LONGEST_FOREGROUND_S} s without background mode")
    try:
        vendor_name(sections["quirks"])
    except ValueError as fault:
        table.complain("quirks.vendor_name_hex", str(fault))


def _check_times(table: Table, timing: TimingProfile, faults: FaultProfile) -> None:
    if faults.slower_than_advertised:
        return
    if timing.bring_up_excess > 0.0:
        table.complain("timing.bring_up_excess", f"above 0 it needs {_SLOWER}")
    try:
        bounds_s = timing.bounds_s()
    except CmisError:
        return  # a code out of its range was complained about
    for key, bound_s in bounds_s.items():
        actual_s = getattr(timing, key)
        if actual_s is not None and actual_s > bound_s:
            table.complain(
                f"timing.{key}",
                f"{actual_s:g} s is above {bound_s:g} s, which the module advertises or the standard allows; "
                f"{_SLOWER} permits that",
            )
