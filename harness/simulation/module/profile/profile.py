"""A profile as the simulation has it: its sections together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.simulation.module.profile.applications import ApplicationProfile
from harness.simulation.module.profile.cdb import CdbProfile
from harness.simulation.module.profile.diagnostics import DiagnosticsProfile
from harness.simulation.module.profile.faults import FaultProfile
from harness.simulation.module.profile.host_side import (
    ConfigurationProfile,
    HostSideProfile,
    SignalIntegrityProfile,
)
from harness.simulation.module.profile.identity import IdentityProfile
from harness.simulation.module.profile.management import ManagementProfile, PowerProfile, TimingProfile
from harness.simulation.module.profile.medium import MediumProfile
from harness.simulation.module.profile.memory import MemoryProfile
from harness.simulation.module.profile.monitors import MonitorProfile, ThresholdProfile, VdmProfile
from harness.simulation.module.profile.quirks import QuirkProfile
from harness.simulation.module.profile.receiver import ReceiverProfile
from harness.simulation.module.profile.stated_defect import StatedDefect
from harness.simulation.module.profile.transmitter import TransmitterProfile


@dataclass(frozen=True, slots=True)
class Profile:
    """A simulated module's physics, memory contents, quirks and faults."""

    name: str
    description: str
    media_lanes: int
    identity: IdentityProfile
    management: ManagementProfile
    timing: TimingProfile
    transmitter: TransmitterProfile
    receiver: ReceiverProfile
    power: PowerProfile
    monitors: MonitorProfile
    thresholds: ThresholdProfile
    diagnostics: DiagnosticsProfile
    vdm: VdmProfile
    applications: tuple[ApplicationProfile, ...]
    faults: FaultProfile
    cdb: CdbProfile = field(default_factory=CdbProfile)
    configuration: ConfigurationProfile = field(default_factory=ConfigurationProfile)
    signal_integrity: SignalIntegrityProfile = field(default_factory=SignalIntegrityProfile)
    host_side: HostSideProfile = field(default_factory=HostSideProfile)
    quirks: QuirkProfile = field(default_factory=QuirkProfile)
    memory: MemoryProfile = field(default_factory=MemoryProfile)
    medium: MediumProfile = field(default_factory=MediumProfile)
    defects: tuple[StatedDefect, ...] = ()
    """For display: what they do is in the other sections' numbers already."""


SECTIONS: Mapping[str, type[Any]] = {
    "identity": IdentityProfile,
    "management": ManagementProfile,
    "timing": TimingProfile,
    "transmitter": TransmitterProfile,
    "receiver": ReceiverProfile,
    "power": PowerProfile,
    "monitors": MonitorProfile,
    "thresholds": ThresholdProfile,
    "diagnostics": DiagnosticsProfile,
    "vdm": VdmProfile,
    "faults": FaultProfile,
    "cdb": CdbProfile,
    "configuration": ConfigurationProfile,
    "signal_integrity": SignalIntegrityProfile,
    "host_side": HostSideProfile,
    "medium": MediumProfile,
    "quirks": QuirkProfile,
}
"""Sections of a profile but ``memory``, which holds pages by name, and ``application`` and ``defect``, of
which there may be several."""
