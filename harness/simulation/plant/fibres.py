"""A fibre of the bench as it truly is, with what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from drivers.units import ratio_from_db
from harness.simulation.plant.dispersion import ZERO_DISPERSION_NM
from harness.simulation.plant.true_losses import TrueLosses
from harness.simulation_section import WiringFaultSpec
from harness.wiring import Fibre

_GLASS_DB_PER_KM = 0.35
_DIRT_LOSS_DB = (0.3, 1.0)
_DIRT_REFLECTANCE_DB = (-35.0, -26.0)
_WORST_PAIR_DB = -26.0
FIBRE_FAULTS = ("dirty_end_face", "reflective_pair", "bent_fibre")


@dataclass(frozen=True, slots=True)
class EndFace:
    """A connector: its loss lies outside of what it reflects back into the fibre."""

    loss_db: float
    reflectance_db: float


@dataclass(frozen=True, slots=True)
class TrueFibre:
    """``transmission`` of all of it; ``glass_db``: what is lost between the connectors at ``start`` and
    ``end``."""

    fibre: Fibre
    transmission: float
    start: EndFace
    end: EndFace
    glass_db: float
    length_m: float
    zero_dispersion_nm: float


def true_fibre(fibre: Fibre, losses: TrueLosses, faults: Iterable[WiringFaultSpec]) -> TrueFibre:
    """How it is. The stated loss has the glass in it; what is left is taken as the two connectors' in equal
    parts (an assumption: it matters to echoes alone)."""
    loss_db = losses.fibre_db(fibre)
    glass_db = min(loss_db, _GLASS_DB_PER_KM * fibre.length_m / 1000.0)
    face = EndFace((loss_db - glass_db) / 2.0, fibre.reflectance_db)
    made = TrueFibre(
        fibre=fibre,
        transmission=ratio_from_db(-loss_db),
        start=face,
        end=face,
        glass_db=glass_db,
        length_m=fibre.length_m,
        zero_dispersion_nm=losses.zero_dispersion_nm(fibre, ZERO_DISPERSION_NM),
    )
    for fault in faults:
        made = _with_fault(made, fault)
    return made


def _with_fault(made: TrueFibre, fault: WiringFaultSpec) -> TrueFibre:
    if fault.kind == "bent_fibre":
        return replace(
            made,
            transmission=made.transmission * ratio_from_db(-fault.loss_db),
            glass_db=made.glass_db + fault.loss_db,
        )
    if fault.kind == "reflective_pair":
        return replace(
            made,
            start=_reflecting(made.start, fault.severity),
            end=_reflecting(made.end, fault.severity),
        )
    loss_db = _between(_DIRT_LOSS_DB, fault.severity)
    side = "end" if fault.port == made.fibre.end else "start"
    face: EndFace = getattr(made, side)
    dirty = EndFace(
        face.loss_db + loss_db,
        max(face.reflectance_db, _between(_DIRT_REFLECTANCE_DB, fault.severity)),
    )
    changed = replace(made, end=dirty) if side == "end" else replace(made, start=dirty)
    return replace(changed, transmission=made.transmission * ratio_from_db(-loss_db))


def _reflecting(face: EndFace, severity: float) -> EndFace:
    """Severity counts, in dB, from what the connector reflects anyway."""
    worst_db = max(face.reflectance_db, _WORST_PAIR_DB)
    return replace(face, reflectance_db=_between((face.reflectance_db, worst_db), severity))


def _between(limits: tuple[float, float], severity: float) -> float:
    low, high = limits
    return low + severity * (high - low)
