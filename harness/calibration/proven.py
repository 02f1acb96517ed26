"""Which of a bench's drivers a kept proof covers: on this bench, with this very instrument and firmware."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drivers.interfaces import Identity
from harness.bench_file.history import Kept, history_folder, read_history
from harness.bench_file.reading import BenchSpec


def proven_drivers(spec: BenchSpec, folder: Path | None = None) -> frozenset[tuple[str, Identity]]:
    """Drivers and the instruments that they were proven with, by the proofs in the bench's history
    (``folder`` by default where ``lanewise bench prove`` puts them) that passed on hardware. Nothing proves a
    simulated bench, and what cannot be read proves nothing."""
    if spec.simulated:
        return frozenset()
    kept, _ = read_history(folder or history_folder(spec), "prove")
    return frozenset(entry for record in kept for entry in _of(record))


def _of(record: Kept) -> list[tuple[str, Identity]]:
    content = record.content
    unsafe = content.get("not_safe") != []
    if content.get("passed") is not True or content.get("simulated") is not False or unsafe:
        return []
    roles, instruments = content.get("proven_roles"), content.get("instruments")
    if not isinstance(roles, list) or not isinstance(instruments, list):
        return []
    return [
        (_text(entry, "driver"), Identity(*(_text(entry, key) for key in _IDENTITY)))
        for entry in instruments
        if isinstance(entry, dict) and entry.get("role") in roles
    ]


_IDENTITY = ("vendor", "model", "serial", "firmware")


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
