"""Keysight N7744C and N7745C multiport optical power meters (N7744A/N7745A take the same commands).

Never run on hardware by this project. Commands, by how well they are known (section 1.1 of the
instrument notes): from Keysight's programming guide: ``:READ[n]:POWer?``, ``:FETCh[n]:POWer?``,
``:READ:POWer:ALL?`` with its little-endian float32 block, ``:READ:POWer:ALL:CONFig?``,
``:SENSe[n]:POWer:UNIT``, ``:WAVelength``, ``:ATIMe``, zeroing; seen in public drivers only:
``:RANGe:AUTO``, ``:INITiate[n]:CONTinuous``, ``:SYSTem:ERRor?``; uncertain: which value of the zeroing
query means success (0 is assumed), the huge values that stand for an overload and for too little light,
the (slot, channel) pairs of ``CONFig?`` (their order is used, their channel numbers are not looked at), and
whether the block of ``:READ:POWer:ALL?`` follows ``UNIT`` (so powers that no port survives are refused).
"""

from __future__ import annotations

from typing import ClassVar

from drivers.interfaces import Identity
from drivers.keysight_power_tree import KeysightPowerMeter

__all__ = ["N7744C", "N7745C"]

_RANGE_DBM = (-80.0, 10.0)
_IMPLAUSIBLE_W = 0.1
"""20 dBm, far above what a port survives."""


class _N77xx(KeysightPowerMeter):
    """A multiport meter: one detector a port, all measuring at once.

    Option ``block_reading`` (default true): all ports in one round trip by ``:READ:POWer:ALL?``; false:
    ``:READ<n>:POWer?`` port by port, for firmware on which the block misbehaves.
    """

    port_count: ClassVar[int]
    wavelength_range_nm: ClassVar[tuple[float, float]] = (1250.0, 1650.0)
    """Data sheet; from memory."""
    averaging_range_s: ClassVar[tuple[float, float]] = (1e-6, 10.0)

    @property
    def channels(self) -> tuple[int, ...]:
        """Its ports, from 1 on."""
        return tuple(range(1, self.port_count + 1))

    @property
    def range_dbm(self) -> tuple[float, float]:
        """Lowest and highest power it measures, dBm. Data sheet, from memory: check before relying on it."""
        return _RANGE_DBM

    def place_of(self, channel: int) -> str:
        """A port is a slot.

        :raises OutOfRangeError: when there is no such port.
        """
        if channel not in self.channels:
            raise self._no_channel(channel)
        return str(channel)

    def connect(self) -> Identity:
        """Probe, check the model, clear the status, read the averaging times, and ask for the order of the
        block that reads all ports.

        :raises WrongIdentityError: when another model answers.
        :raises GarbledReplyError: when the block has not every port once.
        """
        identity = super().connect()
        self._configured.clear()
        self._ask_averaging(map(str, self.channels))
        if self._block_reading:
            pairs = self._ask_block_pairs()
            if sorted(slot for slot, _ in pairs) != list(self.channels):
                raise self._no_order("every port", pairs)
            self._block_order = tuple(str(slot) for slot, _ in pairs)
        return identity

    def _wavelength_range_of(self, channel: int) -> tuple[float, float]:
        return self.wavelength_range_nm

    def _highest_dbm(self, channel: int) -> float:
        return _RANGE_DBM[1]

    def _implausible_w(self, channel: int) -> float:
        return _IMPLAUSIBLE_W


class N7744C(_N77xx):
    """Keysight N7744C (or N7744A): four ports. Never run on hardware by this project."""

    model_pattern = r"N7744[AC]"
    model_shown = "Keysight N7744C"
    port_count = 4


class N7745C(_N77xx):
    """Keysight N7745C (or N7745A): eight ports. Never run on hardware by this project."""

    model_pattern = r"N7745[AC]"
    model_shown = "Keysight N7745C"
    port_count = 8
