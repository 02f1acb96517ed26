"""The reference transmitter's OMA, extinction ratio and SECQ: measured as they truly are, and believed only
of the transmitter that was measured."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

import pytest

from drivers.clock import StopFlag
from drivers.errors import BenchError, NotSettledError
from drivers.interfaces import CapturedWaveform, EyeReading, Identity, LaserLine, PowerReading
from drivers.units import dbm_from_w, w_from_dbm
from harness.bench_file.history import history_folder, keep
from harness.bench_file.reading import load_bench, with_simulation
from harness.calibration.levels import Level
from harness.calibration.record import bench_record
from harness.calibration.reference import (
    oma_to_average_db,
    oma_to_average_slope,
    record_name,
    reference_calibration,
)
from harness.calibration.reference_measuring import Assumed, judge_lane, measure_reference
from harness.opening import bench_backend, open_bench
from harness.run_folder.manifest_of_run import _reference as reference_entry
from harness.signal.patterns import pattern
from harness.signal.synthesis import pam4_waveform
from harness.signal.tdecq import secq
from harness.wiring import OpticalPath, Port

WHO = Identity("LANEWISE", "LW-400G-DR4-REF", "LWREF00001", "1.0")
INSTRUMENTS = """[instruments.oscilloscope]
driver = "keysight-flexdca"
address = "TCPIP0::192.0.2.21::hislip0::INSTR"
options = { tdecq_edition = "802.3cd" }

[instruments.spectrum_analyser]
driver = "yokogawa-aq6370d"
address = "TCPIP0::192.0.2.22::10001::SOCKET"

