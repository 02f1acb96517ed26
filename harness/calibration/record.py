"""What a record of a bench's history holds, whatever was done: who did it with what."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Collection
from dataclasses import asdict
from importlib import metadata
from typing import Any

from drivers.interfaces import Identity
from harness.bench import Bench
from harness.bench_file.history import SCHEMA


def bench_record(
    kind: str, bench: Bench, *, roles: Collection[str], moment: datetime.datetime, **content: Any
) -> dict[str, Any]:
    """A record's content: what was done, and with what. ``roles``: whose instruments had a part in it."""
    spec = bench.spec
    return {
        "schema": SCHEMA,
        "kind": kind,
        "at": moment.isoformat(timespec="seconds"),
        "bench": spec.name,
        "bench_file": spec.path.name,
        "bench_sha256": spec.sha256,
        "simulated": spec.simulated,
        "seed": spec.seed,
        **content,
        "instruments": [_instrument(bench, role) for role in bench.own_roles() if role in roles],
        "software": {"lanewise": _version("lanewise"), "python": platform.python_version()},
    }


def _instrument(bench: Bench, role: str) -> dict[str, Any]:
    part = bench.spec.instruments[role]
    identity = bench.identities.get(role, Identity("", "", "", ""))
    return {
        "role": role,
        "driver": part.driver,
        "address": part.address,
        **asdict(identity),
        "calibration": asdict(part.calibration) if part.calibration else {},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
