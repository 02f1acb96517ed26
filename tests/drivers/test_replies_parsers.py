"""Reply parsers: known answers first, then anything at all: only the library's own errors come out."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import (
    EmptyReplyError,
    GarbledReplyError,
    InstrumentError,
    InvalidReadingError,
    OverloadError,
    PartialReplyError,
)
from drivers.interfaces import Identity
from drivers.replies import Reply, block_header, float32_values, uint16_pairs


def reply(text: str) -> Reply:
    return Reply("opm", "Q?", text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+1.33555600E-006", 1.335556e-6),
        ("-100.0", -100.0),
        ("+0", 0.0),
        (" 3.3\r", 3.3),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
    ],
)
def test_numbers(text, value):
    assert reply(text).real() == value


@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "-INF", "1.2.3", "1 2", "0x10", "1e", "+", "1,2", "1.0 dBm", "1_000", "٣", "1" * 65],
)
def test_what_is_no_number_is_garbled(text):
    with pytest.raises(GarbledReplyError):
        reply(text).real()


@pytest.mark.parametrize("text", ["", " ", "\r\n"])
def test_nothing_is_empty(text):
    with pytest.raises(EmptyReplyError):
        reply(text).real()


@pytest.mark.parametrize("text", ["9.91E+37", "+9.91000000E+037", "-9.91E37"])
def test_scpi_not_a_number(text):
    with pytest.raises(InvalidReadingError):
        reply(text).real()


@pytest.mark.parametrize("text", ["+3.40282E+038", "-3.40282E+38", "9.9E37", "1e999", "-9.9E+37"])
def test_overload(text):
    with pytest.raises(OverloadError):
        reply(text).real()


def test_error_names_instrument_command_and_reply():
    with pytest.raises(GarbledReplyError, match=r"opm.*Q\?.*hello"):
        reply("hello").real()


@pytest.mark.parametrize(("text", "value"), [("1", True), ("+0", False), ("on", True), ("OFF", False)])
def test_booleans(text, value):
    assert reply(text).boolean() is value


@pytest.mark.parametrize("text", ["2", "TRUE", "1.0", "01"])
def test_other_booleans_are_garbled(text):
    with pytest.raises(GarbledReplyError):
        reply(text).boolean()


def test_integer_limits():
    assert reply("+255").integer(0, 255) == 255
    with pytest.raises(GarbledReplyError):
        reply("256").integer(0, 255)
    with pytest.raises(GarbledReplyError):
        reply("1.0").integer()


def test_strings():
    assert reply('"17"').string() == "17"
    assert reply('"say ""no"""').string() == 'say "no"'
    assert reply("'it''s'").string() == "it's"
    assert reply("17").unquoted() == "17"
    assert reply('"17"').unquoted() == "17"
    for bad in ('"open', "bare", '"a"b"', '"a" "b"'):
        with pytest.raises(GarbledReplyError):
            reply(bad).string()


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ('+0,"No error"', ()),
        ('0,"No error"', ()),
        ("+0, No Error", ()),
        ('-113,"Undefined header"', ((-113, "Undefined header"),)),
        ('-222,"Data out of range;\tWAV 1,""x"""', ((-222, 'Data out of range;\tWAV 1,"x"'),)),
        ('-113,"A",-222,"B",0,"No error"', ((-113, "A"), (-222, "B"))),
    ],
)
def test_error_queue_entries(text, entries):
    assert reply(text).error_entries() == entries


@pytest.mark.parametrize("text", ["no error", "-113", '-113,"open', '-113,"A",', '-113,"A" -222,"B"'])
def test_garbled_error_queue_entries(text):
    with pytest.raises(GarbledReplyError):
        reply(text).error_entries()


def test_channel_lists():
    assert reply("(@1,2,3),(@19,18,22)").channel_lists(2) == ((1, 2, 3), (19, 18, 22))
    assert reply("(@),(@)").channel_lists(2) == ((), ())
    for bad in (
        "(@1)",
        "(@1),(@2),(@3)",
        "(@1,),(@2)",
        "(@0),(@17)",
        "(@1 2),(@3)",
        "@1,@2",
        "(@999999),(@1)",
    ):
        with pytest.raises(GarbledReplyError):
            reply(bad).channel_lists(2)


