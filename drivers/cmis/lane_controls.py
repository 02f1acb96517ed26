"""Controls that act on single lanes at once: outputs, squelch, polarity (page 10h, bytes 128 to 139).

Each is written for the lanes given and kept for all others, read back, and refused where the module does not
advertise it (01h:155, 156 and 161). Tx controls are of media lanes where they act on the media output
(disable, forced squelch, automatic squelch) and of host lanes where they act on the host input.
"""

from __future__ import annotations

import enum
from collections.abc import Collection

from drivers.cmis import information
from drivers.cmis.errors import NotAdvertisedError, WriteNotTakenError
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule, lane_bits
from drivers.cmis.ports import bus_held
from drivers.cmis.wording import lanes_text, where


class LaneControl(enum.Enum):
    """A control of single lanes. Value: its register."""

    OUTPUT_DISABLE_TX = "OutputDisableTx"
    SQUELCH_FORCE_TX = "OutputSquelchForceTx"
    AUTO_SQUELCH_DISABLE_TX = "AutoSquelchDisableTx"
    INPUT_POLARITY_FLIP_TX = "InputPolarityFlipTx"
    INPUT_EQ_FREEZE_TX = "AdaptiveInputEqFreezeTx"
    OUTPUT_DISABLE_RX = "OutputDisableRx"
    AUTO_SQUELCH_DISABLE_RX = "AutoSquelchDisableRx"
    OUTPUT_POLARITY_FLIP_RX = "OutputPolarityFlipRx"

    @property
    def advertised_by(self) -> str:
        """Name of the field of page 01h that says whether the module has it."""
        return _ADVERTISED_BY[self]


_ADVERTISED_BY = {
    LaneControl.OUTPUT_DISABLE_TX: "OutputDisableTxSupported",
    LaneControl.SQUELCH_FORCE_TX: "ForcedSquelchTxSupported",
    LaneControl.AUTO_SQUELCH_DISABLE_TX: "AutoSquelchDisableTxSupported",
    LaneControl.INPUT_POLARITY_FLIP_TX: "InputPolarityFlipTxSupported",
    LaneControl.INPUT_EQ_FREEZE_TX: "TxInputEqFreezeSupported",
    LaneControl.OUTPUT_DISABLE_RX: "OutputDisableRxSupported",
    LaneControl.AUTO_SQUELCH_DISABLE_RX: "AutoSquelchDisableRxSupported",
    LaneControl.OUTPUT_POLARITY_FLIP_RX: "OutputPolarityFlipRxSupported",
}


def is_advertised(module: CmisModule, control: LaneControl) -> bool:
    """Whether the module says that it has this control.

    :raises CmisError: when page 01h cannot be read.
    """
    return bool(information.get_int(module.registers, control.advertised_by))


def lanes_on(module: CmisModule, control: LaneControl, *, bank: int = 0) -> tuple[int, ...]:
    """Lanes (1..8) whose bit is set.

    :raises CmisError: when page 10h cannot be read.
    """
    return information.lanes_set(module.registers, control.value, bank)


def set_lanes(
    module: CmisModule, control: LaneControl, lanes: Collection[int], on: bool, *, bank: int = 0
) -> tuple[int, ...]:
    """Set (True) or clear the bits of these lanes (1..8) and of no others; returns all lanes set now.

    A module that can only turn off all transmitters together (01h:151.0) takes OutputDisableTx for all of its
    media lanes or not at all.

    :raises ValueError: for lanes that are not 1..8, or none.
    :raises NotAdvertisedError: when the module does not advertise the control; nothing was written.
    :raises WriteNotTakenError: when the register reads back something else.
    """
    if not lanes:
        raise ValueError("name at least one lane")
    lane_bits(lanes)  # refuses lanes that there are not
    if not is_advertised(module, control):
        raise NotAdvertisedError(
            f"the module does not advertise {control.value} ({FIELDS[control.value].where}): "
            f"{where(control.advertised_by)} is 0. Nothing was written."
        )
    if control is LaneControl.OUTPUT_DISABLE_TX:
        _require_all_if_module_wide(module, lanes)
    return change_lanes(
        module, control.value, set_lanes=lanes if on else (), clear_lanes=() if on else lanes, bank=bank
    )


def change_lanes(
    module: CmisModule,
    name: str,
    *,
    set_lanes: Collection[int] = (),
    clear_lanes: Collection[int] = (),
    bank: int = 0,
) -> tuple[int, ...]:
    """Set and clear bits of a register with one bit for each lane, keep the others, and read it back.

    :raises WriteNotTakenError: when it reads back something else.
    """
    with bus_held(module.memory):
        before = set(information.lanes_set(module.registers, name, bank))
        wanted = (before | set(set_lanes)) - set(clear_lanes)
        module.set(name, lane_bits(wanted), bank)
        found = set(information.lanes_set(module.registers, name, bank))
    if found != wanted:
        module.forget_page()
        raise WriteNotTakenError(
            f"{where(name)}: lanes {lanes_text(found) or 'none'} read back set after exactly "
            f"{lanes_text(wanted) or 'none'} were to be"
        )
    return tuple(sorted(found))


def _require_all_if_module_wide(module: CmisModule, lanes: Collection[int]) -> None:
    registers = module.registers
    if not information.get_int(registers, "TxDisableIsModuleWide"):
        return
    missing = set(information.media_lanes_present(registers)) - set(lanes)
    if missing:
        raise NotAdvertisedError(
            "the module turns its transmitters on and off only all together "
            f"({where('TxDisableIsModuleWide')} is 1): media lanes {lanes_text(missing)} would follow. "
            "Name all media lanes. Nothing was written."
        )
