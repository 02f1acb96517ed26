"""Simulated Xena (Teledyne LeCroy) chassis with one port, plugged into the host's side of the module.

Its text commands as the maker documents them. Where that leaves it open, this chassis does the following [?]:

* it puts two spaces between address, command and values, as a published log shows;
* a wrong password is answered with ``<BADVALUE>``; ``P_RESERVATION`` that cannot be with ``<NOTVALID>``;
* counters are renewed every second; after ``PP_RXCLEAR`` the lanes' read 0 and the decoder's all bits set
  until then;
* a lane's lock is UNSTABLE when it was lost, or not there, since the counters were cleared;
* counters count from the first command that sets or reads them until the last session is closed.

Not built: streams, error injection, link training, the module's management behind ``PX_RW``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from harness.signal.kp4 import CODEWORD_BITS, CORRECTABLE
from harness.simulation.host_lanes import HostCounters, HostLanes
from harness.simulation.line_peer import LineClient, LinePeer
from harness.simulation.module.monitoring.checkers import Count
from harness.simulation.signals import Pattern
from harness.simulation.world import World

__all__ = ["XenaPeer"]

_TOKEN: Final = re.compile(r"\"[^\"]*\"|\[[^\]]*\]|[^\s\"\[]+")
_ADDRESS: Final = re.compile(r"([0-9]{1,3})/([0-9]{1,3})")
_INDEX: Final = re.compile(r"\[\s*([0-9]{1,4})\s*\]")
_MAKERS_WORD: Final = "xena"
_DEFAULT_IDLE_S: Final = 130
_ALL_BITS_SET: Final = -1
_CONFIDENCE_FACTOR: Final = 3  # error-free bits for one error not seen, 95 %

_PLACES: Final = ("CAUI_VIRTUAL", "PHY_LINE", "PHY_HOST", "TCVR")
_POLYNOMIALS: Final = (
    "PRBS7", "PRBS9", "PRBS11", "PRBS15", "PRBS23", "PRBS31",
    "PRBS58", "PRBS49", "PRBS10", "PRBS20", "PRBS13",
)  # fmt: skip
_PATTERN_CODES: Final = {"PRBS31": 0, "PRBS23": 2, "PRBS15": 4, "PRBS13": 6, "PRBS9": 8, "PRBS7": 10}
_SENSES: Final = ("NON_INVERTED", "INVERTED")
_MODES: Final = ("ACCUMULATIVE", "PERSECOND")
_INSERTED: Final = ("PRBSOFF", "PRBSON")
_ERRORS: Final = ("ERRORSOFF", "ERRORSON")
_RESERVING: Final = ("RELEASE", "RESERVE", "RELINQUISH")


class _StatusError(Exception):
    """What it answers instead."""


@dataclass
class _Session:
    client: LineClient
    logged_on: bool = False
    owner: str = ""
    idle_s: int = _DEFAULT_IDLE_S
    heard_ns: int = 0


@dataclass
class _Request:
    session: _Session
    asks: bool
    index: int | None
    values: list[str]

    def coded(self, names: tuple[str, ...]) -> str:
        """The next value: one of ``names``, or its number."""
        word = self.word().upper()
        if word.isdecimal() and int(word) < len(names):
            return names[int(word)]
        if word not in names:
            raise _StatusError("BADVALUE")
        return word

    def word(self) -> str:
        """The next value as it stands."""
        if not self.values:
            raise _StatusError("BADSIZE")
        return self.values.pop(0)

    def whole(self, low: int, high: int) -> int:
        """The next value, a whole number."""
        word = self.word()
        if not re.fullmatch(r"[0-9]{1,9}", word) or not low <= int(word) <= high:
            raise _StatusError("BADVALUE")
        return int(word)

    def string(self, longest: int) -> str:
        """The next value, in quotation marks."""
        word = self.word()
        if len(word) < 2 or not word.startswith('"') or len(word) - 2 > longest:
            raise _StatusError("BADVALUE")
        return word.strip('"')


_Handler = Callable[[_Request], str]


class XenaPeer(LinePeer):
    """A port of ``lanes`` lanes at address 0/0 of a chassis.

    ``polynomials``: those that the port has (of the ones a module knows by name). ``reserve_for`` lets
    another user take the port.
    """

    identity_lines = {"C_MODEL": 'C_MODEL "OTHER-1"', "C_SERIALNO": "C_SERIALNO 1"}  # noqa: RUF012

    def __init__(
        self,
        world: World,
        host_lanes: HostLanes,
        *,
        role: str,
        serial: str = "260010",
        model: str = "Simulated chassis",
        password: str = _MAKERS_WORD,
        lanes: int = 8,
        polynomials: tuple[str, ...] = tuple(_PATTERN_CODES),
        update_s: float = 1.0,
    ) -> None:
        super().__init__(world, role=role, answer_s=0.002)
        self._host_lanes = host_lanes
        self._lanes = lanes
        self._password = password
        self._polynomials = tuple(polynomials)
        self._sessions: dict[LineClient, _Session] = {}
        self._holder: _Session | None = None
        self._held_for = ""
        self._kept_alive = 0
        self._type = ["PHY_LINE", "PRBS31", "NON_INVERTED", "ACCUMULATIVE"]
        self._sending = [False] * lanes
        self._counters = HostCounters(
            world, host_lanes, name=f"{role} {serial}", lanes=lanes, update_s=update_s
        )
        self._chassis: dict[str, _Handler] = {
            "C_LOGON": self._log_on,
            "C_OWNER": self._own,
            "C_TIMEOUT": self._time_out,
            "C_KEEPALIVE": self._keep_alive,
            "C_MODEL": lambda request: self._constant(request, f'"{model}"'),
            "C_SERIALNO": lambda request: self._constant(request, serial),
            "C_VERSIONNO": lambda request: self._constant(request, "450 31"),
            "C_LOGOFF": self._log_off,
        }
        self._port: dict[str, _Handler] = {
            "P_RESERVATION": self._reservation,
            "P_RESERVEDBY": lambda request: self._constant(request, f'"{self._held_for}"'),
            "PP_PRBSTYPE": self._prbs_type,
            "PP_RXCLEAR": self._clear,
            "PP_RXFECSTATS": self._fec_statistics,
            "PP_RXTOTALSTATS": self._total_statistics,
        }
        self._lane: dict[str, _Handler] = {
            "PP_TXPRBSCONFIG": self._prbs_sending,
            "PP_RXPRBSSTATUS": self._prbs_status,
        }

    def reserve_for(self, owner: str) -> None:
        """Another user's session reserves the port; ``""``: releases it."""
        self._hold(_Session(LineClient(self), logged_on=True, owner=owner) if owner else None, owner)

    # -- sessions ----------------------------------------------------------------------------------

    def connect(self, *, marks_end: bool) -> LineClient:
        """A new session, not logged on."""
        client = super().connect(marks_end=marks_end)
        self._sessions[client] = session = _Session(client, heard_ns=self.world.now_ns)
        self._await_idleness(session)
        return client

    def disconnected(self, client: LineClient) -> None:
        """A session is closed; its reservation stays, for whoever gives the same owner next."""
        super().disconnected(client)
        self._sessions.pop(client, None)
        if not self._sessions:
            self._counters.rest()

    def _await_idleness(self, session: _Session) -> None:
        def look() -> None:
            if session.client.lost:
                return
            if self.world.now_ns - session.heard_ns >= session.idle_s * 1_000_000_000:
                session.client.lost = True
                return
            self._await_idleness(session)

        self.world.at(session.heard_ns + session.idle_s * 1_000_000_000, look)

    # -- lines -------------------------------------------------------------------------------------

    def answer_to(self, client: LineClient, line: str) -> str | None:
        """What it answers to a line of a session."""
        session = self._sessions.get(client)
        if session is None:
            return None
        session.heard_ns = self.world.now_ns
        words = _TOKEN.findall(line)
        if not words:
            return ""
        if words[0].startswith(";"):
            return None
        if words[0].upper() == "SYNC":
            return "<SYNC>"
        try:
            return self._answer(session, words, line)
        except _StatusError as status:
            return f"<{status}>"

    def _answer(self, session: _Session, words: list[str], line: str) -> str:
        address = _ADDRESS.fullmatch(words[0])
        rest = words[1:] if address else words
        name = rest.pop(0).upper() if rest else ""
        index = _INDEX.fullmatch(rest[0]) if rest else None
        if index:
            rest.pop(0)
        table = self._chassis if not address else self._lane if index else self._port
        if name not in table:
            column = line.upper().find(name) + 1 if name else len(line) + 1
            return f"{'-' * column}^\r\n#Syntax error in column {column}"
        if name != "C_LOGON" and not session.logged_on:
            raise _StatusError("NOTLOGGEDON")
        if address and (address[1], address[2]) != ("0", "0"):
            raise _StatusError("BADMODULE" if address[1] != "0" else "BADPORT")
        if index and int(index[1]) >= self._lanes:
            raise _StatusError("BADINDEX")
        request = _Request(session, rest == ["?"], int(index[1]) if index else None, rest)
        if address and not request.asks and name != "P_RESERVATION" and self._holder is not session:
            raise _StatusError("NOTRESERVED")
        answer = table[name](request)
        if not request.asks:
            if request.values:
                raise _StatusError("BADSIZE")
            return "<OK>"
        where = (words[0] if address else "", name, index[0] if index else "")
        return "  ".join([*filter(None, where), answer])

    @staticmethod
    def _constant(request: _Request, value: str) -> str:
        if not request.asks:
            raise _StatusError("NOTWRITABLE")
        return value

    @staticmethod
    def _only_set(request: _Request) -> None:
        if request.asks:
            raise _StatusError("NOTREADABLE")

    # -- chassis -----------------------------------------------------------------------------------

    def _log_on(self, request: _Request) -> str:
        self._only_set(request)
        if request.string(255) != self._password:
            raise _StatusError("BADVALUE")
        request.session.logged_on = True
        return ""

    def _log_off(self, request: _Request) -> str:
        self._only_set(request)
        request.session.logged_on = False
        return ""

    def _own(self, request: _Request) -> str:
        session = request.session
        if not request.asks:
            session.owner = request.string(32)
            gone = self._holder is not None and self._holder.client.lost
            if gone and self._held_for == session.owner:
                self._holder = session
        return f'"{session.owner}"'

    def _time_out(self, request: _Request) -> str:
        if not request.asks:
            request.session.idle_s = request.whole(1, 999_999)
            self._await_idleness(request.session)
        return str(request.session.idle_s)

    def _keep_alive(self, request: _Request) -> str:
        self._kept_alive += 1
        return self._constant(request, str(self._kept_alive))

    # -- port --------------------------------------------------------------------------------------

    def _hold(self, session: _Session | None, owner: str) -> None:
        self._holder, self._held_for = session, owner

    def _reservation(self, request: _Request) -> str:
        session = request.session
        if request.asks:
            if self._holder is None:
                return "RELEASED"
            return "RESERVED_BY_YOU" if self._holder is session else "RESERVED_BY_OTHER"
        action = request.coded(_RESERVING)
        mine = self._holder is session
        if action == "RESERVE":
            if not session.owner or (self._holder is not None and not mine):
                raise _StatusError("NOTVALID")
            self._hold(session, session.owner)
        elif action == "RELEASE":
            if not mine:
                raise _StatusError("NOTRESERVED")
            self._hold(None, "")
        else:
            if self._holder is None or mine:
                raise _StatusError("NOTVALID")
            self._hold(None, "")
        return ""

    @property
    def _pattern(self) -> Pattern:
        return Pattern(_PATTERN_CODES[self._type[1]], inverted=self._type[2] == "INVERTED")

    def _watch(self) -> None:
        if not self._counters.watching:
            self._counters.expect(self._pattern)
            self._counters.watch()

    def _prbs_type(self, request: _Request) -> str:
        if not request.asks:
            wanted = [request.coded(names) for names in (_PLACES, _POLYNOMIALS, _SENSES, _MODES)]
            if wanted[1] not in self._polynomials or wanted[3] != "ACCUMULATIVE":
                raise _StatusError("NOTSUPPORTED")
            self._type = wanted
            for lane, sends in enumerate(self._sending, start=1):
                if sends:
                    self._host_lanes.send(lane, self._pattern)
            self._counters.expect(self._pattern)
            self._watch()
        return " ".join(self._type)

    def _prbs_sending(self, request: _Request) -> str:
        assert request.index is not None
        if not request.asks:
            request.whole(0, 999_999_999)
            on = request.coded(_INSERTED) == "PRBSON"
            if request.coded(_ERRORS) == "ERRORSON":
                raise _StatusError("NOTSUPPORTED")
            self._sending[request.index] = on
            self._host_lanes.send(request.index + 1, self._pattern if on else None)
            self._watch()
        return f"0 {_INSERTED[self._sending[request.index]]} ERRORSOFF"

    def _prbs_status(self, request: _Request) -> str:
        assert request.index is not None
        self._watch()
        lane = request.index + 1
        count = self._counters.shown.get(lane, Count())
        lock = "PRBSON" if self._counters.locked(lane) else "PRBSOFF"
        # Without a pattern ever found there is nothing unstable about it.
        unstable = "UNSTABLE" if count.lost and (count.bits or lock == "PRBSON") else ""
        return self._constant(request, f"{count.bits // 8} {count.errors} {lock}{unstable}")

    def _clear(self, request: _Request) -> str:
        self._only_set(request)
        self._watch()
        self._counters.clear()
        return ""

    def _fec_statistics(self, request: _Request) -> str:
        self._watch()
        counts = self._counters.shown_fec
        numbers = [0, len(counts) + 1, *counts, sum(counts[:-1])] if counts else [_ALL_BITS_SET] * 20
        return self._constant(request, " ".join(map(str, numbers)))

    def _total_statistics(self, request: _Request) -> str:
        self._watch()
        counts = self._counters.shown_fec
        codewords, lost = sum(counts), counts[-1] if counts else 0
        bits = codewords * CODEWORD_BITS
        symbols = sum(wrong * number for wrong, number in enumerate(counts[:-1]))
        wrong, left = symbols + lost * (CORRECTABLE + 1), lost * (CORRECTABLE + 1)
        ratios = [bits // errors if errors else -(bits // _CONFIDENCE_FACTOR) for errors in (wrong, left)]
        numbers = (
            [bits, codewords, codewords - lost - counts[0], lost, symbols, *ratios]
            if counts
            else [_ALL_BITS_SET] * 7
        )
        return self._constant(request, " ".join(map(str, numbers)))
