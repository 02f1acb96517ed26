"""Generators, checkers, counters and loopbacks: what pages 13h and 14h advertise, done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drivers.cmis.diagnostics import Diagnostics, DiagnosticsCapabilities, Loopback, Side, Unit
from drivers.cmis.diagnostics.results import RESULT_DELAY_S
from drivers.cmis.errors import CmisError, NotAdvertisedError
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module_prbs import ModulePrbs
from drivers.cmis.wording import where
from drivers.interfaces import LaneErrors
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks, module_kept_up
from harness.run import Run
from harness.traffic import TRAFFIC

_PREFERRED = ("PRBS31Q", "PRBS13Q", "PRBS9Q")
_GATE_S, _MODULE_GATE_S = 1.0, 5.0
_RATE_TOLERANCE = 0.3
_MOST_ERRORS = 1e-3
"""Of a checker that is in step with what its own side sends: far above what loopbacks show."""
_LATE_S = 0.15
_RESULTS = FIELDS["DiagnosticsData"]
_CLEAR_AFTER_S = 0.2


def cmis_diagnostics(run: Run, lanes: Sequence[int]) -> Acquired:
    """Every advertised pattern started, both sides looped back inside the module and counted, every loopback
    set; everything is off again afterwards.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_diagnostics")
    diagnostics = Diagnostics(run.module)
    every = (
        "diagnostics_advertisement",
        *(f"{unit}_patterns_{side}" for unit in Unit for side in Side),
        *(f"{what}_{side}" for what in ("checker_lock", "counters") for side in Side),
        "loopbacks",
        "checker_lol_flag",
        "selector_delay",
        "gated_count",
        "ber_registers",
    )
    with module_kept_up(run), checks.about(*every):
        capabilities = diagnostics.capabilities
        run.traffic.require(TRAFFIC)
        checks.say(
            "diagnostics_advertisement",
            not capabilities.notes,
            "; ".join(capabilities.notes) or f"13h:128-142: {_in_words(capabilities)}",
        )
        for side in Side:
            _patterns(checks, diagnostics, side)
            _counted(checks, diagnostics, side, lanes)
        _loopbacks(checks, diagnostics)
        _out_of_lock(checks, diagnostics, lanes)
    return checks.acquired(gate_s=_GATE_S)


def _in_words(capabilities: DiagnosticsCapabilities) -> str:
    loops = ", ".join(map(str, capabilities.loopbacks)) or "no loopbacks"
    has = {"counters": capabilities.counters, "ratios": capabilities.ber, "gates": capabilities.gating}
    return f"{loops}; {', '.join(name if there else 'no ' + name for name, there in has.items())}"


def _patterns(checks: Checks, diagnostics: Diagnostics, side: Side) -> None:
    starts: dict[Unit, tuple[Callable[..., None], Callable[..., None]]] = {
        Unit.GENERATOR: (diagnostics.start_generator, diagnostics.stop_generator),
        Unit.CHECKER: (diagnostics.start_checker, diagnostics.stop_checker),
    }
    lanes = diagnostics.lanes_present(side)
    for unit, (start, stop) in starts.items():
        parameter = f"{unit}_patterns_{side}"
        with checks.about(parameter):
            patterns = diagnostics.capabilities.patterns(side, unit)
            if not patterns:
                checks.leave(
                    f"no patterns are advertised for the {side} side {unit}s (13h:132-139)", parameter
                )
                continue
            wrong = []
            for pattern in patterns:
                try:
                    start(side, lanes, pattern)
                    running = diagnostics.running(side, unit)
                    if not set(running) >= set(lanes):
                        wrong.append(f"{pattern}: runs on lanes {running or 'none'} only")
                except NotAdvertisedError:
                    raise
                except CmisError as fault:
                    wrong.append(f"{pattern}: {checks.run.module_fault(fault).text}")
                finally:
                    stop(side, lanes)
            checks.say(
                parameter, not wrong, "; ".join(wrong) or f"started and read back: {', '.join(patterns)}"
            )


