"""Addresses of serial instruments: one form, read strictly, one spelling for one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial_address import SerialAddress


def test_a_line_of_this_computer():
    address = SerialAddress.parse("serial:/dev/ttyUSB0?baud=19200")
    assert (address.port, address.canonical) == ("/dev/ttyUSB0", "serial:/dev/ttyUSB0")
    assert address.settings == {"baudrate": 19200, "bytesize": 8, "parity": "N", "stopbits": 1}


def test_all_settings():
    address = SerialAddress.parse("serial:COM3?parity=even&baud=9600&bits=7&stop_bits=2")
    assert address.settings == {"baudrate": 9600, "bytesize": 7, "parity": "E", "stopbits": 2}
    assert address.canonical == "serial:COM3"


@pytest.mark.parametrize(
    "text", ["socket://192.0.2.15:10001", "socket://chamber.lab:10001", "socket://[2001:db8::1]:10001"]
)
def test_a_socket_has_no_settings(text):
    address = SerialAddress.parse(text)
    assert (address.port, address.canonical, address.baud, address.settings) == (text, text, None, {})


def test_spellings_of_one_line_and_of_one_host_meet(tmp_path):
    device, link = tmp_path / "ttyUSB0", tmp_path / "by-id"
    device.touch()
    link.symlink_to(device)
    one = SerialAddress.parse(f"serial:{device}?baud=9600")
    other = SerialAddress.parse(f"serial:{link}?baud=19200")
    assert one.canonical == other.canonical
    assert SerialAddress.parse("socket://Chamber:09001").canonical == "socket://chamber:9001"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("/dev/ttyUSB0", "no serial address; write serial:/dev/ttyUSB0?baud=19200 or socket://"),
        ("serial:ttyUSB0?baud=9600", "no serial address"),
        ("serial:COM0?baud=9600", "no serial address"),
        ("serial:/dev/tty USB0?baud=9600", "no serial address"),
        ("serial:/dev/ttyUSB0", "the speed is missing"),
        ("serial:/dev/ttyUSB0?parity=even", "the speed is missing"),
        ("serial:/dev/ttyUSB0?", "unknown setting ''"),
        ("serial:/dev/ttyUSB0?baud=19201", "baud=19201 is not one of 300, 600"),
        ("serial:/dev/ttyUSB0?baud=19200&speed=1", "unknown setting 'speed'; known are baud, bits"),
        ("serial:/dev/ttyUSB0?baud=9600&baud=9600", "baud stands twice"),
        ("serial:/dev/ttyUSB0?baud=9600&parity=E", "parity=E is not one of none, even, odd"),
        ("socket://192.0.2.15", "no socket address"),
        ("socket://192.0.2.15:0", "no socket address"),
        ("socket://192.0.2.15:65536", "no socket address"),
        ("socket://192.0.2.15:10001/x", "no socket address"),
        ("socket://:10001", "no socket address"),
        ("loop://", "no serial address"),
        ("", "no serial address"),
    ],
)
def test_what_is_none_is_refused_with_a_reason(text, what):
    with pytest.raises(ValueError) as raised:
        SerialAddress.parse(text)
    assert what in str(raised.value)


@given(st.one_of(st.text(), st.text().map("serial:{}".format), st.text().map("socket://{}:1".format)))
def test_any_text_is_an_address_or_a_value_error(text):
    try:
        address = SerialAddress.parse(text)
    except ValueError:
        return
    assert address.canonical.startswith(("serial:", "socket://"))
    assert "\n" not in address.port
