"""Versatile Diagnostics Monitoring, beyond a module's plain monitors (OIF-CMIS-05.4 §8.18 to §8.24).

Up to 256 instances in four groups of 64. An instance's descriptor says what it observes, on which lane and
with which threshold set of its group. Minima, maxima and averages are statistics: they are read while they
are frozen (:func:`frozen_statistics`), or parts of one would be of another time.

A source is anything with ``get(bank, page, byte, length)``: a live module's ``registers``, or a dump's image.
"""

from __future__ import annotations

from drivers.cmis.vdm.freeze import (
    FREEZE_ALLOWANCE_S,
    T_VDMF_S,
    Freeze,
    VdmFreezer,
    VdmStatistics,
    frozen_statistics,
    read_statistics,
)
from drivers.cmis.vdm.observables import OBSERVABLES, Observable, observable
from drivers.cmis.vdm.readings import (
    SIDES,
    VdmFlag,
    VdmInstance,
    VdmReading,
    VdmSupport,
    advertised,
    read_vdm,
    read_vdm_masks,
    set_vdm_masks,
    support,
    vdm_flags,
)

__all__ = [
    "FREEZE_ALLOWANCE_S",
    "OBSERVABLES",
    "SIDES",
    "T_VDMF_S",
    "Freeze",
    "Observable",
    "VdmFlag",
    "VdmFreezer",
    "VdmInstance",
    "VdmReading",
    "VdmStatistics",
    "VdmSupport",
    "advertised",
    "frozen_statistics",
    "observable",
    "read_statistics",
    "read_vdm",
    "read_vdm_masks",
    "set_vdm_masks",
    "support",
    "vdm_flags",
]
