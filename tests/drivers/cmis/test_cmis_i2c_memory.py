"""Paged memory over a two-wire bus: exact conversations with a small module behind an smbus2-like object."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from drivers.cmis.access import I2cMemory
from drivers.cmis.errors import ModuleNotRespondingError, PageUnavailableError
from drivers.errors import ConnectionFailedError
from drivers.i2c import I2cBus

LOWER = bytes(range(128))


class TinyModule:
    """256 visible bytes with page select; writes down every transaction."""

    def __init__(self, pages: dict[tuple[int, int], bytes]) -> None:
        self.lower = bytearray(LOWER)
        self.lower[126:128] = b"\0\0"
        self.pages = {key: bytearray(data) for key, data in pages.items()}
        self.log: list[tuple[str, int, Any]] = []
        self.refusals = 0
        self.fault: int | None = None
        self.checked = 0  # transactions that began with the page registers

    def i2c_rdwr(self, *messages: Any) -> None:
        if self.fault is not None:
            raise OSError(self.fault, "broken")
        if self.refusals:
            self.refusals -= 1
            self.log.append(("nack", messages[0].addr, None))
            raise OSError(errno.ENXIO, "no acknowledge")
        pointer, *data = list(messages[0])
        if len(messages) == 1:
            self.log.append(("write", pointer, bytes(data)))
            self.store(pointer, bytes(data))
            return
        pairs = [
            (bytes(address)[0], read) for address, read in zip(messages[::2], messages[1::2], strict=True)
        ]
        for pointer, read in pairs:
            answer = (self.lower + self.upper())[pointer : pointer + read.len]
            for index in range(read.len):
                read.buf[index] = bytes([answer[index]])
        # What is read beside the page registers; those are read with everything in upper memory.
        data_reads = pairs[1:] if pairs[0][0] == 126 else pairs
        assert all(pointer != 126 for pointer, _ in data_reads), "the page is looked at before the data"
        self.log += [("read", pointer, read.len) for pointer, read in data_reads]
        self.checked += pairs[0][0] == 126

    def restart(self) -> None:
        """Reset, brown-out or exchange: page 00h is selected again, and nobody is told."""
        self.lower[126:128] = b"\0\0"

    def store(self, pointer: int, data: bytes) -> None:
        if pointer >= 128:
            self.upper()[pointer - 128 : pointer - 128 + len(data)] = data
            return
        self.lower[pointer : pointer + len(data)] = data
        if pointer + len(data) == 128 and self.selected() not in self.pages:
            self.lower[126:128] = b"\0\0"  # an unsupported page falls back to 00h

    def selected(self) -> tuple[int, int]:
        return self.lower[126], self.lower[127]

    def upper(self) -> bytearray:
        return self.pages[self.selected()]

    def close(self) -> None:
        pass


@pytest.fixture
def module() -> TinyModule:
    return TinyModule(
        {
            (0, 0x00): bytes(range(128)),
            (0, 0x03): bytes(128),
            (0, 0x10): bytes(128),
            (0, 0x11): bytes(reversed(range(128))),
            (1, 0x11): bytes([0x22]) * 128,
        }
    )


@pytest.fixture
def memory(module: TinyModule, clock: Any) -> I2cMemory:
    return I2cMemory(I2cBus(module, clock, name="i2c-1"), clock)


def test_lower_memory_is_read_without_selecting_a_page(memory: I2cMemory, module: TinyModule) -> None:
    assert memory.read(3, 0x11, 14, 2) == bytes([14, 15])
    assert module.log == [("read", 14, 2)]


def test_upper_memory_is_read_after_one_select_of_bank_and_page_together(
    memory: I2cMemory, module: TinyModule
) -> None:
    assert memory.read(1, 0x11, 128, 2) == b"\x22\x22"
    assert module.log == [("write", 126, b"\x01\x11"), ("read", 128, 2)]
    assert module.checked == 1


def test_a_page_is_selected_again_only_when_it_changes(memory: I2cMemory, module: TinyModule) -> None:
    memory.read(0, 0x11, 130, 1)
    memory.read(0, 0x11, 140, 1)
    memory.read(0, 0x00, 129, 1)
    memory.read(7, 0x00, 129, 1)  # page 00h has no banks
    assert [entry for entry in module.log if entry[0] == "write"] == [
        ("write", 126, b"\x00\x11"),
        ("write", 126, b"\x00\x00"),
    ]


def test_after_a_reset_the_page_is_selected_anew(memory: I2cMemory, module: TinyModule) -> None:
    memory.read(0, 0x11, 128, 1)
    module.lower[126:128] = b"\0\0"
    memory.forget_page()
    assert memory.read(0, 0x11, 128, 1) == bytes([127])


def test_a_write_of_the_page_registers_is_not_forgotten(memory: I2cMemory) -> None:
    memory.read(0, 0x11, 128, 1)
    memory.write(0, 0, 127, b"\x00")
    assert memory.read(0, 0x11, 128, 1) == bytes([127])


def test_long_reads_go_in_pieces_of_eight(memory: I2cMemory, module: TinyModule) -> None:
    assert memory.read(0, 0x11, 154, 20) == bytes(reversed(range(128)))[26:46]
    assert module.log[1:] == [("read", 154, 8), ("read", 162, 8), ("read", 170, 4)]


def test_a_module_that_allows_it_is_read_a_page_at_a_time(module: TinyModule, clock: Any) -> None:
    memory = I2cMemory(I2cBus(module, clock, name="i2c-1"), clock, max_read=128)
    assert memory.read(0, 0x00, 128, 128) == bytes(range(128))
    assert module.log[-1] == ("read", 128, 128)
    assert memory.read(0, 0x00, 0, 128)[:126] == LOWER[:126]


def test_long_writes_go_in_pieces_of_eight(memory: I2cMemory, module: TinyModule) -> None:
    memory.write(0, 0x10, 145, bytes(range(1, 11)))
    assert module.log[1:] == [("write", 145, bytes(range(1, 9))), ("write", 153, bytes([9, 10]))]
    assert memory.read(0, 0x10, 145, 10) == bytes(range(1, 11))


@pytest.mark.parametrize(
    ("byte", "length"), [(120, 9), (127, 2), (128, 129), (255, 2), (0, 0), (-1, 1), (256, 1)]
)
def test_no_access_crosses_the_border_of_a_half(
    memory: I2cMemory, module: TinyModule, byte: int, length: int
) -> None:
    with pytest.raises(ValueError, match="do not lie within"):
        memory.read(0, 0, byte, length)
    assert module.log == []


def test_a_missing_page_is_found_by_the_fall_back_to_page_00h(memory: I2cMemory) -> None:
    with pytest.raises(PageUnavailableError, match=r"page 20h bank 0 .* page 00h bank 0 selected") as caught:
        memory.read(0, 0x20, 128, 1)
    assert (caught.value.bank, caught.value.page) == (0, 0x20)
    assert memory.read(0, 0x11, 128, 1) == bytes([127])


def test_a_missing_bank_is_found_and_nothing_is_written(memory: I2cMemory, module: TinyModule) -> None:
    with pytest.raises(PageUnavailableError, match="bank 2"):
        memory.write(2, 0x10, 130, b"\xff")
    assert all(not any(page[2:3]) or key != (0, 0x10) for key, page in module.pages.items())


def test_a_refusal_within_the_limit_is_waited_for(memory: I2cMemory, module: TinyModule, clock: Any) -> None:
    module.refusals = 3
    assert memory.read(0, 0, 14, 2) == bytes([14, 15])
    assert 0.0 < sum(clock.sleeps) <= 0.010


def test_a_refusal_beyond_the_limit_says_what_where_and_how_long(
    memory: I2cMemory, module: TinyModule, clock: Any
) -> None:
    module.refusals = 10_000
    with pytest.raises(ModuleNotRespondingError) as caught:
        memory.write(0, 0x10, 143, b"\xff")
    text = str(caught.value)
    for part in ("0x50", "i2c-1", "selecting page 10h bank 0", "10.0 ms"):
        assert part in text
    assert sum(clock.sleeps) == pytest.approx(0.010)


def test_after_silence_the_page_is_selected_anew(memory: I2cMemory, module: TinyModule) -> None:
    memory.read(0, 0x11, 128, 1)
    module.refusals = 10_000
    with pytest.raises(ModuleNotRespondingError, match=r"page 11h bank 0 bytes 130\.\.131"):
        memory.read(0, 0x11, 130, 2)
    module.refusals = 0
    module.log.clear()
    memory.read(0, 0x11, 128, 1)
    assert module.log[0] == ("write", 126, b"\x00\x11")


def test_after_a_write_to_the_user_eeprom_the_limit_is_80_ms(
    memory: I2cMemory, module: TinyModule, clock: Any
) -> None:
    memory.write(0, 0x03, 128, b"\x01")
    module.refusals = 10_000
    with pytest.raises(ModuleNotRespondingError, match="may hold off for 80 ms"):
        memory.read(0, 0x03, 128, 1)
    assert sum(clock.sleeps) == pytest.approx(0.080)


@pytest.mark.parametrize(("byte", "data"), [(118, b"\x01"), (121, b"\x01"), (112, bytes(8))])
def test_a_new_password_may_take_as_long(
    memory: I2cMemory, module: TinyModule, byte: int, data: bytes
) -> None:
    memory.write(0, 0, byte, data)
    module.refusals = 10_000
    with pytest.raises(ModuleNotRespondingError, match="may hold off for 80 ms"):
        memory.read(0, 0, 3, 1)


@pytest.mark.parametrize(("byte", "data"), [(122, b"\x01"), (110, bytes(8))])
def test_other_writes_to_lower_memory_do_not(
    memory: I2cMemory, module: TinyModule, byte: int, data: bytes
) -> None:
    memory.write(0, 0, byte, data)
    module.refusals = 10_000
    with pytest.raises(ModuleNotRespondingError, match="may hold off for 10 ms"):
        memory.read(0, 0, 3, 1)


class HeldBus(I2cBus):
    """Notes of every transfer how many hold the bus."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.depth = 0
        self.depths: list[int] = []

    @contextmanager
    def transaction(self) -> Iterator[bool]:  # type: ignore[override]
        with super().transaction():
            self.depth += 1
            yield True
            self.depth -= 1

    def _transfer(self, address: int, *messages: Any) -> None:
        self.depths.append(self.depth)
        super()._transfer(address, *messages)


