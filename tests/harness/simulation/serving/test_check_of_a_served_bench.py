"""``lanewise bench check`` over sockets: what is wrong is named, and nothing holds it up for long."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.commands.bench import check_bench
from harness.simulation.serving.bench_server import BenchServer

Serve = Callable[..., BenchServer]


@pytest.mark.parametrize("sockets_only", [True, False])
def test_a_sound_bench_is_in_order(
    serve: Serve, write_bench: Any, capsys: pytest.CaptureFixture[str], sockets_only: bool
) -> None:
    path = write_bench(serve(), sockets_only=sockets_only)
    assert check_bench(str(path), "400GBASE-DR4") == 0
    printed = capsys.readouterr().out
    assert "(SIMULATED)" in printed
    assert printed.endswith("\nin order\n")


def test_one_dead_one_wrong_and_one_slow_instrument_are_all_named(
    serve: Serve, write_bench: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(speed=1.0)
    path: Path = write_bench(server, sockets_only=True)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # held, and nothing listens there
        dead = f"TCPIP0::127.0.0.1::{nobody.getsockname()[1]}::SOCKET"
        (meter,) = (s.addresses["socket"] for s in server.instruments if s.role == "power_meter")
        path.write_text(path.read_text(encoding="utf-8").replace(meter, dead), encoding="utf-8")
        with server.backend.world.lock:
            server.backend.peers["optical_switch"].fail("wrong_identity")
            server.backend.peers["power_supply"].fail("slow", delay_s=60.0)
        assert check_bench(str(path), "400GBASE-DR4") == 2
    printed = capsys.readouterr().out
    named = re.search(r"^NOT in order: (.*)$", printed, re.MULTILINE)
    assert named is not None
    assert named[1].split(", ")[:3] == ["power_meter", "optical_switch", "power_supply"]
    assert "expected a Polatis" in printed
    assert printed.count("no reply within") + printed.count("nothing answers") >= 1
