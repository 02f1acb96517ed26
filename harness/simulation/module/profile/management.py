"""Sections of a profile for the module as a whole: ``[management]``, ``[timing]``, ``[power]``."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.cmis.codes import duration_upper_s
from harness.simulation.module.profile.rules import limits

MGMT_INIT_BOUND_S = 2.0
"""tMgmtInit (OIF-CMIS-05.4 Table 10-1)."""

TX_DISABLE_BOUND_S = 0.1
"""ton_txdis: OutputDisableTx to transmitter off (Table 10-4)."""

TX_ENABLE_BOUND_S = 0.4
"""toff_txdis: OutputDisableTx cleared to transmitter on (Table 10-4)."""


@dataclass(frozen=True, slots=True)
class ManagementProfile:
    """The two-wire interface and what the registers do beyond the standard."""

    longest_read_bytes: int = field(metadata=limits(8, 128))
    """Reads longer than this are refused (CMIS asks for 8; most modules give 128)."""
    longest_write_bytes: int = field(metadata=limits(8, 128))
    write_hold_off_s: float = field(metadata=limits(0, 1))
    page_change_hold_off_s: float = field(metadata=limits(0, 1))
    monitor_update_s: float = field(metadata=limits(0.001, 10))
    lowest_vcc_v: float = field(metadata=limits(0, 3.3))
    """Below this supply voltage the module is dead, and draws nothing (under-voltage lockout)."""
    wrong_checksum_page: str = field(default="", metadata={"choices": ("", "00h", "01h", "02h")})
    flat_memory: bool = False
    """Lower memory and page 00h alone; the module is ready as soon as it answers, and emits no light."""
    banks: int = field(default=1, metadata={**limits(1, 4), "choices": (1, 2, 4)})
    """Banks of pages 10h and 11h; the applications use bank 0 alone."""
    user_eeprom: bool = False
    """Page 03h."""
    nv_write_hold_off_s: float = field(default=0.03, metadata=limits(0, 1))
    """After a write to page 03h (tWRITENV allows 80 ms)."""


@dataclass(frozen=True, slots=True)
class TimingProfile:
    """Transition times: the advertised CMIS duration codes, and actual times where the profile fixes them.

    An actual time that is left out is drawn at 30..80 % of its upper bound; one above its bound needs
    ``faults.slower_than_advertised``.
    """

    module_power_up_code: int = field(metadata=limits(0, 13))
    module_power_down_code: int = field(metadata=limits(0, 13))
    dp_init_code: int = field(metadata=limits(0, 13))
    dp_deinit_code: int = field(metadata=limits(0, 13))
    dp_tx_turn_on_code: int = field(metadata=limits(0, 13))
    dp_tx_turn_off_code: int = field(metadata=limits(0, 13))
    mgmt_init_s: float | None = field(default=None, metadata=limits(0, 60))
    module_power_up_s: float | None = field(default=None, metadata=limits(0, 3600))
    module_power_down_s: float | None = field(default=None, metadata=limits(0, 3600))
    dp_init_s: float | None = field(default=None, metadata=limits(0, 3600))
    dp_deinit_s: float | None = field(default=None, metadata=limits(0, 3600))
    dp_tx_turn_on_s: float | None = field(default=None, metadata=limits(0, 3600))
    dp_tx_turn_off_s: float | None = field(default=None, metadata=limits(0, 3600))
    tx_disable_s: float | None = field(default=None, metadata=limits(0, 60))
    tx_enable_s: float | None = field(default=None, metadata=limits(0, 60))
    config_s: float | None = field(default=None, metadata=limits(0, 60))
    bring_up_excess: float = field(default=0.0, metadata=limits(0, 10))
    """On top of ModulePwrUp, DPInit and DPTxTurnOn: this multiple of what is advertised."""

    def bounds_s(self) -> dict[str, float]:
        """Upper bounds of the actual times by their keys: as advertised, or the standard's.

        :raises InvalidMemoryError: for a reserved duration code.
        """
        return {
            "mgmt_init_s": MGMT_INIT_BOUND_S,
            "module_power_up_s": duration_upper_s(self.module_power_up_code),
            "module_power_down_s": duration_upper_s(self.module_power_down_code),
            "dp_init_s": duration_upper_s(self.dp_init_code),
            "dp_deinit_s": duration_upper_s(self.dp_deinit_code),
            "dp_tx_turn_on_s": duration_upper_s(self.dp_tx_turn_on_code),
            "dp_tx_turn_off_s": duration_upper_s(self.dp_tx_turn_off_code),
            "tx_disable_s": TX_DISABLE_BOUND_S,
            "tx_enable_s": TX_ENABLE_BOUND_S,
        }


@dataclass(frozen=True, slots=True)
class PowerProfile:
    """Electrical consumption, watts, at 25 C."""

    class_code: int = field(metadata=limits(1, 8))
    """Power class 1..8, as advertised."""
    advertised_max_w: float = field(metadata=limits(0, 63.75))
    initialising_w: float = field(metadata=limits(0, 60))
    low_power_w: float = field(metadata=limits(0, 60))
    ready_w: float = field(metadata=limits(0, 60))
    data_path_w: float = field(metadata=limits(0, 60))
    """On top of ready, for all media lanes initialised."""
    laser_supply_efficiency: float = field(metadata=limits(0.05, 1))
    temperature_w_per_c: float = field(metadata=limits(-1, 1))
    leakage_w: float = field(default=0.0, metadata=limits(0, 60))
    """On top of ready; doubles with every ``leakage_doubling_c``, so that the module may heat itself up."""
    leakage_doubling_c: float = field(default=10.0, metadata=limits(5, 100))
    shutdown_temp_c: float = field(default=85.0, metadata=limits(30, 127))
    """Above this reading of its own temperature monitor the module shuts down: ModuleFault, cause 6."""
