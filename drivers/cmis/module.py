"""The host's side of a CMIS module: reads and commands by name, whatever carries the bytes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager

from drivers.clock import Clock
from drivers.cmis import information
from drivers.cmis.codes import ConfigStatus, DataPathState, ModuleState, duration_upper_s
from drivers.cmis.errors import WriteNotTakenError
from drivers.cmis.fields import LANES, Access, Field, Scalar, Value, decode_bytes, encode, encode_bytes
from drivers.cmis.image import CHECKSUM_PAGES, HALF, Checksum, page_checksum
from drivers.cmis.information import Application, LaneMonitor, ModuleIdentity, Reach, Thresholds
from drivers.cmis.latched_flags import Flags, flags_of, read_latched
from drivers.cmis.ports import (
    AccessLimits,
    HasLimits,
    HoldsTheBus,
    RemembersPage,
    TracksConfiguration,
    bus_held,
)
from drivers.interfaces import MemoryPort

__all__ = [
    "Application",
    "CmisModule",
    "Flags",
    "HoldsTheBus",
    "LaneMonitor",
    "ModuleIdentity",
    "PortImage",
    "Reach",
    "RemembersPage",
    "Thresholds",
    "flags_of",
    "lane_bits",
]


_LASER_PAGE = 0x04
"""Laser capabilities: in tunable modules only (01h:155.6)."""


class PortImage:
    """A memory port as the source and destination of :func:`drivers.cmis.fields.decode` and ``encode``."""

    def __init__(self, memory: MemoryPort) -> None:
        self.memory = memory
        self.get = memory.read
        self.put = memory.write

    @property
    def limits(self) -> AccessLimits:
        """Of the port; 8 bytes where it has none."""
        return self.memory.limits if isinstance(self.memory, HasLimits) else AccessLimits()

    @limits.setter
    def limits(self, limits: AccessLimits) -> None:
        if not isinstance(self.memory, HasLimits):
            what = f"this memory, {type(self.memory).__name__}, has no limits to set"
            raise ValueError(what)  # noqa: TRY004
        self.memory.limits = limits


class CmisModule:
    """One module. Does no I/O when it is constructed.

    Every method raises :class:`drivers.cmis.errors.CmisError` for what is wrong with the module and
    :class:`drivers.errors.BenchError` for what is wrong with the way to it.
    """

    def __init__(self, memory: MemoryPort, clock: Clock) -> None:
        self._memory = memory
        self.clock = clock
        self.registers = PortImage(memory)

    @property
    def memory(self) -> MemoryPort:
        """The way to the module. To go another way, make another :class:`CmisModule`."""
        return self._memory

    def get(self, name: str, bank: int = 0) -> Value:
        """Read a field by name. Reading one clear-on-read flag clears all that share its byte: use
        :meth:`flags` for those.

        :raises ValueError: when there is no field of this name.
        """
        return information.get(self.registers, name, bank)

    def set(self, name: str, value: Value | Sequence[Scalar], bank: int = 0) -> None:
        """Write a field by name, keeping other bits of its byte.

        :raises ValueError: when the register cannot hold the value or is read-only, and when there is no
            field of this name.
        """
        field = _writable(name)
        with self._undisturbed():
            encode(field, value, self.registers, bank)

    def set_and_verify(self, name: str, value: Value | Sequence[Scalar], bank: int = 0) -> None:
        """Write a field and read it back.

        :raises WriteNotTakenError: when it reads back something else.
        """
        self.set(name, value, bank)
        found = self.get(name, bank)
        field = information.field_named(name)
        # What the register makes of the value: a mask as lanes, a number as its nearest step.
        if found != decode_bytes(field, encode_bytes(field, value, bytes(field.size))):
            self.forget_page()  # whatever stood in the way may have changed the page too
            raise WriteNotTakenError(
                f"{name} ({field.where}) reads back {found!r} after {value!r} was written to it"
            )

    def identity(self) -> ModuleIdentity:
        """Who the module says it is."""
        return information.read_identity(self.registers)

    def applications(self) -> tuple[Application, ...]:
        """The applications it advertises."""
        return information.read_applications(self.registers)

    def module_state(self) -> ModuleState:
        """State of the module state machine."""
        return ModuleState(information.get_int(self.registers, "ModuleState"))

    def data_path_states(self, bank: int = 0) -> tuple[DataPathState, ...]:
        """State of the data path of each of 8 host lanes."""
        return tuple(
            DataPathState(code) for code in information.get_codes(self.registers, "DPStateHostLane", bank)
        )

    def config_status(self, bank: int = 0) -> tuple[ConfigStatus, ...]:
        """Result of the last configuration command of each of 8 host lanes."""
        return tuple(
            ConfigStatus(code) for code in information.get_codes(self.registers, "ConfigStatus", bank)
        )

    def temperature_c(self) -> float:
        """The module's own temperature monitor."""
        return information.get_float(self.registers, "TempMonValue")

    def vcc_v(self) -> float:
        """The module's own supply monitor."""
        return information.get_float(self.registers, "VccMonVoltage")

    def lane_monitors(self, bank: int = 0) -> tuple[LaneMonitor, ...]:
        """Monitors of 8 media lanes."""
        return information.read_lane_monitors(self.registers, bank)

    def thresholds(self) -> Mapping[str, Thresholds]:
        """Alarm and warning limits of the monitors."""
        return information.read_thresholds(self.registers)

    def reach(self) -> Reach:
        """Supported fibre lengths."""
        return information.read_reach(self.registers)

    def flags(self, bank: int = 0) -> Flags:
        """Latched flags. Reading clears them, so each byte is read once and only when this is called.

        An exception on the way has what was read until then in its attribute ``flags_read``.
        """
        return read_latched(self.registers, bank)

    def checksums(self) -> tuple[Checksum, ...]:
        """Checksums of the pages that have one, as stored and as computed."""
        flat = information.get_int(self.registers, "MemoryModel")
        pages = CHECKSUM_PAGES[:1] if flat else CHECKSUM_PAGES
        if not flat and not information.get_int(self.registers, "TransmitterIsTunable"):
            pages = tuple(page for page in pages if page != _LASER_PAGE)
        return tuple(page_checksum(page, self.memory.read(0, page, HALF, HALF)) for page in pages)

    def duration_s(self, name: str) -> float:
        """Upper bound of an advertised duration, e.g. ``MaxDurationDPInit``.

        :raises InvalidMemoryError: when its code is reserved.
        """
        field = information.field_named(name)
        return duration_upper_s(information.get_int(self.registers, name), what=f"{name} ({field.where})")

    def set_output_disable_tx(self, lanes: Collection[int], bank: int = 0) -> None:
        """Turn off the transmitters of exactly these media lanes (1..8), and on all others.

        :raises WriteNotTakenError: when the register reads back something else.
        """
        self.set_and_verify("OutputDisableTx", lane_bits(lanes), bank)

    def set_low_power(self, on: bool) -> None:
        """Request low power by register (lower:26.4), or withdraw the request.

        :raises WriteNotTakenError: when the register reads back something else.
        """
        self.set_and_verify("LowPwrRequestSW", int(on))

    def forget_page(self) -> None:
        """To be called when the module was reset, exchanged or lost its supply."""
        if isinstance(self.memory, RemembersPage):
            self.memory.forget_page()

    def configuration_settled(self) -> None:
        """To be called when the data paths are steady after somebody else configured them:
        :func:`drivers.cmis.configuration.configure` and :func:`drivers.cmis.bringup.bring_up` do it."""
        if isinstance(self.memory, TracksConfiguration):
            self.memory.configuration_settled()

    def _undisturbed(self) -> AbstractContextManager[object]:
        return bus_held(self.memory)


def _writable(name: str) -> Field:
    field = information.field_named(name)
    if field.access in (Access.RO, Access.RO_COR):
        raise ValueError(f"{name} ({field.where}) is not for writing: {field.access.value}")
    return field


def lane_bits(lanes: Collection[int]) -> tuple[bool, ...]:
    """The 8 truth values of a lane register with these lanes (1..8) set.

    :raises ValueError: for a lane that is not 1..8.
    """
    wrong = sorted(set(lanes) - set(range(1, LANES + 1)))
    if wrong:
        raise ValueError(f"lanes are 1..{LANES}, not {wrong}")
    return tuple(lane in lanes for lane in range(1, LANES + 1))
