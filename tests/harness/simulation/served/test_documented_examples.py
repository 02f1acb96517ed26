"""The examples of docs/simulated-module.md run, and what it says of the protocol is so."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.simulation.served import protocol
from harness.simulation.served.server import ModuleServer

_PAGE = Path(__file__).parents[4] / "docs" / "simulated-module.md"
_EXAMPLES = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)


def run(example: str, server: ModuleServer) -> str:
    """An example's output, run as a program of its own."""
    program = f"ADDRESS = {f'{server.address}/0'!r}\n{example}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("speed", [None, 20.0])
def test_the_example_with_the_client(serve: Callable[..., ModuleServer], speed: float | None) -> None:
    (example,) = [example for example in _EXAMPLES if "open_served" in example]
    assert run(example, serve(speed=speed)) == "b'LANEWISE        '\n"


def test_the_example_without_our_code(serve: Callable[..., ModuleServer]) -> None:
    (example,) = [example for example in _EXAMPLES if "open_served" not in example]
    assert not re.search("harness|drivers", example)
    hello, vendor = run(example, serve(speed=20.0)).splitlines()
    assert hello.startswith("(0, b'\\x01\\x00")
    assert vendor == "b'LANEWISE        '"


def test_the_page_names_every_operation_quantity_and_limit() -> None:
    text = _PAGE.read_text(encoding="utf-8")
    operations = set(re.findall(r"^\| `(.)` ", text, re.MULTILINE))
    assert operations == {
        operation.decode()
        for operation in (
            protocol.HELLO,
            protocol.TRANSFER,
            protocol.PINS_OP,
            protocol.CLOCK,
            protocol.SURROUND,
            protocol.LIGHT_OUT,
            protocol.FAULTS,
        )
    }
    paragraph = re.search(r"Quantities: (.*?)\n\n", text, re.DOTALL)
    assert paragraph
    numbers = {int(number) for number in re.findall(r"(?:^|\. |\.\n)(\d)\b", paragraph[1])}
    assert numbers == {int(quantity) for quantity in protocol.Quantity}
    assert f"1 to {protocol.LONGEST_FRAME}" in text
    assert f"1 to {protocol.MOST_MESSAGES} messages" in text
    assert f"hello (slot ignored) | | version u8 ({protocol.VERSION})" in text
