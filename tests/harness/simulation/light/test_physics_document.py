"""docs/physics.md shows what the models give: its figures and its table are those of the code."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[4] / "docs"


@pytest.fixture(scope="module")
def plot() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("physics_plot", DOCS / "physics" / "plot.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["physics_plot"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["physics_plot"]


def test_every_figure_is_shown_and_every_shown_figure_is_drawn(plot: ModuleType) -> None:
    shown = re.findall(r"!\[[^]]*\]\(physics/(\w+)\.svg\)", plot.DOCUMENT.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(plot.FIGURES)
    assert sorted(path.stem for path in plot.FOLDER.glob("*.svg")) == sorted(plot.FIGURES)


@pytest.mark.parametrize("name", ["fec", "heat", "laser"])
def test_a_figure_is_what_the_code_draws(
    plot: ModuleType, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = (plot.FOLDER / f"{name}.svg").read_bytes()
    monkeypatch.setattr(plot, "FOLDER", tmp_path)
    assert plot.draw(name) == stored, f"the model has changed: make physics ({name})"


def _table(plot: ModuleType) -> list[tuple[str, ...]]:
    text = plot.DOCUMENT.read_text(encoding="utf-8")
    rows = text[text.index(plot.BEGIN) : text.index(plot.END)].splitlines()[3:]
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows if row]


def test_the_table_is_what_the_code_gives(plot: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TDECQ, which takes a second a row and has tests of its own."""
    monkeypatch.setattr(plot, "measured_tdecq_db", lambda modulation: 0.0)
    stored = _table(plot)
    made = plot.numbers()
    assert [row[:2] for row in made] == [row[:2] for row in stored]
    for new, old in zip(made, stored, strict=True):
        if "TDECQ" not in new[0]:
            assert new == old, "the model has changed: make physics"


def test_the_table_s_numbers_are_near_their_references(plot: ModuleType) -> None:
    for what, reference, found in _table(plot):
        if reference != "—":
            # Both are rounded.
            assert float(found.split()[0]) == pytest.approx(float(reference.split()[0]), abs=0.0301), what
