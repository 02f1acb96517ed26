"""The reference client: the project's own drivers work over it as on hardware."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from smbus2 import i2c_msg

from drivers.clock import StopFlag, StopRequested
from drivers.cmis.access import I2cMemory
from drivers.cmis.errors import ModuleNotRespondingError
from drivers.errors import ConnectionFailedError
from drivers.host_board import I2cHostBoard
from drivers.i2c import I2cBus, I2cNackError
from drivers.interfaces import ModulePins
from harness.simulation.served.client import ServedModuleClient, open_served
from harness.simulation.served.served_module import PIN_BITS
from harness.simulation.served.server import ModuleServer

Serve = Callable[..., ModuleServer]
Open = Callable[..., ServedModuleClient]


@pytest.fixture
def connect() -> Iterator[Open]:
    with contextlib.ExitStack() as stack:

        def opened(server: ModuleServer, slot: int = 0, stop: StopFlag | None = None) -> ServedModuleClient:
            served = open_served(f"{server.address}/{slot}", stop)
            stack.callback(served.bus.close)
            return served

        yield opened


def memory_of(served: ServedModuleClient) -> I2cMemory:
    return I2cMemory(I2cBus(served.bus, served.clock, name="slot"), served.clock)


def test_the_bus_fills_smbus2s_buffers(serve: Serve, connect: Open) -> None:
    bus, _, clock = connect(serve())
    clock.sleep(2.0)
    answer, again = i2c_msg.read(0x50, 16), i2c_msg.read(0x50, 2)
    bus.i2c_rdwr(i2c_msg.write(0x50, [129]), answer, i2c_msg.write(0x50, [0]), again)
    assert bytes(answer) == b"LANEWISE        "
    assert bytes(again) == b"\x18\x50"


def test_smbus_calls_read_and_write(serve: Serve, connect: Open) -> None:
    bus, _, clock = connect(serve())
    clock.sleep(2.0)
    bus.write_byte_data(0x50, 31, 0x5A)  # a mask: the host may write it
    clock.sleep(0.01)
    assert bus.read_byte_data(0x50, 31) & 0xC1 == 0x5A & 0xC1
    bus.write_i2c_block_data(0x50, 126, [0, 0])
    clock.sleep(0.01)
    assert bytes(bus.read_i2c_block_data(0x50, 148, 16)) == b"LW-400G-DR4-SIM "
    with pytest.raises(ValueError, match="32"):
        bus.read_i2c_block_data(0x50, 0, 33)


def test_a_missing_acknowledge_is_what_linux_reports(serve: Serve, connect: Open) -> None:
    bus, _, clock = connect(serve())
    with pytest.raises(OSError) as caught:
        bus.i2c_rdwr(i2c_msg.read(0x50, 1))
    assert caught.value.errno == errno.ENXIO
    with pytest.raises(I2cNackError):
        I2cBus(bus, clock, name="bus").write(0x33, b"\0")


def test_what_linux_refuses_is_refused(serve: Serve, connect: Open) -> None:
    bus, _, _ = connect(serve())
    odd = i2c_msg.read(0x50, 1)
    odd.flags |= 0x4000
    with pytest.raises(OSError) as caught:
        bus.i2c_rdwr(odd)
    assert caught.value.errno == errno.EOPNOTSUPP
    with pytest.raises(OSError) as caught:
        bus.i2c_rdwr(*(i2c_msg.read(0x50, 1) for _ in range(43)))
    assert caught.value.errno == errno.EINVAL


def test_the_hosts_memory_port_waits_hold_offs_out_on_the_remote_clock(serve: Serve, connect: Open) -> None:
    served = connect(serve())
    assert served.clock.kind == "remote"
    memory = memory_of(served)
    with pytest.raises(ModuleNotRespondingError):
        memory.read(0, 0, 0, 1)
    served.clock.sleep(2.0)
    memory.write(0, 0x10, 130, b"\x0f")
    assert memory.read(0, 0x10, 130, 1) == b"\x0f"


def test_pins_are_module_pins(serve: Serve, connect: Open) -> None:
    _, served_pins, clock = connect(serve())
    pins: ModulePins = served_pins
    clock.sleep(2.0)
    assert pins.module_present()
    assert pins.interrupt_asserted()
    before_s = clock.now_s()
    pins.set_reset(asserted=True)
    assert pins.reset_asserted()
    assert clock.now_s() >= before_s + 10e-6  # the shortest pulse that counts
    assert not pins.interrupt_asserted()
    pins.set_reset(asserted=False)
    assert not pins.reset_asserted()


def test_the_host_boards_driver_works_over_a_served_bus(serve: Serve, connect: Open) -> None:
    served = connect(serve())
    board = I2cHostBoard(
        I2cBus(served.bus, served.clock, name="board"),
        served.clock,
        name="board",
        options={"expander_address": 0x20, "pin_bits": dict(PIN_BITS)},
    )
    board.connect()
    served.clock.sleep(2.0)
    assert board.pins.module_present()
    assert board.memory.read(0, 0, 129, 8) == b"LANEWISE"
    board.pins.set_low_power(asserted=False)
    served.clock.sleep(15.0)
    assert board.memory.read(0, 0x11, 128, 4) == b"\x44" * 4
    assert all(step.safe for step in board.make_safe())
    assert served.pins.reset_asserted()


def test_sleep_advances_a_manual_clock_and_honours_a_stop(serve: Serve, connect: Open) -> None:
    stop = StopFlag()
    server = serve()
    clock = connect(server, stop=stop).clock
    clock.sleep(2.5)
    assert clock.now_s() == pytest.approx(2.5)
    watcher = connect(server).clock

    def ask_for_a_stop() -> None:
        while watcher.now_s() < 10.0:
            pass
        stop.request("enough")

    thread = threading.Thread(target=ask_for_a_stop)
    thread.start()
    with pytest.raises(StopRequested):
        clock.sleep(100_000.0)
    thread.join()
    assert watcher.now_s() < 100_000.0
    with pytest.raises(StopRequested):
        clock.checkpoint()


def test_sleep_waits_where_time_is_on_the_wall(serve: Serve, connect: Open) -> None:
    served = connect(serve(speed=20.0))
    before_s = served.clock.now_s() + served.clock.lost_s()
    served.clock.sleep(2.0)
    # What the machine was too slow for was lost, and says so.
    assert served.clock.now_s() + served.clock.lost_s() >= before_s + 2.0


def test_light_and_supply_are_in_the_clients_hands(serve: Serve, connect: Open) -> None:
    served = connect(serve())
    served.clock.sleep(2.0)
    served.pins.set_low_power(asserted=False)
    served.clock.sleep(15.0)
    around = served.surroundings
    assert around.launch_power_w(1) > 5e-4
    around.set_loopback_db(0, 10.0)
    around.set_light_dbm(2, float("-inf"))
    served.clock.sleep(0.3)
    memory = memory_of(served)
    raw = memory.read(0, 0x11, 186, 4)
    assert int.from_bytes(raw[:2]) * 1e-7 == pytest.approx(around.launch_power_w(1) / 10.0, rel=0.5)
    assert raw[2:] == b"\0\0"
    around.set_case_temp_c(50.0)
    around.set_case_temp_c(None)
    around.set_inserted(False)
    assert not served.pins.module_present()
    around.set_inserted(True)
    around.set_vcc_v(0.0)
    assert around.launch_power_w(1) == 0.0
    with pytest.raises(OSError, match="supply: 0"):
        around.set_vcc_v(-1.0)


def test_a_server_that_has_gone_is_a_fault_of_the_connection(serve: Serve, connect: Open) -> None:
    server = serve()
    served = connect(server)
    server.close()
    with pytest.raises(ConnectionFailedError):
        I2cBus(served.bus, served.clock, name="bus").write(0x50, b"\0")
    with pytest.raises(ConnectionFailedError):
        served.pins.module_present()
    with pytest.raises(ConnectionFailedError):
        served.clock.sleep(1.0)


def test_opening_what_is_not_there_says_what_to_do(serve: Serve) -> None:
    server = serve()
    with pytest.raises(ConnectionFailedError, match=r"slots 0 to 0, not 1.*lanewise simulate module"):
        open_served(f"{server.address}/1")
    address = server.address
    server.close()
    with pytest.raises(ConnectionFailedError, match="lanewise simulate module"):
        open_served(f"{address}/0")
    with pytest.raises(ValueError, match="HOST:PORT"):
        open_served("nowhere")


@pytest.mark.parametrize(
    "said", [b"", b"\0\0", b"\xff\xff", b"\0\1\0", b"\0\2\0\2", b"HTTP/1.1 400 Bad Request\r\n"]
)
def test_a_peer_that_is_no_server_is_found_out(said: bytes) -> None:
    def answer(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(100)
            peer.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        with pytest.raises(ConnectionFailedError):
            open_served(f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
