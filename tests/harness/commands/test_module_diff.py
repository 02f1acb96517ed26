"""``lanewise module diff``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.cmis.dump import save_dump
from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from harness.commands.module import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def other_file(tmp_path: Path, image: MemoryImage) -> Path:
    encode(FIELDS["VendorPN"], "PN-2", image)
    encode(FIELDS["TempMonValue"], 55.0, image)
    path = tmp_path / "other.json"
    save_dump(image, path)
    return path


def test_the_same_is_0(dump_file: Path, capsys: Captured) -> None:
    assert main(["diff", str(dump_file), str(dump_file)]) == 0
    assert "No difference." in capsys.readouterr().out


def test_differences_are_1_and_what_changes_by_itself_is_counted(
    dump_file: Path, other_file: Path, capsys: Captured
) -> None:
    assert main(["diff", str(dump_file), str(other_file)]) == 1
    output = capsys.readouterr().out
    assert '"PN-1"' in output
    assert '"PN-2"' in output
    assert "TempMonValue" not in output
    assert "1 more in monitors" in output
    assert f"B  {other_file}: Example PN-2, no serial number" in output
    assert main(["diff", "--all", str(dump_file), str(other_file)]) == 1
    assert "TempMonValue" in capsys.readouterr().out


def test_electrical_power_differs_in_watts(
    dump_file: Path, tmp_path: Path, image: MemoryImage, capsys: Captured
) -> None:
    encode(FIELDS["MaxPower"], 10.0, image)
    encode(FIELDS["RxPowerHighAlarmThreshold"], 1e-3, image)
    path = tmp_path / "hungry.json"
    save_dump(image, path)
    assert main(["diff", str(dump_file), str(path)]) == 1
    output = capsys.readouterr().out
    assert "10 W" in output
    assert "0.000 dBm" in output
    assert output.count("dBm") == 1


def test_json_holds_the_same(dump_file: Path, other_file: Path, capsys: Captured) -> None:
    assert main(["diff", "--json", str(dump_file), str(other_file)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["not_shown"] == 1
    assert found["modules"]["b"] == {"vendor": "Example", "part_number": "PN-2", "serial_number": ""}
    assert [item["name"] for item in found["differences"]] == ["VendorPN"]


def test_only_what_changes_by_itself_is_no_difference(
    dump_file: Path, tmp_path: Path, image: MemoryImage, capsys: Captured
) -> None:
    encode(FIELDS["TempMonValue"], 55.0, image)
    warm = tmp_path / "warm.json"
    save_dump(image, warm)
    assert main(["diff", str(dump_file), str(warm)]) == 0
    assert main(["diff", "--all", str(dump_file), str(warm)]) == 1


def test_a_module_is_compared_with_its_own_dump(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "before.json"
    assert main(["dump", "sim-dr4", "--flags", "--out", str(path)]) == 0
    assert main(["diff", str(path), "sim-dr4"]) == 0
    capsys.readouterr()
    assert main(["diff", str(path), "sim-dr4", "--module", "dr4-lane3-weak", "--json"]) == 1
    names = {item["name"] for item in json.loads(capsys.readouterr().out)["differences"]}
    assert "VendorSN" in names


def test_options_of_a_bench_are_refused_where_there_is_none(dump_file: Path, capsys: Captured) -> None:
    assert main(["diff", str(dump_file), str(dump_file), "--up"]) == 2
    assert "go with a bench only" in capsys.readouterr().err


def test_a_problem_is_2(dump_file: Path, capsys: Captured) -> None:
    assert main(["diff", str(dump_file), "gone.json"]) == 2
    assert "No such file" in capsys.readouterr().err
