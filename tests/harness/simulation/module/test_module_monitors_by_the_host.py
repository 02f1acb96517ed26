"""The host's monitors, VDM and flags against the simulated module, over its bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivers.cmis import flags, vdm
from drivers.cmis.module import CmisModule
from drivers.cmis.monitors import read_module_monitors

if TYPE_CHECKING:
    from conftest import ModuleBench


@pytest.fixture
def active(bench: ModuleBench) -> CmisModule:
    bench.activate()
    bench.world.advance(3.0)
    return CmisModule(bench.host.memory, bench.clock)


def test_monitors(active: CmisModule) -> None:
    found = {monitor.key: monitor for monitor in read_module_monitors(active.registers)}
    assert found["temperature"].state == "ok"
    assert found["vcc"].value == pytest.approx(3.3, abs=0.1)


def test_vdm_is_read_with_limits_and_statistics_are_frozen_and_let_go(active: CmisModule) -> None:
    offered = vdm.support(active.registers)
    assert offered.supported, offered.reason
    readings = vdm.read_vdm(active.registers)
    assert readings
    assert all(reading.thresholds is not None for reading in readings)
    snapshot = vdm.read_statistics(active)
    assert snapshot.freeze.frozen, snapshot.freeze.reason
    assert snapshot.freeze.in_time
    assert active.get("VDMFreezeRequest") == 0
    assert active.get("VDMUnfreezeDone") == 1
    value = {
        (item.instance.observable.kind, item.instance.lane): item.value
        for item in snapshot.readings
        if item.instance.observable.key.startswith("prefec_ber")
    }
    lanes = {lane for _, lane in value}
    assert lanes
    for lane in lanes:
        low, mean, high = (value.get((kind, lane)) for kind in ("minimum", "average", "maximum"))
        assert low is not None
        assert mean is not None
        assert high is not None
        assert low <= mean <= high


def test_a_second_freeze_shows_a_new_interval(active: CmisModule, bench: ModuleBench) -> None:
    vdm.read_statistics(active)
    bench.world.advance(3.0)
    again = vdm.read_statistics(active)
    assert again.freeze.frozen
    assert again.freeze.notes == ()


def test_flags_and_interrupt(active: CmisModule, bench: ModuleBench) -> None:
    flags.read_flags(active.registers, everything=True)
    quiet = flags.interrupt(active.registers, bench.host.pins)
    assert quiet.agree
    bench.surroundings.rx_w = [0.0] * 4
    bench.world.advance(1.0)
    raised = flags.interrupt(active.registers, bench.host.pins)
    assert raised.by_register
    assert raised.agree
    report = flags.read_flags(active.registers, applications=active.applications())
    los = next(flag for flag in report.raised if flag.name == "LOSFlagRx")
    assert los.lanes == (1, 2, 3, 4)
    assert los.meaningful is True
    assert "lanes" in report.read
    flags.set_mask(active, "LOSFlagRx", True)
    assert flags.get_masks(active.registers)["LOSFlagRx"] == tuple(range(1, 9))
