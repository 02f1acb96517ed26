"""``[[calibrated_path]]``: a way's loss is the newest record's, or nobody measures by it."""

from __future__ import annotations

import datetime
import hashlib
import json

import pytest

from drivers.errors import BenchError
from harness.bench_file.calibrated_paths import record_name
from harness.bench_file.history import history_folder, keep
from harness.bench_file.reading import load_bench, with_simulation
from harness.calibration.due import accepted_overdue, overdue
from harness.calibration.two_ways import own_uncertainty_db
from harness.tables import TableError
from harness.wiring import parse_port

START, END = parse_port("module.tx1"), parse_port("power_meter.1")
PATH = '[[calibrated_path]]\nfrom = "module.tx1"\nto = "power_meter.1"'
HOPS = ["module.tx1", "optical_switch.1", "optical_switch.17", "power_meter.1"]
RECORD = {
    "schema": 1,
    "kind": "path",
    "at": "2026-03-02T10:00:00+00:00",
    "due": "2026-08-29",
    "simulated": True,
    "seed": 1,
    "start": "module.tx1",
    "end": "power_meter.1",
    "through": HOPS,
    "loss_db": 1.912,
    "uncertainty_db": 0.11,
}


@pytest.fixture
def bench(changed_bench):
    """A bench that wants its first way calibrated."""
    return changed_bench(more=PATH)


@pytest.fixture
def history(bench):
    """Where its records are."""
    return history_folder(load_bench(bench, from_history=False))


def kept(history, **changes):
    return keep(history, record_name(START, END), {**RECORD, **changes})


def refused(bench) -> str:
    with pytest.raises(TableError) as raised:
        load_bench(bench)
    (complaint,) = raised.value.complaints
    assert complaint.endswith("run lanewise bench calibrate bench.toml --path module.tx1 power_meter.1")
    return complaint


def test_the_newest_record_gives_the_loss_of_that_way_alone(bench, history):
    kept(history, loss_db=9.0, at="2026-03-01T10:00:00+00:00")
    path = kept(history)
    stated = load_bench(bench, from_history=False).wiring
    wiring = load_bench(bench).wiring
    way = wiring.way(START, END)
    assert (way.loss_db, way.uncertainty_db) == (1.912, 0.11)
    found = way.calibration
    assert (found.date, found.due, found.record) == ("2026-03-02", "2026-08-29", path.name)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert wiring.transmitter_paths([1], "power_meter")[1] == way
    # Others, by the same fibres too, have what the bench file states; so has the world.
    for end in ("power_meter.2", "power_meter.3"):
        assert wiring.way(START, parse_port(end)) == stated.way(START, parse_port(end))
    assert wiring.fibres == stated.fibres
    # Calibrated as a whole, nothing of it is shared with other ways.
    assert own_uncertainty_db(wiring, way, 0.0) == pytest.approx(0.11)


def test_a_way_that_was_never_calibrated_names_the_command(bench):
    assert "was never calibrated" in refused(bench)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"simulated": False}, "of another bench, simulated or not"),
        ({"seed": 2}, "of another bench, simulated or not"),
        ({"through": [*HOPS[:2], "optical_switch.18", HOPS[3]]}, "the wiring was changed since"),
        ({"through": "by hand"}, "the wiring was changed since"),
        ({"end": "power_meter.2"}, "was never calibrated"),
        ({"loss_db": "1.9"}, "loss_db: expected a number"),
        ({"loss_db": True}, "loss_db: expected a number"),
        ({"loss_db": 201.0}, "loss_db: 201.0 is not within"),
        ({"loss_db": -0.2}, "loss_db: -0.2 is not within"),
        ({"loss_db": 10**400}, "loss_db"),
        ({"uncertainty_db": 0.0}, "uncertainty_db: 0.0 is not within"),
        ({"uncertainty_db": 11}, "uncertainty_db: 11 is not within"),
        ({"due": "2026-03-01"}, "due: 2026-03-01 is not within"),
        ({"due": "9999-01-01"}, "due: 9999-01-01 is not within"),
        ({"due": None}, "Invalid isoformat"),
    ],
)
def test_a_record_of_something_else_is_none(bench, history, changes, why):
    kept(history, **changes)
    assert why in refused(bench)


@pytest.mark.parametrize("text", ["", "[]", "[" * 10_000, '{"schema": 9}'])
def test_a_damaged_record_is_not_passed_over_for_an_older_one(bench, history, text):
    kept(history)
    (history / f"{record_name(START, END)}-99991231T000000Z.json").write_text(text)
    assert "move that file out of the history" in refused(bench)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(bench, history, number):
    path = kept(history)
    path.write_text(path.read_text().replace("1.912", number))
    assert "loss_db" in refused(bench)


