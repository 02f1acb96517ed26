"""Defects of simulated modules, tables ``[[defect]]`` of a profile: all kinds, and how they are read.

``body.py``, ``transmitter.py`` and ``receiver.py`` hold the kinds, as data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.simulation.module.profile.defects.body import BODY_DEFECTS
from harness.simulation.module.profile.defects.defect import Defect
from harness.simulation.module.profile.defects.receiver import RECEIVER_DEFECTS
from harness.simulation.module.profile.defects.transmitter import TRANSMITTER_DEFECTS
from harness.simulation.module.profile.profile import Profile
from harness.simulation.module.profile.section_reading import read_section
from harness.simulation.module.profile.stated_defect import MOST_DEFECTS, StatedDefect
from harness.tables import Table, did_you_mean

DEFECTS: Mapping[str, Defect] = {
    defect.kind: defect for defect in (*TRANSMITTER_DEFECTS, *RECEIVER_DEFECTS, *BODY_DEFECTS)
}
"""All kinds by their name in a profile."""

__all__ = ["DEFECTS", "Defect", "StatedDefect", "read_defects", "with_defects"]


def read_defects(table: Table, media_lanes: int | None, *, shared_fibre: bool) -> tuple[StatedDefect, ...]:
    """The tables ``[[defect]]`` of a profile; complaints are the table's.

    ``media_lanes`` None: a module that is nothing but its memory, which has no defects. ``shared_fibre``: its
    lanes share one.
    """
    listed = table.tables("defect")
    if listed and media_lanes is None:
        table.complain("defect", "a module that stands still has none; memory.frozen = false lets it live")
        return ()
    if len(listed) > MOST_DEFECTS:
        table.complain("defect", f"at most {MOST_DEFECTS} tables [[defect]], found {len(listed)}")
        return ()
    found: dict[int, StatedDefect] = {}
    for number, part in enumerate(listed, start=1):
        stated = read_section(part, StatedDefect, None)
        kind = DEFECTS.get(stated.kind)
        if kind is None:
            if isinstance(part.raw("kind"), str):
                hint = did_you_mean(stated.kind, DEFECTS) or f"there are: {', '.join(sorted(DEFECTS))}"
                part.complain("kind", f"there is no defect of that kind; {hint}")
            continue
        if kind.in_shared_fibre and not shared_fibre:
            part.complain(
                "kind",
                f"{kind.kind} needs lanes that share a fibre, and here each has its own (medium.multiplexed)",
            )
        lanes = _lanes(part, kind, stated, media_lanes or 1)
        _complain_if_twice(part, stated.kind, lanes, found)
        found[number] = StatedDefect(kind=stated.kind, lanes=lanes, severity=stated.severity)
    return tuple(found.values())


def _lanes(part: Table, kind: Defect, stated: StatedDefect, media_lanes: int) -> tuple[int, ...]:
    if not kind.per_lane:
        if part.has("lanes"):
            part.complain("lanes", f"{kind.kind} is of the whole module; leave the key out")
        return ()
    if not part.has("lanes"):
        return tuple(range(1, media_lanes + 1))
    if not stated.lanes and part.raw("lanes") == []:
        part.complain("lanes", "expected one media lane at least; leave the key out for all")
    for lane in stated.lanes:
        if media_lanes < lane <= 8:
            part.complain("lanes", f"{lane}, but the module has {media_lanes}")
    if len(set(stated.lanes)) < len(stated.lanes):
        part.complain("lanes", "a lane is there twice")
    return tuple(sorted(set(stated.lanes)))


def _complain_if_twice(
    part: Table, kind: str, lanes: Sequence[int], before: Mapping[int, StatedDefect]
) -> None:
    """One complaint; ``before``: the defects of the tables before this one, by their number."""
    of_kind = {number: other for number, other in before.items() if other.kind == kind}
    if not lanes:
        where = [f"defect[{number}]" for number in of_kind]
    else:
        first = {lane: number for number, other in reversed(of_kind.items()) for lane in other.lanes}
        where = [f"media lane {lane} in defect[{first[lane]}]" for lane in lanes if lane in first]
    if where:
        part.complain("kind", f"{kind} is stated already: {', '.join(where)}")


def with_defects(profile: Profile) -> Profile:
    """The profile with its defects in its numbers; they are applied in the order in which it states them."""
    for stated in profile.defects:
        profile = DEFECTS[stated.kind].apply(profile, stated.lanes, stated.severity)
    return profile
