"""Pages 20h to 2Fh, Versatile Diagnostics Monitoring (OIF-CMIS-05.4 §8.18 to §8.24). Banked.

Four groups of 64 instances. What an instance observes, and with which type and scale, stands in its
descriptor: :mod:`drivers.cmis.vdm` puts the parts together.
"""

from __future__ import annotations

from drivers.cmis.fields import Access, Field, Kind

GROUPS = (1, 2, 3, 4)
INSTANCES_PER_GROUP = 64
THRESHOLD_SETS_PER_GROUP = 16
_WORDS = 64
_CONTROL = 0x2F


def _words(name: str, page: int, doc: str) -> Field:
    return Field(name, page, 128, Kind.UINT, 2, lanes=_WORDS, banked=True, doc=doc)


def _nibbles(name: str, page: int, group: int, access: Access, doc: str) -> Field:
    return Field(
        name,
        page,
        128 + 32 * (group - 1),
        Kind.LANE_NIBBLES,
        lanes=INSTANCES_PER_GROUP,
        banked=True,
        access=access,
        doc=doc,
    )


def _bits(name: str, byte: int, msb: int, lsb: int, doc: str, access: Access = Access.RO) -> Field:
    return Field(name, _CONTROL, byte, Kind.UINT, msb=msb, lsb=lsb, banked=True, access=access, doc=doc)


FIELDS: tuple[Field, ...] = (
    *(
        _words(
            f"VDMDescriptorsGroup{group}",
            0x1F + group,
            "of each instance: threshold set in bits 15-12, lane less one in 11-8 (15: module or data path), "
            "type in 7-0 (0: unused)",
        )
        for group in GROUPS
    ),
    *(
        _words(f"VDMSamplesGroup{group}", 0x23 + group, "of each instance, in the format of its type")
        for group in GROUPS
    ),
    *(
        _words(
            f"VDMThresholdsGroup{group}",
            0x27 + group,
            "16 sets of high alarm, low alarm, high warning, low warning, in the format of the type",
        )
        for group in GROUPS
    ),
    *(
        _nibbles(
            f"VDMFlagsGroup{group}",
            0x2C,
            group,
            Access.RO_COR,
            "of each instance: bit 0 high alarm, 1 low alarm, 2 high warning, 3 low warning",
        )
        for group in GROUPS
    ),
    *(
        _nibbles(f"VDMMasksGroup{group}", 0x2D, group, Access.RW, "of each instance, default 1: no interrupt")
        for group in GROUPS
    ),
    _bits("VDMGroupsSupported", 128, 1, 0, "groups less one"),
    Field(
        "VDMFineIntervalLength",
        _CONTROL,
        129,
        Kind.UINT,
        2,
        scale=1e-4,
        unit="s",
        banked=True,
        doc="interval of which statistics take their samples; 0: not given",
    ),
    _bits("VDMFreezeRequest", 144, 7, 7, "1: freeze statistics, 0: let them go on", Access.RW),
    _bits("VDMPowerSavingMode", 144, 6, 6, "1: save power at the monitors' cost", Access.RW),
    _bits("VDMFreezeDone", 145, 7, 7, "1: statistics are frozen and may be read"),
    _bits("VDMUnfreezeDone", 145, 6, 6, "1: statistics go on"),
)
