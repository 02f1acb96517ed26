"""Limit files: layers, conditions, rules, and what is refused."""

from __future__ import annotations

import pytest

from harness.judging.limits import Force, Rule, When, load_limits
from harness.tables import TableError

HEAD = 'schema = 1\npmd = "X"\nlayer = "{layer}"\nedition = "2022"\ndocument = "Doc"\n'
ROW = """[[limit]]
parameter = "p"
title = "P of it"
unit = "dB"
clause = "1.2"
grade = "{grade}"
force = "{force}"
"""


@pytest.fixture
def layer(tmp_path):
    def write(
        *rows: str, name: str = "standard", head: str = HEAD, grade: str = "A", force: str = "normative"
    ):
        path = tmp_path / f"{name}.toml"
        body = "".join(ROW.format(grade=grade, force=force) + row + "\n" for row in rows)
        path.write_text(head.format(layer=name) + body)
        return path

    return write


def refusals(*paths) -> tuple[str, ...]:
    with pytest.raises(TableError) as raised:
        load_limits(paths)
    return raised.value.complaints


def test_a_row_in_full(layer):
    limits = load_limits([layer('low = 1\nhigh = 2.5\nnote = "why"')])
    (row,) = limits.rows
    assert (row.parameter, row.title, row.unit, row.low, row.high) == ("p", "P of it", "dB", 1.0, 2.5)
    assert (row.grade, row.force, row.source, row.layer, row.note) == (
        "A",
        Force.NORMATIVE,
        "Doc, 1.2",
        "standard",
        "why",
    )
    assert row.when is None
    assert limits.parameters() == ("p",)
    assert limits.title("p") == "P of it"
    assert limits.title("other_one") == "other one"
    assert limits.resolve("other_one") is None


def test_a_row_may_name_a_document_of_its_own(layer):
    (row,) = load_limits([layer('low = 1\ndocument = "Data sheet"')]).rows
    assert row.source == "Data sheet, 1.2"


def test_the_last_layer_wins_side_by_side(layer):
    limits = load_limits([layer("low = 1\nhigh = 5"), layer("high = 4", name="customer")])
    found = limits.resolve("p")
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert (found.low.value, found.low.layer) == (1.0, "standard")
    assert (found.high.value, found.high.layer) == (4.0, "customer")
    assert [layer.text() for layer in limits.layers] == ["standard", "customer"]
    assert limits.edition == "2022"


@pytest.mark.parametrize(
    ("facts", "high"),
    [({"er": 4.0}, 1.0), ({"er": 5.0}, 2.0), ({"er": 6.9}, 2.0), ({"er": 7.0}, 3.0), ({}, 3.0)],
)
def test_a_condition(layer, facts, high):
    limits = load_limits(
        [
            layer(
                "high = 3",
                'high = 2\nwhen = { quantity = "er", at_least = 5.0, below = 7.0 }',
                'high = 1\nwhen = { quantity = "er", below = 5.0 }',
            )
        ]
    )
    found = limits.resolve("p", facts)
    assert found is not None
    assert found.high is not None
    assert found.high.value == high
    assert When("er", None, None).holds({"er": 1.0})
    assert not When("er", None, None).holds({})


def test_rules():
    larger = Rule("max_offset_of", "secq", -5.3, -3.9)
    assert larger.value({"secq": 3.4}) == pytest.approx(-1.9)
    assert larger.value({"secq": 0.0}) == -3.9
    assert larger.value({}) is None
    assert larger.text() == "max(-3.9, secq -5.3)"
    advertised = Rule("advertised", "max_power_w", 0.0, None)
    assert advertised.value({"max_power_w": 12.0}) == 12.0
    assert advertised.value({}) is None
    assert advertised.text() == "advertised: max_power_w"
    # What is printed is what is judged by.
    assert Rule("advertised", "max_power_w", 0.5, None).value({"max_power_w": 12.0}) == 12.5
    assert Rule("advertised", "max_power_w", 0.5, None).text() == "advertised: max_power_w +0.5"


