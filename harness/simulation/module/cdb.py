"""Command Data Block messaging of a simulated module (OIF-CMIS-05.4 §8.25, §9): one instance, with the
commands for status, passwords, features and firmware management.

A command goes through its phases on the world's events: captured, checked, executed for a time below what
the module advertises, done. A module without background mode acknowledges nothing until then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from drivers.cmis.fields import Value, encode
from drivers.cmis.image import HALF
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.pages.cdb import FIRST_EPL_PAGE, LPL_BYTES
from harness.simulation.module.firmware import (
    ERASED_BYTE,
    HEADER_BYTES,
    FirmwareStore,
    RefusedError,
    Result,
)
from harness.simulation.module.passwords import Passwords
from harness.simulation.module.profile import CdbProfile, Profile
from harness.simulation.module.registers import Registers
from harness.simulation.world import Event, World, ns_from_s

LPL_PAGE = FIELDS["CdbCommandID"].page

_ID = FIELDS["CdbCommandID"].byte
_LPL = FIELDS["CdbLPL"].byte
_RPL_LENGTH = FIELDS["CdbRPLLength"].byte
_STATUS = FIELDS["CdbIsBusy1"].byte
_UNCHECKED = 3  # check code and the two reply bytes, 133..135, are not part of the sum

_BUSY_CAPTURED, _BUSY_CHECKING, _BUSY_EXECUTING = 0x81, 0x82, 0x83
_SUCCESS, _ABORTED, _FAILED = 0x01, 0x03, 0x40

_CAPTURE_S = 0.004  # nothing is acknowledged: tCDBC allows 80 ms
_WAITING_S = 0.001  # shown as captured
_CHECKING_S = 0.001

_EARLIEST, _LATEST = 0.3, 0.8  # of the advertised limit, what a command really takes
_ABORT_S = 0.5
_COPY_S = 4.0
_LONGEST_BLOCK = LPL_BYTES - 4
_EXT_BUSY_STEP_S = 0.160
_BUSY_S = 0.080
_EPL_CODES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 8: 5, 12: 6, 16: 7}
_FIRST_EPL_REPLY = 239
_LARGEST_U16 = 0xFFFF

QUERY_STATUS, ABORT, START = 0x0000, 0x0004, 0x0101


@dataclass(frozen=True, slots=True)
class Message:
    """A command as captured."""

    command: int
    lpl: bytes
    epl: bytes
    intact: bool
    """Its check code is right."""
    fits: bool
    """LPL and EPL can have the lengths that it states."""

    def u32(self, offset: int) -> int:
        """Big-endian number in the LPL body."""
        return int.from_bytes(self.lpl[offset : offset + 4])


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command leaves in LPL or EPL."""

    lpl: bytes = b""
    epl: bytes = b""


Finish: TypeAlias = Callable[[], Reply]
"""The end of an execution. Raises RefusedError when the command fails after all."""


@dataclass(frozen=True, slots=True)
class Command:
    """``begin`` checks the parameters and starts the execution, which ``longest_s`` bounds."""

    begin: Callable[[Message], Finish]
    longest_s: float
    lpl_bytes: int = 0
    """Shortest LPL body."""
    guarded: bool = False
    """Needs the host password where the profile asks for it."""


def profile_in_effect(profile: Profile) -> CdbProfile:
    """The profile's CDB with what its quirks change: a slow start is advertised."""
    start_max_s = max(profile.cdb.start_max_s, profile.quirks.firmware_start_s)
    return replace(profile.cdb, start_max_s=start_max_s)


def cdb_pages(profile: CdbProfile) -> tuple[tuple[int, int], ...]:
    """(bank, page) of what the module has for CDB."""
    if not profile.supported:
        return ()
    return tuple((0, page) for page in (LPL_PAGE, *range(FIRST_EPL_PAGE, FIRST_EPL_PAGE + profile.epl_pages)))


def longest_busy_s(profile: CdbProfile) -> float:
    """Longest time that the module is busy with a command: with background mode of an ordinary one,
    without it (tCDBF, during which nothing is acknowledged) of any."""
    if profile.background:
        return profile.max_busy_s
    return max(profile.max_busy_s, profile.start_max_s, profile.write_max_s, profile.complete_max_s, _COPY_S)


