"""The module's own generators and checkers as a BERT (:class:`drivers.interfaces.Bert`).

What counts is a part of what is measured, so a result is labelled ``self_measured``, unless the module is the
bench's reference and not the one under test. The media side's checker counts at TP3 and its generator sends
at TP2; the host side's counts at TP1a and sends at TP4. With 400GAUI-8 a media lane carries two host lanes,
so what is sent on the host side is not what leaves on the media side.

Counts need counters (13h:130.1). A module that offers bit error ratios alone (13h:130.0) says neither how
many bits are behind them nor since when, so no count is made up from them:
:meth:`drivers.cmis.diagnostics.Diagnostics.read_ber` gives them as what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from drivers.cmis.diagnostics import Diagnostics, Loopback, PatternControls, Side, Unit
from drivers.cmis.errors import CmisError, DiagnosticsStateError
from drivers.cmis.module import CmisModule
from drivers.cmis.wording import lanes_text, where
from drivers.errors import BenchError
from drivers.interfaces import Bert, Identity, LaneErrors, SafetyStep

__all__ = ["SETTLE_S", "ModulePrbs"]

SETTLE_S = 0.5
"""From starting a pattern to counting. CMIS gives no time for a checker to find its pattern [uncertain]."""

_PLANES = {Side.MEDIA: ("TP3", "TP2"), Side.HOST: ("TP1a", "TP4")}  # counted, sent
_LOOPBACKS = {Side.MEDIA: Loopback.MEDIA_OUTPUT, Side.HOST: Loopback.HOST_OUTPUT}
"""What feeds a side's checker with that side's own output."""
_BYPASSES = {Side.MEDIA: Loopback.MEDIA_INPUT, Side.HOST: Loopback.HOST_INPUT}
"""What sends out on a side what comes in there, in place of the side's generator."""


