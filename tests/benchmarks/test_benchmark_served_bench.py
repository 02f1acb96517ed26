"""What a driver costs over what pyvisa costs, at instruments served by another process on this machine."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from drivers.clock import WallClock
from drivers.scpi import ScpiSession

QUERY = "VOLT? (@1)"
MOST_TIMES_PYVISA = 1.3
MOST_FOR_A_SETTING_AND_A_QUERY_S = 1e-3


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Of the supply: raw socket and HiSLIP."""
    out: Path = tmp_path_factory.mktemp("served") / "served.toml"
    begin = "import sys; from harness.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", begin, "simulate", "sim-dr4", "--lockstep", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found: list[str] = []
        for line in server.stdout:
            found += re.findall(r"^power_supply\s+\S+\s+(\S+)", line)
            if line.startswith("Ctrl-C"):
                break
        yield found
        server.terminate()
    assert server.returncode == 0


@pytest.fixture
def resources(addresses: list[str]) -> Iterator[Callable[[int], Any]]:
    """``resources(0)``: on a raw socket; 1: over HiSLIP."""
    manager = pyvisa.ResourceManager("@py")
    opened = []

    def connect(way: int) -> Any:
        resource: Any = manager.open_resource(addresses[way], read_termination="\n", write_termination="\n")
        opened.append(resource)
        return resource

    yield connect
    for resource in opened:
        resource.close()


def median_s(action: Callable[[], object], rounds: int = 300) -> float:
    durations = []
    for _ in range(rounds):
        start_s = time.perf_counter()
        action()
        durations.append(time.perf_counter() - start_s)
    return statistics.median(durations)


@pytest.mark.parametrize("way", [0, 1], ids=["socket", "HiSLIP"])
def test_query_through_a_session(benchmark: Any, resources: Callable[[int], Any], way: int) -> None:
    plain = resources(way)
    session = ScpiSession(resources(way), WallClock(), name="supply")

    def asked() -> float:
        return session.query(QUERY).real()

    if benchmark.enabled:
        # Turn and turn about, so that a busy machine is busy for both.
        ratios = sorted(median_s(asked) / median_s(lambda: plain.query(QUERY)) for _ in range(7))
        benchmark.extra_info["times pyvisa"] = ratios[3]
        assert ratios[3] <= MOST_TIMES_PYVISA, f"{ratios}"
    benchmark(asked)


@pytest.mark.parametrize("way", [0, 1], ids=["socket", "HiSLIP"])
def test_setting_followed_by_a_query(benchmark: Any, resources: Callable[[int], Any], way: int) -> None:
    session = ScpiSession(resources(way), WallClock(), name="supply")

    def set_and_ask() -> float:
        session.command("VOLT 1.5,(@1)", check=False)
        return session.query(QUERY).real()

    benchmark(set_and_ask)
    if benchmark.enabled:
        assert median_s(set_and_ask) < MOST_FOR_A_SETTING_AND_A_QUERY_S


@pytest.mark.parametrize("way", [0, 1], ids=["socket", "HiSLIP"])
def test_query_of_pyvisa(benchmark: Any, resources: Callable[[int], Any], way: int) -> None:
    plain = resources(way)
    benchmark(lambda: plain.query(QUERY))