def advertising(profile: CdbProfile) -> dict[str, Value]:
    """Values of 01h:163-166.

    The texts of 01h:165-166 contradict each other [?]: here CdbMaxBusySpecMethod 0 means CdbMaxBusyTime.
    """
    if not profile.supported:
        return {}
    busy_s = longest_busy_s(profile)
    extended = busy_s > _BUSY_S
    return {
        "CdbInstancesSupported": 1,
        "CdbBackgroundModeSupported": int(profile.background),
        "CdbAutoPagingSupported": int(profile.auto_paging),
        "CdbMaxPagesEPL": _EPL_CODES[profile.epl_pages],
        "CdbReadWriteLengthExtension": profile.length_extension,
        "CdbCommandTriggerMethod": int(profile.trigger_any_write),
        "CdbExtMaxBusyTime": -(-round(busy_s * 1e3) // round(_EXT_BUSY_STEP_S * 1e3)) if extended else 0,
        "CdbMaxBusySpecMethod": int(extended),
        "CdbMaxBusyTime": 0 if extended else int((_BUSY_S - busy_s) * 1e3 + 1e-6),
    }


def complement(data: bytes) -> int:
    """One's complement of the low 8 bits of the sum: CdbChkCode and RPLChkCode."""
    return ~sum(data) & 0xFF


class Cdb:
    """CDB instance 1 of a module, its firmware and its passwords.

    ``uniform(*key)`` draws in (0, 1) for this specimen; ``hold_off(until_ns)`` keeps the two-wire interface
    from acknowledging; ``latch(name, bits)`` sets a flag; ``reset()`` resets the module.
    """

    def __init__(
        self,
        world: World,
        registers: Registers,
        profile: Profile,
        *,
        uniform: Callable[..., float],
        hold_off: Callable[[int], None],
        latch: Callable[[str, int], None],
        reset: Callable[[], None],
    ) -> None:
        self._world = world
        self._registers = registers
        self._profile = profile_in_effect(profile)
        self._firmware_start_s = profile.quirks.firmware_start_s
        self._nacks_while_busy = not profile.cdb.background or profile.quirks.cdb_nacks_while_busy
        self._uniform = uniform
        self._hold_off = hold_off
        self._latch = latch
        self._reset = reset
        identity = profile.identity
        self.firmware = FirmwareStore(
            identity.part_number,
            (identity.firmware_major, identity.firmware_minor),
            banks=self._profile.banks,
            skips_erased=self._profile.skips_erased,
            corrupt=self._profile.firmware_corrupt,
        )
        # lower:42 came with CMIS 5.4
        self._reports_passwords = (identity.cmis_major, identity.cmis_minor) >= (5, 4)
        self.passwords = Passwords(self._profile.host_password, self._show_password_result)
        self._commands = self._table()
        self._count = 0
        self._event: Event | None = None
        self._run_event: Event | None = None
        self._boot_bank: str | None = None
        self._busy = False

    # -- what the module tells -------------------------------------------------------------------------

    def restart(self) -> None:
        """Reset, or the supply came or went: what ran is over, and the firmware boots anew."""
        for event in (self._event, self._run_event):
            if event is not None:
                event.cancel()
        self._event = self._run_event = None
        self._busy = False
        self.passwords.restart()
        bank, self._boot_bank = self._boot_bank, None
        self.firmware.boot(bank)
        self._show_versions()

    def host_wrote(self, page: int, written: Mapping[int, int]) -> None:
        """The host wrote these bytes (:meth:`RegisterOwner.host_wrote`)."""
        if min(written) < HALF:
            self.passwords.host_wrote(written)
        elif page == LPL_PAGE and self._triggers(written):
            self._trigger()

    # -- a command's phases ----------------------------------------------------------------------------

    def _triggers(self, written: Mapping[int, int]) -> bool:
        """CdbCommandTriggerMethod 1: any write that includes 9Fh:129; 0: of 129 alone, or of 128-129."""
        if _ID + 1 not in written:
            return False
        return self._profile.trigger_any_write or written.keys() <= {_ID, _ID + 1}

    def _trigger(self) -> None:
        message = self._capture()
        if self._busy:
            # A new command while one runs is not taken, but for Abort [?].
            if message.command == ABORT and message.intact and ABORT in self._commands:
                self._abort()
            return
        self._busy = True
        self._count += 1
        self._registers.put(0, LPL_PAGE, _RPL_LENGTH, bytes(2))
        self._show_status(_BUSY_CAPTURED)
        self._hold_off(self._world.now_ns + ns_from_s(_CAPTURE_S))
        self._next(_CAPTURE_S + _WAITING_S, lambda: self._check(message))

    def _capture(self) -> Message:
        registers = self._registers
        header = registers.get(0, LPL_PAGE, HALF, _LPL - HALF)
        command, epl_length = int.from_bytes(header[0:2]), int.from_bytes(header[2:4])
        lpl_length, check_code = header[4], header[5]
        body = registers.get(0, LPL_PAGE, _LPL, LPL_BYTES)[:lpl_length]
        summed = header[:-_UNCHECKED] + body
        pages = min(-(-epl_length // HALF), self._profile.epl_pages)
        epl = b"".join(registers.get(0, FIRST_EPL_PAGE + index, HALF, HALF) for index in range(pages))
        return Message(
            command,
            body,
            epl[:epl_length],
            intact=complement(summed) == check_code,
            fits=lpl_length <= LPL_BYTES and epl_length <= self._profile.epl_pages * HALF,
        )

    def _check(self, message: Message) -> None:
        self._show_status(_BUSY_CHECKING)
        self._next(_CHECKING_S, lambda: self._execute(message))

    def _execute(self, message: Message) -> None:
        try:
            command = self._checked(message)
            finish = command.begin(message)
        except RefusedError as refused:
            self._done(_FAILED | refused.result, Reply())
            return
        self._show_versions()
        self._show_status(_BUSY_EXECUTING)
        spent_s = _CAPTURE_S + _WAITING_S + _CHECKING_S
        self._next(max(0.0, self._duration_s(message, command) - spent_s), lambda: self._finish(finish))

    def _duration_s(self, message: Message, command: Command) -> float:
        """From the trigger to the end."""
        longest_s = command.longest_s
        if message.command == START and self._firmware_start_s:
            return self._firmware_start_s
        if message.command == START and self._profile.start_returns_early:
            longest_s = self._profile.max_busy_s
        duration_s = longest_s * self._drawn(message.command)
        return duration_s + (_delay_s(message) if message.command == QUERY_STATUS else 0.0)

    def _drawn(self, command: int) -> float:
        """Part of its limit that a command takes; drawn anew each time."""
        return _EARLIEST + (_LATEST - _EARLIEST) * self._uniform("cdb", command, self._count)

    def _checked(self, message: Message) -> Command:
        if not message.intact:
            raise RefusedError(Result.CHECK_CODE)
        if message.command not in self._commands:
            raise RefusedError(Result.UNKNOWN_COMMAND)
        command = self._commands[message.command]
        if command.guarded and self._profile.password_required and not self.passwords.entered:
            raise RefusedError(Result.PASSWORD)
        if not message.fits or len(message.lpl) < command.lpl_bytes:
            raise RefusedError(Result.PARAMETER)
        return command

    def _finish(self, finish: Finish) -> None:
        try:
            reply, status = finish(), _SUCCESS
        except RefusedError as refused:
            reply, status = Reply(), _FAILED | refused.result
        self._done(status, reply)

    def _done(self, status: int, reply: Reply) -> None:
        self._busy = False
        self._event = None
        self._put_reply(reply)
        self._show_versions()
        self._show_status(status)
        if self._profile.completion_flag:
            self._latch("CdbCmdCompleteFlag1", 1)

    def _abort(self) -> None:
        """Abort Processing: what the command has spoilt so far stays so."""
        if self._event is not None:
            self._event.cancel()
        self._done(_ABORTED if self._profile.abort_shows_aborted else _SUCCESS, Reply())

    def _next(self, delay_s: float, action: Callable[[], None]) -> None:
        self._event = self._world.after(delay_s, action)
        if self._nacks_while_busy:
            self._hold_off(self._event.when_ns)

    # -- registers -------------------------------------------------------------------------------------

    def _show_status(self, status: int) -> None:
        self._registers.put(0, 0, _STATUS, bytes([status]))

    def _show_password_result(self, result: int) -> None:
        if self._reports_passwords:
            encode(FIELDS["PasswordCommandResult"], result, self._registers)

    def _show_versions(self) -> None:
        firmware = self.firmware
        for side, version in (("Active", firmware.active_version), ("Inactive", firmware.inactive_version)):
            for part, number in zip(("Major", "Minor"), version, strict=True):
                encode(FIELDS[f"Module{side}Firmware{part}Revision"], number, self._registers)

    def _put_reply(self, reply: Reply) -> None:
        if reply.epl:
            pages = -(-len(reply.epl) // HALF)
            body = reply.epl.ljust(pages * HALF, b"\0")
            for index in range(pages):
                part = body[index * HALF : (index + 1) * HALF]
                self._registers.put(0, FIRST_EPL_PAGE + index, HALF, part)
            length = _FIRST_EPL_REPLY + pages
        else:
            body, length = reply.lpl, len(reply.lpl)
            if body:
                self._registers.put(0, LPL_PAGE, _LPL, body)
        check_code = complement(body) if body else 0
        self._registers.put(0, LPL_PAGE, _RPL_LENGTH, bytes([length, check_code]))

    # -- the commands ----------------------------------------------------------------------------------

    def _table(self) -> dict[int, Command]:
        profile = self._profile
        short_s, write_s = profile.max_busy_s, profile.write_max_s
        table = {
            QUERY_STATUS: Command(self._query_status, short_s, 2),
            0x0001: Command(self._enter_password, short_s, 4),
            0x0002: Command(self._change_password, short_s, 4),
            0x0040: Command(self._module_features, short_s),
            0x0041: Command(self._firmware_features, short_s),
            0x0100: Command(self._firmware_info, short_s),
            START: Command(self._start, profile.start_max_s, 8, guarded=True),
            0x0103: Command(self._write_lpl, write_s, 5, guarded=True),
            0x0107: Command(self._complete, profile.complete_max_s, guarded=True),
            0x0109: Command(self._run, short_s, 4, guarded=True),
            0x010A: Command(self._commit, short_s, guarded=True),
        }
        if profile.background:
            table[ABORT] = Command(self._nothing_to_abort, short_s)
        if profile.abort_supported:
            table[0x0102] = Command(self._abort_download, _ABORT_S, guarded=True)
        if profile.epl_pages:
            table[0x0104] = Command(self._write_epl, write_s, 4, guarded=True)
        if profile.readback_supported:
            table[0x0105] = Command(self._read_lpl, short_s, 6, guarded=True)
            if profile.epl_pages:
                table[0x0106] = Command(self._read_epl, short_s, 6, guarded=True)
        if self._copies:
            table[0x0108] = Command(self._copy, _COPY_S, 1, guarded=True)
        return table

    @property
    def _copies(self) -> bool:
        return self._profile.copy_supported and self._profile.banks == 2

    def _query_status(self, message: Message) -> Finish:
        longest_s = _delay_s(message) + self._profile.max_busy_s * _LATEST
        if not self._profile.background and longest_s > longest_busy_s(self._profile):
            raise RefusedError(Result.PARAMETER)  # it could not answer within tCDBF
        return lambda: Reply(bytes([2, int(self.passwords.entered)]))

    def _enter_password(self, message: Message) -> Finish:
        return self._password_command(self.passwords.enter, message)

    def _change_password(self, message: Message) -> Finish:
        return self._password_command(self.passwords.change, message)

    def _password_command(self, act: Callable[[int], bool], message: Message) -> Finish:
        if not act(message.u32(0)):
            raise RefusedError(Result.PASSWORD)
        return Reply

    def _nothing_to_abort(self, message: Message) -> Finish:
        return Reply

    def _module_features(self, message: Message) -> Finish:
        bitmap = sum(1 << command for command in self._commands if command <= 0xFF)
        longest_s = max(command.longest_s for command in self._commands.values())
        body = bytes(2) + bitmap.to_bytes(32, "little") + _ms(longest_s, 1)
        return lambda: Reply(body)

    def _firmware_features(self, message: Message) -> Finish:
        profile = self._profile
        durations_s = (
            profile.start_max_s,
            _ABORT_S if profile.abort_supported else 0.0,
            profile.write_max_s,
            profile.complete_max_s,
            _COPY_S if self._copies else 0.0,
        )
        coarse = any(duration_s * 1e3 > _LARGEST_U16 for duration_s in durations_s)
        features = (
            profile.readback_supported << 7
            | coarse << 3
            | profile.skips_erased << 2
            | self._copies << 1
            | profile.abort_supported
        )
        both = 0x11 if profile.epl_pages else 0x01
        head = bytes(
            (
                0,
                features,
                HEADER_BYTES,
                ERASED_BYTE,
                profile.length_extension,
                both,
                both if profile.readback_supported else 0,
                0,  # no hitless restart
            )
        )
        body = head + b"".join(_ms(duration_s, 10 if coarse else 1) for duration_s in durations_s)
        return lambda: Reply(body)

    def _firmware_info(self, message: Message) -> Finish:
        return lambda: Reply(self.firmware.information())

    def _start(self, message: Message) -> Finish:
        if len(message.lpl) != 8 + HEADER_BYTES:
            raise RefusedError(Result.PARAMETER)
        download = self.firmware.start(message.u32(0), message.lpl[8:])
        if self._profile.start_returns_early:
            erasing_s = self._profile.start_max_s * self._drawn(START)
            download.writable_from_ns = self._world.now_ns + ns_from_s(erasing_s)

        def finish() -> Reply:
            self.firmware.begin_writing(download)
            return Reply()

        return finish

    def _abort_download(self, message: Message) -> Finish:
        self.firmware.abort()
        return Reply

    def _write_lpl(self, message: Message) -> Finish:
        return self._write(message, message.lpl[4:])

    def _write_epl(self, message: Message) -> Finish:
        return self._write(message, message.epl)

    def _write(self, message: Message, block: bytes) -> Finish:
        address = message.u32(0)
        download = self.firmware.check_block(address, len(block), self._world.now_ns)
        bad = self._profile.bad_flash_address

        def finish() -> Reply:
            if address <= bad < address + len(block):
                raise RefusedError(Result.EXECUTION)
            download.body[address : address + len(block)] = block
            download.received[address : address + len(block)] = b"\1" * len(block)
            return Reply()

        return finish

    def _read_lpl(self, message: Message) -> Finish:
        length = int.from_bytes(message.lpl[4:6])
        if length > _LONGEST_BLOCK:
            raise RefusedError(Result.PARAMETER)
        block = self.firmware.read_back(message.u32(0), length)
        return lambda: Reply(message.lpl[:4] + block)

    def _read_epl(self, message: Message) -> Finish:
        length = int.from_bytes(message.lpl[4:6])
        if length > self._profile.epl_pages * HALF:
            raise RefusedError(Result.PARAMETER)
        block = self.firmware.read_back(message.u32(0), length)
        return lambda: Reply(epl=block)

    def _complete(self, message: Message) -> Finish:
        def finish() -> Reply:
            self.firmware.complete()
            return Reply()

        if self.firmware.download is None:
            raise RefusedError(Result.NOT_NOW)
        return finish

    def _copy(self, message: Message) -> Finish:
        direction = message.lpl[0]
        source, target = self.firmware.copied(direction)

        def finish() -> Reply:
            target.header, target.body, target.valid, target.spoilt = source.header, source.body, True, False
            return Reply(len(source.body).to_bytes(4) + bytes([direction, 0]))

        return finish

    def _run(self, message: Message) -> Finish:
        bank = self.firmware.bank_to_run(message.lpl[1])
        delay_s = int.from_bytes(message.lpl[2:4]) * 1e-3

        def restart() -> None:
            self._boot_bank = bank
            self._reset()

        def finish() -> Reply:
            self._run_event = self._world.after(delay_s, restart)
            return Reply()

        return finish

    def _commit(self, message: Message) -> Finish:
        def finish() -> Reply:
            self.firmware.commit()
            return Reply()

        return finish


def _delay_s(message: Message) -> float:
    """The delay that Query Status asks for."""
    return int.from_bytes(message.lpl[:2]) * 1e-3


def _ms(duration_s: float, step: int) -> bytes:
    """Milliseconds in steps of ``step``, rounded up, in a U16 that saturates."""
    return min(_LARGEST_U16, -(-round(duration_s * 1e3) // step)).to_bytes(2)
