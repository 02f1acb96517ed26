"""Light in the bench's fibres: from the module's transmitters through real losses to the instruments.

The bench file states each loss with an uncertainty; the world draws the true one from it, as a lab's
connectors do. So a measured power is off by what its budget says, and by no more.
"""

from __future__ import annotations

from drivers.units import ratio_from_db
from harness.simulation.light.beam import Beam, mean_wavelength_nm, total_power_w
from harness.simulation.ports import ModuleBody
from harness.simulation.world import World
from harness.wiring import MODULE, Port, Wiring


class FibrePlant:
    """Fibres and matrices between a module and the instruments (:class:`ports.Fibres`)."""

    def __init__(self, world: World, wiring: Wiring) -> None:
        self._world = world
        self._wiring = wiring
        self._routes: dict[str, dict[int, int]] = {}
        self._body: ModuleBody | None = None

    def connect_module(self, body: ModuleBody) -> None:
        """The module whose transmitters feed the fibres."""
        self._body = body

    def set_routes(self, role: str, routes: dict[int, int]) -> None:
        """What a matrix connects from now on: output ports by input port."""
        self._routes[role] = dict(routes)

    def light(self, role: str, port: int) -> tuple[Beam, ...]:
        """All light that arrives at a port of an instrument."""
        return self._arriving(Port(role, str(port)))

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        """Light that arrives in a receiving fibre of the module."""
        return self._arriving(Port(MODULE, f"rx{port}"))

    def power_w(self, role: str, port: int) -> float:
        """Optical power arriving at an instrument's port."""
        return total_power_w(self.light(role, port))

    def wavelength_nm(self, role: str, port: int) -> float | None:
        """Wavelength of the light arriving there; None when dark."""
        return mean_wavelength_nm(self.light(role, port))

    def _arriving(self, port: Port) -> tuple[Beam, ...]:
        source = self._source(port)
        if source is None or self._body is None:
            return ()
        number, transmission = source
        return tuple(beam.through(transmission) for beam in self._body.launched(number))

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

    def _true_db(self, key: str, stated_db: float, uncertainty_db: float) -> float:
        # Stated uncertainty is expanded (k = 2): one standard deviation is half of it, and a calibrated
        # path is not beyond it.
        deviation = max(-2.0, min(2.0, self._world.noise.normal("loss", key)))
        return max(0.0, stated_db + deviation * uncertainty_db / 2.0)
