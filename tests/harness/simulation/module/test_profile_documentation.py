"""docs/profiles.md has a row for every key of every section: its unit, what it may hold, its default."""

from __future__ import annotations

import dataclasses
import re
import tomllib
import typing
from pathlib import Path

import pytest

from harness.simulation.module.profile import load_profile, profile_names
from harness.simulation.module.profile.applications import ApplicationProfile
from harness.simulation.module.profile.defects import DEFECTS
from harness.simulation.module.profile.profile import SECTIONS
from harness.simulation.module.profile.section_reading import expected
from harness.simulation.module.profile.stated_defect import StatedDefect

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "profiles.md"
UNITS = {
    "_mw_per_ma": "mW/mA",
    "_a_per_w": "A/W",
    "_uw": "µW",
    "_nm_per_ma": "nm/mA",
    "_ghz_per_c": "GHz/K",
    "_k_per_w": "K/W",
    "_per_khour": "1/kh",
    "_nm_per_c": "nm/K",
    "_db_per_v": "dB/V",
    "_w_per_c": "W/K",
    "_error_per_c": "1/K",
    "_db_hz": "dB/Hz",
    "_hours": "h",
    "_ohm": "Ω",
    "_ghz": "GHz",
    "_ps": "ps",
    "_percent": "%",
    "_ppm": "ppm",
    "_bytes": "bytes",
    "_gbps": "Gb/s",
    "_dbm": "dBm",
    "_db": "dB",
    "_nm": "nm",
    "_km": "km",
    "_ma": "mA",
    "_c": "°C",
    "_k": "K",
    "_m": "m",
    "_s": "s",
    "_v": "V",
    "_w": "W",
}
ALL = {**SECTIONS, "application": ApplicationProfile, "defect": StatedDefect}


def shown(value: object) -> str:
    """A default as TOML writes it."""
    if value is None:
        return "drawn"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(shown(entry) for entry in value)}]"
    return str(value)


def row_of(item: dataclasses.Field[object], hint: object) -> str:
    """A key's row in the document, up to its meaning."""
    unit = next((unit for suffix, unit in UNITS.items() if item.name.endswith(suffix)), "")
    default = "required" if item.default is dataclasses.MISSING else f"`{shown(item.default)}`"
    holds = expected(hint, item.metadata)
    if len(holds) > 90:
        holds = "see its meaning"
    return f"| `{item.name}` | {unit} | {holds} | {default} |".replace("|  |", "| |")


def rows_of(kind: type) -> list[str]:
    hints = typing.get_type_hints(kind)
    return [row_of(item, hints[item.name]) for item in dataclasses.fields(kind)]


def sections_of(text: str) -> dict[str, str]:
    parts = re.split(r"^## `\[{1,2}(\w+)\]{1,2}`.*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("section", ALL)
def test_every_key_has_its_row(section: str) -> None:
    found = sections_of(DOCUMENT.read_text(encoding="utf-8"))[section]
    lines = [line for line in found.splitlines() if line.startswith("| `")]
    wanted = rows_of(ALL[section])
    for row in wanted:
        line = next((line for line in lines if line.startswith(row)), "")
        assert line, f"[{section}] needs the row {row} ... |"
        assert len(line.removeprefix(row).strip(" |")) > 3, f"the row {row} says no meaning"
    assert len(lines) == len(wanted), "there is a row of a key that there is not"


def test_every_kind_of_defect_has_its_row() -> None:
    found = DOCUMENT.read_text(encoding="utf-8").partition("\n## Defects\n")[2].partition("\n## ")[0]
    wanted = [
        f"| `{kind}` | {'media lane' if defect.per_lane else 'module'} | {defect.at_1} | {defect.shown_by} |"
        for kind, defect in DEFECTS.items()
    ]
    lines = [line for line in found.splitlines() if line.startswith("| `")]
    assert lines == wanted, "docs/profiles.md needs these rows:\n" + "\n".join(wanted)


def test_the_document_names_every_section_and_every_shipped_profile() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert set(sections_of(text)) == {*ALL, "memory"}
    for name in profile_names():
        assert f"`{name}`" in text


def test_the_examples_of_the_document_are_profiles(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    examples = [part for part in re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL) if "extends" in part]
    assert examples
    for number, example in enumerate(examples):
        assert tomllib.loads(example)
        path = tmp_path / f"example{number}.toml"
        path.write_text(example, encoding="utf-8")
        load_profile(path)
