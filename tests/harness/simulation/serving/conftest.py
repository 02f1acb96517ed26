"""Served benches for tests, and the pyvisa that reaches them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from harness.bench_file.reading import find_bench_file, load_bench
from harness.simulation.serving.bench_file import served_bench_file
from harness.simulation.serving.bench_server import BenchServer

Serve = Callable[..., BenchServer]


class LineSocket:
    """A client of nothing but a socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(20)
        self._came = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        while b"\n" not in self._came:
            part = self.socket.recv(4096)
            if not part:
                raise EOFError("the server closed the connection")
            self._came += part
        line, _, self._came = self._came.partition(b"\n")
        return line

    def ask(self, query: bytes) -> bytes:
        self.send(query + b"\n")
        return self.line()

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """``serve(bench="sim-dr4", **options)`` serves a bench in a thread of this process."""
    with contextlib.ExitStack() as stack:

        def start(bench: str | Path = "sim-dr4", **options: Any) -> BenchServer:
            spec = load_bench(find_bench_file(str(bench)))
            return stack.enter_context(BenchServer(spec, **options))

        yield start


@pytest.fixture
def write_bench(tmp_path: Path) -> Callable[..., Path]:
    """``write_bench(server, bench="sim-dr4", **options)`` writes the bench file of a served bench."""

    def write(server: BenchServer, bench: str | Path = "sim-dr4", **options: Any) -> Path:
        path = tmp_path / "served.toml"
        path.write_text(served_bench_file(find_bench_file(str(bench)), server, **options), encoding="utf-8")
        return path

    return write


@pytest.fixture
def address_of() -> Callable[..., str]:
    """``address_of(server, role, way="socket")``: as a bench file writes it."""

    def find(server: BenchServer, role: str, way: str = "socket") -> str:
        (found,) = (served.addresses[way] for served in server.instruments if served.role == role)
        return found

    return find


@pytest.fixture
def port_of(address_of: Callable[..., str]) -> Callable[..., int]:
    """``port_of(server, role, way="socket")``: where an instrument listens."""

    def find(server: BenchServer, role: str, way: str = "socket") -> int:
        address = address_of(server, role, way)
        return int(address.split(",")[1].split(":")[0] if way == "hislip" else address.split("::")[2])

    return find


@pytest.fixture
def connect(port_of: Callable[..., int]) -> Iterator[Callable[[BenchServer, str], LineSocket]]:
    """``connect(server, role)``: a :class:`LineSocket` to an instrument."""
    with contextlib.ExitStack() as stack:

        def make(server: BenchServer, role: str) -> LineSocket:
            client = LineSocket(port_of(server, role))
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def visa() -> Iterator[Callable[[str], Any]]:
    """``visa(address)``: a resource of pyvisa-py."""
    with contextlib.ExitStack() as stack:
        manager = pyvisa.ResourceManager("@py")

        def open_resource(address: str) -> Any:
            resource: Any = manager.open_resource(address, read_termination="\n", write_termination="\n")
            stack.callback(resource.close)
            return resource

        yield open_resource
