"""Launch power at TP2: the path's loss added, the budget as by hand, and no light reported as no light."""

from __future__ import annotations

import math
import statistics

import pytest

from drivers.cmis.errors import CmisError
from drivers.errors import BenchError, OverloadError
from harness.acquisitions.launch_power import launch_power, launch_power_off, transmitters_disabled
from harness.judging.measured import NotOffered
from harness.run_folder.records import Acquisition
from harness.wiring import Wiring, WiringError

LANES = (1, 2, 3, 4)
LOSS_DB = {1: 1.67, 2: 1.60, 3: 1.73, 4: 1.64}
# One path: fibre 0.10, matrix 0.08, fibre 0.06 dB, each k = 2.
PATH_U_DB = math.sqrt(0.10**2 + 0.08**2 + 0.06**2)
METER_U_DB = 0.12


def test_the_paths_loss_is_added_to_what_the_meter_reads(small_run):
    small_run.light_at_tp2(tx1=0.5, tx2=-1.0, tx3=3.9, tx4=-2.9)
    acquired = launch_power(small_run.run, LANES)
    values = [acquired.of("average_launch_power", lane).value for lane in LANES]
    assert values == pytest.approx([0.5, -1.0, 3.9, -2.9])
    one = acquired.of("average_launch_power", 1)
    assert (one.unit, one.plane, one.detector, one.lane) == ("dBm", "TP2", "power_meter", 1)
    assert one.conditions == {}
    assert one.acquisition_id == acquired.record.acquisition_id


def test_one_milliwatt_at_the_meter_is_the_loss_in_dbm(small_run):
    acquired = launch_power(small_run.run, LANES)
    for lane in LANES:
        assert acquired.of("average_launch_power", lane).value == pytest.approx(LOSS_DB[lane])


def test_steady_light_has_the_uncertainty_of_meter_and_path(small_run):
    acquired = launch_power(small_run.run, LANES)
    expected = math.sqrt(METER_U_DB**2 + PATH_U_DB**2)  # 0.1855 dB
    assert expected == pytest.approx(0.18547, abs=1e-5)
    for lane in LANES:
        assert acquired.of("average_launch_power", lane).uncertainty == pytest.approx(expected)


def test_readings_that_scatter_add_their_repeatability(small_run):
    readings_w = [0.98e-3, 1.00e-3, 1.01e-3, 1.01e-3]
    small_run.meter.lit_w[2] = readings_w
    acquired = launch_power(small_run.run, LANES)
    measured = acquired.of("average_launch_power", 2)
    # The mean is taken in watts, not in dBm.
    assert measured.value == pytest.approx(10.0 * math.log10(statistics.fmean(readings_w) / 1e-3) + 1.60)
    # Relative standard deviation of the mean of four, in dB: s = 0.01414 / 2 -> 0.0307 dB.
    repeatability_db = 10.0 / math.log(10.0) * statistics.stdev(readings_w) / 1e-3 / 2.0
    assert repeatability_db == pytest.approx(0.0307, abs=5e-4)
    # Student's t of three degrees of freedom at 95.45 % is 3.31 (GUM Table G.2), not 2.
    by_hand = math.sqrt(METER_U_DB**2 + PATH_U_DB**2 + (3.31 * repeatability_db) ** 2)
    assert measured.uncertainty == pytest.approx(by_hand, rel=1e-6)
    assert acquired.of("average_launch_power", 1).uncertainty < measured.uncertainty


def test_the_record_holds_what_was_read_and_every_contribution(small_run):
    small_run.meter.lit_w[1] = [1e-3, 2e-3, 3e-3, 4e-3]
    record = launch_power(small_run.run, LANES).record
    assert small_run.records[-1] == record
    assert isinstance(record, Acquisition)
    assert record.name == "launch_power"
    assert record.conditions == {"wavelength_nm": 1311.0, "averaging_s": 0.1, "readings": 4}
    assert record.data["meter_w"]["1"] == [1e-3, 2e-3, 3e-3, 4e-3]
    assert record.data["path_loss_db"] == {str(lane): pytest.approx(LOSS_DB[lane]) for lane in LANES}
    of_lane_1 = {entry["name"]: entry for entry in record.budget if entry["lane"] == 1}
    assert set(of_lane_1) == {"power meter", "path loss", "repeatability"}
    assert of_lane_1["power meter"]["standard"] == pytest.approx(0.06)
    assert of_lane_1["power meter"]["source"] == "SIM-PM-0001"
    assert of_lane_1["path loss"]["standard"] == pytest.approx(PATH_U_DB / 2)
    assert (
        "module.tx1 > optical_switch.1 > optical_switch.17 > power_meter.1"
        in of_lane_1["path loss"]["source"]
    )


