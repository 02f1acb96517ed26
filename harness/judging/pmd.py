"""The physical media dependents that plans know, by name."""

from __future__ import annotations

import functools

from harness.judging.limits import available_pmds, find_pmd, limits_of_pmd
from harness.judging.pmd_table import Pmd
from harness.tables import TableError

__all__ = ["DEFAULT_PMD", "Pmd", "pmd_by_name"]

DEFAULT_PMD = "400GBASE-DR4"
"""What a module is taken for when nothing else is said: in the later editions of the standard."""


@functools.cache
def pmd_by_name(name: str) -> Pmd:
    """A PMD by its name, with its edition if it has several (``400GBASE-DR4-2017``); case does not matter.

    :raises TableError: when there is none of that name.
    """
    found = find_pmd(name)
    if found is None:
        raise TableError([f"unknown PMD {name!r}; there are {', '.join(available_pmds())}"])
    pmd = limits_of_pmd(name).physical
    if pmd is None:
        raise TableError([f"{found[0].name}: optics: is missing; expected a table"])
    return pmd
