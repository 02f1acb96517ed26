"""``lanewise bench check``: what reaches the module's receivers, and what a simulated bench has wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.bench_file.reading import BENCHES_FOLDER
from harness.commands.bench import main

FULL = (BENCHES_FOLDER / "sim-dr4-full.toml").read_text(encoding="utf-8")
ROOM = 'room_temp = "23 degC"\n'


def piece(start: str, end: str) -> str:
    return f'\n[[fibre]]\nfrom = "{start}"\nto = "{end}"\nloss = "0.3 dB"\nuncertainty = "0.1 dB"\n'


def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> tuple[int, str]:
    path = tmp_path / "bench.toml"
    path.write_text(text, encoding="utf-8")
    code = main(["check", str(path)])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def rows(output: str, name: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line)[1:] for line in output.splitlines() if line.startswith(f"{name} ")]


def test_receivers_with_what_reaches_them(tmp_path, capsys):
    """By way of the attenuator, for power can be set there."""
    code, output = checked(tmp_path, capsys, FULL)
    assert code == 0
    reference, own = rows(output, "Rx1")
    assert reference[0] == (
        "reference_tx.1 > optical_switch.5 > optical_switch.37 > attenuator.1 > optical_switch.13 > "
        "optical_switch.29 > tap1.in > tap1.1 > module.rx1"
    )
    # 0.35 + 1.00 + 0.24 + 1.20 + 0.28 + 1.00 + 0.30 + 0.60 + 0.40 dB from a reference transmitter of 2.5 dBm.
    assert reference[1:3] == ["5.37 dB", "± 0.24 dB"]
    lowest, highest = re.fullmatch(r"(-[\d.]+) \.\. (-[\d.]+) dBm", reference[3]).groups()
    assert float(highest) == pytest.approx(-2.87, abs=0.0051)
    assert float(lowest) < -35.0
    assert own[0].startswith("module.tx1 > ")
    assert re.fullmatch(r"5\.44 \.\. [\d.]+ dB below launch power", own[3])
    assert [len(rows(output, f"Rx{lane}")) for lane in range(1, 5)] == [2, 2, 2, 2]


def test_receivers_without_an_attenuator_have_one_power(tmp_path, capsys):
    text = FULL
    for channel in range(1, 5):
        text = text.replace(f'"attenuator.{channel}"', f'"gone{channel}.in"', 1)
    text = re.sub(r'\[\[fibre\]\]\n(?:from = "attenuator|from = "[^"]*"\nto = "gone)[^\[]*', "", text)
    code, output = checked(tmp_path, capsys, text)
    assert code == 0
    reference, own = rows(output, "Rx1")
    # 0.35 + 1.00 + 0.30 + 0.60 + 0.40 dB.
    assert reference == [
        "reference_tx.1 > optical_switch.5 > optical_switch.29 > tap1.in > tap1.1 > module.rx1",
        "2.65 dB",
        "± 0.18 dB",
        "-0.15 dBm",
    ]
    assert own[3] == "2.72 dB below launch power"


def test_receivers_that_no_fibre_or_no_light_goes_to_are_listed(tmp_path, capsys):
    text = FULL.replace('to = "module.rx2"', 'to = "power_meter.9"')
    code, output = checked(tmp_path, capsys, text)
    assert code == 0
    assert "no fibre goes to module.rx2\n" in output
    assert rows(output, "Rx2") == []


def test_ways_that_are_too_many_are_a_problem_of_the_bench(tmp_path, capsys):
    text = FULL
    leg = '{ loss = "3.1 dB", uncertainty = "0 dB" }'
    half = f"[{leg}, {leg}]"
    last = "optical_switch.43"
    for stage in range(16):
        text += "".join(f'\n[[splitter]]\nname = "{side}{stage}"\nlegs = {half}\n' for side in "dj")
        text += piece(last, f"d{stage}.in")
        text += piece(f"d{stage}.1", f"j{stage}.1") + piece(f"d{stage}.2", f"j{stage}.2")
        last = f"j{stage}.in"
    text += piece(last, "power_meter.9")
    code, output = checked(tmp_path, capsys, text)
    assert code == 2
    assert "power_meter.9 by more than 10000 ways" in output
    assert "Traceback" not in output


def test_faults_of_the_file_are_listed(tmp_path, capsys):
    faults = """[[simulation.fault]]
kind = "lane_swap"
lanes = [3, 4]
[[simulation.fault]]
kind = "bent_fibre"
port = "module.tx1"
loss = "2 dB"
at = "1 min"
[[simulation.fault]]
kind = "dirty_end_face"
port = "module.rx1"
severity = 0.5
[[simulation.fault]]
kind = "cable_polarity"
polarity = "C"
[[simulation.fault]]
kind = "slow"
role = "power_meter"
delay = "1 ms"
at = "5 s"
"""
    _, output = checked(tmp_path, capsys, FULL.replace(ROOM, ROOM + faults))
    assert [line for line in output.splitlines() if line.startswith("simulated fault")] == [
        "simulated fault: lane_swap 3, 4 (tx) from 0 s",
        "simulated fault: bent_fibre at module.tx1 2 dB from 60 s",
        "simulated fault: dirty_end_face at module.rx1 severity 0.5 from 0 s",
        "simulated fault: cable_polarity type C from 0 s",
        "simulated fault: slow of power_meter from 5 s",
    ]


def test_a_cable_that_the_module_has_not_is_told_with_its_place_in_the_file(tmp_path, capsys):
    duplex = FULL.replace(ROOM, ROOM + '[[simulation.fault]]\nkind = "key_flipped"\n')
    duplex = duplex.replace('module = "good-dr4"', 'module = "good-fr4"')
    for lane in (2, 3, 4):
        duplex = duplex.replace(f'"module.tx{lane}"', f'"gone{lane}.in"')
        duplex = duplex.replace(f'"module.rx{lane}"', f'"power_meter.{lane + 20}"')
    duplex = re.sub(r'\[\[fibre\]\]\nfrom = "gone[^\[]*', "", duplex)
    code, output = checked(tmp_path, capsys, duplex)
    assert code == 2
    (line,) = output.splitlines()
    assert "bench.toml: simulation.fault[1].kind: key_flipped is of an MPO-12 cable" in line
