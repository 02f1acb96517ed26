"""Flags, masks and the interrupt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cmis import flags
from drivers.cmis.codes import DataPathState
from drivers.cmis.dump import load_dump
from drivers.cmis.errors import CmisError, ModuleNotRespondingError, NotAdvertisedError, WriteNotTakenError
from drivers.cmis.fields import Access, encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.latched import clear_on_read_bytes
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule, Flags

PAGES = (0x00, 0x01, 0x02, 0x10, 0x11, 0x12, 0x13, 0x14, *range(0x20, 0x30))
ACTIVATED, DEACTIVATED = int(DataPathState.DPActivated), int(DataPathState.DPDeactivated)
ADVERTISED = {
    "ModuleState": 3,
    "InterruptDeasserted": 0,
    "CmisRevisionMajor": 5,
    "CmisRevisionMinor": 3,
    "MediaType": 2,
    "HostInterfaceIDApp1": 0x11,
    "MediaInterfaceIDApp1": 0x1C,
    "HostLaneCountApp1": 8,
    "MediaLaneCountApp1": 4,
    "HostLaneAssignmentOptionsApp1": 0x01,
    "MediaLaneAssignmentOptionsApp1": 0x01,
    "HostInterfaceIDApp2": 0xFF,
    "TempMonSupported": 1,
    "LOSFlagRxSupported": 1,
    "LOSFlagTxSupported": 1,
    "TxOpticalPowerMonSupported": 1,
    "DPStateHostLane": (ACTIVATED,) * 8,
    "OutputStatusTx": 0x0F,
    "ACS_AppSel": (1,) * 8,
    "ACS_DataPathID": (0,) * 8,
}


class LatchingModule:
    """Memory of which flags are cleared by being read; it counts how often each was."""

    def __init__(self, **fields: Any) -> None:
        self.image = MemoryImage()
        for page in PAGES:
            self.image.add_page(0, page)
        for name, value in (ADVERTISED | fields).items():
            encode(FIELDS[name], value, self.image)
        self.reads: list[tuple[int | None, int, int]] = []
        self.written: list[tuple[int, int, bytes]] = []
        self.breaks_at: int | None = None
        self.ignores_writes = False

    def get(self, bank: int, page: int, byte: int, length: int) -> bytes:
        key = None if byte < 128 else page
        if key is not None and key == self.breaks_at:
            raise ModuleNotRespondingError(f"no acknowledge while reading page {page:02X}h")
        self.reads.append((key, byte, length))
        data = self.image.get(bank, page, byte, length)
        for at in range(byte, byte + length):
            if at in clear_on_read_bytes(key):
                self.image.put(bank, page, at, b"\0")
        return data

    read = get

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        self.written.append((page, byte, data))
        if not self.ignores_writes:
            self.image.put(bank, page, byte, data)

    def upper_pages_read(self) -> set[int | None]:
        return {page for page, _, _ in self.reads if page is not None}


class Pins:
    def __init__(self, *, low: bool) -> None:
        self.low = low

    def interrupt_asserted(self) -> bool:
        return self.low

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is no business of the interrupt")


def by_name(report: flags.FlagReport) -> dict[str, flags.RaisedFlag]:
    return {flag.name: flag for flag in report.raised}


# --- the table


def test_every_flag_of_the_register_tables_is_in_the_table_and_has_its_mask() -> None:
    latched = {
        field.name
        for field in FIELDS.values()
        if field.access is Access.RO_COR and not field.name.startswith("VDM")
    }
    assert set(flags.FLAGS) == latched
    for definition in flags.FLAGS.values():
        mask, flag = FIELDS[definition.mask], FIELDS[definition.name]
        assert mask.access is Access.RW
        assert (mask.kind, mask.lanes, mask.bits) == (flag.kind, flag.lanes, flag.bits)
        assert not definition.advertisement or definition.advertisement in FIELDS
        assert definition.words


@pytest.mark.parametrize(
    ("flag", "mask"),
    [
        ("LOSFlagRx", "LOSMaskRx"),
        ("TempMonHighAlarmFlag", "TempMonHighAlarmMask"),
        ("CdbCmdCompleteFlag2", "CdbCmdCompleteMask2"),
        ("WavelengthUnlockedFlagTx", "WavelengthUnlockedMaskTx"),
        ("GatingCompleteFlagHost", "GatingCompleteMaskHost"),
    ],
)
def test_names_of_masks(flag: str, mask: str) -> None:
    assert flags.mask_name(flag) == mask


def test_there_is_no_mask_of_what_is_no_flag() -> None:
    with pytest.raises(ValueError, match="no flag called VDMFlagsGroup1"):
        flags.mask_name("VDMFlagsGroup1")


@pytest.mark.parametrize(
    ("name", "severity", "words"),
    [
        ("TempMonHighAlarmFlag", "alarm", "module temperature above its high alarm threshold"),
        ("OpticalPowerLowWarningFlagRx", "warning", "received power below its low warning threshold"),
        ("LOSFlagRx", "alarm", "no light at the receiver"),
        ("DPStateChangedFlag", "event", "data path reached a steady state"),
        ("InvalidChannelFlagTx", "warning", "channel out of the grid"),
    ],
)
def test_severity_and_words(name: str, severity: str, words: str) -> None:
    assert (flags.FLAGS[name].severity, flags.FLAGS[name].words) == (severity, words)


# --- what is advertised


def advertised_by(**fields: Any) -> set[str]:
    return {item.name for item in flags.advertised_flags(LatchingModule(**fields))}


def test_advertised_flags() -> None:
    found = advertised_by()
    assert {"ModuleStateChangedFlag", "TempMonLowWarningFlag", "LOSFlagRx", "LOSFlagTx"} <= found
    assert {"OpticalPowerHighAlarmFlagTx", "DPStateChangedFlag", "AbnormalFirmwareFlag"} <= found
    assert not {"VccMonHighAlarmFlag", "CDRLOLFlagRx", "OpticalPowerHighAlarmFlagRx"} & found
    assert not {"TuningCompleteFlagTx", "GatingCompleteFlagHost", "CdbCmdCompleteFlag1"} & found


@pytest.mark.parametrize(("instances", "flags_found"), [(0, 0), (1, 1), (2, 2)])
def test_each_cdb_instance_has_a_flag(instances: int, flags_found: int) -> None:
    found = advertised_by(CdbInstancesSupported=instances)
    assert len({name for name in found if name.startswith("CdbCmdComplete")}) == flags_found


@pytest.mark.parametrize(
    ("revision", "has"), [((4, 0), False), ((5, 2), False), ((5, 3), True), ((6, 0), True)]
)
def test_the_newest_flag_needs_its_revision(revision: tuple[int, int], has: bool) -> None:
    found = advertised_by(CmisRevisionMajor=revision[0], CmisRevisionMinor=revision[1])
    assert ("AbnormalFirmwareFlag" in found) is has


# --- reading


def test_only_pages_with_a_flag_are_read() -> None:
    module = LatchingModule(TempMonHighAlarmFlag=1)
    report = flags.read_flags(module)
    assert [flag.name for flag in report.raised] == ["TempMonHighAlarmFlag"]
    assert report.read == ("module",)
    assert module.upper_pages_read() == set()
    assert report.skipped["lanes"] == "no flag is set there (lower:4.0 FlagSummaryLanesBank0 is 0)"
    assert set(report.skipped) == {"lanes", "laser", "diagnostics", "VDM"}


def test_each_flag_byte_is_read_once() -> None:
    module = LatchingModule(
        FlagSummaryLanesBank0=1,
        FlagSummaryLaserBank0=1,
        FlagSummaryDiagnosticsBank0=1,
        FlagSummaryVDMBank0=1,
        TransmitterIsTunable=1,
        DiagnosticPagesSupported=1,
        VDMPagesSupported=1,
        VDMDescriptorsGroup1=(5, *[0] * 62, 5),
        LOSFlagRx=0b0011,
        WavelengthUnlockedFlagTx=(0, 1, 0, 0, 0, 0, 0, 0),
        PatternCheckerLOLFlagMedia=0b1000,
        VDMFlagsGroup1=(0b1001, *[0] * 63),
    )
    report = flags.read_flags(module)
    assert report.read == ("module", "lanes", "laser", "diagnostics", "VDM")
    assert report.skipped == {}
    touched = [
        (page, at)
        for page, byte, length in module.reads
        for at in range(byte, byte + length)
        if at in clear_on_read_bytes(page)
    ]
    assert len(touched) == len(set(touched))
    found = by_name(report)
    assert found["LOSFlagRx"].text == "no light at the receiver, media lanes 1-2"
    assert found["WavelengthUnlockedFlagTx"].lanes == (2,)
    assert found["PatternCheckerLOLFlagMedia"].text == "pattern checker not locked, media lane 4"
    assert (
        found["VDM1 high alarm"].text == "electrical SNR, media input, lane 1: above its high alarm threshold"
    )
    assert found["VDM1 low warning"].severity == "warning"
    assert report.flags == Flags(
        (),
        {"LOSFlagRx": (1, 2), "WavelengthUnlockedFlagTx": (2,), "PatternCheckerLOLFlagMedia": (4,)},
    )
    again = flags.read_flags(module, everything=True)
    assert again.raised == ()


def test_everything_reads_what_the_summary_conceals() -> None:
    module = LatchingModule(LOSFlagRx=0b0001)
    assert flags.read_flags(module).raised == ()
    assert [flag.name for flag in flags.read_flags(module, everything=True).raised] == ["LOSFlagRx"]
    assert module.upper_pages_read() == {0x01, 0x11}  # no page that is not advertised


@pytest.mark.parametrize("area", ["laser", "diagnostics", "VDM"])
def test_pages_that_are_not_advertised_are_left_alone_whatever_the_summary_says(area: str) -> None:
    summary = {
        "laser": "FlagSummaryLaserBank0",
        "diagnostics": "FlagSummaryDiagnosticsBank0",
        "VDM": "FlagSummaryVDMBank0",
    }[area]
    module = LatchingModule(**{summary: 1})
    report = flags.read_flags(module)
    assert "not advertise" in report.skipped[area]  # type: ignore[index]
    assert module.upper_pages_read() <= {0x01}


def test_a_page_that_fails_does_not_lose_what_was_cleared_before() -> None:
    module = LatchingModule(ModuleStateChangedFlag=1, FlagSummaryLanesBank0=1)
    module.breaks_at = 0x11
    report = flags.read_flags(module)
    assert [flag.name for flag in report.raised] == ["ModuleStateChangedFlag"]
    assert "could not be read: no acknowledge" in report.skipped["lanes"]


def test_a_flat_module_has_flags_of_the_module_only() -> None:
    module = LatchingModule(MemoryModel=1, ModuleStateChangedFlag=1, FlagSummaryLanesBank0=1)
    report = flags.read_flags(module, everything=True)
    assert [flag.name for flag in report.raised] == ["ModuleStateChangedFlag"]
    assert module.upper_pages_read() == set()


def test_the_vendors_own_flags_are_told_as_they_are() -> None:
    module = LatchingModule()
    module.image.put(0, 0, 13, b"\x40")
    (flag,) = flags.read_flags(module).raised
    assert flag.text == "vendor's own flags of the module, lower:13 read 40h"
    assert flag.meaningful is None


# --- what flags mean in a state


def judged(**fields: Any) -> flags.RaisedFlag:
    (flag,) = flags.read_flags(LatchingModule(FlagSummaryLanesBank0=1, **fields)).raised
    return flag


def test_a_flag_of_an_active_data_path_means_something() -> None:
    flag = judged(LOSFlagRx=0b1111)
    assert flag.meaningful is True
    assert flag.meaningless_lanes == ()
    assert flag.note == ""


@pytest.mark.parametrize("name", ["LOSFlagRx", "LOSFlagTx"])
def test_a_flag_of_a_deactivated_data_path_means_nothing(name: str) -> None:
    flag = judged(DPStateHostLane=(DEACTIVATED,) * 8, **{name: 0b0011})
    assert flag.meaningful is False
    assert flag.meaningless_lanes == (1, 2)
    assert flag.note == "says nothing on lanes 1-2, where the data path is in DPDeactivated"


def test_some_lanes_may_mean_something_and_others_nothing() -> None:
    flag = judged(DPStateHostLane=(ACTIVATED,) * 4 + (DEACTIVATED,) * 4, LOSFlagTx=0b0001_0001)
    assert flag.meaningful is True
    assert flag.meaningless_lanes == (5,)


def test_media_lanes_follow_their_own_data_path() -> None:
    """Two data paths of 4 host lanes and 2 media lanes: only the second is active."""
    flag = judged(
        HostLaneCountApp1=4,
        MediaLaneCountApp1=2,
        HostLaneAssignmentOptionsApp1=0x11,
        MediaLaneAssignmentOptionsApp1=0x05,
        ACS_DataPathID=(0,) * 4 + (4,) * 4,
        DPStateHostLane=(DEACTIVATED,) * 4 + (ACTIVATED,) * 4,
        LOSFlagRx=0b0110,
    )
    assert flag.meaningful is True
    assert flag.meaningless_lanes == (2,)


def test_a_low_power_flag_means_nothing_while_the_output_is_off() -> None:
    off = judged(OutputStatusTx=0b1110, OpticalPowerLowAlarmFlagTx=0b0001)
    assert off.meaningful is False
    assert "11h:133 OutputStatusTx" in off.note
    assert judged(OutputStatusTx=0b1110, OpticalPowerHighAlarmFlagTx=0b0001).meaningful is True


def test_a_media_lane_of_no_data_path_is_not_judged() -> None:
    flag = judged(ACS_AppSel=(0,) * 8, LOSFlagRx=0b0001)
    assert flag.meaningful is None
    assert "no data path could be assigned" in flag.note


def test_a_lane_within_a_data_path_begins_none() -> None:
    """Host lane 2 may begin a data path that goes to media lane 2, but it belongs to the one of lane 1."""
    flag = judged(
        HostLaneCountApp1=4,
        MediaLaneCountApp1=1,
        HostLaneAssignmentOptionsApp1=0x13,
        MediaLaneAssignmentOptionsApp1=0x07,
        ACS_DataPathID=(0,) * 4 + (4,) * 4,
        LOSFlagRx=0b0010,
    )
    assert flag.meaningful is None


def test_an_event_means_something_in_every_state() -> None:
    assert judged(DPStateHostLane=(DEACTIVATED,) * 8, DPStateChangedFlag=0xFF).meaningful is True


def test_meaningless_flags_are_not_counted_as_alarms() -> None:
    module = LatchingModule(
        FlagSummaryLanesBank0=1, TempMonLowAlarmFlag=1, DPStateHostLane=(DEACTIVATED,) * 8, LOSFlagTx=0xFF
    )
    report = flags.read_flags(module)
    assert [flag.name for flag in report.of("alarm")] == ["TempMonLowAlarmFlag"]
    assert len(report.raised) == 2


def test_applications_that_are_known_are_not_read_again(clock: Any) -> None:
    module = LatchingModule(FlagSummaryLanesBank0=1, LOSFlagRx=1)
    applications = CmisModule(module, clock).applications()
    module.reads.clear()
    (flag,) = flags.read_flags(module, applications=applications).raised
    assert flag.meaningful is True
    assert not any(page is None and byte >= 85 for page, byte, _ in module.reads)


# --- masks


def test_masks_are_told_by_the_names_of_their_flags() -> None:
    found = flags.get_masks(LatchingModule(TempMonHighAlarmMask=1, LOSMaskRx=0b0101))
    assert found["TempMonHighAlarmFlag"] is True
    assert found["TempMonLowAlarmFlag"] is False
    assert found["LOSFlagRx"] == (1, 3)
    assert found["LOSFlagTx"] == ()
    assert "VccMonHighAlarmFlag" not in found


def test_setting_a_mask_keeps_its_neighbours(clock: Any) -> None:
    memory = LatchingModule(TempMonLowAlarmMask=1)
    module = CmisModule(memory, clock)
    flags.set_mask(module, "TempMonHighAlarmFlag", True)
    assert memory.written == [(0, 32, b"\x03")]
    flags.set_mask(module, "LOSFlagRx", (1, 4))
    assert memory.written[-1] == (0x10, 226, b"\x09")
    flags.set_mask(module, "LOSFlagRx", True)
    assert memory.written[-1] == (0x10, 226, b"\xff")
    flags.set_mask(module, "LOSFlagRx", False)
    assert flags.get_masks(memory)["LOSFlagRx"] == ()


def test_masks_of_a_laser_are_a_bit_in_each_lanes_byte(clock: Any) -> None:
    memory = LatchingModule(TransmitterIsTunable=1, TuningCompleteMaskTx=(1,) * 8)
    flags.set_mask(CmisModule(memory, clock), "WavelengthUnlockedFlagTx", (2,))
    assert memory.image.get(0, 0x12, 239, 8) == bytes([1, 3, 1, 1, 1, 1, 1, 1])


def test_masks_that_cannot_be_set(clock: Any) -> None:
    memory = LatchingModule()
    module = CmisModule(memory, clock)
    with pytest.raises(ValueError, match="of the module, not of lanes"):
        flags.set_mask(module, "TempMonHighAlarmFlag", (1,))
    with pytest.raises(ValueError, match="lanes are 1"):
        flags.set_mask(module, "LOSFlagRx", (9,))
    with pytest.raises(ValueError, match="no flag called Nonsense"):
        flags.set_mask(module, "Nonsense", True)
    with pytest.raises(NotAdvertisedError, match="CDRLOLFlagRxSupported"):
        flags.set_mask(module, "CDRLOLFlagRx", True)
    assert memory.written == []
    memory.ignores_writes = True
    with pytest.raises(WriteNotTakenError, match="LOSMaskRx"):
        flags.set_mask(module, "LOSFlagRx", True)


# --- interrupt


@pytest.mark.parametrize(
    ("deasserted", "low", "agree", "text"),
    [
        (1, None, None, "interrupt not asserted: lower:3.0 InterruptDeasserted reads 1"),
        (0, None, None, "interrupt asserted: lower:3.0 InterruptDeasserted reads 0"),
        (0, True, True, "lower:3.0 InterruptDeasserted reads 0, IntL is low: as it should be"),
        (1, False, True, "lower:3.0 InterruptDeasserted reads 1, IntL is high: as it should be"),
        (1, True, False, "lower:3.0 InterruptDeasserted reads 1, IntL is low: THEY DISAGREE"),
        (0, False, False, "lower:3.0 InterruptDeasserted reads 0, IntL is high: THEY DISAGREE"),
    ],
)
def test_interrupt(deasserted: int, low: bool | None, agree: bool | None, text: str) -> None:
    module = LatchingModule(InterruptDeasserted=deasserted)
    found = flags.interrupt(module, None if low is None else Pins(low=low))  # type: ignore[arg-type]
    assert found.by_register is (not deasserted)
    assert found.by_pin is low
    assert found.agree is agree
    assert found.text == text
    assert all(byte < 8 for _, byte, _ in module.reads)  # no flag is cleared by looking


# --- anything


@given(
    st.binary(min_size=128, max_size=128),
    st.dictionaries(st.sampled_from(PAGES), st.binary(min_size=128, max_size=128)),
)
def test_whatever_memory_holds_nothing_but_library_errors_come(lower: bytes, pages: dict[int, bytes]) -> None:
    image = MemoryImage(lower, {(0, page): data for page, data in pages.items()})
    report = flags.read_flags(image, everything=True)
    assert set(report.read) | set(report.skipped) == set(flags.AREAS)
    for flag in report.raised:
        assert flag.text
        assert set(flag.meaningless_lanes) <= set(flag.lanes)
        assert flag.meaningful is True or flag.note or flag.name.startswith("lower:")
    try:
        flags.get_masks(image)
    except CmisError:
        return


def test_flags_of_a_real_module_whose_data_is_made_up(dump_folder: Path) -> None:
    image = load_dump(dump_folder / "bad-checksum-200g.json").image
    found = by_name(flags.read_flags(image, everything=True))
    assert found["FailureFlagTx"].lanes == (2, 4)
    assert found["LOSFlagTx"].meaningless_lanes == (4,)
    assert found["OpticalPowerLowAlarmFlagTx"].meaningful is False  # no output is on
    assert found["TempMonHighAlarmFlag"].severity == "alarm"
