"""Every key of physics at its ends, one by one and several at once: a module lives, dark and blind maybe, and
nothing that it is asked for is an error or no number."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from harness.simulation.light.beam import Beam
from harness.simulation.light.reception import receive
from harness.simulation.module.lanes.receiver import draw_receivers
from harness.simulation.module.lanes.transmitters import Transmitters
from harness.simulation.module.monitoring.monitors import draw_calibration
from harness.simulation.module.profile import Profile, load_profile
from harness.simulation.module.specimen import draws_of
from harness.simulation.signals import TRAFFIC
from harness.simulation.world import World

if TYPE_CHECKING:
    from conftest import ModuleBench

SECTIONS = ("transmitter", "receiver", "power", "monitors")
GOOD = load_profile("good-dr4")
Change = Mapping[str, Mapping[str, Any]]


def ends() -> Iterator[tuple[str, str, Any]]:
    """Section, key and value: the lowest and the highest of every number."""
    for section in SECTIONS:
        of_section = getattr(GOOD, section)
        for item in dataclasses.fields(of_section):
            rules = item.metadata
            if "low" not in rules or item.name == "laser_of_lane":
                continue
            whole = isinstance(getattr(of_section, item.name), int)
            for end in (rules["low"], rules["high"]):
                value = end if whole else float(end)
                yield section, item.name, (value,) * 4 if "length" in rules else value


ENDS = tuple(ends())
FURNACES: tuple[Change, ...] = tuple(
    {"transmitter": {"thermal_resistance_k_per_w": 5000.0, **keys}}
    for keys in (
        {"t0_k": (1.0,) * 4},
        {"t1_k": 1.0},
        {"bias_limit_ma": 1000.0, "series_resistance_ohm": 100.0},
        {"t0_k": (1.0,) * 4, "t1_k": 1.0, "age_hours": 1e6, "age_junction_c": 150.0, "junction_rise_c": 60.0},
    )
)


def some_at_once(count: int) -> Iterator[Change]:
    """Up to ten keys at one of their ends."""
    chosen = random.Random(7)
    for _ in range(count):
        change: dict[str, dict[str, Any]] = {}
        for section, key, value in chosen.sample(ENDS, chosen.randint(2, 10)):
            change.setdefault(section, {})[key] = value
        yield change


def with_changes(change: Change) -> Profile:
    return dataclasses.replace(
        GOOD,
        **{section: dataclasses.replace(getattr(GOOD, section), **keys) for section, keys in change.items()},
    )


def numbers_of(profile: Profile) -> Iterator[float]:
    """What a module's light, monitors and receivers are at three temperatures."""
    draws = draws_of(profile, 0)
    transmitters = Transmitters(World(1), profile, draws, name="module")
    calibration = draw_calibration(profile.monitors, 4, draws)
    yield from (*calibration.tx_factors, *calibration.rx_factors, calibration.vcc_factor)
    receivers = draw_receivers(profile.receiver, 4, draws)
    for case_c in (-40.0, 25.0, 150.0):
        yield transmitters.junction_c(case_c)
        yield transmitters.bias_a(1, case_c)
        yield transmitters.monitor_power_w(1, case_c)
        transmitters.failed(1, case_c)
        light = Beam(
            "tx1",
            transmitters.launch_power_w(1, case_c, 3.3),
            transmitters.wavelength_nm(1, case_c),
            TRAFFIC,
            transmitters.modulation(1, case_c, 3.3),
        )
        yield from (light.power_w, light.wavelength_nm, *light.modulation.levels)
        if case_c == 25.0:
            yield receive((light,), receivers[0].parameters).ber


@pytest.mark.parametrize("change", FURNACES)
def test_a_furnace_of_a_laser_gives_numbers(change: Change) -> None:
    assert all(map(math.isfinite, numbers_of(with_changes(change))))


def test_each_key_at_its_ends_gives_numbers() -> None:
    for section, key, value in ENDS:
        profile = with_changes({section: {key: value}})
        assert all(map(math.isfinite, numbers_of(profile))), f"{section}.{key} = {value}"


def test_several_keys_at_their_ends_give_numbers() -> None:
    for change in some_at_once(250):
        assert all(map(math.isfinite, numbers_of(with_changes(change)))), change


@pytest.mark.parametrize("change", [FURNACES[0], FURNACES[2], *some_at_once(4)])
def test_a_module_at_its_ends_comes_up_and_shows_its_monitors(
    change: Change, make_bench: Callable[..., ModuleBench]
) -> None:
    bench: ModuleBench = make_bench(with_changes(change))
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    for case_c in (25.0, -40.0, 75.0):
        bench.surroundings.case_c = case_c
        bench.world.advance(5.0)
        assert bench.module.consumption_w() >= 0.0
        assert all(bench.module.launch_power_w(lane) >= 0.0 for lane in (1, 2, 3, 4))
        assert len(bench.get(0, 0x11, 154, 48)) == 48
