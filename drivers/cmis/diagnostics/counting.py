"""Counting bit errors for a known time (pages 13h and 14h): gates by the host's clock and the module's.

:class:`ErrorCounting` is what :meth:`drivers.cmis.diagnostics.Diagnostics.measure` and ``measure_gated`` are
made of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from drivers.clock import polls
from drivers.cmis.diagnostics.capabilities import Side, Unit
from drivers.cmis.diagnostics.registers import ControlRegisters, register_name
from drivers.cmis.diagnostics.results import ErrorCount, SelectedResults
from drivers.cmis.errors import DiagnosticsStateError, InvalidMemoryError
from drivers.cmis.wording import lanes_text, where

FLAG_LATENCY_S = 0.200
"""ton_flag (Table 10-5): from a condition to its flag."""
GATES_S: Mapping[float, int] = {5.0: 1, 10.0: 2, 30.0: 3, 60.0: 4, 120.0: 5, 300.0: 6}
"""Gates that the module times itself, seconds, and their codes in 13h:177.3-1."""
GATE_ALLOWANCE_S = 2.0
"""Waited for the end of a gate beyond its length. CMIS gives no limit [uncertain]."""

_UPDATE_PERIODS_S = {0: 1.0, 1: 5.0}  # 13h:177.0
_POLL_S = 0.05


class ErrorCounting:
    """Gates of one bank."""

    def __init__(self, registers: ControlRegisters, results: SelectedResults) -> None:
        self._registers = registers
        self._results = results
        self._module = registers.module
        self._clock = registers.module.clock

    def by_host(self, side: Side, chosen: tuple[int, ...], gate_s: float) -> tuple[ErrorCount, ...]:
        """Count for ``gate_s`` seconds by the host's clock; see
        :meth:`drivers.cmis.diagnostics.Diagnostics.measure`."""
        self._registers.require_running(side, chosen, "start_checker() first")
        before = self._start_counting(side, chosen)
        start_s = self._clock.now_s()
        self._registers.losses(side, Unit.CHECKER)  # read away what was latched before
        self._sleep_until(start_s + gate_s)
        after = self._advanced_counters(side, chosen, before, start_s + gate_s + self._update_period_s())
        end_s = self._clock.now_s()
        self._sleep_until(start_s + FLAG_LATENCY_S)
        lost = self._registers.losses(side, Unit.CHECKER)
        self._registers.require_running(
            side, chosen, "it ran when the gate began: the module restarted or stopped it"
        )
        return tuple(
            _difference(old, new, end_s - start_s, lost) for old, new in zip(before, after, strict=True)
        )

    def by_module(
        self, side: Side, chosen: tuple[int, ...], gate_s: float, *, latched: bool
    ) -> tuple[ErrorCount, ...]:
        """Count for a gate that the module times; see
        :meth:`drivers.cmis.diagnostics.Diagnostics.measure_gated`. ``latched``: the module has results of
        gates of their own (13h:129.5), not only counters that stop."""
        self._registers.require_running(side, chosen, "start_checker() first")
        settings = {name: self._registers.number(name) for name in ("MeasurementTime", "AutoRestartGating")}
        enable = register_name(side, Unit.CHECKER, "Enable")
        flag = f"GatingCompleteFlag{side.value}"
        try:
            self._registers.put_lanes(enable, chosen, on=False)
            self._set("AutoRestartGating", 0)
            self._set("MeasurementTime", GATES_S[gate_s])
            self.reset()
            self._registers.lanes_set(flag)  # read away the end of an earlier gate
            self._registers.put_lanes(enable, chosen, on=True)
            start_s = self._clock.now_s()
            self._clock.sleep(FLAG_LATENCY_S)
            # A checker is out of lock until it has found the pattern; that is read away.
            self._registers.losses(side, Unit.CHECKER)
            self._wait_for_gate(flag, chosen, start_s, gate_s)
            lost = self._registers.losses(side, Unit.CHECKER)
            self._registers.require_running(
                side, chosen, "it was started for the gate: the module restarted or stopped it"
            )
            counts = self._results.counters(side, chosen, gated=latched)
        finally:
            self._registers.put_lanes(enable, chosen, on=False)
            for name, value in settings.items():
                self._set(name, value)
            self._registers.put_lanes(enable, chosen, on=True)
        return tuple(
            _plausible(
                replace(
                    count,
                    gate_s=gate_s,
                    gated=True,
                    synchronised=count.synchronised and count.lane not in lost,
                )
            )
            for count in counts
        )

    def _update_period_s(self) -> float:
        return _UPDATE_PERIODS_S[self._registers.number("UpdatePeriodSelect")]

    def _set(self, name: str, value: int) -> None:
        self._module.set_and_verify(name, value, self._registers.bank)

    def reset(self) -> None:
        """Set the counters of the bank to 0: hold them there, and let go."""
        self._hold()
        self._release()

    def _hold(self) -> None:
        # Not read back: what counts is that the counters go to 0, and a module may clear the bit by itself.
        self._module.set("ResetErrorInformation", 1, self._registers.bank)

    def _release(self) -> None:
        self._set("ResetErrorInformation", 0)

    def _start_counting(self, side: Side, lanes: tuple[int, ...]) -> tuple[ErrorCount, ...]:
        """Reset the counters; what they show then, from which all that is counted from now on differs."""

        def at_zero() -> bool:
            counts = self._results.counters(side, lanes, gated=False)
            return not any(count.bits or count.errors for count in counts)

        period_s = self._update_period_s()
        at_zero_before = at_zero()
        self._hold()
        try:
            if at_zero_before:
                self._clock.sleep(period_s)  # a 0 shows that they are held only if it stays
            held = self._poll(at_zero, self._clock.now_s() + (0.0 if at_zero_before else period_s))
        finally:
            self._release()
        if held:
            return tuple(ErrorCount(side, lane, 0, 0, synchronised=True) for lane in lanes)
        self._clock.sleep(period_s)  # what is shown then was updated after the reset
        return self._results.counters(side, lanes, gated=False)

    def _advanced_counters(
        self, side: Side, lanes: tuple[int, ...], before: Sequence[ErrorCount], limit_s: float
    ) -> tuple[ErrorCount, ...]:
        """Counters, once the bits of all lanes that see their pattern have changed, or at the limit."""
        found: tuple[ErrorCount, ...] = ()

        def advanced() -> bool:
            nonlocal found
            found = self._results.counters(side, lanes, gated=False)
            return all(
                new.bits != old.bits or not new.synchronised for old, new in zip(before, found, strict=True)
            )

        self._poll(advanced, limit_s)
        return found

    def _poll(self, condition: Callable[[], bool], limit_s: float) -> bool:
        return any(condition() for _ in polls(self._clock, limit_s, _POLL_S))

    def _sleep_until(self, time_s: float) -> None:
        left_s = time_s - self._clock.now_s()
        if left_s > 0.0:
            self._clock.sleep(left_s)

    def has_timer_alone(self, side: Side, lanes: tuple[int, ...]) -> bool:
        """Whether setting a gate disturbs no other checker: 13h:177 is one register for the bank."""
        others = set(self._registers.running(side, Unit.CHECKER)).difference(lanes)
        return not others and not self._registers.running(side.other, Unit.CHECKER)

    def _wait_for_gate(self, flag: str, lanes: tuple[int, ...], start_s: float, gate_s: float) -> None:
        ended: set[int] = set()

        def complete() -> bool:
            ended.update(self._registers.lanes_set(flag))  # each reading clears what it shows
            return ended.issuperset(lanes)

        self._sleep_until(start_s + gate_s - _POLL_S)
        if not self._poll(complete, start_s + gate_s + GATE_ALLOWANCE_S):
            missing = lanes_text(set(lanes) - ended)
            raise DiagnosticsStateError(
                f"a gate of {gate_s:g} s has not ended after {self._clock.now_s() - start_s:.1f} s: "
                f"{where(flag)} was not set for lanes {missing}. Diagnostics.measure() times it by the "
                f"host's clock instead."
            )


def _difference(before: ErrorCount, after: ErrorCount, gate_s: float, lost: Collection[int]) -> ErrorCount:
    """What was counted between two readings. A checker that finds its pattern again may count anew from 0:
    then what it counted since is given, with ``synchronised`` False."""
    synchronised = before.synchronised and after.synchronised and after.lane not in lost
    errors, bits = after.errors - before.errors, after.bits - before.bits
    went_back = errors < 0 or bits < 0
    if went_back and synchronised:
        raise InvalidMemoryError(
            f"{after.side} side lane {after.lane}: a counter (14h:192-255) went back during the gate, errors "
            f"from {before.errors} to {after.errors}, bits from {before.bits} to {after.bits}. The module "
            f"restarted, or somebody else resets its counters."
        )
    if went_back:
        errors, bits = after.errors, after.bits
    return _plausible(replace(after, errors=errors, bits=bits, synchronised=synchronised, gate_s=gate_s))


def _plausible(count: ErrorCount) -> ErrorCount:
    if count.synchronised and count.errors > count.bits:
        raise InvalidMemoryError(
            f"{count.side} side lane {count.lane}: {count.errors} errors in {count.bits} bits (14h:192-255). "
            f"CMIS counters are little-endian; this module may not keep to that."
        )
    return count
