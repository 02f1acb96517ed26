"""``lanewise module read``, ``write`` and ``fields``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cmis.fields import Kind, decode, encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from harness.commands.module import main
from harness.commands.module.naming import NamedRegister, RawBytes, parse_register
from harness.commands.module.running import UsageError
from harness.commands.module.values import parse_value, texts_of

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch, image_on_a_bus, image: MemoryImage):
    """The small module at i2c:7."""
    bus = image_on_a_bus(image)
    monkeypatch.setattr("smbus2.SMBus", lambda number: bus.smbus)
    return bus


# -- how registers are named ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "bank", "page", "byte", "length"),
    [
        ("11h:154+16", 0, 0x11, 154, 16),
        ("11:154-169", 0, 0x11, 154, 16),
        ("0x11:154", 0, 0x11, 154, None),
        ("lower:26", 0, None, 26, None),
        ("lower:0x1A", 0, None, 26, None),
        ("10h@1:130", 1, 0x10, 130, None),
        ("9Fh:128+128", 0, 0x9F, 128, 128),
    ],
)
def test_bytes_by_address(text: str, bank: int, page: int | None, byte: int, length: int | None) -> None:
    assert parse_register(text) == RawBytes(bank, page, byte, length)


@pytest.mark.parametrize("text", ["VendorName", "vendorname", "VENDORNAME", "VendorName@0"])
def test_names_do_not_mind_capitals(text: str) -> None:
    assert parse_register(text) == NamedRegister(FIELDS["VendorName"], 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("VendorNmae", "VendorName"),
        ("temp", "TempMon"),
        ("qqqqqq", "no register"),
        ("VendorName@1", "not in banks"),
        ("11h:12", "128 to 255"),
        ("lower:128", "0 to 127"),
        ("11h:250+7", "128 to 255"),
        ("11h:154+0", "128 to 255"),
        ("11h:154-153", "128 to 255"),
        ("00h@1:130", "not in banks"),
        ("10h@300:130", "banks are"),
        ("11h", "neither"),
        ("", "neither"),
    ],
)
def test_what_is_no_register(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_register(text)


@given(
    st.one_of(st.text(max_size=30), st.from_regex(r"[0-9a-h]{1,3}@?[0-9]{0,4}:[0-9x]{1,4}[+-]?[0-9]{0,4}"))
)
def test_any_text_is_a_register_or_a_usage_error(text: str) -> None:
    try:
        parsed = parse_register(text)
    except UsageError:
        return
    if isinstance(parsed, RawBytes):
        start = 0 if parsed.page is None else 128
        assert start <= parsed.byte
        assert parsed.byte + (parsed.length or 1) <= start + 128


# -- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("OutputDisableTx", "1,3-4", (True, False, True, True) + (False,) * 4),
        ("OutputDisableTx", "none", (False,) * 8),
        ("OutputDisableTx", "all", (True,) * 8),
        ("OutputDisableTx", "0x81", (True,) + (False,) * 6 + (True,)),
        ("OutputDisableTx", "0b1", (True,) + (False,) * 7),
        ("LowPwrRequestSW", "1", 1),
        ("ModuleState", "3h", 3),
        ("ModuleState", "0b11", 3),
        ("TempMonValue", "40.5", 40.5),
        ("TempMonValue", "40.5 degC", 40.5),
        ("VccMonVoltage", "3300 mV", 3.3),
        ("VendorName", "Some Vendor", "Some Vendor"),
        ("UserPattern", "00" * 31 + " ff", bytes(31) + b"\xff"),
        ("SCS0_AppSel", "2", (2,) * 8),
        ("SCS0_AppSel", "1,2,3,4,5,6,7,8", (1, 2, 3, 4, 5, 6, 7, 8)),
        ("SCS0_AppSel", "3=0xF,8=1", (0, 0, 15, 0, 0, 0, 0, 1)),
    ],
)
def test_values_as_people_write_them(name: str, text: str, value: object) -> None:
    field = FIELDS[name]
    assert parse_value(field, text, lambda: (0,) * 8) == (
        pytest.approx(value) if isinstance(value, float) else value
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OutputDisableTx", "9"),
        ("OutputDisableTx", ""),
        ("OutputDisableTx", "0x100"),
        ("ModuleState", "three"),
        ("ModuleState", "1.5"),
        ("VccMonVoltage", "3 A"),
        ("UserPattern", "0x1"),
        ("SCS0_AppSel", "1,2"),
        ("SCS0_AppSel", "9=1"),
    ],
)
def test_values_that_are_none(name: str, text: str) -> None:
    with pytest.raises(UsageError):
        parse_value(FIELDS[name], text, lambda: (0,) * 8)


@given(st.sampled_from(sorted(FIELDS)), st.text(max_size=20))
def test_any_text_is_a_value_or_a_usage_error(name: str, text: str) -> None:
    field = FIELDS[name]
    old = (b"" if field.kind is Kind.RAW else 0,) * field.lanes if field.lanes > 1 else 0
    try:
        parse_value(field, text, lambda: old)
    except UsageError:
        return


def test_every_register_can_be_shown() -> None:
    image = MemoryImage(bytes(128), {(0, field.page): bytes(128) for field in FIELDS.values()})
    for field in FIELDS.values():
        assert all(len(row) == 3 for row in texts_of(field, decode(field, image)))


# -- read ----------------------------------------------------------------------------------------------


def test_registers_of_a_dump(dump_file: Path, capsys: Captured) -> None:
    assert main(["read", str(dump_file), "vendorname", "ModuleState", "OutputDisableTx", "00h:129+8"]) == 0
    output = capsys.readouterr().out
    assert '"Example"' in output
    assert "ModuleReady" in output
    assert "lane 3" in output
    assert re.search(r"(?m)00h:129 +45 78 61 6d 70 6c 65 20 +Example *$", output)
    assert output.startswith(f"{dump_file}: Example PN-1, ")


def test_json(dump_file: Path, capsys: Captured) -> None:
    assert main(["read", "--json", str(dump_file), "TempMonValue", "DPStateHostLane", "lower:0"]) == 0
    temperature, states, raw = json.loads(capsys.readouterr().out)["values"]
    assert (temperature["value"], temperature["unit"]) == (40.0, "degC")
    assert states["value"] == [4] * 8
    assert states["meaning"] == ["DPActivated"] * 8
    assert raw == {"where": "lower:0", "bytes": "18"}


def test_the_result_says_which_module_it_is_of(dump_file: Path, capsys: Captured) -> None:
    assert main(["read", "--json", str(dump_file), "ModuleState"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["vendor"], found["part_number"], found["simulated"]) == ("Example", "PN-1", False)
    assert found["target"] == str(dump_file)


def test_registers_stand_in_the_order_asked_for(dump_file: Path, capsys: Captured) -> None:
    assert main(["read", str(dump_file), "ModuleState", "lower:0", "VendorPN"]) == 0
    output = capsys.readouterr().out
    assert output.index("ModuleState") < output.index("lower:0 ") < output.index("VendorPN")
    assert "\n\n" not in output


@pytest.mark.parametrize(("code", "factor"), [(0, 1), (1, 2), (2, 4)])
def test_bias_currents_are_multiplied(code: int, factor: int, bus, capsys: Captured) -> None:
    encode(FIELDS["TxBiasCurrentScalingFactor"], code, bus.image)
    encode(FIELDS["TxBias"], (20.0,) * 8, bus.image)
    assert main(["read", "--json", "i2c:7", "TxBias"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)["values"][0]
    assert found["value"] == [pytest.approx(20.0 * factor)] * 8
    assert found["raw"] == [10000] * 8
    assert found["multiplier"] == factor
    assert ("multiplied" in printed.err) is (factor != 1)


def test_a_bias_current_is_printed_with_what_the_register_holds(bus, capsys: Captured) -> None:
    encode(FIELDS["TxBiasCurrentScalingFactor"], 2, bus.image)
    encode(FIELDS["TxBias"], (20.0,) * 8, bus.image)
    assert main(["read", "i2c:7", "TxBias"]) == 0
    assert re.search(r"TxBias +11h:170-185 +1 +80 mA +raw 10000\n", capsys.readouterr().out)


def test_a_bias_with_a_reserved_multiplier_is_told_as_such(bus, capsys: Captured) -> None:
    encode(FIELDS["TxBiasCurrentScalingFactor"], 3, bus.image)
    assert main(["read", "i2c:7", "TxBias"]) == 0
    assert "multiplier (01h:160.4-3) is not known" in capsys.readouterr().err


def test_electrical_power_is_not_told_in_dbm(dump_file: Path, capsys: Captured) -> None:
    assert main(["read", "--json", str(dump_file), "MaxPower", "TxPower", "RxPowerHighAlarmThreshold"]) == 0
    electrical, optical, limit = json.loads(capsys.readouterr().out)["values"]
    assert electrical["meaning"] is None
    assert optical["meaning"] == ["no light"] * 8
    assert limit["meaning"] == "no light"


def test_flags_of_one_byte_are_all_told_before_they_are_cleared(bus, capsys: Captured) -> None:
    bus.image.put(0, 0, 8, b"\xff")
    names = ["ModuleStateChangedFlag", "ModuleFirmwareErrorFlag", "DataPathFirmwareErrorFlag"]
    names = [name for name in names if name in FIELDS]
    assert main(["read", "--json", "i2c:7", *names]) == 0
    printed = capsys.readouterr()
    assert [item["value"] for item in json.loads(printed.out)["values"]] == [1] * len(names)
    assert printed.err.count("reading has cleared") == len(names)
    assert bus.image.get(0, 0, 8, 1) == b"\0"


def test_nothing_but_what_was_asked_for_is_read(bus, capsys: Captured) -> None:
    bus.image.put(0, 0, 8, b"\x01")
    assert main(["read", "i2c:7", "TempMonValue", "--max-read", "8"]) == 0
    assert bus.reads[0] == (14, 2)  # then vendor, part and serial number, which say whose it is
    assert all(byte == 14 or byte >= 126 for byte, _ in bus.reads)
    assert bus.image.get(0, 0, 8, 1) == b"\x01"


@pytest.mark.parametrize(
    ("register", "words"),
    [
        ("14h:128", "page 14h"),
        ("PatternCheckerLOLFlagHost", "page 14h"),
        ("Nonsense", "no register"),
    ],
)
def test_what_is_not_there(register: str, words: str, dump_file: Path, capsys: Captured) -> None:
    assert main(["read", str(dump_file), register]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_a_flat_module_has_no_page_11h(dump_folder: Path, capsys: Captured) -> None:
    assert main(["read", str(dump_folder / "flat-memory.json"), "TxPower"]) == 2
    assert "page 11h" in capsys.readouterr().err


# -- write ---------------------------------------------------------------------------------------------


def test_a_register_is_written_and_read_back(bus, capsys: Captured) -> None:
    assert main(["write", "i2c:7", "OutputDisableTx", "1,4"]) == 0
    assert bus.image.get(0, 0x10, 130, 1) == b"\x09"
    assert "04 -> 09, read back" in capsys.readouterr().out


def test_other_bits_of_the_byte_are_kept(bus) -> None:
    bus.image.put(0, 0, 26, b"\x40")
    assert main(["write", "i2c:7", "LowPwrRequestSW", "1"]) == 0
    assert bus.image.get(0, 0, 26, 1) == b"\x50"


def test_bytes_are_written_by_address(bus, capsys: Captured) -> None:
    assert main(["write", "--json", "i2c:7", "10h:145", "10", "1f"]) == 0
    assert bus.image.get(0, 0x10, 145, 2) == b"\x10\x1f"
    assert json.loads(capsys.readouterr().out)["outcome"] == "read back"


def test_a_write_that_is_not_taken_is_the_modules_failure(
    bus, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    write = bus.write
    monkeypatch.setattr(bus, "write", lambda data: None if data[0] == 130 and len(data) > 1 else write(data))
    assert main(["write", "i2c:7", "OutputDisableTx", "1"]) == 1
    assert "reads back 04 after 01 was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ModuleState", "3"], "--force"),
        (["11h:128", "00"], "--force"),
        (["PasswordEntryArea", "00001011"], "--password-file"),
        (["lower:122", "00001011"], "--password-file"),
        (["lower:120", "000000000000"], "--password-file"),
        (["lower:127", "11"], "select the page"),
        (["lower:26+2", "00"], "bytes were given"),
        (["10h:255", "0000"], "beyond the end"),
        (["LowPwrRequestSW", "2"], "0..1"),
        (["VendorName", "x" * 17, "--force"], "16 printable"),
    ],
)
def test_what_is_not_written(arguments: list[str], words: str, bus, capsys: Captured) -> None:
    before = bus.image.copy()
    assert main(["write", "i2c:7", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "1011" not in error
    for half in ((0, 0), (0, 128)):
        assert bus.image.get(0, *half, 120) == before.get(0, *half, 120)


def test_force_writes_what_is_read_only(bus) -> None:
    assert main(["write", "i2c:7", "TempMonValue", "10", "--force"]) == 0
    assert bus.image.get(0, 0, 14, 2) == b"\x0a\x00"


def test_a_dump_is_not_written(dump_file: Path, capsys: Captured) -> None:
    before = dump_file.read_bytes()
    assert main(["write", str(dump_file), "OutputDisableTx", "1"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert dump_file.read_bytes() == before


def test_a_simulated_modules_register_is_written(capsys: Captured) -> None:
    assert main(["write", "sim-dr4", "OutputDisableTx", "1,3-4"]) == 0
    printed = capsys.readouterr()
    assert "00 -> 0d, read back" in printed.out
    assert "The bench is off again" in printed.err


# -- fields --------------------------------------------------------------------------------------------


def test_all_registers_are_listed_once(capsys: Captured) -> None:
    assert main(["fields", "--json"]) == 0
    assert [item["name"] for item in json.loads(capsys.readouterr().out)] == list(FIELDS)
    assert main(["fields"]) == 0
    output = capsys.readouterr().out
    assert output.endswith(f"{len(FIELDS)} registers\n")
    assert max(map(len, output.splitlines())) <= 100


def test_a_page_or_a_part_of_a_name_chooses(capsys: Captured) -> None:
    assert main(["fields", "14h", "--json"]) == 0
    assert {item["page"] for item in json.loads(capsys.readouterr().out)} == {0x14}
    assert main(["fields", "lower", "--json"]) == 0
    assert {item["page"] for item in json.loads(capsys.readouterr().out)} == {None}
    assert main(["fields", "outputdisabletx"]) == 0
    output = capsys.readouterr().out
    assert "10h:130, banked" in output
    assert "RW" in output


def test_several_words_must_all_be_there(capsys: Captured) -> None:
    assert main(["fields", "tx", "bias", "02h", "--json"]) == 0
    names = {item["name"] for item in json.loads(capsys.readouterr().out)}
    assert names == {
        f"TxBias{side}Threshold" for side in ("HighAlarm", "LowAlarm", "HighWarning", "LowWarning")
    }


@pytest.mark.parametrize("page", ["11h", "11", "0x11", "11H"])
def test_a_page_however_it_is_written(page: str, capsys: Captured) -> None:
    assert main(["fields", page, "--json"]) == 0
    assert {item["page"] for item in json.loads(capsys.readouterr().out)} == {0x11}


def test_a_pattern_that_nothing_has(capsys: Captured) -> None:
    assert main(["fields", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err
