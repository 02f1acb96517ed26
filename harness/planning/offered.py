"""Whether a bench has what an acquisition needs; if not, why: the reason that its tests are skipped with."""

from __future__ import annotations

from collections.abc import Sequence

from harness.bench_file.reading import BenchSpec
from harness.judging.pmd import Pmd
from harness.planning.matrix import AcquisitionRow, Way
from harness.wiring import MODULE, OpticalPath, Port

_TAKING_ALL = ("power_meter", "oscilloscope")
"""A spectrum analyser tells wavelengths apart by itself."""


def missing(spec: BenchSpec, pmd: Pmd, row: AcquisitionRow, lanes: Sequence[int]) -> str:
    """What the bench lacks for an acquisition, in words; empty when nothing."""
    absent = [role for role in row.roles if role not in spec.instruments]
    if absent:
        return f"the bench {spec.name} has no {' and no '.join(absent)}"
    for way in row.ways:
        dark = [lane for lane in lanes if not ways_of(spec, pmd, way, lane)]
        if dark:
            lost = "for any lane" if len(dark) == len(lanes) else f"for lane {', '.join(map(str, dark))}"
            return f"the bench {spec.name} has no way from {way.start} to {way.end} {lost}"
    return ""


def ways_of(spec: BenchSpec, pmd: Pmd, way: Way, lane: int) -> tuple[OpticalPath, ...]:
    """The ways of one lane, the shortest first. Where lanes share a fibre, those to an instrument that takes
    all light together must separate them."""
    start = lane_port(pmd, way.start, lane)
    if way.end.startswith(f"{MODULE}."):
        return spec.wiring.ways(start, lane_port(pmd, way.end, lane))
    found = spec.wiring.paths(start, way.end)
    shared_nm = pmd.wavelengths_in_one_fibre_nm
    if not shared_nm or way.end not in _TAKING_ALL:
        return found
    return tuple(path for path in found if path.separates(lane, shared_nm))


def lane_port(pmd: Pmd, side: str, lane: int) -> Port:
    """Where a lane's light leaves (``module.tx``, ``reference_tx``) or arrives (``module.rx``): the port of
    its number, or the one that multiplexed lanes share."""
    role, _, prefix = side.partition(".")
    return Port(role, f"{prefix}{1 if pmd.multiplexed else lane}")
