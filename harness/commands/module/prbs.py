"""``lanewise module prbs``: the module's own generators, checkers and loopbacks."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from drivers.clock import StopRequested, shielded
from harness.commands.module.gate import GateClock
from harness.commands.module.printing import complain, say, say_json
from harness.commands.module.running import (
    DONE,
    MODULE_FAILED,
    Parser,
    UsageError,
    add_target,
    guarded,
    opened,
)
from harness.commands.module.subject import heading, subject_of

if TYPE_CHECKING:
    from drivers.cmis.diagnostics import Diagnostics, Loopback, Side
    from drivers.cmis.module_prbs import ModulePrbs
    from drivers.interfaces import LaneErrors
    from harness.module_target import ModuleTarget

LOOPBACKS = ("media-output", "media-input", "host-output", "host-input")
_NO_ERROR_95 = 2.996  # -ln(0.05): with none counted, the expected count is below this with 95 % confidence


def main(argv: Sequence[str]) -> int:
    """``lanewise module prbs TARGET --side SIDE``."""
    parser = Parser(
        "prbs",
        "The module's own pattern generators, checkers and loopbacks. Without an action: what the side can\n"
        "do and what runs. With --gate: count bits and errors, then leave everything as it was found.\n"
        "Without --gate, --generate, --check and --loopback stay on until --stop.",
        epilog="On a bench give --up, for there is no traffic in low power; and --gate, for the bench is\n"
        "turned off at the end. Where errors are counted: media side TP3, host side TP1a; a side's own\n"
        "output loopback leads its generator to its checker inside the module.\n"
        "Exit code with --gate: 0 every counted lane was locked to the pattern during the whole gate, 1 a\n"
        "lane was not, 2 a problem of bench or usage. Errors that were counted do not change it: how many\n"
        "are too many is nothing that this command is told.",
    )
    add_target(parser)
    parser.add_argument("--side", choices=("media", "host"), required=True, help="which interface")
    parser.add_argument("--pattern", metavar="NAME", help="such as PRBS31Q (default with --gate: what runs)")
    parser.add_argument("--lanes", metavar="LIST", help="lanes of the side, such as 1-4 (default: all)")
    parser.add_argument("--gate", metavar="TIME", help="count for so long, such as '10 s' or 500ms")
    parser.add_argument("--generate", action="store_true", help="send the pattern (default: send and check)")
    parser.add_argument("--check", action="store_true", help="check the pattern")
    parser.add_argument("--loopback", choices=LOOPBACKS, help="turn this loopback on")
    parser.add_argument("--stop", action="store_true", help="stop the side's patterns and loopbacks")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return guarded("prbs", parser, argv, _prbs)


def _prbs(arguments: argparse.Namespace) -> int:
    from drivers.cmis.diagnostics import Diagnostics, Side
    from drivers.cmis.module import CmisModule
    from harness.commands.module.quantity import numbers, seconds
    from harness.module_target import is_bench

    gate_s = None if arguments.gate is None else seconds(arguments.gate, "--gate")
    locked = True
    lanes = None if arguments.lanes is None else numbers(arguments.lanes, "--lanes", low=1, high=8)
    starts = bool(arguments.pattern or arguments.generate or arguments.check or arguments.loopback)
    _require_sense(arguments, starts=starts, counts=gate_s is not None)
    if gate_s is not None and not arguments.pattern and is_bench(arguments.target):
        raise UsageError(
            "a bench's module is turned on anew, so no checker of it runs: --gate needs --pattern NAME there"
        )
    with opened(arguments) as target:
        _require_traffic(target, arguments, acts=starts or arguments.stop or gate_s is not None)
        clock = GateClock(target.clock)
        side = Side[arguments.side.upper()]
        diagnostics = Diagnostics(CmisModule(target.memory, clock))
        try:
            if gate_s is not None:
                subject = subject_of(target)
                counter = _Counter(diagnostics, side, clock, arguments)
                prbs, found = counter.count(lanes, gate_s)
                _print_counts(subject, prbs, found, arguments)
                locked = all(item.locked for item in found)
            elif arguments.stop:
                _stop(diagnostics, side)
                _state(target, diagnostics, side, as_json=arguments.json)
            elif starts:
                _start(diagnostics, side, lanes, arguments)
                _state(target, diagnostics, side, as_json=arguments.json)
            else:
                _state(target, diagnostics, side, as_json=arguments.json)
        except ValueError as error:  # a pattern or lane that there is not
            raise UsageError(str(error)) from error
    return DONE if locked else MODULE_FAILED


def _require_sense(arguments: argparse.Namespace, *, starts: bool, counts: bool) -> None:
    if arguments.stop and (starts or counts):
        raise UsageError("--stop goes alone")
    if (arguments.generate or arguments.check) and not arguments.pattern:
        raise UsageError("--generate and --check need --pattern NAME")
    if counts and arguments.pattern and arguments.generate and not arguments.check:
        raise UsageError("--gate counts what a checker finds: give --check too, or leave both out")


def _require_traffic(target: ModuleTarget, arguments: argparse.Namespace, *, acts: bool) -> None:
    if not acts:
        return
    if not target.live:
        raise UsageError(f"{target.name!a} is a dump: nothing can be started or counted there")
    if not target.supply_is_watched:  # somebody else feeds the module, and goes on doing so
        return
    if target.bring_up is None:
        raise UsageError("the bench's module is in low power, without traffic: give --up")
    if arguments.gate is None:
        raise UsageError("the bench is turned off at the end, so nothing would stay on: give --gate TIME")


def _loopback(name: str) -> Loopback:
    from drivers.cmis.diagnostics import Loopback

    return Loopback[name.upper().replace("-", "_")]


def _wanted_units(arguments: argparse.Namespace) -> tuple[bool, bool]:
    """Whether to generate and to check: both, unless one is named."""
    if arguments.generate or arguments.check:
        return arguments.generate, arguments.check
    return True, True


def _start(
    diagnostics: Diagnostics, side: Side, lanes: tuple[int, ...] | None, arguments: argparse.Namespace
) -> None:
    from drivers.cmis.diagnostics import Unit

    chosen = lanes or diagnostics.lanes_present(side)
    generate, check = _wanted_units(arguments)
    if arguments.pattern:  # before anything is turned on
        for unit, wanted in ((Unit.GENERATOR, generate), (Unit.CHECKER, check)):
            if wanted:
                diagnostics.require_pattern(side, unit, arguments.pattern)
    if arguments.loopback:
        kind = _loopback(arguments.loopback)
        diagnostics.set_loopback(kind, chosen if kind.side is side else diagnostics.lanes_present(kind.side))
    if arguments.pattern:
        if generate:
            diagnostics.start_generator(side, chosen, arguments.pattern)
        if check:
            diagnostics.start_checker(side, chosen, arguments.pattern)
    complain("What was turned on stays on: --stop ends it.")


def _stop(diagnostics: Diagnostics, side: Side) -> None:
    from drivers.cmis.diagnostics import Unit

    if diagnostics.capabilities.patterns(side, Unit.GENERATOR):
        diagnostics.stop_generator(side)
    if diagnostics.capabilities.patterns(side, Unit.CHECKER):
        diagnostics.stop_checker(side)
    for kind in diagnostics.capabilities.loopbacks:
        if kind.side is side and (lanes := diagnostics.loopback_lanes(kind)):
            diagnostics.set_loopback(kind, lanes, on=False)


class _Counter:
    """A gate, after which everything is as it was found, however it ends."""

    def __init__(
        self, diagnostics: Diagnostics, side: Side, clock: GateClock, arguments: argparse.Namespace
    ) -> None:
        self._diagnostics = diagnostics
        self._side = side
        self._clock = clock
        self._arguments = arguments

    def count(self, lanes: tuple[int, ...] | None, gate_s: float) -> tuple[ModulePrbs, Sequence[LaneErrors]]:
        """Count errors of these lanes, or of all whose checker runs.

        A stop request, which Ctrl-C makes, has notes: what was counted until then, and what was restored.
        """
        from drivers.cmis.diagnostics import Unit
        from drivers.cmis.module_prbs import ModulePrbs

        arguments, diagnostics, side = self._arguments, self._diagnostics, self._side
        kind = _loopback(arguments.loopback) if arguments.loopback else None
        own = kind is not None and str(kind) == f"{side} side output loopback"
        with self._told(), _loopback_on(diagnostics, None if own else kind):
            prbs = ModulePrbs(
                diagnostics.module, side=side, name="module", diagnostics=diagnostics, loopback=own
            )
            chosen = lanes or (prbs.lanes if arguments.pattern else diagnostics.running(side, Unit.CHECKER))
            if not chosen:
                raise UsageError(f"no {side} side checker runs, so there is nothing to count: give --pattern")
            with self._restored(prbs):
                if arguments.pattern:
                    generate, check = _wanted_units(arguments)
                    prbs.start_pattern(arguments.pattern, chosen, generate=generate, check=check)
                elif own and kind is not None:
                    diagnostics.set_loopback(kind, chosen)
                found = self._measure(prbs, chosen, gate_s)
        return prbs, found

    def _measure(self, prbs: ModulePrbs, chosen: tuple[int, ...], gate_s: float) -> Sequence[LaneErrors]:
        self._clock.begin(gate_s)
        try:
            found = prbs.measure_errors(chosen, gate_s)
        except StopRequested as stop:
            elapsed_s = self._clock.end()
            stop.add_note(f"after {elapsed_s:.1f} s of a gate of {gate_s:g} s: {self._so_far(chosen)}")
            raise
        except BaseException:
            self._clock.end()
            raise
        self._clock.end()
        return found

    def _so_far(self, chosen: tuple[int, ...]) -> str:
        """What the counters, which were reset when the gate began, hold now."""
        from drivers.cmis.errors import CmisError
        from drivers.errors import BenchError

        try:
            with shielded(self._clock):
                counts = self._diagnostics.read_counters(self._side, chosen)
        except (CmisError, BenchError) as fault:
            return f"the counts so far could not be read: {fault}"
        return "; ".join(
            f"lane {item.lane}: {item.errors} errors in {item.bits:.3e} bits"
            + ("" if item.synchronised else ", NO LOCK")
            for item in counts
        )

    @contextlib.contextmanager
    def _restored(self, prbs: ModulePrbs) -> Iterator[None]:
        """As ``with prbs``, with a stop request put off while the module is restored."""
        prbs.__enter__()
        try:
            yield
        except BaseException as error:
            with shielded(self._clock):
                prbs.__exit__(type(error), error, error.__traceback__)
            raise
        with shielded(self._clock):
            prbs.__exit__(None, None, None)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except StopRequested as stop:
            if not any("not confirmed" in note for note in getattr(stop, "__notes__", ())):
                stop.add_note("generators, checkers and loopbacks are as they were found")
            raise


@contextlib.contextmanager
def _loopback_on(diagnostics: Diagnostics, kind: Loopback | None) -> Iterator[None]:
    """A loopback that :class:`ModulePrbs` does not look after, on within this context."""
    if kind is None:
        yield
        return
    before = diagnostics.loopback_lanes(kind)
    added = set(diagnostics.lanes_present(kind.side)) - set(before)
    if added:
        diagnostics.set_loopback(kind, added)
    try:
        yield
    finally:
        if added:
            with shielded(diagnostics.module.clock):
                diagnostics.set_loopback(kind, added, on=False)


def _print_counts(
    subject: Mapping[str, Any], prbs: ModulePrbs, found: Sequence[LaneErrors], arguments: argparse.Namespace
) -> None:
    if arguments.json:
        say_json(
            {
                **subject,
                "side": str(prbs.side),
                "pattern": _pattern(arguments),
                "loopback": arguments.loopback,
                "plane": prbs.plane,
                "detector": prbs.detector,
                "self_measured": prbs.self_measured,
                "gate_clock": "host",
                "lanes": [
                    {
                        "lane": item.lane,
                        "locked": item.locked,
                        "bits": item.bits,
                        "errors": item.errors,
                        "ber": item.ber,
                        "ber_below_95_percent": _below(item),
                        "gate_s": item.gate_s,
                    }
                    for item in found
                ],
            }
        )
        return
    from harness.text import columns

    rows = [
        (
            f"{item.lane:>4}",
            "yes" if item.locked else "NO",
            f"{item.bits:.4e}" if item.bits else "0",
            f"{item.errors:>10}",
            _ber_text(item),
            f"{item.gate_s:.3f} s",
        )
        for item in found
    ]
    pattern = _pattern(arguments) or "the pattern that runs"
    loopback = ""
    inside = prbs.plane.startswith("internal")
    if arguments.loopback and not inside:
        loopback = f"\n{_loopback(arguments.loopback)} on"
    where = f"inside the module ({_loopback(arguments.loopback)})" if inside else f"at {prbs.plane}"
    say(
        f"{heading(subject)}\n{pattern}, counted {where}\n"
        f"by the {prbs.detector} (self-measured){loopback}\n\n"
    )
    say(columns(("lane", "lock", "bits", "errors", "bit error ratio", "host's gate"), rows) + "\n")
    say(
        "\nThe gate is the host's time between its first and last reading. The module counts on a grid of\n"
        "its own, so that bits may be of a little less or more time; the ratio is of what it counted.\n"
    )
    if not all(item.locked for item in found):
        say(
            "\nA lane without lock: its checker was not in step with the pattern during the whole gate, so\n"
            "its counts say nothing. Is the same pattern sent, and does light or the host's signal come in?\n"
        )


def _pattern(arguments: argparse.Namespace) -> str | None:
    """The pattern's name as CMIS spells it."""
    from drivers.cmis.diagnostics.patterns import pattern_code, pattern_name

    return pattern_name(pattern_code(arguments.pattern)) if arguments.pattern else None


