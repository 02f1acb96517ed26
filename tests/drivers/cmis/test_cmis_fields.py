"""Fields: the tables themselves, and decode and encode as each other's inverse."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.cmis import codes
from drivers.cmis.fields import (
    LANES,
    Access,
    Field,
    Kind,
    decode,
    decode_text,
    encode,
    encode_bytes,
    f16_from_float,
    f16_to_float,
)
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS

PAGES = {0x00, 0x01, 0x02, 0x10, 0x11}


def blank(fill: int = 0) -> MemoryImage:
    data = bytes([fill]) * 128
    return MemoryImage(data, {(bank, page): data for page in PAGES for bank in (0, 1)})


def raw_bytes(image: MemoryImage) -> dict[object, bytes]:
    return {
        None: image.get(0, 0, 0, 128),
        **{key: image.get(*key, 128, 128) for key in image.pages()},
    }


def integers(field: Field) -> st.SearchStrategy[int]:
    if field.kind is Kind.SINT:
        return st.integers(-(1 << field.bits - 1), (1 << field.bits - 1) - 1)
    return st.integers(0, (1 << field.bits) - 1)


def element(field: Field) -> st.SearchStrategy[Any]:
    if field.kind is Kind.ASCII:
        text = st.text(string.printable[:95], max_size=field.length)
        return text.map(lambda value: value.rstrip(" "))
    if field.kind is Kind.RAW:
        return st.binary(min_size=field.length, max_size=field.length)
    if field.kind is Kind.F16:
        return st.integers(0, 0xFFFF).map(f16_to_float)
    if field.scale == 1.0:
        return integers(field).map(lambda raw: raw + int(field.offset))
    return integers(field).map(lambda raw: raw * field.scale + field.offset)


def values(field: Field) -> st.SearchStrategy[Any]:
    if field.kind is Kind.LANE_BITS:
        return st.tuples(*[st.booleans()] * LANES)
    if field.kind is Kind.LANE_NIBBLES:
        return st.tuples(*[st.integers(0, 15)] * field.lanes)
    return element(field) if field.lanes == 1 else st.tuples(*[element(field)] * field.lanes)


@pytest.mark.parametrize("name", FIELDS)
@settings(max_examples=10, deadline=None)
@given(data=st.data(), fill=st.sampled_from([0x00, 0xFF, 0xA5]), bank=st.sampled_from([0, 1]))
def test_what_is_encoded_is_decoded_and_nothing_else_changes(
    name: str, data: st.DataObject, fill: int, bank: int
) -> None:
    field = FIELDS[name]
    value = data.draw(values(field))
    where = (bank if field.banked else 0, field.page)
    image = MemoryImage(bytes([fill]) * 128, {where: bytes([fill]) * 128})  # any other page would raise
    encode(field, value, image, bank)
    assert decode(field, image, bank) == value
    kept = 0
    if field.msb is not None and field.lsb is not None:
        kept = 0xFF & ~(((1 << field.bits) - 1) << field.lsb)
    halves = {0: image.get(*where, 0, 128), 128: image.get(*where, 128, 128)}
    for first, half in halves.items():
        for byte, found in enumerate(half, start=first):
            inside = field.byte <= byte < field.byte + field.size
            assert (found ^ fill) & (kept if inside else 0xFF) == 0, byte


def test_every_field_says_what_it_is() -> None:
    for field in FIELDS.values():
        assert field.doc, field.name
        assert field.name.isidentifier()
        if field.codes is not None and field.codes != "media_interface":
            assert codes.table(field.codes), field.name


def test_banked_fields_are_those_of_page_10h_and_up() -> None:
    assert {field.page for field in FIELDS.values() if field.banked} == {
        *range(0x10, 0x15),
        *range(0x20, 0x2E),
        0x2F,
        *range(0x9F, 0xB0),
    }
    assert all(field.banked for field in FIELDS.values() if field.page >= 0x10)


def test_only_fields_of_bytes_that_are_shared_on_purpose_overlap() -> None:
    """Each bit belongs to one field, but for DPConfig, which is also named as a whole byte, and for the
    data of page 14h, whose meaning follows its selector."""
    owners: dict[tuple[int, int, int], str] = {}
    for field in FIELDS.values():
        if field.name.endswith("_DPConfig") or (field.page == 0x14 and field.byte >= 192):
            continue
        low, high = (field.lsb, field.msb) if field.msb is not None else (0, 7)
        assert low is not None
        assert high is not None
        for byte in range(field.byte, field.byte + field.size):
            for bit in range(low, high + 1):
                other = owners.setdefault((field.page, byte, bit), field.name)
                assert other == field.name, f"{other} and {field.name} share {field.page:02X}h:{byte}.{bit}"


@pytest.mark.parametrize(
    ("name", "where", "access"),
    [
        ("ModuleState", "lower:3.3-1", Access.RO),
        ("TempMonValue", "lower:14-15", Access.RO),
        ("TempMonHighAlarmFlag", "lower:9.0", Access.RO_COR),
        ("VccMonLowWarningFlag", "lower:9.7", Access.RO_COR),
        ("TempMonHighAlarmMask", "lower:32.0", Access.RW),
        ("CdbCmdCompleteFlag2", "lower:8.7", Access.RO_COR),
        ("LowPwrRequestSW", "lower:26.4", Access.RW),
        ("SoftwareReset", "lower:26.3", Access.RW_SC),
        ("HostInterfaceIDApp8", "lower:114", Access.RO),
        ("VendorSN", "00h:166-181", Access.RO),
        ("MaxDurationDPInit", "01h:144.3-0", Access.RO),
        ("MediaLaneAssignmentOptionsApp15", "01h:190", Access.RO),
        ("HostInterfaceIDApp9", "01h:223", Access.RO),
        ("HostLaneAssignmentOptionsApp15", "01h:250", Access.RO),
        ("RxPowerLowWarningThreshold", "02h:198-199", Access.RO),
        ("DPDeinit", "10h:128", Access.RW),
        ("ApplyDPInit", "10h:143", Access.WO),
        ("SCS0_DPConfig", "10h:145-152", Access.RW),
        ("SCS0_OutputAmplitudeTargetRx", "10h:170-173", Access.RW),
        ("SCS1_ApplyDPInit", "10h:178", Access.WO),
        ("SCS1_DPConfig", "10h:180-187", Access.RW),
        ("DPStateChangedMask", "10h:213", Access.RW),
        ("OutputStatusChangedMaskRx", "10h:232", Access.RW),
        ("DPStateHostLane", "11h:128-131", Access.RO),
        ("LOSFlagRx", "11h:147", Access.RO_COR),
        ("OpticalPowerHighAlarmFlagTx", "11h:139", Access.RO_COR),
        ("LaserBiasLowWarningFlagTx", "11h:146", Access.RO_COR),
        ("OpticalPowerLowWarningFlagRx", "11h:152", Access.RO_COR),
        ("TxPower", "11h:154-169", Access.RO),
        ("RxPower", "11h:186-201", Access.RO),
        ("ConfigStatus", "11h:202-205", Access.RO),
        ("ACS_OutputAmplitudeTargetRx", "11h:231-234", Access.RO),
        ("DPInitPending", "11h:235", Access.RO),
    ],
)
def test_registers_lie_where_cmis_puts_them(name: str, where: str, access: Access) -> None:
    assert FIELDS[name].where == where
    assert FIELDS[name].access is access


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0x71EF, 4.95e-8),
        (0x7424, 1.06e-7),
        (0x72E1, 7.37e-8),
        (0x72E6, 7.42e-8),
        (0x0000, 0.0),
        (0xF800, 0.0),
    ],
)
def test_f16_known_answers(raw: int, value: float) -> None:
    assert f16_to_float(raw) == value


@settings(deadline=None)
@given(st.one_of(st.just(0.0), st.floats(1e-22, 2.047e10)))
def test_f16_is_within_a_quarter_of_a_percent(value: float) -> None:
    assert f16_to_float(f16_from_float(value)) == pytest.approx(value, rel=0.0025)


@settings(deadline=None)
@given(st.integers(0, 0xFFFF))
def test_f16_survives_being_encoded_again(raw: int) -> None:
    value = f16_to_float(raw)
    assert f16_to_float(f16_from_float(value)) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("value", [-1e-9, float("nan"), float("inf"), 2.0475e10, 1e300])
def test_f16_refuses_what_it_cannot_hold(value: float) -> None:
    with pytest.raises(ValueError, match="F16 holds"):
        f16_from_float(value)


def test_odd_lanes_are_in_the_low_nibble() -> None:
    image = blank()
    image.put(0, 0x11, 128, bytes.fromhex("21436587"))
    assert decode(FIELDS["DPStateHostLane"], image) == (1, 2, 3, 4, 5, 6, 7, 8)


def test_lane_i_is_bit_i_less_one() -> None:
    image = blank()
    encode(FIELDS["OutputDisableTx"], 0b0000_0101, image)
    assert decode(FIELDS["OutputDisableTx"], image) == (True, False, True, False, False, False, False, False)


def test_module_state_ignores_the_reserved_bits_beside_it() -> None:
    image = MemoryImage(bytes([0x18, 0x40, 0x00, 0xF7]) + bytes(124))
    assert decode(FIELDS["ModuleState"], image) == 3


def test_little_endian_numbers() -> None:
    """Known answer: 1530h is 21.1875 dB of SNR, whichever way round page 14h or VDM store it."""
    big = Field("Big", 0, 14, Kind.UINT, 2, scale=1 / 256)
    little = Field("Little", 0, 14, Kind.UINT, 2, scale=1 / 256, little_endian=True)
    for field, data in ((big, b"\x15\x30"), (little, b"\x30\x15")):
        image = blank()
        image.put(0, 0, 14, data)
        assert decode(field, image) == 21.1875
        assert encode_bytes(field, 21.1875) == data


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TempMonValue", 128.0),
        ("TempMonValue", -128.1),
        ("TempMonValue", float("nan")),
        ("VccMonVoltage", -0.1),
        ("VccMonVoltage", "3.3"),
        ("ModuleState", 8),
        ("ModuleState", 1.5),
        ("ModulePowerClass", 0),
        ("ModulePowerClass", 9),
        ("VendorName", "seventeen letters"),
        ("VendorName", "naïve"),
        ("VendorName", "tab\t"),
        ("VendorName", 5),
        ("VendorOUI", b"\0\0"),
        ("OutputDisableTx", 256),
        ("OutputDisableTx", (True,) * 7),
        ("SCS0_DPConfig", (0,) * 7),
        ("SCS0_DPConfig", 0),
        ("SCS0_AppSel", (16,) + (0,) * 7),
        ("DPStateHostLane", (16,) + (0,) * 7),
        ("TxPower", (7e-3,) + (0.0,) * 7),
        ("MaxPower", (1.0,)),
    ],
)
def test_what_a_register_cannot_hold_is_refused_and_not_written(name: str, value: Any) -> None:
    image = blank(0x5A)
    before = raw_bytes(image)
    with pytest.raises(ValueError, match="cannot hold"):
        encode(FIELDS[name], value, image)
    assert raw_bytes(image) == before


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_text_of_a_module_never_raises_and_is_printable(raw: bytes) -> None:
    text = decode_text(raw)
    assert text.isprintable() or text == "" or "\ufffd" in text
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text)


def test_text_padding_goes_and_inner_rubbish_is_marked() -> None:
    assert decode_text(b"Arista Networks ") == "Arista Networks"
    assert decode_text(bytes(16)) == ""
    assert decode_text(b"A\x1b[31m\xff\0B  ") == "A\ufffd[31m\ufffd\ufffdB"


@pytest.mark.parametrize(
    "wrong",
    [
        {"byte": 127, "length": 2},
        {"byte": 255, "length": 2},
        {"byte": 3, "page": 1},
        {"byte": 3, "msb": 8, "lsb": 0},
        {"byte": 3, "msb": 1, "lsb": 2},
        {"byte": 3, "msb": 1},
        {"byte": 3, "length": 2, "msb": 1, "lsb": 0},
    ],
)
def test_a_field_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="field Wrong"):
        Field(**{"name": "Wrong", "page": 0, "kind": Kind.UINT, **wrong})  # type: ignore[arg-type]