def test_the_meter_is_set_up_once_and_read_for_all_lanes_at_once(small_run):
    launch_power(small_run.run, LANES)
    launch_power(small_run.run, LANES)
    assert small_run.meter.configured == [
        {"wavelength_nm": 1311.0, "averaging_s": 0.1, "channels": (1, 2, 3, 4)}
    ]
    assert small_run.meter.asked == [(1, 2, 3, 4)] * 8


def test_routes_that_stand_are_left_alone(small_run):
    small_run.switch.standing = {1: 17, 2: 18, 5: 30}
    launch_power(small_run.run, LANES)
    launch_power(small_run.run, LANES)
    assert small_run.switch.sent == [{3: 19, 4: 20}]
    assert small_run.switch.standing[5] == 30


def test_a_meter_that_fails_is_set_up_anew_the_next_time(small_run):
    small_run.meter.fault = OverloadError("power_meter", "port 1 is overloaded")
    with pytest.raises(OverloadError):
        launch_power(small_run.run, LANES)
    assert not [record for record in small_run.records if isinstance(record, Acquisition)]
    small_run.meter.fault = None
    launch_power(small_run.run, LANES)
    assert len(small_run.meter.configured) == 2


def test_a_lane_that_no_fibre_leads_from_is_the_benchs_fault(small_run):
    wiring = small_run.bench.spec.wiring
    fibres = [piece for piece in wiring.fibres if piece.start.port not in {"tx2", "tx4"}]
    small_run.wire(wiring=Wiring(fibres, wiring.passes))
    with pytest.raises(
        WiringError, match=r"sim-dr4\.toml: no way from module\.tx2, module\.tx4 to a port"
    ) as raised:
        launch_power(small_run.run, LANES)
    assert isinstance(raised.value, BenchError)


# -- the module's own monitor -------------------------------------------------------------------------


def test_the_monitors_error_is_monitor_less_meter(small_run):
    small_run.light_at_tp2(tx1=0.0, tx2=0.0, tx3=0.0, tx4=0.0)
    small_run.module.monitor_w = {1: 1e-3, 2: 2e-3, 3: 0.5e-3, 4: 1e-3}
    acquired = launch_power(small_run.run, LANES)
    errors = [acquired.of("tx_power_monitor_error", lane).value for lane in LANES]
    assert errors == pytest.approx([0.0, 3.0103, -3.0103, 0.0], abs=1e-4)
    two = acquired.of("tx_power_monitor_error", 2)
    assert two.unit == "dB"
    assert two.uncertainty == acquired.of("average_launch_power", 2).uncertainty


def test_a_module_without_that_monitor_does_not_offer_it(small_run):
    small_run.module.monitor_w[3] = None
    acquired = launch_power(small_run.run, LANES)
    offered = acquired.of("tx_power_monitor_error", 3)
    assert isinstance(offered, NotOffered)
    assert "page 01h byte 160" in offered.reason
    assert acquired.of("average_launch_power", 3).value == pytest.approx(LOSS_DB[3])


def test_monitors_are_read_a_refresh_after_the_light_was_there(small_run):
    launch_power(small_run.run, LANES)
    assert small_run.module.monitors_read_at_s[0] >= 1.0


# -- a dark lane --------------------------------------------------------------------------------------


