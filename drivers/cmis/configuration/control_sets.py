"""Control sets: which application each host lane is given, as staged (10h) and as in force (11h).

Staging has no effect until the set is applied. Only the bytes of the lanes concerned are written, so that
what is staged for other data paths stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.cmis import information
from drivers.cmis.errors import WriteNotTakenError
from drivers.cmis.fields import LANES
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.cmis.wording import host_lanes, where

ACTIVE = "ACS"


@dataclass(frozen=True, slots=True)
class LaneConfig:
    """One DPConfigLane register: AppSel code (0: unused), DataPathID (lowest host lane less one), and
    ExplicitControl."""

    app_sel: int = 0
    data_path_id: int = 0
    explicit: bool = False

    @classmethod
    def from_byte(cls, raw: int) -> LaneConfig:
        """From the register: AppSel in bits 7-4, DataPathID in 3-1, ExplicitControl in 0."""
        return cls(raw >> 4 & 0xF, raw >> 1 & 0b111, bool(raw & 1))

    @property
    def byte(self) -> int:
        """As the register holds it."""
        return self.app_sel << 4 | self.data_path_id << 1 | int(self.explicit)

    def __str__(self) -> str:
        if not self.app_sel:
            return "unused (AppSel 0)"
        explicit = ", explicit control" if self.explicit else ""
        return f"AppSel {self.app_sel} from host lane {self.data_path_id + 1}{explicit}"


UNUSED = LaneConfig()


@dataclass(frozen=True, slots=True)
class ActiveDataPath:
    """A data path of the Active Control Set."""

    app_sel: int
    host_lanes: tuple[int, ...]


def staged_name(control_set: int, register: str) -> str:
    """Name of a register of Staged Control Set 0 or 1.

    :raises ValueError: for another set.
    """
    if control_set not in (0, 1):
        raise ValueError(f"a module has Staged Control Sets 0 and 1, not {control_set}")
    return f"SCS{control_set}_{register}"


def trigger_name(control_set: int, *, immediate: bool) -> str:
    """Name of the register that applies a staged control set."""
    staged_name(control_set, "DPConfig")
    return f"{'SCS1_' if control_set else ''}Apply{'Immediate' if immediate else 'DPInit'}"


def read_config(module: CmisModule, control_set: str = ACTIVE, *, bank: int = 0) -> tuple[LaneConfig, ...]:
    """Configuration of the 8 host lanes in ``ACS``, ``SCS0`` or ``SCS1``.

    :raises CmisError: when the registers cannot be read.
    """
    raw = information.get_codes(module.registers, f"{control_set}_DPConfig", bank)
    return tuple(LaneConfig.from_byte(byte) for byte in raw)


def data_paths_of(config: Sequence[LaneConfig]) -> tuple[ActiveDataPath, ...]:
    """Data paths of a control set: lanes of the same AppSel and DataPathID."""
    groups: dict[tuple[int, int], list[int]] = {}
    for lane, item in enumerate(config, start=1):
        if item.app_sel:
            groups.setdefault((item.app_sel, item.data_path_id), []).append(lane)
    return tuple(ActiveDataPath(app_sel, tuple(lanes)) for (app_sel, _), lanes in groups.items())


def stage(module: CmisModule, changes: Mapping[int, LaneConfig], control_set: int, *, bank: int = 0) -> None:
    """Write the configuration of some host lanes (1..8) into a staged control set and read it back.

    :raises WriteNotTakenError: when a lane reads back something else.
    """
    name = staged_name(control_set, "DPConfig")
    field = FIELDS[name]
    for first, data in _runs(changes):
        module.registers.put(bank, field.page, field.byte + first - 1, data)
    found = read_config(module, f"SCS{control_set}", bank=bank)
    wrong = {lane: found[lane - 1] for lane, item in changes.items() if found[lane - 1] != item}
    if wrong:
        module.forget_page()
        lane = min(wrong)
        raise WriteNotTakenError(
            f"{where(name)}, {host_lanes(wrong)}: reads back {wrong[lane].byte:02X}h after "
            f"{changes[lane].byte:02X}h was written to host lane {lane}"
        )


def _runs(changes: Mapping[int, LaneConfig]) -> list[tuple[int, bytes]]:
    """Bytes of neighbouring lanes go in one write: (first lane, bytes)."""
    runs: list[tuple[int, bytes]] = []
    for lane in range(1, LANES + 1):
        if lane not in changes:
            continue
        byte = bytes([changes[lane].byte])
        if runs and runs[-1][0] + len(runs[-1][1]) == lane:
            runs[-1] = (runs[-1][0], runs[-1][1] + byte)
        else:
            runs.append((lane, byte))
    return runs
