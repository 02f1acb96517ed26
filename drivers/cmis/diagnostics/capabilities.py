"""What a module's diagnostics can do (OIF-CMIS-05.4 section 8.12, 13h:128-142)."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from drivers.cmis import codes
from drivers.cmis.diagnostics.patterns import USER_PATTERN, pattern_names, reserved_patterns
from drivers.cmis.errors import NotAdvertisedError, PageUnavailableError
from drivers.cmis.fields import ReadableImage
from drivers.cmis.image import MemoryImage
from drivers.cmis.information import get_int
from drivers.cmis.memory_map import FIELDS

__all__ = ["DiagnosticsCapabilities", "Loopback", "Side", "Unit", "read_capabilities"]

_PAGE, _FIRST, _LENGTH = 0x13, 128, 15


class Side(enum.Enum):
    """Which of its two interfaces a generator, a checker or a loopback of the module belongs to."""

    HOST = "Host"
    MEDIA = "Media"

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.MEDIA if self is Side.HOST else Side.HOST

    def __str__(self) -> str:
        return self.value.lower()


class Unit(enum.Enum):
    """What sends a pattern, and what compares with it."""

    GENERATOR = "Generator"
    CHECKER = "Checker"

    def __str__(self) -> str:
        return self.value.lower()


class Loopback(enum.Enum):
    """The four loopbacks. Output: what would leave the module on that side comes back into it. Input: what
    comes into the module on that side is sent out again on the same side."""

    MEDIA_OUTPUT = "MediaSideOutputLoopback"
    MEDIA_INPUT = "MediaSideInputLoopback"
    HOST_OUTPUT = "HostSideOutputLoopback"
    HOST_INPUT = "HostSideInputLoopback"

    @property
    def side(self) -> Side:
        """The side it is on."""
        return Side.MEDIA if self in (Loopback.MEDIA_OUTPUT, Loopback.MEDIA_INPUT) else Side.HOST

    def __str__(self) -> str:
        return self.name.lower().replace("_", " side ") + " loopback"


@dataclass(frozen=True, slots=True)
class DiagnosticsCapabilities:
    """What the module advertises for one bank of 8 lanes.

    Patterns are names of :mod:`drivers.cmis.diagnostics.patterns`. ``user_pattern_bytes``: longest user
    pattern, 0 where none is advertised [uncertain: 2 * (1 + 13h:140.3-0)]. ``gating_accuracy`` is text.
    ``notes``: what the advertisement says that cannot be.
    """

    bank: int
    loopbacks: tuple[Loopback, ...]
    per_lane_loopbacks: Mapping[Side, bool]
    simultaneous_loopbacks: bool
    gating: bool
    gating_accuracy: str
    gating_results: bool
    periodic_updates: bool
    per_lane_gating_timers: bool
    auto_restart_gating: bool
    ber: bool
    counters: bool
    snr: Mapping[Side, bool]
    fec: Mapping[Side, bool]
    generator_patterns: Mapping[Side, tuple[str, ...]]
    checker_patterns: Mapping[Side, tuple[str, ...]]
    user_pattern_bytes: int
    notes: tuple[str, ...] = ()

    def patterns(self, side: Side, unit: Unit) -> tuple[str, ...]:
        """Patterns of a side's generators or checkers."""
        return (self.generator_patterns if unit is Unit.GENERATOR else self.checker_patterns)[side]


