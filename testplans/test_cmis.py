"""What a module's management interface says and does, clause by clause (OIF-CMIS-05.4).

Most checks are made once, at 25 C and 3.3 V; durations of states, resets and monitors at 0, 25 and 70 C. What
the module does not advertise is skipped with the reason, and so is what nobody at the bench can do.
Section numbers are the reference's; where CMIS leaves room the docstring says [uncertain].
"""

from __future__ import annotations

import pytest

from drivers.cmis.bringup import BringUpResult
from fixtures.judging import Judge
from harness.judging.measured import Checked, Measured, ModuleFault
from testplans.corners import COLD_AMBIENT_HOT

CORNERS = COLD_AMBIENT_HOT
Found = Measured | Checked | ModuleFault
ambient = pytest.mark.at(case_temps_c=[25.0], vccs_v=[3.3])


def test_bring_up(bring_up: BringUpResult, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2, 6.3.3: from power-on to all data paths Activated in the advertised times."""
    judge.check(
        "bring_up",
        passed=bring_up.ok,
        text=bring_up.stopped_by or f"all {len(bring_up.steps)} steps in time",
        source="OIF-CMIS-05.4, 6.3.2, 6.3.3; page 01h bytes 144, 167, 168",
    )


def test_temperature_monitor(temperature_monitor_error: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:14-15; module's data sheet: temperature monitor against the case sensor."""
    judge("temperature_monitor_error", temperature_monitor_error)


# Identity, checksums, advertisements and thresholds of all static pages.


@ambient
def test_identifier(identifier: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2.1 lower:0, 8.3 00h:128: a CMIS module, and the copy is the same."""
    judge("identifier", identifier)


@ambient
def test_cmis_revision(cmis_revision: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2.1 lower:1: the revision is one that there is."""
    judge("cmis_revision", cmis_revision)


@ambient
def test_memory_model(memory_model: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2.1 lower:2.7: the memory is paged."""
    judge("memory_model", memory_model)


@ambient
def test_media_type(media_type: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:85: single-mode fibre."""
    judge("media_type", media_type)


@ambient
def test_vendor_texts(vendor_texts: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.3 00h:129-199: texts are ASCII, left-aligned, padded with spaces."""
    judge("vendor_texts", vendor_texts)


@ambient
def test_vendor_identity(vendor_identity: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.3 00h:129-181: vendor, part number and serial number are given."""
    judge("vendor_identity", vendor_identity)


@ambient
def test_date_code(date_code: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.3 00h:182-189: the date code is a date."""
    judge("date_code", date_code)


@ambient
def test_power_advertised(power_advertised: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.3 00h:200-201: power class and highest consumption are given."""
    judge("power_advertised", power_advertised)


@ambient
def test_checksum_00h(checksum_00h: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.3 00h:222: sum of 00h:128-221."""
    judge("checksum_00h", checksum_00h)


@ambient
def test_checksum_01h(checksum_01h: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:255: sum of 01h:130-254."""
    judge("checksum_01h", checksum_01h)


@ambient
def test_checksum_02h(checksum_02h: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.5 02h:255: sum of 02h:128-254."""
    judge("checksum_02h", checksum_02h)


@ambient
def test_checksum_04h(checksum_04h: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.7 04h:255: sum of 04h:128-254, of tunable modules."""
    judge("checksum_04h", checksum_04h)


@ambient
def test_application_descriptors(application_descriptors: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:86-117, 8.4 01h:176-190: lanes of every application fit the module."""
    judge("application_descriptors", application_descriptors)


@ambient
def test_application_of_pmd(application_of_pmd: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:86-117; SFF-8024 Table 4-7: the application of the PMD is advertised."""
    judge("application_of_pmd", application_of_pmd)


@ambient
def test_media_lanes(media_lanes: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.3 00h:210: the media lanes of the PMD are there."""
    judge("media_lanes", media_lanes)


@ambient
def test_duration_codes(duration_codes: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:144, 01h:167-168: advertised durations have no reserved codes."""
    judge("duration_codes", duration_codes)


@ambient
def test_advertised_wavelength(advertised_wavelength: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:138-141: the nominal wavelength is one of the PMD."""
    judge("advertised_wavelength", advertised_wavelength)


@ambient
def test_advertised_pages(advertised_pages: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:142, 01h:163: advertised pages can be selected."""
    judge("advertised_pages", advertised_pages)


@ambient
def test_thresholds_temperature(thresholds_temperature: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.5 02h:128-135: low alarm < low warning < high warning < high alarm."""
    judge("thresholds_temperature", thresholds_temperature)


@ambient
def test_thresholds_vcc(thresholds_vcc: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.5 02h:136-143: low alarm < low warning < high warning < high alarm."""
    judge("thresholds_vcc", thresholds_vcc)


@ambient
def test_thresholds_tx_power(thresholds_tx_power: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.5 02h:176-183: low alarm < low warning < high warning < high alarm."""
    judge("thresholds_tx_power", thresholds_tx_power)


@ambient
def test_thresholds_tx_bias(thresholds_tx_bias: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.5 02h:184-191: low alarm < low warning < high warning < high alarm."""
    judge("thresholds_tx_bias", thresholds_tx_bias)


@ambient
def test_thresholds_rx_power(thresholds_rx_power: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.5 02h:192-199: low alarm < low warning < high warning < high alarm."""
    judge("thresholds_rx_power", thresholds_rx_power)


@ambient
def test_temperature_range_inside_warnings(temperature_range_inside_warnings: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:146-147, 8.5 02h:132-135: the operating temperatures cause no warning."""
    judge("temperature_range_inside_warnings", temperature_range_inside_warnings)


@ambient
def test_supply_range_inside_warnings(supply_range_inside_warnings: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:150, 8.5 02h:140-143: the operating voltages cause no warning."""
    judge("supply_range_inside_warnings", supply_range_inside_warnings)


# The two-wire interface under stress.


@ambient
def test_repeated_reads(repeated_reads: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 5.2, Appendix B: the same read gives the same bytes."""
    judge("repeated_reads", repeated_reads)


@ambient
def test_full_page_read(full_page_read: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 5.2.2.1, 01h:251.1-0: a page in one read, where that is advertised."""
    judge("full_page_read", full_page_read)


@ambient
def test_border_read(border_read: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 Appendix B: a read beyond the end of lower memory [uncertain where it goes on]."""
    judge("border_read", border_read)


@ambient
def test_page_switching(page_switching: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.1, lower:126-127: each page after a switch is that page."""
    judge("page_switching", page_switching)


@ambient
def test_bank_switching(bank_switching: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.1, lower:126-127, 01h:142.1-0: each bank after a switch is that bank."""
    judge("bank_switching", bank_switching)


@ambient
def test_unsupported_page(unsupported_page: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:127: a page that is not there falls back to page 00h."""
    judge("unsupported_page", unsupported_page)


@ambient
def test_unsupported_bank(unsupported_bank: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:126-127: a bank that is not there falls back to page 00h."""
    judge("unsupported_bank", unsupported_bank)


@ambient
def test_read_only_writes(read_only_writes: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.1 (RO): writes to read-only bytes are ignored."""
    judge("read_only_writes", read_only_writes)


@ambient
def test_write_read_back(write_read_back: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 5.2, 8.1 (RW): what is written reads back."""
    judge("write_read_back", write_read_back)


@ambient
def test_reserved_status_bits(reserved_status_bits: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:3.7-4: reserved bits, for information."""
    judge("reserved_status_bits", reserved_status_bits)


@ambient
def test_hold_off_after_write(hold_off_after_write: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 Table 10-2, tWRITE: 10 ms, share of it."""
    judge("hold_off_after_write", hold_off_after_write)


@ambient
def test_hold_off_after_page_change(hold_off_after_page_change: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 Table 10-2, tBPC, 01h:169.3-0: as advertised, share of it."""
    judge("hold_off_after_page_change", hold_off_after_page_change)


@ambient
def test_refused_share(refused_share: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 10.2: accesses that were refused, for information."""
    judge("refused_share", refused_share)


# Monitors of supply and bias.


def test_vcc_monitor_error(vcc_monitor_error: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:16-17; module's data sheet: supply monitor against the connector."""
    judge("vcc_monitor_error", vcc_monitor_error)


def test_tx_bias_plausible(tx_bias_plausible: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.10 11h:170-185, 8.5 02h:184-191: bias with light is within its alarms."""
    judge("tx_bias_plausible", tx_bias_plausible)


# Flags, masks and the interrupt, by an event of the outputs.


@ambient
def test_flags_cleared_by_reading(flags_cleared_by_reading: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.1 (RO/COR): an event that is past is flagged once."""
    judge("flags_cleared_by_reading", flags_cleared_by_reading)


@ambient
def test_flags_set_again(flags_set_again: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.1 (RO/COR): a flag is set again while what it says lasts."""
    judge("flags_set_again", flags_set_again)


@ambient
def test_flags_agree_with_monitors(flags_agree_with_monitors: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:9, 8.10 11h:139-152: threshold flags agree with monitors."""
    judge("flags_agree_with_monitors", flags_agree_with_monitors)


@ambient
def test_masks_read_back(masks_read_back: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:31-36, 8.9 10h:213-232: masks of advertised flags can be set."""
    judge("masks_read_back", masks_read_back)


@ambient
def test_interrupt_masked(interrupt_masked: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:3.0; Table 10-5: masked flags do not interrupt."""
    judge("interrupt_masked", interrupt_masked)


@ambient
def test_interrupt_raised(interrupt_raised: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:3.0; Table 10-5, ton_Int: an unmasked flag does, by register and IntL."""
    judge("interrupt_raised", interrupt_raised)


@ambient
def test_interrupt_cleared(interrupt_cleared: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:3.0; Table 10-5, toff_Int: no interrupt once the flags are read."""
    judge("interrupt_cleared", interrupt_cleared)


@ambient
def test_flag_summary(flag_summary: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:4.0: the summary tells of flags of page 11h."""
    judge("flag_summary", flag_summary)


@ambient
def test_flag_latched(flag_latched: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.1 (RO/COR), 11h:134: the flag of a past event is still set."""
    judge("flag_latched", flag_latched)


# Tx disable and squelch, with the meter as proof.


@ambient
def test_tx_disable_dark(tx_disable_dark: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.9 10h:130; Table 10-5, ton_txdis: the light goes within the time."""
    judge("tx_disable_dark", tx_disable_dark)


@ambient
def test_tx_enable_light(tx_enable_light: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.9 10h:130; Table 10-5, toff_txdis: the light comes within the time."""
    judge("tx_enable_light", tx_enable_light)


@ambient
def test_tx_disable_state(tx_disable_state: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.3, 11h:128-131: data paths wait in DPInitialized."""
    judge("tx_disable_state", tx_disable_state)


@ambient
def test_tx_enable_state(tx_enable_state: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.3, 11h:128-131: data paths are DPActivated again."""
    judge("tx_enable_state", tx_enable_state)


@ambient
def test_tx_disable_flags(tx_disable_flags: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.10 11h:135; Tables 6-20 to 6-22: a disabled output is no failure."""
    judge("tx_disable_flags", tx_disable_flags)


@ambient
def test_monitors_follow(monitors_follow: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.10 11h:154-185: TxPower and TxBias fall with the light."""
    judge("monitors_follow", monitors_follow)


@ambient
def test_tx_disable_one_lane(tx_disable_one_lane: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.9 10h:130, 01h:151.0: one lane alone."""
    judge("tx_disable_one_lane", tx_disable_one_lane)


@ambient
def test_tx_squelch(tx_squelch: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.9 10h:132, 01h:155.5-3: forced squelch darkens."""
    judge("tx_squelch", tx_squelch)


@ambient
def test_tx_squelch_released(tx_squelch_released: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.9 10h:132: and ends."""
    judge("tx_squelch_released", tx_squelch_released)


# Controls of single lanes.


@ambient
def test_auto_squelch_disable_tx(auto_squelch_disable_tx: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.9 10h:131, 01h:155.2: taken and read back, no harm to the data path."""
    judge("auto_squelch_disable_tx", auto_squelch_disable_tx)


@ambient
def test_auto_squelch_disable_rx(auto_squelch_disable_rx: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.9 10h:139, 01h:156.2: taken and read back, no harm to the data path."""
    judge("auto_squelch_disable_rx", auto_squelch_disable_rx)


@ambient
def test_input_polarity_flip_tx(input_polarity_flip_tx: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.9 10h:129, 01h:155.0: taken and read back, no harm to the data path."""
    judge("input_polarity_flip_tx", input_polarity_flip_tx)


@ambient
def test_output_polarity_flip_rx(output_polarity_flip_rx: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.9 10h:137, 01h:156.0: taken and read back, no harm to the data path."""
    judge("output_polarity_flip_rx", output_polarity_flip_rx)


@ambient
def test_output_disable_rx(output_disable_rx: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.9 10h:138, 11h:132: host outputs become invalid and valid again."""
    judge("output_disable_rx", output_disable_rx)


@ambient
def test_output_disable_rx_state(output_disable_rx_state: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.3, 10h:138: data paths stay DPActivated."""
    judge("output_disable_rx_state", output_disable_rx_state)


# Versatile diagnostics monitoring.


@ambient
def test_vdm_descriptors(vdm_descriptors: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.21 20h-23h: descriptors name observables and lanes that there are."""
    judge("vdm_descriptors", vdm_descriptors)


@ambient
def test_vdm_thresholds(vdm_thresholds: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.22 28h-2Bh: low alarm <= low warning <= high warning <= high alarm."""
    judge("vdm_thresholds", vdm_thresholds)


@ambient
def test_vdm_values(vdm_values: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.21 24h-27h: samples are possible values."""
    judge("vdm_values", vdm_values)


@ambient
def test_vdm_samples_renewed(vdm_samples_renewed: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.21 24h-27h, 2Fh:129-130: samples move when light comes."""
    judge("vdm_samples_renewed", vdm_samples_renewed)


@ambient
def test_vdm_masks(vdm_masks: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.23 2Dh: masks can be written."""
    judge("vdm_masks", vdm_masks)


@ambient
def test_vdm_freeze(vdm_freeze: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.24 2Fh:144-145; tVDMF: FreezeDone within 10 ms."""
    judge("vdm_freeze", vdm_freeze)


@ambient
def test_vdm_unfreeze(vdm_unfreeze: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.24 2Fh:144-145; tVDMF: UnfreezeDone within 10 ms."""
    judge("vdm_unfreeze", vdm_unfreeze)


@ambient
def test_vdm_frozen_statistics(vdm_frozen_statistics: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.24 2Fh:144: frozen statistics stand still."""
    judge("vdm_frozen_statistics", vdm_frozen_statistics)


# Generators, checkers, counters and loopbacks.


@ambient
def test_diagnostics_advertisement(diagnostics_advertisement: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.12 13h:128-142: the advertisement does not contradict itself."""
    judge("diagnostics_advertisement", diagnostics_advertisement)


@ambient
def test_generator_patterns_host(generator_patterns_host: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.12 13h:132-133, 144-151: every advertised pattern starts."""
    judge("generator_patterns_host", generator_patterns_host)


@ambient
def test_generator_patterns_media(generator_patterns_media: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.12 13h:134-135, 152-159: every advertised pattern starts."""
    judge("generator_patterns_media", generator_patterns_media)


@ambient
def test_checker_patterns_host(checker_patterns_host: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.12 13h:136-137, 160-167: every advertised pattern is taken."""
    judge("checker_patterns_host", checker_patterns_host)


@ambient
def test_checker_patterns_media(checker_patterns_media: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.12 13h:138-139, 168-175: every advertised pattern is taken."""
    judge("checker_patterns_media", checker_patterns_media)


@ambient
def test_checker_lock_host(checker_lock_host: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.12 13h:160, 182; 14h:138: in lock with its own output."""
    judge("checker_lock_host", checker_lock_host)


@ambient
def test_checker_lock_media(checker_lock_media: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.12 13h:168, 180; 14h:139: in lock with its own output."""
    judge("checker_lock_media", checker_lock_media)


@ambient
def test_counters_host(counters_host: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.13 14h:192-255, selectors 02h, 03h: bits are counted."""
    judge("counters_host", counters_host)


@ambient
def test_counters_media(counters_media: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.13 14h:192-255, selectors 04h, 05h: bits are counted at the lane's rate."""
    judge("counters_media", counters_media)


@ambient
def test_ber_registers(ber_registers: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.13 14h:208-223, selector 01h: ratios agree with the counters."""
    judge("ber_registers", ber_registers)


@ambient
def test_selector_delay(selector_delay: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.13 14h:128; Table 10-2, tDDCS: results 10 ms after the selector."""
    judge("selector_delay", selector_delay)


@ambient
def test_gated_count(gated_count: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.12 13h:177.3-1, 14h:135: a gate that the module times."""
    judge("gated_count", gated_count)


@ambient
def test_loopbacks(loopbacks: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.12 13h:128, 180-183: every advertised loopback is taken."""
    judge("loopbacks", loopbacks)


@ambient
def test_checker_lol_flag(checker_lol_flag: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.13 14h:139: without a pattern there is loss of lock."""
    judge("checker_lol_flag", checker_lol_flag)


# Commands and firmware.


@ambient
def test_cdb_query_status(cdb_query_status: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 9.2 command 0000h: it answers."""
    judge("cdb_query_status", cdb_query_status)


@ambient
def test_cdb_features(cdb_features: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 9.3 command 0040h: commands are listed."""
    judge("cdb_features", cdb_features)


@ambient
def test_cdb_complete_flag(cdb_complete_flag: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:8.6: completion is flagged."""
    judge("cdb_complete_flag", cdb_complete_flag)


@ambient
def test_cdb_unknown_command(cdb_unknown_command: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:37: a command that there is not fails."""
    judge("cdb_unknown_command", cdb_unknown_command)


@ambient
def test_firmware_running(firmware_running: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 9.4 command 0100h: one image runs."""
    judge("firmware_running", firmware_running)


@ambient
def test_firmware_revision(firmware_revision: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 9.4 command 0100h, lower:39-40: both say the same."""
    judge("firmware_revision", firmware_revision)


@ambient
def test_firmware_committed(firmware_committed: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 9.4 command 0100h: a valid image is committed."""
    judge("firmware_committed", firmware_committed)


@ambient
def test_firmware_update(firmware_update: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 9.4 commands 0101h to 010Ah: an image is written, run, committed."""
    judge("firmware_update", firmware_update)


@ambient
def test_firmware_roll_back(firmware_roll_back: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 9.4 commands 0109h, 010Ah: the image before runs again."""
    judge("firmware_roll_back", firmware_roll_back)


@ambient
def test_cdb_background(cdb_background: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:163.5, tCDBC: no refusals while a command runs in the background."""
    judge("cdb_background", cdb_background)


# Configuration commands, valid and invalid; all applications; a breakout.


@ambient
def test_config_invalid_app_sel(config_invalid_app_sel: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.4, 11h:202-205 code 3h: an AppSel that is not advertised is rejected."""
    judge("config_invalid_app_sel", config_invalid_app_sel)


@ambient
def test_config_invalid_data_path(config_invalid_data_path: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.4, 11h:202-205 code 4h: lanes that no data path may have are rejected."""
    judge("config_invalid_data_path", config_invalid_data_path)


@ambient
def test_config_partial_data_path(config_partial_data_path: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.4, 11h:202-205 code 7h: a part of a data path is rejected."""
    judge("config_partial_data_path", config_partial_data_path)


@ambient
def test_config_rejection_harmless(config_rejection_harmless: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.4, Table 6-3: rejected commands change nothing."""
    judge("config_rejection_harmless", config_rejection_harmless)


@ambient
def test_apply_immediate(apply_immediate: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.4, 10h:144: what is in force is taken while it runs."""
    judge("apply_immediate", apply_immediate)


@ambient
def test_staged_control_set_1(staged_control_set_1: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.4, 10h:178-187, 01h:162.5: the second staged set works."""
    judge("staged_control_set_1", staged_control_set_1)


@ambient
def test_apply_dp_init(apply_dp_init: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.4, 10h:143: what is in force is taken."""
    judge("apply_dp_init", apply_dp_init)


@ambient
def test_dp_init_pending(dp_init_pending: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.4, Table 6-3, 11h:235: pending until DPInit begins."""
    judge("dp_init_pending", dp_init_pending)


@ambient
def test_data_path_recycled(data_path_recycled: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.3, DPReDeinitS: the data path runs again by itself."""
    judge("data_path_recycled", data_path_recycled)


@ambient
def test_config_status_time(config_status_time: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.4, 11h:202-205: time to a result, for information."""
    judge("config_status_time", config_status_time)


@ambient
def test_applications_accepted(applications_accepted: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.1, lower:86-117: every advertised application reaches DPActivated."""
    judge("applications_accepted", applications_accepted)


@ambient
def test_breakout_independence(breakout_independence: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.3, 6.3.3: other data paths run on while one goes down and up."""
    judge("breakout_independence", breakout_independence)


@ambient
def test_breakout_config_status(breakout_config_status: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.4, 11h:202-205: a command leaves the results of other lanes alone."""
    judge("breakout_config_status", breakout_config_status)


@ambient
def test_config_free_lanes(config_free_lanes: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.2.3, 10h:145-152: AppSel 0 frees lanes."""
    judge("config_free_lanes", config_free_lanes)


# Data paths down and up by DPDeinit, state by state.


def test_data_path_deinit_sequence(data_path_deinit_sequence: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.3, 10h:128, 11h:128-131: states in order on the way down."""
    judge("data_path_deinit_sequence", data_path_deinit_sequence)


def test_data_path_init_sequence(data_path_init_sequence: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.3, 10h:128, 11h:128-131: states in order on the way up."""
    judge("data_path_init_sequence", data_path_init_sequence)


def test_dp_tx_turn_off_share(dp_tx_turn_off_share: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:168.7-4, 6.3.3: DPTxTurnOff against what is advertised."""
    judge("dp_tx_turn_off_share", dp_tx_turn_off_share)


def test_dp_deinit_share(dp_deinit_share: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:144.7-4, 6.3.3: DPDeinit against what is advertised."""
    judge("dp_deinit_share", dp_deinit_share)


def test_dp_init_share(dp_init_share: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:144.3-0, 6.3.3: DPInit against what is advertised."""
    judge("dp_init_share", dp_init_share)


def test_dp_tx_turn_on_share(dp_tx_turn_on_share: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:168.3-0, 6.3.3: DPTxTurnOn against what is advertised."""
    judge("dp_tx_turn_on_share", dp_tx_turn_on_share)


def test_output_status_deactivated(output_status_deactivated: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.10 11h:133: no valid output without data path."""
    judge("output_status_deactivated", output_status_deactivated)


def test_output_status_activated(output_status_activated: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.10 11h:133: valid outputs in DPActivated."""
    judge("output_status_activated", output_status_activated)


def test_dp_state_changed_flag(dp_state_changed_flag: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.10 11h:134, 6.3.3: set on entry to a steady state, once."""
    judge("dp_state_changed_flag", dp_state_changed_flag)


# Low power by register, and back.


def test_low_power_request_sw(low_power_request_sw: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2, lower:26.4: LowPwrRequestSW leads to ModuleLowPwr."""
    judge("low_power_request_sw", low_power_request_sw)


def test_module_power_down_share(module_power_down_share: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:167.7-4, 6.3.2: ModulePwrDn against what is advertised."""
    judge("module_power_down_share", module_power_down_share)


def test_module_power_up(module_power_up: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2, lower:26.4: and back to ModuleReady."""
    judge("module_power_up", module_power_up)


def test_module_power_up_share(module_power_up_share: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.4 01h:167.3-0, 6.3.2: ModulePwrUp against what is advertised."""
    judge("module_power_up_share", module_power_up_share)


def test_module_state_changed_flag(module_state_changed_flag: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:8.0, 6.3.2: set on entry to ModuleLowPwr, once."""
    judge("module_state_changed_flag", module_state_changed_flag)


def test_low_power_data_paths(low_power_data_paths: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2, 11h:128-131: data paths are Deactivated."""
    judge("low_power_data_paths", low_power_data_paths)


def test_low_power_consumption(low_power_consumption: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2; form factor's low power: consumption in ModuleLowPwr."""
    judge("low_power_consumption", low_power_consumption)


def test_low_power_draws_less(low_power_draws_less: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2: less than with traffic."""
    judge("low_power_draws_less", low_power_draws_less)


def test_low_power_dark(low_power_dark: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2: dark at the meter."""
    judge("low_power_dark", low_power_dark)


def test_data_paths_return(data_paths_return: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.3, 10h:128: data paths come back by themselves."""
    judge("data_paths_return", data_paths_return)


# Low power by LPMode.


@ambient
def test_low_power_by_pin(low_power_by_pin: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2, LPMode, lower:26.6: LPMode leads to ModuleLowPwr in time."""
    judge("low_power_by_pin", low_power_by_pin)


@ambient
def test_low_power_pin_released(low_power_pin_released: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2, LPMode: and back to ModuleReady in time."""
    judge("low_power_pin_released", low_power_pin_released)


@ambient
def test_low_power_allow_request_hw(low_power_allow_request_hw: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2, lower:26.6: LPMode is ignored with LowPwrAllowRequestHW 0."""
    judge("low_power_allow_request_hw", low_power_allow_request_hw)


# Reset by ResetL and by register, and a bring-up.


def test_reset_silences(reset_silences: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2, ResetL; Table 10-1: no answer while ResetL is low."""
    judge("reset_silences", reset_silences)


def test_management_init_share(management_init_share: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 Table 10-1, tMgmtInit: 2 s to ModuleLowPwr, share of it."""
    judge("management_init_share", management_init_share)


def test_reset_low_power(reset_low_power: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 6.3.2, LPMode: it waits in ModuleLowPwr with LPMode."""
    judge("reset_low_power", reset_low_power)


def test_reset_page_select(reset_page_select: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:126-127: page 00h of bank 0 is selected."""
    judge("reset_page_select", reset_page_select)


def test_reset_flag(reset_flag: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:8.0, 6.3.2: the change of state is flagged."""
    judge("reset_flag", reset_flag)


def test_reset_defaults(reset_defaults: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:26, 31, 8.9 10h:128, 130: controls are at their defaults."""
    judge("reset_defaults", reset_defaults)


def test_software_reset(software_reset: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:26.3, Table 10-1: SoftwareReset does the same in tMgmtInit."""
    judge("software_reset", software_reset)


def test_software_reset_defaults(software_reset_defaults: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.2 lower:26.3, 8.9 10h:130: and forgets controls."""
    judge("software_reset_defaults", software_reset_defaults)


# The module pulled and put back by the operator.


@ambient
def test_hot_plug_removed(hot_plug_removed: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 form factor's ModPrsL: ModPrsL tells."""
    judge("hot_plug_removed", hot_plug_removed)


@ambient
def test_hot_plug_inserted(hot_plug_inserted: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 Table 10-1, tMgmtInit: it answers in tMgmtInit."""
    judge("hot_plug_inserted", hot_plug_inserted)


@ambient
def test_hot_plug_identity(hot_plug_identity: Found, judge: Judge) -> None:
    """OIF-CMIS-05.4 8.3 00h:166-181: the same module."""
    judge("hot_plug_identity", hot_plug_identity)