def _counted(checks: Checks, diagnostics: Diagnostics, side: Side, media_lanes: Sequence[int]) -> None:
    run = checks.run
    lock, counters = f"checker_lock_{side}", f"counters_{side}"
    rest = ("selector_delay", "gated_count", "ber_registers") if side is Side.MEDIA else ()
    with checks.about(lock, counters, *rest):
        capabilities = diagnostics.capabilities
        kind = Loopback.MEDIA_OUTPUT if side is Side.MEDIA else Loopback.HOST_OUTPUT
        if kind not in capabilities.loopbacks:
            checks.leave(f"the {kind} is not advertised (13h:128)", lock, counters, *rest)
            return
        if not capabilities.counters:
            checks.leave("counters are not advertised (13h:130.1)", lock, counters, *rest)
            return
        with ModulePrbs(run.module, side=side, loopback=True, diagnostics=diagnostics) as prbs:
            common = prbs.patterns
            pattern = next((name for name in _PREFERRED if name in common), common[0] if common else "")
            if not pattern:
                checks.leave(
                    f"the {side} side sends no pattern that it checks (13h:132-139)", lock, counters, *rest
                )
                return
            lanes = tuple(media_lanes) if side is Side.MEDIA else prbs.lanes
            prbs.start_pattern(pattern, lanes)
            counted = prbs.measure_errors(lanes, _GATE_S)
            _say_counted(checks, lock, counters, pattern, counted, side)
            if side is Side.MEDIA:
                _ratios(checks, diagnostics, lanes)
                _selector(checks, capabilities)
                _gated(checks, diagnostics, lanes)


