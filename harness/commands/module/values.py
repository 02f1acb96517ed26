"""Values of registers, from and to what people write."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from drivers.cmis.fields import LANES, Field, Kind, Scalar, Value
from drivers.cmis.quantities import is_optical_power
from harness.commands.module.running import UsageError

_LANE_VALUE = re.compile(r"([1-9][0-9]?)=(.+)")


def parse_value(field: Field, text: str, old: Callable[[], Value]) -> Value:
    """What is to be written to a field.

    Lanes of bits: ``1,3-4``, ``none``, ``all``, or a number (``0x0F``, lane 1 in the lowest bit). Fields of
    several lanes: one value for all of them, one for each (``1,2,...``), or ``3=0x10,4=0x20``, which keeps
    the others (``old`` gives what the register holds). Numbers: ``12``, ``0x0C``, ``0Ch``, ``0b1100``, or
    where the field has a scale, in its unit. Bytes: hexadecimal digits.

    :raises UsageError: when the text is none of that.
    """
    if field.kind is Kind.LANE_BITS:
        return _lane_bits(field, text)
    if field.kind is Kind.ASCII:
        return text
    if field.kind is Kind.RAW and field.lanes == 1:
        return parse_bytes(text)
    one = parse_bytes if field.kind is Kind.RAW else _number_of(field)
    if field.lanes == 1:
        return one(text)
    parts = text.split(",")
    chosen = [_LANE_VALUE.fullmatch(part.strip()) for part in parts]
    if all(chosen):
        held = old()
        assert isinstance(held, tuple)
        values = list(held)
        for match in chosen:
            assert match is not None
            lane = int(match[1])
            if not 1 <= lane <= field.lanes:
                raise UsageError(f"{field.name} has lanes 1 to {field.lanes}, not {lane}")
            values[lane - 1] = one(match[2])
        return tuple(values)
    if len(parts) == 1:
        return (one(text),) * field.lanes
    if len(parts) != field.lanes:
        raise UsageError(
            f"{field.name} has {field.lanes} lanes, and {len(parts)} values were given: give one for all, "
            "one for each, or some as 3=VALUE"
        )
    return tuple(one(part) for part in parts)


def parse_bytes(text: str) -> bytes:
    """Hexadecimal digits, blanks between bytes allowed.

    :raises UsageError: when they are none.
    """
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise UsageError(f"{text!a} is not bytes in hexadecimal digits, such as 0A ff") from None


def _lane_bits(field: Field, text: str) -> Value:
    from harness.commands.module.quantity import numbers

    word = text.strip().lower()
    if word in ("none", "all"):
        lanes: tuple[int, ...] = tuple(range(1, LANES + 1)) if word == "all" else ()
    elif word.startswith(("0x", "0b")) or word.endswith("h"):
        mask = _integer(field, word)
        if not 0 <= mask <= 0xFF:
            raise UsageError(f"{field.name}: {text!a} has more than {LANES} bits")
        lanes = tuple(lane for lane in range(1, LANES + 1) if mask >> (lane - 1) & 1)
    else:
        lanes = numbers(text, f"{field.name} (lanes, none, all, or 0x..)", low=1, high=LANES)
    return tuple(lane in lanes for lane in range(1, LANES + 1))


def _number_of(field: Field) -> Callable[[str], Scalar]:
    if field.kind is not Kind.F16 and field.scale == 1.0 and field.offset == int(field.offset):
        return lambda text: _integer(field, text)
    return lambda text: _quantity(field, text)


def _integer(field: Field, text: str) -> int:
    word = text.strip().lower()
    try:
        if word.endswith("h") and not word.startswith("0b"):
            return int(word.removesuffix("h").removeprefix("0x"), 16)
        return int(word, 0) if word.lstrip("-")[:2] in ("0x", "0b") else int(word)
    except ValueError:
        raise UsageError(f"{field.name}: {text!a} is not a whole number such as 12, 0x0C or 0Ch") from None


def _quantity(field: Field, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    from harness.tables import parse_quantity

    try:
        return parse_quantity(text, field.unit or "1")
    except ValueError as error:
        raise UsageError(f"{field.name}: {error}") from error


def texts_of(field: Field, value: Value) -> list[tuple[str, str, str]]:
    """(lane or "", value with unit, what it means) for each element; lanes of bits in one row."""
    if field.kind is Kind.LANE_BITS and isinstance(value, tuple):
        return [("", lanes_of_bits(value), "")]
    if isinstance(value, tuple):
        return [(str(lane), *_text(field, item)) for lane, item in enumerate(value, start=1)]
    return [("", *_text(field, value))]


def lanes_of_bits(bits: Sequence[object]) -> str:
    """``lanes 1, 3-4`` or ``no lane``."""
    from drivers.cmis.wording import lanes_text

    lanes = [lane for lane, bit in enumerate(bits, start=1) if bit]
    if not lanes:
        return "no lane"
    return f"lane{'s' * (len(lanes) > 1)} {lanes_text(lanes)}"


def meaning_of(field: Field, value: Scalar) -> str:
    """What a code stands for, or optical power in dBm; empty where there is nothing to tell."""
    if is_optical_power(field) and isinstance(value, float):
        from drivers.units import LOWEST_DBM, dbm_from_w

        power_dbm = dbm_from_w(value)
        return "no light" if power_dbm <= LOWEST_DBM else f"{power_dbm:.2f} dBm"
    if field.codes is None or not isinstance(value, int):
        return ""
    from drivers.cmis import codes

    try:
        return codes.meaning(field.codes, value)
    except KeyError:  # which table counts depends on another register
        return ""


def _text(field: Field, value: Scalar) -> tuple[str, str]:
    if isinstance(value, bytes):
        return value.hex(" "), ""
    if isinstance(value, str):
        return f'"{value}"', ""
    if isinstance(value, float):
        return f"{value:.6g} {field.unit}".rstrip(), meaning_of(field, value)
    shown = f"{value}" if -10 < value < 10 else f"{value} ({value:X}h)" if value >= 0 else f"{value}"
    return f"{shown} {field.unit}".rstrip(), meaning_of(field, value)
