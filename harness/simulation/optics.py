"""Light in the bench's fibres: from the module's transmitters through real losses to the instruments.

The bench file states each loss with an uncertainty; the world draws the true one from it, as a lab's
connectors do. So a measured power is off by what its budget says, and by no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from drivers.units import ratio_from_db
from harness.simulation.ports import ModuleBody
from harness.simulation.signals import TRAFFIC, LineSignal
from harness.simulation.world import World
from harness.wiring import MODULE, Port, Wiring


class FibrePlant:
    """Fibres and matrices between a module and the instruments (:class:`ports.Fibres`)."""

    def __init__(self, world: World, wiring: Wiring) -> None:
        self._world = world
        self._wiring = wiring
        self._routes: dict[str, dict[int, int]] = {}
        self._body: ModuleBody | None = None
        self._sent: Callable[[int], LineSignal | None] = lambda lane: TRAFFIC
        self._lanes_of: Mapping[int, tuple[int, ...]] | None = None

    def connect_module(
        self,
        body: ModuleBody,
        sent: Callable[[int], LineSignal | None] = lambda lane: TRAFFIC,
        *,
        fibres: Sequence[tuple[int, ...]] | None = None,
    ) -> None:
        """The module whose transmitters feed the fibres; ``sent(lane)``: what their light carries.

        ``fibres``: media lanes in the pair of fibres at each of its ports tx1, rx1 and on; each lane has its
        own when it is None. Lanes that share a fibre are told apart by the receiver, without loss.
        """
        self._body = body
        self._sent = sent
        self._lanes_of = None if fibres is None else dict(enumerate(fibres, start=1))

    def set_routes(self, role: str, routes: dict[int, int]) -> None:
        """What a matrix connects from now on: output ports by input port."""
        self._routes[role] = dict(routes)

    def power_w(self, role: str, port: int) -> float:
        """Optical power arriving at an instrument's port."""
        return self._arriving(Port(role, str(port)))[0]

    def wavelength_nm(self, role: str, port: int) -> float | None:
        """Wavelength of the light arriving there; None when dark."""
        return self._arriving(Port(role, str(port)))[1]

    def rx_power_w(self, lane: int) -> float:
        """Optical power arriving at a receiver of the module."""
        source = self._source_of_lane(lane)
        if source is None or self._body is None:
            return 0.0
        return self._body.launch_power_w(source[0]) * source[1]

    def rx_signal(self, lane: int) -> LineSignal | None:
        """What the light at a receiver of the module carries; None when no fibre leads there."""
        source = self._source_of_lane(lane)
        return None if source is None or self._body is None else self._sent(source[0])

    def _arriving(self, port: Port) -> tuple[float, float | None]:
        source = self._source(port)
        return (0.0, None) if source is None else self._launched(*source)

    def _lanes_at(self, number: int) -> tuple[int, ...]:
        """Media lanes in the fibre at a port of the module."""
        return (number,) if self._lanes_of is None else self._lanes_of.get(number, ())

    def _source_of_lane(self, lane: int) -> tuple[int, float] | None:
        """The transmitter whose light arrives at the receiver of a lane, and how much of it does."""
        number = lane
        if self._lanes_of is not None:
            number = next((port for port, lanes in self._lanes_of.items() if lane in lanes), 0)
        source = self._source(Port(MODULE, f"rx{number}")) if number else None
        if source is None:
            return None
        sending, transmission = self._lanes_at(source[0]), source[1]
        if self._lanes_of is None:
            return sending[0], transmission
        own = self._lanes_of[number].index(lane)  # by its wavelength: the lane at the same place
        return (sending[own], transmission) if own < len(sending) else None

    def _source(self, port: Port) -> tuple[int, float] | None:
        """Number of the module's port whose light arrives at a port, and how much of it does."""
        transmission = 1.0
        while (fibre := self._wiring.fibre_into(port)) is not None:
            loss_db = self._true_db(f"{fibre.start}>{fibre.end}", fibre.loss_db, fibre.uncertainty_db)
            transmission *= ratio_from_db(-loss_db)
            start = fibre.start
            if start.role == MODULE:
                return start.number, transmission
            entry = next((i for i, o in self._routes.get(start.role, {}).items() if o == start.number), None)
            if entry is None:
                break
            crossing = self._wiring.passes[start.role]
            key = f"{start.role}:{entry}>{start.number}"
            transmission *= ratio_from_db(-self._true_db(key, crossing.loss_db, crossing.uncertainty_db))
            port = Port(start.role, str(entry))
        return None

    def _launched(self, number: int, transmission: float) -> tuple[float, float | None]:
        if self._body is None:
            return 0.0, None
        powers_w = {lane: self._body.launch_power_w(lane) for lane in self._lanes_at(number)}
        total_w = sum(powers_w.values())
        if total_w <= 0.0:
            return 0.0, None
        mean_nm = sum(
            power_w * self._body.wavelength_nm(lane) for lane, power_w in powers_w.items() if power_w > 0.0
        )
        return total_w * transmission, mean_nm / total_w

    def _true_db(self, key: str, stated_db: float, uncertainty_db: float) -> float:
        # Stated uncertainty is expanded (k = 2): one standard deviation is half of it, and a calibrated
        # path is not beyond it.
        deviation = max(-2.0, min(2.0, self._world.noise.normal("loss", key)))
        return max(0.0, stated_db + deviation * uncertainty_db / 2.0)
