"""A module as two callables in this process."""

from __future__ import annotations

import pytest

from harness.simulation.module.profile import load_profile
from harness.simulation.served.callables import TwoCallables
from harness.simulation.served.served_module import ServedModule, counted_on


@pytest.fixture
def served() -> ServedModule:
    return ServedModule(load_profile("good-dr4"), speed=None)


@pytest.fixture
def callables(served: ServedModule) -> TwoCallables:
    return TwoCallables(served.world, served.module)


def test_initialisation_and_hold_offs_are_waited_for_in_module_time(
    served: ServedModule, callables: TwoCallables
) -> None:
    assert callables.read(0, 0, 0, 2) == b"\x18\x50"
    assert 0.1 < served.world.now_s < 2.0
    callables.write(0, 0x10, 130, b"\x0f")
    before_s = served.world.now_s
    assert callables.read(0, 0x10, 130, 1) == b"\x0f"
    assert served.world.now_s - before_s == pytest.approx(0.002, abs=0.001)


def test_pages_are_selected_and_long_accesses_split(callables: TwoCallables) -> None:
    assert callables.read(0, 0x00, 129, 16) == b"LANEWISE        "
    masks = bytes(range(1, 20))
    callables.write(0, 0x10, 213, masks)
    assert callables.read(0, 0x10, 213, 19) == masks
    assert callables.read(0, 0x00, 128, 128)[1:17] == b"LANEWISE        "


def test_a_reset_that_maps_page_00h_is_noticed(served: ServedModule, callables: TwoCallables) -> None:
    states = callables.read(0, 0x11, 128, 4)
    served.module.set_reset(asserted=True)
    served.module.set_reset(asserted=False)
    assert callables.read(0, 0x11, 128, 4) == states


def test_a_page_that_is_not_there_is_refused(callables: TwoCallables) -> None:
    with pytest.raises(ValueError, match="no page 77h"):
        callables.read(0, 0x77, 128, 1)


@pytest.mark.parametrize(("byte", "length"), [(-1, 1), (0, 0), (120, 9), (250, 7), (256, 1)])
def test_what_is_not_within_one_half_is_refused(callables: TwoCallables, byte: int, length: int) -> None:
    with pytest.raises(ValueError, match="one half"):
        callables.read(0, 0, byte, length)


def test_a_module_that_never_answers_is_told_of(served: ServedModule, callables: TwoCallables) -> None:
    served.module.set_selected(asserted=False)
    with pytest.raises(TimeoutError, match="supply"):
        callables.read(0, 0, 0, 1)


@pytest.mark.parametrize(
    ("serial", "steps", "following"),
    [
        ("LW26000001", 0, "LW26000001"),
        ("LW26000001", 63, "LW26000064"),
        ("LW99", 1, "LW100"),
        ("NONE", 2, "NONE2"),
        ("", 5, "5"),
        ("ABCDEFGHIJKLMNOP", 7, "ABCDEFGHIJKLMNO7"),
        ("ABCDEFGHIJKLMN99", 1, "ABCDEFGHIJKLM100"),
        ("9999999999999999", 1, "0000000000000000"),
    ],
)
def test_serial_numbers_are_counted_on_within_their_register(serial: str, steps: int, following: str) -> None:
    assert counted_on(serial, steps) == following
