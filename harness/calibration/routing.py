"""One way through the matrix at a time."""

from __future__ import annotations

from harness.bench import Bench
from harness.wiring import OpticalPath


def open_routes(bench: Bench) -> None:
    """Open every route, where there is a matrix.

    :raises BenchError: when it fails.
    """
    if bench.has("optical_switch"):
        bench.optical_switch.disconnect_all()


def close_way(bench: Bench, way: OpticalPath) -> None:
    """Close the routes of a way, and no others.

    :raises BenchError: when the matrix does not take them.
    """
    open_routes(bench)
    routes = {entry: leave for _, entry, leave in way.routes}
    if routes:
        bench.optical_switch.route(routes)
