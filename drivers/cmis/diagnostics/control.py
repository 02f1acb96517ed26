"""Pattern generators and checkers, loopbacks, error counters, BER and SNR (OIF-CMIS-05.4 sections 8.12 and
8.13, pages 13h and 14h).

:class:`Diagnostics` is all a caller needs. What the module can do is read in
:mod:`drivers.cmis.diagnostics.capabilities`, registers are changed in
:mod:`drivers.cmis.diagnostics.registers`, results behind their selector are read in
:mod:`drivers.cmis.diagnostics.results`, and gates are in :mod:`drivers.cmis.diagnostics.counting`.
"""

from __future__ import annotations

from collections.abc import Collection

from drivers.cmis import information
from drivers.cmis.diagnostics.capabilities import (
    DiagnosticsCapabilities,
    Loopback,
    Side,
    Unit,
    read_capabilities,
)
from drivers.cmis.diagnostics.counting import FLAG_LATENCY_S, GATES_S, ErrorCounting
from drivers.cmis.diagnostics.patterns import USER_PATTERN, pattern_code, pattern_name
from drivers.cmis.diagnostics.registers import (
    ALL_LANES,
    ControlRegisters,
    PatternControls,
    checked_lanes,
    register_name,
)
from drivers.cmis.diagnostics.results import (
    RESULT_DELAY_S,
    SLOW_RESULT_DELAY_S,
    ErrorCount,
    SelectedResults,
    SelectorPolicy,
)
from drivers.cmis.errors import DiagnosticsStateError, NotAdvertisedError
from drivers.cmis.module import CmisModule
from drivers.cmis.wording import lanes_text, where


