"""Which lanes are in use: a transmitter that is off is not below its limit, and no light is no failure of a
lane that carries nothing."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.cmis import information
from drivers.cmis.application import placements
from drivers.cmis.codes import DataPathState
from drivers.cmis.description.sections import Subject
from drivers.cmis.errors import CmisError

_ACTIVE = (DataPathState.DPInitialized, DataPathState.DPTxTurnOn, DataPathState.DPActivated)


@dataclass(frozen=True, slots=True)
class LanesInUse:
    """Host and media lanes of data paths that are up."""

    host: frozenset[int]
    media: frozenset[int]


def lanes_in_use(subject: Subject) -> LanesInUse | None:
    """From the states of the data paths (11h:128-131) and the applications in force (11h:206-213).

    None where an image does not hold them, or a media lane cannot be told: then everything is judged.
    """
    image, bank = subject.image, subject.bank
    try:
        states = information.get_codes(image, "DPStateHostLane", bank)
        selected = information.get_codes(image, "ACS_AppSel", bank)
        applications = {item.app_sel: item for item in information.read_applications(image)}
    except CmisError:
        return None
    host = {lane for lane, code in enumerate(states, start=1) if code in _ACTIVE and selected[lane - 1]}
    media: set[int] = set()
    placed: set[int] = set()
    for app_sel, application in applications.items():
        for placement in placements(application):
            if all(lane in host and selected[lane - 1] == app_sel for lane in placement.host_lanes):
                media |= set(placement.media_lanes)
                placed |= set(placement.host_lanes)
    return LanesInUse(frozenset(host), frozenset(media)) if placed == host else None
