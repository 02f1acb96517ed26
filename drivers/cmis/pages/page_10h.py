"""Page 10h, lane control and staged control sets (OIF-CMIS-05.4 §8.9). Banked: 8 lanes in each bank."""

from __future__ import annotations

from drivers.cmis.fields import LANES, Access, Field, Kind
from drivers.cmis.pages.page_11h import LATCHED, data_path_config, latched_name, signal_integrity

_PAGE = 0x10
_SCS1_OFFSET = 35
_MASK_OFFSET = 79  # masks of flags 11h:134-153 lie in 10h:213-232


def _bits(name: str, byte: int, doc: str, access: Access = Access.RW) -> Field:
    return Field(name, _PAGE, byte, Kind.LANE_BITS, lanes=LANES, banked=True, access=access, doc=doc)


def _staged(prefix: str, offset: int) -> tuple[Field, ...]:
    # The triggers of Staged Control Set 0 go by their plain names, which is what people call them.
    trigger = "" if prefix == "SCS0" else f"{prefix}_"
    return (
        _bits(f"{trigger}ApplyDPInit", 143 + offset, "provision, and commission by DPInit", Access.WO),
        _bits(f"{trigger}ApplyImmediate", 144 + offset, "provision, and commission at once", Access.WO),
        *data_path_config(prefix, _PAGE, 145 + offset, Access.RW),
        *signal_integrity(prefix, _PAGE, 153 + offset, Access.RW),
    )


FIELDS: tuple[Field, ...] = (
    _bits(
        "DPDeinit",
        128,
        "1: hold the lane's data path deactivated; the default 0 lets it initialise by itself",
    ),
    _bits("InputPolarityFlipTx", 129, "invert the host input"),
    _bits("OutputDisableTx", 130, "1: transmitter off"),
    _bits("AutoSquelchDisableTx", 131, "1: no squelch on loss of the host's signal"),
    _bits("OutputSquelchForceTx", 132, "1: squelch now"),
    _bits("AdaptiveInputEqFreezeTx", 134, "1: freeze the equaliser"),
    Field(
        "AdaptiveInputEqStoreTx",
        _PAGE,
        135,
        Kind.RAW,
        2,
        banked=True,
        access=Access.WO,
        doc="store the equaliser's state, 2 bits for each lane",
    ),
    _bits("OutputPolarityFlipRx", 137, "invert the host output"),
    _bits("OutputDisableRx", 138, "1: host output off"),
    _bits("AutoSquelchDisableRx", 139, "1: no squelch on loss of light"),
    *_staged("SCS0", 0),
    _bits("ApplyImmediateTx", 176, "as ApplyImmediate, Tx settings only", Access.WO),
    _bits("ApplyImmediateRx", 177, "as ApplyImmediate, Rx settings only", Access.WO),
    *_staged("SCS1", _SCS1_OFFSET),
    *(
        _bits(
            latched_name(name, "Mask"),
            byte + _MASK_OFFSET,
            f"1: {latched_name(name, 'Flag')} does not interrupt",
        )
        for name, byte, _ in LATCHED
    ),
    Field("Custom10h", _PAGE, 240, Kind.RAW, 16, banked=True, access=Access.RW, doc="vendor's own"),
)
