"""Whatever number stands in a bench file: one line that names it, or a bench that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.clock import StopFlag
from drivers.errors import BenchError
from harness.bench_file.reading import BENCHES_FOLDER, load_bench
from harness.simulation.bench import SimulatedBackend
from harness.tables import TableError

FULL = (BENCHES_FOLDER / "sim-dr4-full.toml").read_text(encoding="utf-8")
MORE = {
    'room_temp = "23 degC"\n': """room_temp = "23 degC"
airflow = "1 m/s"
[[simulation.fault]]
kind = "bent_fibre"
port = "module.tx1"
loss = "1 dB"
at = "1 s"
[[simulation.fault]]
kind = "slow"
role = "power_meter"
for = "1 s"
delay = "1 s"
""",
    'module = "reference-dr4"\n': """module = "reference-dr4"
specimen = 3
[[simulation.fault]]
kind = "stray_light"
port = "power_meter.1"
power = "-30 dBm"
""",
    'length = "500 m"\n': 'length = "500 m"\nreflectance = "-50 dB"\n',
    'uncertainty = "0.06 dB" },\n': 'uncertainty = "0.06 dB", wavelength = "1311 nm" },\n',
}
NUMBER = re.compile(r'"(-?[0-9.]+) ([A-Za-z/]+)"|(?<== )-?[0-9.]+(?=\s)')


def texts(value: str) -> dict[str, str]:
    """The bench file with this number in one place each, by key."""
    base = FULL
    for place, more in MORE.items():
        assert place in base
        base = base.replace(place, more, 1)
    made = {}
    for match in NUMBER.finditer(base):
        line = base[base.rfind("\n", 0, match.start()) + 1 : base.find("\n", match.end())]
        quantity = f'"{value} {match[2]}"' if match[2] else value
        key = re.sub("[0-9.]", "", line)
        made.setdefault(key, base[: match.start()] + quantity + base[match.end() :])
    return made


@pytest.mark.parametrize("value", ["1e300", "-1e300", "1e-300"])
def test_a_number_out_of_this_world_is_one_line_or_works(value, tmp_path: Path):
    found = texts(value)
    assert len(found) > 25
    path = tmp_path / "bench.toml"
    worked = 0
    several: list[tuple[str, str]] = []
    for key, text in found.items():
        path.write_text(text, encoding="utf-8")
        try:
            spec = load_bench(path)
        except TableError as fault:
            several += [(key, line) for line in fault.complaints[1:]]
            continue
        assert spec.simulation is not None
        try:
            backend = SimulatedBackend(spec, spec.simulation, StopFlag())
        except BenchError:
            continue
        worked += 1
        backend.fibres.set_routes("optical_switch", {5: 33, 9: 29, 1: 25})
        backend.world.advance(1.5)
        assert backend.fibres.power_w("power_meter", 1) >= 0.0
        assert all(beam.power_w >= 0.0 for beam in backend.fibres.rx_light(1))
        assert backend.reference is not None
        assert backend.reference.heat.case_temp_c() < 400.0
        backend.close()
    assert several == []
    assert worked or value == "-1e300"
