"""Profiles: what is wrong with one is said in one line with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.simulation.module.profile import FOLDER, ProfileError, load_profile, profile_names


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
        ("[transmitter]\naverage_launch_power_dbm = [1.0, 1.0]", r"launch_power_dbm.*4 values.*got 2"),
        ('[transmitter]\nwander_db = "much"', r"transmitter\.wander_db: must be a number"),
        ("[transmitter]\nwander_db = nan", r"transmitter\.wander_db: must be 0 .. 3"),
        ("[transmitter]\nbrightness = 3", r"transmitter\.brightness: unknown key"),
        ("[lasers]\nx = 1", r"lasers: unknown key"),
        ("identity = 5", r"identity: must be a table"),
        ('[identity]\nserial = "12345678901234567"', r"identity\.serial: at most 16"),
        ('[identity]\nvendor = "M\\u00fcller"', r"identity\.vendor: must be printable ASCII"),
        ("[identity]\nidentifier = 24.0", r"identity\.identifier: must be a whole number"),
        ("[identity]\nidentifier = true", r"identity\.identifier: must be a whole number"),
        ("[faults]\npowers_up = 1", r"faults\.powers_up: must be true or false"),
        ("[faults]\nstuck_config_host_lanes = [9]", r"faults\.stuck_config_host_lanes\[1\]: must be 1 .. 8"),
        ("[thresholds]\nvcc_v = [3.6]", r"thresholds\.vcc_v: must have 4 values"),
        ("[receiver]\nlos_deassert_dbm = -20.0", r"los_deassert_dbm: must not be below"),
        ("application = []", r"application: must be 1 to 8"),
        ("media_lanes = 2", r"must have 2 values"),
        ("[[broken", r"not TOML"),
    ],
)  # fmt: skip
def test_each_fault_is_one_line_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    extends = "" if text.startswith("[[broken") else 'extends = "good-dr4"\n'
    path = _write(tmp_path, extends + text)
    with pytest.raises(ProfileError, match=said) as caught:
        load_profile(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value) or "not TOML" in said


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    text = (FOLDER / "good-dr4.toml").read_text(encoding="utf-8").replace("t0_k = 60.0", "")
    with pytest.raises(ProfileError, match=r"transmitter\.t0_k: missing"):
        load_profile(_write(tmp_path, text))


def test_an_application_with_more_lanes_than_the_module_is_refused(tmp_path: Path) -> None:
    text = (
        (FOLDER / "good-dr4.toml")
        .read_text(encoding="utf-8")
        .replace("media_lanes = 4\nhost", "media_lanes = 8\nhost")
    )
    with pytest.raises(ProfileError, match=r"application\[1\]\.media_lanes: 8, but the module has 4"):
        load_profile(_write(tmp_path, text))


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ProfileError, match="good-dr4"):
        load_profile("no-such-module")


def test_profiles_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, 'extends = "mine.toml"')
    with pytest.raises(ProfileError, match="circle"):
        load_profile(path)


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = _write(tmp_path, "# " + "x" * 70_000)
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
