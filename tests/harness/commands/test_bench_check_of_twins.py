"""Two roles whose addresses differ, and that may be one instrument."""

from __future__ import annotations

import pytest

from drivers.interfaces import Identity
from harness.commands.bench_check import twins

METER = Identity("Keysight Technologies", "N7745C", "DE1", "1.0")
OTHER = Identity("Keysight Technologies", "N7745C", "DE2", "1.0")
NAMELESS = Identity("", "host board", "", "")
SOCKET, LAN = "TCPIP0::10.0.0.5::5025::SOCKET", "TCPIP0::10.0.0.5::inst0::INSTR"
ELSEWHERE = "TCPIP0::10.0.0.6::inst0::INSTR"


@pytest.mark.parametrize(
    ("here", "there", "one", "other", "said"),
    [
        (SOCKET, LAN, METER, METER, "answer as one instrument (Keysight Technologies N7745C DE1)"),
        ("GPIB0::20::INSTR", LAN, METER, METER, "answer as one instrument"),
        (SOCKET, LAN, NAMELESS, NAMELESS, "answer as one instrument (host board)"),
        (SOCKET, LAN, METER, None, "are at one host, and b does not answer as it should"),
        ("socket://10.0.0.5:10001", LAN, None, METER, "are at one host, and a does not answer"),
        (SOCKET, LAN, METER, OTHER, ""),
        (SOCKET, ELSEWHERE, METER, OTHER, ""),
        (SOCKET, ELSEWHERE, METER, None, ""),
        ("i2c:1", "i2c:2", NAMELESS, NAMELESS, ""),
        ("TCPIP0::127.0.0.1::5::SOCKET", "TCPIP0::127.0.0.1::6::SOCKET", METER, None, ""),
        ("TCPIP0::127.0.0.1::5::SOCKET", "TCPIP0::127.0.0.1::6::SOCKET", METER, METER, "answer as one"),
    ],
)
def test_what_is_warned_of(
    here: str, there: str, one: Identity | None, other: Identity | None, said: str
) -> None:
    lines = twins({"a": here, "b": there}, {"a": one, "b": other})
    if not said:
        assert lines == []
        return
    (line,) = lines
    assert line.startswith(f"a and b: {here} and {there} ")
    assert said in line
    assert line.endswith("write shared_with")


def test_of_three_roles_each_pair_is_told() -> None:
    addresses = {"a": SOCKET, "b": LAN, "c": ELSEWHERE}
    assert len(twins(addresses, dict.fromkeys(addresses, METER))) == 3
