"""The module's own PRBS as a BERT, through the bus of a simulated module: no knowledge of its inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from drivers.cmis.diagnostics import Diagnostics, Side, Unit
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from harness.simulation.module.profile import load_profile

MEDIA_BITS_PER_S = 2 * 53.125e9


@pytest.fixture
def make_module(make_bench: Callable[..., Any]) -> Callable[..., CmisModule]:
    def make(**differences: object) -> CmisModule:
        profile = load_profile("good-dr4")
        diagnostics = dataclasses.replace(profile.diagnostics, **differences)  # type: ignore[arg-type]
        bench = make_bench(dataclasses.replace(profile, diagnostics=diagnostics))
        bench.activate()
        return CmisModule(bench.host.memory, bench.clock)

    return make


@pytest.mark.parametrize("slow_selector_s", [0.0, 0.095])
@pytest.mark.parametrize("gated", [False, True])
def test_errors_are_counted_in_a_loopback(
    make_module: Callable[..., CmisModule], slow_selector_s: float, gated: bool
) -> None:
    module = make_module(slow_selector_s=slow_selector_s)
    with ModulePrbs(module, side=Side.MEDIA, loopback=True, gated=gated) as bert:
        bert.start_pattern("PRBS31Q")
        found = bert.measure_errors(bert.lanes, 5.0)
    assert [lane.lane for lane in found] == [1, 2, 3, 4]
    for lane in found:
        assert lane.locked
        assert lane.bits == pytest.approx(5.0 * MEDIA_BITS_PER_S, rel=0.05)
    assert Diagnostics(module).running(Side.MEDIA, Unit.CHECKER) == ()


def test_a_checker_that_nobody_sends_its_pattern_to_is_not_locked(
    make_module: Callable[..., CmisModule],
) -> None:
    with ModulePrbs(make_module(), side=Side.MEDIA) as bert:
        bert.start_pattern("PRBS31Q", generate=False)
        found = bert.measure_errors((1, 3), 1.0)
    assert [(lane.locked, lane.ber) for lane in found] == [(False, None), (False, None)]
