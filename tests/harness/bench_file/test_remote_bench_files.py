"""Bench files of served benches: a remote clock, and a module's bus on a socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import BenchError
from harness.bench_file.reading import find_bench_file, load_bench
from harness.opening import open_bench
from harness.tables import TableError

VIRTUAL = 'kind = "virtual"'
BUS = 'address = "i2c:1"'


@pytest.fixture
def served_file(tmp_path: Path) -> Callable[..., Path]:
    """The shipped bench without its simulation, with these lines for clock and bus."""

    def write(clock: str, bus: str = "sim:127.0.0.1:40123/0") -> Path:
        text = find_bench_file("sim-dr4").read_text(encoding="utf-8")
        start, end = text.index("[simulation]"), text.index("[instruments.power_meter]")
        assert text.count(VIRTUAL) == text.count(BUS) == 1
        text = (text[:start] + text[end:]).replace(VIRTUAL, clock).replace(BUS, f'address = "{bus}"')
        path = tmp_path / "served.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_remote_clock_is_of_a_simulation(served_file: Any) -> None:
    spec = load_bench(served_file('kind = "remote"\naddress = "127.0.0.1:40123"'))
    assert spec.clock == "remote"
    assert spec.clock_address == "127.0.0.1:40123"
    assert spec.simulation is None
    assert spec.simulated


def test_a_wall_clock_is_not(served_file: Any) -> None:
    spec = load_bench(served_file('kind = "wall"'))
    assert not spec.simulated
    assert spec.clock_address == ""


@pytest.mark.parametrize("bus", ["sim:127.0.0.1:5000", "sim:[::1]:5000/255", "sim:unix:/tmp/modules/1"])
def test_a_served_bus(served_file: Any, bus: str) -> None:
    assert load_bench(served_file('kind = "wall"', bus)).instruments["host_board"].address == bus


@pytest.mark.parametrize(
    ("clock", "bus", "complaint"),
    [
        ('kind = "remote"', "i2c:1", "clock.address: is missing"),
        ('kind = "remote"\naddress = "here"', "i2c:1", "clock.address: 'here' is no address"),
        ('kind = "remote"\naddress = 5', "i2c:1", "clock.address: expected text"),
        ('kind = "wall"\naddress = "127.0.0.1:1"', "i2c:1", "clock.address: unknown key"),
        ('kind = "remote"\naddress = "127.0.0.1:65536"', "i2c:1", "is no address"),
        ('kind = "remote"\naddress = "127.0.0.1:0"', "i2c:1", "is no address"),
        ('kind = "wall"', "sim:127.0.0.1:99999/0", "is no I2C bus"),
        ('kind = "wall"', "sim:", "'sim:' is no I2C bus"),
        ('kind = "wall"', "sim:127.0.0.1/1", "is no I2C bus"),
        ('kind = "wall"', "i2c:١", "is no I2C bus"),
    ],
)
def test_a_mistake_is_one_line(served_file: Any, clock: str, bus: str, complaint: str) -> None:
    with pytest.raises(TableError) as raised:
        load_bench(served_file(clock, bus))
    assert len(raised.value.complaints) == 1
    assert complaint in raised.value.complaints[0]


def test_where_nobody_serves_the_bench_is_to_blame(served_file: Any) -> None:
    spec = load_bench(served_file('kind = "remote"\naddress = "127.0.0.1:1"'))
    with pytest.raises(BenchError, match=r"127\.0\.0\.1:1"):
        open_bench(spec)
