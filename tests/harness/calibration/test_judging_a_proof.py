"""What light at the ports of a meter says of wiring, losses and instruments: numbers in, causes out."""

from __future__ import annotations

import pytest

from harness.calibration.checks import Check, Outcome, all_passed, check_lines
from harness.calibration.lane_light import judge_walk
from harness.calibration.levels import Level
from harness.calibration.pad_step import judge_step
from harness.calibration.two_instruments import judge_two
from harness.calibration.two_ways import SeenBy, judge_ways, own_uncertainty_db
from harness.wiring import Fibre, InsertionLoss, OpticalPath, Wiring, parse_port

LANES = (1, 2, 3, 4)


def way(lane: int, port: int, loss_db: float = 1.7) -> OpticalPath:
    hops = (
        f"module.tx{lane}",
        f"optical_switch.{lane}",
        f"optical_switch.{16 + port}",
        f"power_meter.{port}",
    )
    return OpticalPath(
        parse_port(hops[0]), parse_port(hops[-1]), hops, loss_db, 0.15, (("optical_switch", lane, 16 + port),)
    )


PATHS = {lane: way(lane, lane) for lane in LANES}
OFF = {port: Level((1e-12,) * 4) for port in range(1, 9)}


def walk(**arrives):
    """Judge a walk; ``lane2={3: 1e-3}``: what lane 2 lights where. Other lanes are at their own ports."""
    lit = {}
    for lane in LANES:
        seen = arrives.get(f"lane{lane}", {lane: 1e-3})
        lit[lane] = {port: Level((OFF[port].mean_w + seen.get(port, 0.0),) * 4) for port in OFF}
    return {check.subject: check for check in judge_walk(PATHS, OFF, lit)}


def test_each_lane_at_its_own_port_alone():
    assert {check.outcome for check in walk().values()} == {Outcome.PASSED}


@pytest.mark.parametrize(
    ("arrives", "wrong", "cause"),
    [
        ({"lane2": {3: 1e-3}, "lane3": {2: 1e-3}}, (2, 3), "module.tx2 with module.tx3"),
        ({f"lane{lane}": {5 - lane: 1e-3} for lane in LANES}, LANES, "reverse order"),
        ({f"lane{lane}": {} for lane in LANES}, LANES, "polarity"),
        ({"lane4": {}}, (4,), "follow module.tx4 > optical_switch.4"),
        ({"lane4": {7: 1e-3}}, (4,), "Fibres from module.tx4 are plugged elsewhere"),
        # A circle of three is no exchange of two.
        ({"lane1": {2: 1e-3}, "lane2": {3: 1e-3}, "lane3": {1: 1e-3}}, (1, 2, 3), "follow each"),
        ({"lane1": {1: 1e-3, 6: 1e-4}}, (1,), "several ports"),
    ],
)
def test_where_lanes_arrive_says_what_is_wrong(arrives, wrong, cause):
    checks = walk(**arrives)
    bad = [subject for subject, check in checks.items() if check.outcome is Outcome.FAILED]
    assert bad == [f"module.tx{lane}" for lane in wrong]
    assert all(cause in checks[subject].advice for subject in bad)


def test_a_hundredth_at_another_port_is_where_crosstalk_begins():
    assert walk(lane1={1: 1e-3, 6: 0.99e-5})["module.tx1"].outcome is Outcome.PASSED
    assert walk(lane1={1: 1e-3, 6: 1.01e-5})["module.tx1"].outcome is Outcome.FAILED


def test_what_the_dark_lanes_leave_is_no_light_of_the_lane_that_is_lit():
    # Transmitters that are off may each leave -15 dBm: the rise counts, not the level.
    off = {port: Level((3e-5,) * 4) for port in range(1, 9)}
    lit = {
        lane: {port: Level((3e-5 + (1e-3 if port == lane else 0.0),) * 4) for port in off} for lane in LANES
    }
    assert {check.outcome for check in judge_walk(PATHS, off, lit)} == {Outcome.PASSED}


def ways(*launched_dbm: float) -> list[SeenBy]:
    return [SeenBy(way(1, port), level, 0.16) for port, level in enumerate(launched_dbm, start=1)]


