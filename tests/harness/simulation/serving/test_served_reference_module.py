"""The reference module of a served bench: on a slot of its own, by the bench file that is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.bench_file.reading import load_bench
from harness.opening import open_bench
from harness.simulation.light.beam import total_power_w
from harness.simulation.serving.bench_server import BenchServer

Serve = Callable[..., BenchServer]
LANES = (1, 2, 3, 4)


def test_the_printed_bench_file_reaches_it_in_lockstep(serve: Serve, write_bench: Any) -> None:
    server = serve("sim-dr4-full")
    path: Path = write_bench(server, "sim-dr4-full")
    addresses = {part.role: part.addresses.get("i2c", "") for part in server.instruments}
    assert addresses["host_board"].endswith("/0")
    assert addresses["reference_tx"].endswith("/1")
    bench = open_bench(load_bench(path))
    try:
        reference = bench.reference_tx
        bench.host_board.connect()
        identity = reference.connect()
        assert identity.serial == "LWREF00001"
        reference.start_pattern("PRBS31Q")
        assert reference.lit_lanes() == LANES
        reference.set_lane(2, lit=False)
        world = server.backend.world
        with world.lock:
            server.backend.fibres.set_routes("optical_switch", {4 + lane: 28 + lane for lane in LANES})
            lit = [total_power_w(server.backend.fibres.rx_light(lane)) > 1e-4 for lane in LANES]
            assert server.backend.modules["reference_tx"] is not server.backend.module
        assert lit == [True, False, True, True]
        assert all(step.safe for step in reference.make_safe())
        with world.lock:
            assert server.backend.fibres.rx_light(1) == ()
    finally:
        bench.close()