class ModulePrbs:
    """:class:`drivers.interfaces.Bert` over a module's diagnostics; does no I/O when it is constructed.

    ``self_measured``: False for a module that is not under test, such as the reference transmitter's.
    ``detector``: how records call it; without, it says whose checker it is. ``loopback``: count on the side's
    own output, led back inside the module; the plane then says so, for such a count is no property of a
    receiver. Without it a count is refused while that loopback is on. While the same side's input loopback is
    on, which sends out what comes in, patterns and counts are refused. ``gated``: let the module time gates
    where it can (:meth:`Diagnostics.measure_gated`).

    Used as a context manager, or by :meth:`restore`, it leaves generators, checkers, gates (13h:177.4-1) and
    loopback as they were found. Faults of the module are :class:`CmisError`, those of the way to it
    :class:`drivers.errors.BenchError`.
    """

    def __init__(
        self,
        module: CmisModule,
        *,
        side: Side,
        name: str = "bert",
        self_measured: bool = True,
        detector: str = "",
        loopback: bool = False,
        gated: bool = False,
        settle_s: float = SETTLE_S,
        diagnostics: Diagnostics | None = None,
    ) -> None:
        self.diagnostics = diagnostics or Diagnostics(module)
        self.side = side
        self._module = module
        self._name = name
        self._self_measured = self_measured
        self._detector = detector
        self._loopback = loopback
        self._gated = gated
        self._settle_s = settle_s
        self._lanes: tuple[int, ...] | None = None
        self._found: tuple[PatternControls, ...] = ()
        self._found_loopback: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """Its role in the bench."""
        return self._name

    @property
    def plane(self) -> str:
        """Where errors are counted: ``TP3`` or ``TP1a``, or the loopback inside the module."""
        return f"internal ({_LOOPBACKS[self.side]})" if self._loopback else _PLANES[self.side][0]

    @property
    def generator_plane(self) -> str:
        """Where its pattern leaves the module: ``TP2`` or ``TP4``. With the same side's input loopback on it
        would not, so :meth:`start_pattern` and :meth:`measure_errors` refuse that."""
        return _PLANES[self.side][1]

    @property
    def detector(self) -> str:
        """What counts, in words."""
        whose = "module's own" if self._self_measured else "other module's"
        return self._detector or f"{whose} {self.side} side checker"

    @property
    def self_measured(self) -> bool:
        """Whether the module under test counts its own errors."""
        return self._self_measured

    @property
    def lanes(self) -> tuple[int, ...]:
        """Media or host lanes of the module; read once."""
        if self._lanes is None:
            self._lanes = self.diagnostics.lanes_present(self.side)
        return self._lanes

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns that the side both sends and checks."""
        return tuple(pattern for pattern in self.generator_patterns if pattern in self.checker_patterns)

    @property
    def generator_patterns(self) -> tuple[str, ...]:
        """Patterns that the side sends."""
        return self.diagnostics.capabilities.generator_patterns[self.side]

    @property
    def checker_patterns(self) -> tuple[str, ...]:
        """Patterns that the side checks."""
        return self.diagnostics.capabilities.checker_patterns[self.side]

    def connect(self) -> Identity:
        """Read who the module is and what its diagnostics can do; nothing is written.

        :raises NotAdvertisedError: when it has no diagnostics.
        """
        self.diagnostics.forget()
        self._lanes = None
        identity = self.identify()
        _ = self.diagnostics.capabilities, self.lanes
        return identity

    def identify(self) -> Identity:
        """Vendor, part number, serial number and firmware of the module."""
        identity = self._module.identity()
        return Identity(identity.vendor, identity.part_number, identity.serial_number, identity.firmware)

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """A module has no error queue."""
        return ()

    def start_pattern(
        self, pattern: str, lanes: Sequence[int] | None = None, *, generate: bool = True, check: bool = True
    ) -> None:
        """Start generators and checkers of these lanes (None: all), as they are wanted, and let them settle.

        With ``loopback`` the loopback of these lanes is turned on too.

        :raises ValueError: for an unknown pattern, a lane the module does not have, or nothing to be started.
        :raises NotAdvertisedError: when the side cannot do that; nothing was written then.
        :raises DiagnosticsStateError: when the side's input loopback is on for a lane that is to send, or
            checkers of other lanes run with a gate that would end; nothing was written then.
        """
        units = [unit for unit, wanted in ((Unit.GENERATOR, generate), (Unit.CHECKER, check)) if wanted]
        if not units:
            raise ValueError("neither sending nor checking is asked for")
        for unit in units:
            self.diagnostics.require_pattern(self.side, unit, pattern)
        chosen = self._chosen(self.lanes if lanes is None else lanes)
        if generate:
            self._require_no_bypass(chosen)
        if check:
            self.diagnostics.require_free_timer(self.side, chosen)
        self._remember()
        if self._loopback:
            self.diagnostics.set_loopback(_LOOPBACKS[self.side], chosen)
        if generate:
            self.diagnostics.start_generator(self.side, chosen, pattern)
        if check:
            self.diagnostics.start_checker(self.side, chosen, pattern)
        self._module.clock.sleep(self._settle_s)

    def stop_pattern(self) -> None:
        """Stop generators and checkers of all lanes of the side."""
        self._remember()
        self.diagnostics.stop_generator(self.side)
        self.diagnostics.stop_checker(self.side)

    def measure_errors(self, lanes: Sequence[int], gate_s: float) -> tuple[LaneErrors, ...]:
        """Count new errors and bits of these lanes; results in their order.

        :raises NotAdvertisedError: without counters (13h:130.1): a bit error ratio alone is no count.
        :raises DiagnosticsStateError: when a checker does not run, the side's output is looped back without
            that being what this object is for, or its input is looped back.
        """
        chosen = self._chosen(lanes)
        self._require_plane(chosen)
        measure = self.diagnostics.measure_gated if self._gated else self.diagnostics.measure
        found = {
            count.lane: LaneErrors(
                count.lane, count.bits, count.errors, count.synchronised, count.gate_s or 0.0
            )
            for count in measure(self.side, chosen, gate_s)
        }
        return tuple(found[lane] for lane in chosen)

    def restore(self) -> None:
        """Bring generators, checkers, gates and loopback back to how they were before the first pattern.

        :raises WriteNotTakenError: when they read back otherwise.
        """
        for _, step in self._restoring():
            step()
        self._found, self._found_loopback = (), None

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """As :meth:`restore`, but raises nothing: each step says what it came to.

        Nothing was changed: no steps. What is restored stays remembered where that failed.
        """
        steps: list[SafetyStep] = []
        for what, step in self._restoring():
            try:
                step()
            except (CmisError, BenchError) as fault:
                steps.append(SafetyStep(f"restore {what}", f"not confirmed: {fault}", safe=False))
            else:
                steps.append(SafetyStep(f"restore {what}", "as found", safe=True))
        if all(step.safe for step in steps):
            self._found, self._found_loopback = (), None
        return tuple(steps)

    def __enter__(self) -> Self:
        self._remember()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.restore()
        else:  # a fault of restoring is not to hide what went wrong first
            for step in self.make_safe():
                if not step.safe:
                    error.add_note(f"{step.action}: {step.read_back}")

    def _chosen(self, lanes: Sequence[int]) -> tuple[int, ...]:
        chosen = tuple(lanes)
        wrong = sorted(set(chosen).difference(self.lanes))
        if wrong or not chosen:
            raise ValueError(
                f"{self._name}: {self.side} lanes are {lanes_text(self.lanes)}, "
                f"not {lanes_text(wrong) or 'none'}"
            )
        return chosen

    def _remember(self) -> None:
        """Before the first change: what is to be restored."""
        if self._found:
            return
        found = tuple(self.diagnostics.controls(self.side, unit) for unit in Unit)
        if self._loopback:
            self._found_loopback = self.diagnostics.loopback_lanes(_LOOPBACKS[self.side])
        self._found = found

    def _restoring(self) -> list[tuple[str, Callable[[], None]]]:
        steps: list[tuple[str, Callable[[], None]]] = [
            (f"{controls.side} side {controls.unit}s", partial(self.diagnostics.restore, controls))
            for controls in self._found
        ]
        if self._found_loopback is not None:
            steps.append((str(_LOOPBACKS[self.side]), self._restore_loopback))
        return steps

    def _restore_loopback(self) -> None:
        kind = _LOOPBACKS[self.side]
        found, now = self._found_loopback or (), self.diagnostics.loopback_lanes(kind)
        if added := set(now).difference(found):
            self.diagnostics.set_loopback(kind, added, on=False)
        if removed := set(found).difference(now):
            self.diagnostics.set_loopback(kind, removed)

    def _require_no_bypass(self, lanes: tuple[int, ...]) -> None:
        kind = _BYPASSES[self.side]
        looped = set(self.diagnostics.loopback_lanes(kind)).intersection(lanes)
        if looped:
            raise DiagnosticsStateError(
                f"the {kind} of lanes {lanes_text(looped)} is on ({where(f'{kind.value}Enable')}): what "
                f"leaves at {self.generator_plane} is what comes in at {_PLANES[self.side][0]}, and not the "
                f"pattern of the {self.side} side generator. Turn it off."
            )

    def _require_plane(self, lanes: tuple[int, ...]) -> None:
        self._require_no_bypass(lanes)
        kind = _LOOPBACKS[self.side]
        looped = set(self.diagnostics.loopback_lanes(kind)).intersection(lanes)
        register, plane = where(f"{kind.value}Enable"), _PLANES[self.side][0]
        if self._loopback and (missing := set(lanes) - looped):
            raise DiagnosticsStateError(
                f"the {kind} of lanes {lanes_text(missing)} is off ({register}), so they would be counted at "
                f"{plane} and not inside the module: start_pattern() turns it on"
            )
        if looped and not self._loopback:
            raise DiagnosticsStateError(
                f"the {kind} of lanes {lanes_text(looped)} is on ({register}): the checker would count the "
                f"module's own output and not what comes in at {plane}. Turn it off, or ask for it "
                f"(loopback=True)."
            )


if TYPE_CHECKING:

    def _is_a_bert(prbs: ModulePrbs) -> Bert:
        return prbs
