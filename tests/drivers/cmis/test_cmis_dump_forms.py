"""Forms of dump files beside JSON: each is read as what it says, and what it cannot say is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.cmis.dump import (
    FORMS,
    Dump,
    DumpMemory,
    PageOutcome,
    PageRecord,
    form_of,
    format_dump,
    load_dump,
    only_pages,
    parse_dump,
    save_dump,
)
from drivers.cmis.errors import BytesNotReadError, DumpFormatError, PageUnavailableError
from drivers.cmis.image import MemoryImage

Contents = tuple[tuple[tuple[int, bytes], ...] | None, dict[tuple[int, int], tuple[tuple[int, bytes], ...]]]


def contents(image: MemoryImage) -> Contents:
    """All that an image knows, to be compared."""
    return (
        image.known(0, None) if image.has_lower else None,
        {(bank, page): image.known(bank, page) for bank, page in image.pages()},
    )


def half(seed: int) -> bytes:
    return bytes((seed + index) % 256 for index in range(128))


def rows(data: bytes, start: int, template: str = "0x{:04x}:\t\t{}\n") -> str:
    return "".join(
        template.format(start + offset, data[offset : offset + 16].hex(" "))
        for offset in range(0, len(data), 16)
    )


ETHTOOL_HEAD = "Offset\t\tValues\n------\t\t------\n"


def test_ethtool_lower_memory_and_page_00h() -> None:
    image = parse_dump((ETHTOOL_HEAD + rows(half(1) + half(2), 0)).encode()).image
    assert image.get(0, 0, 0, 128) == half(1)
    assert image.get(0, 0, 128, 128) == half(2)
    assert list(image.pages()) == [(0, 0x00)]


def test_ethtool_longer_dumps_are_linear() -> None:
    image = parse_dump((ETHTOOL_HEAD + rows(half(1) + half(2) + half(3) + half(4), 0)).encode()).image
    assert [image.get(0, page, 128, 128) for page in (0, 1, 2)] == [half(2), half(3), half(4)]


def test_ethtool_pages_are_named_by_the_command_lines() -> None:
    text = (
        "root@switch:~# ethtool -m swp1 hex on offset 0 length 128\n"
        + ETHTOOL_HEAD
        + rows(half(1), 0)
        + "root@switch:~# ethtool -m swp1 hex on page 0x11 bank 1 offset 0x80 length 128\n"
        + ETHTOOL_HEAD
        + rows(half(5), 128)
        + "root@switch:~# ethtool -m swp1 hex on page 16 offset 128 length 16\n"
        + ETHTOOL_HEAD
        + rows(half(7)[:16], 128)
        + "root@switch:~# ethtool -m swp1 hex on offset 128 length 128\n"
        + rows(half(9), 128)
    )
    image = parse_dump(text.encode()).image
    assert list(image.pages()) == [(0, 0x00), (0, 0x10), (1, 0x11)]
    assert image.get(1, 0x11, 128, 128) == half(5)
    assert image.get(0, 0x00, 128, 128) == half(9)
    assert image.get(0, 0x10, 128, 16) == half(7)[:16]
    with pytest.raises(BytesNotReadError, match="10h:144-147 was not read"):
        image.get(0, 0x10, 140, 8)


SFPUTIL = """EEPROM hexdump for port Ethernet0 page 11h
        Lower page 0h
{lower}
        Upper page 0h
{page_00h}
        Upper page 11h
{page_11h}
        Upper page 12h
