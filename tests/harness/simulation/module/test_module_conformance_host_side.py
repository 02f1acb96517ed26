"""The host's side of a module: loss of its signal, automatic squelch, polarity, disabled outputs
(OIF-CMIS-05.4 §8.9, Table 10-4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from harness.simulation.module.profile import Profile
from harness.simulation.signals import TRAFFIC, UNKNOWN, LineSignal, Pattern

if TYPE_CHECKING:
    from conftest import ModuleBench

PRBS31Q = LineSignal((Pattern(0),))
EVERYTHING = {
    "los_tx": True,
    "auto_squelch_disable_tx": True,
    "auto_squelch_disable_rx": True,
    "polarity_flip_tx": True,
    "polarity_flip_rx": True,
}
SQUELCH_S = 0.1
"""Tx squelch on and off (Table 10-4); light comes back within toff_txdis."""


class Line:
    """What reaches the module."""

    def __init__(self) -> None:
        self.host: dict[int, LineSignal | None] = {}
        self.light: LineSignal | None = PRBS31Q

    def rx_signal(self, lane: int) -> LineSignal | None:
        return self.light

    def host_signal(self, host_lane: int) -> LineSignal | None:
        return self.host.get(host_lane, TRAFFIC)


@pytest.fixture
def lit(make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]) -> tuple[ModuleBench, Line]:
    """A module with all controls of the host's side, in operation."""
    line = Line()
    bench = make_bench(
        changed(host_side=EVERYTHING, signal_integrity={"cdr_tx": True, "cdr_tx_bypass": True}), line=line
    )
    bench.activate()
    bench.world.advance(0.2)
    return bench, line


def on(bench: ModuleBench) -> list[bool]:
    return [bench.module.launch_power_w(lane) > 0.5e-3 for lane in range(1, 5)]


def test_a_silent_host_lane_is_flagged_and_its_transmitter_squelched(lit: tuple[ModuleBench, Line]) -> None:
    bench, line = lit
    bench.read("LOSFlagTx")
    line.host[3] = None  # one of the two that feed media lane 2
    bench.run_until(lambda: on(bench) == [True, False, True, True], limit_s=SQUELCH_S)
    assert bench.read("LOSFlagTx") == (False, False, True) + (False,) * 5
    assert bench.read("CDRLOLFlagTx") == (False, False, True) + (False,) * 5
    assert bench.read("OutputStatusTx") == (True, False, True, True) + (False,) * 4
    assert bench.read("DPStateHostLane") == (4,) * 8  # a squelch is no reason to leave DPActivated
    line.host[3] = TRAFFIC
    bench.run_until(lambda: on(bench) == [True] * 4, limit_s=SQUELCH_S + 0.4)
    bench.read("LOSFlagTx")
    assert bench.read("LOSFlagTx") == (False,) * 8


def test_squelch_can_be_forbidden(lit: tuple[ModuleBench, Line]) -> None:
    bench, line = lit
    bench.write("AutoSquelchDisableTx", 0b0010)
    line.host[3] = line.host[5] = None
    bench.world.advance(0.3)
    assert on(bench) == [True, True, False, True]
    bench.write("AutoSquelchDisableTx", 0b0100)
    bench.world.advance(0.6)
    assert on(bench) == [True, False, True, True]


def test_a_generator_needs_no_host(lit: tuple[ModuleBench, Line]) -> None:
    bench, line = lit
    bench.write("MediaSideGeneratorEnable", 0b0001)
    line.host[1] = line.host[7] = None
    bench.world.advance(0.3)
    assert on(bench) == [True, True, True, False]


def test_a_module_without_detection_takes_any_host_for_one_that_sends(
    make_bench: Callable[..., ModuleBench],
) -> None:
    line = Line()
    line.host = dict.fromkeys(range(1, 9))
    bench = make_bench(line=line)
    bench.activate()
    assert on(bench) == [True] * 4
    assert bench.read("LOSFlagTxSupported") == 0
    assert bench.read("LOSFlagTx") == (False,) * 8


def test_a_data_path_that_is_not_in_use_misses_no_host(lit: tuple[ModuleBench, Line]) -> None:
    bench, line = lit
    bench.write("DPDeinit", 0xFF)
    bench.world.advance(1.0)
    bench.read("LOSFlagTx")
    line.host[1] = None
    bench.world.advance(0.3)
    assert bench.read("LOSFlagTx") == (False,) * 8


def test_polarity_towards_the_fibre(lit: tuple[ModuleBench, Line]) -> None:
    bench, line = lit
    line.host[1] = line.host[2] = PRBS31Q
    bench.write("InputPolarityFlipTx", 0b0010)
    sent = bench.module.transmitted_signal(1)
    assert sent is not None
    assert sent.streams == (Pattern(0), Pattern(0, inverted=True))
    traffic = bench.module.transmitted_signal(2)
    assert traffic is not None
    assert traffic.is_traffic


def test_polarity_towards_the_host(lit: tuple[ModuleBench, Line]) -> None:
    bench, line = lit
    line.light = LineSignal((Pattern(0), Pattern(0, inverted=True)))
    bench.write("OutputPolarityFlipRx", 0b0001)
    streams = [bench.module.host_output_signal(lane) for lane in (1, 2, 3, 4)]
    assert [signal.streams for signal in streams if signal is not None] == [
        (Pattern(0, inverted=True),),
        (Pattern(0, inverted=True),),
        (Pattern(0),),
        (Pattern(0, inverted=True),),
    ]


def test_an_output_that_is_disabled_is_silent_and_not_valid(lit: tuple[ModuleBench, Line]) -> None:
    bench, _ = lit
    bench.read("OutputStatusChangedFlagRx")
    bench.write("OutputDisableRx", 0b0000_1000)
    assert [bench.module.host_output_signal(lane) is None for lane in range(1, 9)] == [
        lane == 4 for lane in range(1, 9)
    ]
    assert bench.read("OutputStatusRx") == tuple(lane != 4 for lane in range(1, 9))
    assert bench.read("OutputStatusChangedFlagRx") == tuple(lane == 4 for lane in range(1, 9))
    assert bench.read("DPStateHostLane") == (4,) * 8


def test_without_light_an_output_is_squelched_unless_that_is_forbidden(
    lit: tuple[ModuleBench, Line],
) -> None:
    bench, line = lit
    bench.surroundings.rx_w[0] = 0.0
    line.light = None
    bench.world.advance(0.2)
    assert bench.module.host_output_signal(1) is None
    bench.write("AutoSquelchDisableRx", 0b0001)
    noise = bench.module.host_output_signal(1)
    assert noise is not None
    assert noise.streams == (UNKNOWN,)
    assert bench.module.host_output_signal(2) is None
    assert bench.read("OutputStatusRx")[0] is False  # type: ignore[index]


def test_controls_that_are_not_advertised_keep_nothing(bench: ModuleBench) -> None:
    bench.power_on()
    for name in (
        "InputPolarityFlipTx",
        "OutputPolarityFlipRx",
        "AutoSquelchDisableTx",
        "AutoSquelchDisableRx",
    ):
        bench.write(name, 0xFF)
        assert bench.read(name) == (False,) * 8
        assert bench.read(f"{name}Supported") == 0