def read_capabilities(source: ReadableImage, bank: int = 0) -> DiagnosticsCapabilities:
    """What 13h:128-142 advertise, from an image or from a live module.

    :raises NotAdvertisedError: for flat memory, without pages 13h and 14h (01h:142.5), without this bank.
    :raises PageUnavailableError: when the source does not hold what is needed.
    """
    _require_pages(source, bank)
    advertised = MemoryImage(None)
    advertised.add_page(bank, _PAGE)
    data = source.get(bank, _PAGE, _FIRST, _LENGTH)
    advertised.put(bank, _PAGE, _FIRST, data)

    def number(name: str) -> int:
        return get_int(advertised, name, bank)

    def both(name: str) -> dict[Side, bool]:
        return {side: bool(number(name.format(side.value))) for side in Side}

    bitmaps = {
        (side, unit): number(f"{side.value}Side{unit.value}Patterns") for side in Side for unit in Unit
    }
    named = {key: pattern_names(bitmap) for key, bitmap in bitmaps.items()}
    user = any(USER_PATTERN in names for names in named.values())
    found = DiagnosticsCapabilities(
        bank=bank,
        loopbacks=tuple(kind for kind in Loopback if number(f"{kind.value}Supported")),
        per_lane_loopbacks=both("PerLane{}LoopbacksSupported"),
        simultaneous_loopbacks=bool(number("SimultaneousHostAndMediaLoopbacksSupported")),
        gating=bool(number("GatingSupported")),
        gating_accuracy=codes.meaning("gating", number("GatingSupported")),
        gating_results=bool(number("GatingResultsSupported")),
        periodic_updates=bool(number("PeriodicUpdatesSupported")),
        per_lane_gating_timers=bool(number("PerLaneGatingTimersSupported")),
        auto_restart_gating=bool(number("AutoRestartGatingSupported")),
        ber=bool(number("BitErrorRatioResultsSupported")),
        counters=bool(number("BitsAndErrorsCountingSupported")),
        snr=both("{}SideInputSNRSupported"),
        fec=both("{}SideFECSupported"),
        generator_patterns={side: named[side, Unit.GENERATOR] for side in Side},
        checker_patterns={side: named[side, Unit.CHECKER] for side in Side},
        user_pattern_bytes=2 * (1 + number("UserPatternLengthCode")) if user else 0,
    )
    notes = (*_reserved(bitmaps), *_nonsense(found), *_mirrored(source, data))
    return replace(found, notes=notes)


def _require_pages(source: ReadableImage, bank: int) -> None:
    if get_int(source, "MemoryModel"):
        raise NotAdvertisedError(
            f"no diagnostics: the module has flat memory ({FIELDS['MemoryModel'].where}), so no page 13h"
        )
    if not get_int(source, "DiagnosticPagesSupported"):
        where = FIELDS["DiagnosticPagesSupported"].where
        raise NotAdvertisedError(f"no diagnostics: {where} DiagnosticPagesSupported is 0 (pages 13h and 14h)")
    banks = codes.BANKS_BY_CODE.get(get_int(source, "BanksSupported"), 1)
    if not 0 <= bank < banks:
        where = FIELDS["BanksSupported"].where
        raise NotAdvertisedError(f"no diagnostics of bank {bank}: {where} BanksSupported gives {banks}")


def _reserved(bitmaps: Mapping[tuple[Side, Unit], int]) -> Iterator[str]:
    for (side, unit), bitmap in bitmaps.items():
        for code in reserved_patterns(bitmap):
            name = f"{side.value}Side{unit.value}Patterns"
            yield f"{FIELDS[name].where} {name} advertises pattern {code}, which is reserved"


def _nonsense(found: DiagnosticsCapabilities) -> Iterator[str]:
    checkers = any(found.checker_patterns.values())
    if checkers and not (found.ber or found.counters):
        yield "there are checkers, but neither bit error ratios (13h:130.0) nor counters (13h:130.1)"
    if found.counters and not checkers:
        yield "13h:130.1 advertises counters, but 13h:136-139 no pattern of any checker"
    if found.gating and not checkers:
        yield "13h:129.7-6 advertise gating, but 13h:136-139 no pattern of any checker"
    if found.gating_results and not found.gating:
        yield "13h:129.5 advertises gated results, but 13h:129.7-6 no gating"
    sides = {kind.side for kind in found.loopbacks}
    for side, per_lane in found.per_lane_loopbacks.items():
        if per_lane and side not in sides:
            yield f"13h:128 advertises {side} side loopbacks lane by lane, but no {side} side loopback"
    if found.simultaneous_loopbacks and len(sides) < 2:
        yield "13h:128.6 advertises loopbacks of both sides together, but not both sides have one"


def _mirrored(source: ReadableImage, data: bytes) -> Iterator[str]:
    """Modules show page 00h where they have no page 13h."""
    try:
        identity = source.get(0, 0x00, _FIRST, _LENGTH)
    except PageUnavailableError:
        return  # a dump without page 00h: nothing to compare with
    if identity == data and any(data):
        yield "13h:128-142 are the bytes of page 00h: the module does not have page 13h"
