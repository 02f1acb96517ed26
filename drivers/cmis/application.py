"""Choosing applications: which a module advertises, and on which lanes data paths of them may lie.

Media interfaces go by their names in SFF-8024, as :mod:`drivers.cmis.codes` has them. Lanes are numbered 1..8
within a bank.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from drivers.cmis.errors import ApplicationNotOfferedError
from drivers.cmis.fields import LANES
from drivers.cmis.information import Application
from drivers.cmis.module import CmisModule
from drivers.cmis.signal_integrity import SignalIntegrity
from drivers.cmis.wording import lanes_text


@dataclass(frozen=True, slots=True)
class DataPathRequest:
    """A data path that is wanted: AppSel code (1..15) and lowest host lane (1..8).

    ``explicit_control``: use the signal integrity settings of the staged control set instead of those that
    belong to the application. ``signal_integrity``: settings to stage, for all lanes of the data path or by
    host lane; they imply ``explicit_control``.

    :raises ValueError: for codes and lanes that there are not.
    """

    app_sel: int
    first_host_lane: int
    explicit_control: bool = False
    signal_integrity: SignalIntegrity | Mapping[int, SignalIntegrity] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.app_sel <= 15:
            raise ValueError(f"AppSel codes are 1..15, not {self.app_sel}; lanes are freed by free_lanes")
        if not 1 <= self.first_host_lane <= LANES:
            raise ValueError(f"host lanes are 1..{LANES}, not {self.first_host_lane}")

    @property
    def explicit(self) -> bool:
        """The ExplicitControl bit."""
        return self.explicit_control or self.signal_integrity is not None


def find_applications(
    source: CmisModule | Sequence[Application],
    *,
    media_interface: str | None = None,
    host_interface: str | None = None,
    host_lanes: int | None = None,
    media_lanes: int | None = None,
) -> tuple[Application, ...]:
    """Advertised applications that agree with everything given, in AppSel order; may be none.

    :raises CmisError: when the module's descriptors cannot be read.
    """
    applications = source.applications() if isinstance(source, CmisModule) else source
    wanted = {
        "media_interface": media_interface,
        "host_interface": host_interface,
        "host_lanes": host_lanes,
        "media_lanes": media_lanes,
    }
    return tuple(
        application
        for application in applications
        if all(value is None or getattr(application, name) == value for name, value in wanted.items())
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """Lanes that one data path of an application may have. ``media_lanes``: empty where the module does not
    say enough to know them."""

    application: Application
    host_lanes: tuple[int, ...]
    media_lanes: tuple[int, ...]

    @property
    def request(self) -> DataPathRequest:
        """The request of this data path."""
        return DataPathRequest(self.application.app_sel, self.host_lanes[0])


def placements(application: Application) -> tuple[Placement, ...]:
    """Where data paths of an application may lie: its host lane assignment options (byte 4 of its descriptor)
    with the media lanes that go with each (01h:176-190).

    The n-th host lane option goes with the n-th media lane option where there are as many of both; else media
    lanes are taken in proportion to host lanes, if they may begin there [uncertain: CMIS leaves the module
    to tell]. A module that gives no media lane options is taken at its host lanes' word.
    """
    found = []
    size = application.host_lanes
    for index, start in enumerate(application.host_lane_starts):
        if not size or start + size - 1 > LANES:
            continue
        media = _media_lanes(application, index, start)
        if media is not None:
            found.append(Placement(application, tuple(range(start, start + size)), media))
    return tuple(found)


def _media_lanes(application: Application, index: int, start: int) -> tuple[int, ...] | None:
    options, size = application.media_lane_starts, application.media_lanes
    if len(options) == len(application.host_lane_starts):
        first = options[index]
    else:
        first = (start - 1) * size // application.host_lanes + 1
        if options and first not in options:
            return None
    lanes = tuple(range(first, first + size))
    if lanes and lanes[-1] > LANES:
        return None
    return lanes


def all_data_paths(application: Application) -> tuple[Placement, ...]:
    """As many data paths of this application as fit beside each other, from the lowest lanes up."""
    taken: list[Placement] = []
    for placement in placements(application):
        if not any(_overlap(placement, other) for other in taken):
            taken.append(placement)
    return tuple(taken)


def breakout(
    applications: Sequence[Application],
    wanted: str | tuple[Application, int],
    *,
    host_interface: str | None = None,
) -> tuple[DataPathRequest, ...]:
    """Requests for data paths that lie beside each other: those of :func:`find_breakout`, which see."""
    found = find_breakout(applications, wanted, host_interface=host_interface)
    return tuple(placement.request for placement in found)


def find_breakout(
    applications: Sequence[Application],
    wanted: str | tuple[Application, int],
    *,
    host_interface: str | None = None,
) -> tuple[Placement, ...]:
    """Data paths that lie beside each other, on lanes that the module allows, the lowest host lanes first.

    ``wanted``: ``4x100GBASE-DR``, ``1x400GBASE-DR4``, ``2x100GBASE-DR + 1x200GBASE-DR4`` (a count, and a
    media interface of SFF-8024), ``4x100G`` (any application whose media interface begins with this rate),
    or an application and how often. The lowest lanes are used first.

    :raises ValueError: for a text that is not of this form, or a count that is not 1..8.
    :raises ApplicationNotOfferedError: when the module does not offer it; says what it offers.
    """
    groups: list[tuple[str, int, tuple[Application, ...]]] = []
    if isinstance(wanted, str):
        asked = wanted
        for name, count in parse_breakout(wanted):
            groups.append((name, count, _named(applications, name, host_interface)))
    else:
        application, count = wanted
        name = application.media_interface
        asked = f"{count}x{name}"
        if not 1 <= count <= LANES:
            raise ValueError(f"a module has 1..{LANES} data paths, not {count}")
        groups.append((name, count, (application,)))
    missing = [name for name, _, candidates in groups if not candidates]
    if missing:
        raise ApplicationNotOfferedError(
            f"{asked}: the module does not advertise {' nor '.join(dict.fromkeys(missing))}"
            f"{f' with host interface {host_interface}' if host_interface else ''}. "
            f"It advertises {offered(applications)}."
        )
    found = _place([(count, candidates) for _, count, candidates in groups], (), set())
    if found is None:
        raise ApplicationNotOfferedError(
            f"{asked}: the module's lane assignment options leave no room for these data paths beside each "
            f"other. It advertises {offered(applications)}."
        )
    return tuple(sorted(found, key=lambda item: item.host_lanes))


def offered(applications: Sequence[Application]) -> str:
    """What a module offers: ``1: 400GBASE-DR4 (8 host lanes from 1; 4 media lanes from 1), ...``."""
    texts = [
        f"{item.app_sel}: {item.media_interface} ({_side('host', item.host_lanes, item.host_lane_starts)}; "
        f"{_side('media', item.media_lanes, item.media_lane_starts)})"
        for item in applications
    ]
    return ", ".join(texts) or "no application"


def _side(side: str, count: int, starts: tuple[int, ...]) -> str:
    return f"{count} {side} lane{'s' * (count != 1)} from {lanes_text(starts) or 'nowhere'}"


_PART = re.compile(r"(\d{1,2})\s*[xX]\s*(\S(?:.*\S)?)")
_RATE = re.compile(r"\d+(?:\.\d+)?[GT]")


def parse_breakout(text: str) -> tuple[tuple[str, int], ...]:
    """Names and counts of a breakout such as ``4x100GBASE-DR``.

    :raises ValueError: when the text is not of this form, or a count is not 1..8.
    """
    parts = []
    for part in text.split("+"):
        match = _PART.fullmatch(part.strip())
        if match is None or not 1 <= int(match[1]) <= LANES:
            raise ValueError(
                f"{text!r} is no breakout: expected a count 1..{LANES} and a media interface, such as "
                "4x100GBASE-DR, several of them joined by +"
            )
        parts.append((match[2], int(match[1])))
    return tuple(parts)


def _named(applications: Sequence[Application], name: str, host: str | None) -> tuple[Application, ...]:
    exact = find_applications(applications, media_interface=name, host_interface=host)
    if exact or not _RATE.fullmatch(name):
        return exact
    # A rate alone must not match a longer number: 100G is not the beginning of 1000G.
    return tuple(
        item
        for item in find_applications(applications, host_interface=host)
        if re.match(rf"{re.escape(name)}(?![0-9])", item.media_interface)
    )


def _overlap(one: Placement, other: Placement) -> bool:
    return bool(set(one.host_lanes) & set(other.host_lanes) or set(one.media_lanes) & set(other.media_lanes))


def _place(
    groups: Sequence[tuple[int, tuple[Application, ...]]],
    taken: tuple[Placement, ...],
    hopeless: set[tuple[int, frozenset[int], frozenset[int]]],
) -> tuple[Placement, ...] | None:
    """Place ``count`` data paths of one application of each group; the first way that works, or None.

    ``hopeless``: what was tried in vain: groups left and lanes taken. It keeps descriptors that allow much
    from making this long.
    """
    if not groups:
        return taken
    tried = (
        len(groups),
        frozenset(lane for item in taken for lane in item.host_lanes),
        frozenset(lane for item in taken for lane in item.media_lanes),
    )
    if tried in hopeless:
        return None
    count, candidates = groups[0]
    for application in candidates:
        for placed in _choices(placements(application), count, taken):
            result = _place(groups[1:], placed, hopeless)
            if result is not None:
                return result
    hopeless.add(tried)
    return None


def _choices(
    options: Sequence[Placement], count: int, taken: tuple[Placement, ...]
) -> Iterator[tuple[Placement, ...]]:
    if not count:
        yield taken
        return
    for index, placement in enumerate(options):
        if not any(_overlap(placement, other) for other in taken):
            yield from _choices(options[index + 1 :], count - 1, (*taken, placement))
