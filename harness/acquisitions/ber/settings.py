"""How bit errors are counted, as data (``testplans/ber.toml``): gates, hypotheses, confidence, levels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from harness.quantities import convert
from harness.signal.sequential import SequentialTest
from harness.tables import Table, read_table
from harness.text import printable_text

SETTINGS_FILE: Final = Path(__file__).resolve().parents[3] / "testplans" / "ber.toml"


@dataclass(frozen=True, slots=True)
class PrbsSettings:
    """Gate of one count."""

    gate_s: float


@dataclass(frozen=True, slots=True)
class FloorSettings:
    """Gates of ``gate_s`` until ``test`` has decided of every lane, for ``longest_s`` at most."""

    test: SequentialTest
    gate_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class AgreementSettings:
    """``drift_db``: by how much light may drift between two counts, beside what taps show."""

    confidence: float
    drift_db: float


@dataclass(frozen=True, slots=True)
class FecSettings:
    """``stressed_ber``: where the lanes are brought to, within a ratio of ``stressed_within`` and by
    ``steps`` of the attenuator; ``overdispersion``: from where on scatter is called bursts;
    ``lossy_ber``: where codewords are lost."""

    gate_s: float
    confidence: float
    stressed_ber: float
    stressed_within: float
    steps: int
    overdispersion: float
    lossy_ber: float


@dataclass(frozen=True, slots=True)
class SoakSettings:
    """About ``slices`` slices, each between ``slice_s`` and ``longest_slice_s``."""

    slice_s: float
    longest_slice_s: float
    slices: int
    default_s: float

    def slice_of_s(self, length_s: float) -> float:
        """How long one slice of a soak of this length is."""
        return min(max(length_s / self.slices, self.slice_s), self.longest_slice_s, length_s)


@dataclass(frozen=True, slots=True)
class BerSettings:
    """All of it."""

    prbs: PrbsSettings
    floor: FloorSettings
    agreement: AgreementSettings
    fec: FecSettings
    soak: SoakSettings


LONGEST_SOAK_S: Final = 31 * 86_400.0


def soak_length_s(text: str) -> float:
    """A length as a person writes it: ``72h``, ``30 s``.

    :raises ValueError: when it is none, not above zero, or longer than a month.
    """
    match = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]{1,7})\s*", text, re.ASCII)
    if match is None:
        raise ValueError(f"{printable_text(text[:40])!r} is no length of time; write 72h or 30 s")
    length_s = convert(float(match[1]), match[2], "s")
    if not 1.0 <= length_s <= LONGEST_SOAK_S:
        raise ValueError(f"{printable_text(text[:40])!r} is not within 1 s .. 31 days")
    return length_s


@cache
def ber_settings() -> BerSettings:
    """The shipped settings."""
    return read_ber_settings(SETTINGS_FILE)


def read_ber_settings(path: Path) -> BerSettings:
    """Read settings.

    :raises TableError: with one line for each mistake.
    """
    table = read_table(path)
    table.integer("schema", low=1, high=1)
    prbs, floor, agreement = table.table("prbs"), table.table("floor"), table.table("agreement")
    fec, soak = table.table("fec"), table.table("soak")
    found = {
        "prbs": PrbsSettings(_seconds(prbs, "gate")),
        "agreement": AgreementSettings(
            _confidence(agreement), agreement.quantity("drift", "dB", low=0.0, high=1.0)
        ),
        "fec": FecSettings(
            gate_s=_seconds(fec, "gate"),
            confidence=_confidence(fec),
            stressed_ber=_within(fec, "stressed_ber", 1e-7, 2.4e-4),
            stressed_within=_within(fec, "stressed_within", 1.1, 10.0),
            steps=fec.integer("steps", low=1, high=20),
            overdispersion=_within(fec, "overdispersion", 1.0, 10.0),
            lossy_ber=_within(fec, "lossy_ber", 4e-4, 5e-3),
        ),
        "soak": SoakSettings(
            slice_s=_seconds(soak, "slice"),
            longest_slice_s=_seconds(soak, "longest_slice"),
            slices=soak.integer("slices", low=1, high=100_000),
            default_s=_seconds(soak, "default"),
        ),
    }
    ratios = [_within(floor, key, 1e-18, 1e-2) for key in ("good", "bad")]
    chances = [_within(floor, key, 1e-9, 0.49) for key in ("alpha", "beta")]
    gates = [_seconds(floor, key) for key in ("gate", "longest")]
    if ratios[0] >= ratios[1]:
        floor.complain("good", f"{ratios[0]:g} is not below bad, {ratios[1]:g}")
    for part in (prbs, floor, agreement, fec, soak):
        part.end()
    table.end()
    table.finish()
    return BerSettings(floor=FloorSettings(SequentialTest(*ratios, *chances), *gates), **found)  # type: ignore[arg-type]


def _seconds(part: Table, key: str) -> float:
    return part.quantity(key, "s", low=0.1, high=1e7)


def _within(part: Table, key: str, low: float, high: float) -> float:
    value = part.number(key)
    if low <= value <= high:
        return value
    part.complain(key, f"{value:g} is not within {low:g} .. {high:g}")
    return low


def _confidence(part: Table) -> float:
    return _within(part, "confidence", 0.5, 0.999999)
