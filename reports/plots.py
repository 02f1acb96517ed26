"""Plots as inline SVG. The one place that uses matplotlib: object interface, no pyplot, no global state.

The same measurements give the same bytes: fixed salt for element ids, no date, and every id carries the
plot's own prefix so that many plots share one document.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import blended_transform_factory

from harness.judging.limits import Force
from harness.judging.verdict import Verdict
from reports.grid import Cell, Corner, ParameterGrid, lane_word
from reports.text import with_unit

# Okabe and Ito's palette, which colour-blind readers tell apart; marker and dash tell lanes apart in print.
_SERIES: tuple[tuple[str, str, Any], ...] = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", (0, (5, 1.5))),
    ("#00785A", "^", (0, (1.2, 1.2))),
    ("#8F4B77", "D", (0, (6, 1.5, 1.2, 1.5))),
    ("#5C4B00", "v", (0, (3, 1, 1, 1, 1, 1))),
    ("#2B6F8F", "P", (0, (8, 2))),
    ("#4A4A4A", "X", (0, (2, 2))),
    ("#9C3B00", "<", (0, (4, 1, 1, 1))),
)
_INK, _MUTED, _GRID, _BAD = "#1c2733", "#51606f", "#dfe4e9", "#a3201a"
_RING: dict[str, Any] = {
    "marker": "o",
    "markerfacecolor": "none",
    "markeredgecolor": _BAD,
    "markeredgewidth": 1.3,
}
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "lanewise",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "path.simplify": True,
    "axes.unicode_minus": True,
    "axes.edgecolor": "#8793a0",
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "hatch.color": "#9aa5b1",
    "hatch.linewidth": 0.6,
}
_LEGEND_COLUMNS = 8
_CORNERS_OF_A_STRIP = 2  # one corner is said in the table
_VISIT_GAP = 0.7
_LANE_SPREAD = 0.5
_FONTS = "'Helvetica Neue', Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_LONG_NUMBER = re.compile(r"(\d\.\d\d)\d+")
_PLAIN = re.compile(r"[^\x20-\x7e\u00a0\u00b0-\u00ff\u0391-\u03c9\u2013\u2212\u2264\u2265]")


def corner_plot(grid: ParameterGrid, key: str) -> str:
    """One parameter over the corners, a series per lane with error bars U, limits and guard bands: an SVG
    element, or an empty string when there is nothing to plot (one corner, or no numbers). ``key``: letters
    and digits, unique in the document, that all its ids start with."""
    if not grid.has_corners or not grid.numeric or len(grid.corners) < _CORNERS_OF_A_STRIP:
        return ""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9.6, 3.4))
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0.07, 0.17, 0.83, 0.735))
        positions = _positions(grid.corners)
        for index, lane in enumerate(grid.lanes):
            _draw_lane(axes, grid, lane, index, positions)
        _draw_limits(axes, grid, positions)
        _dress(axes, grid, positions)
        _legend(axes, grid)
        return _svg(figure, key, f"{_plain(grid.title)} over the corners")


def _positions(corners: Sequence[Corner]) -> dict[Corner, float]:
    """Corners from left to right, with a gap where the chamber moved."""
    positions: dict[Corner, float] = {}
    x = 0.0
    for index, corner in enumerate(corners):
        if index:
            before = corners[index - 1]
            same = (corner.visit, corner.case_temp_c) == (before.visit, before.case_temp_c)
            x += 1.0 if same else 1.0 + _VISIT_GAP
        positions[corner] = x
    return positions


def _draw_lane(
    axes: Axes, grid: ParameterGrid, lane: int | None, index: int, positions: dict[Corner, float]
) -> None:
    colour, marker, dash = _SERIES[index % len(_SERIES)]
    offset = _LANE_SPREAD * ((index + 0.5) / len(grid.lanes) - 0.5)
    for group in _visits(grid.corners):
        points = _points(grid, lane, group)
        if not points:
            continue
        xs = [positions[point.corner] + offset for point in points]
        ys = [point.value for point in points]
        line: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": 1.1}
        mark: dict[str, Any] = {
            "marker": marker,
            "markersize": 4.2,
            "markeredgecolor": "white",
            "markeredgewidth": 0.5,
        }
        axes.plot(xs, ys, zorder=4, **line, **mark)
        bottoms, tops = [p.value - p.guard for p in points], [p.value + p.guard for p in points]
        axes.vlines(xs, bottoms, tops, color=colour, linewidth=1.3, zorder=3)
        bad = [(x, point.value) for x, point in zip(xs, points, strict=True) if point.bad]
        if bad:
            axes.plot(*zip(*bad, strict=True), linestyle="none", markersize=10, zorder=5, **_RING)


@dataclass(frozen=True, slots=True)
class _Point:
    """A value with its expanded uncertainty, and whether it lies outside its limit."""

    corner: Corner
    value: float
    guard: float
    bad: bool


def _points(grid: ParameterGrid, lane: int | None, corners: Sequence[Corner]) -> list[_Point]:
    points: list[_Point] = []
    for corner in corners:
        cell = grid.cells.get((lane, corner))
        if cell is not None and cell.measurement.value is not None:
            guard = cell.measurement.uncertainty or 0.0
            points.append(_Point(corner, cell.measurement.value, guard, _is_bad(cell)))
    return points


def _visits(corners: Sequence[Corner]) -> list[list[Corner]]:
    groups: list[list[Corner]] = []
    for corner in corners:
        last = groups[-1][-1] if groups else None
        if last is not None and (last.visit, last.case_temp_c) == (corner.visit, corner.case_temp_c):
            groups[-1].append(corner)
        else:
            groups.append([corner])
    return groups


def _is_bad(cell: Cell) -> bool:
    return cell.style.key in {Verdict.FAIL, Verdict.CONDITIONAL_FAIL}


def _draw_limits(axes: Axes, grid: ParameterGrid, positions: dict[Corner, float]) -> None:
    axes.set_xlim(min(positions.values()) - 0.6, max(positions.values()) + 0.6)
    lows = _bound_values(grid, "low")
    highs = _bound_values(grid, "high")
    _scale(axes, [*lows, *highs])
    for side, values in (("low", lows), ("high", highs)):
        for value in values:
            _draw_limit(axes, grid, side, value)


def _bound_values(grid: ParameterGrid, side: str) -> list[float]:
    values = (getattr(cell.measurement, side) for cell in grid.cells.values())
    return sorted({value for value in values if value is not None})


def _scale(axes: Axes, limits: Sequence[float]) -> None:
    bottom, top = axes.get_ylim()
    bottom, top = min([bottom, *limits]), max([top, *limits])
    room = 0.09 * (top - bottom or 1.0)
    axes.set_ylim(bottom - room, top + room)


def _draw_limit(axes: Axes, grid: ParameterGrid, side: str, value: float) -> None:
    """A limit's line with its name; where it binds, the guard band of U to both sides (the conditional
    verdicts) hatched and the failing side tinted."""
    force = _force(grid, side)
    binds = force in {Force.NORMATIVE, Force.NECESSARY}
    bottom, top = axes.get_ylim()
    guard = max(
        (
            cell.measurement.uncertainty or 0.0
            for cell in grid.cells.values()
            if getattr(cell.measurement, side) == value
        ),
        default=0.0,
    )
    colour = _BAD if binds else _MUTED
    axes.axhline(
        value,
        color=colour,
        linewidth=1.2 if binds else 0.9,
        linestyle="-" if binds else (0, (4, 3)),
        zorder=2,
    )
    if binds:
        outside = (bottom, value) if side == "low" else (value, top)
        axes.axhspan(*outside, facecolor="#a3201a", alpha=0.055, linewidth=0, zorder=0)
        if guard:
            axes.axhspan(
                value - guard,
                value + guard,
                facecolor="none",
                edgecolor="#9aa5b1",
                hatch="/////",
                linewidth=0,
                zorder=1,
            )
        axes.set_ylim(bottom, top)
    sign = "\u2265" if side == "low" else "\u2264"
    shown = f"{value:.6g}".replace("-", "\u2212")
    axes.text(
        1.008,
        value,
        _plain(f"{sign} {with_unit(shown, grid.unit)}\n{force}"),
        color=colour,
        fontsize=7.8,
        va="center",
        ha="left",
        linespacing=1.25,
        transform=blended_transform_factory(axes.transAxes, axes.transData),
    )


def _force(grid: ParameterGrid, side: str) -> str:
    """How a side binds: from the limit entries, of which the last that has the side wins."""
    forces = [entry.force for entry in grid.limits if getattr(entry, side)]
    if forces:
        return forces[-1]
    return next(
        (cell.measurement.limit_force for cell in grid.cells.values() if cell.measurement.limit_force), ""
    )


def _dress(axes: Axes, grid: ParameterGrid, positions: dict[Corner, float]) -> None:
    label = f"{grid.title} ({grid.unit})" if grid.unit not in {"", "1"} else grid.title
    axes.set_ylabel("\n".join(textwrap.wrap(_plain(label), 34, max_lines=2)), linespacing=1.1)
    axes.set_xticks(list(positions.values()), [_plain(corner.voltage) for corner in positions], fontsize=7.8)
    axes.tick_params(length=2.5)
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    groups = _visits(grid.corners)
    under = blended_transform_factory(axes.transData, axes.transAxes)
    for group in groups:
        middle = sum(positions[corner] for corner in group) / len(group)
        visit = "" if group[0].visit is None else f" \u00b7 visit {group[0].visit}"
        axes.text(
            middle,
            -0.135,
            _plain(f"{group[0].temperature} case{visit}"),
            ha="center",
            va="top",
            fontsize=8.5,
            fontweight="bold",
            transform=under,
        )
    for left, right in pairwise(groups):
        axes.axvline(
            (positions[left[-1]] + positions[right[0]]) / 2, color="#b9c2cb", linewidth=0.8, zorder=1
        )


def _legend(axes: Axes, grid: ParameterGrid) -> None:
    handles: list[Line2D | Patch] = []
    for index, lane in enumerate(grid.lanes):
        colour, marker, dash = _SERIES[index % len(_SERIES)]
        handles.append(
            Line2D(
                [],
                [],
                color=colour,
                marker=marker,
                linestyle=dash,
                markersize=4.2,
                linewidth=1.1,
                label=lane_word(lane),
            )
        )
    handles.append(Line2D([], [], color=_INK, marker="|", markersize=9, linestyle="none", label="U (k = 2)"))
    if any(
        cell.measurement.margin is not None and cell.style.key != Verdict.INFO for cell in grid.cells.values()
    ):
        handles.append(
            Patch(facecolor="white", edgecolor="#9aa5b1", hatch="/////", linewidth=0, label="guard band ±U")
        )
    if any(_is_bad(cell) for cell in grid.cells.values()):
        handles.append(
            Line2D(
                [],
                [],
                color=_BAD,
                marker="o",
                markerfacecolor="none",
                markersize=8,
                linestyle="none",
                markeredgewidth=1.3,
                label="outside its limit",
            )
        )
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.02),
        ncols=len(handles) if len(handles) <= _LEGEND_COLUMNS else -(-len(handles) // 2),
        frameon=False,
        fontsize=8,
        borderaxespad=0,
        handlelength=2.6,
        columnspacing=1.6,
    )


def _plain(text: str) -> str:
    """Text that the plot's font has: anything else becomes a question mark."""
    return "\n".join(_PLAIN.sub("?", line) for line in text[:120].split("\n"))


def _svg(figure: Figure, key: str, label: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), f"{key}-", label)


def _inline(document: str, prefix: str, label: str) -> str:
    """An SVG document as an element for HTML: no prolog, no fixed size, ids of its own."""
    element = document[document.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>\s*", "", element, flags=re.DOTALL)
    element = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', element)
    element = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", element)
    element = re.sub(r'(xlink:)?href="#([^"]+)"', rf'href="#{prefix}\2"', element)
    element = element.replace("font-family: 'DejaVu Sans'", f"font-family: {_FONTS}")
    opening = element[: element.index(">")]
    view = re.search(r'viewBox="[^"]+"', opening)
    head = f'<svg class="plot" role="img" aria-label="{_attribute(label)}" xmlns="http://www.w3.org/2000/svg"'
    body = element[element.index(">") + 1 :]
    return f"{head} {view.group(0) if view else ''}>{_tidy(body)}".strip()


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _tidy(body: str) -> str:
    """Without the comments, line breaks and digits (beyond a hundredth of a point) that only cost room."""
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]+>", lambda tag: _LONG_NUMBER.sub(r"\1", tag.group(0)), body)
    return re.sub(r"\n\s*", "\n", body)
