"""A listening socket that does not keep its server busy when the system can give it no more connections."""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

__all__ = ["REST_S", "Gate"]

REST_S = 0.2
"""Wall time for which nobody is let in after the system had no descriptor, or no memory, left: who knocks
waits in the system's queue meanwhile, and would else wake the server again and again for nothing."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = logging.getLogger(__name__)


class Gate:
    """A listening socket, watched by a selector (whose key's ``fileobj`` is the gate).

    ``welcome``: what becomes of those who are let in; for the server.
    """

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        welcome: Callable[[socket.socket], Any],
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._selector = selector
        self._rests_until_s: float | None = None
        self.welcome = welcome
        selector.register(self, selectors.EVENT_READ)

    def fileno(self) -> int:
        """The listening socket's."""
        return self._listener.fileno()

    def accept(self) -> socket.socket | None:
        """Who stands there, ready to be served without blocking; None: nobody, or nobody can be now."""
        try:
            sock, _ = self._listener.accept()
        except OSError as fault:
            if fault.errno in _EXHAUSTED:
                _log.warning("no more connections can be accepted for now: %s", fault.strerror)
                self._selector.unregister(self)
                self._rests_until_s = time.monotonic() + REST_S
            return None  # else: it has gone again
        sock.setblocking(False)
        return sock

    def open_again(self) -> None:
        """Let in again, if a rest is over."""
        if self._rests_until_s is not None and time.monotonic() >= self._rests_until_s:
            self._rests_until_s = None
            self._selector.register(self, selectors.EVENT_READ)

    def opens_in_s(self) -> float | None:
        """Wall time that is left of a rest; None: it does not rest."""
        return None if self._rests_until_s is None else max(0.0, self._rests_until_s - time.monotonic())

    def close(self) -> None:
        """Close the listening socket. The selector has to be closed before or soon after."""
        self._listener.close()