[supply]"""
FIBRES = "\n".join(
    f'[[fibre]]\nfrom = "{start}"\nto = "{end}"\nloss = "0.35 dB"\nuncertainty = "0.10 dB"'
    for start, end in (
        *((f"reference_tx.{lane}", f"optical_switch.{lane + 4}") for lane in (1, 2, 3, 4)),
        ("optical_switch.29", "oscilloscope.1"),
        ("optical_switch.30", "spectrum_analyser.1"),
    )
)


@pytest.fixture
def bench_file(changed_bench, with_reference):
    """A bench with a reference module and the instruments that see what it sends."""
    return changed_bench(*with_reference, ("[supply]", INSTRUMENTS), more=FIBRES)


# -- on the simulated bench -------------------------------------------------------------------------


@dataclass
class Found:
    """What was measured on a bench, and the light that there truly was."""

    measured: object
    record: dict
    spec: object
    identity: Identity
    beams: dict

    def errors_in_units_of_u(self) -> dict[str, float]:
        shares = {}
        for entry in self.measured.lanes:
            lane, beam = entry.lane, self.beams[entry.lane.lane]
            truth = {
                "average_power_dbm": dbm_from_w(beam.power_w),
                "oma_outer_dbm": dbm_from_w(beam.oma_w),
                "extinction_ratio_db": beam.modulation.extinction_ratio_db,
                "oma_to_average_db": dbm_from_w(beam.oma_w) - dbm_from_w(beam.power_w),
                "secq_db": true_secq_db(beam.modulation),
                "wavelength_nm": beam.wavelength_nm,
            }
            for name, value in truth.items():
                stem, _, unit = name.rpartition("_")
                u = getattr(lane, f"{stem}_uncertainty_{'nm' if unit == 'nm' else 'db'}")
                shares[f"{name} of lane {lane.lane}"] = (getattr(lane, name) - value) / u
        return shares


def true_secq_db(modulation) -> float:
    symbols = pattern("SSPRQ").symbols()
    sent = pam4_waveform(
        symbols,
        [1e-3 * level for level in modulation.levels],
        samples_per_ui=16,
        symbol_rate_bd=modulation.symbol_rate_bd,
        bandwidth_hz=modulation.bandwidth_hz,
    )
    return secq(sent, symbols, reference_filter_applied=False).tdecq_db


def calibrated(bench_file, seed: int, lanes) -> Found:
    spec = with_simulation(load_bench(bench_file), seed=seed)
    stop = StopFlag()
    backend = bench_backend(spec, stop)
    bench = open_bench(spec, stop, backend)
    beams = {}
    try:
        bench.connect()
        reference = bench.reference_tx
        go_dark = reference.stop_pattern

        def stop_pattern() -> None:
            beams.update({lane: backend.reference.module.launched(lane)[0] for lane in lanes})
            go_dark()

        reference.stop_pattern = stop_pattern
        measured = measure_reference(bench, lanes, acquisitions=2)
        assert reference.lit_lanes() == ()
        assert bench.optical_switch.routes() == {}
        moment = datetime.datetime(2026, 3, 2, 10, tzinfo=datetime.UTC)
        record = bench_record(
            "reference",
            bench,
            roles=("reference_tx", "power_meter", "oscilloscope"),
            moment=moment,
            due="2026-08-29",
            **measured.to_json(),
        )
        return Found(measured, record, spec, bench.identities["reference_tx"], beams)
    finally:
        bench.close()


def test_what_it_sends_is_found_within_the_stated_uncertainty_and_read_back(bench_file):
    found = calibrated(bench_file, 1, [2])
    assert found.measured.pattern == "SSPRQ"
    shares = found.errors_in_units_of_u()
    assert len(shares) == 6
    assert max(map(abs, shares.values())) <= 1.0, shares
    (measured,) = found.measured.lanes
    assert measured.lane.oma_outer_uncertainty_db < 0.3
    # By the wiring, the oscilloscope's own OMAouter is that of the meter and the ratio.
    assert measured.oscilloscope_oma_dbm == pytest.approx(measured.lane.oma_outer_dbm, abs=0.4)
    assert set(measured.ways) == {"power_meter", "oscilloscope", "spectrum_analyser"}
    # What is kept is what a plan reads.
    keep(history_folder(found.spec), record_name(found.identity.serial), found.record)
    day = datetime.date(2026, 3, 3)
    read = reference_calibration(found.spec, found.identity, lanes=[2], on=day)
    assert read.lanes == {2: measured.lane}
    assert (read.pattern, read.date, read.due, read.simulated) == ("SSPRQ", "2026-03-02", "2026-08-29", True)
    who = {entry["role"]: entry["serial"] for entry in found.record["instruments"]}
    assert who["reference_tx"] == found.identity.serial
    # OMAouter at TP3 is what a tap shows there, and the ratio.
    at_tp3_dbm = dbm_from_w(found.beams[2].through(0.4).power_w) + read.lanes[2].oma_to_average_db
    true_dbm = dbm_from_w(found.beams[2].through(0.4).oma_w)
    assert at_tp3_dbm == pytest.approx(true_dbm, abs=read.lanes[2].oma_to_average_uncertainty_db)


@pytest.mark.soak
def test_the_stated_uncertainty_covers_the_truth_on_20_benches(bench_file):
    """k = 2 promises about 95 %, and k = 3 next to all."""
    shares: dict[str, list[float]] = {}
    for seed in range(1, 21):
        for name, share in calibrated(bench_file, seed, [seed % 4 + 1]).errors_in_units_of_u().items():
            shares.setdefault(name.partition(" ")[0], []).append(abs(share))
    for name, found in shares.items():
        assert len(found) == 20
        assert sum(share <= 1.0 for share in found) >= 18, (name, found)
        assert max(found) <= 1.5, (name, found)
    # A budget that covers everything many times over would be no budget.
    assert max(shares["oma_outer_dbm"]) > 0.4


# -- numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio_db", "expected_db"), [(3.5, -1.164), (4.5, -0.212), (5.0, 0.166), (6.0, 0.781), (8.0, 1.622)]
)
def test_oma_over_average_power(ratio_db, expected_db):
    # Known values: OMA[dBm] - Pavg[dBm] = 10 log10(2 (r - 1) / (r + 1)).
    assert oma_to_average_db(ratio_db) == pytest.approx(expected_db, abs=6e-4)
    slope = (oma_to_average_db(ratio_db + 1e-4) - oma_to_average_db(ratio_db - 1e-4)) / 2e-4
    assert oma_to_average_slope(ratio_db) == pytest.approx(slope, rel=1e-5)


def way(end: str, loss_db: float = 1.0, uncertainty_db: float = 0.0) -> OpticalPath:
    start = Port("reference_tx", "1")
    return OpticalPath(start, Port(end, "1"), (str(start), f"{end}.1"), loss_db, uncertainty_db, ())


def judged(*, oma_w=None, rlm=(), meter_db=0.03, uncertainty_db=0.04, assumed=None, loss_db=1.0):
    """1 mW at the meter behind 1 dB, and an extinction ratio of 6 dB: OMAouter 1 + 0.781 dBm."""
    level = Level((1e-3,) * 4)
    readings = {
        "oma_outer_w": [w_from_dbm(0.781) if oma_w is None else oma_w] * 2,
        "extinction_ratio_db": [6.0, 6.0],
        "tdecq_db": [1.5, 1.7],
        "rlm": list(rlm),
    }
    ways = {"power_meter": way("power_meter", loss_db, uncertainty_db), "oscilloscope": way("oscilloscope")}
    return judge_lane(
        1, ways, level, level, readings, meter_db=meter_db, assumed=assumed or Assumed(0.0, 0.0, 0.0)
    )


def test_known_numbers():
    lane = judged().lane
    assert lane.average_power_dbm == pytest.approx(1.0)
    assert lane.average_power_uncertainty_db == pytest.approx(0.05)  # 3, 4, 5
    assert lane.oma_to_average_db == pytest.approx(0.781, abs=6e-4)
    assert lane.oma_outer_dbm == pytest.approx(1.781, abs=6e-4)
    assert lane.secq_db == pytest.approx(1.6)
    # Two readings 0.2 dB apart: s = 0.1414, of their mean 0.1; Student's t of one degree of freedom: 13.97.
    assert lane.secq_uncertainty_db == pytest.approx(1.397)
    # 0.2 dB of extinction ratio are 0.2 x 2 r / (r^2 - 1) = 0.107 dB of OMAouter at 6 dB.
    wide = judged(assumed=Assumed(0.2, 0.0, 0.0)).lane
    assert wide.oma_to_average_uncertainty_db == pytest.approx(0.2 * 7.962 / 14.85, rel=1e-3)
    assert wide.oma_outer_uncertainty_db == pytest.approx((0.05**2 + 0.1073**2) ** 0.5, rel=1e-3)


def test_uneven_levels_widen_the_ratio():
    # RLM 0.94: each inner level off by 0.01 of OMAouter, the average by 0.005 of it: 0.026 dB at 6 dB.
    lane = judged(rlm=[0.94, 0.94]).lane
    assert lane.oma_to_average_uncertainty_db == pytest.approx(2 * 0.026 / 3**0.5, rel=0.02)


@pytest.mark.parametrize("oma_w", [0.8e-3, 1.7e-3])
def test_meter_and_oscilloscope_have_to_agree(oma_w):
    with pytest.raises(BenchError, match=r"reference_tx\.1: OMAouter is .* by the oscilloscope and 1.78 dBm"):
        judged(oma_w=oma_w)


# -- what goes wrong --------------------------------------------------------------------------------


class FakeReference:
    """A transmitter that does as told; its light is what the fakes below say."""

    lanes = (1, 2)
    patterns = ("traffic", "PRBS13Q", "SSPRQ")

    def __init__(self):
        self.done = []

    def start_pattern(self, pattern):
        self.done.append(pattern)

    def stop_pattern(self):
        self.done.append("dark")

    def set_lane(self, lane, *, lit):
        self.done.append(f"{lane} {lit}")


class FakeMeter:
    channels = (1, 2, 3, 4)
    range_dbm = (-80.0, 10.0)

    def __init__(self, power_w=1e-3):
        self.power_w = power_w

    def configure(self, **_):
        pass

    def read_powers_w(self, channels):
        return tuple(PowerReading(channel, self.power_w) for channel in channels)


class FakeScope:
    channels = (1,)
    quantities = ("oma_outer_w", "extinction_ratio_db", "tdecq_db")

    def __init__(self, **values):
        self.values = {"oma_outer_w": 1.1e-3, "extinction_ratio_db": 5.0, "tdecq_db": 1.0} | values
        self.symbols = None

    def configure(self, channel, *, pattern_symbols, **_):
        self.symbols = pattern_symbols
        if self.values.get("locks") is False:
            raise NotSettledError("oscilloscope", "the clock recovery does not lock")

    def measure(self, channel, quantities, *, patterns=4):
        return tuple(
            found if isinstance(found := self.values[name], EyeReading) else EyeReading(name, found)
            for name in quantities
        )

    def capture(self, channel) -> CapturedWaveform:
        raise AssertionError("not asked for")


class FakeAnalyser:
    def configure(self, **_):
        pass

    def laser_line(self):
        return LaserLine(1310.5, 0.0, 45.0)


@pytest.fixture
def fakes(bench_file):
    """The bench with fakes for what the reference transmitter is seen by."""
    spec = load_bench(bench_file)
    bench = open_bench(spec)
    bench.connect()
    bench.instruments |= {
        "reference_tx": FakeReference(),
        "power_meter": FakeMeter(),
        "oscilloscope": FakeScope(),
        "spectrum_analyser": FakeAnalyser(),
    }
    yield bench
    bench.close()


def test_the_better_pattern_is_chosen_and_the_light_is_off_afterwards(fakes):
    found = measure_reference(fakes, acquisitions=2)
    assert (found.pattern, fakes.oscilloscope.symbols) == ("SSPRQ", 65535)
    assert [entry.lane.lane for entry in found.lanes] == [1, 2]
    assert fakes.reference_tx.done[-1] == "dark"
    assert found.lanes[0].lane.wavelength_nm == 1310.5
    fakes.reference_tx.patterns = ("traffic", "PRBS13Q")
    found = measure_reference(fakes, [2], acquisitions=2)
    assert (found.pattern, fakes.oscilloscope.symbols) == ("PRBS13Q", 8191)
    assert [entry.lane.lane for entry in found.lanes] == [2]


def dark(bench):
    bench.instruments["power_meter"] = FakeMeter(1e-9)


def scope(**values):
    def change(bench):
        bench.instruments["oscilloscope"] = FakeScope(**values)

    return change


def without_pattern(bench):
    bench.reference_tx.patterns = ("traffic", "PRBS31Q")


def without_serial(bench):
    bench.identities["reference_tx"] = replace(bench.identities["reference_tx"], serial="  ")


def three_lanes(bench):
    bench.reference_tx.lanes = (1, 2, 5)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (dark, r"reference_tx.1: -60.0 dBm at power_meter.\d by .*: follow that way"),
        (scope(locks=False), "reference_tx.1: oscilloscope.1 does not lock on SSPRQ"),
        (
            scope(tdecq_db=EyeReading("tdecq_db", None, reason="eye closed")),
            "tdecq_db to rely on: eye closed",
        ),
        (scope(oma_outer_w=EyeReading("oma_outer_w", 1e-3, questionable=True, reason="clipped")), "clipped"),
        (scope(extinction_ratio_db=-1.0), "no modulation at oscilloscope.1"),
        (scope(oma_outer_w=3e-3), "clean .*oscilloscope.1"),
        (without_pattern, "it sends traffic, PRBS31Q; SECQ is measured by SSPRQ or PRBS13Q"),
        (without_serial, "no serial number"),
        (three_lanes, "no way from reference_tx.5 to power_meter"),
    ],
)
def test_what_cannot_be_measured_says_what_to_do(fakes, change, why):
    change(fakes)
    with pytest.raises(BenchError, match=why):
        measure_reference(fakes, acquisitions=2)
    started = [done for done in fakes.reference_tx.done if done in ("SSPRQ", "dark")]
    assert started in ([], ["SSPRQ", "dark"])


# -- what plans read --------------------------------------------------------------------------------

LANE = {
    "lane": 1,
    "average_power_dbm": 2.5,
    "average_power_uncertainty_db": 0.19,
    "extinction_ratio_db": 5.0,
    "extinction_ratio_uncertainty_db": 0.2,
    "oma_to_average_db": 0.166,
    "oma_to_average_uncertainty_db": 0.14,
    "oma_outer_dbm": 2.666,
    "oma_outer_uncertainty_db": 0.23,
    "secq_db": 0.73,
    "secq_uncertainty_db": 0.25,
    "wavelength_nm": None,
}
RECORD = {
    "schema": 1,
    "kind": "reference",
    "at": "2026-03-02T10:00:00+00:00",
    "due": "2026-08-29",
    "simulated": True,
    "seed": 1,
    "pattern": "SSPRQ",
    "reference": {"vendor": "LANEWISE", "model": "LW-400G-DR4-REF", "serial": "LWREF00001"},
    "lanes": [LANE],
}
DAY = datetime.date(2026, 3, 3)


@pytest.fixture
def spec(bench_file):
    return load_bench(bench_file)


def kept(spec, serial="LWREF00001", **changes):
    return keep(history_folder(spec), record_name(serial), {**RECORD, **changes})


def refused(spec, identity=WHO, **arguments) -> str:
    with pytest.raises(BenchError) as raised:
        reference_calibration(spec, identity, **{"on": DAY, **arguments})
    assert "lanewise bench calibrate bench.toml --reference" in str(raised.value)
    return str(raised.value)


def test_the_newest_calibration_of_this_transmitter_is_read(spec):
    kept(spec, at="2026-03-01T10:00:00+00:00", lanes=[{**LANE, "secq_db": 3.0}])
    path = kept(spec)
    kept(spec, at="2026-03-03T10:00:00+00:00", simulated=False)
    kept(spec, at="2026-03-03T10:00:00+00:00", seed=7)
    found = reference_calibration(spec, WHO, on=DAY)
    assert (found.record, found.lanes[1].secq_db, found.lanes[1].wavelength_nm) == (path.name, 0.73, None)
    assert found.overdue is None
    assert reference_calibration(spec, WHO, history_folder(spec), on=DAY) == found


def test_another_transmitter_is_named(spec):
    kept(spec)
    said = refused(spec, replace(WHO, serial="LWREF00002"))
    assert "LWREF00002) was never calibrated on bench" in said
    assert "calibrated here: LWREF00001" in said
    assert "was never calibrated" in refused(spec, replace(WHO, vendor="ANOTHER"))


def test_one_that_is_overdue_is_refused_or_says_so(spec):
    kept(spec)
    assert reference_calibration(spec, WHO, on=datetime.date(2026, 8, 29)).overdue is None
    late = datetime.date(2026, 8, 30)
    said = refused(spec, on=late)
    assert "reference_tx (LWREF00001): the calibration of 2026-03-02" in said
    assert "--accept-overdue" in said
    found = reference_calibration(spec, WHO, on=late, accept_overdue=True)
    assert "was due on 2026-08-29" in found.overdue.text()
    assert found.lanes[1].secq_db == 0.73


def test_a_lane_that_lacks_is_named(spec):
    kept(spec)
    assert "lanes 2, 4 are not in the calibration of 2026-03-02" in refused(spec, lanes=[1, 2, 4])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"lanes": []}, "lanes: expected a list"),
        ({"lanes": [LANE] * 9}, "lanes: expected a list"),
        ({"lanes": [LANE, LANE]}, "one is there twice"),
        ({"lanes": [{**LANE, "lane": 1.5}]}, "lane: 1.5 is none"),
        ({"lanes": ["one"]}, "lane: expected a number"),
        ({"lanes": [{**LANE, "secq_db": "0.7"}]}, "lane 1: secq_db: expected a number"),
        ({"lanes": [{**LANE, "secq_uncertainty_db": 0.0}]}, "secq_uncertainty_db: 0.0 is not within"),
        ({"lanes": [{**LANE, "average_power_dbm": 30.0}]}, "average_power_dbm: 30.0 is not within"),
        ({"lanes": [{**LANE, "oma_outer_dbm": 3.5}]}, "do not go together"),
        ({"lanes": [{**LANE, "wavelength_nm": 13.1}]}, "wavelength_nm: 13.1 is not within"),
        ({"pattern": 7}, "pattern: expected"),
        ({"due": "soon"}, "is no calibration: Invalid isoformat"),
    ],
)
def test_a_record_that_cannot_be_is_refused(spec, changes, why):
    kept(spec, **changes)
    assert why in refused(spec)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(spec, number):
    path = kept(spec)
    path.write_text(path.read_text().replace("0.73", number))
    assert "secq_db" in refused(spec)


def test_a_damaged_record_is_not_passed_over(spec):
    path = kept(spec)
    path.with_name(f"{record_name('LWREF00001')}-99991231T000000Z.json").write_text("{")
    assert "move that file out of the history" in refused(spec)


def test_the_manifest_names_the_record(fakes):
    fakes.identities["reference_tx"] = WHO
    path = kept(fakes.spec)

    class Run:
        bench = fakes

    entry = reference_entry(Run)
    assert (entry["serial"], entry["calibrated"], entry["due"]) == ("LWREF00001", "2026-03-02", "2026-08-29")
    assert entry["record"] == path.name
    assert len(entry["record_sha256"]) == 64
    fakes.identities["reference_tx"] = replace(WHO, serial="OTHER")
    assert "calibrated" not in reference_entry(Run)
