"""The password facility of a simulated module: lower:118-125 and CDB commands 0001h and 0002h
(OIF-CMIS-05.4 §8.2, §9.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.cmis.memory_map import FIELDS

_FIRST_VENDOR_PASSWORD = 0x8000_0000
_BYTES = 4

ACCEPTED = 1
REFUSED = 2
"""PasswordCommandResult, lower:42 [?]: the codes are this simulation's guess; 0 says that none was given."""


class Passwords:
    """One module's host password. It is non-volatile; that it was entered is forgotten at a restart.

    Module (vendor) passwords, those with bit 31 set, open nothing here.
    """

    def __init__(self, host_password: int, show_result: Callable[[int], None]) -> None:
        self._host_password = host_password
        self._show_result = show_result
        self.entered = False

    def restart(self) -> None:
        """Power-up or reset: locked."""
        self.entered = False

    def enter(self, password: int) -> bool:
        """Whether it is right; a wrong one locks."""
        self.entered = password == self._host_password
        return self.entered

    def change(self, password: int) -> bool:
        """Whether the host password is ``password`` now: only after the old one was entered."""
        if not self.entered or password >= _FIRST_VENDOR_PASSWORD:
            return False
        self._host_password = password
        return True

    def host_wrote(self, written: Mapping[int, int]) -> None:
        """The host wrote to lower memory; a password counts when one write brings all its four bytes."""
        for name, act in (("PasswordEntryArea", self.enter), ("PasswordChangeEntryArea", self.change)):
            first = FIELDS[name].byte
            if all(first + index in written for index in range(_BYTES)):
                password = int.from_bytes(bytes(written[first + index] for index in range(_BYTES)))
                self._show_result(ACCEPTED if act(password) else REFUSED)