def test_the_bus_is_held_from_the_select_to_the_access(module: TinyModule, clock: Any) -> None:
    bus = HeldBus(module, clock, name="i2c-1")
    memory = I2cMemory(bus, clock)
    memory.write(0, 0x10, 145, bytes(10))
    memory.read(0, 0x11, 154, 20)
    assert len(bus.depths) > 4
    assert all(depth >= 1 for depth in bus.depths)


# -- page 00h without page registers that could be believed ---------------------------------------------


class FlatEeprom(TinyModule):
    """A cable's memory: 256 bytes, which may be write-protected."""

    def __init__(self, page_registers: bytes, *, protected: bool) -> None:
        super().__init__({(0, 0): bytes(range(128))})
        self.lower[2] = 0x80
        self.lower[126:128] = page_registers
        self.protected = protected

    def store(self, pointer: int, data: bytes) -> None:
        if self.protected:
            raise OSError(errno.ENXIO, "no acknowledge")

    def upper(self) -> bytearray:
        return self.pages[0, 0]


@pytest.mark.parametrize("combine", [True, False])
@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize("page_registers", [b"\0\0", b"\xff\xff", b"\0\x20"])
def test_page_00h_of_a_cables_memory_is_read_without_a_select(
    clock: Any, page_registers: bytes, protected: bool, combine: bool
) -> None:
    module = FlatEeprom(page_registers, protected=protected)
    memory = I2cMemory(I2cBus(module, clock, name="i2c-1"), clock, combine=combine)
    for _ in range(2):
        assert memory.read(0, 0, 129, 16) == bytes(range(1, 17))
    assert "write" not in {kind for kind, _, _ in module.log}
    memory.forget_page()
    assert memory.read(0, 0, 200, 1) == bytes([72])


