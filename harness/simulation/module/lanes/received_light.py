"""The light that comes to a module's photodiodes, and loss of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from drivers.units import ratio_from_db, w_from_dbm
from harness.simulation.light.beam import Beam, loudest_oma_w, total_power_w
from harness.simulation.module.lanes.glance import Glance
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.medium import fibres_of
from harness.simulation.ports import ModuleSurroundings

_FARTHER_DB = 10.0


class ReceivedLight:
    """Per media lane, from 1. Whether a lane is dark is found out by :meth:`look` alone."""

    def __init__(
        self, profile: Profile, surroundings: ModuleSurroundings, glance: Glance | None = None
    ) -> None:
        receiver = profile.receiver
        self._surroundings = surroundings
        self._glance = glance or Glance()
        self._lanes = range(1, profile.media_lanes + 1)
        fibres = fibres_of(profile.medium, profile.media_lanes)
        self._port_of = {lane: port for port, lanes in enumerate(fibres, start=1) for lane in lanes}
        self._sharing = {lane: lanes for lanes in fibres for lane in lanes}
        self._wavelengths_nm = profile.transmitter.wavelength_nm
        self._coupled = tuple(ratio_from_db(-loss_db) for loss_db in receiver.coupling_loss_db)
        self._next_leaks = tuple(ratio_from_db(-db) for db in receiver.demux_isolation_db)
        self._far_leak = ratio_from_db(-_FARTHER_DB)
        self._assert_w = w_from_dbm(receiver.los_assert_dbm)
        self._deassert_w = w_from_dbm(receiver.los_deassert_dbm)
        self._los_power_w = _MEASURES[receiver.los_measures]
        self._monitor_power_w = _MEASURES[receiver.power_measures]
        self.reset()

    def reset(self) -> None:
        """No lane is taken for dark."""
        self._dark = [False] * len(self._lanes)
        self.seen: tuple[tuple[Beam, ...], ...] = ((),) * len(self._lanes)
        """What shone on each photodiode at the last look."""

    def all_light(self) -> tuple[tuple[Beam, ...], ...]:
        """:meth:`light` of each lane."""
        with self._glance:
            return tuple(map(self.light, self._lanes))

    def look(self, light: tuple[tuple[Beam, ...], ...]) -> tuple[float, ...]:
        """What the RxPower monitor looks at, of each lane, watts; called on the module's own grid with the
        light that there is."""
        self.seen = light
        self._dark = [
            self._los_power_w(beams) < (self._deassert_w if dark else self._assert_w)
            for beams, dark in zip(self.seen, self._dark, strict=True)
        ]
        return tuple(map(self._monitor_power_w, self.seen))

    def light(self, lane: int) -> tuple[Beam, ...]:
        """What shines on the photodiode of a lane now. Lanes that share a fibre are told apart by their
        wavelengths; of the others' light a part leaks in. The module's own light comes without its bits
        (``UNSAID``)."""
        return self._glance.kept(("light", lane), partial(self._light, lane))

    def _light(self, lane: int) -> tuple[Beam, ...]:
        port = self._port_of[lane]
        beams = self._glance.kept(("fibre", port), partial(self._in_fibre, port))
        coupled = self._coupled[lane - 1]
        sharing = self._sharing[lane]
        if len(sharing) == 1:
            return beams if coupled == 1.0 else tuple(beam.through(coupled) for beam in beams)
        return tuple(
            beam.through(coupled * self._passed(beam.wavelength_nm, lane, sharing)) for beam in beams
        )

    def _in_fibre(self, port: int) -> tuple[Beam, ...]:
        before, self._glance.light_only = self._glance.light_only, True
        try:
            return self._surroundings.rx_light(port)
        finally:
            self._glance.light_only = before

    def dark(self, lane: int) -> bool:
        """Whether the lane had too little light when it was looked at."""
        return self._dark[lane - 1]

    def _passed(self, wavelength_nm: float, lane: int, sharing: tuple[int, ...]) -> float:
        """Share of a wavelength that the demultiplexer lets through to a lane."""
        nearest = min(sharing, key=lambda other: abs(self._wavelengths_nm[other - 1] - wavelength_nm))
        if nearest == lane:
            return 1.0
        in_order = sorted(sharing, key=lambda other: self._wavelengths_nm[other - 1])
        leak = self._next_leaks[lane - 1]
        return leak if abs(in_order.index(nearest) - in_order.index(lane)) == 1 else leak * self._far_leak


_MEASURES: dict[str, Callable[[tuple[Beam, ...]], float]] = {"average": total_power_w, "oma": loudest_oma_w}
