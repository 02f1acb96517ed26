"""Which layer wins, what none may do to those below it, and that the order of files never matters."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.judging.layers import complaints, in_order, layer_text
from harness.judging.limits import (
    AppliesTo,
    Force,
    Layer,
    LayerKind,
    LimitRow,
    LimitSet,
    NamedModule,
    Rule,
    When,
    load_limits,
)
from harness.tables import TableError

BELOW_WAIVER = [kind for kind in LayerKind if kind is not LayerKind.WAIVER]


def row(kind: LayerKind, number: int, **changes: object) -> LimitRow:
    fields: dict[str, object] = {
        "parameter": "tdecq",
        "title": "TDECQ",
        "unit": "dB",
        "low": None,
        "high": None,
        "grade": "A",
        "force": Force.NORMATIVE,
        "source": "Doc, 1",
        "layer": layer_text(kind, ""),
        "note": "",
        "when": None,
        "kind": kind,
        "waiver": "W" if kind is LayerKind.WAIVER else "",
        "place": f"{kind}{number}.toml: limit[1]",
    }
    return LimitRow(**{**fields, **changes})  # type: ignore[arg-type]


def layer(kind: LayerKind, *rows: LimitRow, number: int = 0, applies_to: AppliesTo | None = None) -> Layer:
    path = Path(f"{kind}{number}.toml")
    return Layer(kind, "", "X", "", "Doc", "", applies_to, rows, (), None, path)


def stack(*layers: Layer) -> LimitSet:
    return LimitSet("X", "", in_order(layers), (), ()).for_module(None)


def refused(*layers: Layer) -> list[str]:
    return complaints(in_order(layers))


def high(limits: LimitSet, **facts: float) -> tuple[float, str] | None:
    found = limits.resolve("tdecq", facts)
    return (found.high.value, found.high.layer) if found and found.high else None


# -- known answers ------------------------------------------------------------------------------------

STANDARD = layer(LayerKind.STANDARD, row(LayerKind.STANDARD, 0, high=3.4))


@pytest.mark.parametrize("kind", BELOW_WAIVER[1:])
def test_a_later_layer_tightens(kind):
    assert high(stack(layer(kind, row(kind, 0, high=1.4)), STANDARD)) == (1.4, layer_text(kind, ""))


@pytest.mark.parametrize("kind", BELOW_WAIVER[1:])
def test_a_later_layer_that_loosens_is_refused_in_one_line(kind):
    (line,) = refused(STANDARD, layer(kind, row(kind, 0, high=3.5)))
    assert line == (
        f"{kind}0.toml: limit[1].high: tdecq <= 3.5 is looser than <= 3.4 dB (standard, normative, "
        "standard0.toml: limit[1]); a later layer may only tighten it, and only a layer of the kind waiver "
        "may loosen it"
    )


@pytest.mark.parametrize("force", [Force.INFORMATIVE, Force.UNVERIFIED])
def test_taking_the_force_from_a_limit_is_loosening_it(force):
    (line,) = refused(STANDARD, layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 0, high=1.0, force=force)))
    assert line.startswith(
        f"customer0.toml: limit[1].force: tdecq made {force} would pass modules that fail <= 3.4 dB"
    )


def test_a_necessary_limit_binds_too():
    below = layer(LayerKind.MSA, row(LayerKind.MSA, 0, low=-2.9, force=Force.NECESSARY))
    assert refused(below, layer(LayerKind.VENDOR, row(LayerKind.VENDOR, 0, low=-3.0)))
    assert not refused(below, layer(LayerKind.VENDOR, row(LayerKind.VENDOR, 0, low=-2.8)))


def test_what_never_fails_a_module_may_be_made_to_at_any_value():
    below = layer(LayerKind.STANDARD, row(LayerKind.STANDARD, 0, high=-4.4, force=Force.INFORMATIVE))
    limits = stack(below, layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 0, high=-3.0)))
    found = limits.resolve("tdecq")
    assert found is not None
    assert found.high is not None
    assert (found.high.value, found.high.force) == (-3.0, Force.NORMATIVE)


def test_a_waiver_loosens_and_says_so():
    limits = stack(
        STANDARD,
        layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 0, high=1.4)),
        layer(LayerKind.WAIVER, row(LayerKind.WAIVER, 0, high=3.6)),
    )
    found = limits.resolve("tdecq")
    assert found is not None
    assert found.high is not None
    assert (found.high.value, found.high.layer, found.high.waiver) == (3.6, "waiver", "W")
    (standing,) = limits.standing()
    assert standing.overrode_text() == "high 1.4 (customer, normative); high 3.4 (standard, normative)"


def test_layers_of_one_kind_are_judged_by_the_strictest():
    one = layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 0, high=2.0), number=0)
    other = layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 1, high=1.0), number=1)
    assert high(stack(STANDARD, one, other)) == high(stack(other, one, STANDARD)) == (1.0, "customer")


def test_a_tight_value_that_does_not_bind_hides_none_that_does():
    shown = row(LayerKind.STANDARD, 1, high=1.0, force=Force.INFORMATIVE)
    limits = stack(layer(LayerKind.STANDARD, shown, row(LayerKind.STANDARD, 0, high=3.4)))
    assert high(limits) == (3.4, "standard")


def test_each_side_goes_its_own_way():
    below = layer(LayerKind.STANDARD, row(LayerKind.STANDARD, 0, low=1304.5, high=1317.5))
    limits = stack(below, layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 0, high=1310.0)))
    found = limits.resolve("tdecq")
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert (found.low.layer, found.high.layer) == ("standard", "customer")
    kept, over = limits.standing()
    assert (kept.row.low, kept.row.high, kept.overrode) == (1304.5, None, ())
    assert over.overrode_text() == "high 1317.5 (standard, normative)"


CLASSES = layer(
    LayerKind.STANDARD,
    row(LayerKind.STANDARD, 0, low=-2.2, when=When("extinction_ratio", 5.0, None)),
    row(LayerKind.STANDARD, 0, low=-1.9, when=When("extinction_ratio", None, 5.0)),
)


def test_a_row_without_a_condition_loosens_the_stricter_class():
    (line,) = refused(CLASSES, layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 0, low=-2.0)))
    assert "looser than >= -1.9 dB" in line
    assert "when extinction_ratio < 5" in line


def test_a_row_for_one_class_leaves_the_other_alone():
    tighter = row(LayerKind.CUSTOMER, 0, low=-2.0, when=When("extinction_ratio", 6.0, None))
    limits = stack(CLASSES, layer(LayerKind.CUSTOMER, tighter))
    found = [limits.resolve("tdecq", {"extinction_ratio": ratio}) for ratio in (4.0, 5.5, 6.0)]
    assert [limit.low.value for limit in found if limit and limit.low] == [-1.9, -2.2, -2.0]


def test_rows_of_different_lanes_have_nothing_to_do_with_each_other():
    one = layer(LayerKind.STANDARD, row(LayerKind.STANDARD, 0, high=1277.5, lanes=(1,)))
    assert not refused(one, layer(LayerKind.VENDOR, row(LayerKind.VENDOR, 0, high=1300.0, lanes=(2, 3))))
    assert refused(one, layer(LayerKind.VENDOR, row(LayerKind.VENDOR, 0, high=1300.0, lanes=(1, 2))))
    assert refused(one, layer(LayerKind.VENDOR, row(LayerKind.VENDOR, 0, high=1300.0)))


# -- rules --------------------------------------------------------------------------------------------

SECQ = Rule("max_offset_of", "secq", -5.3, -3.9)
ADVERTISED = Rule("advertised", "max_power_w", 0.0, None)


@pytest.mark.parametrize(
    ("new", "old", "is_refused"),
    [
        (SECQ, SECQ, False),
        (Rule("max_offset_of", "secq", -5.5, -4.0), SECQ, False),
        (Rule("max_offset_of", "secq", -5.0, -3.9), SECQ, True),
        (Rule("max_offset_of", "secq", -5.3, -3.8), SECQ, True),
        (-3.9, SECQ, False),
        (SECQ, -4.0, True),  # never below its constant, -3.9
        (Rule("advertised", "max_power_w", 0.1, None), ADVERTISED, True),
        (Rule("advertised", "max_power_w", -0.1, None), ADVERTISED, False),
        (10.0, ADVERTISED, False),  # depends on the module: decided when it is known
    ],
)
def test_rules_that_loosen_for_certain_are_refused(new, old, is_refused):
    below = layer(LayerKind.STANDARD, row(LayerKind.STANDARD, 0, high=old))
    assert bool(refused(below, layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 0, high=new)))) is is_refused


@pytest.mark.parametrize(
    ("max_power_w", "expected"),
    [(12.0, (10.0, "customer")), (9.0, (9.0, "standard")), (None, (10.0, "customer"))],
)
def test_where_it_depends_on_the_module_the_stricter_counts(max_power_w, expected):
    below = layer(LayerKind.STANDARD, row(LayerKind.STANDARD, 0, high=ADVERTISED))
    limits = stack(below, layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 0, high=10.0)))
    assert high(limits, **({} if max_power_w is None else {"max_power_w": max_power_w})) == expected
    assert len(limits.standing()) == 2


# -- part number and firmware -------------------------------------------------------------------------

MODULE = NamedModule(part_number="LW-400G-DR4-A", firmware="1.7", vendor="LANEWISE", serial_number="17")


@pytest.mark.parametrize(
    ("applies_to", "applies"),
    [
        (AppliesTo(part_number="LW-400G-DR4*"), True),
        (AppliesTo(part_number="LW-400G-DR4*", firmware="1.*"), True),
        (AppliesTo(part_number="LW-400G-DR4*", firmware="2.*"), False),
        (AppliesTo(part_number="LW-400G-DR4"), False),
        (AppliesTo(part_number="lw-400g-dr4*"), False),
        (AppliesTo(vendor="LANE?ISE", serial_number="1[78]"), True),
    ],
)
def test_a_layer_for_certain_modules(applies_to, applies):
    own = layer(LayerKind.FIRMWARE, row(LayerKind.FIRMWARE, 0, high=1.4), applies_to=applies_to)
    limits = stack(STANDARD, own)
    assert high(limits) == (3.4, "standard")  # no module yet
    assert high(limits.for_module(MODULE)) == ((1.4, "firmware") if applies else (3.4, "standard"))
    assert limits.for_module(MODULE).loaded == limits.loaded
    # Another module is another question: nothing is remembered of the one before.
    assert limits.for_module(MODULE).for_module(None) == limits


def test_layers_that_only_meet_on_some_modules_are_checked_when_they_do():
    tight = layer(
        LayerKind.PART_NUMBER,
        row(LayerKind.PART_NUMBER, 0, high=1.0),
        applies_to=AppliesTo(part_number="LW-*"),
    )
    loose = layer(
        LayerKind.FIRMWARE, row(LayerKind.FIRMWARE, 0, high=2.0), applies_to=AppliesTo(firmware="1.*")
    )
    limits = stack(STANDARD, tight, loose)
    assert high(limits.for_module(NamedModule(firmware="1.0"))) == (2.0, "firmware")
    with pytest.raises(TableError, match="is looser than <= 1 dB"):
        limits.for_module(MODULE)


# -- properties ---------------------------------------------------------------------------------------

_values = st.integers(min_value=-3, max_value=3).map(float)
_whens = st.sampled_from([None, When("f", 0.0, None), When("f", None, 0.0), When("f", -1.0, 1.0)])
_sides = st.none() | _values | st.builds(Rule, st.just("max_offset_of"), st.just("f"), _values, _values)


@st.composite
def _layers(draw: st.DrawFn, *, waivers: bool = False) -> list[Layer]:
    kinds = draw(st.lists(st.sampled_from(list(LayerKind) if waivers else BELOW_WAIVER), max_size=5))
    found = []
    for number, kind in enumerate(kinds):
        rows = [
            row(
                kind,
                number,
                low=None if side == "high" else value,
                high=None if side == "low" else value,
                force=draw(st.sampled_from(list(Force))),
                when=draw(_whens),
                lanes=draw(st.sampled_from([(), (1,), (2, 3)])),
            )
            for side in draw(st.lists(st.sampled_from(["low", "high"]), max_size=2))
            if (value := draw(_sides)) is not None
        ]
        found.append(layer(kind, *rows, number=number))
    return found


_facts = st.sampled_from([{}, {"f": -2.0}, {"f": -0.5}, {"f": 0.5}, {"f": 2.0}])
_lanes = st.sampled_from([None, 1, 2])


@given(_layers(waivers=True), _facts, _lanes, st.randoms(use_true_random=False))
def test_the_order_of_files_never_matters(layers, facts, lane, random):
    shuffled = list(layers)
    random.shuffle(shuffled)
    assert refused(*shuffled) == refused(*layers)
    assume(not refused(*layers))
    one, other = stack(*layers), stack(*shuffled)
    assert one.resolve("tdecq", facts, lane=lane) == other.resolve("tdecq", facts, lane=lane)
    assert one.standing() == other.standing()


@given(_layers(), _facts, _lanes)
def test_without_a_waiver_nothing_that_binds_is_ever_loosened(layers, facts, lane):
    """Of whatever is taken together: each layer's binding bound still fails what it fails by itself."""
    assume(not refused(*layers))
    together = stack(*layers).resolve("tdecq", facts, lane=lane)
    for single in layers:
        alone = stack(single).resolve("tdecq", facts, lane=lane)
        if alone is None:
            continue
        assert together is not None
        if alone.high is not None and alone.high.force.binds:
            assert together.high is not None
            assert together.high.force.binds
            assert together.high.value <= alone.high.value
        if alone.low is not None and alone.low.force.binds:
            assert together.low is not None
            assert together.low.force.binds
            assert together.low.value >= alone.low.value