def test_ways_that_agree_within_their_uncertainties():
    # 1.5 times the root of the sum of squares of 0.16 dB and 0.16 dB is 0.34 dB.
    assert judge_ways("module.tx1", ways(1.0, 1.0, 1.0, 1.33), 0.0).outcome is Outcome.PASSED
    assert judge_ways("module.tx1", ways(1.0, 1.0, 1.0, 1.35), 0.0).outcome is Outcome.FAILED


def test_the_way_that_is_off_is_named_and_no_other():
    check = judge_ways("module.tx1", ways(1.0, 1.05, 0.95, -0.5), 0.01)
    assert check.found.startswith("by power_meter.4 it is -1.50 dB off")
    assert "power_meter.1 " not in check.found
    assert "clean each end of optical_switch.1 > optical_switch.20 > power_meter.4" in check.advice


def test_of_two_ways_that_differ_both_are_named():
    found = judge_ways("module.tx1", ways(1.0, -0.5), 0.0).found
    assert "power_meter.1 it is +1.50 dB" in found
    assert "power_meter.2 it is -1.50 dB" in found


def test_light_that_moves_tells_nothing():
    check = judge_ways("module.tx1", ways(1.0, 1.0), 0.11)
    assert check.outcome is Outcome.FAILED
    assert "warm up" in check.advice


def test_what_all_ways_of_a_lane_share_is_not_counted():
    fibres = [
        Fibre(parse_port("module.tx1"), parse_port("optical_switch.1"), 0.4, 0.10),
        Fibre(parse_port("optical_switch.17"), parse_port("power_meter.1"), 0.25, 0.06),
    ]
    wiring = Wiring(fibres, {"optical_switch": InsertionLoss(1.0, 0.08)})
    (path,) = wiring.paths(parse_port("module.tx1"), "power_meter")
    # 0.06, 0.08 and the meter's 0.24 dB, without the first fibre's 0.10 dB: 0.26 dB.
    assert own_uncertainty_db(wiring, path, 0.24) == pytest.approx(0.26)


@pytest.mark.parametrize(
    ("after_w", "shut_w", "cause"),
    [
        (0.501e-3, 1e-12, ""),
        (2e-3, 1e-12, "wrong sign"),
        (1e-3, 1e-12, "Nothing changed"),
        (0.4e-3, 1e-12, "clean the connectors"),
        (0.501e-3, 1e-5, "shutter leaks"),
        (0.0, 1e-12, "stays closed"),
    ],
)
def test_a_step_of_3_db(after_w, shut_w, cause):
    check = judge_step("attenuator.1", way(1, 1), 1e-3, after_w, shut_w, tolerance_db=0.2)
    assert (check.outcome is Outcome.PASSED) is (cause == "")
    assert cause in check.advice


def test_a_step_in_the_dark_is_none():
    check = judge_step("attenuator.1", way(1, 1), 1e-9, 0.5e-9, 0.0, tolerance_db=0.2)
    assert check.outcome is Outcome.FAILED
    assert "no light" in check.found


@pytest.mark.parametrize(
    ("scope_w", "outcome"),
    [(1e-3, Outcome.PASSED), (0.8e-3, Outcome.FAILED), (1.25e-3, Outcome.FAILED), (None, Outcome.FAILED)],
)
def test_the_oscilloscope_against_the_meter(scope_w, outcome):
    # 0.8 is -0.97 dB, 1.25 is +0.97 dB.
    assert judge_two(way(1, 1), way(1, 2), 1e-3, scope_w, 0.9, "no lock").outcome is outcome


def test_stated_losses_count_between_the_two():
    check = judge_two(way(1, 1, 1.0), way(1, 2, 4.0), 1e-3, 0.501e-3, 0.1)
    assert check.outcome is Outcome.PASSED


def test_a_required_step_that_was_not_done_proves_nothing():
    done = Check("dark", "power_meter.1", Outcome.PASSED, "dark")
    not_done = Check("losses", "module.tx1", Outcome.NOT_DONE, "one way", "calibrate")
    assert all_passed([done, not_done], ["dark"])
    assert not all_passed([done, not_done], ["dark", "losses"])
    assert not all_passed([done, Check("walk", "x", Outcome.FAILED, "wrong", "do")], ["dark"])


def test_every_line_that_did_not_pass_says_what_to_do():
    text = check_lines([Check("losses", "module.tx1", Outcome.NOT_DONE, "one way", "Calibrate it.")])
    assert "NOT DONE losses module.tx1: one way\n  -> Calibrate it." in text
