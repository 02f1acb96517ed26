"""Executing CDB commands (OIF-CMIS-05.4 §5.3, §8.25, §9).

Nothing sleeps for a fixed time here. A module that executes in the foreground refuses to acknowledge until
it is done, for as long as it advertises (tCDBF); one that executes in the background shows busy in lower:37
or 38. Both are looked at again and again, at intervals that are a tenth of the time already waited, until the
limit that the module advertises has passed.

CdbCmdComplete (lower:8) is not used: reading it would clear flags that others wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import RLock
from weakref import WeakKeyDictionary

from drivers.clock import StopRequested, polls, shielded
from drivers.cmis.cdb.advertisement import CAPTURE_S, CdbAdvertisement, read_advertisement
from drivers.cmis.cdb.commands import COMMANDS, Command, command, encode_body
from drivers.cmis.cdb.message import (
    HEADER_BYTES,
    build_message,
    check_reply,
    parse_message,
    parse_reply_header,
)
from drivers.cmis.cdb.secret import Secret
from drivers.cmis.cdb.status import ABORTED, CdbStatus
from drivers.cmis.errors import (
    CdbBusyError,
    CdbCommandFailedError,
    CdbError,
    CdbNotAdvertisedError,
    CdbReplyError,
    CdbTimeoutError,
    CmisError,
    ModuleNotRespondingError,
)
from drivers.cmis.fields import Value
from drivers.cmis.image import HALF
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.cmis.pages.cdb import EPL_PAGES, FIRST_EPL_PAGE, LPL_BYTES
from drivers.cmis.ports import SHORTEST_ACCESS, HasLimits, HoldsOff, bus_held
from drivers.errors import BenchError, ConnectionFailedError, InstrumentError, NoReplyError

__all__ = ["UNADVERTISED_LIMIT_S", "CdbReply", "CdbSession"]

UNADVERTISED_LIMIT_S = 5.0
"""Allowed to a command in the background that the module gives no maximum duration of. CMIS gives none
either: a choice of this library's, a little longer than the longest tCDBF (4.96 s)."""

_SHORTEST_POLL_S, _LONGEST_POLL_S = 0.001, 0.050

_LPL_PAGE = FIELDS["CdbCommandID"].page
_TRIGGER = FIELDS["CdbCommandID"]
_REPLY_HEADER = FIELDS["CdbRPLLength"]
_LPL = FIELDS["CdbLPL"]
_SHOWN_BYTES = 16

_LOCKS: WeakKeyDictionary[object, dict[int, RLock]] = WeakKeyDictionary()  # by memory and instance
_LOCKS_LOCK = RLock()


@dataclass(frozen=True, slots=True)
class CdbReply:
    """A command that was executed. ``data``: the reply's body, b"" where there is none; from EPL
    (``in_epl``) whole pages. ``elapsed_s``: from the end of the write that triggered the command to the look
    that found it done; ``allowed_s``: how long was waited at most."""

    command: Command
    status: CdbStatus
    data: bytes = field(repr=False)
    in_epl: bool
    elapsed_s: float
    allowed_s: float

    def values(self) -> dict[str, Value]:
        """The reply's fields by name, as far as their layout is known and the reply reaches."""
        return self.command.decode_reply(self.data)


