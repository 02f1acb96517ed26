"""Section ``[identity]`` of a profile."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.simulation.module.profile.rules import limits


@dataclass(frozen=True, slots=True)
class IdentityProfile:
    """What the module says it is (page 00h, lower page)."""

    vendor: str = field(metadata={"longest": 16})
    part_number: str = field(metadata={"longest": 16})
    serial: str = field(metadata={"longest": 16})
    revision: str = field(metadata={"longest": 2})
    date_code: str = field(metadata={"longest": 8})
    oui: int = field(metadata=limits(0, 0xFFFFFF))
    identifier: int = field(metadata=limits(0, 255))
    cmis_major: int = field(metadata=limits(3, 5))
    cmis_minor: int = field(metadata=limits(0, 15))
    firmware_major: int = field(metadata=limits(0, 254))
    firmware_minor: int = field(metadata=limits(0, 254))
    hardware_major: int = field(metadata=limits(0, 255))
    hardware_minor: int = field(metadata=limits(0, 255))
    connector: int = field(metadata=limits(0, 255))
    media_technology: int = field(metadata=limits(0, 255))
    clei: str = field(default="", metadata={"longest": 10})
    media_type: int = field(default=2, metadata=limits(0, 5))
    """lower:85; 2: single-mode fibre, 3: passive copper."""
