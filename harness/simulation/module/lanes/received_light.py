"""The light that comes to a module's receivers, and loss of it."""

from __future__ import annotations

from drivers.units import w_from_dbm
from harness.simulation.light.beam import Beam, total_power_w
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.medium import fibres_of
from harness.simulation.ports import ModuleSurroundings
from harness.simulation.world import World


class ReceivedLight:
    """Per media lane, from 1. Whether a lane is dark is found out by :meth:`look` alone."""

    def __init__(self, world: World, profile: Profile, surroundings: ModuleSurroundings) -> None:
        self._world = world
        self._surroundings = surroundings
        self._lanes = range(1, profile.media_lanes + 1)
        fibres = fibres_of(profile.medium, profile.media_lanes)
        self._port_of = {lane: port for port, lanes in enumerate(fibres, start=1) for lane in lanes}
        self._sharing = {lane: lanes for lanes in fibres for lane in lanes}
        self._wavelengths_nm = profile.transmitter.wavelength_nm
        self._assert_w = w_from_dbm(profile.receiver.los_assert_dbm)
        self._deassert_w = w_from_dbm(profile.receiver.los_deassert_dbm)
        self._looked: tuple[int, tuple[float, ...]] = (-1, ())
        self._dark = [False] * len(self._lanes)

    def reset(self) -> None:
        """No lane is taken for dark."""
        self._dark = [False] * len(self._lanes)

    def look(self) -> tuple[float, ...]:
        """Average power of each lane, watts; called on the module's own grid."""
        rx_w = tuple(total_power_w(self.light(lane)) for lane in self._lanes)
        self._looked = (self._world.now_ns, rx_w)
        self._dark = [
            power_w < (self._deassert_w if dark else self._assert_w)
            for power_w, dark in zip(rx_w, self._dark, strict=True)
        ]
        return rx_w

    def light(self, lane: int) -> tuple[Beam, ...]:
        """What shines on the photodiode of a lane now: lanes that share a fibre are told apart by their
        wavelengths, without loss."""
        beams = self._surroundings.rx_light(self._port_of[lane])
        sharing = self._sharing[lane]
        if len(sharing) == 1:
            return beams
        return tuple(beam for beam in beams if self._nearest(beam.wavelength_nm, sharing) == lane)

    def power_w(self, lane: int) -> float:
        """Average power now, watts."""
        looked_ns, rx_w = self._looked
        return rx_w[lane - 1] if looked_ns == self._world.now_ns else total_power_w(self.light(lane))

    def dark(self, lane: int) -> bool:
        """Whether the lane had too little light when it was looked at."""
        return self._dark[lane - 1]

    def _nearest(self, wavelength_nm: float, lanes: tuple[int, ...]) -> int:
        return min(lanes, key=lambda lane: abs(self._wavelengths_nm[lane - 1] - wavelength_nm))
