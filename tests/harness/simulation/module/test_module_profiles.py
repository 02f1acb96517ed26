"""Profiles: what is wrong with one is said in one line with file and key."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.simulation.module.profile import FOLDER, ProfileError, load_profile, profile_names

if TYPE_CHECKING:
    from conftest import ModuleBench


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_profile_of_the_repository_loads() -> None:
    assert {"good-dr4", "dr4-lane3-weak", "dr4-lane2-stuck-config"} <= set(profile_names())
    for name in profile_names():
        assert load_profile(name).name == name


def test_the_good_module_has_the_two_applications_of_a_dr4() -> None:
    first, second = load_profile("good-dr4").applications
    assert (first.host_interface, first.media_interface) == (0x11, 0x1C)
    assert (first.host_lanes, first.media_lanes, first.host_lane_assignment) == (8, 4, 0x01)
    assert (second.host_interface, second.media_interface) == (0x0D, 0x14)
    assert (second.host_lanes, second.media_lanes, second.host_lane_assignment) == (2, 1, 0x55)


def test_a_profile_that_extends_another_differs_in_what_it_states() -> None:
    good, weak = load_profile("good-dr4"), load_profile("dr4-lane3-weak")
    assert weak.transmitter.average_launch_power_dbm[2] == -4.5
    assert weak.transmitter.average_launch_power_dbm[:2] == good.transmitter.average_launch_power_dbm[:2]
    assert weak.transmitter.wavelength_nm == good.transmitter.wavelength_nm
    assert weak.identity.serial != good.identity.serial


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[transmitter]\naverage_launch_power_dbm = [1.0, 1.0]", "launch_power_dbm: expected 4 values"),
        ('[transmitter]\nwander_db = "much"', "transmitter.wander_db: expected a number, found the text"),
        ("[transmitter]\nwander_db = nan", "transmitter.wander_db: nan is not a finite number"),
        ("[transmitter]\nwander_db = 4", "transmitter.wander_db: 4 is not within 0 .. 3"),
        ("[transmitter]\nbrightness = 3", "transmitter.brightness: unknown key"),
        ("[lasers]\nx = 1", "lasers: unknown key"),
        ("identity = 5", "identity: expected a table"),
        ('[identity]\nserial = "12345678901234567"', "identity.serial: at most 16"),
        ('[identity]\nvendor = "M\\u00fcller"', "identity.vendor: expected printable ASCII"),
        ("[identity]\nidentifier = 24.0", "identity.identifier: expected a whole number"),
        ("[identity]\nidentifier = true", "identity.identifier: expected a whole number"),
        ("[faults]\npowers_up = 1", "faults.powers_up: expected true or false"),
        ("[faults]\nstuck_config_host_lanes = [9]", "stuck_config_host_lanes[1]: 9 is not within 1 .. 8"),
        ("[thresholds]\nvcc_v = [3.6]", "thresholds.vcc_v: expected 4 values"),
        ("[receiver]\nlos_deassert_dbm = -20.0", "receiver.los_deassert_dbm: must not be below"),
        ("[diagnostics]\nmedia_checker_patterns = [16]", "checker_patterns[1]: 16 is not within 0 .. 15"),
        ('[diagnostics]\nloopbacks = ["inside"]', "diagnostics.loopbacks[1]: 'inside' is not one of"),
        ('[vdm]\nobservables = ["osnr"]', "vdm.observables[1]: 'osnr' is not one of"),
        ("[vdm]\nupdate_s = 0", "vdm.update_s: 0 is not within 0.1 .. 6.5"),
        ("[vdm]\nferc = [1.0]", "vdm.ferc: expected 4 values"),
        ("[receiver]\njitter_ps = 11", "receiver.jitter_ps: 11 is not within 0 .. 10"),
        ("[quirks]\nbias_multiplier = 3", "quirks.bias_multiplier: 3 is not one of 1, 2, 4"),
        ('[quirks]\nvendor_name_hex = "zz"', "quirks.vendor_name_hex: non-hexadecimal"),
        ("[cdb]\nepl_pages = 5", "cdb.epl_pages: 5 is not one of 0, 1, 2, 3, 4, 8, 12, 16"),
        ("application = []", "application: expected 1 to 15 tables"),
        ("media_lanes = 2", "expected 2 values (one value per media lane), found 4"),
        ("media_lanes = 9", "media_lanes: 9 is not within 1 .. 8"),
        ("[[broken", "is not TOML"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_line_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    extends = "" if text.startswith("[[broken") else 'extends = "good-dr4"\n'
    path = _write(tmp_path, extends + text)
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    lines = caught.value.complaints
    assert any(said in line for line in lines), lines
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in lines)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = 'extends = "good-dr4"\nmedia_lanes = "four"\n[identity]\noui = -1\n[timing]\ndp_init_code = 14\n'
    with pytest.raises(ProfileError) as caught:
        load_profile(_write(tmp_path, text))
    said = str(caught.value)
    assert all(key in said for key in ("media_lanes: ", "identity.oui: ", "timing.dp_init_code: "))


def test_a_mistake_in_what_is_extended_is_told_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('extends = "good-dr4"\n[power]\nready_w = -1\n', encoding="utf-8")
    path = _write(tmp_path, 'extends = "base.toml"\n')
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert caught.value.complaints == (
        f"{path}: extends: {tmp_path / 'base.toml'}: power.ready_w: -1 is not within 0 .. 60",
    )


def test_one_number_stands_for_all_media_lanes(tmp_path: Path) -> None:
    path = _write(tmp_path, 'extends = "good-dr4"\n[transmitter]\naverage_launch_power_dbm = 1.5\n')
    assert load_profile(path).transmitter.average_launch_power_dbm == (1.5,) * 4


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    text = (FOLDER / "good-dr4.toml").read_text(encoding="utf-8").replace("t0_k = 60.0", "")
    with pytest.raises(ProfileError, match=r"transmitter\.t0_k: is missing; expected number, 1 \.\. 10000"):
        load_profile(_write(tmp_path, text))


def test_a_missing_section_is_one_complaint(tmp_path: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile(_write(tmp_path, "media_lanes = 4\n"))
    assert len([line for line in caught.value.complaints if ": transmitter" in line]) == 1


def test_an_application_with_more_lanes_than_the_module_is_refused(tmp_path: Path) -> None:
    text = (
        (FOLDER / "good-dr4.toml")
        .read_text(encoding="utf-8")
        .replace("media_lanes = 4\nhost", "media_lanes = 8\nhost")
    )
    with pytest.raises(ProfileError, match=r"application\[1\]\.media_lanes: 8, but the module has 4"):
        load_profile(_write(tmp_path, text))


def application(host: int, media: int, host_starts: int, media_starts: int) -> str:
    return (
        f"[[application]]\nhost_interface = 1\nmedia_interface = 1\nhost_lanes = {host}\n"
        f"media_lanes = {media}\n"
        f"host_lane_assignment = {host_starts}\nmedia_lane_assignment = {media_starts}\n"
    )


@pytest.mark.parametrize("lanes", [(4, 4, 0x11, 0x11), (1, 1, 0xFF, 0xFF), (1, 4, 0xFF, 0xFF)])
def test_a_data_path_beyond_the_last_media_lane_is_refused(tmp_path: Path, lanes: tuple[int, ...]) -> None:
    text = 'extends = "good-dr4"\n' + application(*lanes)
    with pytest.raises(ProfileError, match=r"application\[1\]\.host_lane_assignment: .* the module has 4"):
        load_profile(_write(tmp_path, text))


@pytest.mark.parametrize(
    ("lanes", "begins"),
    [((4, 4, 0x11, 0x01), {0}), ((1, 1, 0xFF, 0x0F), {0, 1, 2, 3}), ((2, 1, 0x55, 0x0A), {2, 6})],
)
def test_by_default_data_paths_begin_where_both_options_allow(
    tmp_path: Path, make_bench: Callable[..., ModuleBench], lanes: tuple[int, ...], begins: set[int]
) -> None:
    bench = make_bench(load_profile(_write(tmp_path, 'extends = "good-dr4"\n' + application(*lanes))))
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    bench.world.advance(15.0)
    used = [config >> 1 & 7 for config in bench.read("ACS_DPConfig") if config >> 4]
    assert set(used) == begins
    assert bench.read("DPStateHostLane").count(4) == len(used)


@pytest.mark.parametrize(
    ("base", "text", "complaint"),
    [
        (
            "good-fr4",
            "[transmitter]\nlaser_of_lane = [1, 1, 2, 2]",
            "transmitter.laser_of_lane: lanes that share",
        ),
        (
            "good-dr4",
            '[[defect]]\nkind = "dead_laser"\nlanes = [1, 8]',
            "lanes: 8, but the module has 4",
        ),
        ("dr4-foreground-cdb", "[quirks]\nfirmware_start_s = 12", "quirks.firmware_start_s: at most 4.96 s"),
        (
            "good-dr4",
            "[timing]\ndp_init_code = 0\ndp_init_s = 100",
            "timing.dp_init_s: 100 s is above 0.001 s",
        ),
        ("good-dr4", "[timing]\nmgmt_init_s = 2.5", "timing.mgmt_init_s: 2.5 s is above 2 s"),
        (
            "good-dr4",
            "[thresholds]\ntemperature_c = [-10, 80, -5, 75]",
            "thresholds.temperature_c: expected low",
        ),
        ("good-dr4", "[thresholds]\nvcc_v = [3.6, 3.0, 3.1, 3.5]", "thresholds.vcc_v: expected low alarm <="),
        ("good-dr4", "[vdm]\nsnr_db = [20, 17, 30, 18]", "vdm.snr_db: expected low alarm <="),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, base: str, text: str, complaint: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile(_write(tmp_path, f'extends = "{base}"\n{text}\n'))
    assert complaint in str(caught.value)


def test_a_slow_module_is_a_fault_that_a_profile_may_ask_for(tmp_path: Path) -> None:
    text = 'extends = "good-dr4"\n[timing]\ndp_init_s = 100\n[faults]\nslower_than_advertised = true\n'
    assert load_profile(_write(tmp_path, text)).timing.dp_init_s == 100.0


@pytest.mark.parametrize("value", ["99", "-1", f"{2**70}", f"0x{'f' * 5000}", '"a"', "true"])
@pytest.mark.parametrize("key", ["application", "faults.config_rejection_code", "identity.cmis_major"])
def test_a_wrong_number_gets_one_complaint_with_the_limits_of_its_key(
    tmp_path: Path, key: str, value: str
) -> None:
    section, _, name = key.partition(".")
    if name:
        text = f'extends = "good-dr4"\n[{section}]\n{name} = {value}\n'
    else:
        text = 'extends = "good-dr4"\n' + application(8, 4, 1, 1).replace("lanes = 8", f"lanes = {value}")
    with pytest.raises(ProfileError) as caught:
        load_profile(_write(tmp_path, text))
    (line,) = caught.value.complaints
    assert str(2**63) not in line


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ProfileError, match="good-dr4"):
        load_profile("no-such-module")


def test_profiles_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, 'extends = "mine.toml"')
    with pytest.raises(ProfileError, match="circle"):
        load_profile(path)


@pytest.mark.parametrize("base", ["5", '"\\u0000.toml"', '"/dev/zero.toml/x.toml"', '"../.toml"'])
def test_whatever_a_profile_extends_is_a_profile_or_told(tmp_path: Path, base: str) -> None:
    with pytest.raises(ProfileError, match="extends"):
        load_profile(_write(tmp_path, f"extends = {base}\n"))


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")  # would never end
    with pytest.raises(ProfileError, match="it is no file"):
        load_profile(tmp_path / "pipe.toml")


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = _write(tmp_path, "# " + "x" * 1_100_000)
    with pytest.raises(ProfileError, match="larger than"):
        load_profile(path)


_SECTIONS = ["identity", "management", "timing", "transmitter", "power", "monitors", "faults"]
_KEYS = ["serial", "wander_db", "dp_init_s", "tracking_db", "powers_up", "lowest_vcc_v", "x"]
_VALUES = ["1", "-1e300", "inf", "nan", '"a"', "[]", "[[1]]", "{a=1}", "true", "2020-01-01", '["a"]', "[nan]"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(section=st.sampled_from(_SECTIONS), key=st.sampled_from(_KEYS), value=st.sampled_from(_VALUES))
def test_whatever_a_profile_holds_it_loads_or_says_which_key(
    tmp_path: Path, section: str, key: str, value: str
) -> None:
    path = _write(tmp_path, f'extends = "good-dr4"\n[{section}]\n{key} = {value}\n')
    said = ""
    try:
        load_profile(path)
    except ProfileError as fault:
        said = str(fault)
    assert not said or f"{section}.{key}" in said
