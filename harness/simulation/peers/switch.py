"""Simulated Polatis matrix switch."""

from __future__ import annotations

from harness.simulation.ports import Fibres
from harness.simulation.scpi_tree import Call, ScpiError, ScpiPeer
from harness.simulation.world import World

__all__ = ["SwitchPeer"]


class SwitchPeer(ScpiPeer):
    """A matrix of ``size`` (inputs, outputs): inputs 1 to m, outputs m+1 to m+n.

    For ``switching_time_s`` after a change, the routes that change are dark while ``STATe?`` already
    reports them: a driver that does not wait reads no light. Routes start open.
    """

    def __init__(
        self,
        world: World,
        fibres: Fibres,
        *,
        role: str,
        size: tuple[int, int] = (16, 16),
        serial: str = "SIM0002",
        switching_time_s: float = 0.025,
    ) -> None:
        super().__init__(
            world,
            role=role,
            identity=f"Polatis,Polatis 6000 {size[0]}x{size[1]},{serial},6.6.1.7 simulated",
            error_format='{code:d},"{text}"',
        )
        self._fibres = fibres
        self._inputs = range(1, size[0] + 1)
        self._outputs = range(size[0] + 1, size[0] + size[1] + 1)
        self._switching_time_s = switching_time_s
        self._routes: dict[int, int] = {}
        self._moving_until_ns: dict[int, int] = {}
        switch = "OXC:SWITch"
        self.query(f"{switch}:SIZE", lambda _: f"{size[0]},{size[1]}")
        self.setting(f"{switch}:CONNect:ADD", self._add)
        self.setting(f"{switch}:CONNect:SUB", self._remove)
        self.setting(f"{switch}:CONNect:ONLY", self._only)
        self.query(f"{switch}:CONNect:PORT", self._port)
        self.query(f"{switch}:CONNect:STATe", lambda _: self._state())
        self.setting(f"{switch}:DISConnect:ALL", self._disconnect_all)

    @property
    def routes(self) -> dict[int, int]:
        """What it is set to."""
        return dict(self._routes)

    def reset(self) -> None:
        """``*RST`` leaves the mirrors where they are."""

    def _pairs(self, call: Call) -> dict[int, int]:
        sources, sinks = call.channels(), call.channels()
        call.end()
        if len(sources) != len(sinks) or not sources:
            raise ScpiError(-220, "Parameter error")
        if any(port not in self._inputs for port in sources) or any(
            port not in self._outputs for port in sinks
        ):
            raise ScpiError(-222)
        if len(set(sources)) != len(sources) or len(set(sinks)) != len(sinks):
            raise ScpiError(-224)
        return dict(zip(sources, sinks, strict=True))

    def _add(self, call: Call) -> None:
        pairs = self._pairs(call)
        for source, sink in self._routes.items():
            if pairs.get(source) != sink and (source in pairs or sink in pairs.values()):
                raise ScpiError(-221, f"Settings conflict; port {source} to {sink} is connected")
        self._change_to({**self._routes, **pairs})

    def _remove(self, call: Call) -> None:
        pairs = self._pairs(call)
        self._change_to({source: sink for source, sink in self._routes.items() if pairs.get(source) != sink})

    def _only(self, call: Call) -> None:
        self._change_to(self._pairs(call))

    def _disconnect_all(self, call: Call) -> None:
        call.end()
        self._change_to({})

    def _change_to(self, routes: dict[int, int]) -> None:
        new = [source for source, sink in routes.items() if self._routes.get(source) != sink]
        self._routes = routes
        self._moving_until_ns = {
            source: until_ns for source, until_ns in self._moving_until_ns.items() if source in routes
        }
        if new:
            event = self.begin_operation(self._switching_time_s, self._arrived)
            for source in new:
                self._moving_until_ns[source] = event.when_ns
        self._show()

    def _arrived(self) -> None:
        now_ns = self.world.now_ns
        self._moving_until_ns = {s: until for s, until in self._moving_until_ns.items() if until > now_ns}
        self._show()

    def _show(self) -> None:
        lit = {source: sink for source, sink in self._routes.items() if source not in self._moving_until_ns}
        self._fibres.set_routes(self.role, lit)

    def _port(self, call: Call) -> str:
        port = call.integer(1, self._outputs[-1])
        backwards = {sink: source for source, sink in self._routes.items()}
        other = self._routes.get(port, backwards.get(port))
        return '""' if other is None else f'"{other}"'

    def _state(self) -> str:
        sources = ",".join(map(str, self._routes))
        sinks = ",".join(map(str, self._routes.values()))
        return f"(@{sources}),(@{sinks})"
