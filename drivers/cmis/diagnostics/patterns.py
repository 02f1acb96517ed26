"""Test patterns by name and by code (OIF-CMIS-05.4 section 8.12: bitmaps 13h:132-139, selections of 4 bits).

The names are those of the codes table ``pattern``: ``PRBS31Q`` and the like are PAM4 (two bits to a symbol),
the same without Q is NRZ; ``SSPRQ`` is PAM4; ``custom`` is the vendor's, ``user pattern`` is 13h:224-255.
"""

from __future__ import annotations

from drivers.cmis.codes import table

USER_PATTERN = "user pattern"

_CODES = range(16)


def pattern_code(name: str) -> int:
    """Code (0..15) of a pattern; capitals do not matter.

    :raises ValueError: for a name that is none of them.
    """
    wanted = name.strip().casefold()
    for code, known in table("pattern").items():
        if known.casefold() == wanted:
            return code
    raise ValueError(f"{name!r} is no pattern of CMIS; there are {', '.join(table('pattern').values())}")


def pattern_name(code: int) -> str:
    """Name of a pattern code; the reserved ones (13) are named as such."""
    return table("pattern").get(code, f"reserved pattern {code}")


def pattern_names(bitmap: int) -> tuple[str, ...]:
    """Names of the patterns whose bit is set in a bitmap of 13h:132-139, without the reserved ones."""
    known = table("pattern")
    return tuple(known[code] for code in _CODES if bitmap >> code & 1 and code in known)


def reserved_patterns(bitmap: int) -> tuple[int, ...]:
    """Bits that are set in a bitmap of patterns and stand for none."""
    return tuple(code for code in _CODES if bitmap >> code & 1 and code not in table("pattern"))