@pytest.mark.parametrize("readings_w", [[0.0], [-2e-12], [1e-12, -1e-12, 2e-12, 0.0], [5e-12]])
def test_a_dark_lane_reads_as_the_meters_floor_and_says_so(small_run, readings_w):
    # Neither -200 dBm nor the noise's own mean is a measurement.
    small_run.meter.lit_w[2] = readings_w
    small_run.module.monitor_w[2] = 0.0
    acquired = launch_power(small_run.run, LANES)
    dark = acquired.of("average_launch_power", 2)
    assert dark.value == pytest.approx(-80.0 + 1.60)
    assert dark.conditions == {"at_meter_floor": True}
    assert dark.uncertainty == pytest.approx(math.sqrt(METER_U_DB**2 + PATH_U_DB**2))
    error = acquired.of("tx_power_monitor_error", 2)
    assert isinstance(error, NotOffered)
    assert "in operation" in error.reason
    assert acquired.of("average_launch_power", 1).conditions == {}


def all_dark(small_run):
    for lane in LANES:
        small_run.meter.lit_w[lane] = [0.0]


def test_one_dark_lane_that_the_module_says_is_lit_is_a_fault_of_its_fibres(small_run):
    small_run.meter.lit_w[2] = [0.0]
    acquired = launch_power(small_run.run, LANES)
    with pytest.raises(BenchError, match=r"lane 2: .* fibres of module\.tx2 to power_meter\.2"):
        acquired.of("average_launch_power", 2)
    assert acquired.of("average_launch_power", 1).value == pytest.approx(LOSS_DB[1])


def test_darkness_on_all_lanes_is_one_fault_that_names_what_they_share(small_run):
    all_dark(small_run)
    acquired = launch_power(small_run.run, LANES)
    said = set()
    for lane in LANES:
        for parameter in ("average_launch_power", "tx_power_monitor_error"):
            with pytest.raises(BenchError) as raised:
                acquired.of(parameter, lane)
            said.add(str(raised.value))
    (text,) = said
    assert "monitors show light on lanes 1, 2, 3, 4" in text
    for cause in ("MPO plug", "key", "polarity", "cable pulled"):
        assert cause in text
    assert "clean" not in text


def test_a_dead_lane_behind_a_cable_that_carries_nothing_is_not_the_modules_failure(small_run):
    all_dark(small_run)
    small_run.module.monitor_w[4] = 0.0  # here the module agrees, but no light could have arrived
    with pytest.raises(BenchError, match=r"light on lanes 1, 2, 3\. Look"):
        launch_power(small_run.run, LANES).of("average_launch_power", 4)


def test_a_module_that_says_itself_that_it_is_dark_is_judged(small_run):
    all_dark(small_run)
    small_run.module.monitor_w = dict.fromkeys(LANES, 0.0)
    acquired = launch_power(small_run.run, LANES)
    assert acquired.of("average_launch_power", 3).value == pytest.approx(-80.0 + LOSS_DB[3])


# -- transmitters off ---------------------------------------------------------------------------------


def test_off_power_is_read_with_the_transmitters_disabled(small_run):
    small_run.meter.dark_w = {lane: [1e-8] for lane in LANES}  # -50 dBm
    acquired = launch_power_off(small_run.run, LANES)
    for lane in LANES:
        off = acquired.of("average_launch_power_off", lane)
        assert off.value == pytest.approx(-50.0 + LOSS_DB[lane])
        assert off.conditions == {"transmitters": "disabled", "at_meter_floor": False}
    assert [lanes for _, lanes in small_run.module.told] == [LANES, ()]
    # Disable acts within 100 ms, and the data path may take its advertised time.
    assert acquired.record.data["meter_w"]["1"] == [1e-8] * 4
    assert acquired.record.conditions["transmitters"] == "disabled"


def test_off_power_on_a_path_that_showed_no_light_is_as_invalid_as_the_light(small_run):
    small_run.meter.lit_w[3] = [0.0]
    lit = launch_power(small_run.run, LANES)
    off = launch_power_off(small_run.run, LANES, {"launch_power": lit})
    with pytest.raises(BenchError) as of_light:
        lit.of("average_launch_power", 3)
    with pytest.raises(BenchError) as of_dark:
        off.of("average_launch_power_off", 3)
    assert str(of_dark.value) == str(of_light.value)
    assert off.of("average_launch_power_off", 1).value == pytest.approx(-80.0 + LOSS_DB[1])


