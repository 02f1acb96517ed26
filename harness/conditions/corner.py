"""Corners and visits: where in temperature and supply a plan measures, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Corner:
    """Case temperature and supply voltage, on one visit: one stay at a chamber temperature. The way up and
    the way down are two visits of the same temperature."""

    visit: int
    case_temp_c: float
    vcc_v: float

    def __str__(self) -> str:
        return f"{self.case_temp_c:g}C-{self.vcc_v:g}V-visit{self.visit}"

    def text(self) -> str:
        """As people read it."""
        return f"{self.case_temp_c:g} °C, {self.vcc_v:g} V"


def corner_grid(case_temps_c: Sequence[float], vccs_v: Sequence[float]) -> tuple[Corner, ...]:
    """Every supply at every temperature; each entry of ``case_temps_c`` is one visit, in that order.

    :raises ValueError: when either is empty.
    """
    if not case_temps_c or not vccs_v:
        raise ValueError("a grid of corners needs at least one temperature and one supply voltage")
    return tuple(
        Corner(visit, float(temp_c), float(vcc_v))
        for visit, temp_c in enumerate(case_temps_c, start=1)
        for vcc_v in vccs_v
    )


def select(
    corners: Iterable[Corner],
    *,
    case_temps_c: Sequence[float] | None,
    vccs_v: Sequence[float] | None,
    visits: Sequence[int] | None = None,
) -> tuple[Corner, ...]:
    """Those corners whose temperature, supply and visit are asked for; None asks for all."""
    return tuple(
        corner
        for corner in corners
        if (case_temps_c is None or corner.case_temp_c in case_temps_c)
        and (vccs_v is None or corner.vcc_v in vccs_v)
        and (visits is None or corner.visit in visits)
    )
