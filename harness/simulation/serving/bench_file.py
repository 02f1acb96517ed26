"""The bench file of a served bench: its own, with the addresses and the clock of where it is served."""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.simulation.serving.bench_server import BenchServer

__all__ = ["served_bench_file"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def served_bench_file(source: Path, server: BenchServer, *, sockets_only: bool = False) -> str:
    """The text of a bench file by which ``source`` is reached where ``server`` serves it.

    ``sockets_only``: raw sockets also for those instruments whose own address is HiSLIP's or VXI-11's.
    """
    content = tomllib.loads(source.read_text(encoding="utf-8"))
    content.pop("simulation", None)
    content["clock"] = {"kind": "remote", "address": server.control}
    content["io"] = {**content.get("io", {}), "visa_library": "@py"}
    for served in server.instruments:
        addresses = served.addresses
        chosen = addresses["socket"] if sockets_only and "socket" in addresses else addresses[served.usual]
        content["instruments"][served.role]["address"] = chosen
    return f"# {source.name} as it is served; worth as much as the server runs.\n{_document(content)}"


def _document(content: Mapping[str, Any]) -> str:
    lines: list[str] = []
    _write_table(lines, (), content)
    return "\n".join(lines).strip() + "\n"


def _write_table(lines: list[str], path: Sequence[str], content: Mapping[str, Any]) -> None:
    """Values first, for what follows a header belongs to it; then tables, then arrays of tables."""
    tables = {key: value for key, value in content.items() if isinstance(value, dict) and len(path) < 2}
    arrays = {
        key: value
        for key, value in content.items()
        if not path and isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    }
    for key, value in content.items():
        if key not in tables and key not in arrays:
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in tables.items():
        inner = (*path, key)
        if not value or not all(isinstance(item, dict) for item in value.values()):
            lines += ["", f"[{'.'.join(map(_key, inner))}]"]
        _write_table(lines, inner, value)
    for key, value in arrays.items():
        for item in value:
            lines += ["", f"[[{_key(key)}]]"]
            lines += [f"{_key(name)} = {_value(entry)}" for name, entry in item.items()]


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    # What JSON escapes TOML reads alike; DEL alone TOML wants escaped and JSON does not.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return repr(value)
