"""A live module's memory, read for a command: all of it, in as few bus transactions as the bus allows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.cmis.snapshot import take_snapshot

if TYPE_CHECKING:
    from drivers.cmis.dump.formats import Dump
    from harness.module_target import ModuleTarget


@dataclass(frozen=True, slots=True)
class Reading:
    """``cost``: what reading took, in words. ``freeze``: what came of freezing the VDM statistics, in words;
    None when that was not asked for."""

    dump: Dump
    cost: str
    freeze: str | None = None


def read_module(
    target: ModuleTarget,
    *,
    flags: bool = False,
    frozen: bool = False,
    pages: Sequence[int] | None = None,
    banks: Sequence[int] | None = None,
) -> Reading:
    """Read a live module, or give the dump that the target is.

    ``flags``: latched flags too, which clears them. ``frozen``: with the VDM statistics standing still.

    :raises CmisError: when it cannot be read.
    """
    if target.dump is not None:
        from drivers.cmis.dump import only_pages

        dump = target.dump if pages is None else only_pages(target.dump, pages, banks)
        return Reading(dump, "read from a file")
    module = target.module
    before = target.transactions()
    from drivers.cmis.vdm import frozen_statistics

    with frozen_statistics(module) if frozen else nullcontext() as freeze:
        dump = take_snapshot(module, pages=pages, banks=banks, clear_on_read=flags, source=target.name)
    words = None
    if freeze is not None:
        words = freeze.reason or "frozen while they were read"
        words = "; ".join((words, *freeze.notes))
    return Reading(dump, cost_text(before, target.transactions()), words)


def cost_text(before: int | None, after: int | None) -> str:
    """Bus transactions between two counts, in words."""
    if before is None or after is None:
        return "bus transactions not known: the driver makes them"
    return f"{after - before} bus transactions"