def _below(item: LaneErrors) -> float | None:
    """With no error counted: what the bit error ratio is below, with 95 % confidence."""
    return _NO_ERROR_95 / item.bits if item.locked and item.bits and not item.errors else None


def _ber_text(item: LaneErrors) -> str:
    below = _below(item)
    if below is not None:
        return f"< {below:.2e} (95 %)"
    return "-" if item.ber is None else f"{item.ber:.3e}"


def _state(target: ModuleTarget, diagnostics: Diagnostics, side: Side, *, as_json: bool) -> None:
    state = _state_of(diagnostics, side)
    subject = subject_of(target)
    if as_json:
        say_json({**subject, **state})
        return
    from drivers.cmis.description.layout import pairs, sentences
    from drivers.cmis.wording import lanes_text

    rows: list[tuple[str, object]] = [("lanes", lanes_text(state["lanes"]))]
    for unit in ("generator", "checker"):
        rows.append((f"{unit} has", ", ".join(state[unit]["patterns"]) or "nothing"))
        running = state[unit]["running"]
        text = "; ".join(f"lane {lane}: {name}" for lane, name in running.items()) or "none"
        rows.append((f"{unit} runs", text))
    rows.append(("loopbacks", ", ".join(name for name in state["loopbacks"]) or "none"))
    on = {name: lanes for name, lanes in state["loopbacks"].items() if lanes}
    rows.append(
        (
            "loopbacks on",
            "; ".join(f"{name}, lanes {lanes_text(lanes)}" for name, lanes in on.items()) or "none",
        )
    )
    rows.append(("counts", "errors and bits" if state["counters"] else "none (13h:130.1 is 0)"))
    say(
        "\n".join([*pairs(f"{heading(subject)}: {side} side", rows), *sentences("Notes", state["notes"])])
        + "\n"
    )


def _state_of(diagnostics: Diagnostics, side: Side) -> dict[str, Any]:
    from drivers.cmis import information
    from drivers.cmis.diagnostics import Unit
    from drivers.cmis.diagnostics.patterns import pattern_name

    can = diagnostics.capabilities
    found: dict[str, Any] = {"side": str(side), "lanes": list(diagnostics.lanes_present(side))}
    for unit in Unit:
        patterns = can.patterns(side, unit)
        running: dict[str, str] = {}
        if patterns:
            name = f"{side.value}Side{unit.value}PatternSelect"
            codes = information.get_codes(diagnostics.module.registers, name, diagnostics.bank)
            running = {str(lane): pattern_name(codes[lane - 1]) for lane in diagnostics.running(side, unit)}
        found[str(unit)] = {"patterns": list(patterns), "running": running}
    found["loopbacks"] = {
        str(kind): list(diagnostics.loopback_lanes(kind)) for kind in can.loopbacks if kind.side is side
    }
    found["counters"] = can.counters
    found["bit_error_ratios"] = can.ber
    found["gating"] = can.gating_accuracy
    found["notes"] = list(can.notes)
    return found
