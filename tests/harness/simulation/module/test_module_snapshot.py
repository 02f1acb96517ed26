"""A snapshot of the simulated module over its bus: all pages, and no flag is lost by taking it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from drivers.cmis.comparison import Category, compare
from drivers.cmis.description import describe, render_text
from drivers.cmis.dump import PageOutcome, format_dump, parse_dump
from drivers.cmis.module import CmisModule
from drivers.cmis.snapshot import take_snapshot

if TYPE_CHECKING:
    from conftest import ModuleBench


def test_a_snapshot_holds_the_module_and_leaves_its_flags(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench(seed=1)
    bench.activate()
    module = CmisModule(bench.host.memory, bench.clock)
    dump = take_snapshot(module)
    assert {record.outcome for record in dump.records} <= {PageOutcome.KEPT, PageOutcome.SKIPPED}
    assert {0x00, 0x01, 0x02, 0x10, 0x11} <= {page for _, page in dump.image.pages()}
    assert all(record.suspect == "" for record in dump.records)
    assert "ModuleStateChangedFlag" in module.flags().module  # nobody has read it before
    assert dump.module["part_number"] == module.identity().part_number
    description = describe(dump.image)
    assert description["doubts"] == []
    assert description["flags"] is None
    assert "DPActivated" in render_text(description)
    assert compare(dump.image, parse_dump(format_dump(dump)).image) == ()


def test_two_snapshots_differ_in_what_was_set_between_them(make_bench: Callable[..., ModuleBench]) -> None:
    bench = make_bench(seed=1)
    bench.activate()
    module = CmisModule(bench.host.memory, bench.clock)
    before = take_snapshot(module, clear_on_read=True)
    module.set_output_disable_tx((2,))
    bench.clock.sleep(1.0)
    after = take_snapshot(module, clear_on_read=True)
    changed = [item for item in compare(before.image, after.image) if not item.volatile]
    assert [(item.name, item.lane, item.a, item.b) for item in changed] == [
        ("OutputDisableTx", 2, False, True)
    ]
    assert {item.category for item in compare(before.image, after.image)} >= {Category.MONITOR}
