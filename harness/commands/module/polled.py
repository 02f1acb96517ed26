"""One look at a live module after the other, each with the few bus transactions that were planned for it.

What cannot change is read once. Each look then reads states, monitors and flags by one plan, puts them into
the image of the module's memory, and describes that as ``show`` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drivers.cmis import information
from drivers.cmis.description import SECTIONS, describe
from drivers.cmis.description.layout import pairs, sentences, table
from drivers.cmis.description.sections import page_of
from drivers.cmis.fields import Access, Field, Kind
from drivers.cmis.flags import read_flags
from drivers.cmis.image import HALF
from drivers.cmis.page_cache import CachedMemory
from drivers.cmis.polling import PollPlan, Snapshot, full_poll_fields, plan_reads
from drivers.cmis.snapshot import take_snapshot
from drivers.cmis.vdm import VdmInstance, advertised
from drivers.cmis.wording import lanes_text
from harness.commands.module.reading import cost_text

if TYPE_CHECKING:
    from drivers.cmis.flags import FlagReport
    from harness.module_target import ModuleTarget

_SHOWN = ("module_state", "monitors", "media_lanes", "host_lanes", "vdm")
_CONSTANT_PAGES = (0x00, 0x01, 0x02)
_LANE_PAGE = 0x11
_VDM_CONTROL, _VDM_DESCRIPTORS, _VDM_SAMPLES, _VDM_THRESHOLDS = 0x2F, 0x1F, 0x23, 0x27  # + group
_MORE = (  # what the standard poll does not have: the flag summaries, the vendor's own flags, the data paths
    Field("StatusBytes", 0, 2, Kind.RAW, 6),
    # Byte by byte, as the flags in them are: a byte that lay in two spans would be read, and cleared, twice.
    Field("ModuleFlagBytes", 0, 8, Kind.UINT, lanes=6, access=Access.RO_COR),
    Field("RequestBytes", 0, 26, Kind.RAW, 1),
)
_MARKS = {"alarm": "!!", "warning": "! ", "event": "  "}


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found. ``description``: parts of :func:`drivers.cmis.description.describe`.
    ``transactions``: on the bus, None where nobody counts them. ``earlier``: flags of earlier looks that
    were not set again, in words, with the seconds since they were last seen."""

    name: str
    elapsed_s: float
    transactions: int | None
    description: Mapping[str, Any]
    flags: FlagReport | None
    earlier: Mapping[str, float]
    instances: Mapping[int, VdmInstance]

    @property
    def heading(self) -> str:
        """One line."""
        cost = "" if self.transactions is None else f", {cost_text(0, self.transactions)}"
        return f"{self.name}, after {self.elapsed_s:.1f} s{cost}"

    def lines(self, *, ascii_only: bool) -> list[str]:
        """As text, at most 100 columns."""
        page = page_of(ascii_only=ascii_only)
        blocks = {
            section.name: section.print(self.description, page)
            for section in SECTIONS
            if section.name in _SHOWN
        }
        last = blocks.pop("vdm", ())  # it may be long
        lines: list[str] = []
        for block in (*blocks.values(), self._flag_lines(), last):
            lines += ["", *block] if block else []
        by_reason: dict[str, list[str]] = {}
        for item in self.description["unavailable"]:
            if item["section"] in _SHOWN:
                by_reason.setdefault(item["reason"], []).append(item["section"].replace("_", " "))
        if by_reason:
            texts = (f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
            lines += ["", *sentences("Not available", texts, mark="")]
        return lines

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "target": self.name,
            "elapsed_s": round(self.elapsed_s, 3),
            "bus_transactions": self.transactions,
            **{name: self.description[name] for name in _SHOWN},
            "flags": None
            if self.flags is None
            else [
                {
                    "name": flag.name,
                    "text": flag.text,
                    "severity": flag.severity,
                    "lanes": list(flag.lanes),
                    "meaningful": flag.meaningful,
                    "note": flag.note,
                }
                for flag in self.flags.raised
            ],
        }

    def _flag_lines(self) -> list[str]:
        if self.flags is None:
            return ["Flags", "  not read, as that clears them"]
        title = "Flags since the last look (reading cleared them)"
        rows = [
            (_MARKS[flag.severity], flag.text, flag.note) for flag in self.flags.raised if flag.area != "VDM"
        ]
        rows += _vdm_flags(self.flags, self.instances)
        lines = table(title, ("", "", ""), rows) if rows else [title, "  none"]
        lines += (f"  {area}: {why}" for area, why in self.flags.skipped.items() if "could not" in why)
        lines += (f"  {note}" for note in self.flags.notes)
        if self.earlier:
            gone = ((text, f"{since_s:.1f} s ago") for text, since_s in self.earlier.items())
            lines += pairs("Earlier flags, not set again", gone)
        return lines


