"""Which simulated instrument stands behind which driver: a literal table by the drivers' names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.simulation.failing import Failing
from harness.simulation.host_lanes import HostLanes
from harness.simulation.peers.attenuator import AttenuatorPeer
from harness.simulation.peers.espec import ChamberPeer
from harness.simulation.peers.m8070b import M8070bPeer
from harness.simulation.peers.oscilloscope import OscilloscopePeer
from harness.simulation.peers.pm100d import Pm100dPeer
from harness.simulation.peers.power_meter import PowerMeterPeer
from harness.simulation.peers.power_meter_mainframe import MainframePeer
from harness.simulation.peers.spectrum_analyser import SpectrumAnalyserPeer
from harness.simulation.peers.supply import SupplyPeer
from harness.simulation.peers.switch import SwitchPeer
from harness.simulation.peers.thermal import ThermalPeer
from harness.simulation.peers.xena import XenaPeer
from harness.simulation.ports import AirStream, Fibres, Rail
from harness.simulation.visa import Peer
from harness.simulation.world import World

__all__ = ["PEERS", "SimulatedInstrument", "SimulatedSurroundings", "Surroundings", "as_stated", "build_peer"]


class SimulatedInstrument(Peer, Failing, Protocol):
    """What any of them can do: be connected to, and go wrong."""

    def die(self) -> None:
        """From now on it answers nothing."""

    def garble(self, *, on: bool = True) -> None:
        """From now on (or no more) its replies are garbage."""


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

    @property
    def host_lanes(self) -> HostLanes:
        """The module's electrical lanes, from the host's side."""

    @property
    def matrix_size(self) -> tuple[int, int]:
        """Inputs and outputs of the matrix."""


@dataclass(frozen=True)
class SimulatedSurroundings:
    """The plainest :class:`Surroundings`."""

    fibres: Fibres
    air: AirStream
    rails: Mapping[int, Rail] = field(default_factory=dict)
    host_lanes: HostLanes = field(default_factory=HostLanes)
    matrix_size: tuple[int, int] = (16, 16)


_Factory = Callable[[World, Surroundings, str, Mapping[str, Any]], SimulatedInstrument]

PEERS: Mapping[str, _Factory] = {
    "keysight-n7744c": lambda world, around, role, options: PowerMeterPeer(
        world, around.fibres, role=role, **{"model": "N7744C", "ports": 4, **options}
    ),
    "keysight-n7745c": lambda world, around, role, options: PowerMeterPeer(
        world, around.fibres, role=role, **{"model": "N7745C", "ports": 8, **options}
    ),
    "keysight-8163b": lambda world, around, role, options: MainframePeer(
        world, around.fibres, role=role, **{"model": "8163B", **options}
    ),
    "keysight-8164b": lambda world, around, role, options: MainframePeer(
        world, around.fibres, role=role, **{"model": "8164B", **options}
    ),
    "thorlabs-pm100d": lambda world, around, role, options: Pm100dPeer(
        world, around.fibres, role=role, **options
    ),
    "polatis": lambda world, around, role, options: SwitchPeer(
        world, around.fibres, role=role, **{"size": around.matrix_size, **_with_size_as_tuple(options)}
    ),
    "keysight-n7761a": lambda world, around, role, options: AttenuatorPeer(
        world, around.fibres, role=role, **{"model": "N7761A", "slots": (1,), **options}
    ),
    "keysight-n7762a": lambda world, around, role, options: AttenuatorPeer(
        world, around.fibres, role=role, **{"model": "N7762A", "slots": (1, 3), **options}
    ),
    "keysight-n7764a": lambda world, around, role, options: AttenuatorPeer(
        world, around.fibres, role=role, **{"model": "N7764A", "slots": (1, 3, 5, 7), **options}
    ),
    "keysight-flexdca": lambda world, around, role, options: OscilloscopePeer(
        world, around.fibres, role=role, **options
    ),
    "yokogawa-aq6370d": lambda world, around, role, options: SpectrumAnalyserPeer(
        world, around.fibres, role=role, **options
    ),
    "xena-xoa": lambda world, around, role, options: XenaPeer(world, around.host_lanes, role=role, **options),
    "keysight-e36312a": lambda world, around, role, options: SupplyPeer(
        world, around.rails, role=role, **options
    ),
    "keysight-m8070b": lambda world, around, role, options: M8070bPeer(
        world, around.host_lanes, role=role, **options
    ),
    "temptronic-ats545": lambda world, around, role, options: ThermalPeer(
        world, around.air, role=role, **options
    ),
    "espec-p300": lambda world, around, role, options: ChamberPeer(world, around.air, role=role, **options),
}


_AS_STATED: Mapping[str, tuple[str, ...]] = {
    "keysight-8163b": ("sensors",),
    "keysight-8164b": ("sensors",),
    "keysight-m8070b": ("generators", "generator_lanes", "analyser", "analyser_lane", "clock", "system"),
}


def as_stated(driver_name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Of a driver's options in a bench file, those that say what the instrument consists of and where it is
    plugged in: the simulated one is built so."""
    return {key: options[key] for key in _AS_STATED.get(driver_name, ()) if key in options}


def build_peer(
    driver_name: str,
    world: World,
    surroundings: Surroundings,
    role: str,
    options: Mapping[str, Any] | None = None,
) -> SimulatedInstrument:
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
