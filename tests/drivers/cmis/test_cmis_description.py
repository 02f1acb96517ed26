"""Descriptions of images: what is missing is told with its reason, and nothing is ever raised."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.cmis.description import describe, render_text
from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS

PAGES = (0x00, 0x01, 0x02, 0x10, 0x11)
OPTIONAL_PAGES = (0x03, 0x04, 0x12, 0x13, 0x14, 0x20, 0x24, 0x28, 0x2C, 0x2F, 0x9F)


def optical_module(**values: object) -> MemoryImage:
    image = MemoryImage(bytes(128), {(0, page): bytes(128) for page in PAGES})
    plain = {
        "SFF8024Identifier": 0x18,
        "CmisRevisionMajor": 5,
        "ModuleState": 3,
        "MediaType": 2,
        "MediaInterfaceTechnology": 6,
        "HostInterfaceIDApp1": 0xFF,
    }
    for name, value in {**plain, **values}.items():
        encode(FIELDS[name], value, image)  # type: ignore[arg-type]
    return image


halves = st.one_of(
    st.binary(min_size=128, max_size=128),
    st.integers(0, 255).map(lambda fill: bytes([fill]) * 128),
)


@st.composite
def images(draw: st.DrawFn) -> MemoryImage:
    """Any memory: a random subset of pages, some bytes unread, and advertisements that may be all set."""
    pages = draw(st.dictionaries(st.sampled_from([(0, page) for page in (*PAGES, *OPTIONAL_PAGES)]), halves))
    image = MemoryImage(draw(st.one_of(st.none(), halves)), pages)
    if image.has(0, 0x01) and draw(st.booleans()):
        image.put(0, 0x01, 142, b"\xff")
        image.put(0, 0x01, 155, b"\xff" * 8)
    if image.has_lower and draw(st.booleans()):
        image.put(0, 0, 2, b"\0")  # paged, as nearly all modules are
    for bank, page in image.pages():
        if draw(st.integers(0, 3)) == 0:
            first = draw(st.integers(128, 255))
            image.mark_unread(bank, page, first, draw(st.integers(1, 256 - first)))
    if image.has_lower and draw(st.booleans()):
        image.mark_unread(0, 0, 8, 6)
    return image


@settings(max_examples=150, deadline=None)
@given(images(), st.integers(0, 3), st.booleans())
def test_any_image_is_described(image: MemoryImage, bank: int, ascii_only: bool) -> None:
    description = describe(image, bank)
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    text = render_text(description, ascii_only=ascii_only)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert text.isascii() or not ascii_only
    assert max(map(len, text.splitlines()), default=0) <= 100


@pytest.mark.parametrize(
    ("code", "base", "code_2", "smf_length_km"),
    [(0, 5, 0, 0.5), (1, 2, 0, 2.0), (2, 4, 0, 40.0), (3, 2, 1, 200.0), (2, 0, 0, None)],
)
def test_length_multipliers_of_single_mode_fibre(
    code: int, base: int, code_2: int, smf_length_km: float | None
) -> None:
    image = optical_module(LengthMultiplierSMF=code, BaseLengthSMF=base, LengthMultiplierSMF2=code_2)
    assert describe(image)["media"]["smf_length_km"] == smf_length_km


def test_a_reserved_bias_multiplier_leaves_the_powers() -> None:
    image = optical_module(
        TxBiasCurrentScalingFactor=3, TxBiasMonSupported=1, TxOpticalPowerMonSupported=1, TxPower=(1e-3,) * 8
    )
    lane = describe(image)["media_lanes"][0]
    assert lane["bias_ma"] is None
    assert lane["tx_power_dbm"]["value"] == 0.0


def test_a_monitor_that_is_not_advertised_is_no_measurement() -> None:
    description = describe(optical_module(TempMonSupported=0, VccMonSupported=1, VccMonVoltage=3.3))
    assert description["monitors"]["temperature_c"] is None
    assert description["monitors"]["vcc_v"]["value"] == pytest.approx(3.3)
    assert "no monitor" in render_text(description)


@pytest.mark.parametrize(
    ("temperature_c", "verdict"),
    [(25.0, "ok"), (71.0, "high warning"), (76.0, "high alarm"), (-1.0, "low warning"), (-6.0, "low alarm")],
)
def test_monitors_are_held_against_thresholds(temperature_c: float, verdict: str) -> None:
    image = optical_module(
        TempMonSupported=1,
        TempMonValue=temperature_c,
        TempMonHighAlarmThreshold=75.0,
        TempMonHighWarningThreshold=70.0,
        TempMonLowWarningThreshold=0.0,
        TempMonLowAlarmThreshold=-5.0,
    )
    assert describe(image)["monitors"]["temperature_c"]["verdict"] == verdict


def test_flags_are_listed_by_name_and_lane() -> None:
    image = optical_module(TempMonHighAlarmFlag=1, LOSFlagRx=0b0101)
    description = describe(image)
    assert description["flags"] == {"module": ["TempMonHighAlarmFlag"], "lanes": {"LOSFlagRx": [1, 3]}}
    assert description["media_lanes"][2]["flags"] == ["LOSFlagRx"]


def test_no_light_is_called_so() -> None:
    text = render_text(describe(optical_module(RxOpticalPowerMonSupported=1)))
    assert "no light" in text


def test_a_fault_names_its_cause() -> None:
    text = render_text(describe(optical_module(ModuleState=5, ModuleFaultCause=1)))
    assert "ModuleFault (5)" in text
    assert "runaway" in text


def test_missing_parts_are_told_with_their_reason() -> None:
    description = describe(MemoryImage(None, {(0, 0x00): bytes(128)}))
    assert description["identity"] is None
    reasons = {item["section"]: item["reason"] for item in description["unavailable"]}
    assert "lower memory is not available" in reasons["identity"]
    assert "lower memory" in render_text(description)


def test_a_memory_that_is_not_of_cmis_is_warned_of() -> None:
    description = describe(optical_module(SFF8024Identifier=0x11))
    assert "QSFP28" in description["notes"][0]
    assert render_text(description).startswith("NOTE: identifier 11h")


def test_no_applications_is_said() -> None:
    assert "none advertised" in render_text(describe(optical_module()))


def doubts(image: MemoryImage) -> str:
    return "\n".join(describe(image)["doubts"])


PLAIN_APPLICATION = {
    "HostInterfaceIDApp1": 0x11,
    "MediaInterfaceIDApp1": 0x1C,
    "HostLaneCountApp1": 8,
    "MediaLaneCountApp1": 4,
    "HostLaneAssignmentOptionsApp1": 1,
    "MediaLaneAssignmentOptionsApp1": 1,
    "HostInterfaceIDApp2": 0xFF,
}


@pytest.mark.parametrize(
    ("values", "doubt"),
    [
        ({"CmisRevisionMajor": 0}, "lower:1: CMIS revision 0.0 is none that is known"),
        ({"MediaType": 0}, "lower:85 MediaType holds 00h"),
        ({"MediaType": 9}, "lower:85 MediaType holds 09h"),
        ({"ModuleState": 7}, "ModuleState holds 7, which is reserved"),
        ({"TxBiasCurrentScalingFactor": 3}, "holds 3, which is reserved: bias currents are not given"),
        ({"BanksSupported": 3}, "BanksSupported holds 3"),
        ({"MaxDurationDPInit": 14}, "MaxDurationDPInit holds duration code Eh"),
        ({"HostLaneCountApp1": 0}, "application 1 has 0 host lanes, expected 1..8"),
        ({"MediaLaneCountApp1": 9}, "application 1 has 9 media lanes, expected 1..8"),
        ({"HostLaneAssignmentOptionsApp1": 0}, "application 1 may begin on no host lane"),
        (
            {"HostLaneAssignmentOptionsApp1": 0b10001},
            "application 1 may begin on host lane 5, but has 8 lanes",
        ),
        ({"DPStateHostLane": (9, 9, 4, 4, 4, 4, 4, 4)}, "holds 9h, which is reserved, for host lanes 1-2"),
        (
            {"TempMonHighAlarmThreshold": 10.0, "TempMonLowAlarmThreshold": 20.0},
            "limits of TempMon are not in order",
        ),
        ({"ModuleTempMax": -5, "ModuleTempMin": 0}, "highest case temperature -5 degC is below the lowest"),
    ],
)
def test_nonsense_is_told_with_its_register(values: dict[str, object], doubt: str) -> None:
    plain = {**PLAIN_APPLICATION, "DPStateHostLane": (4,) * 8}
    sound = optical_module(**plain)
    sound.put(0, 0x00, 128, b"\x18")
    assert doubts(sound) == ""
    odd = optical_module(**{**plain, **values})
    odd.put(0, 0x00, 128, b"\x18")
    assert doubt in doubts(odd)
    assert "not as CMIS says" in render_text(describe(odd)).splitlines()[1]


def test_texts_that_are_none_and_a_wrong_identifier_copy() -> None:
    image = optical_module()
    image.put(0, 0x00, 166, b"\xff\x01SN")
    found = doubts(image)
    assert "00h:166-181 VendorSN holds bytes that are not printable ASCII" in found
    assert "00h:128 repeats the identifier as 00h, but lower:0 holds 18h" in found
    assert "\ufffd\ufffdSN" in render_text(describe(image))


def test_wrong_checksums_are_said_at_the_top() -> None:
    image = optical_module()
    image.put(0, 0x00, 222, b"\x77")
    text = render_text(describe(image))
    assert text.startswith("NOTE: wrong checksum of page 00h")


def test_pages_that_mirror_page_00h_are_not_decoded() -> None:
    image = optical_module(VendorName="A vendor", VendorPN="PN-1234567890", DiagnosticPagesSupported=1)
    image.add_page(0, 0x13, image.get(0, 0x00, 128, 128))
    description = describe(image)
    assert description["diagnostics"] is None
    assert {"page 13h", "diagnostics"} <= {item["section"] for item in description["unavailable"]}
    assert "in place of a page that it does not have" in " ".join(render_text(description).split())


def test_flags_that_were_not_read_are_not_shown_as_clear() -> None:
    image = optical_module()
    image.mark_unread(0, 0, 8, 6)
    image.mark_unread(0, 0x11, 134, 20)
    description = describe(image)
    assert description["flags"] is None
    assert description["not_read"] == ["lower:8-13", "11h:134-153"]
    text = render_text(description)
    assert "Latched flags" not in text
    (reason,) = [item["reason"] for item in description["unavailable"] if item["section"] == "flags"]
    # What it needed, and nothing else of what is not there.
    assert reason == "bytes that it needs were not read when the dump was taken: lower:8-11"
    assert reason in " ".join(text.split())


def test_a_hostile_dump_with_holes_everywhere_gives_a_short_description() -> None:
    image = optical_module()
    for bank in range(4):
        for page in range(0x10, 0x100):
            image.add_page(bank, page, bytes(128))
    for place in tuple(image.pages()):
        for byte in range(129, 256, 2):
            image.mark_unread(*place, byte, 1)
    description = describe(image)
    assert len(description["not_read"]) == 65
    assert description["not_read"][-1] == f"and {len(image.unread()) - 64} more"
    assert max(len(item["reason"]) for item in description["unavailable"]) < 400
    assert len(json.dumps(description)) < 20_000


def test_pages_of_bank_0_and_of_the_bank_described_have_their_own_names() -> None:
    image = optical_module()
    image.add_page(1, 0x11, bytes(128))
    image.add_page(2, 0x11, bytes(128))
    assert describe(image, bank=1)["pages"] == ["00h", "01h", "02h", "10h", "11h", "11h@1"]


def test_a_flat_memory_says_so_once() -> None:
    image = MemoryImage(optical_module(MemoryModel=1).get(0, 0, 0, 128), {(0, 0x00): bytes(128)})
    text = render_text(describe(image))
    assert text.count("it has lower memory and page 00h only") == 2  # the medium's data, and all the rest
    assert "CMIS revision  5.0, flat memory" in text


IN_TRAFFIC = {
    **PLAIN_APPLICATION,
    "DPStateHostLane": (4,) * 8,
    "ACS_AppSel": (1,) * 8,
    "OutputStatusTx": 0b1111,
}
DARK = {
    "TxOpticalPowerMonSupported": 1,
    "RxOpticalPowerMonSupported": 1,
    "TxBiasMonSupported": 1,
    "TxPowerHighAlarmThreshold": 4e-3,
    "TxPowerLowAlarmThreshold": 2.5e-4,
    "RxPowerHighAlarmThreshold": 4e-3,
    "RxPowerLowAlarmThreshold": 2.5e-4,
    "TxBiasHighAlarmThreshold": 100.0,
    "TxBiasLowAlarmThreshold": 10.0,
    "MediaLaneUnsupported": 0xF0,
}


def verdicts(name: str, image: MemoryImage) -> list[str]:
    return [lane[name]["verdict"] for lane in describe(image)["media_lanes"] if lane["present"]]


def test_a_dark_lane_is_judged_while_it_should_send() -> None:
    image = optical_module(**IN_TRAFFIC, **DARK)
    for name in ("tx_power_dbm", "rx_power_dbm", "bias_ma"):
        assert verdicts(name, image) == ["low alarm"] * 4


def test_lanes_of_no_active_data_path_are_not_judged() -> None:
    image = optical_module(**{**IN_TRAFFIC, "DPStateHostLane": (1,) * 8}, **DARK)
    for name in ("tx_power_dbm", "rx_power_dbm", "bias_ma"):
        assert verdicts(name, image) == ["unused"] * 4
    text = render_text(describe(image))
    assert "not judged, in no active data path: lanes 1-4" in text
    assert "beyond" not in text


def test_a_transmitter_that_is_off_is_not_judged_but_its_receiver_is() -> None:
    image = optical_module(**{**IN_TRAFFIC, "OutputStatusTx": 0b1110}, **DARK)
    assert verdicts("tx_power_dbm", image) == ["off", *["low alarm"] * 3]
    assert verdicts("bias_ma", image) == ["off", *["low alarm"] * 3]
    assert verdicts("rx_power_dbm", image) == ["low alarm"] * 4
    assert "transmitter off (11h:133): lane 1" in render_text(describe(image))


def test_light_where_none_should_be_is_judged() -> None:
    image = optical_module(**{**IN_TRAFFIC, "DPStateHostLane": (1,) * 8}, **DARK, TxPower=(5e-3,) * 8)
    assert verdicts("tx_power_dbm", image) == ["high alarm"] * 4


def test_lane_monitors_of_page_11h_alone() -> None:
    whole = optical_module(TxPower=(1e-3,) * 8, TxBias=(20.0,) * 8, ACS_AppSel=(1,) * 8)
    alone = MemoryImage(None, {(0, 0x11): whole.get(0, 0x11, 128, 128)})
    description = describe(alone)
    assert [lane["tx_power_dbm"]["value"] for lane in description["media_lanes"]] == [0.0] * 8
    assert description["media_lanes"][0]["bias_ma"] == {
        "value": 20.0,
        "limits": None,
        "verdict": "no thresholds",
    }
    text = render_text(description)
    assert "which lanes are implemented is not known (00h:210)" in text
    assert "without page 01h neither the monitors" in text
    assert "1: unknown" in text
    assert "not advertised" not in text


def test_lanes_stand_against_their_thresholds() -> None:
    image = optical_module(
        **IN_TRAFFIC,
        TxOpticalPowerMonSupported=1,
        TxPower=(1e-3, 1e-4, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3),
        TxPowerHighAlarmThreshold=4e-3,
        TxPowerHighWarningThreshold=2e-3,
        TxPowerLowWarningThreshold=5e-4,
        TxPowerLowAlarmThreshold=2.5e-4,
    )
    description = describe(image)
    assert description["thresholds"]["tx_power_w"]["low_alarm"] == pytest.approx(-6.021)
    text = render_text(description, ascii_only=True)
    (first,) = [line for line in text.splitlines() if line.startswith("     1          0.00")]
    assert first.endswith("[###|###.|...]")
    (second,) = [line for line in text.splitlines() if line.startswith("     2        -10.00")]
    assert second.endswith("<...|....|...]")
    assert "beyond low alarm: Tx power of lane 2" in text
    assert "Rx power, Tx bias: no such monitor" in text


def test_host_lanes_that_are_alike_share_a_line() -> None:
    image = optical_module(
        **PLAIN_APPLICATION, DPStateHostLane=(4,) * 4 + (1,) * 4, ACS_AppSel=(1,) * 4 + (0,) * 4
    )
    lines = render_text(describe(image)).splitlines()
    assert [line.split()[:3] for line in lines if "DPActivated" in line] == [["1-4", "1", "DPActivated"]]
    assert [line.split()[:3] for line in lines if "DPDeactivated" in line] == [["5-8", "-", "DPDeactivated"]]


def test_auxiliary_monitors_by_what_they_are() -> None:
    image = optical_module(Aux2MonSupported=1, Aux2MonObservable=0, Aux2MonValue=25 * 256, Aux1MonSupported=1)
    monitors = {item["key"]: item for item in describe(image)["monitors"]["auxiliary"]}
    assert monitors["aux2"]["quantity"].endswith("laser temperature")
    assert (monitors["aux2"]["value"], monitors["aux2"]["unit"]) == (25.0, "degC")
    assert monitors["aux1"]["unit"] == ""  # the vendor's own


def test_a_tunable_laser() -> None:
    image = optical_module(TransmitterIsTunable=1)
    image.add_page(0, 0x04)
    image.add_page(0, 0x12)
    for name, value in {
        "GridSupported100GHz": 1,
        "LowChannel100GHz": -18,
        "HighChannel100GHz": 30,
        "GridSpacingTx": (5,) * 8,
        "ChannelNumberTx": (30,) * 8,
        "CurrentLaserFrequencyTx": (196_100_000,) * 8,
        "MediaLaneUnsupported": 0xFE,
    }.items():
        encode(FIELDS[name], value, image)  # type: ignore[arg-type]
    laser = describe(image)["laser"]
    assert laser["grids"] == [{"grid": "100 GHz", "low_channel": -18, "high_channel": 30}]
    assert [(lane["lane"], lane["frequency_thz"], lane["channel"]) for lane in laser["lanes"]] == [
        (1, 196.1, 30)
    ]
    assert "196.100000" in render_text(describe(image))
