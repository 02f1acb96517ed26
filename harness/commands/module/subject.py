"""Which module a result is of: a number without its serial number is worth nothing the next day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drivers.cmis.fields import ReadableImage
    from harness.module_target import ModuleTarget

_FIELDS = {"vendor": "VendorName", "part_number": "VendorPN", "serial_number": "VendorSN"}


def names_of(source: ReadableImage) -> dict[str, str | None]:
    """Vendor, part number and serial number; None for what cannot be read, such as of a dump without page
    00h: that is no reason not to tell the rest.

    :raises drivers.errors.BenchError: when the way to the module fails.
    """
    from drivers.cmis.errors import CmisError
    from drivers.cmis.information import get_text

    found: dict[str, str | None] = {}
    for key, name in _FIELDS.items():
        try:
            found[key] = get_text(source, name)
        except CmisError:
            found[key] = None
    return found


def subject_of(target: ModuleTarget) -> dict[str, Any]:
    """The same with the target's name and whether it is simulated, for JSON."""
    return {
        "target": target.name,
        "simulated": target.simulated,
        **names_of(target.module.registers),
    }


def heading(subject: Mapping[str, Any]) -> str:
    """One line: ``sim-dr4 (SIMULATED): LANEWISE LW-400G-DR4-SIM, serial number LW26000001``."""
    return f"{subject['target']}: {names_text(subject)}"


def names_text(names: Mapping[str, Any]) -> str:
    """``LANEWISE LW-400G-DR4-SIM, serial number LW26000001``."""
    what = " ".join(names[key] for key in ("vendor", "part_number") if names[key])
    serial = names["serial_number"]
    return f"{what or 'unnamed module'}, {f'serial number {serial}' if serial else 'no serial number'}"
