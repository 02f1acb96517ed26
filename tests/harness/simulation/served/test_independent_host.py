"""A host that knows the register tables of CMIS and the documented protocol, and nothing of this project.

It brings a module up and reads its light; what it reads is compared with the world's truth. It uses sockets
and ``struct`` alone: none of ``drivers.cmis`` and no client class.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.simulation.module.profile import load_profile
from harness.simulation.served.served_module import modules_of
from harness.simulation.served.server import ModuleServer

_PROFILE = """
extends = "good-dr4"
description = "400GBASE-DR4 whose monitors and couplings are exact"

[transmitter]
tracking_db = [0.0, 0.0, 0.0, 0.0]

[monitors]
tx_power_monitor_error_db = [0.0, 0.0, 0.0, 0.0]
rx_power_monitor_error_db = [0.0, 0.0, 0.0, 0.0]
"""
_WANDER_DB = 0.06  # the launch power moves by 0.01 dB rms between the monitor's look and ours

LPMODE, RESET = 2, 1
MODULE_LOW_PWR, MODULE_READY = 1, 3
DP_DEACTIVATED, DP_ACTIVATED = 1, 4
CONFIG_SUCCESS = 1
HOST_400GAUI_8, MEDIA_400GBASE_DR4 = 0x11, 0x1C
# Upper bounds of the duration codes, seconds.
DURATION_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 600.0, 3000.0, 6000.0)


class Host:
    """One slot of a server."""

    def __init__(self, host: str, port: int, slot: int) -> None:
        self.connection = socket.create_connection((host, port), timeout=30)
        self.replies = self.connection.makefile("rb")
        self.slot = slot
        version, clock, self.speed, _ = struct.unpack_from(">BBdH", self.request(b"H"))
        assert version == 1
        self.manual = clock == 1

    def close(self) -> None:
        self.replies.close()
        self.connection.close()

    def ask(self, operation: bytes, body: bytes = b"") -> tuple[int, bytes]:
        self.connection.sendall(struct.pack(">HcH", 3 + len(body), operation, self.slot) + body)
        (length,) = struct.unpack(">H", self.replies.read(2))
        reply = self.replies.read(length)
        return reply[0], reply[1:]

    def request(self, operation: bytes, body: bytes = b"") -> bytes:
        status, answer = self.ask(operation, body)
        assert status == 0, answer
        return answer

    def now_s(self) -> float:
        return float(struct.unpack(">QQ", self.request(b"C", bytes(8)))[0]) / 1e9

    def wait(self, seconds: float) -> None:
        if self.manual:
            self.request(b"C", struct.pack(">Q", round(seconds * 1e9)))
        else:
            time.sleep(seconds / self.speed)

    def transfer(self, body: bytes, limit_s: float = 0.1) -> bytes:
        """Ask again while the module holds off."""
        start_s = self.now_s()
        while True:
            status, answer = self.ask(b"T", body)
            if status == 0:
                return answer
            assert status == 1, answer
            assert self.now_s() - start_s < limit_s, "no acknowledge"
            self.wait(0.001)

    def read(self, page: int, byte: int, length: int, limit_s: float = 0.1) -> bytes:
        if byte >= 128:
            self.write(0, 126, bytes([0, page]))
        data = b""
        for start in range(byte, byte + length, 8):
            size = min(8, byte + length - start)
            address = struct.pack(">BBHB", 0x50, 0, 1, start)
            data += self.transfer(address + struct.pack(">BBH", 0x50, 1, size), limit_s)
        return data

    def write(self, page: int, byte: int, data: bytes) -> None:
        if byte >= 128:
            self.write(0, 126, bytes([0, page]))
        self.transfer(struct.pack(">BBHB", 0x50, 0, 1 + len(data), byte) + data)

    def until(self, what: str, reached: object, limit_s: float) -> None:
        assert callable(reached)
        start_s = self.now_s()
        while not reached():
            assert self.now_s() - start_s < limit_s, f"{what}: not within {limit_s} s"
            self.wait(0.01)

    # -- CMIS ------------------------------------------------------------------------------------------

    def module_state(self) -> int:
        return self.read(0, 3, 1)[0] >> 1 & 0b111

    def nibbles(self, byte: int) -> list[int]:
        """Eight host lanes of page 11h, the odd one in the low nibble."""
        return [nibble for pair in self.read(0x11, byte, 4) for nibble in (pair & 0xF, pair >> 4)]

    def choose_application(self) -> int:
        for number in range(1, 9):
            host, media, lanes, _ = self.read(0, 82 + 4 * number, 4)
            assert host != 0xFF, "no such application"
            if (host, media) == (HOST_400GAUI_8, MEDIA_400GBASE_DR4):
                assert lanes == 0x84
                return number
        pytest.fail("no such application")

    def bring_up(self) -> None:
        self.request(b"P", bytes([RESET | LPMODE, RESET | LPMODE]))
        self.wait(20e-6)
        self.request(b"P", bytes([RESET, 0]))
        assert self.read(0, 0, 1, limit_s=2.1) == b"\x18"  # tMgmtInit; QSFP-DD
        assert self.read(0, 2, 1)[0] >> 7 == 0  # paged memory
        assert self.module_state() == MODULE_LOW_PWR
        self.write(0x10, 128, b"\xff")  # DPDeinit: nothing starts by itself
        power_up_s = DURATION_S[self.read(0x01, 167, 1)[0] & 0xF]
        self.request(b"P", bytes([LPMODE, 0]))
        self.until("ModuleReady", lambda: self.module_state() == MODULE_READY, power_up_s)
        application = self.choose_application()
        assert self.nibbles(128) == [DP_DEACTIVATED] * 8
        self.write(0x10, 145, bytes([application << 4]) * 8)  # SCS0: all lanes in data path 0
        self.write(0x10, 143, b"\xff")  # ApplyDPInit
        self.until("ConfigSuccess", lambda: self.nibbles(202) == [CONFIG_SUCCESS] * 8, 1.0)
        init_s = DURATION_S[self.read(0x01, 144, 1)[0] & 0xF]
        turn_on_s = DURATION_S[self.read(0x01, 168, 1)[0] & 0xF]
        self.write(0x10, 128, b"\0")
        self.until("DPActivated", lambda: self.nibbles(128) == [DP_ACTIVATED] * 8, init_s + turn_on_s)
        assert self.read(0x11, 206, 8) == bytes([application << 4]) * 8
        assert self.read(0x11, 133, 1) == b"\x0f"

    def powers_w(self, byte: int) -> list[float]:
        return [1e-7 * raw for raw in struct.unpack(">4H", self.read(0x11, byte, 8))]


@pytest.fixture(params=[None, 20.0], ids=["manual clock", "20 s a second"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ModuleServer]:
    path = tmp_path / "exact.toml"
    path.write_text(_PROFILE)
    speed: float | None = request.param
    with ModuleServer(modules_of([load_profile(path)] * 2, speed=speed)) as server:
        yield server


def test_an_independent_host_activates_a_module_and_reads_the_right_light(server: ModuleServer) -> None:
    served = server.modules[1]
    with served.world.lock:
        served.surroundings.set_case_temp_c(25.0)
        served.surroundings.set_loopback_db(0, 4.5)
    host = Host(server.address.host, server.address.port, slot=1)
    try:
        host.bring_up()
        host.wait(0.3)  # the monitors' next look
        with served.world.lock:
            true_w = [served.module.launch_power_w(lane) for lane in range(1, 5)]
        sent_w, received_w = host.powers_w(154), host.powers_w(186)
    finally:
        host.close()
    assert min(true_w) > 0.5e-3
    for true, sent, received in zip(true_w, sent_w, received_w, strict=True):
        assert 10 * math.log10(sent / true) == pytest.approx(0.0, abs=_WANDER_DB)
        assert 10 * math.log10(received / true) == pytest.approx(-4.5, abs=_WANDER_DB)
    assert len({round(power_w * 1e7) for power_w in true_w}) == 4  # four lanes, each its own