def test_identity():
    assert reply("Keysight Technologies,N7745C,MY1,1.0").identity() == Identity(
        "Keysight Technologies", "N7745C", "MY1", "1.0"
    )
    assert reply("A, B , C,1,2").identity() == Identity("A", "B", "C", "1,2")
    for bad in ("N7745C", "A,B,C", "A,,C,D", "A,B,C\x00,D", "A" * 300 + ",B,C,D"):
        with pytest.raises(GarbledReplyError):
            reply(bad).identity()


def test_block_header():
    header = block_header("opm", "Q?", b"#232" + bytes(32))
    assert header is not None
    assert (header.header_bytes, header.data_bytes) == (4, 32)
    for incomplete in (b"", b"#", b"#2", b"#23"):
        assert block_header("opm", "Q?", incomplete) is None
    for bad in (b"+1.0E-3\n", b"#0abc", b"#x", b"#2a2", b"#9999999999"):
        with pytest.raises(GarbledReplyError):
            block_header("opm", "Q?", bad)


def test_float32_values():
    block = struct.pack("<2f", 1e-3, -2e-12)
    assert float32_values("opm", "Q?", block, 2) == pytest.approx((1e-3, -2e-12))
    with pytest.raises(PartialReplyError):
        float32_values("opm", "Q?", block[:-1], 2)
    with pytest.raises(GarbledReplyError):
        float32_values("opm", "Q?", block + b"\0", 2)
    # One port's value is that port's: the caller knows which port was asked for.
    assert float32_values("opm", "Q?", struct.pack("<2f", float("inf"), 1.0), 2) == (float("inf"), 1.0)


def test_a_reply_that_cannot_be_parsed_tells_so_and_one_without_a_reading_does_not():
    told = []
    for parse in TEXT_PARSERS:
        told.append(None)
        with pytest.raises(GarbledReplyError):
            parse(Reply("opm", "Q?", "\xb5", told.clear))
        assert told == []
    told.append(None)
    with pytest.raises(EmptyReplyError):
        Reply("opm", "Q?", "", told.clear).real()
    assert told == []
    told.append(None)
    for text in ("9.91E37", "3.4E38"):
        with pytest.raises((InvalidReadingError, OverloadError)):
            Reply("opm", "Q?", text, told.clear).real()
    assert told == [None]


def test_uint16_pairs():
    assert uint16_pairs("opm", "Q?", b"\x01\x00\x01\x00\x02\x00\x01\x00") == ((1, 1), (2, 1))
    with pytest.raises(GarbledReplyError):
        uint16_pairs("opm", "Q?", b"\x01\x00")
    with pytest.raises(EmptyReplyError):
        uint16_pairs("opm", "Q?", b"")


TEXT_PARSERS = [
    lambda r: r.integer(),
    lambda r: r.real(),
    lambda r: r.reals(3),
    lambda r: r.boolean(),
    lambda r: r.string(),
    lambda r: r.unquoted(),
    lambda r: r.identity(),
    lambda r: r.error_entries(),
    lambda r: r.channel_lists(2),
]
LIKELY = st.text(alphabet="0123456789+-.eE,\"'(@)# aONF\r\x00é", max_size=40)


@given(st.one_of(st.text(max_size=300), LIKELY), st.sampled_from(TEXT_PARSERS))
def test_anything_gives_a_value_or_our_own_error(text, parse):
    try:
        parse(reply(text))
    except InstrumentError as error:
        assert error.instrument == "opm"  # noqa: PT017


@given(st.one_of(st.binary(max_size=64), st.binary(max_size=20).map(lambda tail: b"#" + tail)))
def test_any_bytes_give_a_value_or_our_own_error(data):
    for parse in (
        lambda: block_header("opm", "Q?", data),
        lambda: float32_values("opm", "Q?", data, 4),
        lambda: uint16_pairs("opm", "Q?", data),
    ):
        try:
            parse()
        except InstrumentError as error:
            assert error.command == "Q?"  # noqa: PT017


@given(st.floats(min_value=-1e30, max_value=1e30))
def test_numbers_survive_the_way_an_instrument_prints_them(value):
    assert reply(f"{value:+.8E}").real() == pytest.approx(value, rel=1e-8, abs=1e-300)