class Poll:
    """Looks at a module again and again. The first look also reads what does not change."""

    def __init__(self, target: ModuleTarget, *, flags: bool) -> None:
        """:raises CmisError: when the module cannot be read."""
        self._target = target
        self._flags = flags
        self._memory = CachedMemory(target.memory)
        snapshot = take_snapshot(self._memory, pages=_CONSTANT_PAGES, banks=(0,))
        self._image = snapshot.image
        self._paged = not information.get_int(self._image, "MemoryModel")
        self._applications = information.read_applications(self._image)
        self._instances = self._vdm_instances() if self._paged else ()
        self._plan = self._planned()
        self._seen: dict[str, float] = {}

    def look(self, elapsed_s: float) -> Look:
        """Read what changes, and describe it.

        :raises CmisError: when the module cannot be read.
        :raises BenchError: when the way to it fails.
        """
        before = self._target.transactions()
        snapshot = self._plan.execute(self._memory)
        report = None
        if self._flags:
            report = read_flags(_Layered(snapshot, self._memory), applications=self._applications)
        after = self._target.transactions()
        self._take_in(snapshot)
        return Look(
            name=self._target.name,
            elapsed_s=elapsed_s,
            transactions=None if before is None or after is None else after - before,
            description=describe(self._image),
            flags=report,
            earlier=self._earlier(report, elapsed_s),
            instances={instance.number: instance for instance in self._instances},
        )

    def _vdm_instances(self) -> tuple[VdmInstance, ...]:
        """What VDM observes; takes its descriptors and thresholds into the image."""
        if not information.get_int(self._image, "VDMPagesSupported"):
            return ()
        control = take_snapshot(self._memory, pages=(_VDM_CONTROL,), banks=(0,)).image
        groups = range(1, information.get_int(control, "VDMGroupsSupported") + 2)
        pages = [first + group for first in (_VDM_DESCRIPTORS, _VDM_THRESHOLDS) for group in groups]
        for image in (control, take_snapshot(self._memory, pages=pages, banks=(0,)).image):
            for bank, page in image.pages():
                for byte, data in image.known(bank, page):
                    if byte == HALF and not self._image.has(bank, page):
                        self._image.add_page(bank, page, data.ljust(HALF, b"\0"))
        return advertised(self._image)

    def _vdm_fields(self) -> Iterator[Field]:
        """The samples that are used, a field for each group."""
        for group in {instance.group for instance in self._instances}:
            indexes = [instance.index for instance in self._instances if instance.group == group]
            first, count = min(indexes), max(indexes) - min(indexes) + 1
            yield Field(
                f"Samples{group}",
                _VDM_SAMPLES + group,
                HALF + 2 * first,
                Kind.UINT,
                2,
                lanes=count,
                banked=True,
            )

    def _planned(self) -> PollPlan:
        fields: list[Field | str] = [*full_poll_fields(flags=self._flags, lanes=self._paged)]
        fields += [field for field in _MORE if self._flags or field.access is not Access.RO_COR]
        if self._paged:
            fields.append("ACS_DPConfig")
            fields += self._vdm_fields()
        return plan_reads(fields, limits=self._memory.limits, clear_on_read=self._flags)

    def _take_in(self, snapshot: Snapshot) -> None:
        for item in self._plan.pages:
            if item.page is not None and item.page not in _CONSTANT_PAGES:
                self._image.add_page(item.bank, item.page)
                self._image.mark_unread(item.bank, item.page, HALF, HALF)
            for byte, length in item.spans:
                data = snapshot.get(item.bank, item.page or 0, byte, length)
                self._image.put(item.bank, item.page or 0, byte, data)

    def _earlier(self, report: FlagReport | None, elapsed_s: float) -> dict[str, float]:
        if report is None:
            return {}
        now = {flag.text for flag in report.raised if flag.area != "VDM"}
        self._seen.update(dict.fromkeys(now, elapsed_s))
        return {text: elapsed_s - seen_s for text, seen_s in self._seen.items() if text not in now}


class _Layered:
    """What the look has read; beyond that, the module."""

    def __init__(self, snapshot: Snapshot, memory: CachedMemory) -> None:
        self._snapshot = snapshot
        self._memory = memory

    def get(self, bank: int, page: int, byte: int, length: int) -> bytes:
        """``length`` bytes from ``byte``."""
        if self._snapshot.has(bank, page, byte, length):
            return self._snapshot.get(bank, page, byte, length)
        return self._memory.read(bank, page, byte, length)


def _vdm_flags(report: FlagReport, instances: Mapping[int, VdmInstance]) -> list[tuple[str, str, str]]:
    """VDM's flags, a row for each observable and limit; a warning is not told beside its alarm."""
    kinds_of: dict[int, set[str]] = {}
    for flag in report.raised:
        if flag.area == "VDM":
            digits, _, kind = flag.name.removeprefix("VDM").partition(" ")
            kinds_of.setdefault(int(digits), set()).add(kind)
    rows: dict[tuple[str, str], list[int]] = {}
    for number, kinds in kinds_of.items():
        instance = instances.get(number)
        name = f"instance {number}" if instance is None else instance.observable.name
        for kind in sorted(kinds):
            if kind.endswith("alarm") or kind.replace("warning", "alarm") not in kinds:
                lanes = rows.setdefault((name, kind), [])
                lanes += [] if instance is None or instance.lane is None else [instance.lane]
    return [
        (
            _MARKS["alarm" if kind.endswith("alarm") else "warning"],
            f"VDM: {name}: {kind}" + (f", lane{'s' * (len(lanes) > 1)} {lanes_text(lanes)}" if lanes else ""),
            "",
        )
        for (name, kind), lanes in rows.items()
    ]
