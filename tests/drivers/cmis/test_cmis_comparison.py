"""Comparison of two images: each difference once, by the field that holds it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.cmis.comparison import Category, compare, render_comparison
from drivers.cmis.dump import load_dump
from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS

PAGES = (0x00, 0x01, 0x02, 0x10, 0x11)


def image_of(**values: object) -> MemoryImage:
    image = MemoryImage(bytes(128), {(0, page): bytes(128) for page in PAGES})
    for name, value in values.items():
        encode(FIELDS[name], value, image)  # type: ignore[arg-type]
    return image


def test_images_that_are_the_same() -> None:
    assert compare(image_of(VendorName="A"), image_of(VendorName="A")) == ()
    assert render_comparison(()) == "No difference.\n"


def test_a_text_and_a_state() -> None:
    first, second = compare(image_of(ModuleState=1, VendorSN="SN1"), image_of(ModuleState=3, VendorSN="SN2"))
    assert (first.name, first.where, first.category) == ("ModuleState", "lower:3.3-1", Category.STATE)
    assert (first.a, first.b, first.volatile) == (1, 3, True)
    assert "ModuleLowPwr" in first.a_text
    assert "ModuleReady" in first.b_text
    assert (second.name, second.a, second.b) == ("VendorSN", "SN1", "SN2")
    assert (second.category, second.volatile) == (Category.IDENTITY, False)


PASSWORD = b"\x5e\xc2\xe7\xa9"


@pytest.mark.parametrize(("byte", "name"), [(118, "PasswordChangeEntryArea"), (122, "PasswordEntryArea")])
def test_of_passwords_no_more_is_told_than_that_they_differ(byte: int, name: str) -> None:
    a, b = image_of(), image_of()
    b.put(0, 0, byte, PASSWORD)
    (difference,) = compare(a, b)
    assert (difference.name, difference.where) == (name, f"lower:{byte}-{byte + 3}")
    assert (difference.a, difference.b, difference.category) == (None, None, Category.CONFIGURATION)
    told = json.dumps(difference.to_json()) + render_comparison((difference,)) + repr(difference)
    assert "differs (not shown)" in told
    for part in (PASSWORD.hex(), PASSWORD.hex(" "), repr(PASSWORD), str(int.from_bytes(PASSWORD, "big"))):
        assert part not in told
    assert compare(b, b) == ()


def test_the_body_of_a_password_command_is_not_told_either() -> None:
    a, b = image_of(), image_of()
    for image, body in ((a, bytes(4)), (b, PASSWORD)):
        image.add_page(0, 0x9F, bytes([0, 1]) + bytes(6) + body + bytes(116))
    b.put(0, 0x9F, 150, b"\x77")
    passwords, rest = compare(a, b)
    assert (passwords.where, passwords.a, passwords.b) == ("9Fh:136-139", None, None)
    assert (rest.where, rest.b) == ("9Fh:150", b"\x77")
    b.put(0, 0x9F, 128, b"\x01\x00")  # of another command it is told, unless the other image hides it
    a.put(0, 0x9F, 128, b"\x01\x00")
    assert any(PASSWORD in item.b for item in compare(a, b) if isinstance(item.b, bytes))


def test_lanes_are_told_one_by_one() -> None:
    (difference,) = compare(image_of(), image_of(OutputDisableTx=0b100))
    assert (difference.name, difference.lane, difference.a, difference.b) == (
        "OutputDisableTx",
        3,
        False,
        True,
    )
    assert difference.category is Category.CONFIGURATION


def test_a_byte_with_several_fields_is_told_by_the_smallest() -> None:
    a, b = image_of(), image_of()
    encode(FIELDS["SCS0_AppSel"], (2, *(0,) * 7), b)
    (difference,) = compare(a, b)
    assert (difference.name, difference.lane, difference.a, difference.b) == ("SCS0_AppSel", 1, 0, 2)


@pytest.mark.parametrize(("code", "factor"), [(0, 1), (1, 2), (2, 4)])
def test_bias_is_multiplied(code: int, factor: int) -> None:
    common = {"TxBiasCurrentScalingFactor": code}
    first, second = compare(
        image_of(TxBiasHighAlarmThreshold=100.0, **common),
        image_of(TxBias=(70.56, *(0.0,) * 7), TxBiasHighAlarmThreshold=90.0, **common),
    )
    assert (first.name, first.a, first.b, first.unit) == (
        "TxBiasHighAlarmThreshold",
        100.0 * factor,
        90.0 * factor,
        "mA",
    )
    assert second.b == pytest.approx(70.56 * factor)
    assert second.category is Category.MONITOR


def test_bias_without_a_multiplier_has_no_unit() -> None:
    a = image_of(TxBiasCurrentScalingFactor=3)
    b = image_of(TxBiasCurrentScalingFactor=3, TxBias=(10.0, *(0.0,) * 7))
    (difference,) = compare(a, b)
    assert difference.unit == ""
    assert "multiplier unknown" in difference.b_text


def test_bits_that_no_field_has() -> None:
    a, b = image_of(), image_of()
    b.put(0, 0, 70, b"\x01\x02")
    b.put(0, 0, 3, b"\x80")
    reserved, custom = compare(a, b)
    assert (reserved.name, reserved.where, reserved.a, reserved.b) == ("", "lower:3", b"\0", b"\x80")
    assert (custom.where, custom.a, custom.b, custom.category) == (
        "lower:70-71",
        b"\0\0",
        b"\x01\x02",
        Category.UNKNOWN,
    )
    assert custom.to_json()["b"] == "0102"


def test_texts_that_only_look_the_same_are_told_by_their_bytes() -> None:
    a, b = image_of(), image_of()
    a.put(0, 0, 166, b"\x80")
    b.put(0, 0, 166, b"\x90")
    (difference,) = compare(a, b)
    assert (difference.where, difference.a, difference.b) == ("00h:166", b"\x80", b"\x90")


def test_pages_and_bytes_of_one_image_only_are_told() -> None:
    a, b = image_of(), image_of()
    b.add_page(1, 0x11)
    a.mark_unread(0, 0, 8, 6)
    bytes_only, page_only = compare(a, b)
    assert {bytes_only.category, page_only.category} == {Category.MISSING}
    assert (bytes_only.where, bytes_only.a_text, bytes_only.b_text) == ("lower:8-13", "not held", "held")
    assert (page_only.where, page_only.a_text, page_only.b_text) == ("11h@1", "not held", "held")


def test_powers_are_watts_and_read_in_dbm() -> None:
    (difference,) = compare(image_of(), image_of(TxPower=(1e-3, *(0.0,) * 7)))
    assert (difference.b, difference.unit) == (1e-3, "W")
    assert (difference.a_text, difference.b_text) == ("0 W", "0.000 dBm")


def test_selected_diagnostics_are_compared_as_bytes() -> None:
    a, b = image_of(), image_of()
    a.add_page(0, 0x14)
    b.add_page(0, 0x14)
    b.put(0, 0x14, 192, b"\x71\xef")  # a bit error ratio or a part of a counter, as 14h:128 says
    (difference,) = compare(a, b)
    assert (difference.name, difference.category) == ("DiagnosticsData", Category.MONITOR)


def test_what_changes_by_itself_can_be_left_out() -> None:
    text = render_comparison(compare(image_of(), image_of(ModuleState=3)), volatile=False)
    assert "No difference but" in text
    assert "1 more" in text


halves = st.one_of(st.just(bytes(128)), st.binary(min_size=128, max_size=128))
images = st.builds(
    MemoryImage,
    st.none() | halves,
    st.dictionaries(st.sampled_from([(0, page) for page in (*PAGES, 0x04, 0x13, 0x24, 0x77)]), halves),
)


def differing_bytes(a: MemoryImage, b: MemoryImage) -> set[tuple[int, int, int]]:
    found = set()
    for bank, page in a.pages():
        if b.has(bank, page):
            mine, theirs = (image.get(bank, page, 128, 128) for image in (a, b))
            found |= {(bank, page, 128 + at) for at in range(128) if mine[at] != theirs[at]}
    return found


@settings(deadline=None, max_examples=60)
@given(images, images)
def test_any_images_are_compared_and_no_changed_byte_is_lost(a: MemoryImage, b: MemoryImage) -> None:
    differences = compare(a, b)
    told = set()
    for item in differences:
        if item.category is Category.MISSING or item.where.startswith("lower"):
            continue
        page, span = item.where.split(":")
        first, _, last = span.split(".")[0].partition("-")
        told |= {(item.bank, int(page[:2], 16), byte) for byte in range(int(first), int(last or first) + 1)}
    assert differing_bytes(a, b) - told == set()
    mirrored = compare(b, a)
    assert [(item.name, item.where, item.lane) for item in mirrored] == [
        (item.name, item.where, item.lane) for item in differences
    ]
    json.dumps([item.to_json() for item in differences], allow_nan=False)
    text = render_comparison(differences)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert max(map(len, text.splitlines())) <= 100


def test_two_real_modules(dump_folder: Path) -> None:
    a, b = (load_dump(dump_folder / f"{name}.json").image for name in ("arista-400g-xdr4", "400g-dr4"))
    differences = compare(a, b)
    (serial,) = [item for item in differences if item.name == "VendorSN"]
    assert serial.a == "XKT231212112"
    biases = [item for item in differences if item.name == "TxBias"]
    assert [item.lane for item in biases] == [1, 2, 3, 4]
    assert biases[0].a_text == "101.748 mA"
    missing = [item.where for item in differences if item.category is Category.MISSING]
    assert missing == ["20h", "21h", "24h", "25h", "2Fh"]
    assert "Monitors" in render_comparison(differences, "arista", "other")