def test_noise_below_nothing_is_nothing(bench, history):
    kept(history, loss_db=-0.05)
    assert load_bench(bench).wiring.way(START, END).loss_db == 0.0


@pytest.mark.parametrize(
    ("section", "why"),
    [
        (
            'from = "module.tx1"\nto = "optical_switch.1"',
            "a way is calibrated to a port of the power meter",
        ),
        ('from = "module.tx1"\nto = "power_meter.7"', "no fibres lead from module.tx1 to power_meter.7"),
        (
            'from = "module.tx1"\nto = "power_meter.1"\nvia = "optical_switch.18"',
            "no fibres lead from module.tx1 to power_meter.1 by optical_switch.18",
        ),
        ('from = "nowhere"\nto = "power_meter.1"', "'nowhere' is not a port"),
        ('from = "module.tx1"', "calibrated_path[1].to: is missing"),
        ('from = "module.tx1"\nto = "power_meter.1"\nloss = "1 dB"', "calibrated_path[1].loss: unknown key"),
        ('from = "module.tx1"\nto = "power_meter.1"\nvia = 3', "calibrated_path[1].via: expected text"),
        (
            f'from = "module.tx1"\nto = "power_meter.1"\n{PATH}',
            "[2]: this way is named already",
        ),
    ],
)
def test_mistakes_in_the_section(changed_bench, section, why):
    with pytest.raises(TableError, match="calibrated_path") as raised:
        load_bench(changed_bench(more=f"[[calibrated_path]]\n{section}"), from_history=False)
    assert any(why in line for line in raised.value.complaints)


def test_another_world_has_other_losses(bench, history):
    kept(history)
    spec = load_bench(bench)
    with pytest.raises(TableError, match="was never calibrated"):
        with_simulation(spec, seed=2)
    kept(history, seed=2, loss_db=2.2)
    assert with_simulation(spec, seed=2).wiring.way(START, END).loss_db == 2.2
    assert load_bench(bench).wiring.way(START, END).loss_db == 1.912


def test_a_way_is_overdue_as_an_instrument_is(bench, history):
    kept(history)
    spec = load_bench(bench)
    assert overdue(spec, datetime.date(2026, 8, 29)) == ()
    day = datetime.date(2026, 8, 30)
    (late,) = overdue(spec, day)
    assert late.text().startswith(
        "way from module.tx1 to power_meter.1: the calibration of 2026-03-02 (path-"
    )
    assert late.text().endswith(".json) was due on 2026-08-29")
    with pytest.raises(BenchError, match=r"lanewise bench calibrate bench.toml --path module.tx1") as raised:
        accepted_overdue(spec, accept=False, on=day)
    assert "--accept-overdue" in str(raised.value)
    assert accepted_overdue(spec, accept=True, on=day) == (late,)


def test_what_the_command_keeps_is_what_the_bench_file_takes(bench, history):
    # The fields of a real record, by the function that makes them, are those that are read.
    from harness.calibration.levels import Level
    from harness.calibration.path_loss import judge_path

    way = load_bench(bench, from_history=False).wiring.way(START, END)
    level = Level((1e-3,) * 4)
    found = judge_path(way, level, Level((0.6e-3,) * 4), level)
    head = {key: RECORD[key] for key in ("schema", "kind", "at", "due", "simulated", "seed")}
    keep(history, record_name(START, END), json.loads(json.dumps({**head, **found.to_json()})))
    taken = load_bench(bench).wiring.way(START, END)
    assert (taken.loss_db, taken.uncertainty_db) == (found.loss_db, found.uncertainty_db)


def test_a_record_of_a_bench_whose_folder_has_the_same_name_is_not_of_this_one(bench, history):
    kept(history, bench="sim-dr4")
    assert load_bench(bench).wiring.way(START, END).loss_db == 1.912
    # Both names make the folder sim-dr4.
    kept(history, bench="sim dr4", loss_db=9.0, at="2026-04-02T10:00:00+00:00", due="2026-09-29")
    assert load_bench(bench).wiring.way(START, END).loss_db == 1.912


@pytest.mark.parametrize("newest", ["2026-03-02T11:30:00-02:00", "2026-03-02 12:30:00", "20260302T123000Z"])
def test_the_newest_is_so_by_its_time_however_it_is_written(bench, history, newest):
    kept(history, loss_db=9.0, at="2026-03-02T12:00:00+00:00")
    path = kept(history)
    # As somebody may have written it who mended the file.
    path.write_text(path.read_text(encoding="ascii").replace(RECORD["at"], newest), encoding="ascii")
    assert load_bench(bench).wiring.way(START, END).loss_db == 1.912
