"""Freezing of VDM statistics: when, for how long, and that they always go on again."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.clock import StopRequested
from drivers.cmis import vdm
from drivers.cmis.errors import ModuleNotRespondingError, VdmFreezeError
from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule

REQUEST, POWER_SAVING, RESERVED = 0x80, 0x40, 0x15
FREEZE_DONE, UNFREEZE_DONE = 0x80, 0x40
STATISTICS = (9, 11, 13)
BASIC = (5, 15)


class FreezingModule:
    """Memory of a module that counts bit errors: what it counted runs on with time unless it is frozen."""

    def __init__(self, clock: Any, types: tuple[int, ...] = (*BASIC, *STATISTICS)) -> None:
        self.clock = clock
        self.image = MemoryImage()
        for page in (0x00, 0x01, *range(0x20, 0x30)):
            self.image.add_page(0, page)
        for name, value in (("ModuleState", 3), ("VDMPagesSupported", 1)):
            encode(FIELDS[name], value, self.image)
        descriptors = [15 << 8 | type_id for type_id in types]
        self.put("VDMDescriptorsGroup1", (*descriptors, *[0] * (64 - len(descriptors))))
        self.image.put(0, 0x2F, 144, bytes([POWER_SAVING | RESERVED, UNFREEZE_DONE]))
        self.types = types
        self.freeze_s: float | None = 0.004
        self.unfreeze_s: float | None = 0.002
        self.events: list[tuple[float, int]] = []
        self.written: list[bytes] = []
        self.frozen_sample: int | None = None
        self.breaks_at: int | None = None

    def put(self, name: str, value: Any) -> None:
        encode(FIELDS[name], value, self.image)

    @property
    def control(self) -> int:
        return self.image.get(0, 0x2F, 144, 1)[0]

    def now_sample(self) -> int:
        return int(self.clock.now_s() * 1e4) & 0x7FF

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        if page == self.breaks_at and byte >= 128:
            raise ModuleNotRespondingError(f"no acknowledge while reading page {page:02X}h")
        for at_s, done in self.events:
            if at_s <= self.clock.now_s() + 1e-9:
                self.image.put(0, 0x2F, 145, bytes([done]))
        sample = self.now_sample() if self.frozen_sample is None else self.frozen_sample
        self.put("VDMSamplesGroup1", (*[sample] * len(self.types), *[0] * (64 - len(self.types))))
        data = self.image.get(bank, page, byte, length)
        if page == 0x24:
            self.clock.sleep(0.001)  # a slow bus: what is not frozen changes from read to read
        return data

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        assert (bank, page, byte) == (0, 0x2F, 144)
        before = self.control
        self.written.append(data)
        self.image.put(0, page, byte, data)
        if data[0] & REQUEST == before & REQUEST:
            return
        self.events = []
        self.image.put(0, 0x2F, 145, b"\0")
        freezes = bool(data[0] & REQUEST)
        delay_s = self.freeze_s if freezes else self.unfreeze_s
        if delay_s is not None:
            self.events.append((self.clock.now_s() + delay_s, FREEZE_DONE if freezes else UNFREEZE_DONE))
        self.frozen_sample = self.now_sample() if freezes else None


@pytest.fixture
def fake(clock: Any) -> FreezingModule:
    return FreezingModule(clock)


@pytest.fixture
def module(fake: FreezingModule, clock: Any) -> CmisModule:
    return CmisModule(fake, clock)


def test_freezing_sets_one_bit_and_keeps_the_others(fake: FreezingModule, module: CmisModule) -> None:
    with vdm.frozen_statistics(module) as freeze:
        assert freeze.frozen
        assert fake.control == REQUEST | POWER_SAVING | RESERVED
        assert fake.image.get(0, 0x2F, 145, 1)[0] == FREEZE_DONE
    assert fake.control == POWER_SAVING | RESERVED
    assert fake.image.get(0, 0x2F, 145, 1)[0] == UNFREEZE_DONE
    assert fake.written == [bytes([REQUEST | POWER_SAVING | RESERVED]), bytes([POWER_SAVING | RESERVED])]


@pytest.mark.parametrize("power_saving", [0, POWER_SAVING])
def test_power_saving_is_left_as_it_was(fake: FreezingModule, module: CmisModule, power_saving: int) -> None:
    fake.image.put(0, 0x2F, 144, bytes([power_saving]))
    vdm.read_statistics(module)
    assert {data[0] & POWER_SAVING for data in fake.written} == {power_saving}
    assert fake.control == power_saving


def test_statistics_are_of_one_time_and_not_older_than_the_call(
    fake: FreezingModule, module: CmisModule, clock: Any
) -> None:
    before = fake.now_sample()
    snapshot = vdm.read_statistics(module)
    after = fake.now_sample()
    raws = {reading.raw for reading in snapshot.readings}
    assert len(raws) == 1
    (raw,) = raws
    assert raw is not None
    assert before <= raw <= after
    assert [reading.instance.observable.type_id for reading in snapshot.readings] == [15, 9, 11, 13]
    assert snapshot.freeze.frozen
    assert snapshot.freeze.reason == ""
    assert snapshot.freeze.elapsed_s == pytest.approx(0.004, abs=0.0011)
    assert snapshot.freeze.in_time is True
    vdm.read_statistics(module)
    assert {reading.raw for reading in vdm.read_statistics(module).readings} != raws


def test_a_module_without_statistics_is_not_asked_to_freeze(clock: Any) -> None:
    """It would never set FreezeDone: nothing waits for that, readings come, and the reason is said."""
    fake = FreezingModule(clock, types=(*BASIC, 25))
    fake.freeze_s = None
    start_s = clock.now_s()
    snapshot = vdm.read_statistics(CmisModule(fake, clock))
    assert fake.written == []
    assert clock.now_s() - start_s < 0.01
    assert not snapshot.freeze.frozen
    assert (
        snapshot.freeze.reason
        == "the module advertises no minimum, maximum or average: there is nothing to freeze"
    )
    assert snapshot.freeze.in_time is None
    assert [reading.instance.observable.type_id for reading in snapshot.readings] == [15, 25]
    assert all(reading.value is not None for reading in snapshot.readings)


def test_a_module_with_nothing_but_plain_observables_gives_those(clock: Any) -> None:
    snapshot = vdm.read_statistics(CmisModule(FreezingModule(clock, types=(5, 6)), clock))
    assert [reading.instance.observable.type_id for reading in snapshot.readings] == [5, 6]
    assert not snapshot.freeze.frozen


def test_a_module_without_vdm_is_not_asked_to_freeze(fake: FreezingModule, module: CmisModule) -> None:
    fake.put("VDMPagesSupported", 0)
    snapshot = vdm.read_statistics(module)
    assert fake.written == []
    assert snapshot.readings == ()
    assert "does not advertise VDM" in snapshot.freeze.reason


def test_a_module_in_low_power_is_not_asked_to_freeze(fake: FreezingModule, module: CmisModule) -> None:
    fake.put("ModuleState", 1)
    snapshot = vdm.read_statistics(module)
    assert fake.written == []
    assert "ModuleLowPwr" in snapshot.freeze.reason
    assert len(snapshot.readings) == 4


def test_a_slow_module_is_given_its_allowance_and_shown_as_late(
    fake: FreezingModule, module: CmisModule
) -> None:
    fake.freeze_s = 0.060
    snapshot = vdm.read_statistics(module)
    assert snapshot.freeze.frozen
    assert snapshot.freeze.elapsed_s == pytest.approx(0.060, abs=0.0011)
    assert snapshot.freeze.in_time is False
    with pytest.raises(VdmFreezeError):
        vdm.read_statistics(module, allowance_s=vdm.T_VDMF_S)


def test_a_freeze_that_never_comes_ends_with_an_error_and_is_withdrawn(
    fake: FreezingModule, module: CmisModule, clock: Any
) -> None:
    fake.freeze_s = None
    start_s = clock.now_s()
    with pytest.raises(VdmFreezeError, match=r"2Fh:145\.7 VDMFreezeDone is not set 100\.0 ms") as caught:
        vdm.read_statistics(module)
    assert caught.value.elapsed_s == pytest.approx(0.1)
    assert caught.value.register == "2Fh:145.7 VDMFreezeDone"
    assert clock.now_s() - start_s < 0.2
    assert fake.control == POWER_SAVING | RESERVED
    assert [reading.value for reading in vdm.read_vdm(module.registers)] != []


def test_an_unfreeze_that_never_comes_is_an_error(fake: FreezingModule, module: CmisModule) -> None:
    fake.unfreeze_s = None
    with pytest.raises(VdmFreezeError, match=r"2Fh:145\.6 VDMUnfreezeDone"):
        vdm.read_statistics(module)
    assert fake.control == POWER_SAVING | RESERVED


@pytest.mark.parametrize(
    "error", [RuntimeError("limit exceeded"), StopRequested("stop"), KeyboardInterrupt()]
)
def test_statistics_go_on_after_an_error(
    fake: FreezingModule, module: CmisModule, error: BaseException
) -> None:
    with pytest.raises(type(error)), vdm.frozen_statistics(module):
        raise error
    assert fake.control == POWER_SAVING | RESERVED
    assert fake.image.get(0, 0x2F, 145, 1)[0] == UNFREEZE_DONE


def test_statistics_go_on_when_reading_them_fails(fake: FreezingModule, module: CmisModule) -> None:
    fake.breaks_at = 0x24
    with pytest.raises(ModuleNotRespondingError, match="page 24h"):
        vdm.read_statistics(module)
    assert fake.control == POWER_SAVING | RESERVED


def test_the_first_error_is_told_and_the_second_noted(fake: FreezingModule, module: CmisModule) -> None:
    fake.unfreeze_s = None
    with pytest.raises(RuntimeError, match="first") as caught, vdm.frozen_statistics(module):
        raise RuntimeError("first")
    assert "VDMUnfreezeDone" in caught.value.__notes__[0]


def test_statistics_that_were_found_frozen_are_let_go_first(fake: FreezingModule, module: CmisModule) -> None:
    fake.image.put(0, 0x2F, 144, bytes([REQUEST | POWER_SAVING, FREEZE_DONE]))
    fake.frozen_sample = 1  # of long ago
    snapshot = vdm.read_statistics(module)
    assert [data[0] for data in fake.written] == [POWER_SAVING, REQUEST | POWER_SAVING, POWER_SAVING]
    assert all(reading.raw != 1 for reading in snapshot.readings)
    assert "found frozen" in snapshot.freeze.notes[0]


def test_a_done_bit_from_before_is_not_taken_for_the_answer(
    fake: FreezingModule, module: CmisModule, clock: Any
) -> None:
    fake.image.put(0, 0x2F, 145, bytes([FREEZE_DONE]))
    start_s = clock.now_s()
    with vdm.frozen_statistics(module) as freeze:
        assert clock.now_s() - start_s >= 0.004
    assert "was 1 before" in freeze.notes[0]
    assert freeze.elapsed_s == pytest.approx(0.004, abs=0.0011)  # the bit was seen to go and come


def test_a_done_bit_that_stays_gives_no_time_and_the_module_all_of_its_own(
    fake: FreezingModule, clock: Any
) -> None:
    """A module whose FreezeDone is always 1, and which takes 60 ms to freeze."""
    write = fake.write

    def keep_done(bank: int, page: int, byte: int, data: bytes) -> None:
        write(bank, page, byte, data)
        fake.events.clear()
        fake.image.put(0, 0x2F, 145, bytes([FREEZE_DONE | UNFREEZE_DONE]))

    fake.write = keep_done  # type: ignore[method-assign]
    fake.image.put(0, 0x2F, 145, bytes([FREEZE_DONE | UNFREEZE_DONE]))
    start_s = clock.now_s()
    freezer = vdm.VdmFreezer(CmisModule(fake, clock))
    freeze = freezer.freeze()
    assert clock.now_s() - start_s == pytest.approx(vdm.FREEZE_ALLOWANCE_S)
    assert (freeze.frozen, freeze.elapsed_s, freeze.in_time) == (True, None, None)
    assert "stayed so" in freeze.notes[0]
    start_s = clock.now_s()
    assert freezer.unfreeze() is None
    assert clock.now_s() - start_s == pytest.approx(vdm.FREEZE_ALLOWANCE_S)
    assert fake.control == POWER_SAVING | RESERVED


def test_the_time_of_the_request_itself_counts(fake: FreezingModule, clock: Any) -> None:
    write = fake.write

    def slow_bus(bank: int, page: int, byte: int, data: bytes) -> None:
        write(bank, page, byte, data)
        clock.sleep(0.020)

    fake.write = slow_bus  # type: ignore[method-assign]
    with vdm.frozen_statistics(CmisModule(fake, clock)) as freeze:
        assert freeze.elapsed_s == pytest.approx(0.020, abs=0.0011)
        assert freeze.in_time is False


def test_an_allowance_below_the_limit_of_cmis_is_the_callers_mistake(module: CmisModule) -> None:
    with pytest.raises(ValueError, match="tVDMF"):
        vdm.VdmFreezer(module, allowance_s=0.005)


def test_letting_go_without_a_request_writes_nothing(fake: FreezingModule, module: CmisModule) -> None:
    assert vdm.VdmFreezer(module).unfreeze() is None
    assert fake.written == []
