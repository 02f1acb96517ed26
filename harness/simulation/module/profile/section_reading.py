"""A section of a profile, read strictly into its dataclass.

What a key may hold stands beside the field, in its metadata: ``low`` and ``high`` (numbers), ``longest``
(characters of a text, entries of a list), ``choices``, and ``length`` of a list: a number, or
:data:`~harness.simulation.module.profile.rules.PER_LANE`. A list with one value per media lane may be written
as one number: the same for all lanes; so does a default of one value.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from harness.simulation.module.profile.rules import PER_LANE, QUAD
from harness.tables import Table, found_words

_LONGEST_TEXT = 200
_LARGEST_SHOWN = 10**20
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?")

_Section = TypeVar("_Section")


def read_section(table: Table, kind: type[_Section], media_lanes: int | None) -> _Section:
    """The section that ``table`` holds; complaints are the table's. ``media_lanes`` None: lists with one
    value per media lane may have any length."""
    hints = typing.get_type_hints(kind)
    values = {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        name, hint, rules = item.name, hints[item.name], item.metadata
        if table.has(name):
            values[name] = _value(table, name, hint, rules, media_lanes)
        else:
            values[name] = _default(table, item, hint, media_lanes)
    table.end()
    return kind(**values)


def has_required_keys(kind: type[Any]) -> bool:
    """Whether a section has keys without default."""
    return any(_is_required(item) for item in dataclasses.fields(kind))


def _is_required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _default(table: Table, item: dataclasses.Field[Any], hint: Any, media_lanes: int | None) -> Any:
    table.raw(item.name)  # so that it is named among the keys that are known here
    if item.default is not dataclasses.MISSING:
        for_all_lanes = item.metadata.get("length") == PER_LANE and item.default and len(item.default) == 1
        return item.default * (media_lanes or 1) if for_all_lanes else item.default
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    table.complain(item.name, f"is missing; expected {expected(hint, item.metadata)}")
    return _harmless(hint)


def _harmless(hint: Any) -> Any:
    """Stands for a value that was complained about."""
    if typing.get_origin(hint) is tuple:
        return ()
    return hint()


def _value(table: Table, key: str, hint: Any, rules: Mapping[str, Any], media_lanes: int | None) -> Any:
    hint = _required(hint)
    if typing.get_origin(hint) is tuple:
        return _list(table, key, typing.get_args(hint)[0], rules, media_lanes)
    return _scalar(table, key, hint, rules)


def _required(hint: Any) -> Any:
    """The type without None."""
    if isinstance(hint, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not types.NoneType)
    return hint


def _list(
    table: Table, key: str, item_type: Any, rules: Mapping[str, Any], media_lanes: int | None
) -> tuple[Any, ...]:
    length = rules.get("length")
    value = table.raw(key)
    if length == PER_LANE and isinstance(value, (int, float)) and not isinstance(value, bool):
        return (_scalar(table, key, item_type, rules),) * (media_lanes or 1)
    if not isinstance(value, list):
        table.complain(
            key, f"expected {_example(item_type, rules, media_lanes, value)}, found {found_words(value)}"
        )
        return ()
    entries = table.listed(key)
    if entries is None:
        return ()
    names = entries.names()
    wanted = media_lanes if length == PER_LANE else length
    if wanted is not None and len(names) != wanted:
        what = (
            "one value per media lane"
            if length == PER_LANE
            else "high alarm, low alarm, high warning, low warning"
        )
        table.complain(key, f"expected {wanted} values ({what}), found {len(names)}")
        return ()
    if length is None and len(names) > rules["longest"]:
        table.complain(key, f"at most {rules['longest']} values, found {len(names)}")
        return ()
    of_items = {name: rules[name] for name in ("low", "high", "choices") if name in rules}
    values = tuple(_scalar(entries, name, item_type, of_items) for name in names)
    if length == QUAD:
        high_alarm, low_alarm, high_warning, low_warning = values
        if not low_alarm <= low_warning <= high_warning <= high_alarm:
            table.complain(key, "expected low alarm <= low warning <= high warning <= high alarm")
    return values


def _example(item_type: Any, rules: Mapping[str, Any], media_lanes: int | None, given: object) -> str:
    """What a list is expected to look like: with what was given in it, if that goes."""
    number = _NUMBER.match(given) if isinstance(given, str) else None
    if item_type is str:
        one = f'"{rules["choices"][0]}"'
    elif isinstance(given, (int, float)) and not isinstance(given, bool):
        one = _plain(given)
    else:
        one = number[0] if number else _plain(rules["low"])
    if rules.get("length") == PER_LANE:
        every = ", ".join([one] * (media_lanes or 1))
        unit = " (its unit is in the key's name)" if number else ""
        return f"one number for all media lanes, such as {one}{unit}, or one for each, such as [{every}]"
    return f"a list such as [{', '.join([one] * (rules.get('length') or 1))}]"


def _scalar(table: Table, key: str, hint: Any, rules: Mapping[str, Any]) -> Any:
    if hint is bool:
        return table.boolean(key)
    if hint is str:
        return _text(table, key, rules)
    if hint is int:
        return _integer(table, key, rules)
    found = table.number(key)
    given = table.raw(key)
    there = isinstance(given, (int, float)) and not isinstance(given, bool)
    if there and not rules["low"] <= found <= rules["high"]:
        table.complain(key, f"{_plain(found)} is not within {_span(rules)}")
    return found


def _integer(table: Table, key: str, rules: Mapping[str, Any]) -> int:
    """A whole number: one complaint, with the key's own limits, whatever is wrong."""
    choices = rules.get("choices")
    if choices is None:
        return table.integer(key, low=rules["low"], high=rules["high"])
    given = table.raw(key)
    if isinstance(given, int) and not isinstance(given, bool):
        if given not in choices:
            shown = str(given) if abs(given) < _LARGEST_SHOWN else "it"
            table.complain(key, f"{shown} is not one of {', '.join(map(str, choices))}")
        return given
    return table.integer(key)


def _text(table: Table, key: str, rules: Mapping[str, Any]) -> str:
    text = table.text(key, choices=rules.get("choices"))
    longest = rules.get("longest", _LONGEST_TEXT)
    if not text.isascii() or not text.isprintable():
        table.complain(key, "expected printable ASCII characters only")
    elif len(text) > longest:
        table.complain(key, f"at most {longest} characters, found {len(text)}")
    return text


def expected(hint: Any, rules: Mapping[str, Any]) -> str:
    """What a key may hold, in words."""
    hint = _required(hint)
    if typing.get_origin(hint) is tuple:
        item = _expected_of(typing.get_args(hint)[0], {k: v for k, v in rules.items() if k != "longest"})
        length = rules.get("length")
        if length == PER_LANE:
            return f"{item}; one per media lane"
        return f"{length} x {item}" if length else f"up to {rules['longest']} x {item}"
    return _expected_of(hint, rules)


def _expected_of(hint: Any, rules: Mapping[str, Any]) -> str:
    if "choices" in rules:
        return " or ".join(f'"{choice}"' if hint is str else str(choice) for choice in rules["choices"])
    if hint is bool:
        return "true or false"
    if hint is str:
        return f"text, at most {rules.get('longest', _LONGEST_TEXT)} characters"
    kind = "number" if hint is float else "whole number"
    return f"{kind}, {_span(rules)}"


def _span(rules: Mapping[str, Any]) -> str:
    return f"{_plain(rules['low'])} .. {_plain(rules['high'])}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
