"""Diagnostics against a scripted module that keeps, or breaks, the rules of pages 13h and 14h."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cmis.diagnostics import (
    Diagnostics,
    ErrorCount,
    Loopback,
    SelectorPolicy,
    Side,
    Unit,
    read_capabilities,
)
from drivers.cmis.diagnostics.patterns import pattern_code, pattern_name, pattern_names
from drivers.cmis.dump import load_dump
from drivers.cmis.errors import (
    CmisError,
    DiagnosticsStateError,
    InvalidMemoryError,
    NotAdvertisedError,
    WriteNotTakenError,
)
from drivers.cmis.fields import decode, encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from drivers.errors import ConnectionFailedError
from drivers.interfaces import Bert, LaneErrors

BITS_PER_S = 53.125e9 * 2
XDR4_ADVERTISEMENT = bytes.fromhex("0b102366550555155505550500ffff")  # 13h:128-142 of a 400G DR4 module
ALL = frozenset(range(1, 9))


class Clock:
    """Moves only when something sleeps."""

    kind = "virtual"

    def __init__(self) -> None:
        self.time_s = 100.0

    def now_s(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        assert duration_s >= 0.0
        self.time_s += duration_s

    def checkpoint(self) -> None:
        pass


class DiagnosticModule:
    """Pages 13h and 14h of a module of 4 media and 8 host lanes, as a memory port.

    Data behind the selector is that of the selector before for ``stale_s``, then zeros until ``slow_s``.
    Counters run at ``BITS_PER_S`` from the enabling of a checker or the end of a reset, and are shown as they
    were at the last multiple of ``period_s``.
    """

    def __init__(self, clock: Clock, advertisement: bytes = XDR4_ADVERTISEMENT) -> None:
        self.clock = clock
        self.image = MemoryImage(
            bytes(128), {(0, page): bytes(128) for page in (0x00, 0x01, 0x10, 0x11, 0x13, 0x14)}
        )
        self.put("VendorPN", "TEST-400G-DR4")
        self.put("VendorName", "Maker")
        self.put("MediaLaneUnsupported", 0xF0)
        self.put("HostInterfaceIDApp1", 0x11)
        self.put("MediaInterfaceIDApp1", 0x1C)
        self.put("HostLaneCountApp1", 8)
        self.put("MediaLaneCountApp1", 4)
        self.put("HostLaneAssignmentOptionsApp1", 1)
        self.put("HostInterfaceIDApp2", 0xFF)
        self.put("DiagnosticPagesSupported", 1)
        self.image.put(0, 0x13, 128, advertisement)
        self.stale_s = 0.009
        self.slow_s = 0.0
        self.period_s = 0.0
        self.ber = {lane: 1e-9 * lane for lane in ALL}
        self.dark: dict[int, tuple[float, float]] = {}  # lane: from, to: without lock
        self.flags = True
        self.holds = True
        self.selectors = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06}
        self.refused: set[tuple[int, int]] = set()  # (page, byte) whose writes have no effect
        self.raw: dict[int, bytes] = {}
        self.little_endian = True
        self.gates_end = True
        self.selected_s = -1e9
        self.before = bytes(64)
        self.starts: dict[Side, list[tuple[float, float | None]]] = {Side.HOST: [], Side.MEDIA: []}
        self.latched = {Side.HOST: 0, Side.MEDIA: 0}
        self.looked_s = {Side.HOST: -1e9, Side.MEDIA: -1e9}
        self.gate: dict[Side, tuple[float, float]] = {}
        self.gate_told: set[Side] = set()
        self.depth = 0
        self.holdings = 0
        self.results: list[
            tuple[str, int]
        ] = []  # ("select" or "data", number of the bus holding, 0 for none)
        self.fault: Exception | None = None
        self.writes: list[tuple[int, int, bytes]] = []

    def put(self, name: str, value: Any) -> None:
        encode(FIELDS[name], value, self.image)

    def get(self, name: str) -> Any:
        return decode(FIELDS[name], self.image)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.holdings += not self.depth
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def note(self, what: str) -> None:
        self.results.append((what, self.holdings if self.depth else 0))

    # port

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        if self.fault is not None:
            raise self.fault
        if byte >= 128 and page == 0x14 and 134 <= byte <= 139:
            assert length == 1, "a flag byte that nobody asked for would be cleared"
            return bytes([self.read_flag(byte)])
        if byte >= 128 and page == 0x14 and byte >= 192:
            self.note("data")
            shown = self.shown()
            return shown[byte - 192 : byte - 192 + length]
        return self.image.get(bank, page, byte, length)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        self.writes.append((page, byte, data))
        if (page, byte) in self.refused:
            return
        if (page, byte) == (0x14, 128):
            self.note("select")
            self.before = self.shown()
            self.selected_s = self.clock.now_s()
            self.image.put(0, 0x14, 128, data if data[0] in self.selectors else b"\0")
            return
        held_before = self.get("ResetErrorInformation")
        running = {side: self.image.get(0, 0x13, start, 1)[0] for side, start in CHECKERS.items()}
        self.image.put(bank, page, byte, data)
        now_s = self.clock.now_s()
        for side, start in CHECKERS.items():
            if self.image.get(0, 0x13, start, 1)[0] & ~running[side]:
                self.starts[side].append((now_s, now_s))
                if code := self.get("MeasurementTime"):
                    self.gate[side] = (now_s, now_s + (0, 5, 10, 30, 60, 120, 300)[code])
                    self.gate_told.discard(side)
        held = self.get("ResetErrorInformation")
        if self.holds and held != held_before:
            for side in Side:
                self.starts[side].append((now_s, None if held else now_s))

    # behaviour

    def read_flag(self, byte: int) -> int:
        side = (Side.HOST, Side.MEDIA)[byte % 2]
        now_s = self.clock.now_s()
        if byte in (138, 139):
            # Looked at, the flag is cleared; what lasts is latched anew 50 ms later.
            found, since_s = 0, self.looked_s[side] + 0.05
            for lane, (dark_s, light_s) in self.dark.items():
                if max(dark_s, since_s) <= now_s and light_s >= since_s and self.flags:
                    found |= 1 << lane - 1
            self.looked_s[side] = now_s
            return found
        waiting = byte in (134, 135) and side in self.gate and side not in self.gate_told
        if waiting and self.gates_end and now_s >= self.gate[side][1]:
            self.gate_told.add(side)
            return self.image.get(0, 0x13, CHECKERS[side], 1)[0]
        return 0

    def shown(self) -> bytes:
        since_s = self.clock.now_s() - self.selected_s
        if since_s < self.stale_s:
            return self.before
        if since_s < self.slow_s:
            return bytes(64)
        selector = self.image.get(0, 0x14, 128, 1)[0]
        if selector in self.raw:
            return self.raw[selector]
        if selector & 0xF in (2, 3, 4, 5):
            side = Side.HOST if selector & 0xF in (2, 3) else Side.MEDIA
            return self.counters(side, 1 + 4 * (selector & 1), gated=selector >= 0x10)
        return self.image.get(0, 0x14, 192, 64)

    def counters(self, side: Side, first: int, *, gated: bool) -> bytes:
        at_s = self.clock.now_s()
        if self.period_s:
            at_s = at_s // self.period_s * self.period_s
        started_s = 0.0
        for changed_s, start_s in self.starts[side]:
            if changed_s <= at_s:
                started_s = at_s if start_s is None else start_s
        if side in self.gate:
            begin_s, end_s = self.gate[side]
            if gated:
                started_s, at_s = begin_s, end_s
            at_s = min(at_s, end_s)
        data = b""
        for lane in range(first, first + 4):
            bits = round((at_s - started_s) * BITS_PER_S) if self.starts[side] else 0
            errors = int(bits * self.ber[lane])
            dark_s, light_s = self.dark.get(lane, (1e9, 1e9))
            lost = int(dark_s <= at_s <= light_s)
            order = "little" if self.little_endian else "big"
            for number in (errors, bits & ~1 | lost):
                data += number.to_bytes(8, order)  # type: ignore[arg-type]
        return data


CHECKERS = {Side.HOST: 160, Side.MEDIA: 168}


@pytest.fixture
def time() -> Clock:
    return Clock()


@pytest.fixture
def port(time: Clock) -> DiagnosticModule:
    return DiagnosticModule(time)


@pytest.fixture
def module(port: DiagnosticModule, time: Clock) -> CmisModule:
    return CmisModule(port, time)


@pytest.fixture
def diagnostics(module: CmisModule) -> Diagnostics:
    return Diagnostics(module)


# what is advertised


def test_pattern_names_and_codes() -> None:
    assert pattern_code("SSPRQ") == 12
    assert pattern_code(" prbs13q ") == 6
    assert pattern_name(13) == "reserved pattern 13"
    assert pattern_names(0b1010_0000_0000_0001) == ("PRBS31Q", "user pattern")
    with pytest.raises(ValueError, match="PRBS31Q, PRBS31,"):
        pattern_code("PRBS12Q")


def test_what_a_400g_dr4_module_advertises(diagnostics: Diagnostics) -> None:
    found = diagnostics.capabilities
    six = ("PRBS31Q", "PRBS23Q", "PRBS15Q", "PRBS13Q", "PRBS9Q", "PRBS7Q")
    assert found.generator_patterns == {Side.HOST: six, Side.MEDIA: (*six, "SSPRQ")}
    assert found.checker_patterns == {Side.HOST: six, Side.MEDIA: six}
    assert found.loopbacks == (Loopback.MEDIA_OUTPUT, Loopback.MEDIA_INPUT, Loopback.HOST_INPUT)
    assert found.per_lane_loopbacks == {Side.HOST: False, Side.MEDIA: False}
    assert not found.simultaneous_loopbacks
    assert (found.ber, found.counters) == (True, True)
    assert found.snr == {Side.HOST: False, Side.MEDIA: True}
    assert not found.gating
    assert found.periodic_updates
    assert found.user_pattern_bytes == 0
    assert found.notes == ()


def test_capabilities_of_real_modules(dump_folder: Path) -> None:
    def of(name: str) -> Any:
        return read_capabilities(load_dump(dump_folder / f"{name}.json").image)

    assert of("arista-400g-xdr4").generator_patterns[Side.MEDIA][-1] == "SSPRQ"
    assert of("arista-2x400g-xdr4").checker_patterns[Side.MEDIA][-1] == "SSPRQ"
    fr4 = of("400g-fr4-multiport")
    assert (fr4.gating, fr4.gating_results, fr4.per_lane_gating_timers) == (True, True, True)
    assert fr4.gating_accuracy == "accuracy worse than 20 ms"
    assert of("credo-800g-aec").snr == {Side.HOST: True, Side.MEDIA: True}
    with pytest.raises(NotAdvertisedError, match=r"01h:142\.5"):
        of("2x400g-fr4-lpo")
    with pytest.raises(NotAdvertisedError, match="flat"):
        of("flat-memory")


def test_a_bank_that_is_not_there(module: CmisModule) -> None:
    with pytest.raises(NotAdvertisedError, match="bank 1"):
        _ = Diagnostics(module, bank=1).capabilities


@pytest.mark.parametrize(
    ("advertisement", "note"),
    [
        ("0b10206655055515550555050000ff", "neither"),
        ("0b10236655055515550555250000ff", "pattern 13, which is reserved"),
        ("0bc0236655055515000000000000ff", "gating, but"),
        ("0b30236655055515550555050000ff", "no gating"),
        ("4b10236655055515550555050000ff", None),
        ("4310236655055515550555050000ff", "both sides together"),
        ("1310236655055515550555050000ff", "lane by lane"),
    ],
)
def test_an_advertisement_that_cannot_be_is_noted(time: Clock, advertisement: str, note: str | None) -> None:
    port = DiagnosticModule(time, bytes.fromhex(advertisement))
    notes = read_capabilities(port.image).notes
    if note is None:
        assert notes == ()
    else:
        assert any(note in text for text in notes)


def test_a_page_that_mirrors_page_00h_is_noted(port: DiagnosticModule) -> None:
    port.image.put(0, 0x13, 128, port.image.get(0, 0x00, 128, 128))
    assert any("page 00h" in text for text in read_capabilities(port.image).notes)


# controls


def test_a_generator_of_some_lanes_leaves_the_others_alone(
    diagnostics: Diagnostics, port: DiagnosticModule
) -> None:
    port.image.put(0, 0x13, 152, bytes.fromhex("c2 00 40 03 21 43 65 87"))
    diagnostics.start_generator(Side.MEDIA, (1, 2), "SSPRQ", invert=True)
    assert port.image.get(0, 0x13, 152, 8) == bytes.fromhex("c3 03 40 03 cc 43 65 87")
    # Lane 2 ran: it was off while its pattern changed.
    assert [data for page, byte, data in port.writes if byte == 152] == [b"\xc0", b"\xc3"]
    diagnostics.stop_generator(Side.MEDIA, (2, 7))
    assert diagnostics.running(Side.MEDIA, Unit.GENERATOR) == (1, 8)


def test_swapped_bytes_of_an_earlier_user_are_set_back(
    diagnostics: Diagnostics, port: DiagnosticModule
) -> None:
    port.image.put(0, 0x13, 160, bytes.fromhex("00 ff ff 00"))
    diagnostics.start_checker(Side.HOST, (1, 8), "PRBS31Q")
    assert port.image.get(0, 0x13, 160, 4) == bytes.fromhex("81 7e 7e 00")


def test_a_gate_of_an_earlier_user_does_not_stop_the_counters(
    diagnostics: Diagnostics, port: DiagnosticModule
) -> None:
    port.put("MeasurementTime", 1)
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    (count,) = diagnostics.measure(Side.MEDIA, (1,), 20.0)
    assert count.bits >= 20.0 * BITS_PER_S


def test_a_pattern_that_is_not_advertised(diagnostics: Diagnostics, port: DiagnosticModule) -> None:
    with pytest.raises(NotAdvertisedError, match=r"13h:138-139 MediaSideCheckerPatterns.*PRBS31Q, PRBS23Q"):
        diagnostics.start_checker(Side.MEDIA, (1,), "SSPRQ")
    with pytest.raises(ValueError, match="no pattern"):
        diagnostics.start_checker(Side.MEDIA, (1,), "SSPRX")
    with pytest.raises(ValueError, match=r"1\.\.8"):
        diagnostics.start_checker(Side.MEDIA, (0, 1), "PRBS31Q")
    with pytest.raises(ValueError, match="no lanes"):
        diagnostics.start_checker(Side.MEDIA, (), "PRBS31Q")
    assert port.writes == []


@pytest.mark.parametrize("byte", [152, 156])
def test_a_generator_register_that_keeps_its_value(
    diagnostics: Diagnostics, port: DiagnosticModule, byte: int
) -> None:
    port.refused.add((0x13, byte))
    with pytest.raises(WriteNotTakenError, match=f"13h:{byte}"):
        diagnostics.start_generator(Side.MEDIA, (1, 3), "PRBS13Q")


def test_loopbacks_of_a_module_that_takes_all_lanes_together(
    diagnostics: Diagnostics, port: DiagnosticModule
) -> None:
    with pytest.raises(NotAdvertisedError, match=r"13h:128\.5 PerLaneMediaLoopbacksSupported is 0"):
        diagnostics.set_loopback(Loopback.MEDIA_OUTPUT, (1, 2))
    with pytest.raises(NotAdvertisedError, match=r"host output loopback|host side output loopback"):
        diagnostics.set_loopback(Loopback.HOST_OUTPUT, ALL)
    assert port.writes == []
    diagnostics.set_loopback(Loopback.MEDIA_OUTPUT, (1, 2, 3, 4))
    assert port.image.get(0, 0x13, 180, 4) == b"\xff\0\0\0"
    with pytest.raises(NotAdvertisedError, match=r"13h:128\.6.*media side output loopback"):
        diagnostics.set_loopback(Loopback.HOST_INPUT, ALL)
    diagnostics.set_loopback(Loopback.MEDIA_OUTPUT, (1, 2, 3, 4), on=False)
    diagnostics.set_loopback(Loopback.HOST_INPUT, ALL)
    assert port.image.get(0, 0x13, 180, 4) == b"\0\0\0\xff"


def test_loopbacks_lane_by_lane(time: Clock) -> None:
    port = DiagnosticModule(time, bytes([0x7F]) + XDR4_ADVERTISEMENT[1:])
    diagnostics = Diagnostics(CmisModule(port, time))
    diagnostics.set_loopback(Loopback.MEDIA_INPUT, (2, 4))
    diagnostics.set_loopback(Loopback.HOST_OUTPUT, (8,))
    assert port.image.get(0, 0x13, 180, 4) == b"\0\x0a\x80\0"
    diagnostics.set_loopback(Loopback.MEDIA_INPUT, (2,), on=False)
    assert diagnostics.loopback_lanes(Loopback.MEDIA_INPUT) == (4,)
    port.refused.add((0x13, 180))
    with pytest.raises(WriteNotTakenError, match=r"13h:180 MediaSideOutputLoopbackEnable.*no lane"):
        diagnostics.set_loopback(Loopback.MEDIA_OUTPUT, (1,))


def test_a_user_pattern_fills_what_is_advertised(time: Clock) -> None:
    advertisement = bytearray(XDR4_ADVERTISEMENT)
    advertisement[7] |= 0x80  # media generator: user pattern
    advertisement[12] = 3  # 8 bytes
    port = DiagnosticModule(time, bytes(advertisement))
    diagnostics = Diagnostics(CmisModule(port, time))
    square_wave = b"\xff\xff\0\0"  # eight 3s and eight 0s
    diagnostics.user_pattern(square_wave)
    assert port.image.get(0, 0x13, 224, 9) == 2 * square_wave + b"\0"
    for unfit in (b"", bytes(3), bytes(16)):
        with pytest.raises(ValueError, match="8 bytes"):
            diagnostics.user_pattern(unfit)


def test_no_user_pattern(diagnostics: Diagnostics) -> None:
    with pytest.raises(NotAdvertisedError, match="user pattern"):
        diagnostics.user_pattern(b"\xff\0")


# results behind the selector


def test_snr_of_a_real_module_by_way_of_the_selector(
    dump_folder: Path, port: DiagnosticModule, diagnostics: Diagnostics
) -> None:
    image = load_dump(dump_folder / "arista-400g-xdr4.json").image
    port.image.put(0, 0x14, 192, image.get(0, 0x14, 192, 64))
    assert diagnostics.read_snr(Side.MEDIA) == (
        0x15D7 / 256,
        0x1531 / 256,
        0x151A / 256,
        0x15E1 / 256,
        0,
        0,
        0,
        0,
    )
    assert diagnostics.read_snr(Side.MEDIA)[0] == pytest.approx(21.84, abs=0.005)
    with pytest.raises(NotAdvertisedError, match=r"13h:130\.4 HostSideInputSNRSupported"):
        diagnostics.read_snr(Side.HOST)


def test_snr_of_the_host_side_of_a_real_module(dump_folder: Path, time: Clock) -> None:
    image = load_dump(dump_folder / "arista-2x400g-xdr4.json").image
    port = DiagnosticModule(time, image.get(0, 0x13, 128, 15))
    port.image.put(0, 0x14, 192, image.get(0, 0x14, 192, 64))
    diagnostics = Diagnostics(CmisModule(port, time))
    host, media = diagnostics.read_snr(Side.HOST), diagnostics.read_snr(Side.MEDIA)
    assert host[0] == 0x1A29 / 256 == pytest.approx(26.16, abs=0.005)
    assert (host[7], media[0], media[7]) == (0x1B0B / 256, 0x1660 / 256, 0x1567 / 256)


def test_bit_error_ratios_of_both_sides(port: DiagnosticModule, diagnostics: Diagnostics) -> None:
    port.raw[0x01] = bytes.fromhex("71ef 7424") + bytes(12) + bytes.fromhex("72e1 72e6") + bytes(44)
    assert diagnostics.read_ber(Side.HOST)[:3] == (4.95e-8, 1.06e-7, 0.0)
    assert diagnostics.read_ber(Side.MEDIA)[:3] == (7.37e-8, 7.42e-8, 0.0)
    with pytest.raises(NotAdvertisedError, match=r"13h:129\.5"):
        diagnostics.read_ber(Side.MEDIA, gated=True)


def test_counters_are_little_endian_and_their_lowest_bit_is_the_pattern(
    port: DiagnosticModule, diagnostics: Diagnostics
) -> None:
    port.raw[0x05] = bytes.fromhex(
        "0100000000000000 00e40b5402000000"  # 1 in 10**10
        "0000000000000000 01e40b5402000000"  # the pattern was lost
        "0001000000000000 0000010000000000"
        "ffffffffffffffff feffffffffffffff"
    )
    assert diagnostics.read_counters(Side.MEDIA, (8, 5, 6, 7)) == (
        ErrorCount(Side.MEDIA, 5, 1, 10**10, synchronised=True),
        ErrorCount(Side.MEDIA, 6, 0, 10**10, synchronised=False),
        ErrorCount(Side.MEDIA, 7, 256, 65536, synchronised=True),
        ErrorCount(Side.MEDIA, 8, 2**64 - 1, 2**64 - 2, synchronised=True),
    )
    five, six, *_ = diagnostics.read_counters(Side.MEDIA, (5, 6))
    assert five.ber == 1e-10
    assert six.ber is None


@given(
    st.lists(
        st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**63 - 1), st.booleans()), min_size=4, max_size=4
    ),
    st.sampled_from([(Side.HOST, 0x02), (Side.HOST, 0x03), (Side.MEDIA, 0x04), (Side.MEDIA, 0x05)]),
)
def test_any_counters_come_back(numbers: list[tuple[int, int, bool]], place: tuple[Side, int]) -> None:
    side, selector = place
    clock = Clock()
    port = DiagnosticModule(clock)
    written = [number for errors, pairs, lost in numbers for number in (errors, 2 * pairs + lost)]
    port.raw[selector] = b"".join(number.to_bytes(8, "little") for number in written)
    first = 1 + 4 * (selector & 1)
    found = Diagnostics(CmisModule(port, clock)).read_counters(side, range(first, first + 4))
    assert [(count.errors, count.bits // 2, not count.synchronised) for count in found] == numbers
    assert all(count.bits % 2 == 0 for count in found)


def test_data_of_the_selector_before_is_not_taken(port: DiagnosticModule, diagnostics: Diagnostics) -> None:
    port.raw[0x02] = bytes([2]) * 64
    port.raw[0x04] = bytes([4]) * 64
    for side, byte in ((Side.HOST, 2), (Side.MEDIA, 4), (Side.HOST, 2)):
        assert diagnostics.read_counters(side, (1,))[0].errors == int.from_bytes(bytes([byte]) * 8, "little")
    early = Diagnostics(diagnostics.module, policy=SelectorPolicy(0.005))
    assert early.read_counters(Side.MEDIA, (1,))[0].errors == int.from_bytes(bytes([2]) * 8, "little")


def test_select_wait_and_read_are_one_holding_of_the_bus(
    port: DiagnosticModule, diagnostics: Diagnostics
) -> None:
    port.raw[0x02] = port.raw[0x03] = bytes([1]) * 64
    diagnostics.read_counters(Side.HOST)
    holdings = [holding for _, holding in port.results]
    assert 0 not in holdings
    for holding in set(holdings):
        mine = [what for what, number in port.results if number == holding]
        assert mine[0] == "select"
        assert mine.count("select") == 1
        assert "data" in mine


def test_a_slow_module_is_found_out_by_its_zeros(
    port: DiagnosticModule, diagnostics: Diagnostics, time: Clock
) -> None:
    port.slow_s = 0.095
    port.raw[0x02] = bytes([7]) * 64
    port.raw[0x03] = bytes(64)
    assert diagnostics.read_counters(Side.HOST, (1,))[0].errors > 0
    before_s = time.now_s()
    assert diagnostics.read_counters(Side.HOST, (5,))[0].errors == 0  # these zeros are real
    assert time.now_s() - before_s == pytest.approx(0.1)


def test_zeros_of_a_module_that_keeps_the_rule_are_believed_after_the_long_delay(
    port: DiagnosticModule, diagnostics: Diagnostics, time: Clock
) -> None:
    port.raw[0x02] = bytes(64)
    port.raw[0x03] = bytes([1]) * 64
    assert diagnostics.read_counters(Side.HOST, (1,))[0].bits == 0
    before_s = time.now_s()
    diagnostics.read_counters(Side.HOST, (5,))
    assert time.now_s() - before_s == pytest.approx(0.010)


def test_a_module_known_to_be_slow_is_waited_for_at_once(
    port: DiagnosticModule, diagnostics: Diagnostics, time: Clock
) -> None:
    port.put("VendorPN", "QDD-400G-XDR4")
    port.raw[0x02] = bytes([1]) * 64
    before_s = time.now_s()
    diagnostics.read_counters(Side.HOST, (1,))
    assert time.now_s() - before_s == pytest.approx(0.1)


def test_a_selector_that_the_module_does_not_have(port: DiagnosticModule, diagnostics: Diagnostics) -> None:
    port.selectors.remove(0x06)
    with pytest.raises(NotAdvertisedError, match="14h:128 DiagnosticsSelector reads back 0 after 06h"):
        diagnostics.read_snr(Side.MEDIA)
    diagnostics.read_counters(Side.MEDIA, (1,))
    port.refused.add((0x14, 128))
    with pytest.raises(WriteNotTakenError, match="reads back 04h after 02h"):
        diagnostics.read_counters(Side.HOST, (1,))


def test_delays_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="slow delay"):
        SelectorPolicy(0.2, 0.1)


# counting


@pytest.mark.parametrize("period_s", [0.0, 1.0])
@pytest.mark.parametrize("slow_s", [0.0, 0.095])
@pytest.mark.parametrize("holds", [True, False])
def test_a_gate_by_the_hosts_clock_counts_new_bits_only(
    port: DiagnosticModule, diagnostics: Diagnostics, time: Clock, period_s: float, slow_s: float, holds: bool
) -> None:
    port.period_s, port.slow_s, port.holds = period_s, slow_s, holds
    diagnostics.start_checker(Side.MEDIA, (1, 2, 3, 4), "PRBS31Q")
    time.sleep(1000.3)  # a long history that must not be counted
    called_s = time.now_s()
    found = diagnostics.measure(Side.MEDIA, (4, 1), 3.0)
    took_s = time.now_s() - called_s
    assert [count.lane for count in found] == [1, 4]
    for count in found:
        assert count.synchronised
        assert not count.gated
        assert 3.0 <= (count.gate_s or 0.0) <= took_s
        # Updated once a second, what is shown may lack up to a period at the end and, without a reset that
        # shows, hold up to one of before the gate, but never from before the call.
        assert 3.0 - period_s - 0.01 <= count.bits / BITS_PER_S <= 3.2 + period_s
        assert count.ber == pytest.approx(1e-9 * count.lane, rel=0.05)
    assert not port.get("ResetErrorInformation")


def test_a_gate_shorter_than_the_update_period_waits_for_one(
    port: DiagnosticModule, diagnostics: Diagnostics
) -> None:
    port.period_s = 1.0
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    (count,) = diagnostics.measure(Side.MEDIA, (1,), 0.1)
    assert count.bits > 0
    assert 0.1 <= (count.gate_s or 0.0) <= 1.2


@pytest.mark.parametrize("holds", [True, False])
def test_a_zero_from_before_the_checker_started_is_no_sign_of_a_reset(
    port: DiagnosticModule, diagnostics: Diagnostics, time: Clock, holds: bool
) -> None:
    port.period_s, port.holds = 1.0, holds
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    time.sleep(0.5)
    called_s = time.now_s()
    (count,) = diagnostics.measure(Side.MEDIA, (1,), 5.0)
    assert 3.9 < count.bits / BITS_PER_S <= time.now_s() - called_s


def test_a_reset_bit_that_clears_itself(port: DiagnosticModule, diagnostics: Diagnostics) -> None:
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    port.refused.add((0x13, 177))
    (count,) = diagnostics.measure(Side.MEDIA, (1,), 1.0)
    assert 1.0 <= count.bits / BITS_PER_S < 1.2


def test_no_errors_still_give_the_bits(port: DiagnosticModule, diagnostics: Diagnostics) -> None:
    port.ber = dict.fromkeys(ALL, 0.0)
    diagnostics.start_checker(Side.HOST, ALL, "PRBS31Q")
    found = diagnostics.measure(Side.HOST, ALL, 2.0)
    assert [count.lane for count in found] == sorted(ALL)
    assert all((count.errors, count.ber) == (0, 0.0) and count.bits > 2e11 for count in found)


@pytest.mark.parametrize("flags", [True, False])
def test_a_lane_without_light_is_not_synchronised(
    port: DiagnosticModule, diagnostics: Diagnostics, flags: bool
) -> None:
    port.flags = flags  # without them, the lowest bit of the counter alone tells
    port.dark[2] = (0.0, 1e9)
    diagnostics.start_checker(Side.MEDIA, (1, 2), "PRBS31Q")
    lit, dark = diagnostics.measure(Side.MEDIA, (1, 2), 1.0)
    assert lit.synchronised
    assert (dark.synchronised, dark.ber) == (False, None)
    if flags:
        assert diagnostics.checker_locked(Side.MEDIA)[:3] == (True, False, True)


def test_a_loss_that_is_over_by_the_end_of_the_gate_counts(
    port: DiagnosticModule, diagnostics: Diagnostics, time: Clock
) -> None:
    diagnostics.start_checker(Side.MEDIA, (1, 2), "PRBS31Q")
    port.dark[1] = (time.now_s() + 2.0, time.now_s() + 3.0)
    first, second = diagnostics.measure(Side.MEDIA, (1, 2), 10.0)
    assert (first.synchronised, second.synchronised) == (False, True)
    assert diagnostics.checker_locked(Side.MEDIA) == (True,) * 8


def test_a_loss_from_before_the_gate_does_not_count(
    port: DiagnosticModule, diagnostics: Diagnostics, time: Clock
) -> None:
    port.dark[1] = (time.now_s(), time.now_s() + 1.0)
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    time.sleep(5.0)
    assert diagnostics.measure(Side.MEDIA, (1,), 1.0)[0].synchronised


def test_a_checker_that_does_not_run_is_not_measured(
    port: DiagnosticModule, diagnostics: Diagnostics, time: Clock
) -> None:
    with pytest.raises(DiagnosticsStateError, match=r"lanes 1 .*13h:168 MediaSideCheckerEnable"):
        diagnostics.measure(Side.MEDIA, (1,), 1.0)
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    with pytest.raises(ValueError, match="above 0"):
        diagnostics.measure(Side.MEDIA, (1,), 0.0)

    def restart(duration_s: float, sleep: Any = time.sleep) -> None:
        sleep(duration_s)
        if duration_s >= 5.0:
            port.image.put(0, 0x13, 144, bytes(40))

    time.sleep = restart  # type: ignore[method-assign]
    with pytest.raises(DiagnosticsStateError, match="restarted or stopped"):
        diagnostics.measure(Side.MEDIA, (1,), 5.0)


def test_a_counter_that_goes_back(port: DiagnosticModule, diagnostics: Diagnostics, time: Clock) -> None:
    port.holds = False
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    time.sleep(100.0)
    now_s = time.now_s()
    port.starts[Side.MEDIA].append((now_s + 3.0, now_s + 3.0))
    with pytest.raises(InvalidMemoryError, match=r"media side lane 1: a counter .* went back"):
        diagnostics.measure(Side.MEDIA, (1,), 5.0)


@pytest.mark.parametrize("shown", [True, False])
def test_a_lane_that_loses_lock_and_counts_anew_is_a_result(
    port: DiagnosticModule, diagnostics: Diagnostics, time: Clock, shown: bool
) -> None:
    """Lane 2 loses its light for a second and counts from 0 afterwards; the other lanes are good.
    ``shown``: the lowest bit of the counter still tells at the end, else only the flag does."""
    port.holds = False
    diagnostics.start_checker(Side.MEDIA, (1, 2, 3, 4), "PRBS31Q")
    time.sleep(100.0)
    dark_s = time.now_s() + 3.0
    port.dark[2] = (dark_s, 1e9 if shown else dark_s + 1.0)
    counters = port.counters

    def restarted(side: Side, first: int, *, gated: bool) -> bytes:
        data = bytearray(counters(side, first, gated=gated))
        if time.now_s() > dark_s:
            data[16:24] = (5).to_bytes(8, "little")
            data[24:32] = (1000 | shown).to_bytes(8, "little")
        return bytes(data)

    port.counters = restarted  # type: ignore[method-assign]
    found = diagnostics.measure(Side.MEDIA, (1, 2, 3, 4), 5.0)
    assert [count.synchronised for count in found] == [True, False, True, True]
    assert (found[1].errors, found[1].bits, found[1].ber) == (5, 1000, None)
    assert all(count.bits >= 5.0 * BITS_PER_S for count in found if count.synchronised)


def test_a_gate_is_as_long_as_an_update_of_5_s_takes(
    port: DiagnosticModule, diagnostics: Diagnostics, time: Clock
) -> None:
    port.put("UpdatePeriodSelect", 1)
    port.period_s = 5.0
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    time.sleep(1000.3)
    (count,) = diagnostics.measure(Side.MEDIA, (1,), 0.1)
    assert count.bits > 0
    assert count.ber == pytest.approx(1e-9, rel=0.05)


def test_a_selector_that_somebody_changes_meanwhile_is_noticed(
    port: DiagnosticModule, diagnostics: Diagnostics
) -> None:
    """The port cannot hold the bus here: another program selects something else while data are read."""
    port.raw[0x04] = bytes([4]) * 64
    original = port.read

    def read(bank: int, page: int, byte: int, length: int) -> bytes:
        data = original(bank, page, byte, length)
        if (page, byte) == (0x14, 192):
            port.image.put(0, 0x14, 128, b"\x06")
        return data

    port.read = read  # type: ignore[method-assign]
    with pytest.raises(WriteNotTakenError, match="reads back 06h after 04h"):
        Diagnostics(CmisModule(port, diagnostics.module.clock)).read_counters(Side.MEDIA, (1,))


def test_counters_of_the_wrong_byte_order_are_noticed(
    port: DiagnosticModule, diagnostics: Diagnostics
) -> None:
    port.little_endian = False
    port.ber = dict.fromkeys(ALL, 1e-3)
    diagnostics.start_checker(Side.HOST, (1,), "PRBS31Q")
    with pytest.raises(InvalidMemoryError, match="little-endian"):
        diagnostics.measure(Side.HOST, (1,), 1.0)


def test_errors_and_bits_are_of_one_update(port: DiagnosticModule, diagnostics: Diagnostics) -> None:
    answers = iter([bytes([1]) * 64, bytes([1]) * 8 + bytes([2]) * 56, bytes([2]) * 64, bytes([2]) * 64])
    port.stale_s = 0.0
    original = port.read

    def read(bank: int, page: int, byte: int, length: int) -> bytes:
        return next(answers) if (page, byte) == (0x14, 192) else original(bank, page, byte, length)

    port.read = read  # type: ignore[method-assign]
    # The module goes on from 01.. to 02.. between readings; the second of these is torn.
    (count,) = diagnostics.read_counters(Side.HOST, (1,))
    assert count.errors == int.from_bytes(bytes([2]) * 8, "little")
    assert count.bits == count.errors


def test_a_reset_that_does_not_end_would_stop_all_counting(
    port: DiagnosticModule, diagnostics: Diagnostics
) -> None:
    diagnostics.reset_counters()
    assert [data for _, byte, data in port.writes if byte == 177] == [b"\x20", b"\0"]
    port.put("ResetErrorInformation", 1)
    port.refused.add((0x13, 177))
    with pytest.raises(WriteNotTakenError, match="ResetErrorInformation"):
        diagnostics.reset_counters()


def test_a_module_without_counters(time: Clock) -> None:
    advertisement = XDR4_ADVERTISEMENT[:2] + b"\x21" + XDR4_ADVERTISEMENT[3:]
    diagnostics = Diagnostics(CmisModule(DiagnosticModule(time, advertisement), time))
    for count in (
        lambda: diagnostics.measure(Side.MEDIA, (1,), 1.0),
        lambda: diagnostics.read_counters(Side.MEDIA),
        lambda: diagnostics.measure_gated(Side.MEDIA, (1,), 5.0),
    ):
        with pytest.raises(NotAdvertisedError, match=r"13h:130\.1 BitsAndErrorsCountingSupported is 0"):
            count()


# gates of the module


GATING = XDR4_ADVERTISEMENT[:1] + b"\x70" + XDR4_ADVERTISEMENT[2:]


@pytest.fixture
def gating(time: Clock) -> DiagnosticModule:
    port = DiagnosticModule(time, GATING)
    port.selectors |= {0x11, 0x12, 0x13, 0x14, 0x15}
    return port


def test_a_gate_of_the_modules_own(gating: DiagnosticModule, time: Clock) -> None:
    diagnostics = Diagnostics(CmisModule(gating, time))
    diagnostics.start_checker(Side.MEDIA, (1, 2), "PRBS31Q")
    gating.dark[2] = (0.0, 1e9)
    time.sleep(500.0)
    first, second = diagnostics.measure_gated(Side.MEDIA, (1, 2), 30.0)
    assert first.gated
    assert (first.gate_s, first.synchronised) == (30.0, True)
    assert first.bits == pytest.approx(30.0 * BITS_PER_S)
    assert first.ber == pytest.approx(1e-9)
    assert not second.synchronised
    assert gating.get("MeasurementTime") == 0
    assert diagnostics.running(Side.MEDIA, Unit.CHECKER) == (1, 2)


def test_gated_counts_of_a_module_without_gated_results(time: Clock) -> None:
    port = DiagnosticModule(time, GATING[:1] + b"\x40" + GATING[2:])
    diagnostics = Diagnostics(CmisModule(port, time))
    diagnostics.start_checker(Side.HOST, (5,), "PRBS31Q")
    (count,) = diagnostics.measure_gated(Side.HOST, (5,), 5.0)
    assert count.gated
    assert count.bits == pytest.approx(5.0 * BITS_PER_S)


def test_the_end_of_an_earlier_gate_is_not_taken_for_this_ones(time: Clock) -> None:
    port = DiagnosticModule(time, GATING[:1] + b"\x40" + GATING[2:])  # counters stop, nothing is latched
    diagnostics = Diagnostics(CmisModule(port, time))
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    old, read_flag = [1], port.read_flag

    def read(byte: int) -> int:
        return old.pop() if byte == 135 and old else read_flag(byte)

    port.read_flag = read  # type: ignore[method-assign]
    (count,) = diagnostics.measure_gated(Side.MEDIA, (1,), 5.0)
    assert old == []
    assert count.gated
    assert count.bits == pytest.approx(5.0 * BITS_PER_S, rel=1e-6)


def test_gates_are_not_restarted_by_the_module(gating: DiagnosticModule, time: Clock) -> None:
    """It would begin the next gate before the counters of this one were read."""
    seen: list[tuple[int, int]] = []
    write = gating.write

    def watch(bank: int, page: int, byte: int, data: bytes) -> None:
        if (page, byte) == (0x13, 168) and data[0] and gating.get("MeasurementTime"):
            seen.append((gating.get("AutoRestartGating"), gating.get("MeasurementTime")))
        write(bank, page, byte, data)

    gating.write = watch  # type: ignore[method-assign]
    diagnostics = Diagnostics(CmisModule(gating, time))
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    gating.put("AutoRestartGating", 1)
    assert diagnostics.measure_gated(Side.MEDIA, (1,), 30.0)[0].gated
    assert seen == [(0, 3)]
    assert gating.get("AutoRestartGating") == 1


@pytest.mark.parametrize(("side", "lanes"), [(Side.HOST, (1, 2)), (Side.MEDIA, (3,))])
def test_a_checker_is_not_started_at_the_cost_of_others_gates(
    gating: DiagnosticModule, time: Clock, side: Side, lanes: tuple[int, ...]
) -> None:
    diagnostics = Diagnostics(CmisModule(gating, time))
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    diagnostics.start_checker(side, lanes, "PRBS31Q")
    diagnostics.stop_checker(Side.MEDIA, (1,))
    gating.put("MeasurementTime", 6)  # another user's gate of 300 s
    gating.writes.clear()
    with pytest.raises(DiagnosticsStateError, match=rf"13h:177.*{side} lanes {lanes[0]}.*stop_checker"):
        diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    bert = ModulePrbs(CmisModule(gating, time), side=Side.MEDIA)
    with pytest.raises(DiagnosticsStateError, match="13h:177"):
        bert.start_pattern("PRBS31Q", (1,))
    assert gating.writes == []
    diagnostics.start_generator(Side.MEDIA, (1,), "PRBS31Q")  # which has no gates
    diagnostics.stop_checker(side, lanes)
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    assert gating.get("MeasurementTime") == 0


def test_gates_that_the_module_cannot_time_alone_are_timed_by_the_host(
    gating: DiagnosticModule, time: Clock, diagnostics: Diagnostics
) -> None:
    able = Diagnostics(CmisModule(gating, time))
    able.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    assert not able.measure_gated(Side.MEDIA, (1,), 7.0)[0].gated
    able.start_checker(Side.HOST, (1,), "PRBS31Q")  # shares 13h:177
    assert not able.measure_gated(Side.MEDIA, (1,), 5.0)[0].gated
    diagnostics.start_checker(Side.MEDIA, (1,), "PRBS31Q")
    assert not diagnostics.can_gate(5.0)
    assert not diagnostics.measure_gated(Side.MEDIA, (1,), 5.0)[0].gated


def test_a_gate_that_never_ends(gating: DiagnosticModule, time: Clock) -> None:
    gating.gates_end = False
    diagnostics = Diagnostics(CmisModule(gating, time))
    diagnostics.start_checker(Side.MEDIA, (1, 3), "PRBS31Q")
    before_s = time.now_s()
    with pytest.raises(DiagnosticsStateError, match=r"14h:135 GatingCompleteFlagMedia.*lanes 1, 3"):
        diagnostics.measure_gated(Side.MEDIA, (1, 3), 10.0)
    assert 11.99 < time.now_s() - before_s < 13.0
    assert gating.get("MeasurementTime") == 0
    assert diagnostics.running(Side.MEDIA, Unit.CHECKER) == (1, 3)


# the module as a BERT


@pytest.fixture
def bert(module: CmisModule) -> Bert:
    return ModulePrbs(module, side=Side.MEDIA)


def test_what_the_module_is_as_a_bert(bert: Bert, module: CmisModule) -> None:
    assert (bert.name, bert.plane, bert.generator_plane, bert.self_measured) == ("bert", "TP3", "TP2", True)
    assert bert.detector == "module's own media side checker"
    assert bert.lanes == (1, 2, 3, 4)
    assert "SSPRQ" in bert.generator_patterns
    assert "SSPRQ" not in bert.checker_patterns
    assert bert.patterns == bert.checker_patterns
    assert bert.drain_errors() == ()
    assert (bert.connect().vendor, bert.identify().model) == ("Maker", "TEST-400G-DR4")
    host = ModulePrbs(module, side=Side.HOST)
    assert (host.plane, host.generator_plane, host.lanes) == ("TP1a", "TP4", tuple(range(1, 9)))
    reference = ModulePrbs(module, side=Side.MEDIA, self_measured=False, detector="reference module")
    assert (reference.detector, reference.self_measured) == ("reference module", False)


def test_every_member_of_the_protocol_is_there(bert: Bert) -> None:
    members = {name for name in vars(Bert) if not name.startswith("_")}
    assert {"plane", "self_measured", "measure_errors"} <= members
    assert all(hasattr(bert, name) for name in members)


def test_the_module_counts_its_own_errors(bert: Bert, port: DiagnosticModule) -> None:
    port.dark[3] = (0.0, 1e9)
    bert.start_pattern("PRBS31Q")
    found = bert.measure_errors((4, 3, 2), 10.0)
    assert [lane.lane for lane in found] == [4, 3, 2]
    assert [lane.locked for lane in found] == [True, False, True]
    assert found[0].ber == pytest.approx(4e-9, rel=1e-3)
    assert found[1].ber is None
    assert found[0].bits == pytest.approx(10.0 * BITS_PER_S, rel=0.02)
    bert.stop_pattern()
    assert port.image.get(0, 0x13, 152, 1) == port.image.get(0, 0x13, 168, 1) == b"\0"


def test_ber_is_given_only_for_bits_in_lock() -> None:
    assert LaneErrors(1, 10**12, 0, locked=True, gate_s=10.0).ber == 0.0
    assert LaneErrors(1, 0, 0, locked=True, gate_s=10.0).ber is None
    assert LaneErrors(1, 10**12, 5, locked=False, gate_s=10.0).ber is None


def test_sending_and_checking_apart(bert: Bert, port: DiagnosticModule) -> None:
    with pytest.raises(NotAdvertisedError, match="checker"):
        bert.start_pattern("SSPRQ")
    assert port.writes == []
    bert.start_pattern("SSPRQ", generate=True, check=False)
    bert.start_pattern("PRBS13Q", (2,), generate=False)
    assert port.image.get(0, 0x13, 152, 1) == b"\x0f"
    assert port.image.get(0, 0x13, 168, 1) == b"\x02"
    with pytest.raises(ValueError, match="neither"):
        bert.start_pattern("PRBS13Q", generate=False, check=False)
    with pytest.raises(ValueError, match="media lanes are 1-4, not 5"):
        bert.start_pattern("PRBS13Q", (4, 5))
    with pytest.raises(ValueError, match="not none"):
        bert.measure_errors((), 1.0)


def test_what_was_set_before_is_restored(module: CmisModule, port: DiagnosticModule) -> None:
    generator, checker = bytes.fromhex("03 01 00 00 66 00 00 00"), bytes.fromhex("00 00 00 0f 00 00 00 00")
    port.image.put(0, 0x13, 152, generator)
    port.image.put(0, 0x13, 168, checker)
    bert = ModulePrbs(module, side=Side.MEDIA)
    assert bert.make_safe() == ()  # nothing was changed
    with bert:
        bert.start_pattern("PRBS31Q")
        bert.stop_pattern()
    assert port.image.get(0, 0x13, 152, 8) == generator
    assert port.image.get(0, 0x13, 168, 8) == checker
    bert.start_pattern("PRBS7Q")
    assert [step.safe for step in bert.make_safe()] == [True, True]
    assert port.image.get(0, 0x13, 152, 8) == generator
    assert bert.make_safe() == ()


@pytest.mark.parametrize("safely", [True, False])
def test_gates_that_were_set_before_are_restored(
    module: CmisModule, port: DiagnosticModule, safely: bool
) -> None:
    port.put("MeasurementTime", 3)
    port.put("AutoRestartGating", 1)
    port.put("UpdatePeriodSelect", 1)
    before = port.image.get(0, 0x13, 177, 1)
    bert = ModulePrbs(module, side=Side.MEDIA)
    bert.start_pattern("PRBS31Q")
    assert port.get("MeasurementTime") == 0
    if safely:
        assert all(step.safe for step in bert.make_safe())
    else:
        bert.restore()
    assert port.image.get(0, 0x13, 177, 1) == before
    assert port.image.get(0, 0x13, 168, 1) == b"\0"


@pytest.mark.parametrize(
    ("side", "kind", "register"),
    [
        (Side.MEDIA, Loopback.MEDIA_INPUT, "13h:181"),
        (Side.HOST, Loopback.HOST_INPUT, "13h:183"),
    ],
)
def test_a_looped_input_is_no_pattern_of_the_generator(
    module: CmisModule, port: DiagnosticModule, side: Side, kind: Loopback, register: str
) -> None:
    bert = ModulePrbs(module, side=side)
    bert.diagnostics.set_loopback(kind, ALL)
    port.writes.clear()
    with pytest.raises(DiagnosticsStateError, match=rf"{register} .*{bert.generator_plane}.*Turn it off"):
        bert.start_pattern("PRBS31Q")
    assert port.writes == []
    bert.start_pattern("PRBS31Q", generate=False)  # sends nothing
    with pytest.raises(DiagnosticsStateError, match=register):
        bert.measure_errors((1,), 1.0)
    bert.diagnostics.set_loopback(kind, ALL, on=False)
    bert.start_pattern("PRBS31Q")
    assert bert.measure_errors((1,), 1.0)[0].locked
    bert.diagnostics.set_loopback(kind, ALL)  # by somebody else, while it sends
    with pytest.raises(DiagnosticsStateError, match=register):
        bert.measure_errors((1,), 1.0)


def test_make_safe_says_what_it_could_not_do(bert: Bert, port: DiagnosticModule) -> None:
    bert.start_pattern("PRBS31Q")
    port.fault = ConnectionFailedError("i2c", "unplugged")
    steps = bert.make_safe()
    assert [step.safe for step in steps] == [False, False]
    assert "unplugged" in steps[0].read_back
    port.fault = None
    assert all(step.safe for step in bert.make_safe())
    assert port.image.get(0, 0x13, 152, 1) == b"\0"


def test_a_fault_of_restoring_does_not_hide_the_first_one(module: CmisModule, port: DiagnosticModule) -> None:
    def interrupted() -> None:
        with ModulePrbs(module, side=Side.MEDIA) as bert:
            bert.start_pattern("PRBS31Q")
            port.fault = ConnectionFailedError("i2c", "unplugged")
            raise RuntimeError("first")

    with pytest.raises(RuntimeError, match="first") as caught:
        interrupted()
    assert any("unplugged" in note for note in caught.value.__notes__)


def test_a_fault_of_the_bench_and_one_of_the_module_stay_what_they_are(
    bert: Bert, port: DiagnosticModule
) -> None:
    with pytest.raises(CmisError):
        bert.measure_errors((1,), 1.0)  # no checker runs
    bert.start_pattern("PRBS31Q")
    port.fault = ConnectionFailedError("i2c", "unplugged")
    with pytest.raises(ConnectionFailedError):
        bert.measure_errors((1,), 1.0)


def test_a_loopback_is_no_receiver(bert: Bert, module: CmisModule, port: DiagnosticModule) -> None:
    bert.start_pattern("PRBS31Q")
    bert.measure_errors((1,), 1.0)
    bert.make_safe()
    looped = ModulePrbs(module, side=Side.MEDIA, loopback=True)
    assert looped.plane == "internal (media side output loopback)"
    looped.start_pattern("PRBS31Q")
    assert port.image.get(0, 0x13, 180, 1) == b"\xff"
    assert looped.measure_errors((1,), 1.0)[0].locked
    with pytest.raises(DiagnosticsStateError, match=r"13h:180 .*TP3"):
        bert.measure_errors((1,), 1.0)
    assert all(step.safe for step in looped.make_safe())
    assert port.image.get(0, 0x13, 180, 1) == b"\0"
    bert.start_pattern("PRBS31Q")
    with pytest.raises(DiagnosticsStateError, match="is off"):
        looped.measure_errors((1,), 1.0)


def test_gates_of_the_module_when_they_are_asked_for(gating: DiagnosticModule, time: Clock) -> None:
    bert: Bert = ModulePrbs(CmisModule(gating, time), side=Side.MEDIA, gated=True)
    bert.start_pattern("PRBS31Q", (1,))
    (found,) = bert.measure_errors((1,), 60.0)
    assert found.gate_s == 60.0
    assert found.bits == pytest.approx(60.0 * BITS_PER_S)
