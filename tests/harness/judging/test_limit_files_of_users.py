"""Layers that people write: waivers with their day, layers for certain modules, mistakes told one by one."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.judging.limits import LIMITS_FOLDER, Force, NamedModule, limits_of_pmd
from harness.tables import TableError

CUSTOMER, WAIVER = (LIMITS_FOLDER / "examples" / name for name in ("customer.toml", "waiver.toml"))
TODAY = datetime.date(2027, 3, 31)


@pytest.fixture
def written(tmp_path):
    def write(text: str, name: str = "mine.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def refusals(*paths) -> tuple[str, ...]:
    with pytest.raises(TableError) as raised:
        limits_of_pmd("400GBASE-DR4", layers=paths, on=TODAY)
    return raised.value.complaints


def head(kind: str, extra: str = "") -> str:
    return f'schema = 1\nlayer = "{kind}"\npmd = "400GBASE-DR4"\ndocument = "Mine"\n{extra}\n'


ROW = '[[limit]]\nparameter = "tdecq"\nhigh = 2.0\nclause = "1"\ngrade = "A"\nforce = "normative"\n'
W = '[[waiver]]\nname = "W-1"\nreason = "because"\nexpires = {expires}\n'
WAIVED = ROW.replace("2.0", "3.6") + 'waiver = "W-1"\n'


# -- the examples -------------------------------------------------------------------------------------


def test_the_customers_example_makes_sensitivity_fail_and_tightens():
    limits = limits_of_pmd("400GBASE-DR4", layers=[CUSTOMER])
    sensitivity = limits.resolve("receiver_sensitivity_oma", {"secq": 3.4})
    tdecq, bring_up = limits.resolve("tdecq"), limits.resolve("bring_up_time")
    assert sensitivity is not None
    assert tdecq is not None
    assert bring_up is not None
    assert sensitivity.high is not None
    assert tdecq.high is not None
    assert bring_up.high is not None
    assert sensitivity.high.value == pytest.approx(-1.9)
    assert sensitivity.high.force is Force.NORMATIVE
    assert (tdecq.high.value, tdecq.high.layer) == (1.4, "customer: Example Cloud")
    assert bring_up.high.value < 100.0
    # What the customer does not speak of stays as it was.
    standard = limits_of_pmd("400GBASE-DR4")
    assert limits.resolve("wavelength") == standard.resolve("wavelength")


def test_the_customers_example_goes_with_the_2017_edition_too():
    limits = limits_of_pmd("400GBASE-DR4-2017", layers=[CUSTOMER])
    found = limits.resolve("receiver_sensitivity_oma", {"secq": 1.0})
    assert found is not None
    assert found.high is not None
    assert (found.high.value, found.high.layer) == (-3.9, "customer: Example Cloud")


def test_the_waivers_example_is_for_its_firmware_only():
    limits = limits_of_pmd("400GBASE-DR4", layers=[CUSTOMER, WAIVER], on=TODAY)
    found = []
    for firmware in ("1.2", "2.0"):
        limit = limits.for_module(NamedModule(part_number="LW-400G-DR4-SIM", firmware=firmware))
        tdecq = limit.resolve("tdecq")
        assert tdecq is not None
        assert tdecq.high is not None
        found.append((tdecq.high.value, tdecq.high.waiver, [waiver.name for waiver in limit.waivers]))
    assert found == [(2.4, "EC-D-0012", ["EC-D-0012"]), (1.4, "", [])]


def test_a_layer_of_another_pmd_is_refused():
    with pytest.raises(TableError, match="'400GBASE-DR4' does not go with '400G-FR4'"):
        limits_of_pmd("400G-FR4", layers=[CUSTOMER])


# -- waivers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expires", ["2027-03-31", "2027-04-01"])
def test_a_waiver_holds_up_to_and_on_its_last_day(written, expires):
    path = written(head("waiver") + W.format(expires=expires) + WAIVED)
    found = limits_of_pmd("400GBASE-DR4", layers=[path], on=TODAY).resolve("tdecq")
    assert found is not None
    assert found.high is not None
    assert (found.high.value, found.high.waiver) == (3.6, "W-1")


def test_an_expired_waiver_is_refused_in_one_clear_line(written):
    path = written(head("waiver") + W.format(expires="2027-03-30") + WAIVED)
    (line,) = refusals(path)
    assert line == (
        "mine.toml: waiver[1].expires: the waiver 'W-1' expired on 2027-03-30; have it renewed, or do not "
        "give this file"
    )


def test_a_waiver_may_take_the_force_from_a_limit(written):
    row = WAIVED.replace('"normative"', '"informative"')
    path = written(head("waiver") + W.format(expires="2028-01-01") + row)
    found = limits_of_pmd("400GBASE-DR4", layers=[path], on=TODAY).resolve("tdecq")
    assert found is not None
    assert found.high is not None
    assert not found.high.force.binds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (head("waiver") + WAIVED, "waiver: is missing; a layer of the kind waiver says whose leave"),
        (head("waiver") + W.format(expires="2028-01-01") + ROW, "limit[1].waiver: is missing"),
        (
            head("waiver") + W.format(expires="2028-01-01") + WAIVED.replace("W-1", "W-2"),
            "limit[1].waiver: 'W-2' is not one of W-1",
        ),
        (
            head("waiver") + W.format(expires="2028-01-01").replace("because", " ") + WAIVED,
            "waiver[1].reason: is empty",
        ),
        (head("waiver") + W.format(expires='"soon"') + WAIVED, "waiver[1].expires: expected a date"),
        (head("customer") + WAIVED, "limit[1].waiver: unknown key"),
        (
            head("waiver") + W.format(expires="2028-01-01") * 2 + WAIVED,
            "waiver[2].name: 'W-1' is the name of a waiver before",
        ),
    ],
)
def test_a_waiver_that_cannot_be(written, text, expected):
    assert any(line.startswith(f"mine.toml: {expected}") for line in refusals(written(text)))


# -- mistakes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (head("part_number") + ROW, "applies_to: is missing; expected a table"),
        (
            head("firmware", 'applies_to = { firmware = "1.*" }') + ROW,
            "applies_to.part_number: is missing; expected text",
        ),
        (
            head("customer", 'applies_to = { part_number = "A*" }') + ROW,
            "applies_to: a layer of the kind customer is for every module",
        ),
        (head("vendor", 'applies_to = { vendor = "" }') + ROW, "applies_to.vendor: is empty"),
        (head("vendor", "applies_to = { }") + ROW, "applies_to: names none of vendor, part_number"),
        (head("vendor", 'applies_to = { colour = "red" }') + ROW, "applies_to.colour: unknown key"),
        (head("house") + ROW, "layer: 'house' is not one of customer, firmware, msa"),
        (
            head("customer") + ROW.replace('"tdecq"', '"tdeqc"'),
            "limit[1].parameter: 'tdeqc' is not known; did you mean tdecq",
        ),
        (
            head("customer") + ROW.replace('"tdecq"', '"sparkle"'),
            "limit[1].title: is missing; expected text",
        ),
        (head("customer") + ROW + 'unit = "mW"', "limit[1].unit: tdecq is measured in dB, not in mW"),
        (head("customer") + ROW + "lanes = []", "limit[1].lanes: names no lane"),
        (head("customer") + ROW + "lanes = [0]", "limit[1].lanes[1]: 0 is not within 1 .. 16"),
        (head("customer") + ROW + 'lanes = "all"', "limit[1].lanes: expected a list"),
        (
            head("customer") + ROW + 'when = { quantity = "extinction_ration", below = 5.0 }',
            "limit[1].when.quantity: 'extinction_ration' is not known; did you mean extinction_ratio",
        ),
        (
            head("customer") + ROW + 'when = { quantity = "secq", at_least = 5.0, below = 5.0 }',
            "limit[1].when.below: 5 is not above at_least, 5: it never holds",
        ),
        (head("customer") + ROW + 'editions = ["2017"]', "limit[1].editions[1]: '2017' is not one of "),
        (head("customer") + ROW * 2, "limit[2].high: tdecq has high = 2 in limit[1] already"),
        (head("customer") + ROW.replace("2.0", "3.41"), "limit[1].high: tdecq <= 3.41 is looser than <= 3.4"),
        (head("standard") + ROW, "edition: is missing; expected text"),
    ],
)
def test_a_mistake_is_told_with_file_and_key(written, text, expected):
    assert any(line.startswith(f"mine.toml: {expected}") for line in refusals(written(text)))


def test_the_mistakes_of_all_files_are_told_at_once(written):
    one = written(head("customer") + ROW.replace("2.0", '"2"') + "colour = 1\n", "one.toml")
    other = written(head("vendor") + ROW.replace('"A"', '"Z"'), "other.toml")
    lines = refusals(one, other)
    assert [line.split(" ")[:2] for line in lines] == [
        ["one.toml:", "limit[1].high:"],
        ["one.toml:", "limit[1].colour:"],
        ["other.toml:", "limit[1].grade:"],
    ]


def test_a_file_given_twice_is_said(written):
    path = written(head("customer") + ROW)
    assert any(line.endswith("mine.toml: is given twice") for line in refusals(path, path))


def test_a_file_that_is_not_there(tmp_path):
    (line,) = refusals(tmp_path / "none.toml")
    assert line.endswith("none.toml: cannot be read: No such file or directory")


def test_a_parameter_of_ones_own_has_a_title_and_a_unit(written):
    row = ROW.replace('"tdecq"', '"sparkle"') + 'title = "Sparkle"\nunit = "lx"\n'
    limits = limits_of_pmd("400GBASE-DR4", layers=[written(head("customer") + row)])
    found = limits.resolve("sparkle")
    assert found is not None
    assert (found.unit, limits.title("sparkle")) == ("lx", "Sparkle")


_KEYS = ["layer", "pmd", "applies_to", "waiver", "limit", "optics", "editions", "name", "edition"]
_odd = st.recursive(
    st.integers(-3, 3) | st.booleans() | st.sampled_from(["", "waiver", "firmware", "tdecq", "x" * 2000]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["name", "high", "lanes", "when", "parameter", "waiver", "firmware"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value) if isinstance(value, int) else f'"{value}"'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(_KEYS), _odd, max_size=6))
def test_whatever_stands_in_a_file_nothing_foreign_is_raised(written, content):
    path = written("".join(f"{key} = {_toml(value)}\n" for key, value in content.items()))
    with pytest.raises(TableError) as raised:  # a schema, at least, is missing
        limits_of_pmd("400GBASE-DR4", layers=[path], on=TODAY)
    assert all(line.startswith("mine.toml: ") and "\n" not in line for line in raised.value.complaints)


def test_a_layer_is_known_by_what_was_read_of_it_whatever_becomes_of_the_file(written):
    path = written(head("customer") + ROW)
    read = hashlib.sha256(path.read_bytes()).hexdigest()
    limits = limits_of_pmd("400GBASE-DR4", layers=[path], on=TODAY)
    # A bench takes minutes to connect; then the manifest is written.
    path.write_text(head("customer") + ROW.replace("2.0", "1.0"))
    assert [layer.sha256 for layer in limits.loaded if layer.path == path] == [read]
    assert all(len(layer.sha256) == 64 for layer in limits.loaded)
