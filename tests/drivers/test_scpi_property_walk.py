"""Every declared setting and reading of every driver in the catalogue is held to what its line says."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.catalogue import info, load, names
from drivers.errors import GarbledReplyError, InstrumentError, OutOfRangeError, UnsupportedError
from drivers.interfaces import Identity
from drivers.replies import Reply
from drivers.scpi import ScpiInstrument, ScpiSession
from drivers.scpi_property import Number, Reading, Setting, Switch, Whole, Words

SUFFIXES = {
    "V": "v",
    "A": "a",
    "W": "w",
    "dB": "db",
    "dB/s": "db_s",
    "dBm": "dbm",
    "nm": "nm",
    "s": "s",
    "Hz": "hz",
    "Bd": "bd",
    "UI": "ui",
    "C": "c",
    "C/min": "c_per_min",
    "%": "percent",
    "symbols": "symbols",
    "1": "",
}
"""How the attribute of a quantity in a unit ends; "1": a number without unit."""

WITHOUT_PROPERTIES = {
    "polatis": "routes are lists of ports, and its size is asked for once",
    "xena-xoa": "not SCPI: lines that repeat their command, with several values each",
    "espec-p300": "not SCPI: every answer has several fields, every setting is answered",
    "operator-terminal": "a person",
    "operator-headless": "nobody",
    "i2c-host-board": "pins and memory",
    "optoe-host-board": "files",
    "reference-module": "a module's memory",
}
"""Drivers that declare nothing, and why."""


def declared(driver: type) -> dict[str, Reading]:
    """Its own settings and readings and those it inherits, private ones among them."""
    found = {}
    for owner in reversed(driver.__mro__):
        found |= {name: one for name, one in vars(owner).items() if isinstance(one, Reading)}
    return found


LINES = [(driver, name) for driver in names() for name in declared(load(driver))]
DIFFERENT = {id(line): line for name in names() for line in declared(load(name)).values()}.values()
"""Each line once, of drivers that share it."""
SETTINGS = [line for line in LINES if isinstance(declared(load(line[0]))[line[1]], Setting)]


def as_after_connect(driver) -> None:
    """What a driver has to know of its instrument before it knows its ranges."""
    if hasattr(driver, "_wavelengths_nm"):
        driver._wavelengths_nm = (800.0, 1700.0)
    if hasattr(driver, "_sensors"):
        from drivers.keysight_816x import Sensor

        module = Identity("Agilent", "81634B", "DE1", "V4.0")
        driver._sensors = (Sensor(1, 1, module, (800.0, 1700.0)),)
        driver._places = ((1, 1),)


@dataclass
class Walked:
    """A driver's declared line on an instrument that answers what a test says."""

    driver: ScpiInstrument
    line: Reading
    wire: object

    @property
    def at(self):
        texts = (self.line.query, getattr(self.line, "command", ""))
        return 1 if any("{at}" in text for text in texts) else ""

    @property
    def bound(self):
        return getattr(self.driver, self.line.name)

    def range(self):
        return self.line.form.range_of(self.driver, self.at)


@pytest.fixture
def walked_of(wire, counting_clock):
    class Answering(type(wire)):
        """An instrument without any opinion: it answers every query with ``answer``."""

        answer = ""

        def write(self, message, termination=None):
            self.sent.append(message)
            fixed = {"SYST:ERR": '0,"No error"', "*IDN?": "A,B,1,2", "*STB?": "0", "*ESR?": "0"}
            if "?" in message:
                reply = next((text for word, text in fixed.items() if word in message), self.answer)
                self._input += f"{reply}\n".encode("latin-1")
            return len(message)

    def made(name, line):
        resource = Answering()
        session = ScpiSession(resource, counting_clock, name="role")
        driver = load(name)(session, counting_clock, name="role", options={})
        as_after_connect(driver)
        return Walked(driver, declared(type(driver))[line], resource)

    return made


def on_every(lines):
    """Make a test of every driver out of a check of one line; a failure names the line."""

    def decorate(check):
        @pytest.mark.parametrize("name", sorted({name for name, _ in lines}))
        def test(name, walked_of):
            for line in [line for driver, line in lines if driver == name]:
                try:
                    check(walked_of(name, line))
                except BaseException as fault:
                    fault.add_note(f"at {name}: {line}")
                    raise

        return test

    return decorate


