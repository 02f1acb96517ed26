"""Tables of people's TOML files: every mistake one line with file and key, and nothing foreign raised."""

from __future__ import annotations

import datetime
import math
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.tables import Table, TableError, parse_quantity, read_table


def table_of(content: dict[str, object], key: str = "") -> Table:
    return Table(content, file="f.toml", key=key, complaints=[])


def complaints_of(table: Table) -> tuple[str, ...]:
    with pytest.raises(TableError) as raised:
        table.finish()
    assert str(raised.value) == "\n".join(raised.value.complaints)
    return raised.value.complaints


def test_values_come_out_as_they_were_written():
    table = table_of(
        {
            "text": "abc",
            "yes": True,
            "whole": 7,
            "number": 2,
            "quantity": "20 mohm",
            "date": datetime.date(2026, 6, 1),
            "below": {"x": 1.5},
            "list": [{"y": 1}, {"y": 2}],
            "raw": [1, "two"],
        }
    )
    assert table.text("text") == "abc"
    assert table.boolean("yes") is True
    assert table.integer("whole") == 7
    assert table.number("number") == 2.0
    assert isinstance(table.number("number"), float)
    assert table.quantity("quantity", "ohm") == pytest.approx(0.02)
    assert table.date("date") == datetime.date(2026, 6, 1)
    assert table.table("below").number("x") == 1.5
    assert [entry.integer("y") for entry in table.tables("list")] == [1, 2]
    assert table.raw("raw") == [1, "two"]
    table.end()
    table.finish()


def test_absent_keys_take_their_defaults():
    table = table_of({})
    assert table.text("a", "x") == "x"
    assert table.boolean("b", default=False) is False
    assert table.integer("c", 3) == 3
    assert table.number("d", 0.5) == 0.5
    assert table.optional_number("e") is None
    assert table.quantity("f", "V", "10 mV") == pytest.approx(0.01)
    assert table.tables("g") == []
    assert table.table("h", required=False).names() == ()
    assert table.raw("i") is None
    table.finish()


@pytest.mark.parametrize(
    ("getter", "expected"),
    [
        (lambda t: t.text("k"), "text"),
        (lambda t: t.boolean("k"), "true or false"),
        (lambda t: t.integer("k"), "a whole number"),
        (lambda t: t.number("k"), "a number"),
        (lambda t: t.quantity("k", "dB"), 'a quantity such as "1.5 dB"'),
        (lambda t: t.date("k"), "a date such as 2026-03-31"),
        (lambda t: t.table("k"), "a table"),
    ],
)
def test_a_missing_key_says_what_was_expected(getter, expected):
    table = table_of({}, key="a.b")
    getter(table)
    assert complaints_of(table) == (f"f.toml: a.b.k: is missing; expected {expected}",)


@pytest.mark.parametrize(
    ("getter", "value", "expected"),
    [
        (lambda t: t.text("k"), 3, "text, found the number 3"),
        (lambda t: t.boolean("k"), 1, "true or false, found the number 1"),
        (lambda t: t.integer("k"), 1.0, "a whole number, found the number 1.0"),
        (lambda t: t.integer("k"), True, "a whole number, found true"),
        (lambda t: t.number("k"), True, "a number, found true"),
        (lambda t: t.number("k"), "1", "a number, found the text '1'"),
        (lambda t: t.quantity("k", "dB"), 0.5, 'a quantity such as "1.5 dB", found the number 0.5'),
        (lambda t: t.date("k"), "2026-06-01", "a date such as 2026-03-31, found the text '2026-06-01'"),
        (lambda t: t.table("k"), [], "a table, found a list"),
        (lambda t: t.tables("k"), {}, "an array of tables, found a table"),
        (lambda t: t.text("k", "default"), 4, "text, found the number 4"),
    ],
)
def test_a_value_of_another_kind_is_named(getter, value, expected):
    table = table_of({"k": value})
    getter(table)
    assert complaints_of(table) == (f"f.toml: k: expected {expected}",)


def test_a_date_with_a_time_is_not_taken_for_a_date():
    table = table_of({"k": datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)})
    table.date("k")
    (line,) = complaints_of(table)
    assert "f.toml: k: expected a date such as 2026-03-31, without time" in line


