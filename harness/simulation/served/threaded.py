"""What every server here has in common: a thread of its own, an end from anywhere, signals that end it."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self

CLOSE_LIMIT_S = 5.0
"""Wall time for a server's thread to end. A round takes some 0.1 s at most; longer, when somebody else holds
the world's lock."""

_log = logging.getLogger(__name__)


class ThreadedServer(ABC):
    """Serves round by round, in the caller's thread or, ``with`` it, in one of its own.

    ``_waker`` and ``_woken``: a byte sent into the one ends the other's wait. Who subclasses closes both.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)

    @abstractmethod
    def round(self) -> None:
        """Wait until there is something to do, and do it."""

    @abstractmethod
    def close(self) -> None:
        """Stop, and close all connections; within :data:`CLOSE_LIMIT_S`, if need be without having closed
        them."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Serve in a thread of its own, until :meth:`close`.

        :raises RuntimeError: when it does already.
        """
        if self._thread is not None:
            raise RuntimeError(f"{self._name}: served already")
        self._thread = threading.Thread(target=self.serve, name=self._name, daemon=True)
        self._thread.start()

    def serve(self) -> None:
        """Serve in this thread, until :meth:`stop`."""
        while not self._stopping:
            self.round()

    def stop(self) -> None:
        """Let :meth:`serve` return soon. Safe in a signal handler and in any thread."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _end(self) -> bool:
        """Stop, and wait for the thread, for as long as :data:`CLOSE_LIMIT_S`; whether it has ended. One that
        has not may use whatever it has at any moment: nothing of that is to be closed then.
        """
        self.stop()
        if self._thread is None:
            return True
        self._thread.join(CLOSE_LIMIT_S)
        if self._thread.is_alive():
            _log.error("%s: its thread does not end; what it holds stays open", self._name)
            return False
        self._thread = None
        return True


@contextlib.contextmanager
def ended_by_signals(server: ThreadedServer) -> Iterator[None]:
    """SIGINT and SIGTERM stop the server. Elsewhere than in the main thread nothing is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_: server.stop()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
