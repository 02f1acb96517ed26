"""An open bench: the instruments by role, one clock, and the way to make everything safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar, cast

from drivers.clock import Clock, StopFlag
from drivers.errors import BenchError
from drivers.interfaces import (
    Attenuator,
    Bert,
    CaseSensor,
    HostBoard,
    Identity,
    Instrument,
    Operator,
    OpticalSwitch,
    Oscilloscope,
    PowerMeter,
    PowerSupply,
    ReferenceTransmitter,
    SafetyStep,
    SpectrumAnalyser,
    Thermal,
)
from harness.bench_file.reading import BenchSpec
from harness.safety import SafetyResult, make_all_safe

T = TypeVar("T")

# Who is made safe before whom: what makes light, drives the module or shuts light off; then what feeds the
# module, then what heats it.
_SAFE_ORDER = (
    ("host_board", "reference_tx", "attenuator", "bert"),
    ("power_supply",),
    ("thermal", "optical_switch", "power_meter"),
)


class BenchIo(Protocol):
    """What a bench is opened over: the lab's buses, or a simulated world behind the same libraries."""

    @property
    def clock(self) -> Clock:
        """The bench's time."""

    def close(self) -> None:
        """Close every session and bus."""

    def bus_transactions(self) -> int:
        """Transactions on the two-wire buses so far."""

    def round_trips(self) -> int:
        """Round trips to instruments so far."""


class Bench:
    """The instruments of a bench. Opening is :mod:`harness.opening`'s work."""

    def __init__(
        self, spec: BenchSpec, io: BenchIo, stop: StopFlag, instruments: Mapping[str, Instrument]
    ) -> None:
        self.spec = spec
        self.stop = stop
        self.instruments = dict(instruments)
        self.identities: dict[str, Identity] = {}
        self._io = io
        self._power_meter_set_up: tuple[tuple[float, ...], float, tuple[int, ...]] | None = None

    @property
    def clock(self) -> Clock:
        """The bench's time."""
        return self._io.clock

    def has(self, role: str) -> bool:
        """Whether the bench has an instrument in a role."""
        return role in self.instruments

    def _role(self, role: str, kind: Callable[..., T]) -> T:
        try:
            return cast("T", self.instruments[role])
        except KeyError:
            raise BenchError(
                f"the bench {self.spec.name} has no {role}; add one to {self.spec.path.name}"
            ) from None

    @property
    def power_meter(self) -> PowerMeter:
        """Role ``power_meter``."""
        return self._role("power_meter", PowerMeter)

    @property
    def optical_switch(self) -> OpticalSwitch:
        """Role ``optical_switch``."""
        return self._role("optical_switch", OpticalSwitch)

    @property
    def attenuator(self) -> Attenuator:
        """Role ``attenuator``."""
        return self._role("attenuator", Attenuator)

    @property
    def oscilloscope(self) -> Oscilloscope:
        """Role ``oscilloscope``."""
        return self._role("oscilloscope", Oscilloscope)

    @property
    def bert(self) -> Bert:
        """Role ``bert``: the bench's own; the module's is :class:`drivers.cmis.module_prbs.ModulePrbs`."""
        return self._role("bert", Bert)

    @property
    def spectrum_analyser(self) -> SpectrumAnalyser:
        """Role ``spectrum_analyser``."""
        return self._role("spectrum_analyser", SpectrumAnalyser)

    @property
    def power_supply(self) -> PowerSupply:
        """Role ``power_supply``."""
        return self._role("power_supply", PowerSupply)

    @property
    def thermal(self) -> Thermal:
        """Role ``thermal``."""
        return self._role("thermal", Thermal)

    @property
    def case_sensor(self) -> CaseSensor:
        """Role ``case_sensor``."""
        return self._role("case_sensor", CaseSensor)

    @property
    def host_board(self) -> HostBoard:
        """Role ``host_board``."""
        return self._role("host_board", HostBoard)

    @property
    def reference_tx(self) -> ReferenceTransmitter:
        """Role ``reference_tx``."""
        return self._role("reference_tx", ReferenceTransmitter)

    @property
    def operator(self) -> Operator:
        """Role ``operator``."""
        return self._role("operator", Operator)

    def own_roles(self) -> tuple[str, ...]:
        """Roles with an instrument of their own, in the bench file's order."""
        return tuple(role for role in self.instruments if not self.spec.instruments[role].shared_with)

    def connect(self) -> None:
        """Connect every instrument.

        :raises InstrumentError: at the first that cannot be.
        """
        for role in self.own_roles():
            self.identities[role] = self.instruments[role].connect()

    def set_up_power_meter(
        self, wavelength_nm: float | Mapping[int, float], averaging_s: float, channels: Sequence[int]
    ) -> None:
        """Set the power meter up, unless it stands so already: 40 round trips that need not be repeated at
        every corner. ``wavelength_nm``: of all channels, or by channel. After a fault of the meter call
        :meth:`forget_set_ups`.
        """
        of = wavelength_nm if isinstance(wavelength_nm, Mapping) else dict.fromkeys(channels, wavelength_nm)
        wanted = (tuple(of[channel] for channel in channels), averaging_s, tuple(channels))
        if self._power_meter_set_up == wanted:
            return
        self._power_meter_set_up = None
        for nm in dict.fromkeys(wanted[0]):
            same = tuple(channel for channel in channels if of[channel] == nm)
            self.power_meter.configure(wavelength_nm=nm, averaging_s=averaging_s, channels=same)
        self._power_meter_set_up = wanted

    def forget_set_ups(self) -> None:
        """Set instruments up anew at the next use: what they stand at is not known any more."""
        self._power_meter_set_up = None

    def make_safe(
        self, first: Sequence[tuple[str, Callable[[], Sequence[SafetyStep]]]] = ()
    ) -> tuple[SafetyResult, ...]:
        """Bring everything to its safe state. ``first``: what goes before all instruments (the module's own
        transmitters). Stop requests are kept out meanwhile. Never raises."""
        roles = set(self.own_roles())
        groups = [
            [(role, self.instruments[role].make_safe) for role in group if role in roles]
            for group in _SAFE_ORDER
        ]
        named = {role for group in _SAFE_ORDER for role in group}
        groups.append([(role, self.instruments[role].make_safe) for role in sorted(roles - named)])
        with self.stop.shield():
            return make_all_safe([list(first), *groups])

    def bus_transactions(self) -> int:
        """Transactions on the two-wire buses so far."""
        return self._io.bus_transactions()

    def round_trips(self) -> int:
        """Round trips to instruments so far."""
        return self._io.round_trips()

    def close(self) -> None:
        """Close every session; the bench cannot be used afterwards."""
        self._io.close()
