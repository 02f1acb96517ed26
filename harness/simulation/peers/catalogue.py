"""Which simulated instrument stands behind which driver: a literal table by the drivers' names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.simulation.peers.power_meter import PowerMeterPeer
from harness.simulation.peers.supply import SupplyPeer
from harness.simulation.peers.switch import SwitchPeer
from harness.simulation.peers.thermal import ThermalPeer
from harness.simulation.ports import AirStream, Fibres, Rail
from harness.simulation.scpi_tree import ScpiPeer
from harness.simulation.world import World

__all__ = ["PEERS", "SimulatedSurroundings", "Surroundings", "build_peer"]


class Surroundings(Protocol):
    """What simulated instruments are connected to."""

    @property
    def fibres(self) -> Fibres:
        """The light at instruments' ports."""

    @property
    def rails(self) -> Mapping[int, Rail]:
        """Supply output number to rail."""

    @property
    def air(self) -> AirStream:
        """The air over the module."""


@dataclass(frozen=True)
class SimulatedSurroundings:
    """The plainest :class:`Surroundings`."""

    fibres: Fibres
    air: AirStream
    rails: Mapping[int, Rail] = field(default_factory=dict)


_Factory = Callable[[World, Surroundings, str, Mapping[str, Any]], ScpiPeer]

PEERS: Mapping[str, _Factory] = {
    "keysight-n7744c": lambda world, around, role, options: PowerMeterPeer(
        world, around.fibres, role=role, **{"model": "N7744C", "ports": 4, **options}
    ),
    "keysight-n7745c": lambda world, around, role, options: PowerMeterPeer(
        world, around.fibres, role=role, **{"model": "N7745C", "ports": 8, **options}
    ),
    "polatis": lambda world, around, role, options: SwitchPeer(
        world, around.fibres, role=role, **_with_size_as_tuple(options)
    ),
    "keysight-e36312a": lambda world, around, role, options: SupplyPeer(
        world, around.rails, role=role, **options
    ),
    "temptronic-ats545": lambda world, around, role, options: ThermalPeer(
        world, around.air, role=role, **options
    ),
}


def build_peer(
    driver_name: str,
    world: World,
    surroundings: Surroundings,
    role: str,
    options: Mapping[str, Any] | None = None,
) -> ScpiPeer:
    """The simulated instrument that the driver of this name talks to.

    ``options`` are the peer's own (``serial``, ``size``, ``accuracy``, ...), not the driver's.

    :raises ValueError: when no peer stands behind that driver, or it has not such an option.
    """
    try:
        factory = PEERS[driver_name]
    except KeyError:
        known = ", ".join(sorted(PEERS))
        raise ValueError(f"no simulated instrument for driver {driver_name!r}; there are: {known}") from None
    try:
        return factory(world, surroundings, role, dict(options or {}))
    except TypeError as fault:
        raise ValueError(f"simulated instrument for driver {driver_name!r}: {fault}") from fault


def _with_size_as_tuple(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if key == "size" else value for key, value in options.items()}
