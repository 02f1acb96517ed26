"""The wire protocol: known bytes, round trips, and bytes that are none of it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulation.served import protocol
from harness.simulation.served.addresses import parse_module, parse_server
from harness.simulation.served.protocol import ClockKind, Greeting, ListedModule, ProtocolError

addresses = st.integers(0, 0x7F)
messages = st.lists(
    st.tuples(addresses, st.one_of(st.binary(max_size=300), st.integers(0, 300))),
    min_size=1,
    max_size=protocol.MOST_MESSAGES,
)
greetings = st.builds(
    Greeting,
    st.just(protocol.VERSION),
    st.sampled_from(ClockKind),
    st.floats(0.01, 1000.0),
    st.lists(
        st.builds(ListedModule, st.text(st.characters(codec="ascii"), max_size=40), st.integers(1, 8)),
        max_size=64,
    ).map(tuple),
)


def test_a_write_read_pair_is_these_bytes() -> None:
    body = protocol.encode_transfer(((0x50, b"\x81"), (0x50, 16)))
    assert body == bytes.fromhex("50 00 0001 81  50 01 0010")
    assert protocol.encode_request(b"T", 3, body) == bytes.fromhex("000C 54 0003") + body


def test_a_hello_is_these_bytes() -> None:
    assert protocol.encode_request(protocol.HELLO, 0) == b"\0\3H\0\0"
    greeting = Greeting(1, ClockKind.MANUAL, 1.0, (ListedModule("ab", 4),))
    assert protocol.encode_greeting(greeting) == bytes.fromhex("01 01 3FF0000000000000 0001 04 02") + b"ab"


@given(messages)
def test_transfers_survive_the_wire(transfer: list[protocol.BusMessage]) -> None:
    assert protocol.decode_transfer(protocol.encode_transfer(transfer)) == transfer


@given(greetings)
def test_greetings_survive_the_wire(greeting: Greeting) -> None:
    assert protocol.decode_greeting(protocol.encode_greeting(greeting)) == greeting


@given(st.lists(st.binary(min_size=1, max_size=100)), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    contents: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(protocol.frame(content) for content in contents)
    received, found = bytearray(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        received += stream[:size]
        stream = stream[size:]
        while (content := protocol.take_frame(received)) is not None:
            found.append(content)
    assert found == contents
    assert not received


@given(st.binary(max_size=200))
def test_any_bytes_are_a_transfer_or_refused(body: bytes) -> None:
    try:
        decoded = protocol.decode_transfer(body)
    except ProtocolError:
        return
    assert protocol.encode_transfer(decoded) == body


@given(st.binary(max_size=200))
def test_any_bytes_are_a_greeting_or_refused(body: bytes) -> None:
    try:
        protocol.decode_greeting(body)
    except ProtocolError:
        return
    assert body[0] == protocol.VERSION


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "1 to 42 messages"),
        (bytes.fromhex("50 01 00"), "cut off"),
        (bytes.fromhex("80 01 0001"), "7-bit"),
        (bytes.fromhex("50 02 0001"), "direction 2"),
        (bytes.fromhex("50 00 0003 AABB"), "3 bytes that are not there"),
        (bytes.fromhex("50 01 4000"), "16384 bytes to read"),
        (bytes.fromhex("50 01 2000 50 01 2000"), "16384 bytes to read"),
        (bytes.fromhex("50 01 0001") * 43, "not 43"),
    ],
)
def test_a_transfer_that_is_refused_says_why(body: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        protocol.decode_transfer(body)


@pytest.mark.parametrize("length", [0, 16_385, 65_535])
def test_a_frame_of_a_length_that_there_is_not_is_refused_at_once(length: int) -> None:
    with pytest.raises(ProtocolError, match=str(length)):
        protocol.take_frame(bytearray(struct.pack(">H", length)))


@pytest.mark.parametrize(
    ("text", "family", "shown"),
    [
        ("127.0.0.1:40123", "AF_INET", "127.0.0.1:40123"),
        ("[::1]:0", "AF_INET6", "[::1]:0"),
        ("unix:/tmp/a:b/c", "AF_UNIX", "unix:/tmp/a:b/c"),
    ],
)
def test_addresses_are_read_and_shown(text: str, family: str, shown: str) -> None:
    address = parse_server(text)
    assert address.family.name == family
    assert str(address) == shown


def test_a_slot_follows_the_last_slash() -> None:
    assert parse_module("localhost:1/12")[1] == 12
    assert parse_module("localhost:1")[1] == 0
    assert [str(part) for part in parse_module("unix:/a/3/4")] == ["unix:/a/3", "4"]


@pytest.mark.parametrize(
    "text", ["", "host", ":1", "host:65536", "host:-1", "host:²", "unix:", "host:1/x", "host:1/-1", "unix:/a"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_module(text)


def test_this_machine_alone_is_told_from_the_world() -> None:
    assert all(parse_server(text).is_local for text in ("127.0.0.1:0", "[::1]:0", "unix:/a", "localhost:1"))
    assert not any(parse_server(text).is_local for text in ("0.0.0.0:0", "10.0.0.1:0", "[::]:0"))
