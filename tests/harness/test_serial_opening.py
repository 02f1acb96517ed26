"""Serial instruments of a bench: from the bench file to a driver on a port, in a lab and simulated."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import tty

import pytest

from drivers.clock import StopFlag
from drivers.errors import ConnectionFailedError
from drivers.line_session import LineSession
from harness.bench_file.reading import find_bench_file, load_bench
from harness.commands.bench import main as bench_command
from harness.opening import LabBackend, open_bench, open_what_can_be

ATS = 'driver = "temptronic-ats545"\naddress = "GPIB0::18::INSTR"'
SENSOR = 'shared_with = "thermal"\n'


def chamber(address):
    return f'driver = "espec-p300"\naddress = "{address}"'


@pytest.fixture
def chamber_bench(bench_file):
    """The shipped bench with a chamber for its thermal source, and the ATS for its case sensor."""

    def write(address="serial:/dev/ttyUSB0?baud=19200", *changes):
        return bench_file((ATS, chamber(address)), (SENSOR, f"{ATS}\n"), *changes)

    return write


@pytest.mark.parametrize("address", ["serial:/dev/ttyUSB0?baud=19200", "socket://192.0.2.15:10001"])
def test_a_simulated_bench_has_it_at_either_address(chamber_bench, address):
    bench = open_bench(load_bench(chamber_bench(address)))
    try:
        bench.connect()
        assert bench.identities["thermal"].model == "P300"
        assert bench.round_trips() > 0
        bench.thermal.start_setpoint_c(30.0, window_c=1.0, soak_s=0.0)
        bench.clock.sleep(600.0)
        assert bench.thermal.at_temperature()
        assert all(result.step.safe for result in bench.make_safe())
    finally:
        bench.close()


def test_a_chamber_can_be_told_to_fail(chamber_bench):
    fault = 'room_temp = "23 degC"\n[[simulation.fault]]\nrole = "thermal"\nkind = "dies"\nat = "0 s"'
    bench = open_bench(
        load_bench(chamber_bench("socket://192.0.2.15:10001", ('room_temp = "23 degC"', fault)))
    )
    try:
        bench.clock.sleep(1.0)
        with pytest.raises(ConnectionFailedError, match="thermal: nothing answers"):
            bench.thermal.connect()
    finally:
        bench.close()


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("/dev/ttyUSB0", "instruments.thermal.address: '/dev/ttyUSB0' is no serial address; write serial:"),
        ("serial:/dev/ttyUSB0", "instruments.thermal.address: 'serial:/dev/ttyUSB0': the speed is missing"),
        ("socket://192.0.2.15", "instruments.thermal.address: 'socket://192.0.2.15' is no socket address"),
        ("TCPIP0::192.0.2.15::10001::SOCKET", "instruments.thermal.address: 'TCPIP0::192.0.2.15::10001::SOC"),
    ],
)
def test_a_wrong_address_is_one_line(chamber_bench, capsys, address, line):
    assert bench_command(["check", str(chamber_bench(address))]) != 0
    printed = capsys.readouterr()
    found = [text for text in (printed.out + printed.err).splitlines() if "instruments.thermal" in text]
    assert len(found) == 1
    assert line in found[0]


def test_an_address_of_another_transport_is_none(bench_file, capsys):
    path = bench_file(('address = "GPIB0::18::INSTR"', 'address = "i2c:3"'))
    assert bench_command(["check", str(path)]) != 0
    printed = capsys.readouterr()
    assert "instruments.thermal.address: 'i2c:3' is no VISA address" in printed.out + printed.err


def lab_backend():
    return LabBackend(load_bench(find_bench_file("lab-example")), StopFlag())


def answer(read, write):
    """An instrument that answers each line with itself, until its line is closed."""
    line = b""
    with contextlib.suppress(OSError):
        while byte := read(1):
            line += byte
            if byte == b"\n":
                write(b"<" + line)
                line = b""


def test_a_lab_opens_a_line_of_this_computer():
    master, slave = os.openpty()
    tty.setraw(slave)
    helper = threading.Thread(
        target=answer, args=(lambda n: os.read(master, n), lambda data: os.write(master, data))
    )
    helper.start()
    backend = lab_backend()
    try:
        port = backend.serial_port(f"serial:{os.ttyname(slave)}?baud=19200")
        assert port.baudrate == 19200
        session = LineSession(port, backend.clock, name="chamber")
        assert session.query("TEMP?").text == "<TEMP?"
        session.close()
    finally:
        os.close(slave)
        helper.join()
        os.close(master)


def test_a_lab_opens_a_socket():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            client, _ = server.accept()
            with client:
                answer(client.recv, client.sendall)

        helper = threading.Thread(target=serve)
        helper.start()
        backend = lab_backend()
        port = backend.serial_port(f"socket://127.0.0.1:{server.getsockname()[1]}")
        session = LineSession(port, backend.clock, name="chamber")
        assert [session.query(text).text for text in ("TEMP?", "MODE?")] == ["<TEMP?", "<MODE?"]
        session.close()
        helper.join()


def test_a_line_that_is_not_there_says_so(chamber_bench):
    class Absent(LabBackend):
        def visa_resource(self, address):
            raise OSError("not asked for here")

    spec = load_bench(chamber_bench("serial:/dev/ttyLanewiseAbsent?baud=9600"))
    bench, faults = open_what_can_be(spec, backend=Absent(spec, StopFlag()))
    bench.close()
    assert "thermal: serial:/dev/ttyLanewiseAbsent?baud=9600 cannot be opened" in str(faults["thermal"])
