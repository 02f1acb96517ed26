"""Banks above 0 of a module whose applications all use bank 0: host lanes without application.

Of such a bank there are the pages of lane control and status; the others fall back to page 00h.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.cmis.codes import ConfigStatus, DataPathState
from drivers.cmis.fields import LANES, decode, encode
from drivers.cmis.memory_map import FIELDS
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.profile.management import ManagementProfile

CONTROL_PAGE, STATUS_PAGE = FIELDS["DPDeinit"].page, FIELDS["DPStateHostLane"].page

_TRIGGERS = (
    ("SCS0", "ApplyDPInit"),
    ("SCS0", "ApplyImmediate"),
    ("SCS1", "SCS1_ApplyDPInit"),
    ("SCS1", "SCS1_ApplyImmediate"),
)


def spare_pages(management: ManagementProfile) -> tuple[tuple[int, int], ...]:
    """(bank, page) of the spare banks."""
    return tuple((bank, page) for bank in range(1, management.banks) for page in (CONTROL_PAGE, STATUS_PAGE))


def fill_spare_banks(registers: Registers, management: ManagementProfile) -> None:
    """What they hold at the start."""
    for bank in range(1, management.banks):
        encode(FIELDS["DPStateHostLane"], (DataPathState.DPDeactivated,) * LANES, registers, bank)


def host_wrote(registers: Registers, bank: int, page: int, written: Mapping[int, int]) -> None:
    """Answer configuration commands: no application may use these lanes."""
    if page != CONTROL_PAGE:
        return
    for control_set, trigger in _TRIGGERS:
        lanes = written.get(FIELDS[trigger].byte, 0)
        if not lanes:
            continue
        staged = decode(FIELDS[f"{control_set}_AppSel"], registers, bank)
        status = decode(FIELDS["ConfigStatus"], registers, bank)
        assert isinstance(staged, tuple)
        assert isinstance(status, tuple)
        results = [int(code) for code in status]
        for index in range(LANES):
            if lanes >> index & 1:
                wanted = staged[index]
                results[index] = (
                    ConfigStatus.ConfigRejectedInvalidDataPath if wanted else ConfigStatus.ConfigSuccess
                )
        encode(FIELDS["ConfigStatus"], tuple(results), registers, bank)
