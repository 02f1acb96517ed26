"""A run over fake instruments and a fake module, with a journal on disk."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from drivers.clock import StopFlag
from drivers.cmis.codes import DataPathState, ModuleState
from drivers.cmis.information import LaneMonitor
from drivers.interfaces import PowerReading
from drivers.units import w_from_dbm
from harness.bench import Bench
from harness.bench_file.reading import find_bench_file, load_bench
from harness.judging.limits import limits_of_pmd
from harness.run import Run
from harness.run_folder.folder import RunFolder
from harness.run_folder.manifest_of_run import build_manifest

LANES = (1, 2, 3, 4)
LOSS_DB = {1: 0.42 + 1.00 + 0.25, 2: 0.38 + 1.00 + 0.22, 3: 0.45 + 1.00 + 0.28, 4: 0.40 + 1.00 + 0.24}


class FakeMeter:
    """Reads what a test says of a port: a power, or one power after the other."""

    name = "power_meter"
    range_dbm = (-80.0, 10.0)

    def __init__(self, module: FakeModule) -> None:
        self.module = module
        self.lit_w: dict[int, list[float]] = {port: [1e-3] for port in LANES}
        self.dark_w: dict[int, list[float]] = {port: [0.0] for port in LANES}
        self.configured: list[dict[str, object]] = []
        self.asked: list[tuple[int, ...]] = []
        self.fault: Exception | None = None
        self.lane_at: dict[int, int] = {port: port for port in LANES}  # whose light comes to a port

    def configure(self, **settings: object) -> None:
        self.configured.append(settings)

    def read_powers_w(self, channels):
        if self.fault:
            raise self.fault
        count = len(self.asked)
        self.asked.append(tuple(channels))
        dark = {port for port in channels if self.lane_at[port] in self.module.darkened()}
        powers = [(self.dark_w if port in dark else self.lit_w)[port] for port in channels]
        # In another order than asked: a reading says which port it is of.
        return tuple(
            PowerReading(port, values[count % len(values)])
            for port, values in reversed(list(zip(channels, powers, strict=True)))
        )


class FakeSwitch:
    name = "optical_switch"

    def __init__(self) -> None:
        self.standing: dict[int, int] = {}
        self.sent: list[dict[int, int]] = []

    def routes(self):
        return dict(self.standing)

    def route(self, routes):
        self.sent.append(dict(routes))
        self.standing.update(routes)


class FakeModule:
    """Four lanes that do as they are told; ``late``: how many polls a lane takes to be lit again; ``deaf``:
    lanes that OutputDisableTx does nothing to; ``joined``: lanes of which one takes the other with it."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.disabled: tuple[int, ...] = ()
        self.told: list[tuple[float, tuple[int, ...]]] = []
        self.monitor_w: dict[int, float | None] = dict.fromkeys(LANES, 0.001)
        self.late = 0
        self.deaf: set[int] = set()
        self.joined: set[int] = set()
        self.advertised = {"OutputDisableTxSupported": 1, "TxDisableIsModuleWide": 0}
        self._polls = 0
        self.monitors_read_at_s: list[float] = []

    def lane_monitors(self):
        self.monitors_read_at_s.append(self.clock.now_s())
        return tuple(LaneMonitor(lane, self.monitor_w[lane], None, None) for lane in LANES)

    def set_output_disable_tx(self, lanes):
        self.told.append((self.clock.now_s(), tuple(lanes)))
        self.disabled = tuple(lanes)
        self._polls = 0

    def darkened(self) -> set[int]:
        dark = set(self.disabled) - self.deaf
        return dark | self.joined if dark & self.joined else dark

    def get(self, name):
        if name in self.advertised:
            return self.advertised[name]
        assert name == "OutputDisableTx"
        return tuple(lane in self.disabled for lane in range(1, 9))

    def set_and_verify(self, name, value):
        assert name == "OutputDisableTx"
        self.set_output_disable_tx(tuple(lane for lane, off in enumerate(value, start=1) if off))

    def module_state(self):
        return ModuleState.ModuleReady

    def data_path_states(self):
        lit = (DataPathState.DPActivated,) * 8
        if self.told and not self.disabled:
            self._polls += 1
            if self._polls <= self.late:
                return (*lit[:2], DataPathState.DPTxTurnOn, *lit[3:])
        return lit

    def duration_s(self, name):
        return {"MaxDurationDPTxTurnOff": 0.2, "MaxDurationDPTxTurnOn": 0.6}[name]

    def temperature_c(self):
        return 26.0

    def vcc_v(self):
        return 3.31


class FakeSupply:
    name = "power_supply"

    def measure_voltage_v(self, channel):
        return 3.3

    def measure_current_a(self, channel):
        return 2.5


class FakeThermal:
    name = "thermal"

    def read_case_c(self):
        return 25.4


class FakeBoard:
    name = "host_board"
    memory = SimpleNamespace(read=None, write=None)  # the module is a fake of its own
    pins = None


class FakeIo:
    def __init__(self, clock) -> None:
        self.clock = clock


class SmallRun:
    """The run, its fakes, and what it wrote."""

    def __init__(self, tmp_path, clock) -> None:
        self.module = FakeModule(clock)
        self.meter = FakeMeter(self.module)
        self.switch = FakeSwitch()
        self.clock = clock
        spec = load_bench(find_bench_file("sim-dr4"))
        instruments = {
            "power_meter": self.meter,
            "optical_switch": self.switch,
            "power_supply": FakeSupply(),
            "thermal": FakeThermal(),
            "case_sensor": FakeThermal(),
            "host_board": FakeBoard(),
        }
        self.bench = Bench(spec, FakeIo(clock), StopFlag(), instruments)
        self.run = Run(self.bench, limits_of_pmd("400GBASE-DR4"), plan="unit", out=tmp_path)
        self.run.module = self.module
        self.manifest = build_manifest(self.run, plan_files=(), items=1, corners=(), lanes=LANES)
        self.run.begin(self.manifest)

    def wire(self, **changes: object) -> None:
        """Another bench file's content under the same instruments."""
        self.bench.spec = replace(self.bench.spec, **changes)

    @property
    def records(self):
        return RunFolder(self.run.folder).journal.records

    def light_at_tp2(self, **dbm: float) -> None:
        """Let the meter read what leaves the module at these powers: ``tx1=0.5``."""
        for name, value in dbm.items():
            lane = int(name.removeprefix("tx"))
            self.meter.lit_w[lane] = [w_from_dbm(value - LOSS_DB[lane])]


@pytest.fixture
def small_run(tmp_path, counting_clock):
    small = SmallRun(tmp_path, counting_clock)
    yield small
    small.run._journal.close()
