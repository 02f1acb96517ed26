"""Plots: what they show, that they can share a page, and that they are the same every time."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET

import pytest

from reports.grid import grids
from reports.plots import corner_plot

SVG = "{http://www.w3.org/2000/svg}"


def _grid(run, parameter="average_launch_power"):
    return next(g for g in grids(run.measurements, run.manifest.limits) if g.name == parameter)


def _texts(svg):
    return [
        "".join(text.itertext()).strip().replace("\u00a0", " ")
        for text in ET.fromstring(svg).iter(f"{SVG}text")
    ]


def test_a_plot_names_lanes_corners_units_and_limits(untouched_run):
    texts = _texts(corner_plot(_grid(untouched_run("failing")), "p1"))
    for wanted in (
        "lane 1",
        "lane 4",
        "3.135 V",
        "0 °C case · visit 1",
        "70 °C case · visit 3",
        "Average launch power (dBm)",
        "≤ 4 dBm",
        "normative",
        "≥ −2.9 dBm",
        "necessary",
        "outside its limit",
        "guard band ±U",
    ):
        assert wanted in texts


def test_only_failing_items_are_ringed(untouched_run):
    assert "outside its limit" not in _texts(corner_plot(_grid(untouched_run("good")), "p1"))


def test_a_parameter_of_the_module_is_one_series(untouched_run):
    texts = _texts(corner_plot(_grid(untouched_run("good"), "power_consumption"), "p5"))
    assert "module" in texts
    assert not [text for text in texts if text.startswith("lane")]


def test_a_parameter_without_corners_has_no_plot(untouched_run):
    assert corner_plot(_grid(untouched_run("good"), "bring_up_time"), "p6") == ""


def test_the_same_measurements_give_the_same_bytes(untouched_run):
    grid = _grid(untouched_run("failing"))
    assert corner_plot(grid, "p1") == corner_plot(grid, "p1")


def test_every_plot_is_small(untouched_run):
    run = untouched_run("failing")
    for grid in grids(run.measurements, run.manifest.limits):
        assert len(corner_plot(grid, "p1").encode()) < 40_000


def test_ids_do_not_clash_and_every_reference_has_its_target(untouched_run):
    run = untouched_run("failing")
    page = "".join(
        corner_plot(grid, f"p{n}") for n, grid in enumerate(grids(run.measurements, run.manifest.limits))
    )
    ids = re.findall(r'\bid="([^"]+)"', page)
    targets = re.findall(r"url\(#([^)]+)\)", page) + re.findall(r'href="#([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert targets
    assert set(targets) <= set(ids)


@pytest.mark.parametrize("unit", ["$\\frac{", "<script>", "漢字", "\x1b[0m", "a\nb" * 90])
def test_foreign_text_harms_no_plot(untouched_run, unit):
    grid = dataclasses.replace(_grid(untouched_run("good")), unit=unit, title=unit)
    svg = corner_plot(grid, "p1")
    ET.fromstring(svg)
    assert "<script" not in svg
