"""What polling a module costs: on the bus, and in the host. Run with `make bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from drivers.cmis import information
from drivers.cmis.access import I2cMemory
from drivers.cmis.dump import load_dump
from drivers.cmis.fields import decode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import flags_of
from drivers.cmis.page_cache import CachedMemory
from drivers.cmis.polling import full_poll_fields, plan_reads
from drivers.cmis.ports import AccessLimits
from drivers.i2c import I2cBus

_DUMP = Path(__file__).parents[2] / "../shared/eeprom/arista-400g-xdr4.json"
BITRATE_HZ = 400_000


@pytest.fixture
def image() -> MemoryImage:
    if not _DUMP.is_file():
        pytest.skip("the dump of a real module is not here (../shared/eeprom)")
    return load_dump(_DUMP).image


@pytest.mark.parametrize("read_bytes", [8, 128])
def test_full_poll(
    benchmark: BenchmarkFixture,
    image: MemoryImage,
    image_on_a_bus: Any,
    read_bytes: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Plan executed and every field decoded, after warm-up. The bus is simulated and its time counted in
    bits; what the benchmark measures is the processor's time, that of the simulated bus included."""
    host = image_on_a_bus(image, BITRATE_HZ)
    port = I2cMemory(I2cBus(host.smbus, host.clock, name="bus"), host.clock)
    port.limits = AccessLimits(read=read_bytes)
    memory = CachedMemory(port)
    names = full_poll_fields()
    fields = [FIELDS[name] for name in names]
    plan = plan_reads(names, limits=port.limits, clear_on_read=True)

    def poll() -> list[Any]:
        snapshot = plan.execute(memory)
        return [decode(field, snapshot) for field in fields]

    poll()
    host.start_counting()
    poll()
    costs = {
        "bus_ms": round(host.bus_s * 1e3, 3),
        "transactions": host.transactions,
        "page_selects": host.selects,
        "reads": len(host.reads),
    }
    benchmark.extra_info.update(costs)
    with capsys.disabled():
        print(
            f"\nfull poll of a 400G module, reads of up to {read_bytes} bytes: {costs['bus_ms']} ms of bus "
            f"at {BITRATE_HZ // 1000} kHz, {costs['transactions']} transactions, {costs['reads']} reads, "
            f"{costs['page_selects']} page selects"
        )
    assert len(benchmark(poll)) == len(names)


def test_decode_a_modules_state(benchmark: BenchmarkFixture, image: MemoryImage) -> None:
    """Identity, monitors, thresholds and flags from memory that was read: to take under 300 us."""

    def everything() -> tuple[Any, ...]:
        return (
            information.read_identity(image),
            information.get_float(image, "TempMonValue"),
            information.get_float(image, "VccMonVoltage"),
            information.read_lane_monitors(image),
            information.read_thresholds(image),
            flags_of(image),
        )

    assert benchmark(everything)[0].part_number == "QDD-400G-XDR4"


def test_plan(benchmark: BenchmarkFixture) -> None:
    """Computing a plan; done once."""
    assert benchmark(plan_reads, full_poll_fields(), clear_on_read=True).reads


def test_import(benchmark: BenchmarkFixture) -> None:
    """The whole process, interpreter included, that imports the library and its register tables."""
    command = [sys.executable, "-c", "import drivers.cmis.memory_map"]
    benchmark.pedantic(subprocess.run, args=(command,), kwargs={"check": True}, rounds=5)
