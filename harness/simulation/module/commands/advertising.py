"""What a simulated module says of its CDB before any command: 01h:163-166, and which pages it has."""

from __future__ import annotations

from drivers.cmis.fields import Value
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.pages.cdb import FIRST_EPL_PAGE
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.cdb import EPL_PAGES, CdbProfile, with_quirks

LPL_PAGE = FIELDS["CdbCommandID"].page
COPY_S = 4.0
"""Longest execution of Copy Firmware Image."""

_EXT_BUSY_STEP_S = 0.160
_BUSY_S = 0.080


def profile_in_effect(profile: Profile) -> CdbProfile:
    """The profile's CDB with what its quirks change."""
    return with_quirks(profile.cdb, profile.quirks)


def cdb_pages(profile: CdbProfile) -> tuple[tuple[int, int], ...]:
    """(bank, page) of what the module has for CDB."""
    if not profile.supported:
        return ()
    return tuple((0, page) for page in (LPL_PAGE, *range(FIRST_EPL_PAGE, FIRST_EPL_PAGE + profile.epl_pages)))


def longest_busy_s(profile: CdbProfile) -> float:
    """Longest time that the module is busy with a command: with background mode of an ordinary one,
    without it (tCDBF, during which nothing is acknowledged) of any."""
    if profile.background:
        return profile.max_busy_s
    return max(profile.max_busy_s, profile.start_max_s, profile.write_max_s, profile.complete_max_s, COPY_S)


def advertising(profile: CdbProfile) -> dict[str, Value]:
    """Values of 01h:163-166.

    The texts of 01h:165-166 contradict each other [?]: here CdbMaxBusySpecMethod 0 means CdbMaxBusyTime.
    """
    if not profile.supported:
        return {}
    busy_s = longest_busy_s(profile)
    extended = busy_s > _BUSY_S
    return {
        "CdbInstancesSupported": 1,
        "CdbBackgroundModeSupported": int(profile.background),
        "CdbAutoPagingSupported": int(profile.auto_paging),
        "CdbMaxPagesEPL": EPL_PAGES.index(profile.epl_pages),
        "CdbReadWriteLengthExtension": profile.length_extension,
        "CdbCommandTriggerMethod": int(profile.trigger_any_write),
        "CdbExtMaxBusyTime": -(-round(busy_s * 1e3) // round(_EXT_BUSY_STEP_S * 1e3)) if extended else 0,
        "CdbMaxBusySpecMethod": int(extended),
        "CdbMaxBusyTime": 0 if extended else int((_BUSY_S - busy_s) * 1e3 + 1e-6),
    }
