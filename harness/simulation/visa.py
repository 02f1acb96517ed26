"""A VISA library over a simulated world, plugged in where pyvisa lets one be plugged in.

``pyvisa.ResourceManager(library)`` takes an instance of :class:`pyvisa.highlevel.VisaLibraryBase`; the
drivers then talk to ordinary pyvisa resources and know nothing of it. Waiting for a reply moves the
world's time: to when the reply is ready or to the time-out, whichever comes first.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from pyvisa import constants, rname
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.errors import InvalidSession
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession
from pyvisa.util import LibraryPath

from harness.simulation.world import World

__all__ = ["Connection", "Peer", "SimulatedVisaLibrary"]

_NS_PER_MS = 1_000_000
_numbers = itertools.count(1)


class Connection(Protocol):
    """One client's connection with a simulated instrument; any transport may sit in front of it."""

    def receive(self, data: bytes, *, end: bool) -> None:
        """Take bytes from the client; ``end`` where the transport says that a message ends here."""

    def take(self, count: int, stop_at: int | None) -> tuple[bytes, bool]:
        """Up to ``count`` reply bytes that are ready (fewer if the byte ``stop_at`` comes first), and
        whether they end a reply; ``b""`` when nothing is ready.
        """

    def next_event_ns(self) -> int | None:
        """World time at which more may become ready; None when nothing is under way."""

    @property
    def owes_reply(self) -> bool:
        """Whether something that was asked is not answered yet: the client is waiting, or will soon."""

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be carried out that no more is to be taken from the client now."""

    def read_unasked(self) -> None:
        """The client reads though nothing was asked (-420, where the transport lets an instrument know)."""

    def status_byte(self) -> int:
        """IEEE 488.2 status byte, as a serial poll reads it."""

    def device_clear(self) -> None:
        """IEEE 488.2 device clear: drop input, output and what is being executed."""

    @property
    def lost(self) -> bool:
        """Whether the instrument has dropped the connection."""

    def close(self) -> None:
        """The client closes."""


class Peer(Protocol):
    """A simulated instrument, as a transport sees it."""

    def connect(self, *, marks_end: bool) -> Connection:
        """A new client; ``marks_end`` is False on a raw socket, where only a line feed ends a message."""


@dataclass
class _Session:
    resource_name: str
    connection: Connection
    attributes: dict[int, Any] = field(default_factory=dict)


class SimulatedVisaLibrary(VisaLibraryBase):
    """One world's instruments. Use :meth:`create`: pyvisa caches libraries by their path, and two benches
    must never share one.
    """

    _world: World
    _peers: dict[str, Peer]
    _sessions: dict[int, _Session]
    _handles: Iterator[int]

    @classmethod
    def create(cls, world: World) -> SimulatedVisaLibrary:
        """A library of its own for ``world``."""
        library = cls(LibraryPath(f"simulated-world-{next(_numbers)}", "simulation"))
        assert isinstance(library, cls)
        library._world = world
        return library

    def _init(self) -> None:
        self._peers = {}
        self._sessions = {}
        self._handles = itertools.count(1)

    def attach(self, resource_name: str, peer: Peer) -> None:
        """Put an instrument at a VISA address, for instance ``TCPIP0::opm.sim::5025::SOCKET``.

        :raises ValueError: when the address is no VISA resource name, or is taken.
        """
        name = str(rname.ResourceName.from_string(resource_name))
        if name in self._peers:
            raise ValueError(f"two simulated instruments at {name}")
        self._peers[name] = peer

    # -- resource manager --------------------------------------------------------------------------

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """Open the resource manager."""
        handle = VISARMSession(next(self._handles))
        return handle, self.handle_return_value(handle, StatusCode.success)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """The addresses that match a VISA expression (``?``, ``*``, ``+``, ``[]``, ``|``, ``()``)."""
        pattern = re.compile(query.replace("?", "."), re.IGNORECASE)
        return tuple(name for name in self._peers if pattern.fullmatch(name))

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """Open a session with what is attached at an address."""
        try:
            parsed = rname.ResourceName.from_string(resource_name)
        except rname.InvalidResourceName:
            self.handle_return_value(None, StatusCode.error_invalid_resource_name)
            raise
        name = str(parsed)
        if name not in self._peers:
            self.handle_return_value(None, StatusCode.error_resource_not_found)
        handle = VISASession(next(self._handles))
        stream = parsed.resource_class == "SOCKET" or name.startswith("ASRL")
        with self._world.lock:
            connection = self._peers[name].connect(marks_end=not stream)
        self._sessions[handle] = _Session(
            name,
            connection,
            {
                ResourceAttribute.timeout_value: 2000,
                ResourceAttribute.termchar: ord("\n"),
                ResourceAttribute.termchar_enabled: constants.VI_FALSE,
                ResourceAttribute.send_end_enabled: constants.VI_TRUE,
                ResourceAttribute.resource_name: name,
                ResourceAttribute.resource_class: parsed.resource_class,
                ResourceAttribute.interface_type: parsed.interface_type_const,
                ResourceAttribute.interface_number: 0,
                ResourceAttribute.resource_manufacturer_name: "simulation",
            },
        )
        return handle, self.handle_return_value(handle, StatusCode.success)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """Close a session or the resource manager."""
        opened = self._sessions.pop(session, None)
        if opened is not None:
            with self._world.lock:
                opened.connection.close()
        return self.handle_return_value(session, StatusCode.success)

    # -- messages ----------------------------------------------------------------------------------

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes; takes no time, the instrument works on them as the world's time goes on."""
        opened = self._session(session)
        with self._world.lock:
            if opened.connection.lost:
                self.handle_return_value(session, StatusCode.error_connection_lost)
            end = bool(opened.attributes[ResourceAttribute.send_end_enabled])
            opened.connection.receive(bytes(data), end=end)
        return len(data), self.handle_return_value(session, StatusCode.success)

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Read up to ``count`` bytes: to the termination character if enabled, to the end of the reply, or
        to the time-out in the world's time.
        """
        opened = self._session(session)
        attributes, connection = opened.attributes, opened.connection
        stop_at = (
            attributes[ResourceAttribute.termchar] if attributes[ResourceAttribute.termchar_enabled] else None
        )
        world = self._world
        with world.lock:
            timeout_ms = attributes[ResourceAttribute.timeout_value]
            deadline_ns = world.now_ns + timeout_ms * _NS_PER_MS
            taken = b""
            asked = False
            while True:
                part, ended = connection.take(count - len(taken), stop_at)
                taken += part
                if ended:
                    return taken, self.handle_return_value(session, StatusCode.success)
                if stop_at is not None and taken.endswith(bytes([stop_at])):
                    code = StatusCode.success_termination_character_read
                    return taken, self.handle_return_value(session, code)
                if len(taken) >= count:
                    return taken, self.handle_return_value(session, StatusCode.success_max_count_read)
                if connection.lost:
                    self.handle_return_value(session, StatusCode.error_connection_lost)
                if world.now_ns >= deadline_ns:
                    self.handle_return_value(session, StatusCode.error_timeout)
                next_ns = connection.next_event_ns()
                if next_ns is None and not taken and not asked:
                    asked = True
                    connection.read_unasked()
                if next_ns is None and timeout_ms == constants.VI_TMO_INFINITE:
                    raise RuntimeError(f"{opened.resource_name}: an endless read of a reply that cannot come")
                world.advance_to(deadline_ns if next_ns is None else min(next_ns, deadline_ns))

    def clear(self, session: VISASession) -> StatusCode:
        """Device clear; refused on a raw socket and a serial line, which have none."""
        opened = self._session(session)
        if opened.resource_name.endswith("SOCKET") or opened.resource_name.startswith("ASRL"):
            return self.handle_return_value(session, StatusCode.error_nonsupported_operation)
        with self._world.lock:
            if opened.connection.lost:
                self.handle_return_value(session, StatusCode.error_connection_lost)
            opened.connection.device_clear()
        return self.handle_return_value(session, StatusCode.success)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Serial poll."""
        opened = self._session(session)
        with self._world.lock:
            value = opened.connection.status_byte()
        return value, self.handle_return_value(session, StatusCode.success)

    def flush(self, session: VISASession, mask: constants.BufferOperation) -> StatusCode:
        """Discard the read buffer where ``mask`` asks for it."""
        opened = self._session(session)
        discarding = constants.BufferOperation.discard_read_buffer
        if mask & (discarding | constants.BufferOperation.discard_read_buffer_no_io):
            with self._world.lock:
                while opened.connection.take(1 << 20, None)[0]:
                    pass
        return self.handle_return_value(session, StatusCode.success)

    # -- attributes, locks, events -----------------------------------------------------------------

    def get_attribute(
        self,
        session: VISASession | VISAEventContext | VISARMSession,
        attribute: constants.ResourceAttribute | constants.EventAttribute,
    ) -> tuple[Any, StatusCode]:
        """An attribute's value; VISA's "not supported" for those that mean nothing here."""
        attributes = self._session(session).attributes
        if attribute not in attributes:
            self.handle_return_value(session, StatusCode.error_nonsupported_attribute)
        return attributes[attribute], self.handle_return_value(session, StatusCode.success)

    def set_attribute(
        self, session: VISASession, attribute: constants.ResourceAttribute, attribute_state: Any
    ) -> StatusCode:
        """Set an attribute that :meth:`get_attribute` knows."""
        attributes = self._session(session).attributes
        if attribute not in attributes:
            return self.handle_return_value(session, StatusCode.error_nonsupported_attribute)
        attributes[attribute] = attribute_state
        return self.handle_return_value(session, StatusCode.success)

    def lock(
        self,
        session: VISASession,
        lock_type: constants.Lock,
        timeout: int,
        requested_key: str | None = None,
    ) -> tuple[str, StatusCode]:
        """Granted at once: a simulated bench has one user."""
        self._session(session)
        return requested_key or "", self.handle_return_value(session, StatusCode.success)

    def unlock(self, session: VISASession) -> StatusCode:
        """Give a lock back."""
        self._session(session)
        return self.handle_return_value(session, StatusCode.success)

    def disable_event(
        self,
        session: VISASession,
        event_type: constants.EventType,
        mechanism: constants.EventMechanism,
    ) -> StatusCode:
        """There are no events; pyvisa asks when it closes a resource."""
        return self.handle_return_value(session, StatusCode.success)

    def discard_events(
        self,
        session: VISASession,
        event_type: constants.EventType,
        mechanism: constants.EventMechanism,
    ) -> StatusCode:
        """There are no events; pyvisa asks when it closes a resource."""
        return self.handle_return_value(session, StatusCode.success)

    def _session(self, session: int) -> _Session:
        try:
            return self._sessions[session]
        except KeyError:
            with contextlib.suppress(Exception):
                self.handle_return_value(None, StatusCode.error_invalid_object)
            raise InvalidSession from None
