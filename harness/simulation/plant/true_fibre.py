"""A fibre of the bench as it truly is, with what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from drivers.units import db_from_ratio, ratio_from_db
from harness.bench_file.simulation_section import WiringFaultSpec
from harness.simulation.plant.dispersion import ZERO_DISPERSION_NM
from harness.simulation.plant.true_losses import TrueLosses
from harness.wiring import Fibre

_GLASS_DB_PER_KM = 0.35
_DIRT_LOSS_DB = 1.0
_BAD_FACE_DB = -26.0  # of plainly dirty glass: what 802.3 allows a transmitter's or a receiver's port at most


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
    """How it is. The stated loss has the glass in it, and what the connectors reflect; what is left is taken
    as the two connectors' in equal parts (an assumption: it matters to echoes alone)."""
    loss_db = max(losses.fibre_db(fibre), 2.0 * _reflected_db(fibre.reflectance_db))
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
        made = FIBRE_FAULTS[fault.kind](made, fault)
    return made


def _bent(made: TrueFibre, fault: WiringFaultSpec) -> TrueFibre:
    return replace(
        made,
        transmission=made.transmission * ratio_from_db(-fault.loss_db),
        glass_db=made.glass_db + fault.loss_db,
    )


def _reflecting(made: TrueFibre, fault: WiringFaultSpec) -> TrueFibre:
    return _with_ends(made, _worse(made.start, fault.severity), _worse(made.end, fault.severity))


def _dirty(made: TrueFibre, fault: WiringFaultSpec) -> TrueFibre:
    dirt_db = fault.severity * _DIRT_LOSS_DB
    if fault.port == made.fibre.end:
        return _with_ends(made, made.start, _worse(made.end, fault.severity, dirt_db))
    return _with_ends(made, _worse(made.start, fault.severity, dirt_db), made.end)


FIBRE_FAULTS: Mapping[str, Callable[[TrueFibre, WiringFaultSpec], TrueFibre]] = MappingProxyType(
    {"dirty_end_face": _dirty, "reflective_pair": _reflecting, "bent_fibre": _bent}
)
"""Kinds that make one fibre worse, and how."""


def _with_ends(made: TrueFibre, start: EndFace, end: EndFace) -> TrueFibre:
    more_db = start.loss_db - made.start.loss_db + end.loss_db - made.end.loss_db
    return replace(made, start=start, end=end, transmission=made.transmission * ratio_from_db(-more_db))


def _worse(face: EndFace, severity: float, loss_db: float = 0.0) -> EndFace:
    """Severity counts, in dB, from what the connector reflects anyway. What is reflected does not go on."""
    worst_db = max(face.reflectance_db, _BAD_FACE_DB)
    reflectance_db = face.reflectance_db + severity * (worst_db - face.reflectance_db)
    reflected_db = _reflected_db(reflectance_db) - _reflected_db(face.reflectance_db)
    return EndFace(face.loss_db + max(loss_db, reflected_db), reflectance_db)


def _reflected_db(reflectance_db: float) -> float:
    """What does not go on because it goes back."""
    return -db_from_ratio(1.0 - ratio_from_db(reflectance_db))
