"""Polatis (Huber+Suhner) 6000 and 7000 optical matrix switches.

Never run on hardware by this project. All commands are known from public drivers, none from a manual:
``:OXC:SWITch:SIZE?``, ``:CONNect:ADD``, ``:SUB``, ``:PORT?``, ``:STATe?``,
``:DISConnect:ALL``, ``:SYSTem:ERRor:ALL?``. Uncertain: the TCP port (5025), and what ``ADD`` does to
a port that is connected already: that it refuses with -221 (settings conflict), as the simulated switch
does, is a guess; this driver opens the old route first and so does not depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from drivers.clock import Clock
from drivers.errors import InstrumentError, NotSettledError, OutOfRangeError
from drivers.interfaces import Identity, SafetyStep
from drivers.scpi import ScpiInstrument, ScpiSession, option

__all__ = ["Polatis"]

_CONNECT = ":OXC:SWIT:CONN"


class Polatis(ScpiInstrument):
    """A matrix of m inputs (ports 1 to m) and n outputs (ports m+1 to m+n).

    Options: ``switching_time_s`` (default 0.025, data sheet) and ``settling_s`` (default 0.025), which
    are waited, through the clock, after a change of routes: the switch reports a route before light
    passes through it. Never run on hardware by this project.
    """

    model_pattern = r"(?i).*polatis.*"  # in the vendor or in the model field: firmware differs
    model_shown = "Polatis matrix switch"
    error_query: ClassVar[str | None] = ":SYST:ERR:ALL?"

    def __init__(
        self, session: ScpiSession, clock: Clock, *, name: str, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(session, clock, name=name, options=options)
        self._switching_time_s = option(self._options, "switching_time_s", 0.025, instrument=name)
        self._settling_s = option(self._options, "settling_s", 0.025, instrument=name)
        self._size: tuple[int, int] | None = None

    @property
    def inputs(self) -> tuple[int, ...]:
        """Input ports. Known once connected.

        :raises InstrumentError: before :meth:`connect`.
        """
        inputs, _ = self._known_size()
        return tuple(range(1, inputs + 1))

    @property
    def outputs(self) -> tuple[int, ...]:
        """Output ports. Known once connected.

        :raises InstrumentError: before :meth:`connect`.
        """
        inputs, outputs = self._known_size()
        return tuple(range(inputs + 1, inputs + outputs + 1))

    def connect(self) -> Identity:
        """Probe, check the model, clear the status, read the matrix's size. Routes stay as they are.

        :raises WrongIdentityError: when another model answers.
        """
        identity = super().connect()
        reply = self._session.query(":OXC:SWIT:SIZE?")
        inputs, outputs = reply.reals(2)
        if not (inputs.is_integer() and outputs.is_integer() and 0 < inputs <= 4096 and 0 < outputs <= 4096):
            raise reply.garbled("no size of a matrix")
        self._size = (int(inputs), int(outputs))
        return identity

    def _is_expected(self, identity: Identity) -> bool:
        return re.search(self.model_pattern, f"{identity.vendor} {identity.model}") is not None

    def route(self, routes: Mapping[int, int]) -> None:
        """Connect inputs to outputs. Routes that share no port with these stay; one that does is opened.
        Returns when the switching and settling time has passed and the routes were read back.

        :raises OutOfRangeError: when a port does not exist or an output is asked for twice.
        :raises NotSettledError: when the routes read back are not those asked for.
        """
        self._check_routes(routes)
        now = self.routes()
        wanted = {source: sink for source, sink in routes.items() if now.get(source) != sink}
        if not wanted:
            return
        in_the_way = {
            source: sink for source, sink in now.items() if source in wanted or sink in wanted.values()
        }
        if in_the_way:
            self._session.command(f"{_CONNECT}:SUB {_route_lists(in_the_way)}")
        self._session.command(f"{_CONNECT}:ADD {_route_lists(wanted)}")
        self._wait_and_verify(routes)

    def routes(self) -> dict[int, int]:
        """Input to output, as the switch reports it.

        :raises GarbledReplyError: when the report makes no sense.
        """
        query = f"{_CONNECT}:STAT?"
        reply = self._session.query(query)
        sources, sinks = reply.channel_lists(2)
        found = dict(zip(sources, sinks, strict=False))
        if len(sources) != len(sinks) or len(found) != len(sources) or len(set(sinks)) != len(sinks):
            raise reply.garbled("no list of routes")
        return found

    def output_of(self, source: int) -> int | None:
        """The output that an input is connected to, or None.

        :raises OutOfRangeError: when there is no such input.
        """
        self._check_routes({source: self.outputs[0]})
        query = f"{_CONNECT}:PORT? {source}"
        reply = self._session.query(query)
        text = reply.unquoted()
        if text in ("", "0"):
            return None
        if not text.isdecimal() or int(text) not in self.outputs:
            raise reply.garbled("no output port")
        return int(text)

    def disconnect_all(self) -> None:
        """Open every route, and read that back.

        :raises NotSettledError: when a route is still there.
        """
        self._session.command(":OXC:SWIT:DISC:ALL")
        self._wait_and_verify({}, only=True)

    def make_safe(self) -> tuple[SafetyStep, ...]:
        """Open every route at once, blind, so that no light reaches anything; then resynchronise, open them
        again and read that back. (A switch emits nothing itself: this guards what hangs on it against a
        source that cannot be turned off.)
        """
        action = "all routes open"
        command = ":OXC:SWIT:DISC:ALL"
        told = self._tell_blind_first(command)
        if told:
            return (SafetyStep(action, told, safe=False),)
        try:
            self._session.command(command, check=False)
            self._clock.sleep(self._switching_time_s + self._settling_s)
            left = self.routes()
        except InstrumentError as fault:
            return (SafetyStep(action, str(fault), safe=False),)
        return (SafetyStep(action, f"{len(left)} routes: {left}" if left else "no routes", safe=not left),)

    def _wait_and_verify(self, wanted: Mapping[int, int], *, only: bool = False) -> None:
        self._clock.sleep(self._switching_time_s + self._settling_s)
        found = self.routes()
        wrong = {source: sink for source, sink in wanted.items() if found.get(source) != sink}
        extra = {source: sink for source, sink in found.items() if only and source not in wanted}
        if wrong or extra:
            raise NotSettledError(
                self._name,
                f"routes asked for {dict(wanted)}, the switch reports {found}",
                command=f"{_CONNECT}:STAT?",
                advice="Check that nobody else controls the switch and that these ports are enabled.",
            )

    def _check_routes(self, routes: Mapping[int, int]) -> None:
        inputs, outputs = self.inputs, self.outputs
        for source, sink in routes.items():
            if source not in inputs or sink not in outputs:
                raise OutOfRangeError(
                    self._name,
                    f"no route {source} to {sink}: inputs are {inputs[0]} to {inputs[-1]}, "
                    f"outputs {outputs[0]} to {outputs[-1]}",
                )
        if len(set(routes.values())) != len(routes):
            raise OutOfRangeError(self._name, f"an output is asked for twice in {dict(routes)}")

    def _known_size(self) -> tuple[int, int]:
        if self._size is None:
            raise InstrumentError(self._name, "its size is not known yet", advice="Call connect() first.")
        return self._size


def _route_lists(routes: Mapping[int, int]) -> str:
    sources = ",".join(str(source) for source in routes)
    sinks = ",".join(str(sink) for sink in routes.values())
    return f"(@{sources}),(@{sinks})"