Error: Failed to read EEPROM for page 12h, flat_offset 2432, page_offset 128, size 128!
"""


def sfputil_rows(data: bytes, start: int) -> str:
    lines = []
    for offset in range(0, 128, 16):
        row = data[offset : offset + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"        {start + offset:08x} {row[:8].hex(' ')}  {row[8:].hex(' ')} |{text}|")
    return "\n".join(lines) + "\n"


def test_sfputil_pages() -> None:
    text = SFPUTIL.format(
        lower=sfputil_rows(half(1), 0),
        page_00h=sfputil_rows(half(0x40), 128),
        page_11h=sfputil_rows(half(0x70), 128),
    )
    dump = parse_dump(text.encode())
    assert (dump.form, dump.source) == ("text", "Ethernet0")
    assert dump.image.get(0, 0, 0, 128) == half(1)
    assert dump.image.get(0, 0x00, 128, 128) == half(0x40)
    assert dump.image.get(0, 0x11, 128, 128) == half(0x70)
    (record,) = dump.refused
    assert (record.page, record.outcome) == (0x12, PageOutcome.REFUSED)


def test_sfputil_of_several_pages_repeats_lower_memory_and_the_last_one_counts() -> None:
    parts = [
        f"EEPROM hexdump for port Ethernet0 page {page:x}h\n        Lower page 0h\n"
        + sfputil_rows(half(page), 0)
        + "\n        Upper page 0h\n"
        + sfputil_rows(half(0x40), 128)
        + f"\n        Upper page {page:x}h\n"
        + sfputil_rows(half(page), 128)
        for page in (0x10, 0x11)
    ]
    dump = parse_dump("\n".join(parts).encode())
    assert dump.image.get(0, 0, 0, 128) == half(0x11)
    assert list(dump.image.pages()) == [(0, 0x00), (0, 0x10), (0, 0x11)]
    assert any("lower memory more than once" in note for note in dump.notes)


def test_dumps_of_two_modules_are_refused() -> None:
    two = "".join(f"        Upper page 0h\n{sfputil_rows(half(seed), 128)}" for seed in (1, 2))
    with pytest.raises(DumpFormatError, match="line 11: byte 128 of page 00h is 02h and was 01h"):
        parse_dump(two.encode())
    with pytest.raises(DumpFormatError, match="line 2 begins port 'Ethernet8', after port 'Ethernet0'"):
        parse_dump(b"EEPROM hexdump for port Ethernet0\nEEPROM hexdump for port Ethernet8\n")


def test_hexdump_c_with_repeated_rows() -> None:
    text = (
        "00000000  18 40 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |.@..............|\n"
        "00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
        "*\n"
        "00000080  7c 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  ||...............|\n"
        "00000090  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
        "*\n"
        "00000100\n"
    )
    image = parse_dump(text.encode()).image
    assert image.get(0, 0, 0, 128) == b"\x18\x40" + bytes(126)
    assert image.get(0, 0, 128, 128) == b"\x7c" + bytes(127)
    assert image.unread() == ()


@pytest.mark.parametrize("group", [1, 2])
def test_xxd(group: int) -> None:
    data = half(0x15) + half(0x30)
    lines = []
    for offset in range(0, 256, 16):
        row = data[offset : offset + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset:08x}: {row.hex(' ', group)}  {text}")
    image = parse_dump("\n".join(lines).encode()).image
    assert image.get(0, 0, 0, 128) + image.get(0, 0, 128, 128) == data


def test_i2cdump_bytes_that_could_not_be_read() -> None:
    text = "     0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f    0123456789abcdef\n"
    text += "00: 18 40 XX 07 00 00 00 00 00 00 00 00 00 00 00 00    .@X.............\n"
    image = parse_dump(text.encode()).image
    assert image.get(0, 0, 0, 2) == b"\x18\x40"
    assert image.get(0, 0, 3, 1) == b"\x07"
    assert [str(span) for span in image.unread()] == ["lower:2", "lower:16-127"]


def test_plain_digits_and_a_console_in_utf_16() -> None:
    data = half(1) + half(2)
    assert parse_dump(data.hex().encode()).image.get(0, 0, 128, 128) == half(2)
    lines = "\n".join(data[start : start + 30].hex() for start in range(0, 256, 30))
    assert parse_dump(lines.encode()).image.get(0, 0, 0, 128) == half(1)
    assert parse_dump(rows(data, 0).encode("utf-16")).image.get(0, 0, 0, 128) == half(1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello\n", "no line of it is an offset"),
        (rows(half(1), 128), "line 1 begins at offset 0x80 and nothing says of which page"),
        ("page 11\n" + rows(half(1), 128), "line 1: page 11 may be decimal or hexadecimal"),
        ("page 0x11 bank 300\n" + rows(half(1), 128), "line 1: bank 300 is not 0..255"),
        ("Upper page 11h\n" + rows(half(1), 0), "line 2 has offset 0x0, expected 0x80..0xff"),
        ("Lower page 0h\n" + rows(half(1), 128), "line 2 has offset 0x80, expected 0x0..0x7f"),
        ("0x0000: 18 4\n", "line 1: '4' is no byte"),
        ("0x0000: 18 zz\n", "line 1: 'zz' is no byte"),
        ("0x0000: 18 40\n0x0010: 00\n", "line 2 has offset 0x10, expected 0x2"),
        ("0000000 18 40\n0000020 00 00\n", "offsets are not hexadecimal"),
        ("0000000 4018 0706\n", "hexdump -C"),
        ("*\n", "line 1 is '[*]', which repeats a row"),
        ("0x0000: 18\n*\n", "line 2 is '[*]', and no offset below"),
        ("0x0000: 18 40\n*\n0x0005: 00\n", "no repetition of 2 bytes"),
        ("00000000 18\n*\nffffffff\n", "offset 0xffffffff"),
        ("0xffff: 18\n", "nothing says of which page"),
        ("ethtool -m x\n0xffff: 18\n", "line 2 has offset 0xffff, expected"),
        ("        A0h dump\n" + rows(half(1), 0), "SFF-8472"),
        ("0x0000: " + "00 " * 3000, "characters"),
    ],
)
def test_text_that_is_no_dump_is_refused_with_line_and_reason(text: str, reason: str) -> None:
    with pytest.raises(DumpFormatError, match=reason):
        parse_dump(text.encode())


lines_of_text = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "*",
                "page 11h",
                "Upper page 0h",
                "Lower page 0h",
                "page 0x20 bank 3",
                "ethtool -m e hex on page 17",
                "EEPROM hexdump for port Ethernet0",
                "00000100",
                "Failed to read EEPROM for page 7h",
            ]
        ),
        st.builds(
            "{}{:04x}{}{}".format,
            st.sampled_from(["0x", "", "    "]),
            st.one_of(st.sampled_from([0, 0x10, 0x80, 0x90, 0x100]), st.integers(0, 1 << 20)),
            st.sampled_from([": ", " ", "  ", ":\t\t"]),
            st.binary(max_size=18).map(lambda data: data.hex(" ")),
        ),
        st.text(max_size=12),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=300)
@given(lines_of_text.map("\n".join))
def test_no_text_raises_anything_but_a_format_error(text: str) -> None:
    reason = ""
    try:
        parse_dump(text.encode("utf-8", "replace"))
    except DumpFormatError as error:
        reason = str(error)
    assert reason.isprintable()


halves = st.one_of(st.binary(min_size=128, max_size=128), st.integers(0, 255).map(lambda seed: half(seed)))
places = st.tuples(st.integers(0, 255), st.integers(0, 255)).map(
    lambda place: (place[0] if place[1] >= 0x10 else 0, place[1])
)


@st.composite
def dumps(draw: st.DrawFn) -> Dump:
    image = MemoryImage(draw(st.none() | halves), draw(st.dictionaries(places, halves, max_size=4)))
    for bank, page in image.pages():
        if draw(st.booleans()):
            first = draw(st.integers(128, 255))
            image.mark_unread(bank, page, first, draw(st.integers(1, 256 - first)))
    if image.has_lower and draw(st.booleans()):
        image.mark_unread(0, 0, 8, 6)
    return Dump(
        image,
        source=draw(st.text(max_size=10)),
        taken_at="2026-11-22T05:52:39+00:00",
        module={"vendor": draw(st.text(max_size=5))},
        records=(PageRecord(1, 0x11, PageOutcome.FELL_BACK, (0, 0), "why", "odd"),),
        notes=("read me",),
    )


@settings(deadline=None, max_examples=60)
@given(dumps())
def test_json_keeps_everything(dump: Dump) -> None:
    if not dump.image.has_lower and not list(dump.image.pages()):
        return
    back = parse_dump(format_dump(dump, keep_passwords=True))
    assert contents(back.image) == contents(dump.image)
    assert (back.source, back.taken_at, back.module) == (dump.source, dump.taken_at, dump.module)
    assert (back.records, back.notes) == (dump.records, dump.notes)


@settings(deadline=None, max_examples=60)
@given(dumps(), st.sampled_from(["binary", "text"]))
def test_binary_and_text_keep_every_byte_and_which_are_unknown(dump: Dump, form: str) -> None:
    known = contents(dump.image)
    if not known[0] and not any(known[1].values()):
        return
    back = contents(parse_dump(format_dump(dump, form, keep_passwords=True)).image)
    assert back == known


@settings(deadline=None)
@given(st.lists(halves, min_size=1, max_size=6))
def test_raw_is_what_it_was(parts: list[bytes]) -> None:
    image = MemoryImage(parts[0], {(0, page): data for page, data in enumerate(parts[1:])})
    raw = format_dump(Dump(image), "raw", keep_passwords=True)
    assert raw == b"".join(parts)


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ({(0, 0x00): half(1), (0, 0x02): half(2)}, "02h would lie beyond a gap"),
        ({(0, 0x11): half(1)}, "11h would lie beyond a gap"),
        ({(1, 0x10): half(1)}, "10h@1 would lie beyond a gap"),
    ],
)
def test_raw_refuses_what_it_would_lose(pages: dict[tuple[int, int], bytes], reason: str) -> None:
    with pytest.raises(DumpFormatError, match=reason):
        format_dump(Dump(MemoryImage(half(0), pages)), "raw")


def test_raw_refuses_to_make_up_bytes() -> None:
    image = MemoryImage(half(0))
    image.mark_unread(0, 0, 8, 6)
    with pytest.raises(DumpFormatError, match="lower:8-13 were not read"):
        format_dump(Dump(image), "raw")
    with pytest.raises(DumpFormatError, match="begins with lower memory"):
        format_dump(Dump(MemoryImage(None, {(0, 0): half(0)})), "raw")


def test_pages_can_be_left_out_for_raw() -> None:
    dump = Dump(MemoryImage(half(0), {(0, 0): half(1), (0, 0x11): half(2), (1, 0x11): half(3)}))
    assert format_dump(only_pages(dump, (0x00,)), "raw", keep_passwords=True) == half(0) + half(1)
    assert list(only_pages(dump, (0x00, 0x11), banks=(1,)).image.pages()) == [(0, 0), (1, 0x11)]


@pytest.mark.parametrize("length", [30, 167, 168 + 148])
def test_a_damaged_binary_dump_is_refused(length: int) -> None:
    data = format_dump(Dump(MemoryImage(half(0))), "binary")
    assert len(data) == 168
    with pytest.raises(DumpFormatError, match=r"cut off or damaged|checksum"):
        parse_dump((data + bytes(148))[:length])


@given(st.integers(16, 163), st.integers(1, 255))
def test_a_changed_byte_of_a_binary_dump_is_noticed(position: int, change: int) -> None:
    data = bytearray(format_dump(Dump(MemoryImage(half(0))), "binary"))
    data[position] ^= change
    with pytest.raises(DumpFormatError, match="checksum"):
        parse_dump(bytes(data))


def test_unread_bytes_of_json_are_no_zeros() -> None:
    image = MemoryImage(half(0))
    image.mark_unread(0, 0, 8, 6)
    digits = json.loads(format_dump(Dump(image)))["pages"]["lower"]
    assert digits[16:28] == "-" * 12
    with pytest.raises(BytesNotReadError):
        parse_dump(format_dump(Dump(image))).image.get(0, 0, 0, 128)


@pytest.mark.parametrize("form", FORMS)
def test_passwords_are_in_a_file_only_when_asked_for(form: str) -> None:
    lower = half(0)[:118] + b"\0\0\x10\x11\x5e\xc2\xe7\xa9" + half(0)[126:]
    dump = Dump(MemoryImage(lower, {(0, 0x00): half(1)}))
    data = format_dump(dump, form)
    for hidden in (b"\x5e\xc2\xe7\xa9", b"5ec2e7a9", b"5e c2 e7 a9", b"5ec2", b"c2 e7"):
        assert hidden not in data
    back = parse_dump(data)
    assert back.image.get(0, 0, 0, 118) == lower[:118]
    assert back.image.get(0, 0, 126, 2) == lower[126:]
    if form == "raw":  # it cannot say that a byte is missing
        assert back.image.get(0, 0, 118, 8) == bytes(8)
    else:
        assert [str(span) for span in back.image.unread()] == ["lower:118-125"]
    if form == "json":
        assert "lower:118-125" in back.notes[-1]
    assert contents(parse_dump(format_dump(dump, form, keep_passwords=True)).image) == contents(dump.image)


def test_the_body_of_a_password_command_is_left_out_of_a_file() -> None:
    def page(command: int) -> bytes:
        return bytes([0, command]) + bytes(6) + b"\x5e\xc2\xe7\xa9" + bytes(116)

    image = MemoryImage(bytes(128), {(bank, 0x9F): page(command) for bank, command in enumerate((1, 2, 4))})
    back = parse_dump(format_dump(Dump(image)))
    assert [str(span) for span in back.image.unread()] == ["9Fh:136-139", "9Fh@1:136-139"]
    assert back.image.get(2, 0x9F, 136, 4) == b"\x5e\xc2\xe7\xa9"


def test_a_page_twice_in_json_is_refused() -> None:
    pages = {"11h": half(1).hex(), "11h@0": half(2).hex()}
    with pytest.raises(DumpFormatError, match="'11h' and '11h@0' are the same page"):
        parse_dump(json.dumps({"pages": pages}).encode())


def test_files_are_written_by_their_suffix(tmp_path: Path) -> None:
    image = MemoryImage(half(0), {(0, 0x00): half(1), (0, 0x11): half(2)})
    for suffix in ("json", "bin", "txt"):
        path = tmp_path / f"module.{suffix}"
        save_dump(image, path, keep_passwords=True)
        assert contents(load_dump(path).image) == contents(image)
    with pytest.raises(DumpFormatError, match="gap"):
        save_dump(image, tmp_path / "module.raw")
    assert not (tmp_path / "module.raw").exists()
    with pytest.raises(ValueError, match="does not say which form"):
        form_of(tmp_path / "module")
    with pytest.raises(ValueError, match="is none of"):
        format_dump(Dump(image), "xml")
    stream = io.BytesIO()
    save_dump(Dump(image), stream, keep_passwords=True)
    assert contents(parse_dump(stream.getvalue()).image) == contents(image)
    assert set(FORMS) == {"json", "binary", "raw", "text"}


def test_a_dump_as_memory_says_what_it_does_not_have() -> None:
    image = MemoryImage(half(0))
    image.mark_unread(0, 0, 8, 6)
    memory = DumpMemory(image)
    assert memory.read(0, 0, 0, 8) == half(0)[:8]
    with pytest.raises(BytesNotReadError, match="lower:8-11 was not read"):
        memory.read(0, 0, 4, 8)
    with pytest.raises(PageUnavailableError, match="the dump does not hold it"):
        memory.read(0, 0x11, 128, 1)
    image.put(0, 0, 8, bytes(6))
    assert memory.read(0, 0, 8, 6) == bytes(6)
