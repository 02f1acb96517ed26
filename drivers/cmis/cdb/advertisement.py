"""What a module advertises of CDB: 01h:163-166 (OIF-CMIS-05.4 §8.4)."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.cmis.errors import CdbNotAdvertisedError
from drivers.cmis.fields import ReadableImage, decode_bytes
from drivers.cmis.image import HALF
from drivers.cmis.information import get_int
from drivers.cmis.memory_map import FIELDS

__all__ = ["CAPTURE_S", "CdbAdvertisement", "access_bytes", "read_advertisement"]

CAPTURE_S = 0.080
"""tCDBC: longest hold-off while a command is captured (Table 10-2)."""

_PAGES_OF_EPL = (0, 1, 2, 3, 4, 8, 12, 16)
_EXTENDED_STEP_S = 0.160
_SHORT_LIMIT_MS = 80
_NAMES = (
    "CdbInstancesSupported",
    "CdbBackgroundModeSupported",
    "CdbAutoPagingSupported",
    "CdbMaxPagesEPL",
    "CdbReadWriteLengthExtension",
    "CdbCommandTriggerMethod",
    "CdbExtMaxBusyTime",
    "CdbMaxBusySpecMethod",
    "CdbMaxBusyTime",
)


@dataclass(frozen=True, slots=True)
class CdbAdvertisement:
    """``instances``: 0 to 2. ``background``: the module answers while a command runs; else it does not
    acknowledge meanwhile. ``epl_pages``: pages of extended payload. ``access_bytes``: longest read or write
    of extended payload; of page 9Fh at most the page. ``trigger_on_stop``: any write that includes 9Fh:129
    starts the command; else only a write of 129 or 128-129 alone.

    ``max_busy_s``: tCDBF, read as the selector's text says. ``patience_s``: how long is really waited: the
    longest that any reading of the contradicting texts gives, for a wait too short would blame a module that
    keeps to the other reading [uncertain].
    """

    instances: int
    background: bool
    auto_paging: bool
    epl_pages: int
    access_bytes: int
    trigger_on_stop: bool
    max_busy_s: float
    patience_s: float


def access_bytes(extension: int) -> int:
    """Bytes of one access, from the length extension k: 8 * (1 + k)."""
    return 8 * (1 + extension)


def read_advertisement(source: ReadableImage) -> CdbAdvertisement:
    """From a live module's registers, or from a dump.

    :raises CdbNotAdvertisedError: when the memory is flat, or an advertised code is reserved.
    :raises CmisError: what the source raises.
    """
    if get_int(source, "MemoryModel"):
        raise CdbNotAdvertisedError(
            f"the module has flat memory ({FIELDS['MemoryModel'].where}): it has no page 9Fh and no CDB"
        )
    first = min(FIELDS[name].byte for name in _NAMES)
    last = max(FIELDS[name].byte for name in _NAMES)
    page = FIELDS[_NAMES[0]].page
    raw = source.get(0, page, first, last - first + 1)
    values: dict[str, int] = {}
    for name in _NAMES:
        field = FIELDS[name]
        values[name] = int(decode_bytes(field, raw[field.byte - first : field.byte - first + field.size]))  # type: ignore[arg-type]
    if values["CdbInstancesSupported"] > 2:
        raise CdbNotAdvertisedError(
            f"{FIELDS['CdbInstancesSupported'].where} is 3, which is reserved; expected 0, 1 or 2 instances"
        )
    code = values["CdbMaxPagesEPL"]
    if code >= len(_PAGES_OF_EPL) and values["CdbInstancesSupported"]:
        raise CdbNotAdvertisedError(
            f"{FIELDS['CdbMaxPagesEPL'].where} is {code}, which is reserved; expected 0..7"
        )
    short_s = max(0, _SHORT_LIMIT_MS - values["CdbMaxBusyTime"]) / 1000
    extended_s = max(1, values["CdbExtMaxBusyTime"]) * _EXTENDED_STEP_S
    max_busy_s = extended_s if values["CdbMaxBusySpecMethod"] else short_s
    return CdbAdvertisement(
        instances=values["CdbInstancesSupported"],
        background=bool(values["CdbBackgroundModeSupported"]),
        auto_paging=bool(values["CdbAutoPagingSupported"]),
        epl_pages=_PAGES_OF_EPL[code] if code < len(_PAGES_OF_EPL) else 0,
        access_bytes=min(access_bytes(values["CdbReadWriteLengthExtension"]), 16 * HALF),
        trigger_on_stop=bool(values["CdbCommandTriggerMethod"]),
        max_busy_s=max_busy_s,
        patience_s=max(max_busy_s, extended_s, CAPTURE_S),
    )
