"""Which plans there are: shipped ones and suites of them by name, a user's own by path."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from harness.tables import read_table

PLANS_FOLDER: Final = Path(__file__).resolve().parents[2] / "testplans"
SUITES_FILE: Final = PLANS_FOLDER / "suites.toml"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Suite:
    """Plans that are run together."""

    name: str
    title: str
    plans: tuple[str, ...]


@cache
def suites() -> Mapping[str, Suite]:
    """The shipped suites, by name."""
    return read_suites(SUITES_FILE)


def read_suites(path: Path) -> dict[str, Suite]:
    """Read suites.

    :raises TableError: with one line for each mistake.
    """
    table = read_table(path)
    table.integer("schema", low=1, high=1)
    found: dict[str, Suite] = {}
    for part in table.tables("suite"):
        name, title, listed = part.text("name"), part.text("title"), part.listed("plans")
        plans = tuple(listed.text(key) for key in listed.names()) if listed is not None else ()
        if _NAME.fullmatch(name) is None or name in found or _plan_file(name).is_file():
            part.complain("name", f"{name!r} is no name that is free")
        for plan in plans:
            if _NAME.fullmatch(plan) is None or not _plan_file(plan).is_file():
                part.complain("plans", f"there is no plan {plan!r}")
        found[name] = Suite(name, title, plans)
        part.end()
    table.end()
    table.finish()
    return found


def shipped_plans(name: str) -> tuple[Path, ...]:
    """The files of a shipped plan (``launch_power``) or suite (``full``); empty when there is none."""
    if _NAME.fullmatch(name) is None:
        return ()
    if name in suites():
        return tuple(_plan_file(plan) for plan in suites()[name].plans)
    return (_plan_file(name),) if _plan_file(name).is_file() else ()


def find_plans(name: str) -> tuple[Path, ...]:
    """A plan by name (``launch_power``, ``full``) or path.

    :raises ValueError: when there is none; names those there are.
    """
    shipped = shipped_plans(name)
    if shipped:
        return shipped
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        return (path.resolve(),)
    known = ", ".join(sorted({*plan_names(), *suites()}))
    raise ValueError(f"no plan {name!r}; give the path of a .py file, or one of {known}")


def plan_names() -> tuple[str, ...]:
    """The shipped plans, without suites."""
    return tuple(sorted(path.stem.removeprefix("test_") for path in PLANS_FOLDER.glob("test_*.py")))


def plan_digest(files: Iterable[Path]) -> str:
    """SHA-256 over plans' files, whatever order they are given in."""
    digest = hashlib.sha256()
    for path in _ordered(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def plan_file_names(files: Iterable[Path]) -> str:
    """The files' names, in one line."""
    return " ".join(path.name for path in _ordered(files))


def _ordered(files: Iterable[Path]) -> Sequence[Path]:
    return sorted(set(files), key=lambda path: path.name)


def _plan_file(name: str) -> Path:
    return PLANS_FOLDER / f"test_{name}.py"