def test_off_power_of_a_dead_lane_is_judged_when_the_module_agrees(small_run):
    small_run.meter.lit_w[3] = [0.0]
    small_run.module.monitor_w[3] = 0.0
    lit = launch_power(small_run.run, LANES)
    off = launch_power_off(small_run.run, LANES, {"launch_power": lit}).of("average_launch_power_off", 3)
    assert off.conditions["at_meter_floor"] is True


@pytest.mark.parametrize("readings_w", [[0.0], [-1e-11], [9e-12, 1e-12, 2e-12, 3e-12], [1e-11]])
def test_off_power_at_the_meters_floor_is_that_floor(small_run, readings_w):
    small_run.meter.dark_w[3] = readings_w
    off = launch_power_off(small_run.run, LANES).of("average_launch_power_off", 3)
    assert off.value == pytest.approx(-80.0 + 1.73)
    assert off.conditions["at_meter_floor"] is True
    # The floor as contribution: 10 log10(1 + 1) = 3.01 dB expanded, beside meter and path.
    assert off.uncertainty == pytest.approx(math.sqrt(METER_U_DB**2 + PATH_U_DB**2 + 3.0103**2), abs=1e-4)


def test_above_the_floor_its_share_is_small_and_scatter_counts(small_run):
    small_run.meter.dark_w[1] = [1.0e-9, 1.1e-9, 0.9e-9, 1.0e-9]  # -60 dBm, 20 dB above the floor
    off = launch_power_off(small_run.run, LANES).of("average_launch_power_off", 1)
    floor_db = 10.0 * math.log10(1.01)
    scatter_db = 10.0 / math.log(10.0) * statistics.stdev([1.0, 1.1, 0.9, 1.0]) / 2.0
    by_hand = math.sqrt(METER_U_DB**2 + PATH_U_DB**2 + floor_db**2 + (3.31 * scatter_db) ** 2)
    assert off.uncertainty == pytest.approx(by_hand, rel=1e-6)
    assert off.conditions["at_meter_floor"] is False


def test_within_the_context_lanes_are_dark_and_afterwards_lit(small_run):
    module = small_run.module
    with transmitters_disabled(module, small_run.bench, (2,)):
        assert module.disabled == (2,)
        assert small_run.clock.now_s() == pytest.approx(0.1 + 0.2)
    assert module.disabled == ()


def test_a_fault_inside_leaves_the_transmitters_lit_all_the_same(small_run):
    small_run.meter.fault = OverloadError("power_meter", "overloaded")
    with pytest.raises(OverloadError):
        launch_power_off(small_run.run, LANES)
    assert [lanes for _, lanes in small_run.module.told] == [LANES, ()]


def test_light_that_comes_back_late_but_in_time_is_waited_for(small_run):
    small_run.module.late = 5
    launch_power_off(small_run.run, LANES)
    assert small_run.module.data_path_states()[2].name == "DPActivated"


def test_light_that_does_not_come_back_is_the_modules_failure(small_run):
    small_run.module.late = 10**6
    with pytest.raises(CmisError, match=r"host lanes 3: data path is DPTxTurnOn, not DPActivated, 1 s after"):
        launch_power_off(small_run.run, LANES)
    # 0.4 s for the enable and the advertised 0.6 s
    assert small_run.clock.now_s() == pytest.approx(0.3 + 1.0, abs=0.051)


def test_an_acquisition_has_only_what_it_gives(small_run):
    acquired = launch_power(small_run.run, (1, 2))
    with pytest.raises(
        BenchError, match="the acquisition launch_power has no average_launch_power on lane 3"
    ):
        acquired.of("average_launch_power", 3)
    with pytest.raises(BenchError, match=r"the acquisition launch_power has no tdecq$"):
        acquired.of("tdecq")


def test_the_manifest_names_the_paths_that_are_taken(small_run):
    by_lane = {entry.lane: entry for entry in small_run.manifest.paths}
    launch_power(small_run.run, LANES)
    assert list(by_lane) == [1, 2, 3, 4]
    for lane in LANES:
        assert by_lane[lane].loss_db == pytest.approx(LOSS_DB[lane])
        assert by_lane[lane].end == f"power_meter.{lane}"
        assert by_lane[lane].through.startswith(f"module.tx{lane} > optical_switch.{lane} > ")