def test_bounds_and_choices():
    table = table_of({"port": 17, "kind": "walls", "loss": "-0.1 dB", "long": "x" * 1001})
    table.integer("port", low=1, high=16)
    table.text("kind", choices=("wall", "virtual"))
    table.quantity("loss", "dB", low=0.0)
    table.text("long")
    assert complaints_of(table) == (
        "f.toml: port: 17 is not within 1 .. 16",
        "f.toml: kind: 'walls' is not one of virtual, wall",
        "f.toml: loss: '-0.1 dB' is below 0 dB",
        "f.toml: long: is longer than 1000 characters",
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, -(10**400)])
def test_numbers_are_finite(value):
    table = table_of({"k": value})
    assert table.number("k") == 0.0
    (line,) = complaints_of(table)
    assert line.endswith("is not a finite number")


def test_a_whole_number_of_thousands_of_digits_is_a_complaint(tmp_path):
    # Hexadecimal escapes Python's limit on digits when it is read, and meets it when it is shown.
    path = tmp_path / "huge.toml"
    path.write_text(f"k = 0x{'f' * 20000}\nn = 0x{'f' * 20000}\nt = 0x{'f' * 20000}\n")
    table = read_table(path)
    table.integer("k", low=0, high=9)
    table.number("n")
    table.text("t")
    lines = complaints_of(table)
    assert [line.split(": ")[1] for line in lines] == ["k", "n", "t"]
    assert all(len(line) < 200 for line in lines)


def test_unknown_keys_are_named_with_those_that_are_known():
    table = table_of({"name": "x", "nmae": "y"})
    table.text("name")
    table.text("description", "")
    table.end()
    assert complaints_of(table) == ("f.toml: nmae: unknown key; did you mean name?",)


def test_an_entry_of_an_array_that_is_no_table():
    table = table_of({"fibre": [{"a": 1}, 3]})
    first, *more = table.tables("fibre")
    assert not more
    first.text("b")
    assert complaints_of(table) == (
        "f.toml: fibre[2]: expected a table, found the number 3",
        "f.toml: fibre[1].b: is missing; expected text",
    )


def test_several_mistakes_are_all_told():
    table = table_of({"a": 1, "below": {"c": "x"}})
    table.text("a")
    table.number("b")
    table.table("below").integer("c")
    assert [line.split(": ")[1] for line in complaints_of(table)] == ["a", "b", "below.c"]


@pytest.mark.parametrize("content", [{}, {"supply": 3}])
def test_a_missing_table_is_one_complaint_and_not_one_for_each_of_its_keys(content):
    table = table_of(content)
    supply = table.table("supply")
    supply.text("sense")
    supply.quantity("current_limit", "A")
    supply.table("deeper").number("x")
    supply.complain("sense", "whatever")
    supply.end()
    assert len(complaints_of(table)) == 1


def test_hostile_keys_and_values_stay_on_one_printable_line():
    evil = "a\nb\x1b[31m\u202e\u2028" + "x" * 5000
    table = table_of({evil: {"x": 1}, "k": evil})
    for _, part in table.named():
        part.end()
    table.text("k", choices=("a",))
    table.complain("k", f"says {evil}")
    for line in complaints_of(table):
        assert len(line.splitlines()) == 1
        assert len(line) < 2000
        assert not {unicodedata.category(character) for character in line} & {"Cc", "Cf", "Zl"}


# -- files ------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TableError, match=r"gone\.toml: cannot be read: No such file"):
        read_table(tmp_path / "gone.toml")


def test_a_folder_and_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(TableError, match="cannot be read"):
        read_table(tmp_path)
    with pytest.raises(TableError, match="cannot be read"):
        read_table(Path("a\0b.toml"))
    with pytest.raises(TableError, match="cannot be read"):
        read_table(Path("x" * 5000))


@pytest.mark.parametrize(
    "data",
    [
        b"a = ",
        b"\xff\xfe",
        b"a = 1\na = 2\n",
        b"[" * 100_000,
        b"a = " + b"[" * 100_000,
        b"a = " + b"9" * 5000,  # more digits than Python turns into a number
        b"d = 2026-13-45\n",
    ],
)
def test_what_is_not_toml(tmp_path, data):
    path = tmp_path / "bad.toml"
    path.write_bytes(data)
    with pytest.raises(TableError) as raised:
        read_table(path)
    (line,) = raised.value.complaints
    assert line.startswith("bad.toml: is not TOML: ")
    assert len(line.splitlines()) == 1


def test_a_file_beyond_the_bound_is_refused(tmp_path):
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * (1024 * 1024) + b"\n")
    with pytest.raises(TableError, match=r"large\.toml: is larger than 1048576 bytes"):
        read_table(path)