def _say_counted(
    checks: Checks, lock: str, counters: str, pattern: str, counted: Sequence[LaneErrors], side: Side
) -> None:
    checks.data[f"counted_{side}"] = [
        {"lane": one.lane, "bits": one.bits, "errors": one.errors, "locked": one.locked, "gate_s": one.gate_s}
        for one in counted
    ]
    lost = [one.lane for one in counted if not one.locked]
    noisy = [one.lane for one in counted if one.ber is not None and one.ber > _MOST_ERRORS]
    checks.say(
        lock,
        not lost and not noisy,
        f"{pattern} on the {side} side's own output: without lock lanes {lost or 'none'}, with more than "
        f"{_MOST_ERRORS:g} errors a bit lanes {noisy or 'none'}",
    )
    if side is Side.MEDIA:
        nominal = 2.0 * checks.run.pmd.symbol_rate_bd
    else:
        # What a host lane carries depends on the application: lanes must agree with each other.
        rates = sorted(one.bits / one.gate_s for one in counted if one.gate_s)
        nominal = rates[len(rates) // 2] if rates else 0.0
    wrong = {
        one.lane: f"{one.bits / one.gate_s if one.gate_s else 0.0:.3g} bit/s"
        for one in counted
        if not one.gate_s or not one.bits or abs(one.bits / one.gate_s / nominal - 1.0) > _RATE_TOLERANCE
    }
    checks.say(
        counters,
        bool(nominal) and not wrong,
        f"bits counted within {_GATE_S:g} s (14h:192-255): {wrong or 'as many as were sent'}; "
        f"nominal {nominal:.4g} bit/s",
    )


def _ratios(checks: Checks, diagnostics: Diagnostics, lanes: Sequence[int]) -> None:
    with checks.about("ber_registers"):
        ratios = diagnostics.read_ber(Side.MEDIA)
        wrong = {lane: ratios[lane - 1] for lane in lanes if ratios[lane - 1] > _MOST_ERRORS}
        checks.say(
            "ber_registers",
            not wrong,
            f"14h:208-223 of lanes in lock: {wrong or [ratios[lane - 1] for lane in lanes]}",
        )


def _selector(checks: Checks, capabilities: DiagnosticsCapabilities) -> None:
    """What 14h shows 10 ms after the selector was written, against what it shows later."""
    memory, clock = checks.run.module.memory, checks.run.bench.clock
    with checks.about("selector_delay"):
        other = 0x06 if capabilities.snr[Side.MEDIA] else 0x01
        if other == 0x01 and not capabilities.ber:
            checks.leave(
                "only one kind of results is advertised (13h:130): nothing to tell apart", "selector_delay"
            )
            return

        def read() -> bytes:
            return memory.read(0, _RESULTS.page, _RESULTS.byte, _RESULTS.size)

        def select(selector: int, delay_s: float) -> bytes:
            checks.run.module.set("DiagnosticsSelector", selector)
            clock.sleep(delay_s)
            return read()

        stale = select(other, _LATE_S)
        early = select(0x04, RESULT_DELAY_S)
        clock.sleep(_LATE_S)
        late = read()
        wrong = ""
        if any(late) and not any(early):
            wrong = "zeros"
        elif early == stale != late:
            wrong = "what the selector before asked for"
        checks.say(
            "selector_delay",
            not wrong,
            f"{RESULT_DELAY_S * 1e3:g} ms (tDDCS) after {where('DiagnosticsSelector')} was written, "
            "14h:192-255 show "
            f"{wrong or 'what was asked for'}",
        )


def _gated(checks: Checks, diagnostics: Diagnostics, lanes: Sequence[int]) -> None:
    with checks.about("gated_count"):
        if not diagnostics.can_gate(_MODULE_GATE_S):
            checks.leave("gating is not advertised (13h:129.7-6)", "gated_count")
            return
        counted = diagnostics.measure_gated(Side.MEDIA, lanes, _MODULE_GATE_S)
        nominal = 2.0 * checks.run.pmd.symbol_rate_bd * _MODULE_GATE_S
        wrong = {
            one.lane: f"{one.bits:.3g} bits" + ("" if one.synchronised else ", lock lost")
            for one in counted
            if not one.synchronised or abs(one.bits / nominal - 1.0) > _RATE_TOLERANCE
        }
        checks.say(
            "gated_count",
            not wrong,
            f"a gate of {_MODULE_GATE_S:g} s (13h:177.3-1): {wrong or 'all lanes counted'}",
        )


def _loopbacks(checks: Checks, diagnostics: Diagnostics) -> None:
    with checks.about("loopbacks"):
        kinds = diagnostics.capabilities.loopbacks
        if not kinds:
            checks.leave("no loopback is advertised (13h:128)", "loopbacks")
            return
        wrong = []
        for kind in kinds:
            lanes = diagnostics.lanes_present(kind.side)
            try:
                diagnostics.set_loopback(kind, lanes)
                if not set(diagnostics.loopback_lanes(kind)) >= set(lanes):
                    wrong.append(f"{kind}: not on all lanes")
            except CmisError as fault:
                wrong.append(f"{kind}: {checks.run.module_fault(fault).text}")
            finally:
                diagnostics.set_loopback(kind, lanes, on=False)
            if diagnostics.loopback_lanes(kind):
                wrong.append(f"{kind}: stays on")
        checks.say(
            "loopbacks", not wrong, "; ".join(wrong) or f"set and cleared: {', '.join(map(str, kinds))}"
        )


def _out_of_lock(checks: Checks, diagnostics: Diagnostics, lanes: Sequence[int]) -> None:
    """A checker that is given no pattern says so, and goes on saying so."""
    with checks.about("checker_lol_flag"):
        patterns = diagnostics.capabilities.patterns(Side.MEDIA, Unit.CHECKER)
        if not patterns:
            checks.leave("the media side has no checkers (13h:138-139)", "checker_lol_flag")
            return
        diagnostics.start_checker(Side.MEDIA, lanes, patterns[0])
        try:
            checks.run.bench.clock.sleep(_CLEAR_AFTER_S)
            locked = diagnostics.checker_locked(Side.MEDIA)
        finally:
            diagnostics.stop_checker(Side.MEDIA, lanes)
        wrong = [lane for lane in lanes if locked[lane - 1]]
        checks.say(
            "checker_lol_flag",
            not wrong,
            f"{where('PatternCheckerLOLFlagMedia')} of checkers that get no {patterns[0]}: not set "
            f"on lanes {wrong or 'none'}",
        )


__all__ = ["cmis_diagnostics"]