class CdbSession:
    """Commands to one CDB instance of a module, one after the other, also those of several sessions and
    threads that share its memory port (but for :meth:`abort`). Does no I/O when it is constructed.

    ``instance``: 1 or 2. ``strict``: replies' check codes must be right; else only not 0. ``trace`` is called
    with one line of text for each command; bodies of password commands are not in it. ``first_look_s``: 0,
    but for modules that neither refuse to acknowledge nor show busy right after a command was triggered and
    still show the status of the one before: they are looked at only after this time.

    A port with ``limits`` is never given longer accesses than those, nor than the module advertises: set
    its limits to what the module advertises, or a download goes in pieces of 8 bytes.

    Methods raise :class:`drivers.cmis.errors.CmisError` for the module's faults and
    :class:`drivers.errors.BenchError` for the bench's.
    """

    def __init__(
        self,
        module: CmisModule,
        *,
        instance: int = 1,
        strict: bool = True,
        trace: Callable[[str], None] | None = None,
        first_look_s: float = 0.0,
    ) -> None:
        if instance not in (1, 2):
            raise ValueError(f"CDB instances are 1 and 2, not {instance}")
        if not 0.0 <= first_look_s <= UNADVERTISED_LIMIT_S:
            raise ValueError(f"first_look_s is 0..{UNADVERTISED_LIMIT_S:g} s, not {first_look_s:g}")
        self.module = module
        self.clock = module.clock
        self.instance = instance
        self._bank = instance - 1
        self._strict = strict
        self._trace = trace
        self._first_look_s = first_look_s
        self._advertised: CdbAdvertisement | None = None
        self._limits_s: dict[int, float] = {}
        self._longest_s: float | None = None
        self._firmware_access_bytes: int | None = None
        self._lock = _lock_of(module.memory, instance)

    @property
    def status_register(self) -> str:
        """Where this instance shows its status: ``lower:37``."""
        return f"lower:{FIELDS[f'CdbIsBusy{self.instance}'].byte}"

    def advertised(self) -> CdbAdvertisement:
        """What the module advertises; read once, until :meth:`forget`.

        :raises CdbNotAdvertisedError: when it has no CDB, or not this instance.
        """
        if self._advertised is None:
            found = read_advertisement(self.module.registers)
            where = FIELDS["CdbInstancesSupported"].where
            if not found.instances:
                raise CdbNotAdvertisedError(f"the module does not support CDB: {where} is 0")
            if self.instance > found.instances:
                raise CdbNotAdvertisedError(
                    f"the module has {found.instances} CDB instance, no instance {self.instance} ({where})"
                )
            self._advertised = found
        return self._advertised

    def forget(self) -> None:
        """To be called when the module was reset or exchanged: what it advertised may have changed."""
        self._advertised = None
        self._limits_s.clear()
        self._longest_s = None
        self._firmware_access_bytes = None
        self.module.forget_page()

    def learn(
        self,
        *,
        longest_s: float | None = None,
        limits_s: Mapping[int, float] | None = None,
        firmware_access_bytes: int | None = None,
    ) -> None:
        """Take over what the module advertised by commands 0040h and 0041h: the longest a command takes, the
        longest of single ones (by number, seconds), and the longest access for firmware commands."""
        if longest_s is not None:
            self._longest_s = longest_s
        self._limits_s.update(limits_s or {})
        if firmware_access_bytes is not None:
            self._firmware_access_bytes = firmware_access_bytes

    def status(self) -> CdbStatus:
        """Status of the last command. A module that executes in the foreground does not answer meanwhile."""
        byte = FIELDS[f"CdbIsBusy{self.instance}"].byte
        return CdbStatus.decode(self.module.memory.read(0, 0, byte, 1)[0])

    def allowed_s(self, number: int) -> float:
        """How long a command may take: its own advertised maximum (0041h), the module's (0040h), tCDBF."""
        advertised = self.advertised()
        known = [advertised.patience_s]
        if number in self._limits_s:
            known.append(self._limits_s[number])
        elif self._longest_s is not None:
            known.append(self._longest_s)
        elif advertised.background:
            known.append(UNADVERTISED_LIMIT_S)
        return max(known)

    def execute(
        self,
        number: int,
        body: bytes | Secret = b"",
        epl: bytes = b"",
        *,
        max_duration_s: float | None = None,
        when_busy: bool = False,
    ) -> CdbReply:
        """Send a command, wait until it is done, check and return its reply.

        ``body``: local payload, up to 120 bytes; ``epl``: extended payload, up to 2048. ``max_duration_s``:
        instead of :meth:`allowed_s`. ``when_busy``: do not wait for an earlier command (abort).

        :raises ValueError: for a body that does not fit.
        :raises CdbNotAdvertisedError: when the module has no CDB, or no such extended payload.
        :raises CdbBusyError: when an earlier command is not done in the time allowed. Nothing was sent.
        :raises CdbTimeoutError: when this command is not.
        :raises CdbCommandFailedError: when the module says that it failed.
        :raises CdbReplyError: when the reply is damaged, or another command's.
        :raises ModuleNotRespondingError: when the command could not be sent. It was not executed.

        The body of a password command is overwritten with zeros however the call ends, a stop of the run
        included. Where that cannot be done the error says so.
        """
        entry = command(number)
        if entry.secret and isinstance(body, bytes):
            body = Secret(body)
        self._check_payload(entry, len(body), len(epl))
        allowed_s = self.allowed_s(number) if max_duration_s is None else max_duration_s
        # An abort is for what another thread waits for, so it does not wait for that one.
        alone: AbstractContextManager[object] = nullcontext() if when_busy else self._lock
        with alone:
            if not when_busy:
                self._wait_until_idle(entry, allowed_s)
            return self._execute(entry, body, epl, allowed_s)

    def _execute(self, entry: Command, body: bytes | Secret, epl: bytes, allowed_s: float) -> CdbReply:
        # The error is raised outside of the handler, so that a password's bytes are neither in its text nor
        # in the texts and frames of an error it came from.
        problem: Exception | None = None
        try:
            self._send(entry, body, epl)
        except (CmisError, BenchError) as error:
            if not entry.secret:
                raise
            problem = _without_text(entry, error)
        if problem is not None:
            self._tell(entry, body, epl, "could not be sent")
            _add_to(problem, self._wipe(len(body), CAPTURE_S))  # a part of it may be there
            raise problem
        start_s = self.clock.now_s()
        try:
            status = self._wait_until_done(entry, start_s, allowed_s)
        except BaseException as error:
            if entry.secret:
                left_s = max(0.0, start_s + allowed_s - self.clock.now_s())
                _add_to(error, self._wipe(len(body), self._hold_off_s(left_s)))
            raise
        elapsed_s = self.clock.now_s() - start_s
        self._tell(entry, body, epl, f"{status.text} after {elapsed_s * 1e3:.1f} ms")
        leftover = self._wipe(len(body), 0.0) if entry.secret else ""
        if not status.succeeded:
            failure = CdbCommandFailedError(
                f"CDB command {entry.title}: {self.status_register} reads {status.text}; expected 01h. "
                f"{status.advice}".rstrip(),
                command=entry.number,
                code=status.raw,
            )
            _add_to(failure, leftover)
            raise failure
        if leftover:
            raise CdbError(f"CDB command {entry.title} was executed. {leftover}")
        data, in_epl = self._reply(entry) if entry.replies else (b"", False)
        return CdbReply(entry, status, data, in_epl, elapsed_s, allowed_s)

    def abort(self) -> None:
        """Stop what the instance executes in the background (0004h).

        :raises CmisError: as :meth:`execute`; a foreground module cannot be reached while it executes.
        """
        try:
            self.execute(0x0004, when_busy=True)
        except CdbCommandFailedError as error:
            # Whose status is shown then, the abort's or that of what it stopped, modules see differently.
            if error.code != ABORTED:
                raise

    def query_status(self) -> int:
        """Whose privileges the host has (0000h): 0 none yet, 1 the host password's, 80h and up a module
        password's.

        :raises CdbReplyError: when the reply is too short.
        """
        reply = self.execute(0x0000, encode_body(COMMANDS[0x0000], 0))
        value = reply.values().get("QueryStatus")
        if not isinstance(value, int):
            raise CdbReplyError(
                f"CDB command {reply.command.title}: the reply has {len(reply.data)} bytes; expected 2"
            )
        return value

    def enter_password(self, value: int | bytes | Secret, *, by_register: bool = False) -> None:
        """Enter a password, by command 0001h or (``by_register``) in lower:122-125, which modules without
        CDB have too. ``value``: 32 bits. Neither errors nor traces show it.

        By register, nothing here says whether the module took it: see :meth:`query_status`.

        :raises CdbCommandFailedError: when the module refuses it (46h).
        """
        secret = Secret.password(value)
        del value  # not in a frame that a debugger prints
        if by_register:
            self._write_register("PasswordEntryArea", secret)
        else:
            self.execute(0x0001, secret)

    def change_password(self, new: int | bytes | Secret, *, by_register: bool = False) -> None:
        """Set a new password, by command 0002h or in lower:118-121, after the old one was entered.

        :raises CdbCommandFailedError: when the module refuses it.
        """
        secret = Secret.password(new)
        del new
        if by_register:
            self._write_register("PasswordChangeEntryArea", secret)
        else:
            self.execute(0x0002, secret)

    def _write_register(self, name: str, secret: Secret) -> None:
        problem: Exception | None = None
        try:
            self.module.memory.write(0, 0, FIELDS[name].byte, secret.reveal())
        except (CmisError, BenchError) as error:
            problem = _without_text(f"writing {name} ({FIELDS[name].where})", error)
        if problem is not None:
            raise problem

    def _check_payload(self, entry: Command, body: int, epl: int) -> None:
        advertised = self.advertised()
        if body > LPL_BYTES:
            raise ValueError(f"CDB command {entry.title}: a body of {body} bytes; {LPL_BYTES} fit")
        if epl > EPL_PAGES * HALF:
            raise ValueError(
                f"CDB command {entry.title}: {epl} bytes of extended payload; {EPL_PAGES * HALF} fit"
            )
        if epl > advertised.epl_pages * HALF:
            raise CdbNotAdvertisedError(
                f"CDB command {entry.title}: {epl} bytes of extended payload; the module has "
                f"{advertised.epl_pages} pages of {HALF} bytes for it ({FIELDS['CdbMaxPagesEPL'].where})"
            )

    def _access_bytes(self, entry: Command, *, writing: bool) -> int:
        """Bytes of the longest access that the module advertises for this command and the port takes."""
        longest = self.advertised().access_bytes
        if entry.group == "firmware" and self._firmware_access_bytes is not None:
            longest = self._firmware_access_bytes
        memory = self.module.memory
        if isinstance(memory, HasLimits):
            limits = memory.limits
            port = limits.longest_write(_LPL_PAGE) if writing else limits.longest_read(_LPL_PAGE)
            longest = min(longest, port)
        return min(longest, HALF)

    def _hold_off_s(self, allowed_s: float) -> float:
        """For how much of this time the module may refuse to acknowledge."""
        return min(allowed_s, CAPTURE_S) if self.advertised().background else allowed_s

    def _send(self, entry: Command, body: bytes | Secret, epl: bytes) -> None:
        plain = body.reveal() if isinstance(body, Secret) else body
        message = build_message(entry.number, plain, len(epl))
        longest = self._access_bytes(entry, writing=True)
        with bus_held(self.module.memory):  # half a message and half of another one make no message
            for start in range(0, len(epl), HALF):
                self._write_pieces(FIRST_EPL_PAGE + start // HALF, HALF, epl[start : start + HALF], longest)
            if self.advertised().trigger_on_stop and len(message) <= longest:
                self.module.memory.write(self._bank, _LPL_PAGE, _TRIGGER.byte, message)
                return
            # The CMDID last and alone: that triggers by either method, and only once all else is there.
            self._write_pieces(_LPL_PAGE, _TRIGGER.byte + _TRIGGER.size, message[_TRIGGER.size :], longest)
            self.module.memory.write(self._bank, _LPL_PAGE, _TRIGGER.byte, message[: _TRIGGER.size])

    def _write_pieces(self, page: int, byte: int, data: bytes, longest: int) -> None:
        for start in range(0, len(data), longest):
            self.module.memory.write(self._bank, page, byte + start, data[start : start + longest])

    def _read_pieces(self, page: int, byte: int, length: int, longest: int) -> bytes:
        return b"".join(
            self.module.memory.read(self._bank, page, byte + start, min(longest, length - start))
            for start in range(0, length, longest)
        )

    def _wait_until_idle(self, entry: Command, allowed_s: float) -> None:
        """An earlier command, of this host or of another one, may still run."""
        start_s = self.clock.now_s()
        status, quiet = self._look_until_idle(start_s, allowed_s, self.advertised().patience_s)
        elapsed_s = self.clock.now_s() - start_s
        if status is None and quiet is not None:
            raise quiet
        if status is not None and status.busy:
            raise CdbBusyError(
                f"CDB command {entry.title} was not sent: {self.status_register} still reads {status.text}, "
                f"after {elapsed_s:.3f} s ({allowed_s:g} s allowed). An earlier command still runs, perhaps "
                "of another host; a background command can be stopped with CdbSession.abort()."
            )

    def _wait_until_done(self, entry: Command, start_s: float, allowed_s: float) -> CdbStatus:
        advertised = self.advertised()
        hold_off_s = self._hold_off_s(allowed_s)
        if self._first_look_s:
            self.clock.sleep(min(self._first_look_s, allowed_s))
        status, quiet = self._look_until_idle(start_s, allowed_s, hold_off_s)
        if status is not None and not status.busy:
            return status
        elapsed_s = self.clock.now_s() - start_s
        found = "does not acknowledge" if status is None else f"reads {status.text}"
        advice = (
            "It may still be done later; CdbSession.abort() stops it."
            if advertised.background
            else "A module in the foreground cannot be stopped but by a reset."
        )
        raise CdbTimeoutError(
            f"CDB command {entry.title} is not done after {elapsed_s:.3f} s, {allowed_s:g} s are allowed: "
            f"{self.status_register} {found}. {advice}",
            elapsed_s=elapsed_s,
            allowed_s=allowed_s,
            register=self.status_register,
        ) from quiet

    def _look_until_idle(
        self, start_s: float, allowed_s: float, hold_off_s: float
    ) -> tuple[CdbStatus | None, ModuleNotRespondingError | None]:
        """Look until the instance is not busy or ``allowed_s`` has passed since ``start_s``. Returns what the
        last look found: a status, or None and why there is none.

        ``hold_off_s``: for how long the module may refuse to acknowledge.
        """
        memory = self.module.memory
        until_s = start_s + allowed_s
        status: CdbStatus | None = None
        quiet: ModuleNotRespondingError | None = None

        def interval_s() -> float:
            return min(_LONGEST_POLL_S, max(_SHORTEST_POLL_S, (self.clock.now_s() - start_s) / 10))

        for _ in polls(self.clock, until_s, interval_s):
            status = quiet = None
            left_s = max(0.0, until_s - self.clock.now_s())
            if isinstance(memory, HoldsOff):
                memory.expect_hold_off(min(hold_off_s, left_s))
            try:
                status = self.status()
            except ModuleNotRespondingError as error:
                quiet = error  # a port that cannot be told for how long gives up earlier than allowed
            if status is not None and not status.busy:
                return status, None
        return status, quiet

    def _reply(self, entry: Command) -> tuple[bytes, bool]:
        what = f"CDB command {entry.title}"
        longest = self._access_bytes(entry, writing=False)
        # The whole header in one read, so that the lengths are of the command that is named.
        raw = self.module.memory.read(self._bank, _LPL_PAGE, _TRIGGER.byte, HEADER_BYTES)
        number = parse_message(raw).command
        if number != entry.number:
            raise CdbReplyError(
                f"{what}: {_TRIGGER.where} holds {number:04X}h, so the reply is another command's. Somebody "
                "else uses this CDB instance: send the command again when nobody does."
            )
        header = parse_reply_header(raw[_REPLY_HEADER.byte - _TRIGGER.byte :], what=what)
        pages = header.epl_pages
        if pages > self.advertised().epl_pages:
            raise CdbReplyError(
                f"{what}: RPLLength ({_REPLY_HEADER.where}) is {header.length}, a reply on {pages} pages of "
                f"EPL; the module advertises {self.advertised().epl_pages} ({FIELDS['CdbMaxPagesEPL'].where})"
            )
        data = self._read_pieces(_LPL_PAGE, _LPL.byte, header.lpl_bytes, longest)
        for page in range(pages):
            data += self._read_pieces(FIRST_EPL_PAGE + page, HALF, HALF, longest)
        check_reply(header, data, strict=self._strict, what=what)
        return data, bool(pages)

    def _wipe(self, length: int, hold_off_s: float) -> str:
        """Take a password off page 9Fh, where a dump would show it. Returns what is to be said when that
        cannot be done, else nothing. ``hold_off_s``: for how long the module may refuse to acknowledge."""
        memory = self.module.memory
        leftover = (
            f"The body of the password command could not be removed from {_LPL.where}: it may still lie "
            "there, where a dump of the module shows it, until the next command"
        )
        try:
            with shielded(self.clock):  # who stops the run does not want to leave a password behind
                if isinstance(memory, HoldsOff):
                    memory.expect_hold_off(hold_off_s)
                self._write_pieces(_LPL_PAGE, _LPL.byte, bytes(length), SHORTEST_ACCESS)
        except (CmisError, BenchError) as error:
            return f"{leftover} ({error})."
        except StopRequested as stop:  # of a clock that cannot be shielded
            stop.add_note(f"{leftover}.")
            raise
        return ""

    def _tell(self, entry: Command, body: bytes | Secret, epl: bytes, outcome: str) -> None:
        if self._trace is None:
            return
        if isinstance(body, Secret):
            shown = str(body)
        else:
            shown = body[:_SHOWN_BYTES].hex(" ") + (" ..." if len(body) > _SHOWN_BYTES else "")
        extended = f" + {len(epl)} bytes of EPL" if epl else ""
        self._trace(f"CDB{self.instance} {entry.title} [{shown}]{extended}: {outcome}")


def _lock_of(memory: object, instance: int) -> RLock:
    """The lock of one CDB instance, whatever session it is reached by. A port that cannot be referred to
    weakly has none in common."""
    try:
        with _LOCKS_LOCK:
            return _LOCKS.setdefault(memory, {}).setdefault(instance, RLock())
    except TypeError:
        return RLock()


def _add_to(error: BaseException, leftover: str) -> None:
    """Let an error tell of a password that was left behind, in its text where it is ours to change."""
    if not leftover:
        return
    if isinstance(error, CmisError):
        error.args = (f"{error} {leftover}",)
    else:
        error.add_note(leftover)


def _without_text(what: Command | str, error: CmisError | BenchError) -> Exception:
    """An error of the same kind that carries nothing of the first one's text: what a port says of a write
    that failed may hold what was to be written."""
    doing = what if isinstance(what, str) else f"sending CDB command {what.title}"
    text = (
        f"{type(error).__name__} while {doing}. Its text is withheld, for it may show the password. Read "
        "any other register to see whether the module answers."
    )
    if isinstance(error, ModuleNotRespondingError):
        return ModuleNotRespondingError(text)
    if isinstance(error, CmisError):
        return CdbError(text)
    if isinstance(error, InstrumentError):
        for kind in (ConnectionFailedError, NoReplyError):
            if isinstance(error, kind):
                return kind(error.instrument, text)
        return InstrumentError(error.instrument, text)
    return BenchError(text)