def test_a_file_without_end_is_not_read_to_its_end():
    # Only what is within the bound may be read: this device never ends.
    with pytest.raises(TableError, match="is larger than"):
        read_table(Path("/dev/zero"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.one_of(st.binary(max_size=200), st.text(alphabet='[]{}="\\\n.abc019-_+eE:TZ# ', max_size=120)))
def test_any_bytes_read_or_are_refused(tmp_path, data):
    path = tmp_path / "any.toml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    complaints: tuple[str, ...] = ()
    try:
        table = read_table(path)
        for key in table.names():
            for getter in (table.text, table.boolean, table.integer, table.number, table.date, table.tables):
                getter(key)
            table.quantity(key, "dB")
            table.table(key).end()
        table.end()
        table.finish()
    except TableError as fault:
        complaints = fault.complaints
    for line in complaints:
        assert line.startswith("any.toml: ")
        assert len(line.splitlines()) == 1


# -- quantities -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0.35 dB", "dB", 0.35),
        ("0.35dB", "dB", 0.35),
        ("  -5.9   dBm ", "dBm", -5.9),
        ("20 mohm", "ohm", 0.020),
        ("20 mΩ", "ohm", 0.020),
        ("12 mA", "A", 0.012),
        ("4.5e-1 A", "A", 0.45),
        (".5 V", "V", 0.5),
        ("5. V", "V", 5.0),
        ("15 min", "s", 900.0),
        ("23 degC", "degC", 23.0),
        ("23 °C", "degC", 23.0),
        ("23 C", "degC", 23.0),
        ("296.15 K", "degC", 23.0),
        ("1 K", "K", 1.0),
        ("500 mK", "K", 0.5),
        ("1.311 µm", "nm", 1311.0),
    ],
)
def test_quantities(text, unit, value):
    assert parse_quantity(text, unit) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "unit", "why"),
    [
        ("", "dB", "is not a number with a unit"),
        ("0.35", "dB", "is not a number with a unit"),
        ("dB", "dB", "is not a number with a unit"),
        ("0,35 dB", "dB", "is not a number with a unit"),
        ("1+1 dB", "dB", "is not a number with a unit"),
        ("nan dB", "dB", "is not a number with a unit"),
        ("2**3 V", "V", "is not a number with a unit"),
        ("1e999 dB", "dB", "is not a finite number of dB"),
        ("-" + "9" * 90 + "e300 V", "V", "is not a finite number of V"),
        ("1e308 km", "mm", "is not a finite number of mm"),
        ("0.35 zorkmid", "dB", "cannot be read as dB"),
        ("0.35 zorkmid", "V", "unknown unit 'zorkmid'"),
        ("0.35 /", "V", "unknown unit '/'"),
        ("0.35 %", "V", "measure different things"),
        ("1 A", "V", "measure different things"),
        ("1 dBm", "dB", "cannot be read as dB"),
        ("1 dB", "%", "cannot be read as %"),
        ("1 mW", "dBm", "cannot be read as dBm"),
    ],
)
def test_what_is_no_quantity(text, unit, why):
    with pytest.raises(ValueError) as raised:
        parse_quantity(text, unit)
    assert type(raised.value) is ValueError
    assert why in str(raised.value)


@pytest.mark.parametrize("text", ["1 degC", "0.6 °C", "1 C", "2 degF"])
def test_a_difference_of_temperatures_is_not_read_from_a_temperature(text):
    # 1 degC is 274.15 K: a window or an uncertainty that everything lies within.
    with pytest.raises(ValueError, match="a difference of temperatures is wanted"):
        parse_quantity(text, "K")


def test_a_quantity_of_a_megabyte_of_digits_is_refused_at_once():
    with pytest.raises(ValueError, match="is not a number with a unit") as raised:
        parse_quantity("9" * 1_000_000, "dB")
    assert len(str(raised.value)) < 200


@settings(deadline=None, max_examples=60)
@given(
    number=st.floats(min_value=-1e6, max_value=1e6),
    unit=st.sampled_from(["dB", "dBm", "V", "A", "s", "K", "degC", "ohm"]),
)
def test_what_is_printed_is_read_back_exactly(number, unit):
    text = f"{number!r} {unit}"
    assert parse_quantity(text, unit) == number


@settings(deadline=None, max_examples=60)
@given(
    text=st.one_of(
        st.text(max_size=30),
        st.builds("{} {}".format, st.integers(), st.text(alphabet="mkdBVAsΩµ°C%/Kx", max_size=8)),
    ),
    unit=st.sampled_from(["dB", "V", "degC", "K", "%"]),
)
def test_any_text_is_a_quantity_or_a_value_error(text, unit):
    raised: type | None = None
    value = 0.0
    try:
        value = parse_quantity(text, unit)
    except Exception as fault:
        raised = type(fault)
    assert raised in {None, ValueError}
    assert math.isfinite(value)
