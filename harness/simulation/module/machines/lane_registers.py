"""Pages 10h and 11h as the data paths use them: controls in, states out. Masks: bit i - 1 for lane i."""

from __future__ import annotations

from drivers.cmis.fields import encode
from drivers.cmis.memory_map import FIELDS
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.machines.data_paths import DataPaths


def deinit_mask(registers: Registers) -> int:
    """DPDeinit per host lane."""
    return registers.lane_mask("DPDeinit")


def output_off_mask(registers: Registers) -> int:
    """OutputDisableTx or OutputSquelchForceTx per media lane."""
    return registers.lane_mask("OutputDisableTx") | registers.lane_mask("OutputSquelchForceTx")


def show_data_paths(
    registers: Registers, data_paths: DataPaths, media_lanes: int, *, pending_shown: bool
) -> None:
    """States, active control set, outputs, and ``pending_shown`` DPInitPending."""
    encode(FIELDS["DPStateHostLane"], data_paths.host_lane_states(), registers)
    encode(FIELDS["ACS_DPConfig"], tuple(config.byte for config in data_paths.config), registers)
    if pending_shown:
        encode(FIELDS["DPInitPending"], data_paths.pending_mask(), registers)
    lit = sum(1 << lane - 1 for lane in range(1, media_lanes + 1) if data_paths.lit(lane))
    encode(FIELDS["OutputStatusTx"], lit, registers)
