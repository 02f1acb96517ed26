"""CDB messages as bytes: check codes, headers, replies, status and the command table."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cmis.cdb.advertisement import read_advertisement
from drivers.cmis.cdb.commands import COMMANDS, RANGES, command, encode_body
from drivers.cmis.cdb.message import (
    ReplyHeader,
    build_message,
    check_code,
    check_reply,
    parse_message,
    parse_reply_header,
)
from drivers.cmis.cdb.status import CdbStatus
from drivers.cmis.errors import CdbNotAdvertisedError, CdbReplyError
from drivers.cmis.image import MemoryImage


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (0x0040, 0xBF),
        (0x0041, 0xBE),
        (0x0042, 0xBD),
        (0x0043, 0xBC),
        (0x0100, 0xFE),
        (0x0102, 0xFC),
        (0x0107, 0xF7),
    ],
)
def test_check_codes_that_the_specification_prints(number: int, code: int) -> None:
    assert build_message(number) == number.to_bytes(2, "big") + bytes([0, 0, 0, code, 0, 0])


def test_the_check_code_covers_lengths_and_the_local_payload_only() -> None:
    message = build_message(0x0104, b"\x00\x00\x01\x02", 0x0800)
    assert message[:6] == bytes([0x01, 0x04, 0x08, 0x00, 0x04, ~(0x01 + 0x04 + 0x08 + 0x04 + 0x03) & 0xFF])
    assert message[6:] == b"\x00\x00\x00\x00\x01\x02"


@given(st.integers(0, 0xFFFF), st.binary(max_size=120), st.integers(0, 2048), st.binary(max_size=20))
def test_a_message_survives_the_page(number: int, lpl: bytes, epl_length: int, behind: bytes) -> None:
    found = parse_message(build_message(number, lpl, epl_length) + behind)
    assert found.ok
    assert (found.command, found.lpl, found.epl_length) == (number, lpl, epl_length)


@given(st.binary(min_size=1, max_size=120), st.data())
def test_one_wrong_bit_is_noticed(lpl: bytes, data: st.DataObject) -> None:
    message = bytearray(build_message(0x0103, lpl))
    covered = [*range(4), 5, *range(8, len(message))]  # without the length, which moves the end
    message[data.draw(st.sampled_from(covered))] ^= 1 << data.draw(st.integers(0, 7))
    assert not parse_message(bytes(message)).ok


@given(st.binary(min_size=8, max_size=128))
def test_whatever_lies_on_the_page_is_parsed(raw: bytes) -> None:
    found = parse_message(raw)
    if found.ok:
        assert build_message(found.command, found.lpl, min(found.epl_length, 2048))[:2] == raw[:2]


def test_a_message_does_not_show_its_payload() -> None:
    shown = repr(parse_message(build_message(0x0001, b"\xca\xfe\xba\xbe")))
    assert "0001h" in shown
    assert "ca" not in shown.lower().replace("check code", "").replace("message", "")
    assert "202" not in shown


def test_a_payload_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="121 bytes"):
        build_message(0x0103, bytes(121))
    with pytest.raises(ValueError, match="2049 bytes"):
        build_message(0x0104, b"", 2049)
    with pytest.raises(ValueError, match="FFFFh"):
        build_message(0x10000)


@pytest.mark.parametrize(("length", "lpl", "pages"), [(0, 0, 0), (120, 120, 0), (240, 0, 1), (255, 0, 16)])
def test_reply_lengths(length: int, lpl: int, pages: int) -> None:
    header = parse_reply_header(bytes([length, 0]))
    assert (header.lpl_bytes, header.epl_pages) == (lpl, pages)


@pytest.mark.parametrize("length", [121, 239])
def test_a_reply_length_that_stands_for_nothing(length: int) -> None:
    with pytest.raises(CdbReplyError, match=f"RPLLength .9Fh:134. is {length}"):
        parse_reply_header(bytes([length, 0]))


@given(st.binary(min_size=1, max_size=120), st.integers(0, 255))
def test_reply_check_codes(body: bytes, code: int) -> None:
    right = check_code(body)
    header = ReplyHeader(len(body), code)
    if code == right:
        check_reply(header, body)
        return
    with pytest.raises(CdbReplyError, match=f"{code:02X}h, but .* {right:02X}h"):
        check_reply(header, body)
    if code:
        check_reply(header, body, strict=False)
    else:
        with pytest.raises(CdbReplyError):
            check_reply(header, body, strict=False)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (0x00, "no result"),
        (0x01, "success"),
        (0x03, "aborted"),
        (0x81, "captured"),
        (0x83, "executed"),
        (0x40, "no reason given"),
        (0x41, "unknown command"),
        (0x45, "check code"),
        (0x46, "password"),
        (0x47, "not possible now"),
        (0x62, "checksum"),
        (0x5F, "reserved or vendor-specific code 31"),
    ],
)
def test_status_in_words(raw: int, words: str) -> None:
    status = CdbStatus.decode(raw)
    assert words in status.text
    assert status.text.startswith(f"{raw:02X}h")
    assert status.succeeded == (raw == 0x01)


@given(st.integers(0, 255))
def test_every_status_byte_has_a_text(raw: int) -> None:
    status = CdbStatus.decode(raw)
    assert status.raw == raw
    assert status.text
    assert isinstance(status.advice, str)


def test_every_number_belongs_to_one_range() -> None:
    ends = [(part.first, part.last) for part in RANGES]
    assert ends[0][0] == 0
    assert ends[-1][1] == 0xFFFF
    assert all(second[0] == first[1] + 1 for first, second in itertools.pairwise(ends))
    assert command(0x0215).group == "performance monitoring"
    with pytest.raises(ValueError):
        command(0x10000)


def test_only_password_commands_are_secret_and_only_firmware_commands_change_firmware() -> None:
    assert {number for number, entry in COMMANDS.items() if entry.secret} == {0x0001, 0x0002, 0x0003}
    changing = {number for number, entry in COMMANDS.items() if entry.changes_firmware}
    assert changing == {0x0101, 0x0103, 0x0104, 0x0107, 0x0108, 0x0109, 0x010A}


def test_a_body_is_made_of_its_fields() -> None:
    assert encode_body(COMMANDS[0x0109], 0, 1, 300) == bytes([0, 1, 1, 0x2C])
    with pytest.raises(ValueError, match="RunReserved, ImageToRun, DelayToReset"):
        encode_body(COMMANDS[0x0109], 0, 1)


def test_a_short_reply_yields_the_fields_it_reaches() -> None:
    assert COMMANDS[0x0000].decode_reply(b"\x02") == {"QueryStatusLength": 2}
    assert COMMANDS[0x0041].decode_reply(bytes(18))["MaxDurationCopy"] == 0


def _advertising(*codes: int, flat: bool = False) -> MemoryImage:
    page = bytearray(128)
    page[163 - 128 : 163 - 128 + len(codes)] = bytes(codes)
    lower = bytearray(128)
    lower[2] = flat << 7
    return MemoryImage(bytes(lower), {(0, 1): bytes(page)})


def test_advertisements_of_two_real_modules() -> None:
    xdr4 = read_advertisement(_advertising(0x77, 0x0F))
    assert (xdr4.instances, xdr4.background, xdr4.auto_paging) == (1, True, True)
    assert (xdr4.epl_pages, xdr4.access_bytes) == (16, 128)
    zr = read_advertisement(_advertising(0xB7, 0xFF))
    assert (zr.instances, zr.epl_pages, zr.access_bytes) == (2, 16, 2048)


@pytest.mark.parametrize(
    ("codes", "busy_s", "patience_s"),
    [
        ((0x40, 0, 0x00, 0x00), 0.080, 0.160),  # 80 - 0 ms
        ((0x40, 0, 0x00, 0x3C), 0.020, 0.160),  # 80 - 60 ms
        ((0x40, 0, 0x1F, 0x80), 4.96, 4.96),
        ((0x40, 0, 0x00, 0x80), 0.160, 0.160),
        ((0x40, 0, 0x1F, 0x00), 0.080, 4.96),  # by the selector 80 ms; waited for is the longer reading
    ],
)
def test_busy_times(codes: tuple[int, ...], busy_s: float, patience_s: float) -> None:
    found = read_advertisement(_advertising(*codes))
    assert found.max_busy_s == pytest.approx(busy_s)
    assert found.patience_s == pytest.approx(patience_s)


def test_modules_without_cdb() -> None:
    assert read_advertisement(_advertising(0x00)).instances == 0
    with pytest.raises(CdbNotAdvertisedError, match="flat memory"):
        read_advertisement(_advertising(0x77, flat=True))
    with pytest.raises(CdbNotAdvertisedError, match="reserved"):
        read_advertisement(_advertising(0xC0))
    with pytest.raises(CdbNotAdvertisedError, match="reserved"):
        read_advertisement(_advertising(0x48))
