"""Other people's drivers, unmodified, over pyvisa-py: they read what the world says."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.bench_file.reading import find_bench_file
from harness.simulation.serving.bench_server import BenchServer

keysight = pytest.importorskip("pymeasure.instruments.keysight.keysightE36312A")
temptronic = pytest.importorskip("pymeasure.instruments.temptronic")
yokogawa = pytest.importorskip("pymeasure.instruments.yokogawa.aq6370series")
VISAAdapter = pytest.importorskip("pymeasure.adapters").VISAAdapter

ANALYSER = """
[simulation.reference_tx]
module = "reference-dr4"

[instruments.reference_tx]
driver = "reference-module"
address = "i2c:2"
options.expander_address = 0x20
options.pin_bits = { reset_l = 0, lpmode = 1, modsel_l = 2, modprs_l = 8, int_l = 9 }

[instruments.spectrum_analyser]
driver = "yokogawa-aq6370d"
address = "TCPIP0::192.0.2.14::inst0::INSTR"
"""
FROM_THE_REFERENCE = """
[[fibre]]
from = "reference_tx.1"
to = "spectrum_analyser.1"
loss = "0.30 dB"
uncertainty = "0.06 dB"
"""
Serve = Callable[..., BenchServer]


@pytest.fixture
def foreign(address_of: Any) -> Iterator[Callable[..., Any]]:
    """``foreign(driver, server, role, way)``: a driver of pymeasure's with its adapter."""
    with contextlib.ExitStack() as stack:

        def connect(driver: Callable[..., Any], server: BenchServer, role: str, way: str) -> Any:
            instrument = driver(
                address_of(server, role, way),
                visa_library="@py",
                read_termination="\n",
                write_termination="\n",
            )
            stack.callback(instrument.adapter.close)
            return instrument

        yield connect


@pytest.mark.parametrize("way", ["socket", "hislip"])
def test_pymeasure_feeds_the_module(serve: Serve, foreign: Any, way: str) -> None:
    server = serve()
    supply = foreign(keysight.KeysightE36312A, server, "power_supply", way)
    assert "E36312A" in supply.id
    channel = supply.ch_1
    channel.voltage_setpoint = 3.3
    channel.current_limit = 4.5
    channel.output_enabled = True
    assert channel.output_enabled is True
    assert channel.voltage_setpoint == pytest.approx(3.3)
    measured_v, measured_a = channel.voltage, channel.current
    with server.backend.world.lock:
        assert measured_v == pytest.approx(server.backend.rail.connector_v(), abs=0.01)
        consumption_w = server.backend.module.consumption_w()
    assert measured_v * measured_a == pytest.approx(consumption_w, rel=0.05)
    assert measured_a > 0.05
    channel.output_enabled = False
    assert channel.voltage == pytest.approx(0.0, abs=0.01)
    assert supply.check_errors() == []


def test_pymeasure_sees_a_lamps_light(serve: Serve, address_of: Any, tmp_path: Path, lamp: Any) -> None:
    text = find_bench_file("sim-dr4").read_text(encoding="utf-8")
    bench = tmp_path / "analyser.toml"
    bench.write_text(
        text.replace("[instruments.thermal]", f"{ANALYSER}\n[instruments.thermal]", 1) + FROM_THE_REFERENCE,
        encoding="utf-8",
    )
    server = serve(bench, speed=20.0)
    with server.backend.world.lock:
        server.backend.fibres.connect_reference(lamp(1.6e-3))
    address = address_of(server, "spectrum_analyser", "hislip")
    adapter = VISAAdapter(address, visa_library="@py", read_termination="\n", write_termination="\n")
    analyser = yokogawa.AQ6370D(adapter)
    try:
        analyser.wavelength_center = 1311e-9
        analyser.wavelength_span = 20e-9
        analyser.sweep_mode = "SINGLE"
        analyser.initiate_sweep()
        assert analyser.wait_for_sweep_complete(timeout=30, delay=0.02)
        wavelengths_m, levels_dbm = (analyser.TRA.get_axis_data(axis) for axis in "XY")
    finally:
        adapter.close()
    with server.backend.world.lock:
        (beam,) = server.backend.fibres.light("spectrum_analyser", 1)
    peak = max(range(len(levels_dbm)), key=lambda place: levels_dbm[place])
    assert levels_dbm[peak] == pytest.approx(10.0 * math.log10(beam.power_w * 1e3), abs=1.5)
    assert wavelengths_m[peak] * 1e9 == pytest.approx(beam.wavelength_nm, abs=0.5)


# What it wonders about is no business of ours.
@pytest.mark.filterwarnings("ignore:It is not known:FutureWarning")
def test_pymeasure_heats_the_case(serve: Serve, foreign: Any) -> None:
    server = serve(speed=200.0)
    stream = foreign(temptronic.ATS525, server, "thermal", "socket")
    stream.configure(
        temp_window=1, dut_type="T", soak_time=10, temp_limit_air_low=-55, temp_limit_air_high=125
    )
    assert stream.maximum_test_time == 1000
    assert stream.dut_type == "T"
    stream.head = "down"
    stream.set_point_number = 0
    stream.temperature_setpoint = 45.0
    stream.enable_air_flow = 1
    stream.wait_for_settling(time_limit=10)
    assert stream.at_temperature()
    shown_c = stream.dut_temperature
    with server.backend.world.lock:
        true_c = server.backend.heat.case_temp_c()
    assert shown_c == pytest.approx(true_c, abs=1.5)
    assert shown_c == pytest.approx(45.0, abs=1.5)
    assert stream.nozzle_air_flow_rate > 0
    assert stream.error_code == 0
    stream.enable_air_flow = 0
