"""Choosing applications and lanes from what a module advertises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cmis.application import (
    DataPathRequest,
    all_data_paths,
    breakout,
    find_applications,
    find_breakout,
    placements,
)
from drivers.cmis.errors import ApplicationNotOfferedError
from drivers.cmis.information import Application
from drivers.cmis.module import CmisModule


def application(
    app_sel: int,
    media: str,
    host_lanes: int,
    media_lanes: int,
    starts: tuple[int, ...],
    media_starts: tuple[int, ...],
) -> Application:
    return Application(
        app_sel, f"{media} host", 0x11, media, 0x1C, host_lanes, media_lanes, starts, media_starts
    )


DR4 = application(1, "400GBASE-DR4", 8, 4, (1,), (1,))
DR4_2 = application(2, "400GBASE-DR4-2", 8, 4, (1,), (1,))
TWO_200 = application(3, "200GBASE-DR4", 4, 2, (1, 5), (1, 3))
DR = application(4, "100GBASE-DR", 2, 1, (1, 3, 5, 7), (1, 2, 3, 4))
FR1 = application(5, "100G-FR/100GBASE-FR1", 2, 1, (1, 3), (1, 2))
ALL = (DR4, DR4_2, TWO_200, DR, FR1)


def lanes(found: tuple[DataPathRequest, ...]) -> list[tuple[int, int]]:
    return [(request.app_sel, request.first_host_lane) for request in found]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("1x400GBASE-DR4", [(1, 1)]),  # and not the -2 that begins alike
        ("1 x 400GBASE-DR4-2", [(2, 1)]),
        ("2x200GBASE-DR4", [(3, 1), (3, 5)]),
        ("4X100GBASE-DR", [(4, 1), (4, 3), (4, 5), (4, 7)]),
        ("4x100G", [(4, 1), (4, 3), (4, 5), (4, 7)]),
        ("2x100G-FR/100GBASE-FR1", [(5, 1), (5, 3)]),
        ("1x200G + 2x100G", [(3, 1), (4, 5), (4, 7)]),
        ("2x100GBASE-DR+1x200GBASE-DR4", [(4, 1), (4, 3), (3, 5)]),
        ("2x100G-FR/100GBASE-FR1+2x100GBASE-DR", [(5, 1), (5, 3), (4, 5), (4, 7)]),
    ],
)
def test_breakouts(wanted: str, found: list[tuple[int, int]]) -> None:
    assert lanes(breakout(ALL, wanted)) == found


def test_an_application_and_a_count() -> None:
    assert lanes(breakout(ALL, (DR, 2))) == [(4, 1), (4, 3)]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("5x100GBASE-DR", "no room for these data paths"),
        ("1x400GBASE-DR4+1x100GBASE-DR", "no room"),
        ("1x800GBASE-DR8", "does not advertise 800GBASE-DR8"),
        ("3x100G-FR/100GBASE-FR1", "no room"),
        ("1x40G", "does not advertise 40G"),  # 400G does not begin with 40G
    ],
)
def test_what_is_not_offered_is_refused_in_words(wanted: str, message: str) -> None:
    with pytest.raises(ApplicationNotOfferedError, match=message) as refusal:
        breakout(ALL, wanted)
    assert wanted in str(refusal.value)
    assert "4: 100GBASE-DR (2 host lanes from 1, 3, 5, 7; 1 media lane from 1-4)" in str(refusal.value)


@pytest.mark.parametrize(
    "wanted", ["", "100GBASE-DR", "0x100G", "9x100G", "4x", "x100G", "4x100G+", "-1x100G"]
)
def test_what_is_no_breakout_is_the_callers_mistake(wanted: str) -> None:
    with pytest.raises(ValueError, match="is no breakout"):
        breakout(ALL, wanted)


def test_a_host_interface_may_be_asked_for() -> None:
    other = application(6, "100GBASE-DR", 1, 1, (1, 2, 3, 4), (1, 2, 3, 4))
    assert lanes(breakout((*ALL, other), "4x100GBASE-DR")) == [(4, 1), (4, 3), (4, 5), (4, 7)]
    assert len(find_applications((*ALL, other), media_interface="100GBASE-DR")) == 2
    assert find_applications((*ALL, other), media_interface="100GBASE-DR", host_lanes=1) == (other,)
    assert find_applications(ALL, host_interface="100GBASE-DR host") == (DR,)
    with pytest.raises(ApplicationNotOfferedError, match="with host interface CAUI-4"):
        breakout(ALL, "1x100GBASE-DR", host_interface="CAUI-4")


def test_a_breakout_goes_to_the_application_that_has_room() -> None:
    narrow = application(6, "100GBASE-DR", 1, 1, (1, 2), (1, 2))
    assert lanes(breakout((narrow, DR), "4x100GBASE-DR")) == [(4, 1), (4, 3), (4, 5), (4, 7)]


def test_media_lanes_go_with_host_lanes() -> None:
    assert [item.media_lanes for item in placements(TWO_200)] == [(1, 2), (3, 4)]
    # Other counts of options: in proportion, and only where a data path may begin.
    uneven = application(6, "200GBASE-DR4", 4, 2, (1, 3, 5), (1, 3))
    assert [(item.host_lanes[0], item.media_lanes) for item in placements(uneven)] == [
        (1, (1, 2)),
        (5, (3, 4)),
    ]


def test_a_module_without_media_lane_options_is_taken_at_its_word() -> None:
    silent = application(6, "100GBASE-DR", 2, 1, (1, 3, 5, 7), ())
    assert len(all_data_paths(silent)) == 4


@pytest.mark.parametrize("broken", [(0, 0, (1,), (1,)), (8, 4, (2,), (2,)), (4, 2, (), ())])
def test_descriptors_that_leave_no_lanes_have_no_placement(
    broken: tuple[int, int, tuple[int, ...], tuple[int, ...]],
) -> None:
    assert placements(application(1, "400GBASE-DR4", *broken)) == ()


@pytest.mark.parametrize(("app_sel", "lane"), [(0, 1), (16, 1), (1, 0), (1, 9)])
def test_requests_for_what_there_cannot_be(app_sel: int, lane: int) -> None:
    with pytest.raises(ValueError, match=r"are 1\.\."):
        DataPathRequest(app_sel, lane)


def test_applications_of_a_module(module: CmisModule) -> None:
    (found,) = find_applications(module, media_interface="100GBASE-DR")
    assert found.app_sel == 3


_STARTS = st.sets(st.integers(1, 8)).map(lambda lanes: tuple(sorted(lanes)))
_DESCRIPTORS = st.lists(
    st.tuples(st.integers(0, 15), st.integers(0, 15), _STARTS, _STARTS), min_size=1, max_size=15
)


@given(_DESCRIPTORS, st.lists(st.integers(1, 8), min_size=1, max_size=8))
def test_whatever_descriptors_say_data_paths_never_overlap(
    descriptors: list[tuple[int, int, tuple[int, ...], tuple[int, ...]]], counts: list[int]
) -> None:
    offers = [application(number, "100GBASE-DR", *item) for number, item in enumerate(descriptors, start=1)]
    wanted = "+".join(f"{count}x100G" for count in counts)
    try:
        found = find_breakout(offers, wanted)
    except ApplicationNotOfferedError:
        return
    assert len(found) == sum(counts)
    host = [lane for item in found for lane in item.host_lanes]
    media = [lane for item in found for lane in item.media_lanes]
    assert len(host) == len(set(host))
    assert len(media) == len(set(media))
    assert {*host, *media} <= set(range(1, 9))
    for item in found:
        assert item.host_lanes[0] in item.application.host_lane_starts
        assert (
            not item.media_lanes
            or not item.application.media_lane_starts
            or (item.media_lanes[0] in item.application.media_lane_starts)
        )
