"""Each lane's light must be seen to arrive at the lane's port before any power is laid to the lane."""

from __future__ import annotations

import itertools

import pytest

from drivers.errors import BenchError, OverloadError
from harness.acquisitions.lane_walk import LaneProof, walk_lanes
from harness.run_folder.records import Acquisition, Skipped
from harness.wiring import Wiring

LANES = (1, 2, 3, 4)


def walks(small_run):
    return [r for r in small_run.records if isinstance(r, Acquisition) and r.name == "lane_walk"]


def test_lanes_that_darken_their_own_ports_are_proven(small_run):
    walk = walk_lanes(small_run.run, LANES)
    assert (walk.proven, walk.remarks, walk.fault) == (LANES, (), None)
    assert small_run.module.disabled == ()


def test_the_record_holds_every_port_at_every_step(small_run):
    small_run.meter.dark_w = {lane: [1e-7] for lane in LANES}
    record = walk_lanes(small_run.run, LANES).record
    assert small_run.records[-1] == record
    assert record.data["disabled"] == [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]
    for place, lane in enumerate(LANES, start=1):
        assert record.data["meter_w"][str(lane)] == [1e-3] * place + [1e-7] * (5 - place)
        assert record.data["port"][str(lane)] == f"power_meter.{lane}"
        assert record.data["darkened"][str(lane)] == [lane]
    assert record.data["remarks"] == []


def test_all_ports_are_read_at_once_and_once_at_each_step(small_run):
    walk_lanes(small_run.run, LANES)
    assert small_run.meter.asked == [(1, 2, 3, 4)] * 5


def test_each_reading_is_newer_than_what_it_proves(small_run):
    read_at_s = []
    read = small_run.meter.read_powers_w

    def noted(channels):
        read_at_s.append(small_run.clock.now_s())
        return read(channels)

    small_run.meter.read_powers_w = noted
    walk_lanes(small_run.run, LANES)
    told_at_s = [at_s for at_s, _ in small_run.module.told[:4]]
    # 100 ms for the disable and the advertised 200 ms
    for told_s, read_s in zip(told_at_s, read_at_s[1:], strict=True):
        assert read_s - told_s >= 0.3 - 1e-9


@pytest.mark.parametrize("order", [o for o in itertools.permutations(LANES) if o != LANES])
def test_any_exchange_of_lanes_is_the_benchs_fault_and_names_the_lanes(small_run, order):
    small_run.meter.lane_at = dict(zip(LANES, order, strict=True))
    fault = walk_lanes(small_run.run, LANES).fault
    assert isinstance(fault, BenchError)
    for port, lane in small_run.meter.lane_at.items():
        said = f"lane {lane} arrives at power_meter.{port} (port of lane {port})"
        assert (said in str(fault)) == (lane != port)
    assert "cassette" in str(fault)
    assert "sim-dr4.toml" in str(fault)
    assert len(str(fault)) <= 360  # a terminal's line shows 400, and files have longer names


def test_an_exchange_shows_although_a_lane_is_weak_or_dead(small_run):
    small_run.meter.lane_at = {1: 1, 2: 2, 3: 4, 4: 3}
    small_run.meter.lit_w[4] = [w * 1e-9 for w in [1e-3]]  # lane 3 launches nothing
    fault = walk_lanes(small_run.run, LANES).fault
    assert "lane 4 arrives at power_meter.3" in str(fault)


def test_a_lane_that_is_dark_from_the_start_is_no_matter_of_the_walk(small_run):
    small_run.meter.lit_w[2] = [0.0]
    walk = walk_lanes(small_run.run, LANES)
    assert (walk.proven, walk.remarks, walk.fault) == ((1, 3, 4), (), None)


def test_leakage_from_a_neighbour_is_no_exchange(small_run):
    # What is left at port 1 comes from lane 2, 50 dB down, and goes with it.
    small_run.meter.dark_w[1] = [1e-8, 1e-8, 1e-12, 1e-12, 1e-12]
    assert walk_lanes(small_run.run, LANES).proven == LANES


