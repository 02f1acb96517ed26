"""``lanewise bench check``: what reaches the module's receivers, and what a simulated bench has wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.bench_file.reading import BENCHES_FOLDER
from harness.commands.bench import main

FULL = (BENCHES_FOLDER / "sim-dr4-full.toml").read_text(encoding="utf-8")
ROOM = 'room_temp = "23 degC"\n'
ATTENUATOR = """
[instruments.attenuator]
driver = "keysight-n7764a"
address = "TCPIP0::192.0.2.21::inst0::INSTR"
pass = { loss = "1.5 dB", uncertainty = "0.1 dB" }
"""


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
    code, output = checked(tmp_path, capsys, FULL)
    assert code == 0
    reference, own = rows(output, "Rx1")
    # 0.35 + 1.00 + 0.30 + 0.60 + 0.40 dB from a reference transmitter of 2 dBm.
    assert reference == [
        "reference_tx.1 > optical_switch.5 > optical_switch.21 > tap1.in > tap1.1 > module.rx1",
        "2.65 dB",
        "± 0.18 dB",
        "-0.65 dBm",
    ]
    assert own[0].startswith("module.tx1 > ")
    assert own[3] == "2.72 dB below launch power"
    assert [len(rows(output, f"Rx{lane}")) for lane in range(1, 5)] == [2, 2, 2, 2]


def test_power_that_an_attenuator_can_set(tmp_path, capsys):
    channel = piece("optical_switch.29", "attenuator.1") + piece("attenuator.1", "optical_switch.13")
    text = FULL.replace("\n[supply]", ATTENUATOR + "\n[supply]") + channel
    code, output = checked(tmp_path, capsys, text)
    assert code == 0
    reference, own = rows(output, "Rx1")
    # 2.65 dB, 1.00 dB of the matrix again, two fibres of 0.3 dB and 1.5 dB of the attenuator: 5.75 dB.
    assert reference[1] == "5.75 dB"
    lowest, highest = re.fullmatch(r"(-[\d.]+) \.\. (-[\d.]+) dBm", reference[3]).groups()
    assert float(highest) == pytest.approx(-3.75, abs=0.0051)
    assert float(lowest) < -35.0
    assert re.fullmatch(r"5\.82 \.\. [\d.]+ dB below launch power", own[3])


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
    last = "optical_switch.30"
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
        duplex = duplex.replace(f'"module.tx{lane}"', f'"reference_tx.{lane + 4}"')
        duplex = duplex.replace(f'"module.rx{lane}"', f'"power_meter.{lane + 20}"')
    duplex = duplex.replace("[simulation.reference_tx]", "[simulation.reference_tx]\nlanes = 8 ")
    code, output = checked(tmp_path, capsys, duplex)
    assert code == 2
    (line,) = output.splitlines()
    assert "bench.toml: simulation.fault[1].kind: key_flipped is of an MPO-12 cable" in line