@given(_layers(waivers=True), _facts, _lanes)
def test_what_decides_is_among_the_rows_that_stand(layers, facts, lane):
    assume(not refused(*layers))
    limits = stack(*layers)
    shown = [entry.row for entry in limits.standing()]
    found = limits.resolve("tdecq", facts, lane=lane)
    by_shown = LimitSet("X", "", (), (), tuple(shown)).resolve("tdecq", facts, lane=lane)
    assert found == by_shown


@given(st.lists(_values, min_size=1, max_size=6))
def test_of_layers_that_each_tighten_the_last_wins(values):
    values = sorted(values, reverse=True)
    layers = [
        layer(kind, row(kind, 0, high=value)) for kind, value in zip(BELOW_WAIVER, values, strict=False)
    ]
    assert high(stack(*layers)) == (values[-1], layers[-1].text())
    if len(set(values)) == len(values) and len(values) > 1:
        assert refused(*(layer(k, row(k, 0, high=-v)) for k, v in zip(BELOW_WAIVER, values, strict=False)))


# -- files in any order -------------------------------------------------------------------------------

FILE = """schema = 1
layer = "{kind}"
pmd = "X"
edition = "1"
document = "{kind}'s"
{extra}
[[limit]]
parameter = "tdecq"
high = {high}
clause = "1"
grade = "A"
force = "normative"
{row_extra}
"""
WAIVER = '[[waiver]]\nname = "W"\nreason = "because"\nexpires = 9000-01-01\n'


def test_files_may_be_given_in_any_order(tmp_path):
    paths = []
    for kind, value in (("standard", 3.4), ("customer", 2.0), ("vendor", 1.5), ("waiver", 4.0)):
        path = tmp_path / f"{kind}.toml"
        waived = kind == "waiver"
        path.write_text(
            FILE.format(
                kind=kind,
                high=value,
                extra=WAIVER if waived else "",
                row_extra='waiver = "W"' if waived else "",
            )
        )
        paths.append(path)
    found = {load_limits(order) for order in itertools.permutations(paths)}
    assert len(found) == 1
    assert high(found.pop()) == (4.0, "waiver")


def test_a_number_below_all_that_a_rule_may_be_is_looser_whatever_the_case():
    rule = Rule("max_offset_of", "tdecq", -1.1, 0.3)
    standard = layer(LayerKind.MSA, row(LayerKind.MSA, 0, low=rule))
    (complaint,) = refused(standard, layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 0, low=0.2)))
    assert "is looser than >= max(0.3, tdecq -1.1)" in complaint
    # Above, it depends on TDECQ: the stricter of both counts.
    assert not refused(standard, layer(LayerKind.CUSTOMER, row(LayerKind.CUSTOMER, 0, low=0.5)))
