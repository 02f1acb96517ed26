"""CDB from end to end: this library, the host board's driver, and the simulated module on its bus."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from drivers.cmis.cdb.features import read_features, read_firmware_features
from drivers.cmis.cdb.firmware import update_firmware
from drivers.cmis.cdb.firmware_info import read_firmware_info, read_firmware_revisions
from drivers.cmis.cdb.session import CdbSession
from drivers.cmis.errors import CdbCommandFailedError, FirmwareUpdateError
from drivers.cmis.module import CmisModule
from drivers.cmis.ports import AccessLimits
from drivers.host_board import I2cHostBoard
from drivers.i2c import I2cBus
from harness.simulation.light.beam import Beam, Modulation, even_levels
from harness.simulation.module.board import SimulatedHostBoard
from harness.simulation.module.commands.firmware import make_image
from harness.simulation.module.profile import load_profile
from harness.simulation.module.simulated_module import SimulatedModule
from harness.simulation.signals import TRAFFIC
from harness.simulation.smbus import SimulatedI2cBus
from harness.simulation.world import VirtualClock, World

PIN_BITS: Mapping[str, int] = {"reset_l": 0, "lpmode": 1, "modsel_l": 2, "modprs_l": 8, "int_l": 9}
IMAGE = make_image((2, 5), 7, 9000, erased_bytes=4500, text="end to end")


class Surroundings:
    vcc = 3.3

    def vcc_v(self) -> float:
        return self.vcc

    def case_temp_c(self) -> float:
        return 25.0

    def rx_light(self, port: int) -> tuple[Beam, ...]:
        return (Beam("light", 1e-3, 1311.0, TRAFFIC, Modulation(even_levels(5.0))),)


class Bench:
    """A powered simulated module whose profile's CDB section is changed by ``differences``."""

    def __init__(self, **differences: Any) -> None:
        loaded = load_profile("good-dr4")
        cdb = dataclasses.replace(loaded.cdb, supported=True, **differences)
        self.surroundings = Surroundings()
        self.world = World(7)
        self.clock = VirtualClock(self.world)
        self.module = SimulatedModule(
            self.world, dataclasses.replace(loaded, cdb=cdb), self.surroundings, name="module"
        )
        smbus = SimulatedI2cBus(self.world)
        self.board = SimulatedHostBoard(self.world, smbus, self.module, PIN_BITS)
        self.bus = I2cBus(smbus, self.clock, name="host_board")
        self.host = I2cHostBoard(
            self.bus,
            self.clock,
            name="host_board",
            options={"expander_address": 0x20, "pin_bits": dict(PIN_BITS)},
        )
        self.host.connect()
        self.module.supply_changed()
        self.world.advance(2.0)
        memory: Any = self.host.memory
        memory.limits = AccessLimits(cdb=min(128, 8 * (1 + cdb.length_extension)))
        self.session = CdbSession(CmisModule(memory, self.clock))

    def power_cycle(self) -> None:
        for vcc_v in (0.0, 3.3):
            self.surroundings.vcc = vcc_v
            self.module.supply_changed()
            self.world.advance(2.0)
        self.session.forget()


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    return Bench


@pytest.mark.parametrize("mechanism", ["lpl", "epl"])
@pytest.mark.parametrize(
    "differences",
    [
        {},
        {"background": False},
        {"background": False, "trigger_any_write": False},
        {"length_extension": 0},
        {"trigger_any_write": False, "length_extension": 3, "auto_paging": False},
        {"start_returns_early": True},
        {"nack_every_n_writes": 7},
        {"completion_flag": False, "skips_erased": False},
        {"abort_supported": False, "copy_supported": False},
        {"banks": 1},
    ],
    ids=str,
)
def test_a_module_is_updated(
    make_bench: Callable[..., Bench], differences: dict[str, Any], mechanism: Any
) -> None:
    bench = make_bench(**differences)
    assert read_firmware_revisions(bench.session.module.registers).active == "1.4"
    result = update_firmware(bench.session, IMAGE, mechanism=mechanism)
    assert result.ok
    assert bool(result.bytes_skipped) == differences.get("skips_erased", True)
    for _ in range(2):
        info = read_firmware_info(bench.session)
        assert info.running is not None
        assert (info.running.revision, info.running.text) == ("2.5.7", "end to end")
        assert info.running.committed
        bench.power_cycle()
    assert read_firmware_revisions(bench.session.module.registers).active == "2.5"


def test_a_module_without_extended_payload_is_written_by_the_local_one(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(epl_pages=0)
    assert update_firmware(bench.session, IMAGE).ok


def test_features(make_bench: Callable[..., Bench]) -> None:
    session = make_bench().session
    assert {0x0000, 0x0001, 0x0040, 0x0041} <= read_features(session).commands
    features = read_firmware_features(session)
    assert features.start_payload_bytes == 72
    assert (features.writes_lpl, features.writes_epl) == (True, True)


def test_firmware_under_a_password(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(password_required=True)
    with pytest.raises(FirmwareUpdateError, match="Enter the host's password"):
        update_firmware(bench.session, IMAGE)
    with pytest.raises(CdbCommandFailedError, match="46h"):
        bench.session.enter_password(0x12345678)
    assert update_firmware(bench.session, IMAGE, unlock=lambda: bench.session.enter_password(0x1011)).ok


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (make_image(target="ANOTHER-PART"), "wrong target"),
        (b"not firmware" * 40, "format is wrong"),
        (IMAGE[:-1] + b"\x00", "checksum is wrong"),
    ],
)
def test_a_wrong_image_leaves_the_old_one(make_bench: Callable[..., Bench], image: bytes, words: str) -> None:
    bench = make_bench()
    with pytest.raises(FirmwareUpdateError, match=words) as caught:
        update_firmware(bench.session, image)
    assert "After a reset or a power loss it starts image A 1.4.1." in str(caught.value)
    bench.power_cycle()
    info = read_firmware_info(bench.session)
    assert info.running is info.a


def test_a_bad_spot_of_the_memory_ends_it(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(bad_flash_address=7000)
    with pytest.raises(FirmwareUpdateError, match="execution failed") as caught:
        update_firmware(bench.session, IMAGE)
    assert "starts image A 1.4.1" in str(caught.value)


def test_a_supply_lost_in_the_middle(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()

    def progress(step: Any) -> None:
        if step.phase == "write" and 3000 < step.bytes_done < 6000:
            bench.power_cycle()

    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(bench.session, IMAGE, progress=progress)
    assert "starts image A 1.4.1" in str(caught.value)
    assert update_firmware(bench.session, IMAGE).ok


def test_an_interrupted_download_is_started_over(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()

    def progress(step: Any) -> None:
        if step.phase == "write" and step.bytes_done > 3000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update_firmware(bench.session, IMAGE, progress=progress)
    result = update_firmware(bench.session, IMAGE)
    assert result.ok
    assert "left open was aborted" in result.phases[0].explanation


def test_a_password_does_not_stay_on_the_page(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bench.session.enter_password(0x1011)
    assert bench.session.query_status() == 1
    assert b"\x10\x11" not in bench.session.module.memory.read(0, 0x9F, 128, 128)
