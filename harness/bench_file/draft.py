"""A bench file's draft of what was found: what is known stands there, what a person must fill in is told."""

from __future__ import annotations

import json
from collections.abc import Sequence

from drivers.catalogue import DRIVERS
from harness.bench_file.reading import REQUIRED_ROLES
from harness.discovery import Found, who
from harness.text import printable_text

__all__ = ["draft_bench"]

_HEAD = """\
# A draft of a bench file, made by `lanewise bench discover`. It is not complete: wherever FILL IN stands,
# take away the first # of the lines below and put in what is true of your bench. `lanewise bench check` then
# names what still lacks. docs/bench-file.md tells every key.
schema = 1

[bench]
# FILL IN: a name, and what the bench is for.
name = "draft"
description = "draft of a bench, not complete"

[clock]
kind = "wall"

[io]
visa_library = {library}
"""

_TAIL = """
[supply]
# FILL IN: how the supply reaches the module's connector.
# channel = 1
# sense = "remote"  # or "local", with lead_resistance and lead_uncertainty
# current_limit = "4.5 A"
# overvoltage = "3.8 V"
# voltage_uncertainty = "4 mV"  # expanded, k = 2, of its read-back
# current_uncertainty = "12 mA"

[thermal]
# FILL IN: how near, how long, and how long at most.
# window = "1 K"
# soak = "30 s"
# time_limit = "900 s"

# FILL IN: every fibre, with its loss at the wavelength used and the loss's uncertainty (k = 2).
# [[fibre]]
# from = "module.tx1"
# to = "power_meter.1"
# loss = "0.40 dB"
# uncertainty = "0.10 dB"
"""

_OF_ROLES = {
    "power_meter": ('uncertainty = "0.12 dB"  # of a reading, k = 2',),
    "case_sensor": ('uncertainty = "0.6 K"  # of a reading, k = 2',),
    "optical_switch": ('pass = { loss = "1.00 dB", uncertainty = "0.08 dB" }  # of a way through it',),
    "attenuator": ('pass = { loss = "2.0 dB", uncertainty = "0.2 dB" }  # of a way through it, at 0 dB',),
}
_CALIBRATED = frozenset({"power_meter", "power_supply", "case_sensor", "spectrum_analyser", "oscilloscope"})
_CERTIFICATE = 'calibration = { certificate = "number", date = 2026-01-31, due = 2027-01-31 }'
_HOST_BOARD = (
    "[instruments.host_board.options]",
    "expander_address = 0x20  # of the PCA9535-compatible expander with the module's pins",
    "pin_bits = { reset_l = 0, lpmode = 1, modsel_l = 2, modprs_l = 8, int_l = 9 }",
)


def draft_bench(found: Sequence[Found], *, visa_library: str = "@py") -> str:
    """A bench file's text. It is TOML as it stands, and says in comments what it lacks. The first of what
    could be in a role is there; others follow as comments."""
    parts = [_HEAD.format(library=_quoted(visa_library))]
    taken: dict[str, str] = {}
    shared: dict[str, str] = {}
    for thing in found:
        if not thing.drivers:
            continue
        roles = DRIVERS[thing.drivers[0]].roles
        role = next((role for role in roles if role not in taken), "")
        parts.append(_instrument(thing, role or roles[0], commented=not role))
        if role:
            taken[role] = thing.drivers[0]
            shared.update((other, role) for other in roles if other != role)
    for role, owner in shared.items():
        if role not in taken:
            taken[role] = owner
            parts.append(_lines(f"[instruments.{role}]", f"shared_with = {_quoted(owner)}", *_filled(role)))
    for role in REQUIRED_ROLES:
        if role not in taken:
            drivers = ", ".join(name for name, info in DRIVERS.items() if role in info.roles)
            parts.append(
                f"# FILL IN: no {role} was found, and every bench needs one. Drivers: {drivers}\n"
                f'# [instruments.{role}]\n# driver = ""\n# address = ""\n'
            )
    unknown = [thing for thing in found if not thing.drivers]
    if unknown:
        lines = [
            f"# {printable_text(thing.address)}  {who(thing)}  {printable_text(thing.note)}".rstrip()
            for thing in unknown
        ]
        parts.append("\n".join(["# Found besides, and left out:", *lines]) + "\n")
    return "\n".join(parts) + _TAIL


def _instrument(thing: Found, role: str, *, commented: bool) -> str:
    said = [text for text in (who(thing), printable_text(thing.note)) if text]
    others = ", ".join(thing.drivers[1:])
    lines = [
        *(f"# {text}" for text in said),
        *([f"# The role {role} is taken already by another instrument above."] if commented else []),
        f"[instruments.{role}]",
        f"driver = {_quoted(thing.drivers[0])}{f'  # or {others}' if others else ''}",
        f"address = {_quoted(thing.address)}",
        *_filled(role),
    ]
    if role == "host_board":
        lines += ["", "# FILL IN", *(f"# {line}" for line in _HOST_BOARD)]
    text = _lines(*lines)
    if commented:
        text = "".join(f"# {line}" if line.strip() else line for line in text.splitlines(keepends=True))
    return text


def _filled(role: str) -> list[str]:
    wanted = [*_OF_ROLES.get(role, ()), *([_CERTIFICATE] if role in _CALIBRATED else [])]
    return ["# FILL IN", *(f"# {line}" for line in wanted)] if wanted else []


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's, but that TOML wants DEL escaped and knows no surrogates."""
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")
