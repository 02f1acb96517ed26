"""Bytes of a real module under a simulated one that lives: ``[memory]`` of its profile, not frozen.

Identity, advertising and thresholds are the real module's; states, monitors, flags and controls are not.
What the real module advertises and the simulation does not have is taken back, so that a host is not sent
to pages and controls that are not there. A checksum that was right stays right, and a wrong one wrong.
"""

from __future__ import annotations

from drivers.cmis.fields import decode, encode
from drivers.cmis.image import CHECKSUM_PAGES, HALF, page_checksum
from drivers.cmis.memory_map import FIELDS
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.profile import Profile
from harness.simulation.module.profile.memory import MemoryHalf

_LOWER_BYTES = (*range(3), *range(56, 64), *range(85, 118))
"""Identifier, revision, memory model; function type; media type and application descriptors."""

_PAGES = (0x00, 0x01, 0x02, 0x03)
_DRIVEN = {0x01: (128, 129)}
"""Bytes that the simulated module sets as it runs: the inactive firmware's revision."""

_NOT_SIMULATED = (
    "NetworkPathPagesSupported",
    "CoherentPagesSupported",
    "TimingPage15hSupported",
    "TransmitterIsTunable",
    "WavelengthControlSupported",
    "BankBroadcastSupported",
    "AdaptiveInputEqFailFlagTxSupported",
    "Aux1MonSupported",
    "Aux2MonSupported",
    "Aux3MonSupported",
    "CustomMonSupported",
    "TxInputEqFreezeSupported",
    "TxInputEqRecallBuffersSupported",
)

_AVERAGE_POWER_SQUELCH, _SELECTABLE_SQUELCH = 2, 3


def lay_under(registers: Registers, profile: Profile) -> dict[int, int]:
    """Put the profile's bytes in place of those that its other sections made. Returns by how much the real
    module's checksum of a page is off, for every page that comes from it."""
    deviations = {}
    for half in profile.memory.halves:
        if half.page is None:
            _copy(registers, half, _LOWER_BYTES, 0)
        elif half.page in _PAGES and registers.has(half.bank, half.page):
            driven = _DRIVEN.get(half.page, ())
            _copy(registers, half, [byte for byte in range(HALF, 2 * HALF) if byte not in driven], HALF)
            if half.page in CHECKSUM_PAGES:
                checksum = page_checksum(half.page, half.data)
                deviations[half.page] = checksum.stored - checksum.computed
    if profile.memory.halves:
        _take_back(registers, profile)
    return deviations


def _copy(registers: Registers, half: MemoryHalf, numbers: list[int] | tuple[int, ...], start: int) -> None:
    for byte in numbers:
        if byte - start not in half.unread:
            registers.put(half.bank, half.page or 0, byte, half.data[byte - start : byte - start + 1])


def _take_back(registers: Registers, profile: Profile) -> None:
    for name in _NOT_SIMULATED:
        encode(FIELDS[name], 0, registers)
    if decode(FIELDS["SquelchMethodTx"], registers) == _SELECTABLE_SQUELCH:
        encode(FIELDS["SquelchMethodTx"], _AVERAGE_POWER_SQUELCH, registers)
    for name, has in (
        ("DiagnosticPagesSupported", profile.diagnostics.supported),
        ("VDMPagesSupported", profile.vdm.supported),
        ("CdbInstancesSupported", profile.cdb.supported),
        ("Page03hSupported", profile.management.user_eeprom),
    ):
        encode(FIELDS[name], int(has), registers)