class Diagnostics:
    """Diagnostics of one bank of a module. Does no I/O when it is constructed.

    ``result_delay_s``: waited after writing the selector; ``policy`` sets the delay of slow modules too and
    then replaces it. Lanes are numbered 1..8 within the bank.

    Beside what is named, every method raises :class:`CmisError` for what is wrong with the module,
    :class:`NotAdvertisedError` when it does not offer what is asked (nothing was written then but, maybe,
    the selector), and
    :class:`drivers.errors.BenchError` for what is wrong with the way to it.
    """

    def __init__(
        self,
        module: CmisModule,
        *,
        result_delay_s: float = RESULT_DELAY_S,
        bank: int = 0,
        policy: SelectorPolicy | None = None,
    ) -> None:
        self.module = module
        self.bank = bank
        self.policy = policy or SelectorPolicy(result_delay_s, max(result_delay_s, SLOW_RESULT_DELAY_S))
        self._clock = module.clock
        self._capabilities: DiagnosticsCapabilities | None = None
        self._registers = ControlRegisters(module, bank)
        self._results = SelectedResults(module, bank, self.policy)
        self._counting = ErrorCounting(self._registers, self._results)

    @property
    def capabilities(self) -> DiagnosticsCapabilities:
        """What the module advertises; read once."""
        if self._capabilities is None:
            self._capabilities = read_capabilities(self.module.registers, self.bank)
        return self._capabilities

    def forget(self) -> None:
        """To be called when the module was exchanged: what it advertises is read anew."""
        self._capabilities = None
        self._results.forget()

    # generators and checkers

    def start_generator(self, side: Side, lanes: Collection[int], pattern: str, invert: bool = False) -> None:
        """Send a pattern on these lanes, towards the host or the fibre; other lanes are left alone.

        Bytes are not swapped; before or after FEC stays as it is set. Lanes that run already are stopped
        first.

        :raises ValueError: for an unknown pattern, no lanes or lanes beyond 1..8.
        :raises NotAdvertisedError: when the generators do not have this pattern.
        :raises WriteNotTakenError: when a register reads back something else.
        """
        self._start(side, Unit.GENERATOR, lanes, pattern, invert=invert)

    def stop_generator(self, side: Side, lanes: Collection[int] = ALL_LANES) -> None:
        """Stop the generators of these lanes.

        :raises WriteNotTakenError: when they read back as running.
        """
        self._registers.put_lanes(register_name(side, Unit.GENERATOR, "Enable"), lanes, on=False)

    def start_checker(self, side: Side, lanes: Collection[int], pattern: str, invert: bool = False) -> None:
        """Compare what comes from the host or the fibre with a pattern; otherwise as
        :meth:`start_generator`. Counting is not gated (13h:177.3-1 of the bank is set to 0).

        :raises DiagnosticsStateError: when that would end gates with which other checkers of the bank run;
            nothing was written then.
        """
        self._start(side, Unit.CHECKER, lanes, pattern, invert=invert)

    def stop_checker(self, side: Side, lanes: Collection[int] = ALL_LANES) -> None:
        """Stop the checkers of these lanes.

        :raises WriteNotTakenError: when they read back as running.
        """
        self._registers.put_lanes(register_name(side, Unit.CHECKER, "Enable"), lanes, on=False)

    def require_pattern(self, side: Side, unit: Unit, pattern: str) -> str:
        """The pattern's name as CMIS spells it, when the side's generators or checkers have it.

        :raises ValueError: for an unknown pattern.
        :raises NotAdvertisedError: when they do not have it; says which they have.
        """
        name = pattern_name(pattern_code(pattern))
        offered = self.capabilities.patterns(side, unit)
        if name not in offered:
            there_are = f"it has {', '.join(offered)}" if offered else f"there is no {side} side {unit}"
            raise NotAdvertisedError(
                f"no {side} side {unit} for {name}: {where(register_name(side, unit, 'Patterns'))} does not "
                f"advertise it; {there_are}"
            )
        return name

    def running(self, side: Side, unit: Unit) -> tuple[int, ...]:
        """Lanes whose generator or checker is enabled."""
        return self._registers.running(side, unit)

    def user_pattern(self, pattern: bytes) -> None:
        """Write the user pattern (13h:224-255), repeated to the length that the module advertises.

        No register says how long the pattern is, so the module is taken to send all it advertises
        [uncertain: 2 * (1 + 13h:140.3-0) bytes].

        :raises ValueError: when the advertised length is no multiple of the pattern's.
        :raises WriteNotTakenError: when it reads back otherwise.
        """
        length = self.capabilities.user_pattern_bytes
        if not length:
            raise NotAdvertisedError(f"no user pattern: 13h:132-139 advertise no {USER_PATTERN!r} (bit 15)")
        if not pattern or length % len(pattern):
            raise ValueError(
                f"a user pattern of {len(pattern)} bytes does not fill the {length} bytes that 13h:140.3-0 "
                f"UserPatternLengthCode gives without a seam"
            )
        self._registers.put_bytes("UserPattern", bytes(pattern) * (length // len(pattern)))

    def controls(self, side: Side, unit: Unit) -> PatternControls:
        """How a side's generators or checkers are set now, for :meth:`restore`."""
        return self._registers.controls(side, unit)

    def restore(self, controls: PatternControls) -> None:
        """Bring a side's generators or checkers back to how they were; with checkers the gates of the bank
        too (13h:177.4-1).

        :raises WriteNotTakenError: when they read back otherwise.
        """
        self._registers.restore(controls)

    def require_free_timer(self, side: Side, lanes: Collection[int]) -> None:
        """:raises DiagnosticsStateError: when a gate is set (13h:177.3-1) with which checkers of other lanes
        of the bank run: one register sets the gates of them all."""
        chosen = checked_lanes(lanes)
        if not self._registers.number("MeasurementTime"):
            return
        others = {other: self._registers.running(other, Unit.CHECKER) for other in Side}
        others[side] = tuple(lane for lane in others[side] if lane not in chosen)
        running = [f"{other} lanes {lanes_text(found)}" for other, found in others.items() if found]
        if running:
            raise DiagnosticsStateError(
                f"a gate is set ({where('MeasurementTime')}) with which the checkers of "
                f"{' and '.join(running)} run. To start the {side} side checker of lanes "
                f"{lanes_text(chosen)} it would be turned off, which ends theirs: stop those first "
                f"(stop_checker), or wait for their end."
            )

    def generator_locked(self, side: Side) -> tuple[bool, ...]:
        """Whether each lane's generator has its clock now, lane 1 first; takes 0.2 s, see
        :meth:`checker_locked`."""
        return self._locked(side, Unit.GENERATOR)

    def checker_locked(self, side: Side) -> tuple[bool, ...]:
        """Whether each lane's checker is in step with the pattern now, lane 1 first.

        The flags (14h:138-139) are latched and cleared by reading: they are read away, and read again after
        the time within which CMIS has a lasting loss set them anew (ton_flag, 0.2 s). Of lanes whose checker
        is off this says nothing.
        """
        return self._locked(side, Unit.CHECKER)

    # loopbacks

    def set_loopback(self, kind: Loopback, lanes: Collection[int], on: bool = True) -> None:
        """Turn a loopback of these lanes on or off; other lanes are left alone.

        A module without loopbacks lane by lane takes all lanes of a side together.

        :raises NotAdvertisedError: for a loopback that is not advertised, for some lanes of a module that
            does not take them one by one, and together with one of the other side where that is not
            advertised.
        :raises WriteNotTakenError: when the register reads back something else.
        """
        chosen = checked_lanes(lanes)
        name = f"{kind.value}Enable"
        with self._registers.undisturbed():
            if on:
                self._require_loopback(kind)
            verified = chosen
            if not self.capabilities.per_lane_loopbacks[kind.side]:
                verified = self._require_all_lanes(kind, chosen)
                chosen = ALL_LANES
            self._registers.put_lanes(name, chosen, on=on, verified=verified)

    def loopback_lanes(self, kind: Loopback) -> tuple[int, ...]:
        """Lanes on which a loopback is on; none where it is not advertised."""
        return self._registers.lanes_set(f"{kind.value}Enable") if kind in self.capabilities.loopbacks else ()

    def lanes_present(self, side: Side) -> tuple[int, ...]:
        """Media lanes that are implemented (00h:210); host lanes that an application uses, or all 8 where
        none is advertised."""
        if side is Side.MEDIA:
            return information.media_lanes_present(self.module.registers)
        used = {
            lane
            for application in self.module.applications()
            for start in application.host_lane_starts
            for lane in range(start, start + application.host_lanes)
        }
        return tuple(sorted(used.intersection(ALL_LANES))) or ALL_LANES

    # results

    def read_ber(self, side: Side, *, gated: bool = False) -> tuple[float, ...]:
        """Bit error ratio of 8 lanes as the module computes it, lane 1 first, continuous or of the last gate.

        It says neither how many bits are behind it nor since when: a value may be from before what it is to
        show, and 0.0 is also what a checker gives that never had a signal. :meth:`measure` has neither fault.
        The order of the two bytes of each value is [uncertain].

        :raises NotAdvertisedError: without 13h:130.0, or gated without 13h:129.5.
        """
        self._require("BitErrorRatioResultsSupported", self.capabilities.ber, "no bit error ratios")
        self._require_gated(gated)
        return self._results.ber(side, gated=gated)

    def read_snr(self, side: Side) -> tuple[float, ...]:
        """Signal to noise ratio of the input of 8 lanes, dB, lane 1 first. 0.0: none, as lanes that are not
        there or have no signal give it.

        :raises NotAdvertisedError: without 13h:130.5 (media) or 130.4 (host).
        """
        name = f"{side.value}SideInputSNRSupported"
        self._require(name, self.capabilities.snr[side], f"no SNR of the {side} side")
        return self._results.snr_db(side)

    def read_counters(
        self, side: Side, lanes: Collection[int] = ALL_LANES, *, gated: bool = False
    ) -> tuple[ErrorCount, ...]:
        """Counters of these lanes, in order of lanes, as they run or of the last gate: since when they count
        is not known, which is what :meth:`measure` is for.

        :raises NotAdvertisedError: without 13h:130.1, or gated without 13h:129.5.
        """
        self._require_counters()
        self._require_gated(gated)
        return self._results.counters(side, checked_lanes(lanes), gated=gated)

    def reset_counters(self) -> None:
        """Set the counters of all checkers of the bank, both sides, to 0 (13h:177.5 to 1 and back).

        :raises WriteNotTakenError: when the register does not go back, so that nothing would be counted.
        """
        self._counting.reset()

    def measure(self, side: Side, lanes: Collection[int], gate_s: float) -> tuple[ErrorCount, ...]:
        """Count for ``gate_s`` seconds by the host's clock, from now on; lanes in order.

        Nothing from before the call is counted. Counters are reset (those of the whole bank) and seen to be 0
        while they are held; where the module does not show that, an update period is waited and the
        difference is taken. Results are updated every 1 s or 5 s only (13h:177.0), so they are read for up
        to one period longer while the bits of a synchronised lane stand still; ``gate_s`` of the result
        includes that.

        A lane is ``synchronised`` when neither the lowest bit of its bit counter nor its loss-of-lock flag
        says otherwise. Whether that lowest bit is latched is [uncertain]. The flag may come 0.2 s late, so a
        shorter gate takes that long.

        :raises ValueError: for a gate that is not above 0.
        :raises DiagnosticsStateError: when a checker does not run, at the beginning or at the end.
        :raises InvalidMemoryError: when a counter of a lane in lock goes back, or counts more errors than
            bits. A lane that lost its pattern is a result like any other, with ``synchronised`` False.
        """
        chosen = checked_lanes(lanes)
        if not 0.0 < gate_s < float("inf"):
            raise ValueError(f"a gate of {gate_s} s; it has to be above 0")
        self._require_counters()
        return self._counting.by_host(side, chosen, gate_s)

    def can_gate(self, gate_s: float) -> bool:
        """Whether the module itself can time a gate of this length."""
        return self.capabilities.gating and gate_s in GATES_S

    def measure_gated(self, side: Side, lanes: Collection[int], gate_s: float) -> tuple[ErrorCount, ...]:
        """Count for a gate that the module times: 5, 10, 30, 60, 120 or 300 s.

        As :meth:`measure` where the module advertises no gating, for other lengths, and while other checkers
        run that share the timer; ``gated`` of the result tells. The checkers are stopped and started again,
        which starts the gate, so their finding of the pattern is a part of it. They run on afterwards,
        not gated.

        :raises DiagnosticsStateError: when a checker does not run, or the gate does not end in time (its
            length and 2 s).
        """
        chosen = checked_lanes(lanes)
        self._require_counters()
        if not self.can_gate(gate_s) or not self._counting.has_timer_alone(side, chosen):
            return self.measure(side, chosen, gate_s)
        return self._counting.by_module(side, chosen, gate_s, latched=self.capabilities.gating_results)

    # inside

    def _require(self, name: str, advertised: bool, what: str) -> None:
        if not advertised:
            raise NotAdvertisedError(f"{what}: {where(name)} is 0")

    def _require_counters(self) -> None:
        self._require(
            "BitsAndErrorsCountingSupported", self.capabilities.counters, "no counters of errors and bits"
        )

    def _require_gated(self, gated: bool) -> None:
        if gated:
            self._require("GatingResultsSupported", self.capabilities.gating_results, "no results of a gate")

    def _start(self, side: Side, unit: Unit, lanes: Collection[int], pattern: str, *, invert: bool) -> None:
        chosen = checked_lanes(lanes)
        code = pattern_code(self.require_pattern(side, unit, pattern))
        with self._registers.undisturbed():
            if unit is Unit.CHECKER:
                self.require_free_timer(side, chosen)
            self._registers.put_lanes(register_name(side, unit, "Enable"), chosen, on=False)
            self._registers.put_pattern(register_name(side, unit, "PatternSelect"), chosen, code)
            self._registers.put_lanes(register_name(side, unit, "DataInvert"), chosen, on=invert)
            self._registers.put_lanes(register_name(side, unit, "ByteSwap"), chosen, on=False)
            if unit is Unit.CHECKER and self._registers.number("MeasurementTime"):
                # Left by an earlier user: counters would stop when that gate ends.
                self.module.set_and_verify("MeasurementTime", 0, self.bank)
            self._registers.put_lanes(register_name(side, unit, "Enable"), chosen, on=True)

    def _require_loopback(self, kind: Loopback) -> None:
        offered = self.capabilities.loopbacks
        if kind not in offered:
            there_are = ", ".join(str(other) for other in offered) or "none"
            raise NotAdvertisedError(
                f"no {kind}: {where(f'{kind.value}Supported')} is 0; the module advertises {there_are}"
            )
        if self.capabilities.simultaneous_loopbacks:
            return
        for other in offered:
            if other.side is not kind.side and (lanes := self.loopback_lanes(other)):
                raise NotAdvertisedError(
                    f"no {kind} now: {where('SimultaneousHostAndMediaLoopbacksSupported')} is 0, and the "
                    f"{other} is on for lanes {lanes_text(lanes)}. Turn that off first."
                )

    def _require_all_lanes(self, kind: Loopback, lanes: tuple[int, ...]) -> tuple[int, ...]:
        present = self.lanes_present(kind.side)
        if not set(present) <= set(lanes):
            raise NotAdvertisedError(
                f"no {kind} of lanes {lanes_text(lanes)} alone: "
                f"{where(f'PerLane{kind.side.value}LoopbacksSupported')} is 0, so it takes all lanes "
                f"({lanes_text(present)}) together"
            )
        return present

    def _locked(self, side: Side, unit: Unit) -> tuple[bool, ...]:
        self._registers.losses(side, unit)
        self._clock.sleep(FLAG_LATENCY_S)
        lost = self._registers.losses(side, unit)
        return tuple(lane not in lost for lane in ALL_LANES)
