"""Servers for tests, and a client of nothing but a socket."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from harness.simulation.module.profile import load_profile
from harness.simulation.served.served_module import ServedModule, modules_of
from harness.simulation.served.server import ModuleServer


class RawClient:
    """The documented protocol by hand: ``socket`` and ``struct``, nothing of the project."""

    def __init__(self, address: str, slot: int = 0) -> None:
        host, _, port = address.rpartition(":")
        if host == "unix":
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.connect(port)
        else:
            self.socket = socket.create_connection((host, int(port)))
        self.socket.settimeout(60)
        self.slot = slot

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self, operation: bytes, body: bytes = b"", slot: int | None = None) -> tuple[int, bytes]:
        content = operation + struct.pack(">H", self.slot if slot is None else slot) + body
        self.send(struct.pack(">H", len(content)) + content)
        return self.reply()

    def reply(self) -> tuple[int, bytes]:
        (length,) = struct.unpack(">H", self.exactly(2))
        content = self.exactly(length)
        return content[0], content[1:]

    def exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise EOFError("the server closed the connection")
            data += part
        return data

    def done(self, operation: bytes, body: bytes = b"") -> bytes:
        status, answer = self.request(operation, body)
        assert status == 0, (status, answer)
        return answer

    def is_closed(self) -> bool:
        """Whether the server closes the connection, after what it still has to say."""
        with contextlib.suppress(OSError):
            while self.socket.recv(4096):
                pass
        return True

    def advance(self, seconds: float) -> None:
        self.done(b"C", struct.pack(">Q", round(seconds * 1e9)))

    def now_s(self) -> float:
        now_ns, _ = struct.unpack(">QQ", self.done(b"C", bytes(8)))
        return float(now_ns) * 1e-9

    def pins(self, mask: int = 0, values: int = 0) -> int:
        return self.done(b"P", bytes([mask, values]))[0]

    def surround(self, quantity: int, value: float, lane: int = 0) -> None:
        self.done(b"E", struct.pack(">BBd", quantity, lane, value))

    def launch_power_w(self, lane: int) -> float:
        (power_w,) = struct.unpack(">d", self.done(b"O", bytes([lane])))
        return float(power_w)

    def try_read(self, byte: int, length: int) -> tuple[int, bytes]:
        write = struct.pack(">BBHB", 0x50, 0, 1, byte)
        return self.request(b"T", write + struct.pack(">BBH", 0x50, 1, length))

    def try_write(self, byte: int, data: bytes) -> tuple[int, bytes]:
        return self.request(b"T", struct.pack(">BBHB", 0x50, 0, 1 + len(data), byte) + data)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., ModuleServer]]:
    """``serve(count=1, speed=None, profile="good-dr4", address=...)`` starts a server of this process."""
    with contextlib.ExitStack() as stack:

        def start(
            count: int = 1,
            speed: float | None = None,
            profile: str = "good-dr4",
            address: str = "127.0.0.1:0",
        ) -> ModuleServer:
            modules: list[ServedModule] = modules_of([load_profile(profile)] * count, speed=speed)
            return stack.enter_context(ModuleServer(modules, address))

        yield start


@pytest.fixture
def raw() -> Iterator[Callable[..., RawClient]]:
    """``raw(server, slot=0)`` connects a :class:`RawClient`."""
    with contextlib.ExitStack() as stack:

        def connect(server: ModuleServer, slot: int = 0) -> RawClient:
            client = RawClient(str(server.address), slot)
            stack.callback(client.close)
            return client

        yield connect


@pytest.fixture
def wait_for() -> Callable[[Callable[[], bool]], None]:
    """Wait, by the wall clock, for what another thread is about to do."""

    def wait(holds: Callable[[], bool]) -> None:
        end_s = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < end_s
            time.sleep(0.001)

    return wait


@pytest.fixture
def raw_client_class() -> type[RawClient]:
    """:class:`RawClient`, for servers elsewhere."""
    return RawClient
