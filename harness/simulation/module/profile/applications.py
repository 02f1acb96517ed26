"""Tables ``[[application]]`` of a profile."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.simulation.module.profile.rules import limits

HOST_LANES = 8
"""Host lanes of one bank."""

MOST_APPLICATIONS = 15


@dataclass(frozen=True, slots=True)
class ApplicationProfile:
    """One application descriptor. Assignment masks: bit i = may start on lane i + 1."""

    host_interface: int = field(metadata=limits(0, 254))
    media_interface: int = field(metadata=limits(0, 255))
    host_lanes: int = field(metadata=limits(1, 8))
    media_lanes: int = field(metadata=limits(1, 8))
    host_lane_assignment: int = field(metadata=limits(0, 255))
    media_lane_assignment: int = field(metadata=limits(0, 255))
    media_lane_gbps: float = field(default=106.25, metadata=limits(1, 1000))
    """Bits per second and media lane, in 1e9; the default is 53.125 GBd PAM4."""


def media_lanes_of(application: ApplicationProfile, first_host_lane: int) -> tuple[int, ...]:
    """Media lanes of a data path that begins on a host lane: in proportion to the host lanes before it."""
    first = (first_host_lane - 1) * application.media_lanes // application.host_lanes + 1
    return tuple(range(first, first + application.media_lanes))


def may_begin(application: ApplicationProfile, first_host_lane: int) -> bool:
    """Whether a data path may begin there: both lane assignment options allow it, and its host lanes are."""
    return bool(
        first_host_lane + application.host_lanes - 1 <= HOST_LANES
        and application.host_lane_assignment >> first_host_lane - 1 & 1
        and application.media_lane_assignment >> media_lanes_of(application, first_host_lane)[0] - 1 & 1
    )


def beyond(application: ApplicationProfile, media_lanes: int) -> str:
    """What is wrong when a data path that may begin somewhere would have media lanes that a module of so
    many has not; empty: nothing."""
    for start in range(1, HOST_LANES + 1):
        last = media_lanes_of(application, start)[-1]
        if may_begin(application, start) and last > media_lanes:
            return (
                f"a data path that begins on host lane {start} would end on media lane {last}, "
                f"but the module has {media_lanes}"
            )
    return ""
