"""How long a module may refuse accesses, and waiting for that (OIF-CMIS-05.4 §10.2, Table 10-2)."""

from __future__ import annotations

from drivers.clock import RESOLUTION_S, Clock

WRITE_HOLD_OFF_S = 0.010
"""tWRITE and tBPC: longest hold-off after a volatile write or a page change (Table 10-2)."""
NV_WRITE_HOLD_OFF_S = 0.080
"""tWRITENV: longest hold-off after a write to non-volatile memory (Table 10-2)."""
NV_PAGES = frozenset({0x03})
"""Pages whose registers are non-volatile: the user EEPROM."""
_PASSWORD_CHANGE = range(118, 122)
"""Bytes of lower memory that may be kept in non-volatile memory when they are written."""


def may_be_non_volatile(page: int | None, byte: int, length: int) -> bool:
    """Whether a write of this span of a page (None: lower memory) may be one to non-volatile memory."""
    if page is None:
        return bool(range(max(byte, _PASSWORD_CHANGE.start), min(byte + length, _PASSWORD_CHANGE.stop)))
    return page in NV_PAGES


class HoldOff:
    """For how long a module may refuse its next access: as the accesses before it were.

    For one user at a time, as the bus or file is that it belongs to.
    """

    def __init__(self, clock: Clock, usual_s: float) -> None:
        self._clock = clock
        self._usual_s = usual_s
        self._expected_s = 0.0
        self._after_nv_write = False

    @property
    def limit_s(self) -> float:
        """After so many seconds of refusals the module does not respond."""
        return max(self._usual_s, self._expected_s, NV_WRITE_HOLD_OFF_S if self._after_nv_write else 0.0)

    def expect(self, limit_s: float) -> None:
        """The next access may be refused for so long, if that is longer than usual.

        :raises ValueError: for a limit that is not 0 or more.
        """
        if not limit_s >= 0.0:
            raise ValueError(f"a hold-off of {limit_s} s")
        self._expected_s = limit_s

    def wrote(self, page: int | None, byte: int, length: int) -> None:
        """This span of a page (None: lower memory) was written."""
        self._after_nv_write = may_be_non_volatile(page, byte, length)

    def answered(self) -> None:
        """An access was not refused: the hold-off is over."""
        self._expected_s = 0.0
        self._after_nv_write = False

    def wait(
        self, *, first_pause_s: float, longest_pause_s: float, since_s: float | None = None
    ) -> HoldOffWait:
        """Begin to wait out a hold-off, from ``since_s`` on, by default from the first refusal."""
        return HoldOffWait(self, self._clock, first_pause_s, longest_pause_s, since_s)

    def given_up(self) -> None:
        """The module was silent for longer than was expected of it."""
        self._expected_s = 0.0


class HoldOffWait:
    """One access that is repeated while it is refused. The pauses double up to the longest.

    ``limit_s``: for how long; ``elapsed_s``: for how long it was refused at the last :meth:`pause`.
    """

    def __init__(
        self,
        hold_off: HoldOff,
        clock: Clock,
        first_pause_s: float,
        longest_pause_s: float,
        since_s: float | None,
    ) -> None:
        self.limit_s = hold_off.limit_s
        self.elapsed_s = 0.0
        self._hold_off = hold_off
        self._clock = clock
        self._pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._start_s = since_s

    def pause(self) -> bool:
        """Refused: wait until it is to be tried again. False, at once, when the limit has passed.

        :raises drivers.clock.StopRequested: as :meth:`drivers.clock.Clock.sleep`.
        """
        now_s = self._clock.now_s()
        if self._start_s is None:
            self._start_s = now_s
        self.elapsed_s = now_s - self._start_s
        if self.elapsed_s >= self.limit_s - RESOLUTION_S:
            self._hold_off.given_up()
            return False
        self._clock.sleep(min(self._pause_s, self.limit_s - self.elapsed_s))
        self._pause_s = min(2 * self._pause_s, self._longest_pause_s)
        return True
