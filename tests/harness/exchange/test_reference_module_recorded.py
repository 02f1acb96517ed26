"""The reference module's bus is a channel of a recording, beside that of the module under test."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from drivers.clock import StopFlag
from harness.bench_file.reading import find_bench_file, load_bench
from harness.exchange.form import Header
from harness.exchange.reading import read_recording
from harness.exchange.recording import RecordingBackend
from harness.exchange.replaying import ReplayBackend
from harness.opening import Backend, bench_backend, open_bench

HEADER = Header("r1", "p", "p.py", "0", "400GBASE-DR4", "b", "b.toml", "0", None, None, "1", "virtual", "now")
BOARDS = ("host_board", "reference_tx")


def test_what_it_did_is_replayed(tmp_path: Path) -> None:
    spec = load_bench(find_bench_file("sim-dr4-full"))
    spec = dataclasses.replace(spec, instruments={role: spec.instruments[role] for role in BOARDS})
    stop = StopFlag()

    def used(backend: Backend) -> list[object]:
        bench = open_bench(spec, stop, backend)
        reference = bench.reference_tx
        seen: list[object] = [bench.host_board.connect(), reference.connect()]
        reference.start_pattern("PRBS31Q")
        reference.set_lane(2, lit=False)
        seen += [reference.lit_lanes(), reference.patterns, reference.make_safe()]
        bench.close()
        return seen

    recording = RecordingBackend(bench_backend(spec, stop), stop)
    (tmp_path / "raw").mkdir()
    recording.recorder.begin(tmp_path / "raw", HEADER, b"bench")
    first = used(recording)
    recorded = read_recording(tmp_path)
    replay = ReplayBackend(recorded, stop)
    assert used(replay) == first
    assert first[2] == (1, 3, 4)
    assert replay.remarks() == ()
    assert {exchange.on for thread in recorded.threads.values() for exchange in thread} == {"i2c:1", "i2c:2"}
