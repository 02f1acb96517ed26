"""Xena (Teledyne LeCroy) test chassis as a BERT at a module's host lanes, with the statistics of its FEC.

Never run on hardware by this project. From the maker's published command documentation, read for this
driver (XOA CLI, and the maker's open Python client for the names of coded values): lines of text over TCP
**port 22611** (22606, recalled and not read, has the binary protocol), ended by CR LF; the status replies
(``<OK>``, ``<NOTRESERVED>``, ``<BADVALUE>``, ...); ``C_LOGON``, ``C_OWNER``, ``C_TIMEOUT``, ``C_KEEPALIVE``,
``C_MODEL``, ``C_SERIALNO``, ``C_VERSIONNO``; ``P_RESERVATION``, ``P_RESERVEDBY``; ``PP_PRBSTYPE``,
``PP_TXPRBSCONFIG``, ``PP_RXPRBSSTATUS``, ``PP_RXCLEAR``, ``PP_RXFECSTATS``. From a published log of a
chassis: more than one space between the words of a reply, and the answers to ``P_RESERVATION ?`` (the
documentation's example shows others).

Uncertain: which PRBSTYPE place is the transceiver's cage (``inserted_at``); whether a lane of a PAM4 port
that is set to PRBS31 sends PRBS31Q, and in which sense (``inverted``); that errors are bit errors; how often
the counters are renewed (``counter_update_s``), and how long a lane takes to lock (``settle_s``); that
UNSTABLE says that lock was lost since the counters were cleared or read; what a wrong password is answered
with. Not read: ``PP_RXTOTALSTATS``, which is worked out of the same counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from drivers.clock import Clock, wait_until
from drivers.errors import (
    BenchError,
    ConnectionFailedError,
    GarbledReplyError,
    InstrumentError,
    InUseError,
    InvalidReadingError,
    NoReplyError,
    NotSettledError,
    OutOfRangeError,
    UnsupportedError,
    WrongIdentityError,
)
from drivers.host_side_bert import HostSideBert
from drivers.interfaces import Bert, FecStatistics, Identity, LaneErrors, SafetyStep
from drivers.replies import Reply
from drivers.scpi import Dialect, ScpiInstrument, ScpiSession, option
from drivers.xena_cli import RefusedError, coded, keep_alive, serial_number, status, values, whole_number

__all__ = ["XenaChassis"]

_POLYNOMIALS: Final[Mapping[str, str]] = {
    "PRBS7Q": "PRBS7",
    "PRBS9Q": "PRBS9",
    "PRBS13Q": "PRBS13",
    "PRBS15Q": "PRBS15",
    "PRBS23Q": "PRBS23",
    "PRBS31Q": "PRBS31",
}
_PLACES: Final = ("CAUI_VIRTUAL", "PHY_LINE", "PHY_HOST", "TCVR")
_LONGEST_GATE_S: Final = 7 * 86_400.0
_LONGEST_OWNER: Final = 32
_BINS: Final = 17
_NO_DATA_LIMIT_S: Final = 5.0

_RESERVATIONS: Final = ("RELEASED", "RESERVED_BY_YOU", "RESERVED_BY_OTHER")
_LOCKS: Final = ("PRBSOFF", "PRBSON", "PRBSOFFUNSTABLE", "PRBSONUNSTABLE")
_INSERTED: Final = ("PRBSOFF", "PRBSON")
_ERRORS: Final = ("ERRORSOFF", "ERRORSON")


@dataclass(frozen=True, slots=True)
class _LaneStatus:
    byte_count: int
    error_count: int
    lock: str


class XenaChassis(HostSideBert, ScpiInstrument):
    """One port of a chassis: generators and checkers of all its lanes, and its FEC decoder.

    A port has one pattern for all its lanes, sent and expected. While any lane sends a pattern, the port
    carries no framed traffic.

    Options: ``module`` and ``port`` (the chassis' numbers, default 0 and 0), ``lanes`` (default 8, as of
    400GAUI-8), ``password`` (default ``xena``, the maker's), ``owner`` (default ``lanewise``: who it says
    reserves the port), ``take_over`` (default false; true: another user's reservation is ended),
    ``inserted_at`` (default ``PHY_LINE``), ``inverted`` (default false), ``counter_update_s`` and
    ``settle_s`` (default 1.0 each), ``idle_limit_s`` (default 86400: how long the chassis keeps a session
    that says nothing; its own default of 130 is shorter than a long gate). Never run on hardware by this
    project.
    """

    model_shown = "Xena chassis"
    error_query: ClassVar[str | None] = None

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        session.dialect = Dialect(
            identity_query="C_SERIALNO ?",
            identity_form=serial_number,
            synchronising_query="C_KEEPALIVE ?",
            synchronising_form=keep_alive,
            write_termination="\r\n",
        )

        def whole(key: str, default: int, low: int, high: int) -> int:
            value = option(self._options, key, default, instrument=name)
            if not low <= value <= high:
                raise BenchError(f"{name}: bench file option {key!r} must be {low} to {high}, got {value}")
            return value

        def word(key: str, default: str, longest: int) -> str:
            value = option(self._options, key, default, instrument=name)
            if not 1 <= len(value) <= longest or not value.isascii() or not value.isprintable():
                raise BenchError(f"{name}: bench file option {key!r} must be 1 to {longest} ASCII characters")
            if '"' in value:
                raise BenchError(f"{name}: bench file option {key!r} cannot hold a quotation mark")
            return value

        def duration_s(key: str, default: float) -> float:
            value = option(self._options, key, default, instrument=name)
            if not 0.0 <= value <= 60.0:
                raise BenchError(f"{name}: bench file option {key!r} must be 0 to 60 s, got {value}")
            return value

        self._address = f"{whole('module', 0, 0, 255)}/{whole('port', 0, 0, 255)}"
        self._lanes = tuple(range(1, whole("lanes", 8, 1, 64) + 1))
        self._password = word("password", "xena", 255)
        self._owner = word("owner", "lanewise", _LONGEST_OWNER)
        self._place = word("inserted_at", "PHY_LINE", 32)
        if self._place not in _PLACES:
            raise BenchError(f"{name}: bench file option 'inserted_at' must be one of {', '.join(_PLACES)}")
        self._sense = (
            "INVERTED" if option(self._options, "inverted", False, instrument=name) else "NON_INVERTED"
        )
        self._take_over = option(self._options, "take_over", False, instrument=name)
        self._update_s = duration_s("counter_update_s", 1.0)
        self._settle_s = duration_s("settle_s", 1.0)
        self._idle_limit_s = whole("idle_limit_s", 86_400, 10, 999_999)
        self._expecting: set[int] = set()
        self._left_on: set[int] = set()
        """Lanes that sent a pattern when it was connected, and still may."""

    @property
    def detector(self) -> str:
        """What counts, in words."""
        return f"Xena chassis, port {self._address}, PRBS checkers"

    @property
    def lanes(self) -> tuple[int, ...]:
        """Host lanes, from 1: SerDes 0 on of the port."""
        return self._lanes

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns of the command set. All ports have PRBS31Q; others are refused by those that lack them."""
        return tuple(_POLYNOMIALS)

    def connect(self) -> Identity:
        """Log on, ask who it is, say who asks; see that nobody else holds the port, and which
        lanes were left to send a pattern: these are stopped when they would be in the way, and not before.
        The port is reserved when it is first set.

        :raises ConnectionFailedError: when nothing answers.
        :raises WrongIdentityError: when something else answers than such a chassis.
        :raises InUseError: when another user holds the port, or the chassis has no connection left.
        :raises RefusedError: when it takes the password or the port's number for wrong.
        """
        try:
            self._log_on()
            identity = self.identify()
        except NoReplyError as fault:
            raise ConnectionFailedError(
                self._name,
                "nothing answers at this address",
                command=fault.command,
                advice="Check that the chassis is on, and the port of its text commands: 22611, not 22606.",
            ) from fault
        except GarbledReplyError as fault:
            raise WrongIdentityError(
                self._name,
                f"expected a {self.model_shown}, found something that does not answer as one",
                command=fault.command,
                reply=fault.reply,
                advice="Check the driver and the address in the bench file.",
            ) from fault
        self._refuse_others()
        self._expecting.clear()
        self._left_on = self._sending()
        return identity

    def identify(self) -> Identity:
        """Model, serial number and firmware (chassis and driver version) of the chassis.

        :raises RefusedError: before :meth:`connect`: it tells nothing to a session that is not logged on.
        """
        serial = self._session.identify().serial
        model = " ".join(word.text for word in self._ask("C_MODEL ?", *range(1, 9)))
        firmware = ".".join(str(whole_number(part)) for part in self._ask("C_VERSIONNO ?", 2))
        return Identity("Xena", model, serial, firmware)

    def drain_errors(self) -> tuple[tuple[int, str], ...]:
        """It has no error queue: it refuses in its answers."""
        return ()

    def start_pattern(
        self, pattern: str, lanes: Sequence[int] | None = None, *, generate: bool = True, check: bool = True
    ) -> None:
        """Send a pattern on these lanes, and expect it there; returns when ``settle_s`` have passed.

        Reserves the port when that was not done. Other lanes that were left to send before
        :meth:`connect` are stopped. Everything set is read back.

        :raises OutOfRangeError: for lanes that it has not, or when nothing is to be started; nothing is sent.
        :raises UnsupportedError: for a pattern that the chassis or the port has not, or one other than what
            lanes send that are to be left alone.
        :raises InUseError: when another user holds the port.
        :raises NotSettledError: when a lane reads back otherwise.
        """
        if pattern not in _POLYNOMIALS:
            raise UnsupportedError(
                self._name, f"its patterns are {', '.join(self.patterns)}, not {pattern!r}"
            )
        if not (generate or check):
            raise OutOfRangeError(self._name, "neither sending nor checking is asked for; nothing was sent")
        chosen = self._chosen(self._lanes if lanes is None else lanes)
        self._reserve()
        untouched = set(self._lanes).difference(chosen if generate else ())
        for lane in sorted(self._left_on & untouched):
            self._set_sending(lane, on=False)
        self._left_on.clear()
        self._set_type(pattern, untouched=untouched)
        if generate:
            for lane in chosen:
                self._set_sending(lane, on=True)
        if check:
            self._expecting.update(chosen)
        self._clock.sleep(self._settle_s)

    def stop_pattern(self) -> None:
        """Stop sending on all lanes, read that back, and expect no pattern any more.

        :raises NotSettledError: when a lane still sends.
        """
        self._reserve()
        self._expecting.clear()
        for lane in self._lanes:
            self._set_sending(lane, on=False)
        self._left_on.clear()

    def measure_errors(self, lanes: Sequence[int], gate_s: float) -> tuple[LaneErrors, ...]:
        """Clear the port's counters, wait until they are renewed, and count from then on; a gate is
        ``counter_update_s`` long at least.

        :raises OutOfRangeError: for lanes that it has not, or a gate above 7 days; nothing is sent.
        :raises InstrumentError: when :meth:`start_pattern` did not tell what to expect.
        :raises InvalidReadingError: when counters went back: somebody else cleared them.
        """
        chosen = self._chosen(lanes)
        self._within(gate_s, 0.0, _LONGEST_GATE_S, "gate", "s")
        unknown = sorted(set(chosen) - self._expecting)
        if unknown:
            raise InstrumentError(
                self._name,
                f"no pattern is expected on lanes {_listed(unknown)}",
                advice="Call start_pattern() first; a port has one pattern for all its lanes.",
            )
        self._reserve()
        self._set(f"{self._address} PP_RXCLEAR")
        self._clock.sleep(self._update_s)
        start_s = self._clock.now_s()
        before = {lane: self._lane_status(lane) for lane in chosen}
        self._clock.sleep(max(gate_s, self._update_s))
        counted_s = self._clock.now_s() - start_s
        return tuple(self._new_errors(lane, before[lane], counted_s) for lane in chosen)

    def read_fec_histogram(self, gate_s: float) -> FecStatistics:
        """What the FEC decoder of the port makes of framed traffic for ``gate_s`` seconds that begin after
        the call (``counter_update_s`` at least). It needs no reservation and clears nothing, but for a
        pattern that was left on before :meth:`connect`, which it stops.

        :raises OutOfRangeError: for a gate above 7 days; nothing is sent.
        :raises UnsupportedError: when the port's code is not RS(544,514).
        :raises InstrumentError: while a lane sends a pattern: there are no frames then.
        :raises InvalidReadingError: when the port has no such statistics, or somebody else cleared them.
        """
        self._within(gate_s, 0.0, _LONGEST_GATE_S, "gate", "s")
        sending = self._sending()
        if sending and sending <= self._left_on:
            self.stop_pattern()
            self._release()
        elif sending:
            raise InstrumentError(
                self._name,
                f"lanes {_listed(sending)} send a pattern, so that the port carries no frames",
                advice="Call stop_pattern() first.",
            )
        self._clock.sleep(self._update_s)
        start_s = self._clock.now_s()
        before = self._fec_counts()
        self._clock.sleep(max(gate_s, self._update_s))
        counted_s = self._clock.now_s() - start_s
        after = self._fec_counts()
        new = tuple(late - early for early, late in zip(before, after, strict=True))
        if min(new) < 0:
            raise self._went_back(f"{self._address} PP_RXFECSTATS ?")
        return FecStatistics(new, counted_s)

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Stop sending patterns at once, blind; then resynchronise, stop them again, read that back, and
        release the port."""
        patterns, reservation = "no lane sends a pattern", "port released"
        told = self._tell_blind_first(
            self._log_on_command(),
            f'C_OWNER "{self._owner}"',
            f"{self._address} P_RESERVATION RESERVE",
            *(self._sending_command(lane, on=False) for lane in self._lanes),
        )
        if told:
            told = self._without_password(told)
            return (SafetyStep(patterns, told, safe=False), SafetyStep(reservation, told, safe=False))
        return (
            self._step(patterns, self._make_silent),
            self._step(reservation, self._release),
        )

    # -- the port ----------------------------------------------------------------------------------

    def _make_silent(self) -> str:
        self.stop_pattern()
        return f"off on lanes {_listed(self._lanes)}"

    def _step(self, action: str, act: Callable[[], str]) -> SafetyStep:
        try:
            return SafetyStep(action, act(), safe=True)
        except InstrumentError as fault:
            return SafetyStep(action, str(fault), safe=False)

    def _log_on(self) -> None:
        try:
            self._set(self._log_on_command())
        except RefusedError as fault:
            if fault.status == "NOCONNECTIONS":
                raise InUseError(
                    self._name, "the chassis has no connection left", reply=fault.reply, advice=fault.advice
                ) from None
            raise self._masked(fault) from None
        except InstrumentError as fault:
            raise self._masked(fault) from None
        self._set(f'C_OWNER "{self._owner}"')
        self._set(f"C_TIMEOUT {self._idle_limit_s}")

    def _masked(self, fault: InstrumentError) -> InstrumentError:
        fault.command = self._without_password(fault.command)
        fault.args = (self._without_password(str(fault)),)
        return fault

    def _log_on_command(self) -> str:
        self.session.keep_secret('C_LOGON "', self._password)
        return f'C_LOGON "{self._password}"'

    def _without_password(self, text: str) -> str:
        """Errors and records are read by others."""
        return text.replace(f'C_LOGON "{self._password}"', "C_LOGON")

    def _reservation(self) -> str:
        (state,) = self._ask(f"{self._address} P_RESERVATION ?", 1)
        return _RESERVATIONS[coded(state, _RESERVATIONS)]

    def _refuse_others(self) -> str:
        """The port's reservation.

        :raises InUseError: when it is another's, which is not to be taken over.
        """
        state = self._reservation()
        if state == "RESERVED_BY_OTHER" and not self._take_over:
            owner = self._ask(f"{self._address} P_RESERVEDBY ?", 0, 1)
            whose = f"is reserved by {owner[0].text!r}" if owner else "is reserved by somebody else"
            raise InUseError(
                self._name,
                f"port {self._address} {whose}",
                command=f"{self._address} P_RESERVATION ?",
                reply=state,
                advice="Ask them to release it, or give the driver the option take_over = true.",
            )
        return state

    def _reserve(self) -> None:
        state = self._refuse_others()
        if state == "RESERVED_BY_YOU":
            return
        if state == "RESERVED_BY_OTHER":
            self._set(f"{self._address} P_RESERVATION RELINQUISH")
        self._set(f"{self._address} P_RESERVATION RESERVE")
        found = self._reservation()
        if found != "RESERVED_BY_YOU":
            raise InUseError(
                self._name,
                f"port {self._address} was to be reserved, and reads {found}",
                command=f"{self._address} P_RESERVATION ?",
                reply=found,
                advice="Check who else uses the chassis.",
            )

    def _release(self) -> str:
        """Release the port where this session holds it; returns how its reservation reads."""
        found = self._reservation()
        if found == "RESERVED_BY_YOU":
            self._set(f"{self._address} P_RESERVATION RELEASE")
            found = self._reservation()
        if found == "RESERVED_BY_YOU":
            raise NotSettledError(
                self._name, "the port is still reserved", command=f"{self._address} P_RESERVATION ?"
            )
        return found

    # -- patterns ----------------------------------------------------------------------------------

    def _set_type(self, pattern: str, *, untouched: set[int]) -> None:
        """Set the port's pattern; ``untouched``: lanes whose sending must not change with it."""
        query = f"{self._address} PP_PRBSTYPE ?"
        wanted = [self._place, _POLYNOMIALS[pattern], self._sense, "ACCUMULATIVE"]
        if self._type() == wanted:
            return
        busy = self._sending().intersection(untouched)
        if busy:
            raise UnsupportedError(
                self._name,
                f"lanes {_listed(busy)} send another pattern, and a port has one for all its lanes",
                command=query,
                advice="Call stop_pattern() first.",
            )
        command = f"{self._address} PP_PRBSTYPE {' '.join(wanted)}"
        try:
            self._set(command)
        except RefusedError as fault:
            if fault.status in ("BADVALUE", "NOTSUPPORTED"):
                raise UnsupportedError(
                    self._name, f"this port has no {pattern}", command=command, reply=fault.reply
                ) from fault
            raise
        self._expecting.clear()
        found = self._type()
        if found != wanted:
            raise NotSettledError(
                self._name, f"the pattern was set and reads {' '.join(found)}", command=command
            )

    def _type(self) -> list[str]:
        return [part.text.upper() for part in self._ask(f"{self._address} PP_PRBSTYPE ?", 4)]

    def _sending_command(self, lane: int, *, on: bool) -> str:
        return f"{self._address} PP_TXPRBSCONFIG [{lane - 1}] 0 {_INSERTED[on]} ERRORSOFF"

    def _set_sending(self, lane: int, *, on: bool) -> None:
        command = self._sending_command(lane, on=on)
        self._set(command)
        sends, with_errors = self._lane_sends(lane)
        if sends is not on:
            raise NotSettledError(
                self._name,
                f"lane {lane} was set to {'send' if on else 'send no pattern'} and does the reverse",
                command=command,
                advice="Check that nobody else controls the port.",
            )
        if with_errors:
            raise NotSettledError(
                self._name,
                f"lane {lane} was set to insert no errors, and inserts some",
                command=command,
                advice="Turn the insertion of errors off in the chassis' own program; check that nobody else "
                "controls the port.",
            )

    def _lane_sends(self, lane: int) -> tuple[bool, bool]:
        """Whether a lane sends the pattern, and whether with errors."""
        _, inserted, errors = self._ask(f"{self._address} PP_TXPRBSCONFIG [{lane - 1}] ?", 3)
        return bool(coded(inserted, _INSERTED)), bool(coded(errors, _ERRORS))

    def _sending(self) -> set[int]:
        return {lane for lane in self._lanes if self._lane_sends(lane)[0]}

    # -- counters ----------------------------------------------------------------------------------

    def _lane_status(self, lane: int) -> _LaneStatus:
        bytes_, errors, lock = self._ask(f"{self._address} PP_RXPRBSSTATUS [{lane - 1}] ?", 3)
        byte_count, error_count = whole_number(bytes_), whole_number(errors)
        if byte_count == -1 or error_count == -1:  # no data since the counters were cleared
            byte_count = error_count = 0
        if min(byte_count, error_count) < 0 or error_count > 8 * byte_count:
            raise bytes_.garbled("no count of bytes and errors")
        return _LaneStatus(byte_count, error_count, _LOCKS[coded(lock, _LOCKS)])

    def _new_errors(self, lane: int, before: _LaneStatus, counted_s: float) -> LaneErrors:
        after = self._lane_status(lane)
        bits = 8 * (after.byte_count - before.byte_count)
        errors = after.error_count - before.error_count
        if not 0 <= errors <= bits:
            raise self._went_back(f"{self._address} PP_RXPRBSSTATUS [{lane - 1}] ?")
        # Unstable: lock was lost, before the first reading or after it.
        locked = before.lock in ("PRBSON", "PRBSONUNSTABLE") and after.lock == "PRBSON" and bits > 0
        return LaneErrors(lane, bits, errors, locked, counted_s)

    def _fec_counts(self) -> tuple[int, ...]:
        """The decoder's counters, 17 numbers; waits for them where there are none yet."""
        found: list[tuple[int, ...]] = []
        query = f"{self._address} PP_RXFECSTATS ?"

        def there() -> bool:
            counts = self._fec_answer(query)
            found.extend((counts,) if counts else ())
            return bool(counts)

        wait_until(
            self._clock,
            there,
            timeout_s=_NO_DATA_LIMIT_S,
            interval_s=0.5,
            error=lambda: InvalidReadingError(
                self._name,
                "the port has no FEC statistics",
                command=query,
                advice="Check that the port is in a mode with FEC, and that its module supports it.",
            ),
        )
        return found[-1]

    def _fec_answer(self, query: str) -> tuple[int, ...]:
        """Empty where the chassis has no data (all bits set)."""
        parts = self._ask(query, *range(1, 64))
        numbers = [whole_number(part) for part in parts]
        if all(number == -1 for number in numbers):
            return ()
        if len(numbers) < 2 or len(numbers) != numbers[1] + 2 or min(numbers[1:]) < 0:
            raise parts[0].garbled("no list of codewords as long as it says")
        if numbers[0] != 0 or len(numbers) != _BINS + 3:
            raise UnsupportedError(
                self._name,
                f"its FEC corrects {len(numbers) - 5} symbols, and not the 15 of RS(544,514)",
                command=query,
                advice="Set the port to 400GAUI-8, or to another mode with KP4 FEC.",
            )
        counts, corrected = tuple(numbers[2:-1]), numbers[-1]
        if sum(counts[:-1]) != corrected:
            raise parts[0].garbled("no list of codewords: it does not add up to its own sum")
        return counts

    def _went_back(self, query: str) -> InvalidReadingError:
        return InvalidReadingError(
            self._name,
            "counters of one gate do not go together: they went back",
            command=query,
            advice="Check that nobody else clears them.",
        )

    # -- lines -------------------------------------------------------------------------------------

    def _set(self, command: str) -> None:
        """Send a setting, and expect ``<OK>``."""
        word = status(self._session.query(command))
        if word != "OK":
            if word == "PENDING":
                self._session.distrust()  # another answer follows
            raise RefusedError(self._name, command, word)

    def _ask(self, query: str, *counts: int) -> tuple[Reply, ...]:
        """Send a query; the values behind the command's own words in its answer, as many as one of
        ``counts``, each as a reply of its own."""
        reply = self._session.query(query)
        found = values(reply, query)
        if len(found) not in counts:
            raise reply.garbled(f"not {' or '.join(map(str, counts[:3]))} values")
        return found

    def _chosen(self, lanes: Sequence[int]) -> tuple[int, ...]:
        chosen = tuple(lanes)
        wrong = sorted(set(chosen).difference(self._lanes))
        if wrong or not chosen:
            raise OutOfRangeError(
                self._name,
                f"its lanes are {self._lanes[0]} to {self._lanes[-1]}, not {_listed(wrong) or 'none'}; "
                "nothing was sent",
            )
        return chosen


def _listed(lanes: Sequence[int] | set[int]) -> str:
    return ", ".join(map(str, sorted(lanes)))


if TYPE_CHECKING:

    def _is_a_bert(chassis: XenaChassis) -> Bert:
        return chassis
