"""The physical media dependents that plans know: lanes, CMIS name, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.tables import TableError


@dataclass(frozen=True, slots=True)
class Pmd:
    """A PMD. ``media_interface``: its name among the SFF-8024 media interface codes."""

    name: str
    media_interface: str
    lanes: int

    def lane_numbers(self) -> tuple[int, ...]:
        """Media lanes, from 1."""
        return tuple(range(1, self.lanes + 1))


PMDS: Mapping[str, Pmd] = {"400GBASE-DR4": Pmd("400GBASE-DR4", "400GBASE-DR4", 4)}


def pmd_by_name(name: str) -> Pmd:
    """A PMD by its name; case does not matter.

    :raises TableError: when there is none of that name.
    """
    try:
        return PMDS[name.upper()]
    except KeyError:
        raise TableError([f"unknown PMD {name!r}; there are {', '.join(PMDS)}"]) from None
