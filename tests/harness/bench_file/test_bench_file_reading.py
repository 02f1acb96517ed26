"""Bench files: the shipped ones say what they say, and each mistake is one line with file and key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from drivers.catalogue import DRIVERS
from harness.bench_file.reading import (
    BENCHES_FOLDER,
    Calibration,
    find_bench_file,
    load_bench,
)
from harness.bench_file.simulation_section import FaultSpec
from harness.commands.bench import main as bench_command
from harness.tables import TableError
from harness.wiring import InsertionLoss, Port

PASS = 'pass = { loss = "1.00 dB", uncertainty = "0.08 dB" }\n'
THERMAL_ADDRESS = 'address = "GPIB0::18::INSTR"'
ROOM = 'room_temp = "23 degC"'


def test_the_shipped_simulated_bench_as_its_file_says():
    path = find_bench_file("sim-dr4")
    spec = load_bench(path)
    assert spec.name == "sim-dr4"
    assert spec.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (spec.clock, spec.visa_library, spec.decision_rule) == ("virtual", "@py", "ilac-g8-guard-band")
    assert list(spec.instruments) == [
        "power_meter",
        "optical_switch",
        "power_supply",
        "thermal",
        "case_sensor",
        "host_board",
    ]
    meter = spec.instruments["power_meter"]
    assert (meter.driver, meter.address) == ("keysight-n7745c", "TCPIP0::192.0.2.11::inst0::INSTR")
    assert (meter.uncertainty, meter.uncertainty_unit) == (0.12, "dB")
    assert meter.calibration == Calibration("SIM-PM-0001", "2026-06-01", "2099-12-31")
    sensor = spec.instruments["case_sensor"]
    assert (sensor.shared_with, sensor.driver, sensor.uncertainty) == ("thermal", "", 0.6)
    assert spec.instruments["host_board"].options["expander_address"] == 0x20
    assert spec.wiring.passes == {"optical_switch": InsertionLoss(1.0, 0.08)}
    assert len(spec.wiring.fibres) == 8
    assert spec.supply.remote_sense is True
    assert spec.supply.lead_resistance_ohm == pytest.approx(0.015)
    assert spec.supply.lead_uncertainty_ohm == pytest.approx(0.002)
    assert (spec.supply.current_limit_a, spec.supply.overvoltage_v) == (4.5, 3.8)
    assert spec.supply.voltage_uncertainty_v == pytest.approx(0.004)
    assert spec.supply.current_uncertainty_a == pytest.approx(0.012)
    assert spec.supply.settling_s == pytest.approx(0.2)  # its default
    assert (spec.thermal.window_c, spec.thermal.soak_s, spec.thermal.time_limit_s) == (1.0, 30.0, 900.0)
    assert spec.simulation is not None
    assert (spec.simulation.module, spec.simulation.seed) == ("good-dr4", 1)
    assert spec.simulation.faults == ()


def test_the_shipped_lab_bench_has_no_simulation():
    spec = load_bench(find_bench_file("lab-example"))
    assert spec.simulation is None
    assert spec.clock == "wall"


def test_every_shipped_bench_can_be_read():
    paths = sorted(BENCHES_FOLDER.glob("*.toml"))
    assert paths
    for path in paths:
        assert load_bench(path).instruments


def test_a_bench_is_found_by_path_before_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_bench_file("sim-dr4") == BENCHES_FOLDER / "sim-dr4.toml"
    Path("sim-dr4").write_text("schema = 1\n")
    assert find_bench_file("sim-dr4") == Path("sim-dr4")


@pytest.mark.parametrize(
    "name",
    ["nowhere", "sim-dr4.toml", "../benches/sim-dr4", "", ".", "x" * 5000, "a\0b", "sim-dr4\n\x1b[31m"],
    ids=range(8),
)
def test_a_bench_that_is_not_there_names_those_that_are(name):
    with pytest.raises(TableError, match=r"no such bench file; .* lab-example, sim-dr4") as raised:
        find_bench_file(name)
    assert len(str(raised.value).splitlines()) == 1


def test_local_sense_and_faults_and_options(bench_file):
    spec = load_bench(
        bench_file(
            ('sense = "remote"', 'sense = "local"'),
            (ROOM, f'{ROOM}\n[[simulation.fault]]\nrole = "thermal"\nkind = "garbles"\nat = "2 min"'),
            (THERMAL_ADDRESS, f'{THERMAL_ADDRESS}\noptions = {{ dut_sensor = "k", lowest_air_c = -20 }}'),
        )
    )
    assert spec.supply.remote_sense is False
    assert spec.simulation is not None
    assert spec.simulation.faults == (FaultSpec("thermal", "garbles", 120.0),)
    assert spec.instruments["thermal"].options == {"dut_sensor": "k", "lowest_air_c": -20}


# -- mistakes: each is one line -----------------------------------------------------------------------

LINES = {
    "unknown key": (
        [("[bench]\n", '[bench]\nnmae = "x"\n')],
        "bench.nmae: unknown key; did you mean name?",
    ),
    "unknown table": ([("[clock]", "[clocks]\na = 1\n[clock]")], "clocks: unknown key; did you mean clock?"),
    "unknown key of an instrument": (
        [(THERMAL_ADDRESS, f"{THERMAL_ADDRESS}\nspeed = 3")],
        "instruments.thermal.speed: unknown key",
    ),
    "unknown key of a fibre": ([('loss = "0.42 dB"', 'loss = "0.42 dB"\nhue = 3')], "fibre[1].hue"),
    "missing key": ([('current_limit = "4.5 A"\n', "")], "supply.current_limit: is missing; expected a quan"),
    "no schema": ([("schema = 1", "")], "schema: is missing; expected a whole number"),
    "other schema": ([("schema = 1", "schema = 2")], "schema: 2 is not within 1 .. 1"),
    "no uncertainty": (
        [('uncertainty = "0.12 dB"\n', "")],
        "instruments.power_meter.uncertainty: is missing",
    ),
    "not a role": (
        [(f"{THERMAL_ADDRESS}\n", f"{THERMAL_ADDRESS}\n[instruments.coffee_machine]\na = 1\n")],
        "instruments.coffee_machine: is not a role; roles are power_meter, ",
    ),
    "unknown driver": (
        [('"temptronic-ats545"', '"temptronic-ats546"')],
        "instruments.thermal.driver: unknown driver 'temptronic-ats546'; known are espec-p300, ",
    ),
    "unknown driver with options": (
        [('"i2c-host-board"', '"spi-host-board"')],
        "instruments.host_board.driver: unknown driver 'spi-host-board'; known are",
    ),
    "no address": ([(f"{THERMAL_ADDRESS}\n", "")], "instruments.thermal.address: is missing; expected text"),
    "no VISA address": (
        [("GPIB0::18::INSTR", "gpib 18")],
        "instruments.thermal.address: 'gpib 18' is no VISA address, such as TCPIP0::192.0.2.1::inst0::INSTR",
    ),
    "VISA address of no interface": (
        [("GPIB0::18::INSTR", "nonsense::18")],
        "instruments.thermal.address: 'nonsense::18' is no VISA address",
    ),
    "no I2C bus": (
        [('"i2c:1"', '"/dev/i2c-1"')],
        "instruments.host_board.address: '/dev/i2c-1' is no I2C bus; write i2c:1 for /dev/i2c-1",
    ),
    "one address twice": (
        [("GPIB0::18::INSTR", "TCPIP0::192.0.2.13::inst0::INSTR")],
        "instruments.thermal.address: TCPIP0::192.0.2.13::inst0::INSTR is used already, by power_supply; wr",
    ),
    "one address twice in two spellings": (
        [("GPIB0::18::INSTR", "TCPIP::192.0.2.13::INSTR")],
        "instruments.thermal.address: TCPIP0::192.0.2.13::inst0::INSTR is used already, by power_supply",
    ),
    "option that the driver has not": (
        [(THERMAL_ADDRESS, f"{THERMAL_ADDRESS}\noptions = {{ sped = 1.0 }}")],
        "instruments.thermal.options.sped: driver 'temptronic-ats545' has no option 'sped'; its options: ",
    ),
    "option of another type": (
        [(THERMAL_ADDRESS, f'{THERMAL_ADDRESS}\noptions = {{ lowest_air_c = "-40" }}')],
        "instruments.thermal.options.lowest_air_c: driver 'temptronic-ats545': option 'lowest_air_c' must b",
    ),
    "option of an impossible value": (
        [(THERMAL_ADDRESS, f'{THERMAL_ADDRESS}\noptions = {{ dut_sensor = "x" }}')],
        "instruments.thermal.options: thermal: option 'dut_sensor' must be 't' or 'k', got 'x'",
    ),
    "option that is no number": (
        [(THERMAL_ADDRESS, f"{THERMAL_ADDRESS}\noptions = {{ lowest_air_c = nan }}")],
        "instruments.thermal.options.lowest_air_c: nan is not a finite number",
    ),
    "option of the host board out of range": (
        [("int_l = 9", "int_l = 16")],
        "instruments.host_board.options: option pin_bits.int_l must be a whole number 0..15, got 16",
    ),
    "option that the host board has not": (
        [("expander_address", "expander_adress")],
        "instruments.host_board.options: unknown option 'expander_adress'; there are: expander_address, ",
    ),
    "options that are no table": (
        [(THERMAL_ADDRESS, f"{THERMAL_ADDRESS}\noptions = 3")],
        "instruments.thermal.options: expected a table, found the number 3",
    ),
    "shared with nobody": (
        [('shared_with = "thermal"', 'shared_with = "bert"')],
        "instruments.case_sensor.shared_with: 'bert' is no role with an instrument of its own",
    ),
    "shared with an instrument that cannot": (
        [('shared_with = "thermal"', 'shared_with = "power_meter"')],
        "instruments.case_sensor.shared_with: keysight-n7745c cannot be a case_sensor",
    ),
    "due before the calibration": (
        [("due = 2099-12-31", "due = 2025-06-01")],
        "instruments.power_meter.calibration.due: 2025-06-01 is before the calibration itself, 2026-06-01",
    ),
    "date as text": (
        [("date = 2026-06-01", 'date = "2026-06-01"')],
        "instruments.power_meter.calibration.date: expected a date such as 2026-03-31, found the text",
    ),
    "date with a time": (
        [("due = 2099-12-31", "due = 2099-12-31T00:00:00")],
        "instruments.power_meter.calibration.due: expected a date such as 2026-03-31, without time",
    ),
    "no due date": (
        [(", due = 2099-12-31", "")],
        "instruments.power_meter.calibration.due: is missing; expected a date",
    ),
    "light into a transmitter": (
        [('from = "module.tx1"\nto = "optical_switch.1"', 'from = "optical_switch.21"\nto = "module.tx1"')],
        "fibre[1].to: module.tx1 is a transmitter: light cannot go into it",
    ),
    "light from a receiver": (
        [("module.tx1", "module.rx1")],
        "fibre[1].from: module.rx1 is a receiver: light cannot come from it",
    ),
    "transmitter plugged twice": (
        [("module.tx2", "module.tx1")],
        "fibre[2].from: module.tx1 is plugged already, in fibre[1]",
    ),
    "instrument's port plugged twice": (
        [("power_meter.2", "power_meter.1")],
        "fibre[6].to: power_meter.1 is plugged already, in fibre[5]",
    ),
    "port that is input and output": (
        [("optical_switch.17", "optical_switch.2")],
        "fibre[5].from: optical_switch.2 is an input as well as an output (see fibre[2])",
    ),
    "role that lets no light through": (
        [(PASS, "")],
        "fibre[5].from: optical_switch lets no light through: give it [instruments.optical_switch.pass]",
    ),
    "fibre to a role that the bench has not": (
        [('"optical_switch.1"', '"attenuator.1"')],
        "fibre[1].to: the bench has no attenuator",
    ),
    "fibres to and from a role that the bench has not": (
        [('"optical_switch.1"', '"attenuator.1"'), ('"optical_switch.17"', '"attenuator.2"')],
        "fibre[1].to: the bench has no attenuator",
    ),
    "port that the module has not": (
        [("module.tx1", "module.tx9")],
        "fibre[1].from: 'module.tx9': the module has ports tx1 .. tx8 and rx1 .. rx8",
    ),
    "no port": ([('"optical_switch.1"', '"optical_switch"')], "fibre[1].to: 'optical_switch' is not a port;"),
    "bad unit": ([('"0.42 dB"', '"0.42 dBm"')], "fibre[1].loss: dBm cannot be read as dB; write it in dB"),
    "unit of another kind": (
        [('"4.5 A"', '"4.5 V"')],
        "supply.current_limit: V cannot be read as A: they me",
    ),
    "unit that there is not": ([('"4.5 A"', '"4.5 ampers"')], "supply.current_limit: unknown unit 'ampers'"),
    "no unit": ([('"0.42 dB"', '"0.42"')], "fibre[1].loss: '0.42' is not a number with a unit"),
    "bad number": ([('"0.42 dB"', '"0,42 dB"')], "fibre[1].loss: '0,42 dB' is not a number with a unit"),
    "number without quotes": ([('"0.42 dB"', "0.42")], 'fibre[1].loss: expected a quantity such as "1.5 dB"'),
    "number that is infinite": ([('"0.42 dB"', '"1e999 dB"')], "fibre[1].loss: '1e999 dB' is not a finite n"),
    "negative loss": ([('"0.42 dB"', '"-0.42 dB"')], "fibre[1].loss: '-0.42 dB' is below 0 dB"),
    "window as a temperature": (
        [('window = "1 K"', 'window = "1 degC"')],
        "thermal.window: degC is a temper",
    ),
    "channel out of range": ([("channel = 1", "channel = 0")], "supply.channel: 0 is not within 1 .. 16"),
    "local sense without lead resistance": (
        [('sense = "remote"', 'sense = "local"'), ('lead_resistance = "15 mohm"\n', "")],
        "supply.lead_resistance: is missing; with local sense it is needed to know the module's voltage",
    ),
    "another decision rule": (
        [('"ilac-g8-guard-band"', '"simple-acceptance"')],
        "bench.decision_rule: 'simple-acceptance' is not one of ilac-g8-guard-band",
    ),
    "wall clock of a simulation": (
        [('kind = "virtual"', 'kind = "wall"')],
        "clock.kind: a virtual clock and a [simulation] table go together: have both or neither",
    ),
    "clock that there is not": (
        [('kind = "virtual"', 'kind = "sun"')],
        "clock.kind: 'sun' is not one of remote, vir",
    ),
    "fault of no role": (
        [(ROOM, f'{ROOM}\n[[simulation.fault]]\nrole = "cook"\nkind = "dies"\nat = "0 s"')],
        "simulation.fault[1].role: 'cook' is not one of attenuator, ",
    ),
    "fault of an instrument that cannot have it": (
        [(ROOM, f'{ROOM}\n[[simulation.fault]]\nrole = "case_sensor"\nkind = "dies"\nat = "0 s"')],
        "simulation.fault[1].role: case_sensor is no instrument of this bench that can fail so",
    ),
    "fault in the past": (
        [(ROOM, f'{ROOM}\n[[simulation.fault]]\nrole = "thermal"\nkind = "dies"\nat = "-1 s"')],
        "simulation.fault[1].at: '-1 s' is below 0 s",
    ),
}


@pytest.fixture
def nothing_may_be_opened(monkeypatch):
    """Fails whoever opens a library, a resource or a bus."""

    def refuse(*_, **__):
        pytest.fail("something was opened for a bench file that is wrong")

    monkeypatch.setattr("harness.opening.LabBackend.__init__", refuse)
    monkeypatch.setattr("harness.simulation.bench.SimulatedBackend.__init__", refuse)
    monkeypatch.setattr("pyvisa.ResourceManager.__new__", refuse)
    monkeypatch.setattr("smbus2.SMBus.__init__", refuse)


@pytest.mark.parametrize("mistake", LINES)
def test_a_mistake_is_one_line_and_nothing_is_opened(mistake, bench_file, capsys, nothing_may_be_opened):
    changes, expected = LINES[mistake]
    assert bench_command(["check", str(bench_file(*changes))]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith(f"bench.toml: {expected}")


def test_a_virtual_clock_without_a_simulation(bench_file, shipped_part, capsys, nothing_may_be_opened):
    path = bench_file((shipped_part("[simulation]", "[instruments.power_meter]"), ""))
    assert bench_command(["check", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("bench.toml: clock.kind: a virtual clock and a [simulation] table go together")


@pytest.mark.parametrize("role", ["power_meter", "power_supply", "thermal", "host_board"])
def test_a_missing_role_is_one_line_though_fibres_and_others_name_it(role, bench_file, shipped_part):
    following = {
        "power_meter": "[instruments.optical_switch]",
        "power_supply": "[instruments.thermal]",
        "thermal": "[instruments.case_sensor]",
        "host_board": "[supply]",
    }[role]
    path = bench_file((shipped_part(f"[instruments.{role}]", following), ""))
    with pytest.raises(TableError) as raised:
        load_bench(path)
    assert raised.value.complaints == (
        f"bench.toml: instruments.{role}: is missing: every bench needs this role",
    )


def test_a_matrix_that_lacks_is_one_line_though_eight_fibres_name_it(bench_file, shipped_part):
    path = bench_file((shipped_part("[instruments.optical_switch]", "[instruments.power_supply]"), ""))
    with pytest.raises(TableError) as raised:
        load_bench(path)
    assert raised.value.complaints == ("bench.toml: fibre[1].to: the bench has no optical_switch",)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("[bench]", "[clock]", "bench: is missing; expected a table"),
        ("[supply]", "[thermal]", "supply: is missing; expected a table"),
        ("[thermal]", "# Fan-out legs", "thermal: is missing; expected a table"),
        ("[instruments.power_meter]", "[supply]", "instruments: is missing; expected a table"),
    ],
)
def test_a_missing_table_is_one_line(start, end, expected, bench_file, shipped_part):
    with pytest.raises(TableError) as raised:
        load_bench(bench_file((shipped_part(start, end), "")))
    assert raised.value.complaints == (f"bench.toml: {expected}",)


def test_an_instrument_that_is_no_table(bench_file, shipped_part):
    whole = shipped_part("[instruments.thermal]", "[instruments.case_sensor]")
    with pytest.raises(TableError) as raised:
        load_bench(bench_file((whole, "[instruments]\nthermal = 3\n")))
    assert raised.value.complaints == (
        "bench.toml: instruments.thermal: expected a table, found the number 3",
    )


def test_a_driver_of_another_role(bench_file):
    with pytest.raises(TableError) as raised:
        load_bench(bench_file(('driver = "keysight-e36312a"', 'driver = "polatis"')))
    (line,) = raised.value.complaints
    assert line == (
        "bench.toml: instruments.power_supply.driver: polatis cannot be a power_supply; "
        "it can be optical_switch"
    )


def test_three_mistakes_are_three_lines(bench_file):
    path = bench_file(
        ('"0.42 dB"', '"x"'), ("GPIB0::18::INSTR", "gpib"), ('sense = "remote"', 'sense = "far"')
    )
    with pytest.raises(TableError) as raised:
        load_bench(path)
    keys = [line.split(": ")[1] for line in raised.value.complaints]
    assert sorted(keys) == ["fibre[1].loss", "instruments.thermal.address", "supply.sense"]


def test_every_driver_can_be_asked_about_its_options_without_a_session():
    # Validation builds drivers on nothing; one that talked while it is built would fail here.
    from harness.bench_file.reading import _options
    from harness.tables import Table

    for name, info in DRIVERS.items():
        complaints: list[str] = []
        part = Table({"options": {}}, file="f", key="", complaints=complaints)
        _options(part, name, info.roles[0])
        assert [line for line in complaints if "option" not in line] == []


def test_ports_in_other_spellings_are_the_same_port(bench_file):
    spec = load_bench(bench_file(('"optical_switch.17"', '"optical_switch.017"')))
    assert spec.wiring.fibre_from(Port("optical_switch", "17")) is not None
