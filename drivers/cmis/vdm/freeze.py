"""Freezing VDM statistics, so that what is read of them is of one time (OIF-CMIS-05.4 §8.24)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.clock import Clock, polls
from drivers.cmis import information
from drivers.cmis.codes import ModuleState
from drivers.cmis.errors import CmisError, VdmFreezeError
from drivers.cmis.vdm.readings import VdmInstance, VdmReading, advertised, read_vdm, support
from drivers.cmis.wording import where
from drivers.errors import BenchError

if TYPE_CHECKING:
    from drivers.cmis.module import CmisModule

T_VDMF_S = 0.010
"""tVDMF: longest time from a freeze or unfreeze request to its Done bit (Table 10-5)."""
FREEZE_ALLOWANCE_S = 0.100
"""How long Done bits are waited for by default: as long as a public host gives every module, ten times
tVDMF. :attr:`Freeze.in_time` still says what came later than CMIS allows."""

_ROUNDING_S = 1e-6
_PAUSE_S = 0.001


@dataclass(frozen=True, slots=True)
class Freeze:
    """Whether statistics are frozen, and why not. ``elapsed_s``: from before the request to FreezeDone, None
    where that is not known: nothing was frozen, or FreezeDone was 1 all along and says nothing. ``notes``:
    what was odd about it."""

    frozen: bool
    reason: str = ""
    elapsed_s: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def in_time(self) -> bool | None:
        """Whether FreezeDone came within tVDMF; None when nothing was frozen, or it is not known."""
        return None if self.elapsed_s is None else self.elapsed_s <= T_VDMF_S + _ROUNDING_S


@dataclass(frozen=True, slots=True)
class VdmStatistics:
    """Statistics and the samples that belong to them. With ``freeze.frozen`` they are of one time; else they
    were read live, for the reason that ``freeze`` gives."""

    freeze: Freeze
    readings: tuple[VdmReading, ...]


class VdmFreezer:
    """Freezes the statistics of one bank and lets them go on (2Fh:144-145).

    Other bits of 2Fh:144, power saving among them, are kept. ``allowance_s``: how long Done bits are waited
    for, at least tVDMF. :func:`frozen_statistics` is what most need.
    """

    def __init__(
        self,
        module: CmisModule,
        bank: int = 0,
        *,
        clock: Clock | None = None,
        allowance_s: float = FREEZE_ALLOWANCE_S,
    ) -> None:
        """:raises ValueError: for an allowance shorter than tVDMF."""
        if not allowance_s >= T_VDMF_S:
            raise ValueError(f"CMIS gives modules {T_VDMF_S} s (tVDMF); {allowance_s} s is less")
        self._module = module
        self._bank = bank
        self._clock = clock or module.clock
        self._allowance_s = allowance_s
        self._requested = False

    def freeze(self) -> Freeze:
        """Request a freeze and wait until it is done.

        A FreezeDone that was 1 before the request does not tell the new freeze from an old one: unless it is
        seen to go to 0, the whole allowance is waited and :attr:`Freeze.elapsed_s` is None.

        Statistics that were found frozen already are let go first: what they hold is of an unknown time.

        :raises VdmFreezeError: when FreezeDone does not come. The request stands: call :meth:`unfreeze`.
        :raises CmisError: when the module cannot be read or written.
        """
        notes = []
        if self._read("VDMFreezeRequest"):
            notes.append(
                f"statistics were found frozen ({where('VDMFreezeRequest')} was 1) and were let go first"
            )
            self._requested = True
            self.unfreeze()
        self._requested = True
        elapsed_s, note = self._request(1, "VDMFreezeDone", "the freeze")
        notes += [note] if note else []
        return Freeze(True, elapsed_s=elapsed_s, notes=tuple(notes))

    def unfreeze(self) -> float | None:
        """Withdraw the request and wait until statistics go on. The seconds it took from before that; None
        when there was no request, or UnfreezeDone was 1 all along (then the whole allowance was waited).

        :raises VdmFreezeError: when UnfreezeDone does not come.
        :raises CmisError: when the module cannot be read or written.
        """
        if not self._requested:
            return None
        elapsed_s, _ = self._request(0, "VDMUnfreezeDone", "letting statistics go on")
        return elapsed_s

    def _request(self, value: int, done: str, what: str) -> tuple[float | None, str]:
        """Write the request and wait for its Done bit: the seconds that took, None where the bit does not
        tell, and what was odd."""
        stale = bool(self._read(done))
        note = f"{where(done)} was 1 before the request" if stale else ""
        start_s = self._clock.now_s()
        self._module.set("VDMFreezeRequest", value, self._bank)
        self._requested = bool(value)
        for _ in polls(self._clock, start_s + self._allowance_s, _PAUSE_S):
            is_done = bool(self._read(done))
            if is_done and not stale:
                return self._clock.now_s() - start_s, note
            stale = stale and is_done
        elapsed_s = self._clock.now_s() - start_s
        if stale:
            return None, f"{note} and stayed so: {elapsed_s * 1e3:.0f} ms were waited instead"
        raise VdmFreezeError(
            where(done),
            elapsed_s,
            f"bank {self._bank} did not confirm {what}. CMIS gives it {T_VDMF_S * 1e3:g} ms (tVDMF), "
            f"{self._allowance_s * 1e3:g} ms were allowed. Samples can still be read as they are.",
        )

    def _read(self, name: str) -> int:
        return information.get_int(self._module.registers, name, self._bank)


@contextmanager
def frozen_statistics(
    module: CmisModule,
    bank: int = 0,
    *,
    clock: Clock | None = None,
    allowance_s: float = FREEZE_ALLOWANCE_S,
    instances: Sequence[VdmInstance] | None = None,
) -> Iterator[Freeze]:
    """Within this context the bank's statistics are frozen; afterwards, errors included, they go on.

    A freeze begins a new interval of the statistics. Where there is nothing to freeze, nothing is requested
    and the :class:`Freeze` says why: the module has no VDM, advertises no minimum, maximum or average (such
    modules never set FreezeDone), or is in ModuleLowPwr, where no statistics are taken.

    If the run is told to stop meanwhile, the request may stay: the next freeze finds and withdraws it.

    :raises VdmFreezeError: when a Done bit does not come within ``allowance_s``.
    :raises CmisError: when the module cannot be read or written.
    """
    reason = _nothing_to_freeze(module, bank, instances)
    if reason:
        yield Freeze(False, reason)
        return
    freezer = VdmFreezer(module, bank, clock=clock, allowance_s=allowance_s)
    try:
        yield freezer.freeze()
    except BaseException as error:
        try:
            freezer.unfreeze()
        except (CmisError, BenchError) as second:
            error.add_note(f"And the statistics were not let go afterwards: {second}")
        raise
    else:
        freezer.unfreeze()


def _nothing_to_freeze(module: CmisModule, bank: int, instances: Sequence[VdmInstance] | None) -> str:
    offered = support(module.registers, bank)
    if not offered.supported:
        return offered.reason
    if not any(
        instance.observable.statistic
        for instance in (advertised(module.registers, bank) if instances is None else instances)
    ):
        return "the module advertises no minimum, maximum or average: there is nothing to freeze"
    if module.module_state() is ModuleState.ModuleLowPwr:
        return "the module is in ModuleLowPwr, where no statistics are taken"
    return ""


def read_statistics(
    module: CmisModule,
    bank: int = 0,
    *,
    clock: Clock | None = None,
    allowance_s: float = FREEZE_ALLOWANCE_S,
    thresholds: bool = True,
) -> VdmStatistics:
    """Freeze, read, let go: minima, maxima, averages, current samples and totals, all of one time.

    Where there is nothing to freeze (see :func:`frozen_statistics`) the same instances are read as they are;
    without statistics, all that the module has. ``freeze.reason`` says so.

    :raises VdmFreezeError: when the module does not confirm the freeze.
    :raises CmisError: when the module cannot be read or written.
    """
    every = advertised(module.registers, bank)
    related = [instance for instance in every if instance.observable.kind is not None]
    with frozen_statistics(module, bank, clock=clock, allowance_s=allowance_s, instances=every) as freeze:
        readings = read_vdm(module.registers, bank, thresholds=thresholds, instances=related or every)
    return VdmStatistics(freeze, readings)
