"""What real modules do that the standard does not say, as data: section ``[quirks]`` of a profile.

:data:`QUIRKS` lists them all, with where each was seen. "Assumed" says that no public report was found: the
quirk is plausible, or the standard leaves room for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VENDOR_NAME_BYTES = 16
MARKUP = "<script>alert(1)"
"""As long as a vendor name may be."""


def _seen(seen: str, does: str, **limits: Any) -> dict[str, Any]:
    return {"seen": seen, "does": does, **limits}


@dataclass(frozen=True, slots=True)
class QuirkProfile:
    """Quirks of one module; the defaults are none."""

    unsupported_pages_mirror_00h: bool = field(
        default=False,
        metadata=_seen(
            "FBOSS, memory dump of an LPO module",
            "PageSelect keeps the number of a page that the module does not have, and the page shows 00h; "
            "otherwise PageSelect falls back to 0",
        ),
    )
    status_reserved_bits: int = field(
        default=0,
        metadata=_seen(
            "FBOSS, which masks them",
            "these bits of lower:3 are set, of which 7-4 are reserved",
            low=0,
            high=0xFF,
            choices=tuple(range(0, 0x100, 0x10)),
        ),
    )
    dp_init_pending_never_set: bool = field(
        default=False,
        metadata=_seen(
            "SONiC, sonic-buildimage issue 27582 and sonic-platform-daemons pull request 878",
            "11h:235 stays 0, although the module goes through DPInit as it should",
        ),
    )
    app_sel_0_rejected: bool = field(
        default=False,
        metadata=_seen(
            "SONiC, sonic-buildimage issues 29494 and 21603",
            "a lane that is to be left without application gets ConfigRejectedInvalidAppSel",
        ),
    )
    sibling_status_undefined: bool = field(
        default=False,
        metadata=_seen(
            "SONiC, sonic-platform-daemons pull request 551",
            "a configuration command sets ConfigStatus of all lanes that it does not name to ConfigUndefined",
        ),
    )
    cdb_nacks_while_busy: bool = field(
        default=False,
        metadata=_seen(
            "SONiC, sonic-platform-common pull requests 308 and 580",
            "acknowledges nothing while a CDB command runs, although it advertises background mode",
        ),
    )
    firmware_start_s: float = field(
        default=0.0,
        metadata=_seen(
            "SONiC, sonic-buildimage issue 26243 (12 s, as that module advertises)",
            "above 0: Start Firmware Download takes this long, which CDB command 0041h advertises",
            low=0,
            high=600,
        ),
    )
    bias_multiplier: int = field(
        default=1,
        metadata=_seen(
            "ethtool, which divides by it instead",
            "01h:160.4-3: TxBias and its thresholds are in steps of 2 uA times this",
            low=1,
            high=4,
            choices=(1, 2, 4),
        ),
    )
    full_page_reads_refused: bool = field(
        default=False,
        metadata=_seen(
            "assumed: OIF-CMIS-05.4 §5.2 obliges a module to give 8 bytes only, hosts read 128 from all",
            "advertises reads of a whole page (01h:251) and acknowledges none above 8 bytes but those of CDB",
        ),
    )
    stale_monitors_s: float = field(
        default=0.0,
        metadata=_seen(
            "assumed",
            "above 0: the monitors are renewed only once in this time; the first sample is of the start",
            low=0,
            high=1e6,
        ),
    )
    clock_stretch_s: float = field(
        default=0.0,
        metadata=_seen(
            "Oxide, hubris pull request 1871; SONiC, sonic-platform-common pull request 308",
            "holds the clock this long in each read, for which tREAD allows 500 us",
            low=0,
            high=1,
        ),
    )
    vendor_name_hex: str = field(
        default="",
        metadata=_seen(
            "SONiC, sonic-buildimage issue 16838 (FFh) and sonic-platform-common pull request 633 (BEh)",
            "bytes of the vendor's name, as hexadecimal digits; need not be ASCII, nor UTF-8",
            longest=2 * VENDOR_NAME_BYTES,
        ),
    )
    markup_in_vendor_name: bool = field(
        default=False,
        metadata=_seen("assumed: whoever programs the EEPROM", f"the vendor's name is {MARKUP}"),
    )
    copper_claims_paged_memory: bool = field(
        default=False,
        metadata=_seen(
            "SONiC, sonic-platform-daemons pull request 586",
            "a passive copper cable with page 00h alone, whose lower:2.7 says that it has more",
        ),
    )


@dataclass(frozen=True, slots=True)
class Quirk:
    """One quirk: its key in a profile (``section.key``), type, default, where it was seen, what it does."""

    key: str
    type: str
    default: object
    seen: str
    does: str


_ELSEWHERE = (
    Quirk(
        "diagnostics.slow_selector_s",
        "float",
        0.0,
        "FBOSS, list of part numbers with slow diagnostics select: Arista XDR4, 100 ms",
        "zeros for this long after a write of 14h:128",
    ),
    Quirk(
        "faults.stuck_config_host_lanes",
        "tuple[int, ...]",
        (),
        "SONiC, sonic-buildimage issue 27000",
        "ConfigStatus of these lanes never leaves ConfigInProgress",
    ),
    Quirk(
        "management.wrong_checksum_page",
        "str",
        "",
        "assumed",
        "the checksum of this page is wrong",
    ),
)

QUIRKS: Mapping[str, Quirk] = {
    quirk.key: quirk
    for quirk in (
        *(
            Quirk(
                f"quirks.{item.name}",
                str(item.type),
                item.default,
                item.metadata["seen"],
                item.metadata["does"],
            )
            for item in dataclasses.fields(QuirkProfile)
        ),
        *_ELSEWHERE,
    )
}
"""All quirks by their key in a profile; some stand in the section that they belong to."""


def vendor_name(quirks: QuirkProfile) -> bytes | None:
    """The vendor's name as bytes when a quirk sets it.

    :raises ValueError: when ``vendor_name_hex`` is not of whole bytes.
    """
    if quirks.markup_in_vendor_name:
        return MARKUP.encode()
    if quirks.vendor_name_hex:
        return bytes.fromhex(quirks.vendor_name_hex).ljust(VENDOR_NAME_BYTES, b" ")
    return None