def good_values(walked):
    form = walked.line.form
    if isinstance(form, Switch):
        return [False, True]
    if isinstance(form, Words):
        return list(form.choices)
    low, high = walked.range()
    if isinstance(form, Whole):
        return sorted({low, (low + high) // 2, high})
    if form.among:
        return list(form.among)
    shares = (0.0, 0.001234567, 0.1, 1 / 3, 0.5, 2 / 3, 0.98765432, 1.0)
    return sorted({low + share * (high - low) for share in shares})


def bad_values(walked):
    form = walked.line.form
    if isinstance(form, Switch):
        return [1, 0, "ON", None]
    if isinstance(form, Words):
        return ["", "NONSENSE", *(f"{word}X" for word in form.choices if f"{word}X" not in form.choices)][:4]
    low, high = walked.range()
    step = 1 if isinstance(form, Whole) else max(1e-3 * (high - low), 1e-6 * abs(high), 1e-9)
    bad = [low - step, high + step, math.nan, math.inf, -math.inf]
    if isinstance(form, Whole):
        bad.append(low + 0.5)
    elif form.among:
        bad.append(0.5 * (form.among[0] + form.among[1]))
    return bad


def answer_to(walked, value, *, wrong_by=0.0):
    """What an instrument answers that took ``value`` (off by this much) just as it was sent."""
    form, command = walked.line.form, walked.line.command
    if not isinstance(form, Number):
        return str(int(value) + int(wrong_by)) if isinstance(form, Whole) else str(form.sent(value))
    before, field, after = re.fullmatch(r"(.*)(\{value[^}]*\})(.*)", command).groups()
    sent = field.format(value=form.sent(value))
    assert re.fullmatch(r"[-+0-9.eE]+", sent), f"no number: {sent!r}"
    assert command == before + field + after
    return f"{(float(sent) * form.sent_unit + wrong_by) / form.reply_unit:.9E}"


def test_a_driver_without_declared_lines_is_known_to_have_none():
    without = {name for name in names() if not declared(load(name))}
    assert without == set(WITHOUT_PROPERTIES) & set(names())
    assert {info(name).transport for name in names() if name not in without} == {"visa"}


@on_every(LINES)
def test_a_line_says_what_it_is(walked):
    line, form = walked.line, walked.line.form
    assert line.__doc__.endswith(".")
    assert line.__doc__[0].isupper()
    assert "?" in line.query or line.unread
    assert line.name == line.name.lower()
    if isinstance(form, Number | Whole):
        assert form.unit in SUFFIXES, "a number without a known unit"
        assert line.name.endswith(SUFFIXES[form.unit])
        low, high = walked.range()
        assert math.isfinite(low)
        assert math.isfinite(high)
        assert low <= high
        assert line.shown
    else:
        assert form.unit == ""
    if isinstance(form, Words):
        assert form.choices
        assert all(word == word.upper() for word in form.choices)
    if isinstance(form, Switch):
        assert len(set(form.words)) == 2


@on_every(SETTINGS)
def test_a_setting_is_read_back_tightly_or_says_why_not(walked):
    line, form = walked.line, walked.line.form
    assert line.command.count("{value") == 1
    assert ("{at}" in line.command) == ("{at}" in line.query)
    if line.unread:
        assert len(line.unread) > 10
        with pytest.raises(UnsupportedError):
            walked.bound(walked.at)
        assert walked.wire.sent == []
    elif isinstance(form, Number):
        low, high = walked.range()
        assert 0.0 <= form.tolerance <= max(0.01 * (high - low), 1e-3)
        assert 0.0 <= form.share <= 0.1


@on_every(SETTINGS)
def test_out_of_range_is_refused_before_anything_is_sent(walked):
    for value in bad_values(walked):
        with pytest.raises(OutOfRangeError, match="nothing was sent"):
            walked.bound.set(value, walked.at)
        with pytest.raises(OutOfRangeError):
            walked.bound.to(value, walked.at)
    assert walked.wire.sent == []


@on_every(LINES)
def test_a_channel_that_is_none_is_refused_before_anything_is_sent(walked):
    if isinstance(walked.line, Setting) and walked.line.unread:
        return
    if walked.at == "":
        with pytest.raises(TypeError):
            walked.bound(1)
    else:
        with pytest.raises((OutOfRangeError, UnsupportedError)):
            walked.bound(99)
        if isinstance(walked.line, Setting):
            with pytest.raises((OutOfRangeError, UnsupportedError)):
                walked.bound.to(good_values(walked)[0], 99)
        with pytest.raises(TypeError):
            walked.bound()
    assert walked.wire.sent == []


@on_every(SETTINGS)
def test_what_is_taken_as_sent_reads_back(walked):
    for value in good_values(walked):
        walked.wire.answer = answer_to(walked, value)
        walked.wire.sent.clear()
        walked.bound.set(value, walked.at)
        own = [line for line in walked.wire.sent if "ERR?" not in line and not line.startswith("*")]
        assert own[0] == walked.bound.to(value, walked.at).command
        assert len(own) == (1 if walked.line.unread else 2)
        assert all("?" in query for query in own[1:])
        assert "{" not in "".join(walked.wire.sent)


@on_every(SETTINGS)
def test_another_value_that_reads_back_is_an_error(walked):
    form = walked.line.form
    if walked.line.unread:
        return
    value = good_values(walked)[-1]
    if isinstance(form, Switch):
        wrong = [answer_to(walked, not value), "2"]
    elif isinstance(form, Words):
        others = [word for word, short in form.choices.items() if short != form.choices[value]]
        wrong = [*others[:2], "NONSENSE", "77"]
    elif isinstance(form, Whole):
        wrong = [answer_to(walked, value, wrong_by=1), f"{value}.5"]
    else:
        beyond = 1.01 * max(form.tolerance, form.share * abs(value)) + 1e-6 * max(1.0, abs(value))
        wrong = [answer_to(walked, value, wrong_by=off) for off in (beyond, -beyond)]
    for answer in wrong:
        walked.wire.answer = answer
        with pytest.raises(GarbledReplyError, match="reads back otherwise"):
            walked.bound.set(value, walked.at)
        assert walked.driver.session.dirty, "the next reply may be anybody's"


ODD = [
    "", " ", "nonsense", "1,2", "1;2", '"', '""', "''", "()", "(@1)", "--", "----", "+", "1.2.3", "0x1F",
    "9.91E+37", "-9.91E37", "9.9E+37", "-9.9E37", "3.40282E+38", "-3.40282E+38", "nan", "inf", "NaN", "INF",
    "1e400", "1 2", "1V", "<OK>", '+0,"No error"', "+0,No Error", "1" * 100, "\x00", "\xb5", "A,B,1,2",
    "#15hello", "ON", "OFF", "+1", "0", "1", "-1", '"1"', "+1.5E+000", "'M1.DataOut1'",
]  # fmt: skip


def check_parsed(line, reply):
    form = line.form
    try:
        value = form.parse(reply)
    except InstrumentError:
        return
    if isinstance(form, Number):
        assert type(value) is float
        assert math.isfinite(value)
        assert not re.search(r"nan|inf|9\.91E\+?37", reply.text, re.IGNORECASE)
    elif isinstance(form, Whole):
        assert type(value) is int
    elif isinstance(form, Switch):
        assert type(value) is bool
    else:
        assert value in form.choices.values()


@on_every(LINES)
def test_an_odd_answer_is_parsed_or_refused_with_our_error(walked):
    if isinstance(walked.line, Setting) and walked.line.unread:
        return
    for answer in ODD:
        check_parsed(walked.line, Reply("role", "?", answer))
    for answer in ("", "nonsense", "9.91E+37", "1"):
        walked.wire.answer = answer
        try:
            value = walked.bound(walked.at)
        except InstrumentError:
            assert walked.driver.session.dirty or answer == "9.91E+37"
            continue
        check_parsed(walked.line, Reply("role", "?", answer))
        if not isinstance(walked.line, Setting):
            assert walked.line.form.plausible(walked.driver, value, walked.at)


@settings(max_examples=30)
@given(text=st.text(max_size=40) | st.from_regex(r"[-+]?[0-9.]{0,6}([eE][-+]?[0-9]{0,4})?", fullmatch=True))
@example("9.91E+37")
def test_random_answers_to_every_line(text):
    for line in DIFFERENT:
        check_parsed(line, Reply("role", "?", text))


@on_every(LINES)
def test_a_reading_outside_of_what_can_be_is_garbage(walked):
    form = walked.line.form
    if isinstance(walked.line, Setting) or not isinstance(form, Number | Whole):
        return
    low, high = walked.range()
    for value in (low - 1.0, high + 1.0):
        walked.wire.answer = f"{value:.9E}"
        with pytest.raises(GarbledReplyError):
            walked.bound(walked.at)


def test_a_line_cannot_be_declared_without_its_range():
    with pytest.raises(TypeError):
        Number("V")
    with pytest.raises(TypeError):
        Whole("1", (0, 1), limits_of=lambda _driver, _channel: (0, 1))
