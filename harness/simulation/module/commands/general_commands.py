"""CDB commands of a simulated module for status, passwords and features (OIF-CMIS-05.4 §9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.simulation.module.commands.advertising import longest_busy_s
from harness.simulation.module.commands.firmware import RefusedError, Result
from harness.simulation.module.commands.message import (
    ABORT,
    LATEST_SHARE,
    QUERY_STATUS,
    Command,
    Finish,
    Message,
    Reply,
    delay_s,
    ms_field,
)
from harness.simulation.module.commands.passwords import Passwords
from harness.simulation.module.profile.cdb import CdbProfile


class GeneralCommands:
    """The commands that every module with CDB has. ``all_commands()``: those, and the firmware's."""

    def __init__(
        self, profile: CdbProfile, passwords: Passwords, all_commands: Callable[[], Mapping[int, Command]]
    ) -> None:
        self._profile = profile
        self._passwords = passwords
        self._all_commands = all_commands

    def table(self) -> dict[int, Command]:
        """By their numbers."""
        short_s = self._profile.max_busy_s
        table = {
            QUERY_STATUS: Command(self._query_status, short_s, 2),
            0x0001: Command(self._enter_password, short_s, 4),
            0x0002: Command(self._change_password, short_s, 4),
            0x0040: Command(self._module_features, short_s),
        }
        if self._profile.background:
            table[ABORT] = Command(self._nothing_to_abort, short_s)
        return table

    def _query_status(self, message: Message) -> Finish:
        longest_s = delay_s(message) + self._profile.max_busy_s * LATEST_SHARE
        if not self._profile.background and longest_s > longest_busy_s(self._profile):
            raise RefusedError(Result.PARAMETER)  # it could not answer within tCDBF
        return lambda: Reply(bytes([2, int(self._passwords.entered)]))

    def _enter_password(self, message: Message) -> Finish:
        return self._password_command(self._passwords.enter, message)

    def _change_password(self, message: Message) -> Finish:
        return self._password_command(self._passwords.change, message)

    def _password_command(self, act: Callable[[int], bool], message: Message) -> Finish:
        if not act(message.u32(0)):
            raise RefusedError(Result.PASSWORD)
        return Reply

    def _nothing_to_abort(self, message: Message) -> Finish:
        return Reply

    def _module_features(self, message: Message) -> Finish:
        commands = self._all_commands()
        bitmap = sum(1 << command for command in commands if command <= 0xFF)
        longest_s = max(command.longest_s for command in commands.values())
        body = bytes(2) + bitmap.to_bytes(32, "little") + ms_field(longest_s, 1)
        return lambda: Reply(body)
