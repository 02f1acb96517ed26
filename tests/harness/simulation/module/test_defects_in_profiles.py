"""Tables [[defect]] of a profile: read strictly, applied once, nothing at a severity of 0."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from harness.simulation.module.profile import Profile, ProfileError, load_profile
from harness.simulation.module.profile.defects import DEFECTS, Defect, StatedDefect
from harness.simulation.module.profile.defects.body import BODY_DEFECTS
from harness.simulation.module.profile.defects.receiver import RECEIVER_DEFECTS
from harness.simulation.module.profile.defects.transmitter import TRANSMITTER_DEFECTS

LANE_KIND, MODULE_KIND = "tx_power_miscalibration", "excess_power"
GOOD = load_profile("good-dr4")


def written(folder: Path, text: str, name: str = "mine", base: str = "good-dr4") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(f'extends = "{base}"\n{text}\n', encoding="utf-8")
    return path


def table(kind: str, **keys: object) -> str:
    return "\n".join(["[[defect]]", f'kind = "{kind}"', *(f"{key} = {value}" for key, value in keys.items())])


def applied(kind: Defect, severity: float, lanes: tuple[int, ...] = (1, 2, 3, 4)) -> Profile:
    return kind.apply(GOOD, lanes if kind.per_lane else (), severity)


def numbers(value: Any, path: str = "") -> dict[str, float]:
    """Every number of a profile by its place."""
    if dataclasses.is_dataclass(value):
        parts = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    elif isinstance(value, tuple):
        parts = {str(index): entry for index, entry in enumerate(value)}
    else:
        return {path: value} if isinstance(value, (int, float)) else {}
    return {place: x for name, part in parts.items() for place, x in numbers(part, f"{path}.{name}").items()}


def test_every_kind_is_there_once() -> None:
    every = (*TRANSMITTER_DEFECTS, *RECEIVER_DEFECTS, *BODY_DEFECTS)
    assert [defect.kind for defect in every] == list(DEFECTS)
    assert all(kind == defect.kind for kind, defect in DEFECTS.items())


def test_a_good_module_has_none() -> None:
    assert GOOD.defects == ()


@pytest.mark.parametrize("kind", DEFECTS.values(), ids=DEFECTS)
def test_a_severity_of_0_changes_nothing_and_1_does(kind: Defect) -> None:
    assert numbers(applied(kind, 0.0)) == numbers(GOOD)
    assert applied(kind, 1.0) != GOOD


@pytest.mark.parametrize("kind", DEFECTS.values(), ids=DEFECTS)
def test_what_a_defect_changes_grows_with_its_severity(kind: Defect) -> None:
    courses = [numbers(applied(kind, step / 8.0)) for step in range(1, 9)]
    worst = courses[-1]
    moved = [place for place, value in worst.items() if courses[0].get(place) != value]
    assert moved
    for place in moved:
        steps = [after[place] - before[place] for before, after in itertools.pairwise(courses)]
        assert all(step >= 0.0 for step in steps) or all(step <= 0.0 for step in steps), place
        assert math.isfinite(worst[place])


@pytest.mark.parametrize("kind", [kind for kind in BODY_DEFECTS if kind.per_lane], ids=lambda kind: kind.kind)
def test_a_defect_of_a_lane_leaves_the_others_as_they_are(kind: Defect) -> None:
    changed, good = numbers(applied(kind, 1.0, (3,))), numbers(GOOD)
    places = {place for place in good if changed[place] != good[place]}
    assert places
    assert all(place.endswith(".2") for place in places)  # lane 3


def test_a_profile_has_its_defects_in_its_numbers_and_for_display(tmp_path: Path) -> None:
    text = "\n".join(
        [table(LANE_KIND, lanes=[3, 2], severity=0.5), table(MODULE_KIND), table(LANE_KIND, lanes=[4])]
    )
    profile = load_profile(written(tmp_path, text))
    assert profile.monitors.tx_power_monitor_offset_db == (0.0, 3.0, 3.0, 6.0)
    assert profile.power.ready_w == pytest.approx(GOOD.power.ready_w + 3.5)
    assert profile.defects == (
        StatedDefect(LANE_KIND, (2, 3), 0.5),
        StatedDefect(MODULE_KIND, (), 1.0),
        StatedDefect(LANE_KIND, (4,), 1.0),
    )


def test_without_lanes_all_have_it(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, table(LANE_KIND)))
    assert profile.monitors.tx_power_monitor_offset_db == (6.0,) * 4
    assert profile.defects[0].lanes == (1, 2, 3, 4)


def test_a_profile_that_extends_has_the_defects_below_it_or_its_own_not_twice(tmp_path: Path) -> None:
    written(tmp_path, table(MODULE_KIND), name="below")
    inherited = load_profile(written(tmp_path, "", base="below.toml"))
    assert inherited.power.ready_w == pytest.approx(GOOD.power.ready_w + 3.5)
    assert [defect.kind for defect in inherited.defects] == [MODULE_KIND]
    own = load_profile(written(tmp_path, table(LANE_KIND), base="below.toml"))
    assert own.power.ready_w == GOOD.power.ready_w
    assert [defect.kind for defect in own.defects] == [LANE_KIND]
    none = load_profile(written(tmp_path, "defect = []", base="below.toml"))
    assert dataclasses.replace(none, name="good-dr4", description=GOOD.description) == GOOD


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (table("dust"), "defect[1].kind: there is no defect of that kind; there are: "),
        ("[[defect]]", "defect[1].kind: is missing"),
        ("[[defect]]\nkind = 3", "defect[1].kind: expected text, found the number 3"),
        ("defect = [1]", "defect[1]: expected a table"),
        ('[defect]\nkind = "x"', "defect: expected an array of tables"),
        (table(MODULE_KIND, severity=1.5), "defect[1].severity: 1.5 is not within 0 .. 1"),
        (table(MODULE_KIND, severity="nan"), "defect[1].severity: nan is not a finite number"),
        (table(MODULE_KIND, lanes=[1]), "defect[1].lanes: excess_power is of the whole module"),
        (table(MODULE_KIND, lane=1), "defect[1].lane: unknown key; did you mean lanes?"),
        (table(LANE_KIND, lanes=[1, 5]), "defect[1].lanes: 5, but the module has 4"),
        (table(LANE_KIND, lanes=[0]), "defect[1].lanes[1]: 0 is not within 1 .. 8"),
        (table(LANE_KIND, lanes=3), "defect[1].lanes: expected a list such as [3], found the number 3"),
        (table(LANE_KIND, lanes=[]), "defect[1].lanes: expected one media lane at least"),
        (table(LANE_KIND, lanes=[2, 2]), "defect[1].lanes: a lane is there twice"),
        (
            f"{table(MODULE_KIND)}\n{table(MODULE_KIND)}",
            "defect[2].kind: excess_power is stated already: defect[1]",
        ),
        (
            f"{table(LANE_KIND)}\n{table(LANE_KIND, lanes=[4])}",
            "defect[2].kind: tx_power_miscalibration is stated already: media lane 4 in defect[1]",
        ),
        ("\n".join([table(MODULE_KIND)] * 65), "defect: at most 64 tables [[defect]], found 65"),
        (table("high_rim"), "defect[1].kind: there is no defect of that kind; did you mean high_rin?"),
        (table("demux_leak"), "defect[1].kind: demux_leak needs lanes that share a fibre"),
        ("[transmiter]\nage_hours = 1.0", "transmiter: unknown key; did you mean transmitter?"),
        ("[transmitter]\nage_hour = 1.0", "transmitter.age_hour: unknown key; did you mean age_hours?"),
        (
            '[receiver]\nthermal_noise_uw = "7.6 uW"',
            "such as 7.6 (its unit is in the key's name), or one for each, such as [7.6, 7.6, 7.6, 7.6]",
        ),
        (
            "[transmitter]\nslope_mw_per_ma = 0.95",
            "0.95 mW/mA is more than a photon for each electron, 0.946",
        ),
        (
            "[transmitter]\nslope_mw_per_ma = 0.5\nlaser_of_lane = [1, 1, 2, 3]",
            "0.5 mW/mA to each of 2 lanes is more than a photon for each electron",
        ),
        ("[timing]\nbring_up_excess = 0.5", "timing.bring_up_excess: above 0 it needs faults.slower_than"),
    ],
)
def test_each_mistake_is_one_line_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert any(said in line for line in caught.value.complaints), caught.value.complaints
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in caught.value.complaints)


def test_a_module_that_is_nothing_but_its_memory_has_none(tmp_path: Path) -> None:
    half = "--" * 128
    pages = f'[memory]\nfrozen = true\n[memory.pages]\nlower = "{half}"\n"00h" = "{half}"\n'
    assert load_profile(written(tmp_path, pages)).defects == ()
    with pytest.raises(ProfileError, match="defect: a module that stands still has none"):
        load_profile(written(tmp_path, f"{pages}{table(MODULE_KIND)}"))


def test_lanes_that_have_a_defect_already_are_named_in_one_line_with_their_table(tmp_path: Path) -> None:
    text = "\n".join(
        [
            table(LANE_KIND, lanes=[1]),
            table(MODULE_KIND),
            table(LANE_KIND, lanes=[3]),
            table(LANE_KIND, lanes=[3, 1, 2]),
        ]
    )
    with pytest.raises(ProfileError) as caught:
        load_profile(written(tmp_path, text))
    (line,) = caught.value.complaints
    wanted = f"{LANE_KIND} is stated already: media lane 1 in defect[1], media lane 3 in defect[3]"
    assert line.endswith(f"defect[4].kind: {wanted}")


def test_a_module_whose_lanes_share_a_fibre_can_leak(tmp_path: Path) -> None:
    assert load_profile(written(tmp_path, table("demux_leak"), base="good-fr4")).defects


def test_a_name_that_is_nearly_right_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProfileError, match=r"no module profile named 'good-dr5'; did you mean good-dr4"):
        load_profile("good-dr5")
    written(tmp_path, "")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProfileError, match=r"named 'mine'; the file is meant by \./mine\.toml"):
        load_profile("mine")
    assert load_profile("./mine.toml").name == "mine"
