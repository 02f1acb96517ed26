"""Command Data Block messaging of a simulated module (OIF-CMIS-05.4 §8.25, §9): one instance.

A command goes through its phases on the world's events: captured, checked, executed for a time below what
the module advertises, done. A module without background mode acknowledges nothing until then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.cmis.fields import encode
from drivers.cmis.image import HALF
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.pages.cdb import FIRST_EPL_PAGE, LPL_BYTES
from harness.simulation.module.commands.advertising import LPL_PAGE, profile_in_effect
from harness.simulation.module.commands.firmware import FirmwareStore, RefusedError, Result
from harness.simulation.module.commands.firmware_commands import FirmwareCommands
from harness.simulation.module.commands.general_commands import GeneralCommands
from harness.simulation.module.commands.message import (
    ABORT,
    EARLIEST_SHARE,
    LATEST_SHARE,
    QUERY_STATUS,
    START,
    Command,
    Finish,
    Message,
    Reply,
    complement,
    delay_s,
)
from harness.simulation.module.commands.passwords import Passwords
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.profile import Profile
from harness.simulation.world import Event, World, ns_from_s

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

_FIRST_EPL_REPLY = 239


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
        self._firmware_commands = FirmwareCommands(
            world, self._profile, self.firmware, share=self._share, reset=reset
        )
        general = GeneralCommands(self._profile, self.passwords, lambda: self._commands)
        self._commands = general.table() | self._firmware_commands.table()
        self._count = 0
        self._event: Event | None = None
        self._busy = False

    # -- what the module tells -------------------------------------------------------------------------

    def restart(self) -> None:
        """Reset, or the supply came or went: what ran is over, and the firmware boots anew."""
        if self._event is not None:
            self._event.cancel()
        self._event = None
        self._busy = False
        self.passwords.restart()
        self._firmware_commands.restart()
        self._show_versions()

    def host_wrote(self, written: Mapping[int, int]) -> None:
        """The host wrote these bytes of page 9Fh."""
        if self._triggers(written):
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
        except Exception:
            self._fail()
            raise
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
        duration_s = longest_s * self._share(message.command)
        return duration_s + (delay_s(message) if message.command == QUERY_STATUS else 0.0)

    def _share(self, command: int) -> float:
        """Part of its limit that a command takes; drawn anew each time."""
        return EARLIEST_SHARE + (LATEST_SHARE - EARLIEST_SHARE) * self._uniform("cdb", command, self._count)

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
        except Exception:
            self._fail()
            raise
        self._done(status, reply)

    def _fail(self) -> None:
        """An error of the simulation itself, which goes on to whoever lets time pass: the command must not
        stay busy for ever."""
        self._done(_FAILED | Result.UNSPECIFIC, Reply())

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
