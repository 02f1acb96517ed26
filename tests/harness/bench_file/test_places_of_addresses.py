"""Which addresses lead to one place, and what a bench file with two roles there is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bench_file.places import host_of, place_of
from harness.bench_file.reading import load_bench
from harness.tables import TableError

SAME = [
    ("visa TCPIP0::10.0.0.5::5025::SOCKET", "visa TCPIP1::10.0.0.5::5025::SOCKET"),
    ("visa TCPIP0::Meter.lab::inst0::INSTR", "visa TCPIP0::meter.LAB::inst0::INSTR"),
    ("visa TCPIP0::10.0.0.5::hislip0::INSTR", "visa TCPIP0::10.0.0.5::hislip0,4880::INSTR"),
    ("visa TCPIP0::10.0.0.5::10001::SOCKET", "serial socket://10.0.0.5:10001"),
    ("visa USB0::0x0957::0x1234::SN1::0::INSTR", "visa USB0::2391::4660::SN1::0::INSTR"),
    ("visa ASRL3::INSTR", "serial serial:COM3?baud=9600"),
    ("visa ASRLCOM3::INSTR", "serial serial:COM3?baud=19200"),
    ("visa ASRL/dev/ttyUSB0::INSTR", "serial serial:/dev/ttyUSB0?baud=9600"),
    ("i2c i2c:1", "i2c i2c:01"),
    ("i2c sim:127.0.0.1:4000", "i2c sim:127.0.0.1:4000/0"),
]
OTHER = [
    ("visa TCPIP0::10.0.0.5::5025::SOCKET", "visa TCPIP0::10.0.0.5::5026::SOCKET"),
    ("visa TCPIP0::10.0.0.5::5025::SOCKET", "visa TCPIP0::10.0.0.5::inst0::INSTR"),  # `bench check` asks them
    ("visa TCPIP0::10.0.0.5::inst0::INSTR", "visa TCPIP0::10.0.0.5::inst1::INSTR"),
    ("visa TCPIP0::10.0.0.5::hislip0,5000::INSTR", "visa TCPIP0::10.0.0.5::hislip0::INSTR"),
    ("visa GPIB0::18::INSTR", "visa GPIB1::18::INSTR"),
    ("visa USB0::0x0957::0x1234::SN1::0::INSTR", "visa USB0::0x0957::0x1234::SN2::0::INSTR"),
    ("serial serial:COM3?baud=9600", "serial serial:COM13?baud=9600"),
    ("i2c i2c:1", "i2c i2c:11"),
    ("i2c sim:127.0.0.1:4000/1", "i2c sim:127.0.0.1:4000/0"),
    ("i2c sim:unix:/tmp/A/0", "i2c sim:unix:/tmp/a/0"),
]


def place(text: str) -> str:
    transport, _, address = text.partition(" ")
    return place_of(transport, address)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_place(one: str, other: str) -> None:
    assert place(one) == place(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_two_places(one: str, other: str) -> None:
    assert place(one) != place(other)


def test_a_link_and_its_device_are_one_line(tmp_path: Path) -> None:
    device = tmp_path / "ttyUSB7"
    device.touch()
    link = tmp_path / "usb-FTDI-if00"
    link.symlink_to(device)
    assert place_of("serial", f"serial:{link}?baud=9600") == place_of("visa", f"ASRL{device}::INSTR")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("TCPIP0::Meter.lab::inst0::INSTR", "meter.lab"),
        ("TCPIP0::10.0.0.5::5025::SOCKET", "10.0.0.5"),
        ("socket://10.0.0.5:10001", "10.0.0.5"),
        ("GPIB0::18::INSTR", ""),
        ("i2c:1", ""),
    ],
)
def test_hosts(address: str, host: str) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize(
    ("role", "old", "new"),
    [
        ("power_supply", "TCPIP0::192.0.2.13::inst0::INSTR", "TCPIP1::192.0.2.12::5025::SOCKET"),
        ("power_supply", "TCPIP0::192.0.2.13::inst0::INSTR", "TCPIP::192.0.2.11::inst0::INSTR"),
    ],
)
def test_a_bench_file_with_two_roles_at_one_place_is_refused(
    bench_file: object, role: str, old: str, new: str
) -> None:
    path = bench_file((old, new))  # type: ignore[operator]
    with pytest.raises(TableError) as refused:
        load_bench(path)
    (complaint,) = refused.value.complaints
    assert f"instruments.{role}.address" in complaint
    assert "is used already, by" in complaint
    assert "shared_with" in complaint


def test_two_boards_on_one_bus_are_refused(bench_file: object) -> None:
    board = '[instruments.host_board]\ndriver = "i2c-host-board"\naddress = "i2c:1"\n'
    second = (
        '[instruments.reference_tx]\ndriver = "reference-module"\naddress = "i2c:01"\n'
        "[instruments.reference_tx.options]\nexpander_address = 0x20\n"
        "pin_bits = { reset_l = 0, lpmode = 1, modsel_l = 2, modprs_l = 8, int_l = 9 }\n"
    )
    path = bench_file((board, second + board))  # type: ignore[operator]
    with pytest.raises(TableError) as refused:
        load_bench(path)
    assert "is used already, by reference_tx" in str(refused.value)
