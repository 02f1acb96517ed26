"""Reads that belong together: from wanted fields to the fewest reads, and from these to values.

A plan is data: which spans of which pages. It is computed once and executed as often as wanted::

    plan = plan_reads(full_poll_fields(), limits=memory.limits, clear_on_read=True)
    snapshot = plan.execute(memory)
    decode(FIELDS["TempMonValue"], snapshot)

Wanted bytes are covered from the left: a read begins at the first byte that is not covered yet and reaches
as far as its limit lets it. No other cover of the same bytes has fewer reads, as any read that covers that
byte begins no later, and so ends no later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from drivers.cmis.access import transactions_of
from drivers.cmis.errors import NotReadError
from drivers.cmis.fields import Access, Field, Kind, ReadableImage, decode
from drivers.cmis.image import FIRST_BANKED_PAGE, HALF, check_span, half_key, page_key
from drivers.cmis.information import field_named
from drivers.cmis.latched import clear_on_read_bytes
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.ports import AccessLimits, KnowsSelection, ReadsSeveral, bus_held
from drivers.interfaces import MemoryPort

__all__ = [
    "PageReads",
    "PollPlan",
    "Snapshot",
    "advertised_limits",
    "bus_time_s",
    "full_poll_fields",
    "plan_reads",
]

_FULL_PAGE_READ = 2  # 01h:251.1-0
_FULL_PAGE_READ_BIT_4 = 0x10


class Snapshot:
    """What a plan has read: a source for :func:`drivers.cmis.fields.decode` that holds nothing else.

    Bytes that were not read raise; they are never made up.
    """

    def __init__(self) -> None:
        self._halves: dict[tuple[int, int] | None, tuple[bytearray, bytearray]] = {}

    def get(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """``length`` bytes from ``byte``.

        :raises NotReadError: naming the bytes that were not read.
        """
        check_span(byte, length)
        start = byte % HALF
        half = self._halves.get(half_key(bank, page, byte))
        if half is None or half[1].find(0, start, start + length) >= 0:
            raise NotReadError(_missing(half, bank, page, byte, length))
        return bytes(half[0][start : start + length])

    def put(self, bank: int, page: int, byte: int, data: bytes) -> None:
        """Take in what was read from ``byte`` on."""
        check_span(byte, len(data))
        start = byte % HALF
        values, known = self._halves.setdefault(
            half_key(bank, page, byte), (bytearray(HALF), bytearray(HALF))
        )
        values[start : start + len(data)] = data
        known[start : start + len(data)] = b"\1" * len(data)

    def has(self, bank: int, page: int, byte: int, length: int) -> bool:
        """Whether all of these bytes were read."""
        check_span(byte, length)
        half = self._halves.get(half_key(bank, page, byte))
        return half is not None and half[1].find(0, byte % HALF, byte % HALF + length) < 0


@dataclass(frozen=True, slots=True)
class PageReads:
    """Reads of one page, or of lower memory (``page`` None). ``spans``: (byte, length), ascending."""

    bank: int
    page: int | None
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class PollPlan:
    """Reads that give all wanted fields. Lower memory comes first, then pages in order."""

    pages: tuple[PageReads, ...]

    @property
    def reads(self) -> int:
        """Read accesses, without those of the page registers."""
        return sum(len(item.spans) for item in self.pages)

    @property
    def page_switches(self) -> int:
        """Page selects when another page is selected before; one less when the last page of the plan before
        is still selected, which is then the first to be read."""
        return sum(item.page is not None for item in self.pages)

    def execute(self, memory: MemoryPort, *, into: Snapshot | None = None) -> Snapshot:
        """Read everything.

        The page that ``memory`` has selected is read first, where that is known. ``into``: a snapshot of the
        caller's to add to. It holds what was read before an error, flags among them, which the module has
        forgotten by then.

        :raises CmisError: what the memory raises; and BenchError likewise.
        """
        snapshot = Snapshot() if into is None else into
        for item in self._ordered(memory):
            page = item.page or 0
            with bus_held(memory):
                if isinstance(memory, ReadsSeveral):
                    # One transaction at a time, so that flags are in the snapshot before anything can fail.
                    for together in transactions_of(item.page, item.spans):
                        answers = memory.read_several(item.bank, page, together)
                        for (byte, _), data in zip(together, answers, strict=True):
                            snapshot.put(item.bank, page, byte, data)
                else:
                    for byte, length in item.spans:
                        snapshot.put(item.bank, page, byte, memory.read(item.bank, page, byte, length))
        return snapshot

    def _ordered(self, memory: object) -> Iterator[PageReads]:
        selected = memory.selected if isinstance(memory, KnowsSelection) else None
        first = [
            item
            for item in self.pages
            if item.page is not None and selected == page_key(item.bank, item.page)
        ]
        yield from (item for item in self.pages if item.page is None)
        yield from first
        yield from (item for item in self.pages if item.page is not None and item not in first)


def plan_reads(
    fields: Iterable[Field | str],
    *,
    bank: int = 0,
    limits: AccessLimits | None = None,
    clear_on_read: bool = False,
) -> PollPlan:
    """The fewest reads that give ``fields`` (or their names) of ``bank``.

    No read is longer than ``limits`` allow (by default 8 bytes), none splits a number of several bytes, and
    none clears a flag that was not asked for: bytes of latched flags are read only when a field in them is
    wanted, and then with ``clear_on_read=True``. Flags of the same byte are cleared together; the snapshot
    holds them all. Text and raw bytes longer than a read are split.

    :raises ValueError: for flags without ``clear_on_read``, for a field of the caller's own that holds
        bytes of flags among others, for fields that share flags and do not fit into one read, and for a name
        that is not in the register tables.
    """
    limits = limits or AccessLimits()
    wanted: dict[tuple[int, int | None], list[tuple[int, int]]] = {}
    flags: dict[tuple[int, int | None], set[int]] = {}
    for item in fields:
        field = field_named(item) if isinstance(item, str) else item
        page = None if field.byte < HALF else field.page
        key = (bank if page is not None and field.banked else 0, page)
        if field.access is Access.RO_COR:
            if not clear_on_read:
                raise ValueError(
                    f"{field.name} ({field.where}) is cleared by being read: ask for that with clear_on_read"
                )
            flags.setdefault(key, set()).update(range(field.byte, field.byte + field.size))
        longest = limits.longest_read(page)
        wanted.setdefault(key, []).extend(_elements(field, longest))
    return PollPlan(
        tuple(
            PageReads(
                *key,
                _cover(
                    wanted[key],
                    limits.longest_read(key[1]),
                    sorted(clear_on_read_bytes(key[1]) - flags.get(key, set())),
                    clear_on_read_bytes(key[1]),
                ),
            )
            for key in sorted(wanted, key=lambda key: (-1 if key[1] is None else key[1], key[0]))
        )
    )


_MODULE_STATUS = (
    "ModuleState",
    "InterruptDeasserted",
    "TempMonValue",
    "VccMonVoltage",
    "Aux1MonValue",
    "Aux2MonValue",
    "Aux3MonValue",
    "CustomMonValue",
)
_LANE_STATUS = (
    "DPStateHostLane",
    "OutputStatusRx",
    "OutputStatusTx",
    "TxPower",
    "TxBias",
    "RxPower",
    "ConfigStatus",
)
_LANE_ADVERTISEMENTS = (
    "TxOpticalPowerMonSupported",
    "TxBiasMonSupported",
    "RxOpticalPowerMonSupported",
    "TxBiasCurrentScalingFactor",
)


def full_poll_fields(*, flags: bool = True, lanes: bool = True) -> tuple[str, ...]:
    """The standard poll: module state, module and lane monitors, flags, states and output status of the data
    paths, configuration status, and the advertisements by which lane monitors are understood.

    ``flags=False``: nothing is cleared. ``lanes=False``: lower memory alone, as of a flat-memory module.
    """
    names = list(_MODULE_STATUS)
    if lanes:
        names += _LANE_ADVERTISEMENTS + _LANE_STATUS
    if flags:
        names += [
            field.name
            for field in FIELDS.values()
            if field.access is Access.RO_COR and (field.byte < HALF or (lanes and field.page == 0x11))
        ]
    return tuple(names)


def advertised_limits(source: ReadableImage, *, bit_4_counts: bool = False) -> AccessLimits:
    """What a module says that it takes and gives in one access.

    Reads: a full page where 01h:251.1-0 is 2 and the module's CMIS revision knows that field
    (``FullPageReadSupported``). [uncertain: OIF-CMIS-05.4 §5.2.2.1 names 01h:251.4 instead of Table 8-62's
    bits 1-0; ``bit_4_counts`` takes that for an advertisement too.] Writes: 8. CDB pages: 8 * (1 + 01h:164)
    up to 2048, where 01h:163 says that there is CDB. A flat-memory module: 8.

    Modules that give full pages without advertising it are common: set the limits yourself for those.

    :raises PageUnavailableError: without lower memory, or without page 01h of a paged module.
    """
    if decode(FIELDS["MemoryModel"], source):
        return AccessLimits()
    revision = (decode(FIELDS["CmisRevisionMajor"], source), decode(FIELDS["CmisRevisionMinor"], source))
    full_page = FIELDS["FullPageReadSupported"]
    reads_pages = revision >= tuple(int(part) for part in full_page.since.split(".")) and (
        decode(full_page, source) == _FULL_PAGE_READ
        or (
            bit_4_counts and bool(source.get(0, full_page.page, full_page.byte, 1)[0] & _FULL_PAGE_READ_BIT_4)
        )
    )
    cdb = AccessLimits().cdb
    if decode(FIELDS["CdbInstancesSupported"], source):
        extension = decode(FIELDS["CdbReadWriteLengthExtension"], source)
        cdb = 8 * (1 + int(extension)) if isinstance(extension, int) else cdb  # of 8 bits: up to 2048
    return AccessLimits(read=HALF if reads_pages else AccessLimits().read, cdb=cdb)


_PAGE_SELECT_BYTES = (4,)  # module address, register address, bank, page
_READ_OVERHEAD_BYTES = 3  # address and register, repeated start, address
_BITS_PER_BYTE = 9  # eight and the acknowledgement
_CONDITION_BITS = 1  # a start, repeated start or stop condition takes about one clock period


def bus_time_s(
    plan: PollPlan, clock_hz: float = 400e3, *, page_switches: int | None = None, combine: bool = True
) -> float:
    """Seconds that a plan keeps a two-wire bus busy, as :class:`drivers.cmis.access.I2cMemory` executes it.

    Nine clock periods a byte, address bytes and the looks at the page registers included, and one for each
    start, repeated start and stop condition. ``page_switches``: selects that are needed, by default all that
    the plan has. Left out: clock stretching (tREAD, up to 500 us for each read), hold-off, and gaps that the
    adapter makes between messages.
    """
    selects = plan.page_switches if page_switches is None else page_switches
    bits = 0
    for _ in range(selects):
        bits += _BITS_PER_BYTE * sum(_PAGE_SELECT_BYTES) + 2 * _CONDITION_BITS
    look = _READ_OVERHEAD_BYTES + 2
    for item in plan.pages:
        for together in transactions_of(item.page, item.spans, combine=combine):
            sizes = [_READ_OVERHEAD_BYTES + length for _, length in together]
            sizes += [look] * (item.page is not None)
            stops = 1 if combine else len(sizes)
            bits += _BITS_PER_BYTE * sum(sizes) + _CONDITION_BITS * (2 * len(sizes) + stops)
    return bits / clock_hz


def _elements(field: Field, longest: int) -> list[tuple[int, int]]:
    """(first byte, byte behind) of each part of a field that must not be split."""
    size = 1
    if field.kind not in (Kind.ASCII, Kind.LANE_BITS, Kind.LANE_NIBBLES):
        size = field.length
    if field.kind is Kind.RAW and field.length > longest:
        size = 1
    return [(start, start + size) for start in range(field.byte, field.byte + field.size, size)]


def _cover(
    elements: Sequence[tuple[int, int]], longest: int, barred: Sequence[int], flags: Collection[int]
) -> tuple[tuple[int, int], ...]:
    """The fewest spans of at most ``longest`` bytes that hold each element whole, and nothing ``barred``.

    No byte of ``flags`` is in two of them: the second reading would find it cleared.
    """
    spans: list[tuple[int, int]] = []
    first = end = limit = -1
    for start, behind in _with_flags_joined(elements, longest, flags):
        if spans and behind <= limit:
            end = max(end, behind)
            spans[-1] = (first, end - first)
            continue
        first, end = start, behind
        limit = min(start + longest, next((byte for byte in barred if byte >= start), 2 * HALF))
        if behind > limit:
            raise ValueError(
                f"bytes {start}..{behind - 1} belong together, but {limit} is cleared by being read"
            )
        spans.append((first, end - first))
    return tuple(spans)


def _with_flags_joined(
    elements: Sequence[tuple[int, int]], longest: int, flags: Collection[int]
) -> list[tuple[int, int]]:
    """The elements in order; those that share a byte of flags become one."""
    joined: list[tuple[int, int]] = []
    for start, behind in sorted(set(elements)):
        sharing = [
            other for other in joined if any(byte in flags for byte in range(start, min(behind, other[1])))
        ]
        first = min([start, *(other[0] for other in sharing)])
        end = max([behind, *(other[1] for other in sharing)])
        joined = [other for other in joined if other not in sharing] + [(first, end)]
        if sharing and end - first > longest:
            raise ValueError(
                f"bytes {first}..{end - 1} share flags, which one read has to fetch, but {longest} bytes is "
                "the longest: ask for these fields one after the other"
            )
    return sorted(joined)


def _missing(half: tuple[bytearray, bytearray] | None, bank: int, page: int, byte: int, length: int) -> str:
    first, last = byte, byte + length - 1
    if half is not None:
        missing = [at for at in range(byte, byte + length) if not half[1][at % HALF]]
        first, last = missing[0], missing[-1]
    area = "lower memory"
    if byte >= HALF:
        area = f"page {page:02X}h" + (f" bank {bank}" if page >= FIRST_BANKED_PAGE else "")
    span = f"byte {first}" if first == last else f"bytes {first}..{last}"
    return f"{area} {span} of the snapshot were not read: put the field into the plan's wanted fields"
