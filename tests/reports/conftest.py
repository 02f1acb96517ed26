"""Synthetic run folders, written through the journal as a plan writes them."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.judging.limits import LimitRow, Rule, limits_of_pmd
from harness.judging.verdict import DECISION_RULE, DECISION_RULE_TEXT, Verdict, judge, worst
from harness.run_folder.folder import JOURNAL, MANIFEST, RAW, RunFolder
from harness.run_folder.journal import Journal
from harness.run_folder.manifest import InstrumentEntry, LimitEntry, Manifest, PathEntry
from harness.run_folder.records import (
    Acquisition,
    BringUp,
    CornerReached,
    Invalid,
    Measurement,
    Record,
    RunFinished,
    RunStarted,
    SafeState,
    Skipped,
)

RUN_ID = "20260817-142209-LW400-00017-smoke"
SERIAL = "LW400-00017"
LIMITS = limits_of_pmd("400GBASE-DR4")
FACTS = {"max_power_w": 10.0}
CORNERS = [
    (visit, temp, vcc) for visit, temp in ((1, 0.0), (2, 25.0), (3, 70.0)) for vcc in (3.135, 3.3, 3.465)
]
POWER_U, OFF_U = 0.21, 0.9

Edit = Callable[[Record], Record | None]


def _noise(*key: object) -> float:
    return random.Random(repr(key)).gauss(0.0, 1.0)


def _limit_entry(row: LimitRow) -> LimitEntry:
    def side(value: float | Rule | None) -> str:
        return "" if value is None else value.text() if isinstance(value, Rule) else f"{value:g}"

    return LimitEntry(
        row.parameter,
        row.title,
        row.unit,
        side(row.low),
        side(row.high),
        row.grade,
        str(row.force),
        row.source,
        row.layer,
        row.note,
    )


def make_manifest(**changes: Any) -> Manifest:
    """A manifest of the simulated DR4 bench."""
    rows = [
        (
            "power_meter",
            "viavi_map_power_meter",
            "TCPIP0::sim::8100::SOCKET",
            "VIAVI",
            "mOPM-C1",
            "SIM0001",
            "2.13",
            "0.20 dB (k = 2)",
            {"certificate": "C-20441", "date": "2026-02-11", "due": "2027-02-11"},
        ),
        (
            "optical_switch",
            "viavi_map_switch",
            "TCPIP0::sim::8100::SOCKET",
            "VIAVI",
            "mOSX-C1",
            "SIM0002",
            "1.9",
            "0.05 dB repeatability",
            {"date": "2026-02-11", "due": "2027-02-11"},
        ),
        (
            "power_supply",
            "keysight_e36312a",
            "TCPIP0::sim::5025::SOCKET",
            "Keysight Technologies",
            "E36312A",
            "MY00000001",
            "2.1.0-1.0.4-1.12",
            "0.05 % + 5 mV",
            {},
        ),
        (
            "thermal",
            "thermostream_ats",
            "ASRL/dev/ttyUSB0::INSTR",
            "Temptronic",
            "ATS-545",
            "SIM0004",
            "7.20",
            "0.5 K (k = 2)",
            {"certificate": "T-118", "due": "2026-12-01"},
        ),
        (
            "case_sensor",
            "keithley_daq6510",
            "TCPIP0::sim::5026::SOCKET",
            "KEITHLEY",
            "DAQ6510",
            "04500001",
            "1.7.12b",
            "0.3 K (k = 2)",
            {"certificate": "K-9", "date": "2025-11-20", "due": "2026-11-20"},
        ),
        ("host_board", "linux_i2c_host", "/dev/i2c-1", "Lanewise", "QSFP-DD host board", "", "", "", {}),
    ]
    manifest = Manifest(
        run_id=RUN_ID,
        started_at="2026-08-17T14:22:09Z",
        plan="smoke",
        plan_sha256="5d" * 32,
        plan_items=138,
        corners=[{"visit": v, "case_temp_c": t, "vcc_v": u} for v, t, u in CORNERS],
        bench="dr4-sim",
        bench_file="fixtures/benches/dr4-sim.toml",
        bench_sha256="a7" * 32,
        simulated=True,
        simulation={"profile": "fixtures/modules/good-dr4.toml", "profile_sha256": "c3" * 32, "seed": 4711},
        clock="virtual",
        guardian="no guardian: the bench lives in the harness's own process",
        decision_rule=DECISION_RULE,
        decision_rule_text=DECISION_RULE_TEXT,
        limits_pmd=LIMITS.pmd,
        limits_edition=LIMITS.edition,
        limits_sha256="9b" * 32,
        limits=[_limit_entry(row) for row in LIMITS.rows],
        module={
            "vendor": "Lanewise Simulated Optics",
            "part_number": "LW-400G-DR4",
            "revision": "A2",
            "serial_number": SERIAL,
            "date_code": "2026-05-30",
            "vendor_oui": "00-00-00",
            "form_factor": "QSFP-DD",
            "cmis_revision": "5.2",
            "firmware": "1.4",
            "media_type": "400GBASE-DR4",
            "max_power_w": 10.0,
            "application": "1: 400GAUI-8 C2M to 400GBASE-DR4",
        },
        instruments=[
            InstrumentEntry(
                role,
                driver,
                address,
                vendor,
                model,
                serial,
                firmware,
                role == "power_supply",
                uncertainty,
                calibration,
            )
            for role, driver, address, vendor, model, serial, firmware, uncertainty, calibration in rows
        ],
        paths=[
            PathEntry(
                lane,
                f"module.tx{lane}",
                f"power_meter.{lane}",
                f"fan-out leg {lane}, optical_switch.{lane}, optical_switch.{16 + lane}",
                1.31 + 0.07 * lane,
                0.12,
            )
            for lane in (1, 2, 3, 4)
        ],
        software={"lanewise": "0.1.0", "python": "3.11.2", "pytest": "9.2.0", "pyvisa": "1.16.2"},
        git_commit="3f0c1d2e4b5a69788796a5b4c3d2e1f001122334",
    )
    return dataclasses.replace(manifest, **changes)


def measurement(
    parameter: str,
    value: float,
    u: float,
    *,
    corner: tuple[int, float, float] | None = None,
    lane: int | None = None,
    acquisition_id: str = "a0001",
    plane: str = "TP2",
    **changes: Any,
) -> Measurement:
    """A judged row, as a plan would write it."""
    limit = LIMITS.resolve(parameter, FACTS)
    judgement = judge(value, u, limit)
    bound = judgement.bound
    visit, temp, vcc = corner or (None, None, None)
    row = Measurement(
        run_id=RUN_ID,
        module_sn=SERIAL,
        plan="smoke",
        test_id=f"testplans/smoke.py::test_{parameter}[{lane}-{temp}-{vcc}]",
        parameter=parameter,
        kind="number",
        lane=lane,
        host_lane=None,
        visit=visit,
        case_temp_c=temp,
        case_temp_measured_c=None if temp is None else temp + 0.1,
        vcc_v=vcc,
        plane=plane,
        detector="",
        conditions={"pattern": "PRBS31Q"} if lane else {},
        value=value,
        value_text="",
        unit=limit.unit if limit else "",
        uncertainty=u,
        low=limit.low.value if limit and limit.low else None,
        high=limit.high.value if limit and limit.high else None,
        limit_source=bound.source if bound else "",
        limit_grade=bound.grade if bound else "",
        limit_force=str(bound.force) if bound else "",
        limit_layer=bound.layer if bound else "",
        waiver="",
        decision_rule=DECISION_RULE,
        margin=judgement.margin,
        verdict=str(judgement.verdict),
        attempt=1,
        acquired_at="2026-08-17T14:30:00Z",
        acquisition_id=acquisition_id,
    )
    return dataclasses.replace(row, **changes)


def _bring_up() -> BringUp:
    steps = [
        ("power on, ResetL released", 0.31, 2.0, None),
        ("ModuleLowPwr reached", 1.12, 2.0, None),
        ("ModuleReady reached", 3.86, 10.0, None),
        ("data paths initialised", 6.4, 20.0, [1, 2, 3, 4, 5, 6, 7, 8]),
        ("data paths Activated", 1.9, 5.0, [1, 2, 3, 4, 5, 6, 7, 8]),
    ]
    return BringUp(
        at="2026-08-17T14:22:24Z",
        bench_time_s=14.2,
        ok=True,
        stopped_by="",
        steps=[
            {
                "name": name,
                "passed": True,
                "elapsed_s": elapsed,
                "allowed_s": allowed,
                "lanes": lanes,
                "register": "00h:3",
                "expected": "",
                "found": "",
                "explanation": "",
            }
            for name, elapsed, allowed, lanes in steps
        ],
    )


BUDGET = [
    {
        "name": "power meter, absolute",
        "standard_uncertainty": 0.08,
        "unit": "dB",
        "source": "certificate C-20441",
    },
    {"name": "path loss", "standard_uncertainty": 0.06, "unit": "dB", "source": "wiring of the bench file"},
    {"name": "connector repeatability", "standard_uncertainty": 0.03, "unit": "dB", "source": "bench prove"},
]


def _corner_records(
    index: int, corner: tuple[int, float, float], powers: Callable[..., float]
) -> Iterator[Record]:
    visit, temp, vcc = corner
    clock = f"2026-08-17T{15 + index // 2:02d}:{30 * (index % 2):02d}:00Z"
    yield CornerReached(
        clock,
        900.0 * index,
        visit,
        temp,
        temp + 0.08,
        vcc,
        vcc + 0.0007,
        index % 3 == 0,
        640.0 if index % 3 == 0 else 5.0,
    )
    on, off, low = f"a{index}1", f"a{index}2", f"a{index}3"
    shared = {
        "attempt": 1,
        "at": clock,
        "bench_time_s": 900.0 * index + 20,
        "duration_s": 1.2,
        "visit": visit,
        "case_temp_c": temp,
        "vcc_v": vcc,
        "conditions": {"pattern": "PRBS31Q"},
    }
    power = {lane: powers(lane, corner) for lane in (1, 2, 3, 4)}
    yield Acquisition(on, "launch_power", data={"power_dbm": list(power.values())}, budget=BUDGET, **shared)
    for lane, value in power.items():
        yield measurement("average_launch_power", value, POWER_U, corner=corner, lane=lane, acquisition_id=on)
        error = 0.4 * _noise("monitor", lane, corner) + 0.3
        yield measurement(
            "tx_power_monitor_error", error, POWER_U, corner=corner, lane=lane, acquisition_id=on
        )
    yield Acquisition(off, "dark_power", data={}, budget=[], **shared)
    for lane in power:
        dark = -41.0 + 1.5 * _noise("dark", lane, corner)
        yield measurement(
            "average_launch_power_off", dark, OFF_U, corner=corner, lane=lane, acquisition_id=off
        )
    yield Acquisition(low, "module_state", data={}, budget=[], **shared)
    yield measurement(
        "temperature_monitor_error",
        0.9 + 0.4 * _noise("t", corner),
        0.35,
        corner=corner,
        acquisition_id=low,
        plane="",
    )
    watts = 7.4 + 0.011 * temp + 0.3 * (vcc - 3.3) + 0.02 * _noise("p", corner)
    yield measurement("power_consumption", watts, 0.06, corner=corner, acquisition_id=low, plane="")


def _good_power(lane: int, corner: tuple[int, float, float]) -> float:
    return 0.9 + 0.25 * (lane % 3) - 0.012 * corner[1] + 0.05 * _noise("power", lane, corner)


def _failing_power(lane: int, corner: tuple[int, float, float]) -> float:
    return -4.5 + 0.04 * _noise("power", lane, corner) if lane == 3 else _good_power(lane, corner)


def _conditional_power(lane: int, corner: tuple[int, float, float]) -> float:
    if lane == 2 and corner[1] == 70.0:
        return -2.82 + 0.01 * _noise("power", lane, corner)
    return _good_power(lane, corner)


def _conditionally_failing_power(lane: int, corner: tuple[int, float, float]) -> float:
    return -2.98 if lane == 2 and corner == CORNERS[-1] else _good_power(lane, corner)


POWERS = {
    "good": _good_power,
    "failing": _failing_power,
    "conditional_pass": _conditional_power,
    "conditional_fail": _conditionally_failing_power,
    "invalid": _good_power,
}


def _safe_states() -> list[Record]:
    at = "2026-08-17T19:40:02Z"
    return [
        SafeState(
            at, "host_board", "transmitters disabled", "10h:130 = FFh; no light at power_meter.1-4", safe=True
        ),
        SafeState(at, "power_supply", "output off", "OUTP? 0, 0.002 V", safe=True),
        SafeState(at, "thermal", "to ambient", "25.0 °C asked, 27.3 °C and falling", safe=True),
    ]


def run_records(kind: str) -> list[Record]:
    """All records of a run of a kind: good, failing, conditional_pass, conditional_fail, invalid."""
    records: list[Record] = [RunStarted(RUN_ID, "2026-08-17T14:22:09Z"), _bring_up()]
    records.append(measurement("bring_up_time", 38.6, 0.5, plane=""))
    for index, corner in enumerate(CORNERS):
        if kind == "invalid" and corner[0] == 3:
            reason = (
                "power_meter (VIAVI mOPM-C1, TCPIP0::sim::8100::SOCKET) did not answer FETCh:POWer? within "
                "5 s; check its power and network cable"
            )
            records += [
                Invalid(
                    "2026-08-17T18:00:00Z",
                    f"testplans/smoke.py::test_average_launch_power[{lane}-{corner[1]}-{corner[2]}]",
                    reason,
                )
                for lane in (1, 2, 3, 4)
            ]
            continue
        records += _corner_records(index, corner, POWERS[kind])
    records.append(
        Skipped("2026-08-17T19:38:00Z", "testplans/smoke.py::test_oma[1]", "this bench has no oscilloscope")
    )
    records += _safe_states()
    verdicts = [Verdict(r.verdict) for r in records if isinstance(r, Measurement)]
    verdicts += [Verdict.INVALID for r in records if isinstance(r, Invalid)]
    counts = {str(v): verdicts.count(v) for v in Verdict}
    records.append(
        RunFinished(
            "2026-08-17T19:40:03Z", str(worst(verdicts)), "completed", 19_074.0, 6.4, counts, 5210, 880
        )
    )
    return records


def write_run(path: Path, records: list[Record], manifest: Manifest) -> RunFolder:
    """A run folder with these records."""
    path.mkdir(parents=True)
    (path / RAW).mkdir()
    (path / RAW / "a01-power.csv").write_text("lane,power_dbm\n1,0.93\n", encoding="ascii")
    manifest.write(path / MANIFEST)
    journal = Journal(path / JOURNAL)
    journal.append(*records)
    journal.close()
    return RunFolder(path)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunFolder]:
    """Builds a run folder: ``make_run(kind, edit=..., extra=..., **manifest fields)``. ``edit`` changes each
    record, or drops it by returning None; ``extra`` records go before the last."""

    def build(
        kind: str = "good", *, edit: Edit | None = None, extra: tuple[Record, ...] = (), **changes: Any
    ) -> RunFolder:
        records = [
            kept for record in run_records(kind) if (kept := edit(record) if edit else record) is not None
        ]
        records[-1:-1] = extra
        name = hashlib.sha256(repr((kind, records, changes)).encode()).hexdigest()[:12]
        return write_run(tmp_path / name, records, make_manifest(**changes))

    return build


@pytest.fixture(scope="session")
def untouched_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RunFolder]:
    """Gives the run folder of a kind, made once: for tests that only read it."""
    made: dict[str, RunFolder] = {}

    def give(kind: str) -> RunFolder:
        if kind not in made:
            made[kind] = write_run(tmp_path_factory.mktemp("runs") / kind, run_records(kind), make_manifest())
        return made[kind]

    return give
