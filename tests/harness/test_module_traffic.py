"""What the module under test is made to send, and that equal wishes cost nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.clock import StopFlag
from drivers.cmis.bringup import bring_up
from drivers.cmis.errors import CmisError
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from harness.bench import Bench
from harness.bench_file.reading import find_bench_file, load_bench, with_simulation
from harness.judging.measured import NotOffered
from harness.opening import open_bench
from harness.traffic import TRAFFIC, ModuleTraffic


def lit(profile: str) -> tuple[Bench, CmisModule]:
    bench = open_bench(with_simulation(load_bench(find_bench_file("sim-dr4")), module=profile), StopFlag())
    bench.connect()
    bench.power_supply.configure_output(1, current_limit_a=5.0, overvoltage_v=3.8, remote_sense=True)
    bench.power_supply.set_voltage_v(1, 3.3)
    bench.power_supply.set_output(1, on=True)
    powered_at_s = bench.clock.now_s()
    module = CmisModule(bench.host_board.memory, bench.clock)
    result = bring_up(
        module,
        bench.host_board.pins,
        bench.clock,
        media_interface="400GBASE-DR4",
        vcc_applied_at_s=powered_at_s,
    )
    assert result.ok
    return bench, module


@pytest.fixture(scope="module")
def good() -> Iterator[tuple[Bench, CmisModule]]:
    bench, module = lit("good-dr4")
    yield bench, module
    bench.close()


def test_a_pattern_stands_until_something_else_is_wanted(good):
    bench, module = good
    traffic = ModuleTraffic(module)
    assert traffic.standing == TRAFFIC
    assert traffic.require("SSPRQ") is None
    assert module.get("MediaSideGeneratorEnable")[:4] == (True,) * 4
    before = bench.bus_transactions()
    assert traffic.require("SSPRQ") is None
    assert bench.bus_transactions() == before
    assert traffic.require("PRBS13Q") is None
    assert traffic.standing == "PRBS13Q"
    assert traffic.require(TRAFFIC) is None
    assert not any(module.get("MediaSideGeneratorEnable"))


def test_what_the_module_cannot_send_changes_nothing(good):
    _, module = good
    traffic = ModuleTraffic(module)
    traffic.require("PRBS31Q")
    answer = traffic.require("SQUARE8")
    assert isinstance(answer, NotOffered)
    assert "does not send SQUARE8" in answer.reason
    assert "PRBS31Q" in answer.reason
    assert traffic.standing == "PRBS31Q"
    traffic.restore()


def test_a_pattern_that_was_begun_and_failed_is_not_taken_for_traffic(good, monkeypatch):
    _, module = good
    traffic = ModuleTraffic(module)
    assert traffic.require("PRBS13Q") is None
    traffic.restore()
    with monkeypatch.context() as failing:

        def start(prbs: ModulePrbs, *given: object, **named: object) -> None:
            started(prbs, *given, **named)
            raise CmisError("the module does not answer any more")

        started = ModulePrbs.start_pattern
        failing.setattr(ModulePrbs, "start_pattern", start)
        with pytest.raises(CmisError):
            traffic.require("SSPRQ")
    assert any(module.get("MediaSideGeneratorEnable"))
    assert traffic.standing not in {TRAFFIC, "SSPRQ"}
    assert traffic.require(TRAFFIC) is None
    assert not any(module.get("MediaSideGeneratorEnable"))
    assert traffic.standing == TRAFFIC


def test_a_restoring_that_failed_is_tried_again_and_no_pattern_is_taken_for_granted(good, monkeypatch):
    _, module = good
    traffic = ModuleTraffic(module)
    assert traffic.require("SSPRQ") is None
    with monkeypatch.context() as failing:

        def refuse(*_: object, **__: object) -> None:
            raise CmisError("the module does not answer any more")

        failing.setattr(ModulePrbs, "restore", refuse)
        with pytest.raises(CmisError):
            traffic.require(TRAFFIC)
    assert traffic.standing not in {TRAFFIC, "SSPRQ"}
    assert traffic.require(TRAFFIC) is None
    assert not any(module.get("MediaSideGeneratorEnable"))
