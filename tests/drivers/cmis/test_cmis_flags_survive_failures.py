"""Flags that were read, and so cleared, before something failed are not lost; nor are they read twice."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from drivers.cmis.access import I2cMemory
from drivers.cmis.errors import CmisError, ModuleNotRespondingError
from drivers.cmis.flags import read_flags
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.cmis.monitors import read_lane_readings
from drivers.cmis.polling import Snapshot, full_poll_fields, plan_reads
from drivers.cmis.states import Look, watch
from drivers.errors import BenchError, ConnectionFailedError
from drivers.i2c import I2cBus, I2cUnclearError

LANE_FLAGS = bytes(range(1, 21))
MODULE_FLAGS = b"\x01\x02\x04\x08"


@pytest.fixture
def host(image_on_a_bus: Any) -> Any:
    image = MemoryImage(bytes(128), {(0, page): bytes(range(128)) for page in (0x00, 0x01, 0x02, 0x10, 0x11)})
    image.put(0, 0, 3, b"\x06\x01")  # ModuleReady; a lane flag in bank 0
    image.put(0, 0, 8, MODULE_FLAGS)
    image.put(0, 0x11, 134, LANE_FLAGS)
    return image_on_a_bus(image)


class Adapter:
    """In front of a bus: from the transaction that reads ``byte`` on, or after it, everything fails."""

    def __init__(self, host: Any, byte: int, number: int, *, carried_out: bool = False) -> None:
        self.host, self.byte, self.number, self.carried_out = host, byte, number, carried_out
        self.attempts = 0
        self.broken = False

    def i2c_rdwr(self, *messages: Any) -> None:
        if self.broken or any(
            len(bytes(item)) == 1 and bytes(item)[0] == self.byte for item in messages[::2]
        ):
            self.broken = True
            self.attempts += 1
            if self.carried_out:
                self.host.smbus.i2c_rdwr(*messages)
            raise OSError(self.number, "broken")
        self.host.smbus.i2c_rdwr(*messages)

    def close(self) -> None:
        pass


def memory_behind(adapter: Adapter) -> I2cMemory:
    host = adapter.host
    return I2cMemory(I2cBus(adapter, host.clock, name="i2c-1"), host.clock)


def module_behind(adapter: Adapter) -> CmisModule:
    return CmisModule(memory_behind(adapter), adapter.host.clock)


@pytest.mark.parametrize(("number", "error"), [(errno.ENXIO, CmisError), (errno.ENODEV, BenchError)])
def test_a_poll_keeps_the_flags_of_every_transaction_before(
    host: Any, number: int, error: type[Exception]
) -> None:
    kept = Snapshot()
    plan = plan_reads(set(full_poll_fields()) - set(full_poll_fields(flags=False)), clear_on_read=True)
    with pytest.raises(error):
        plan.execute(memory_behind(Adapter(host, 142, number)), into=kept)
    assert host.image.get(0, 0x11, 134, 8) == bytes(8)
    assert kept.get(0, 0x11, 134, 8) == LANE_FLAGS[:8]
    assert kept.get(0, 0, 8, 4) == MODULE_FLAGS


@pytest.mark.parametrize(("number", "error"), [(errno.ENXIO, CmisError), (errno.ENODEV, BenchError)])
def test_flags_of_a_module_go_along_with_the_exception(
    host: Any, number: int, error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        module_behind(Adapter(host, 142, number)).flags()
    found = raised.value.flags_read  # type: ignore[attr-defined]
    assert "ModuleStateChangedFlag" in found.module
    assert found.lanes[_flag_at(134)] == (1,)
    assert set(found.lanes) == {_flag_at(byte) for byte in range(134, 142)}
    assert _flag_at(134) in raised.value.__notes__[-1]


def test_what_was_found_in_an_area_before_it_failed_is_in_the_report(host: Any) -> None:
    report = read_flags(module_behind(Adapter(host, 142, errno.ENXIO)).registers)
    assert report.read == ("module",)
    assert "no acknowledge" in report.skipped["lanes"]
    raised = {flag.name for flag in report.raised}
    assert {"ModuleStateChangedFlag", *(_flag_at(byte) for byte in range(134, 142))} <= raised
    assert _flag_at(142) not in raised


def test_a_fault_of_the_bench_has_the_report_so_far(host: Any) -> None:
    with pytest.raises(ConnectionFailedError) as raised:
        read_flags(module_behind(Adapter(host, 142, errno.ENODEV)).registers)
    report = raised.value.flag_report  # type: ignore[attr-defined]
    assert {"ModuleStateChangedFlag", _flag_at(134)} <= {flag.name for flag in report.raised}


def test_a_failure_after_the_flags_has_the_report_too(host: Any) -> None:
    with pytest.raises(ConnectionFailedError) as raised:
        read_flags(module_behind(Adapter(host, 128, errno.ENODEV)).registers)  # the states of the data paths
    report = raised.value.flag_report  # type: ignore[attr-defined]
    assert _flag_at(142) in {flag.name for flag in report.raised}


def test_a_flat_module_has_its_own_flags_alone(host: Any) -> None:
    host.image.put(0, 0, 2, b"\x80")
    host.acknowledges = lambda: host.image.get(0, 0, 127, 1) == b"\0"
    flags = CmisModule(
        I2cMemory(I2cBus(host.smbus, host.clock, name="i2c-1"), host.clock), host.clock
    ).flags()
    assert "ModuleStateChangedFlag" in flags.module
    assert flags.lanes == {}
    assert host.image.get(0, 0x11, 134, 20) == LANE_FLAGS


def test_a_span_that_is_named_twice_is_read_once(host: Any) -> None:
    memory = I2cMemory(I2cBus(host.smbus, host.clock, name="i2c-1"), host.clock)
    assert memory.read_several(0, 0x11, [(134, 4), (160, 2), (134, 4)]) == [
        LANE_FLAGS[:4],
        b"\x20\x21",
        LANE_FLAGS[:4],
    ]


def test_flags_of_a_read_that_failed_half_way_stand_in_its_notes(host: Any) -> None:
    with pytest.raises(ModuleNotRespondingError) as raised:
        memory_behind(Adapter(host, 142, errno.ENXIO)).read(0, 0x11, 134, 20)
    assert any("134..141: 01 02 03 04 05 06 07 08" in note for note in raised.value.__notes__)


# -- EIO: the module, or the bus ------------------------------------------------------------------------


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_read_of_flags_is_not_repeated_after_eio(host: Any, carried_out: bool) -> None:
    adapter = Adapter(host, 8, errno.EIO, carried_out=carried_out)
    with pytest.raises(I2cUnclearError, match="may have been cleared"):
        memory_behind(adapter).read(0, 0, 8, 4)
    assert adapter.attempts == 1


def test_eio_that_stays_does_not_blame_the_module(host: Any) -> None:
    adapter = Adapter(host, 14, errno.EIO)
    with pytest.raises(I2cUnclearError, match="whose fault it is cannot be told") as raised:
        memory_behind(adapter).read(0, 0, 14, 4)
    assert isinstance(raised.value, BenchError)
    assert not isinstance(raised.value, CmisError)
    assert adapter.attempts > 3


def test_eio_that_passes_is_waited_for(host: Any) -> None:
    adapter = Adapter(host, 14, errno.EIO)
    memory = memory_behind(adapter)
    plain = adapter.i2c_rdwr

    def recovering(*messages: Any) -> None:
        if adapter.attempts == 3:
            adapter.byte, adapter.broken = -1, False
        plain(*messages)

    adapter.i2c_rdwr = recovering  # type: ignore[method-assign]
    assert memory.read(0, 0, 14, 4) == bytes(4)


@pytest.mark.parametrize("answers", [True, False])
def test_a_module_that_starts_may_be_silent_behind_any_adapter(clock: Any, answers: bool) -> None:
    """Where silence is expected EIO is taken for it; but not where nothing else ever comes."""
    start_s = clock.now_s()

    def look() -> Look:
        if answers and clock.now_s() - start_s >= 0.5:
            return Look(True, "an answer")
        raise I2cUnclearError("i2c-1", "EIO")

    def wait(**named: Any) -> Any:
        return watch(clock, look, register="", expected="", allowed_s=2.0, **named)

    with pytest.raises(I2cUnclearError):
        wait()
    if answers:
        assert wait(silence_expected=True).reached
    else:
        with pytest.raises(I2cUnclearError):
            wait(silence_expected=True)


# -- readings of lanes, page by page --------------------------------------------------------------------


def test_lane_readings_of_a_port_take_few_transactions_and_say_the_same(host: Any) -> None:
    for name in ("TxOpticalPowerMonSupported", "TxBiasMonSupported", "RxOpticalPowerMonSupported"):
        field = FIELDS[name]
        value = host.image.get(0, field.page, field.byte, 1)[0] | 1 << (field.lsb or 0)
        host.image.put(0, field.page, field.byte, bytes([value]))
    module = CmisModule(I2cMemory(I2cBus(host.smbus, host.clock, name="i2c-1"), host.clock), host.clock)
    expected = read_lane_readings(host.image)
    assert len(expected) > 3
    host.start_counting()
    assert read_lane_readings(module.registers) == expected
    assert host.transactions <= 12
    assert host.image.get(0, 0x11, 134, 20) == LANE_FLAGS


def _flag_at(byte: int) -> str:
    (name,) = [
        field.name for field in FIELDS.values() if (field.page, field.byte) == (0x11, byte) and field.access
    ]
    return name