def test_a_rule_whose_fact_is_not_known_leaves_the_bound_of_before(layer):
    limits = load_limits(
        [layer("high = 9"), layer('high_rule = { name = "advertised", quantity = "w" }', name="vendor")]
    )
    by_standard, by_module = limits.resolve("p"), limits.resolve("p", {"w": 8.0})
    assert by_standard is not None
    assert by_module is not None
    assert by_standard.high is not None
    assert by_module.high is not None
    assert (by_standard.high.value, by_module.high.value) == (9.0, 8.0)


def test_which_forces_bind():
    assert {force for force in Force if force.binds} == {Force.NORMATIVE, Force.NECESSARY}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("", "limit[1].low: a limit needs low, high or both"),
        ("low = nan", "limit[1].low: nan is not a finite number"),
        ("low = true", "limit[1].low: expected a number, found true"),
        ("low = 2\nhigh = 1", "limit[1].low: 2 is above high, 1: nothing can keep to it"),
        (
            'low_rule = { name = "eval", quantity = "x" }',
            "limit[1].low_rule.name: 'eval' is not one of adver",
        ),
        (
            'low_rule = { name = "max_offset_of", quantity = "x" }',
            "limit[1].low_rule.constant: is missing; the",
        ),
        ('low_rule = { name = "advertised" }', "limit[1].low_rule.quantity: is missing"),
        ('low = 1\nlow_rule = { name = "advertised", quantity = "w" }', "limit[1].low: unknown key"),
        (
            'low = 1\nwhen = { quantity = "er" }',
            "limit[1].when.at_least: a condition needs at_least, below or",
        ),
        ("low = 1\nwhen = { at_least = 1.0 }", "limit[1].when.quantity: is missing"),
        ("low = 1\nwaiver = 3", "limit[1].waiver: unknown key"),
    ],
)
def test_a_row_that_cannot_be(layer, row, expected):
    (line,) = refusals(layer(row))
    assert line.startswith(f"standard.toml: {expected}")


@pytest.mark.parametrize("force", ["normative", "necessary"])
def test_a_value_that_is_only_recalled_must_not_fail_a_module(layer, force):
    (line,) = refusals(layer("low = 1", grade="D", force=force))
    assert line.startswith("standard.toml: limit[1].force: a grade D value is not verified")
    assert load_limits([layer("low = 1", grade="D", force="unverified")]).rows


def test_words_that_are_none(layer):
    assert refusals(layer("low = 1", grade="E", force="law")) == (
        "standard.toml: limit[1].grade: 'E' is not one of A, B, C, D",
        "standard.toml: limit[1].force: 'law' is not one of informative, necessary, normative, unverified",
    )


def test_one_parameter_has_one_unit(layer):
    # The last layer wins: in another unit its number would be judged as if it were in the first's.
    other = layer("low = 1", name="customer")
    other.write_text(other.read_text().replace('"dB"', '"mW"'))
    (line,) = refusals(layer("low = 1"), other)
    assert line == (
        "customer.toml: limit[1].unit: p is limited in dB before (standard.toml: limit[1]), here in mW"
    )


def test_layers_of_two_pmds_do_not_mix(layer):
    other = layer("low = 1", name="customer", head=HEAD.replace('"X"', '"Y"'))
    (line,) = refusals(layer("low = 1"), other)
    assert line == "customer.toml: pmd: 'Y' does not go with 'X' of the other layers"


def test_the_first_layer_names_its_edition(layer):
    (line,) = refusals(layer("low = 1", head=HEAD.replace('edition = "2022"\n', "")))
    assert line == "standard.toml: edition: is missing; expected text"


def test_a_layer_of_another_schema(layer):
    (line,) = refusals(layer("low = 1", head=HEAD.replace("schema = 1", "schema = 2")))
    assert line.startswith("standard.toml: schema: 2 is not within")