def test_a_disable_without_effect_is_left_to_the_modules_off_power(small_run):
    small_run.module.deaf = {2}
    walk = walk_lanes(small_run.run, LANES)
    assert walk.fault is None
    assert walk.proven == (1, 3, 4)
    (remark,) = walk.remarks
    assert "OutputDisableTx of lane 2 darkens no port" in remark
    assert walk.record.data["tx_power_monitor_w"] == {"2": 0.001}


def test_a_port_that_stays_lit_while_the_module_says_dark_is_the_benchs(small_run):
    small_run.module.deaf = {2}
    small_run.module.monitor_w[2] = 0.0
    fault = walk_lanes(small_run.run, LANES).fault
    assert "power_meter.2 stays lit" in str(fault)
    assert "lane 2 is dark" in str(fault)
    assert "another source" in str(fault)


def test_lanes_that_go_dark_together_are_not_proven_and_no_exchange(small_run):
    small_run.module.joined = {1, 2}
    walk = walk_lanes(small_run.run, LANES)
    assert (walk.proven, walk.fault) == ((3, 4), None)
    assert "OutputDisableTx of lane 1 darkens power_meter.1, power_meter.2 together" in walk.remarks


# -- once in a run --------------------------------------------------------------------------------------


def test_a_run_is_walked_once(small_run):
    proof = LaneProof(small_run.run, LANES)
    for _ in range(3):
        proof.require()
    assert len(walks(small_run)) == 1


def test_a_fault_stands_until_the_run_ends(small_run):
    small_run.meter.lane_at = {1: 1, 2: 2, 3: 4, 4: 3}
    proof = LaneProof(small_run.run, LANES)
    for _ in range(3):
        with pytest.raises(BenchError, match="lane 3 arrives at"):
            proof.require()
    assert len(walks(small_run)) == 1


def test_it_waits_for_light(small_run):
    lit, small_run.meter.lit_w = small_run.meter.lit_w, {lane: [0.0] for lane in LANES}
    proof = LaneProof(small_run.run, LANES)
    proof.require()
    assert not walks(small_run)
    assert not small_run.module.told
    small_run.meter.lit_w = lit
    proof.require()
    assert len(walks(small_run)) == 1


def test_a_meter_that_fails_proves_nothing_and_is_asked_again(small_run):
    small_run.meter.fault = OverloadError("power_meter", "overloaded")
    proof = LaneProof(small_run.run, LANES)
    with pytest.raises(OverloadError):
        proof.require()
    small_run.meter.fault = None
    proof.require()
    assert len(walks(small_run)) == 1
    assert len(small_run.meter.configured) == 2


def skipped(small_run):
    return [record.reason for record in small_run.records if isinstance(record, Skipped)]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("OutputDisableTxSupported", 0, "OutputDisableTx"), ("TxDisableIsModuleWide", 1, "only all together")],
)
def test_a_module_that_cannot_be_walked_is_skipped_with_the_reason(small_run, field, value, said):
    small_run.module.advertised[field] = value
    proof = LaneProof(small_run.run, LANES)
    proof.require()
    proof.require()
    (reason,) = skipped(small_run)
    assert said in reason
    assert not small_run.module.told


def test_a_lane_without_a_way_is_skipped_with_the_reason(small_run):
    wiring = small_run.bench.spec.wiring
    fibres = [piece for piece in wiring.fibres if piece.start.port not in {"tx2", "tx4"}]
    small_run.wire(wiring=Wiring(fibres, wiring.passes))
    LaneProof(small_run.run, LANES).require()
    (reason,) = skipped(small_run)
    assert "lanes 2, 4: the bench has no way" in reason


def test_a_module_whose_light_does_not_come_back_is_for_its_measurements_to_fail(small_run):
    small_run.module.late = 10**6
    LaneProof(small_run.run, LANES).require()
    (reason,) = skipped(small_run)
    assert "host lanes 3: data path is DPTxTurnOn" in reason