def test_a_paged_module_has_page_00h_selected(memory: I2cMemory, module: TinyModule) -> None:
    module.lower[126:128] = b"\x01\x11"
    assert memory.read(0, 0, 129, 2) == bytes([1, 2])
    assert ("write", 126, b"\0\0") in module.log


def test_no_flag_of_another_page_is_read_while_page_00h_is_looked_for(
    memory: I2cMemory, module: TinyModule
) -> None:
    module.lower[126:128] = b"\x00\x11"
    memory.read(0, 0, 134, 8)
    assert [pointer for kind, pointer, _ in module.log if kind == "read" and pointer >= 128] == [134]
    assert module.log[-2:] == [("write", 126, b"\0\0"), ("read", 134, 8)]


def test_a_fault_of_the_bus_is_not_the_modules(memory: I2cMemory, module: TinyModule) -> None:
    module.fault = errno.EBUSY
    with pytest.raises(ConnectionFailedError):
        memory.read(0, 0, 0, 1)


@pytest.mark.parametrize("length", [0, 1, 6, 7, 9, 31, 127, 129, 130])
@pytest.mark.parametrize("limit", ["max_read", "max_write"])
def test_transaction_lengths_are_even_and_have_bounds(
    module: TinyModule, clock: Any, length: int, limit: str
) -> None:
    with pytest.raises(ValueError, match=r"even number of 8\.\.128"):
        I2cMemory(I2cBus(module, clock, name="i2c-1"), clock, **{limit: length})


