"""Bench files: fibres, splitters, the reference transmitter and wiring faults, each mistake one line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harness.bench_file.reading import find_bench_file, load_bench
from harness.bench_file.simulation_section import (
    WIRING_FAULTS,
    FaultSpec,
    ReferenceSpec,
    WiringFaultSpec,
    read_reference,
)
from harness.tables import Table, TableError
from harness.wiring import Leg, Port, Splitter

ROOM = 'room_temp = "23 degC"\n'
FIRST = 'to = "optical_switch.1"\nloss = "0.42 dB"'
LEGS = '[{ loss = "0.6 dB", uncertainty = "0.05 dB" }, { loss = "10.4 dB", uncertainty = "0.1 dB" }]'


def piece(start: str, end: str) -> str:
    return f'[[fibre]]\nfrom = "{start}"\nto = "{end}"\nloss = "0.3 dB"\nuncertainty = "0.1 dB"\n'


TAPPED = (
    f'[[splitter]]\nname = "tap1"\nlegs = {LEGS}\n'
    + piece("optical_switch.21", "tap1.in")
    + piece("tap1.1", "module.rx1")
    + piece("tap1.2", "power_meter.5")
)
FIBRES = "# Fan-out legs"
NO_LOSS = 'loss = "0 dB"\nuncertainty = "0 dB"'


def fault(text: str) -> tuple[str, str]:
    return (ROOM, f"{ROOM}[[simulation.fault]]\n{text}\n")


def test_fibres_say_their_length_and_reflectance(bench_file):
    spec = load_bench(bench_file((FIRST, f'{FIRST}\nlength = "1 km"\nreflectance = "-40 dB"')))
    first, second, *_ = spec.wiring.fibres
    assert (first.length_m, first.reflectance_db) == (1000.0, -40.0)
    assert (second.length_m, second.reflectance_db) == (2.0, -55.0)


def test_splitters(bench_file):
    spec = load_bench(bench_file((FIBRES, f"{TAPPED}\n{FIBRES}")))
    assert spec.wiring.splitters == {"tap1": Splitter("tap1", (Leg(0.6, 0.05), Leg(10.4, 0.1)))}
    ways = spec.wiring.ways(Port("module", "tx1"), Port("power_meter", "5"))
    assert [way.hops[-3:] for way in ways] == [("tap1.in", "tap1.2", "power_meter.5")]


def test_a_multiplexers_legs_name_their_wavelengths(bench_file):
    legs = '[{ loss = "1 dB", uncertainty = "0.1 dB", wavelength = "1.271 um" }]'
    text = f'[[splitter]]\nname = "mux"\nlegs = {legs}\n'
    spec = load_bench(bench_file((FIBRES, text + FIBRES)))
    assert spec.wiring.splitters["mux"].legs[0].wavelength_nm == pytest.approx(1271.0)


REFERENCE = """[instruments.reference_tx]
driver = "reference-module"
address = "i2c:2"
launch_power = "2.5 dBm"

[instruments.reference_tx.options]
expander_address = 0x20
pin_bits = { reset_l = 0, lpmode = 1, modsel_l = 2, modprs_l = 8, int_l = 9 }

