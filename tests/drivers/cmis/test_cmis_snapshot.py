"""Snapshots of live modules: all pages they have, nothing cleared, and what they did not give is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from drivers.cmis.dump import PageOutcome, format_dump, parse_dump
from drivers.cmis.errors import (
    BytesNotReadError,
    InvalidMemoryError,
    ModuleNotRespondingError,
    PageUnavailableError,
)
from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.cmis.snapshot import advertised_pages, take_snapshot
from drivers.errors import ConnectionFailedError

FLAG_BYTES = {None: range(8, 14), 0x11: range(134, 154), 0x14: range(132, 140), 0x2C: range(128, 256)}


class Port:
    """A module that selects page 00h in place of a page it does not have, as real ones do.

    ``says_so``: it tells by its bytes 126-127. ``refused``: pages at which it stops answering.
    """

    def __init__(self, image: MemoryImage, *, says_so: bool = True, refused: Sequence[int] = ()) -> None:
        self.image = image
        self.says_so = says_so
        self.refused = refused
        self.reads: list[tuple[int, int | None, int, int]] = []

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        self.reads.append((bank, None if byte < 128 else page, byte, length))
        if byte < 128:
            return self.image.get(0, 0, byte, length)
        if page in self.refused:
            raise ModuleNotRespondingError("no acknowledge")
        there = self.image.has(bank, page)
        selected = bytes((bank, page)) if there or not self.says_so else bytes(2)
        self.image.put(0, 0, 126, selected)
        return self.image.get(bank, page if there else 0, byte, length)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        raise AssertionError("a snapshot writes nothing")


def module_image(pages: Sequence[tuple[int, int]] = (), **values: object) -> MemoryImage:
    base = [(0, page) for page in (0x00, 0x01, 0x02, 0x10, 0x11)]
    image = MemoryImage(bytes(128), {place: bytes(128) for place in (*base, *pages)})
    plain = {
        "SFF8024Identifier": 0x18,
        "VendorName": "A vendor",
        "VendorPN": "PN-1234567890",
        "MediaType": 2,
        "TempMonHighAlarmFlag": 1,
    }
    for name, value in {**plain, **values}.items():
        encode(FIELDS[name], value, image)  # type: ignore[arg-type]
    for bank, page in image.pages():
        if page > 0x02:
            image.put(bank, page, 250, bytes((bank, page, 1)))
    return image


def outcomes(records: Any) -> dict[tuple[int, int], PageOutcome]:
    return {(record.bank, record.page): record.outcome for record in records}


def test_no_byte_that_reading_clears_is_read() -> None:
    image = module_image(
        [(0, 0x13), (0, 0x14), (0, 0x20), (0, 0x24), (0, 0x28), (0, 0x2C), (0, 0x2D), (0, 0x2F)]
    )
    encode(FIELDS["DiagnosticPagesSupported"], 1, image)
    encode(FIELDS["VDMPagesSupported"], 1, image)
    port = Port(image)
    take_snapshot(port)
    for _, page, byte, length in port.reads:
        assert not set(FLAG_BYTES.get(page, ())) & set(range(byte, byte + length)) - {133}


def test_all_advertised_pages_are_kept_and_flags_are_missing() -> None:
    image = module_image()
    dump = take_snapshot(CmisModule(Port(image), clock=None), source="bench", taken_at="today")  # type: ignore[arg-type]
    assert list(dump.image.pages()) == [(0, page) for page in (0x00, 0x01, 0x02, 0x10, 0x11)]
    assert set(outcomes(dump.records).values()) == {PageOutcome.KEPT}
    assert [str(span) for span in dump.image.unread()] == ["lower:8-13", "lower:118-125", "11h:134-153"]
    assert (dump.source, dump.taken_at, dump.module["part_number"]) == ("bench", "today", "PN-1234567890")
    assert any("not read" in note for note in dump.notes)
    with pytest.raises(BytesNotReadError):
        dump.image.get(0, 0, 9, 1)
    assert dump.image.get(0, 0x11, 250, 3) == image.get(0, 0x11, 250, 3)
    back = parse_dump(format_dump(dump))
    assert (back.records, back.image.unread()) == (dump.records, dump.image.unread())


def test_flags_are_read_when_asked_for() -> None:
    dump = take_snapshot(Port(module_image()), clear_on_read=True)
    assert [str(span) for span in dump.image.unread()] == ["lower:118-125"]
    assert dump.image.get(0, 0, 9, 1) == b"\x01"


def test_banks_and_optional_pages_as_advertised() -> None:
    pages = [(bank, page) for bank in (0, 1) for page in (0x10, 0x11, 0x12)]
    image = module_image(
        [(0, 0x03), (0, 0x04), (0, 0x9F), *pages],
        BanksSupported=1,
        Page03hSupported=1,
        TransmitterIsTunable=1,
        CdbInstancesSupported=1,
    )
    dump = take_snapshot(Port(image))
    assert set(dump.image.pages()) == set(image.pages())
    assert dump.image.get(1, 0x12, 250, 3) == b"\x01\x12\x01"


@pytest.mark.parametrize(("instances", "banks"), [(1, [0]), (2, [0, 1]), (3, [0])])
def test_banks_of_page_9fh_are_instances_of_cdb(instances: int, banks: list[int]) -> None:
    """Four banks of lanes and one CDB instance: a module answers for 9Fh in bank 1 with anything."""
    every = [(bank, page) for bank in range(4) for page in (0x10, 0x11, 0x9F)]
    image = module_image(every, BanksSupported=2, CdbInstancesSupported=instances)
    port = Port(image)
    dump = take_snapshot(port)
    assert [bank for bank, page in dump.image.pages() if page == 0x9F] == banks
    assert [bank for bank, page in dump.image.pages() if page == 0x11] == [0, 1, 2, 3]
    assert {bank for bank, page, _, _ in port.reads if page == 0x9F} == set(banks)
    assert any("163" in note for note in dump.notes) == (instances == 3)
    asked = take_snapshot(Port(image), pages=[0x9F], banks=[3])
    assert list(asked.image.pages()) == [(0, 0x00), (3, 0x9F)]


@pytest.mark.parametrize("clear_on_read", [False, True])
def test_passwords_are_never_read(clear_on_read: bool) -> None:
    image = module_image([(0, 0x9F), (1, 0x9F)], CdbInstancesSupported=2)
    secret = b"\x5e\xc2\xe7\xa9"
    image.put(0, 0, 118, b"\0\0\x10\x11" + secret)
    image.put(0, 0x9F, 128, b"\0\x01" + bytes(6) + secret)
    image.put(1, 0x9F, 128, b"\x01\0" + bytes(6) + b"\x01\x02\x03\x04")
    port = Port(image)
    dump = take_snapshot(port, clear_on_read=clear_on_read)
    for _, page, byte, length in port.reads:
        assert page is not None or not set(range(byte, byte + length)) & set(range(118, 126))
    assert {"lower:118-125", "9Fh:136-139"} <= {str(span) for span in dump.image.unread()}
    assert dump.image.get(1, 0x9F, 136, 4) == b"\x01\x02\x03\x04"
    assert any("lower:118-125, 9Fh:136-139" in note and "passwords" in note for note in dump.notes)
    assert secret.hex() not in format_dump(dump).decode()


def test_vdm_pages_are_as_many_as_groups() -> None:
    vdm = [0x20, 0x21, 0x24, 0x25, 0x28, 0x29, 0x2C, 0x2D, 0x2F]
    image = module_image([(0, page) for page in vdm], VDMPagesSupported=1)
    image.put(0, 0x2F, 250, bytes(3))
    encode(FIELDS["VDMGroupsSupported"], 1, image)
    assert [page for page in advertised_pages(image).pages if page >= 0x20] == vdm
    dump = take_snapshot(Port(image))
    assert [record.page for record in dump.records if record.page >= 0x20] == vdm
    assert outcomes(dump.refused) == {(0, 0x2C): PageOutcome.SKIPPED}  # nothing but flags
    flags_too = take_snapshot(Port(image), clear_on_read=True)
    assert [page for _, page in flags_too.image.pages() if page >= 0x20] == vdm


def test_a_page_that_falls_back_is_not_in_the_dump() -> None:
    dump = take_snapshot(Port(module_image(DiagnosticPagesSupported=1)))
    assert not dump.image.has(0, 0x13)
    found = {record.page: record for record in dump.refused}
    assert set(found) == {0x13, 0x14}
    assert found[0x13].outcome is PageOutcome.FELL_BACK
    assert found[0x13].selected == (0, 0)
    assert "page 00h" in found[0x13].reason


def test_a_page_that_mirrors_page_00h_in_secret_is_suspect() -> None:
    dump = take_snapshot(Port(module_image(DiagnosticPagesSupported=1), says_so=False))
    (record,) = [record for record in dump.records if record.page == 0x13]
    assert record.outcome is PageOutcome.KEPT
    assert "holds what page 00h holds" in record.suspect


def test_a_way_that_hides_the_selection_is_not_taken_for_a_missing_page() -> None:
    class Hiding(Port):
        def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
            data = super().read(bank, page, byte, length)
            self.image.put(0, 0, 126, bytes(2))  # as a driver does that selects page 00h after each access
            return data

    dump = take_snapshot(Hiding(module_image()))
    found = outcomes(dump.records)
    assert found[0, 0x00] is PageOutcome.KEPT
    assert {found[0, page] for page in (0x01, 0x02, 0x10, 0x11)} == {PageOutcome.UNVERIFIED}
    assert dump.image.has(0, 0x11)


def test_a_port_that_refuses_a_page_itself_is_believed() -> None:
    class Refusing(Port):
        def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
            if byte >= 128 and not self.image.has(bank, page):
                self.image.put(0, 0, 126, bytes(2))
                raise PageUnavailableError(bank, page, "after it was selected page 00h was")
            return super().read(bank, page, byte, length)

    dump = take_snapshot(Refusing(module_image(DiagnosticPagesSupported=1)))
    assert outcomes(dump.refused) == {(0, 0x13): PageOutcome.FELL_BACK, (0, 0x14): PageOutcome.FELL_BACK}


def test_one_page_that_cannot_be_read_does_not_end_the_snapshot() -> None:
    dump = take_snapshot(Port(module_image(), refused=[0x02]))
    assert outcomes(dump.refused) == {(0, 0x02): PageOutcome.REFUSED}
    assert dump.image.has(0, 0x11)


@pytest.mark.parametrize("selection", [True, False])
def test_a_page_that_is_answered_wrongly_does_not_end_the_snapshot(selection: bool) -> None:
    """``selection``: whether the module still tells afterwards which page it has selected."""

    class Short(Port):
        failing = False

        def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
            if (byte, length) == (126, 2) and self.failing:
                self.failing = False
                raise ModuleNotRespondingError("no acknowledge")
            data = super().read(bank, page, byte, length)
            if byte >= 128 and page == 0x02:
                self.failing = not selection
                return data[:-1]
            if byte >= 128 and page == 0x10:
                raise InvalidMemoryError("answered with something else")
            return data

    dump = take_snapshot(Short(module_image()))
    assert outcomes(dump.refused) == {(0, 0x02): PageOutcome.REFUSED, (0, 0x10): PageOutcome.REFUSED}
    record = dump.refused[0]
    assert record.selected == ((0, 2) if selection else None)
    assert "gave 127" in record.reason
    assert dump.image.has(0, 0x11)


def test_without_page_01h_no_more_is_read() -> None:
    dump = take_snapshot(Port(module_image(), refused=[0x01]))
    assert list(dump.image.pages()) == [(0, 0x00)]
    assert any("which pages the module has is not known" in note for note in dump.notes)


def test_a_flat_memory_has_two_halves() -> None:
    port = Port(module_image(MemoryModel=1))
    dump = take_snapshot(port)
    assert list(dump.image.pages()) == [(0, 0x00)]
    assert {page for _, page, _, _ in port.reads} == {None, 0x00}


def test_only_what_is_asked_for() -> None:
    image = module_image([(1, 0x11)], BanksSupported=1)
    dump = take_snapshot(Port(image), pages=[0x11], banks=[1])
    assert list(dump.image.pages()) == [(0, 0x00), (1, 0x11)]
    assert list(take_snapshot(Port(image), pages=[0x02]).image.pages()) == [(0, 0x00), (0, 0x02)]
    with pytest.raises(ValueError, match=r"0..255"):
        take_snapshot(Port(image), pages=[256])


def test_reserved_banks_and_pages_with_unknown_flags_are_noted() -> None:
    notes = advertised_pages(module_image(BanksSupported=3, NetworkPathPagesSupported=1)).notes
    assert "does not say how many banks" in notes[0]
    assert "16h and 17h" in notes[1]


def test_faults_of_the_bench_and_a_silent_module_pass_through() -> None:
    class Broken(Port):
        def __init__(self, fault: Exception) -> None:
            super().__init__(module_image())
            self.fault = fault

        def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
            raise self.fault

    with pytest.raises(ModuleNotRespondingError):
        take_snapshot(Broken(ModuleNotRespondingError("no acknowledge")))
    with pytest.raises(ConnectionFailedError):
        take_snapshot(Broken(ConnectionFailedError("i2c-1", "gone")))