def test_a_restart_that_nobody_told_of_does_not_pass_page_00h_for_page_11h(
    memory: I2cMemory, module: TinyModule
) -> None:
    memory.read(0, 0x11, 154, 2)
    module.restart()
    module.log.clear()
    assert memory.read(0, 0x11, 154, 2) == bytes(reversed(range(128)))[26:28]
    assert module.log == [("read", 154, 2), ("write", 126, b"\x00\x11"), ("read", 154, 2)]


def test_a_restart_in_the_middle_of_a_long_read_is_noticed(module: TinyModule, clock: Any) -> None:
    # Within a combined transaction a module that restarts does not acknowledge, and all of it is repeated.
    memory = I2cMemory(I2cBus(module, clock, name="i2c:1"), clock, combine=False)
    plain = module.i2c_rdwr

    def restart_before_the_third(*messages: Any) -> None:
        if len(module.log) == 3:
            module.restart()
        plain(*messages)

    module.i2c_rdwr = restart_before_the_third  # type: ignore[method-assign]
    assert memory.read(0, 0x11, 154, 24) == bytes(reversed(range(128)))[26:50]


def test_after_a_restart_nothing_is_written_to_another_page(memory: I2cMemory, module: TinyModule) -> None:
    memory.write(0, 0x10, 130, b"\x01")
    module.restart()
    memory.write(0, 0x10, 130, b"\xff")
    assert module.pages[0, 0x10][2] == 0xFF
    assert module.pages[0, 0x00] == bytes(range(128))


def test_another_hosts_page_select_is_noticed_too(memory: I2cMemory, module: TinyModule) -> None:
    memory.read(0, 0x11, 128, 1)
    module.lower[126:128] = b"\x01\x11"
    assert memory.read(0, 0x11, 128, 1) == bytes([127])


def test_a_module_that_keeps_restarting_is_said_to_have_another_page(
    memory: I2cMemory, module: TinyModule
) -> None:
    plain = module.i2c_rdwr

    def restarting(*messages: Any) -> None:
        plain(*messages)
        module.restart()

    module.i2c_rdwr = restarting  # type: ignore[method-assign]
    with pytest.raises(PageUnavailableError, match=r"page 11h bank 0 .* page 00h bank 0 selected"):
        memory.read(0, 0x11, 128, 1)
    assert len([entry for entry in module.log if entry[0] == "write"]) == 2


@pytest.mark.parametrize(
    ("byte", "data"), [(26, b"\x08"), (25, b"\x00\x48"), (126, b"\x00"), (120, bytes(8))]
)
def test_a_write_that_changes_the_page_makes_it_forgotten(
    memory: I2cMemory, module: TinyModule, byte: int, data: bytes
) -> None:
    memory.read(0, 0x11, 128, 1)
    memory.write(0, 0, byte, data)
    module.log.clear()
    memory.read(0, 0x11, 128, 1)
    assert module.log[0] == ("write", 126, b"\x00\x11")


def test_other_writes_to_lower_memory_leave_the_page_alone(memory: I2cMemory, module: TinyModule) -> None:
    memory.read(0, 0x11, 128, 1)
    memory.write(0, 0, 26, b"\xf7")
    module.log.clear()
    memory.read(0, 0x11, 128, 1)
    assert module.log == [("read", 128, 1)]


def test_no_read_message_is_longer_than_allowed(memory: I2cMemory, module: TinyModule) -> None:
    lengths: list[int] = []
    plain = module.i2c_rdwr

    def noting(*messages: Any) -> None:
        lengths.extend(message.len for message in messages[1::2])
        plain(*messages)

    module.i2c_rdwr = noting  # type: ignore[method-assign]
    memory.read(0, 0x11, 128, 128)
    assert max(lengths) == 8


def test_an_unplugged_adapter_is_not_the_modules_fault(memory: I2cMemory, module: TinyModule) -> None:
    module.fault = errno.ENODEV
    with pytest.raises(ConnectionFailedError, match="adapter"):
        memory.read(0, 0x11, 128, 1)