[supply]"""
OF_THE_WORLD = '[simulation.reference_tx]\nmodule = "reference-dr4"\nspecimen = 3\n'


def test_the_reference_transmitter(bench_file):
    spec = load_bench(
        bench_file(
            (ROOM, ROOM + OF_THE_WORLD),
            ("[supply]", REFERENCE),
            (FIBRES, piece("reference_tx.1", "optical_switch.5") + FIBRES),
        )
    )
    assert spec.simulation is not None
    assert spec.simulation.reference == ReferenceSpec("reference-dr4", 3)
    part = spec.instruments["reference_tx"]
    assert (part.driver, part.address, part.launch_power_dbm) == ("reference-module", "i2c:2", 2.5)
    assert spec.instruments["power_meter"].launch_power_dbm is None


FAULTS = {
    "dirty_end_face": (
        'port = "module.tx2"\nseverity = 0.5',
        {"port": Port("module", "tx2"), "severity": 0.5},
    ),
    "reflective_pair": ('port = "power_meter.1"', {"port": Port("power_meter", "1")}),
    "bent_fibre": ('port = "module.tx1"\nloss = "2 dB"', {"port": Port("module", "tx1"), "loss_db": 2.0}),
    "cable_polarity": ('polarity = "C"', {"polarity": "C"}),
    "key_flipped": ("", {}),
    "stray_light": (
        'port = "power_meter.1"\npower = "-30 dBm"',
        {"port": Port("power_meter", "1"), "power_dbm": -30.0},
    ),
    "miswired_cassette": ("", {}),
    "lane_swap": ('lanes = [1, 2]\nlegs = "both"', {"lanes": (1, 2), "legs": "both"}),
}


def test_every_kind_is_here():
    assert set(FAULTS) == set(WIRING_FAULTS)


@pytest.mark.parametrize("kind", FAULTS)
def test_faults_of_the_wiring(kind, bench_file):
    text, said = FAULTS[kind]
    spec = load_bench(bench_file(fault(f'kind = "{kind}"\n{text}')))
    assert spec.simulation is not None
    assert spec.simulation.faults == (WiringFaultSpec(kind, **said),)
    spec = load_bench(bench_file(fault(f'kind = "{kind}"\nat = "2 min"\n{text}')))
    assert spec.simulation is not None
    assert spec.simulation.wiring_faults[0].at_s == 120.0


def test_every_kind_is_documented():
    text = (Path(__file__).parents[3] / "docs" / "bench-file.md").read_text(encoding="utf-8")
    assert [kind for kind in WIRING_FAULTS if f"`{kind}`" not in text] == []


def test_every_key_of_the_reference_transmitter_is_documented():
    text = (Path(__file__).parents[3] / "docs" / "bench-file.md").read_text(encoding="utf-8")
    asked = Table({}, file="bench.toml", key="", complaints=[])
    read_reference(asked)
    assert [key for key in asked._used if f"`{key}`" not in text] == []


def test_faults_of_both_sorts_stay_in_order(bench_file):
    both = 'kind = "key_flipped"\n[[simulation.fault]]\nrole = "thermal"\nkind = "dies"\nat = "5 s"'
    spec = load_bench(bench_file(fault(both)))
    assert spec.simulation is not None
    assert spec.simulation.instrument_faults == (FaultSpec("thermal", "dies", 5.0),)
    assert spec.simulation.wiring_faults == (WiringFaultSpec("key_flipped"),)


TAP_OF = '[[splitter]]\nname = "{}"\nlegs = {}\n'
LINES = {
    "negative length": ((FIRST, f'{FIRST}\nlength = "-1 m"'), "fibre[1].length: '-1 m' is below 0 m"),
    "length in dB": ((FIRST, f'{FIRST}\nlength = "1 dB"'), "fibre[1].length: dB cannot be read as m"),
    "more light back than comes": (
        (FIRST, f'{FIRST}\nreflectance = "26 dB"'),
        "fibre[1].reflectance: '26 dB' is above -14 dB",
    ),
    "splitter that amplifies": (
        (FIBRES, TAP_OF.format("tap1", LEGS.replace("10.4", "5")) + FIBRES),
        "splitter[1].legs: more light would leave by the legs than comes in: 118.7 % of it",
    ),
    "splitter without legs": (
        (FIBRES, TAP_OF.format("tap1", "[]") + FIBRES),
        "splitter[1].legs: expected a list of 1 .. 64 legs, found none",
    ),
    "leg without a loss": (
        (FIBRES, TAP_OF.format("tap1", LEGS.replace('loss = "0.6 dB", ', "")) + FIBRES),
        "splitter[1].legs[1].loss: is missing",
    ),
    "leg of another loss": (
        (FIBRES, TAP_OF.format("tap1", LEGS.replace("0.6 dB", "-0.6 dB")) + FIBRES),
        "splitter[1].legs[1].loss: '-0.6 dB' is below 0 dB",
    ),
    "splitter without legs that is plugged": (
        (FIBRES, TAPPED.replace(LEGS, "[]") + FIBRES),
        "splitter[1].legs: expected a list of 1 .. 64 legs, found none",
    ),
    "splitter whose legs are a number": (
        (FIBRES, TAPPED.replace(LEGS, "3") + FIBRES),
        "splitter[1].legs: expected a list of 1 .. 64 legs, found no list",
    ),
    "splitter with a leg that is none": (
        (FIBRES, TAPPED.replace(LEGS, "[1]") + FIBRES),
        "splitter[1].legs[1]: expected a table, found",
    ),
    "plugged splitter with a dash in its name": (
        (FIBRES, TAPPED.replace('name = "tap1"', 'name = "tap-1"') + FIBRES),
        "splitter[1].name: 'tap-1' is no name for a splitter",
    ),
    "plugged splitter without a name": (
        (FIBRES, TAPPED.replace('name = "tap1"\n', "") + FIBRES),
        "splitter[1].name: is missing",
    ),
    "glass that loses nothing": (
        (FIRST, f'{FIRST}\nlength = "10 km"'),
        "fibre[1].loss: 0.42 dB is less than 10000 m of glass lose, about 3.00 dB at 0.3 dB/km",
    ),
    "light through a meter": (
        (
            "[instruments.power_supply]",
            f"[instruments.power_meter.pass]\n{NO_LOSS}\n[instruments.power_supply]",
        ),
        "instruments.power_meter.pass: light goes through optical_switch and attenuator alone",
    ),
    "splitter called like a role": (
        (FIBRES, TAP_OF.format("power_meter", LEGS) + FIBRES),
        "splitter[1].name: 'power_meter' is no name for a splitter",
    ),
    "two splitters of one name": (
        (FIBRES, TAP_OF.format("tap1", LEGS) * 2 + FIBRES),
        "splitter[2].name: there is another splitter tap1",
    ),
    "leg that there is not": (
        (
            FIBRES,
            TAP_OF.format("tap1", LEGS)
            + piece("optical_switch.21", "tap1.in")
            + piece("tap1.3", "module.rx1")
            + FIBRES,
        ),
        "fibre[2].from: tap1.3: tap1 has ports in and the legs 1 .. 2",
    ),
    "reference transmitter that there is not": (
        (FIBRES, piece("reference_tx.1", "optical_switch.5") + FIBRES),
        "fibre[1].from: the bench has no reference_tx",
    ),
    "reference module without a board": (
        (ROOM, ROOM + OF_THE_WORLD),
        "simulation.reference_tx: and instruments.reference_tx go together",
    ),
    "board without a reference module": (
        ("[supply]", REFERENCE),
        "simulation.reference_tx: and instruments.reference_tx go together",
    ),
    "reference module on the module's own bus": (
        (ROOM, ROOM + OF_THE_WORLD),
        ("[supply]", REFERENCE.replace("i2c:2", "i2c:1")),
        "instruments.reference_tx.address: i2c:1 is used already, by host_board",
    ),
    "reference module with a lane twice": (
        (ROOM, ROOM + OF_THE_WORLD),
        ("[supply]", REFERENCE.replace("expander", "lanes = [1, 1]\nexpander")),
        "instruments.reference_tx.options: option lanes must list different media lanes of 1..8",
    ),
    "launch power of another role": (
        ('address = "i2c:1"', 'address = "i2c:1"\nlaunch_power = "1 dBm"'),
        "instruments.host_board.launch_power: unknown",
    ),
    "fault of no kind": (
        fault('kind = "gremlins"'),
        "simulation.fault[1].kind: 'gremlins' is not one of bent",
    ),
    "fault with another's key": (
        fault('kind = "key_flipped"\nport = "module.tx1"'),
        "simulation.fault[1].port: key_flipped has no port; it has at, kind",
    ),
    "fault where nothing is plugged": (
        fault('kind = "dirty_end_face"\nport = "module.rx3"'),
        "simulation.fault[1].port: no fibre is plugged at module.rx3",
    ),
    "stray light that nobody looks at": (
        fault('kind = "stray_light"\nport = "optical_switch.1"\npower = "-30 dBm"'),
        "simulation.fault[1].port: no fibre ends at optical_switch.1 to be looked at there",
    ),
    "fault at no port": (fault('kind = "dirty_end_face"'), "simulation.fault[1].port: is missing"),
    "severity beyond all": (
        fault('kind = "dirty_end_face"\nport = "module.tx1"\nseverity = 1.5'),
        "simulation.fault[1].severity: 1.5 is not within 0 .. 1",
    ),
    "polarity B": (
        fault('kind = "cable_polarity"\npolarity = "B"'),
        "simulation.fault[1].polarity: 'B' is not one of A, C",
    ),
    "swap of three": (
        fault('kind = "lane_swap"\nlanes = [1, 2, 3]'),
        "simulation.fault[1].lanes: expected two different lanes of 1 .. 4",
    ),
    "swap with itself": (
        fault('kind = "lane_swap"\nlanes = [2, 2]'),
        "simulation.fault[1].lanes: expected two different lanes of 1 .. 4",
    ),
    "bend without a loss": (
        fault('kind = "bent_fibre"\nport = "module.tx1"'),
        "simulation.fault[1].loss: is mis",
    ),
}


@pytest.mark.parametrize("mistake", LINES)
def test_a_mistake_is_one_line(mistake, bench_file):
    *changes, expected = LINES[mistake]
    with pytest.raises(TableError) as raised:
        load_bench(bench_file(*changes))
    (line,) = raised.value.complaints
    assert line.startswith(f"bench.toml: {expected}")


def test_what_is_simulated_can_be_written_into_a_manifest():
    spec = load_bench(find_bench_file("sim-dr4-full"))
    assert spec.simulation is not None
    written = json.loads(json.dumps(dataclasses.asdict(spec.simulation)))
    assert written["reference"] == {"module": "reference-dr4", "specimen": 0}


def test_the_shipped_lab_of_a_dr4():
    wiring = load_bench(find_bench_file("sim-dr4-full")).wiring
    for lane in range(1, 5):
        receiver = Port("module", f"rx{lane}")
        tx, tap = Port("module", f"tx{lane}"), Port("power_meter", str(lane + 4))
        assert wiring.ways(Port("reference_tx", str(lane)), receiver)
        direct, *_ = wiring.ways(Port("reference_tx", str(lane)), tap)
        assert 11.0 < direct.loss_db < 14.0
        assert wiring.ways(tx, receiver)
    paths = wiring.transmitter_paths(range(1, 5), "power_meter")
    assert {lane: path.end.number for lane, path in paths.items()} == {1: 1, 2: 2, 3: 3, 4: 4}
    assert all(len(path.hops) == 4 for path in paths.values())
