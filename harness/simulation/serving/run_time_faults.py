"""Faults of a served bench's instruments, begun and ended while it is at work: both ends of the request.

A request's body is a JSON object: ``{"begin": {...}}``, a table as of ``[[simulation.fault]]`` without
``at``; ``{"clear": {"role": ..., "kind": ...}}``, each of which may be left out for all; or ``{}``, to look.
The reply is an object too: what goes wrong now, kinds by role, for every role whose instrument can fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from drivers.catalogue import DRIVERS
from harness.bench_file.reading import BenchSpec
from harness.bench_file.simulation_section import FAULTS_OF_TRANSPORTS, INSTRUMENT_FAULTS, read_fault_now
from harness.simulation.bench import SimulatedBackend
from harness.simulation.served import protocol
from harness.simulation.served.client import ServedConnection
from harness.simulation.served.protocol import ProtocolError
from harness.simulation.served.slot import DONE
from harness.tables import Table, TableError

__all__ = ["FaultDesk", "FaultsOfServed"]

_PLACE = "fault"


class FaultDesk:
    """The server's end. Its caller holds the world's lock."""

    def __init__(self, spec: BenchSpec, backend: SimulatedBackend) -> None:
        self._backend = backend
        self._can_fail: dict[str, Collection[str]] = {
            part.role: FAULTS_OF_TRANSPORTS.get(DRIVERS[part.driver].transport, ())
            for part in spec.instruments.values()
            if not part.shared_with
        }

    def answer(self, body: bytes) -> bytes:
        """Do what a request says.

        :raises ProtocolError: when it is none, or names what there is not; says what is wrong, one line for
            each mistake.
        """
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise ProtocolError("a request about faults is a JSON object")
        complaints: list[str] = []
        table = Table(content, file=_PLACE, key="", complaints=complaints)
        act: Callable[[], None] = lambda: None  # noqa: E731 - nothing to do is to look
        try:
            if table.has("begin"):
                act = self._beginning(table.table("begin"))
            elif table.has("clear"):
                act = self._clearing(table.table("clear"))
            table.end()
            table.finish()
        except TableError as fault:
            raise ProtocolError(str(fault)) from fault
        act()
        said = json.dumps({role: self._backend.failing(role).failing() for role in self._roles()})
        return DONE + said.encode("ascii")

    def _beginning(self, part: Table) -> Callable[[], None]:
        spec = read_fault_now(part, self._can_fail)
        return lambda: self._backend.failing(spec.role).fail(
            spec.kind, count=spec.count, for_s=spec.for_s, delay_s=spec.delay_s
        )

    def _clearing(self, part: Table) -> Callable[[], None]:
        role = part.text("role", "", choices=("", *self._roles()))
        kind = part.text("kind", "", choices=("", *INSTRUMENT_FAULTS))
        part.end()

        def clear() -> None:
            for chosen in [role] if role else self._roles():
                self._backend.failing(chosen).recover(kind)

        return clear

    def _roles(self) -> tuple[str, ...]:
        return tuple(role for role, kinds in self._can_fail.items() if kinds)


class FaultsOfServed:
    """The client's end, over a connection to the control channel. Every method returns what goes wrong then:
    kinds by role, in the bench file's order.

    :raises RequestRefusedError: every method, when the server refuses; its text has one line per mistake.
    :raises OSError: when the connection fails, or its other end is no served bench.
    """

    def __init__(self, connection: ServedConnection) -> None:
        self._connection = connection

    def begin(self, role: str, kind: str, **more: int | str) -> Mapping[str, tuple[str, ...]]:
        """From now on something goes wrong. ``more``: ``count``, ``for`` and ``delay``, as in
        ``[[simulation.fault]]``."""
        return self._ask({"begin": {"role": role, "kind": kind, **more}})

    def clear(self, role: str = "", kind: str = "") -> Mapping[str, tuple[str, ...]]:
        """It goes wrong no more: a kind or all, of a role or of all."""
        return self._ask({"clear": {"role": role, "kind": kind}})

    def running(self) -> Mapping[str, tuple[str, ...]]:
        """What goes wrong now."""
        return self._ask({})

    def _ask(self, content: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        reply = self._connection.request(protocol.FAULTS, json.dumps(content).encode("ascii"))
        try:
            said = json.loads(reply)
            return {str(role): tuple(map(str, kinds)) for role, kinds in said.items()}
        except (ValueError, TypeError, AttributeError, RecursionError) as fault:
            raise OSError(f"{self._connection.name}: no reply about faults: {reply[:80]!r}") from fault
