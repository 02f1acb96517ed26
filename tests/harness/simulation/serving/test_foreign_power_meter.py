"""Another project's driver for the Thorlabs PM100D, ``qcodes_contrib_drivers``', unmodified over pyvisa-py
against a served bench.

It and what it needs are too much for the project's lock file (about eighty packages and 700 MB; MIT, and GPL
in parts that are not run here): they go into an environment of their own, from the package index that pip is
set to, and the driver runs there in a process of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.bench_file.reading import find_bench_file
from harness.simulation.serving.bench_server import BenchServer

pytestmark = pytest.mark.soak

FOREIGN = ("qcodes_contrib_drivers>=0.24", "pyvisa-py>=0.8")
REACHING_LIMIT_S = 60.0
INSTALLING_LIMIT_S = 1200.0
RUNNING_LIMIT_S = 300.0

REFERENCE = """
[simulation.reference_tx]
module = "reference-dr4"

[instruments.reference_tx]
driver = "reference-module"
address = "i2c:2"
options.expander_address = 0x20
options.pin_bits = { reset_l = 0, lpmode = 1, modsel_l = 2, modprs_l = 8, int_l = 9 }
"""

# A parameter's name, and the value to set it to or none, as a line of JSON in; what the driver says, out.
CLIENT = """
    import json, sys
    from qcodes_contrib_drivers.drivers.Thorlabs.PM100D import Thorlab_PM100D

    meter = Thorlab_PM100D("meter", sys.argv[1], visalib="@py", timeout=20)

    def tell(value):
        print("TOLD " + json.dumps(value), flush=True)

    tell(meter.get_idn())
    for line in sys.stdin:
        what, *value = json.loads(line)
        parameter = getattr(meter, what)
        tell(parameter.set(*value) if value else parameter.get())
    meter.close()
"""


class ForeignMeter:
    """The driver in its process: ``get("power")``, ``set("wavelength", 1.31e-6)``."""

    def __init__(self, python: Path, script: Path, address: str) -> None:
        self._log = (script.parent / "said.txt").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [python, script, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=script.parent,
            env={"PATH": str(python.parent), "HOME": str(script.parent)},
        )
        self.identity = self._told()

    def get(self, parameter: str) -> Any:
        return self._ask(parameter)

    def set(self, parameter: str, value: object) -> None:
        self._ask(parameter, value)

    def _ask(self, *what: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._told()

    def _told(self) -> Any:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("TOLD "):
                return json.loads(line.removeprefix("TOLD "))
        self._log.seek(0)
        pytest.fail(f"the driver has ended: {self._log.read()[-2000:]}")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        try:
            self._process.wait(RUNNING_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


@pytest.fixture(scope="module")
def foreign_python(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Path]:
    """A Python that has the driver; skips when the package index has it not, or cannot be reached."""
    if "soak" not in pytestconfig.getoption("markexpr"):
        pytest.skip("installs 700 MB from the package index: only when soak tests are asked for (-m soak)")
    folder = tmp_path_factory.mktemp("foreign")
    try:
        yield install_into(folder)
    finally:
        shutil.rmtree(folder)  # pytest would keep it, and those of the runs before


def install_into(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, timeout=REACHING_LIMIT_S)
    python = folder / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    try:
        reached = subprocess.run(
            [*pip, "download", "--quiet", "--no-deps", "--retries=0", "--dest", folder, FOREIGN[0]],
            capture_output=True,
            text=True,
            timeout=REACHING_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the package index does not answer: no driver of another project to run")
    if reached.returncode:
        pytest.skip(f"pip gets no {FOREIGN[0]}: {reached.stderr.strip()[-300:]}")
    # From here on a failure is one: the index has been reached.
    installed = subprocess.run(
        [*pip, "install", "--quiet", *FOREIGN], capture_output=True, text=True, timeout=INSTALLING_LIMIT_S
    )
    assert installed.returncode == 0, installed.stderr[-2000:]
    return python


@pytest.fixture
def server(serve: Callable[..., BenchServer], tmp_path: Path, lamp: Any) -> BenchServer:
    """The shipped bench with a PM100D for its meter, and a lamp where a reference transmitter would be."""
    text = find_bench_file("sim-dr4").read_text(encoding="utf-8")
    text = text.replace('driver = "keysight-n7745c"', 'driver = "thorlabs-pm100d"', 1)
    text = text.replace("[instruments.thermal]", f"{REFERENCE}\n[instruments.thermal]", 1)
    text = text.replace('from = "optical_switch.17"', 'from = "reference_tx.1"', 1)
    bench = tmp_path / "pm100d.toml"
    bench.write_text(text, encoding="utf-8")
    server = serve(bench, speed=20.0)
    shine(server, lamp(1.6e-3))
    return server


def shine(server: BenchServer, light: Any) -> None:
    with server.backend.world.lock:
        server.backend.fibres.connect_reference(light)


def arriving_w(server: BenchServer) -> float:
    with server.backend.world.lock:
        (beam,) = server.backend.fibres.light("power_meter", 1)
    return float(beam.power_w)


@pytest.mark.parametrize("way", ["socket", "hislip"])
def test_another_projects_pm100d_reads_what_the_world_says(
    way: str, server: BenchServer, address_of: Any, foreign_python: Path, tmp_path: Path, lamp: Any
) -> None:
    script = tmp_path / "client.py"
    script.write_text(textwrap.dedent(CLIENT), encoding="utf-8")
    meter = ForeignMeter(foreign_python, script, address_of(server, "power_meter", way))
    try:
        assert (meter.identity["vendor"], meter.identity["model"]) == ("THORLABS", "PM100D")
        meter.set("wavelength", 1.311e-6)  # its get fails with any meter: it divides the reply's text
        bright_w, true_w = meter.get("power"), arriving_w(server)
        assert true_w == pytest.approx(1.6e-3, rel=0.1)  # but for the fibre's loss
        assert bright_w == pytest.approx(true_w, rel=0.04)
        shine(server, lamp(40e-6))
        dim_w = meter.get("power")
        assert dim_w == pytest.approx(arriving_w(server), rel=0.04)
        assert dim_w / bright_w == pytest.approx(40e-6 / 1.6e-3, rel=0.01)  # one calibration error for both
        meter.set("wavelength", 1.511e-6)  # another responsivity is taken for the same light
        assert abs(meter.get("power") / dim_w - 1.0) > 0.05
        meter.set("wavelength", 1.311e-6)
        meter.set("attenuation", 3.0)
        assert meter.get("attenuation") == 3.0
        assert meter.get("power") == pytest.approx(10**0.3 * dim_w, rel=0.01)
        meter.set("attenuation", 0.0)
        assert abs(meter.get("zero_value")) < 1e-8
        assert meter.get("auto_range") is True
        meter.set("power_range", 1e-3)
        assert meter.get("power_range") == pytest.approx(1e-3)
        assert meter.get("auto_range") is False  # setting a range has ended that
    finally:
        meter.close()
