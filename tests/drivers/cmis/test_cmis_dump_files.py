"""Dump files are untrusted: each is either read or refused with one clear reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.cmis.dump import LARGEST_FILE_BYTES, load_dump, parse_dump
from drivers.cmis.errors import DumpFormatError

HALF = "18" * 128


def as_json(**pages: object) -> bytes:
    return json.dumps({"pages": {name.replace("p", ""): data for name, data in pages.items()}}).encode()


def test_json_pages_are_read_into_their_bank() -> None:
    document = {
        "pages": {"lower": HALF, "00h": "00" * 128, "1Fh": "ab" * 128},
        "bank": "1",
        "source": "somewhere",
    }
    dump = parse_dump(json.dumps(document).encode())
    assert dump.source == "somewhere"
    assert list(dump.image.pages()) == [(0, 0x00), (1, 0x1F)]
    assert dump.image.get(1, 0x1F, 255, 1) == b"\xab"


def test_json_may_begin_with_a_byte_order_mark_and_spaces() -> None:
    assert parse_dump(b"\xef\xbb\xbf\r\n" + as_json(lower=HALF)).image.has_lower


@pytest.mark.parametrize(("halves", "pages"), [(1, []), (2, [0]), (4, [0, 1, 2]), (257, list(range(256)))])
def test_binary_dumps_are_lower_memory_and_pages_in_order(halves: int, pages: list[int]) -> None:
    data = b"".join(bytes([index % 100]) * 128 for index in range(halves))
    image = parse_dump(data).image
    assert [page for _, page in image.pages()] == pages
    assert image.get(0, 0, 0, 1) == b"\0"
    for page in pages:
        assert image.get(0, page, 128, 1) == bytes([(page + 1) % 100])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes"),
        (bytes(127), "127 bytes"),
        (bytes(128 * 258), "33024 bytes"),
        (b"{", "not valid JSON"),
        (b"{\xff}", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "no object 'pages'"),
        (b"{}", "no object 'pages'"),
        (b'{"pages": {}}', "no object 'pages'"),
        (b'{"pages": []}', "no object 'pages'"),
        (as_json(lower="18" * 127), "'lower' has 127 bytes"),
        (as_json(lower="1"), "'lower' is not pairs of hexadecimal digits"),
        (as_json(lower="zz" * 128), "'lower' is not pairs of hexadecimal digits"),
        (as_json(lower=5), "'lower' is not text"),
        (as_json(p00h=None), "'00h' is not text"),
        (as_json(upper=HALF), "uer' is neither"),
        (b'{"pages": {"00h\\u001b": ""}}', r"'00h\\x1b' is neither"),
        (b'{"pages": {"lower": ""}, "bank": 256}', "bank 256"),
        (b'{"pages": {"lower": ""}, "bank": true}', "bank True"),
        (b'{"pages": {"lower": ""}, "bank": "x"}', "bank 'x'"),
        (b'{"pages": ' + b"9" * 5000 + b"}", "JSON"),
    ],
)
def test_what_is_no_dump_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DumpFormatError, match=reason):
        parse_dump(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(HALF),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["pages", "lower", "00h", "11h", "bank", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=600), json_values.map(lambda value: json.dumps(value).encode())))
def test_nothing_but_a_format_error_is_raised(data: bytes) -> None:
    reason = ""
    try:
        parse_dump(data)
    except DumpFormatError as error:
        reason = str(error)
    assert reason.isprintable()


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(DumpFormatError, match="No such file"):
        load_dump(tmp_path / "missing.json")
    with pytest.raises(DumpFormatError, match="cannot be read"):
        load_dump(tmp_path)
    with pytest.raises(DumpFormatError, match="cannot be read"):
        load_dump(Path("nul\0byte"))
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(LARGEST_FILE_BYTES + 128))
    with pytest.raises(DumpFormatError, match="at most"):
        load_dump(big)
