"""Any two callables as a module's memory."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.cmis.errors import InvalidMemoryError, PageUnavailableError, ReadOnlyMemoryError
from drivers.cmis.image import MemoryImage
from drivers.cmis.module import CmisModule
from drivers.cmis.ports import CallableMemory


def test_two_callables_are_enough_for_a_module(clock: Any) -> None:
    image = MemoryImage(bytes(range(128)))
    module = CmisModule(CallableMemory(image.get, image.put), clock)
    assert module.temperature_c() == (14 * 256 + 15) / 256
    module.set("LowPwrRequestSW", 1)
    assert image.get(0, 0, 26, 1) == bytes([26 | 0x10])


@pytest.mark.parametrize("answer", [b"", b"abc", b"abcde", bytearray(5)])
def test_an_answer_of_another_length_is_told(answer: bytes) -> None:
    memory = CallableMemory(lambda *_: answer)
    with pytest.raises(
        InvalidMemoryError, match=rf"page 11h bank 2 bytes 154\.\.157.*{len(answer)} bytes, expected 4"
    ):
        memory.read(2, 0x11, 154, 4)


@pytest.mark.parametrize("answer", [None, "abcd", 4, [1, 2, 3, 4]])
def test_an_answer_that_is_no_bytes_is_told(answer: Any) -> None:
    memory = CallableMemory(lambda *_: answer)
    with pytest.raises(
        InvalidMemoryError, match=rf"lower memory bytes 0\.\.3.*returned {type(answer).__name__}"
    ):
        memory.read(0, 0, 0, 4)


def test_bytes_of_other_types_become_bytes() -> None:
    memory = CallableMemory(lambda *_: bytearray(b"ab"))  # type: ignore[arg-type, return-value]
    assert type(memory.read(0, 0, 0, 2)) is bytes


def test_what_a_callable_raises_is_its_own() -> None:
    def read(*_: int) -> bytes:
        raise RuntimeError("theirs")

    with pytest.raises(RuntimeError, match="theirs"):
        CallableMemory(read).read(0, 0, 0, 1)


def test_without_a_write_function_it_is_read_only() -> None:
    with pytest.raises(ReadOnlyMemoryError, match=r"page 10h bank 0 bytes 130\.\.130"):
        CallableMemory(lambda *_: b"").write(0, 0x10, 130, b"\1")


@pytest.mark.parametrize(
    ("bank", "page", "byte", "length"), [(0, 0, 120, 9), (0, 0, 256, 1), (256, 0, 0, 1), (0, -1, 0, 1)]
)
def test_what_lies_nowhere_is_not_asked_for(bank: int, page: int, byte: int, length: int) -> None:
    asked: list[Any] = []
    memory = CallableMemory(lambda *args: asked.append(args) or b"", lambda *args: asked.append(args))
    with pytest.raises(ValueError):
        memory.read(bank, page, byte, length)
    with pytest.raises(ValueError):
        memory.write(bank, page, byte, bytes(length))
    assert asked == []


def test_errors_of_the_library_pass_unchanged() -> None:
    with pytest.raises(PageUnavailableError):
        CallableMemory(MemoryImage().get).read(0, 0x11, 128, 1)
