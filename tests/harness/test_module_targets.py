"""What ``lanewise module`` works on: how it is opened, and who is to blame when it does not answer."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from drivers.clock import StopRequested
from drivers.cmis.errors import DumpFormatError, ModuleNotRespondingError, NotAdvertisedError
from drivers.cmis.fields import encode
from drivers.cmis.image import MemoryImage
from drivers.cmis.memory_map import FIELDS
from drivers.errors import BenchError, ConnectionFailedError, NoReplyError, NotSettledError
from drivers.interfaces import SafetyStep
from harness.bench import Bench
from harness.conditions.conditioner import Conditioner
from harness.module_target import TargetOptions, is_bench, open_target
from harness.safety import SafetyResult
from harness.simulation.module.profile import load_profile
from harness.simulation.served.served_module import modules_of
from harness.simulation.served.server import ModuleServer
from harness.tables import TableError


@pytest.fixture
def image() -> MemoryImage:
    image = MemoryImage(bytes(128), {(0, page): bytes(128) for page in (0x00, 0x01, 0x02, 0x10, 0x11)})
    encode(FIELDS["SFF8024Identifier"], 0x18, image)
    encode(FIELDS["VendorName"], "Example", image)
    return image


def test_a_dump(tmp_path: Path, image: MemoryImage) -> None:
    from drivers.cmis.dump import save_dump

    path = tmp_path / "module.json"
    save_dump(image, path)
    with open_target(str(path)) as target:
        assert not target.live
        assert target.dump is not None
        assert target.transactions() is None
        assert target.module.get("VendorName") == "Example"
        target.require_supply()


def test_a_missing_dump_names_the_file() -> None:
    with (
        pytest.raises(DumpFormatError, match=r"no-such-file\.json.*No such file"),
        open_target("no-such-file.json"),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sim-dr4", True),
        ("my/bench.toml", True),
        ("i2c:1", False),
        ("optoe:/sys/x", False),
        ("gone.json", False),
    ],
)
def test_what_is_a_bench(text: str, expected: bool) -> None:
    assert is_bench(text) is expected


def test_a_bench_that_there_is_not_lists_the_others_and_the_forms() -> None:
    with (
        pytest.raises(TableError, match=r"sim-dr4, sim-dr4-full, sim-fr4\nA module is named by a dump file"),
        open_target("sim-dr5"),
    ):
        pass


@pytest.mark.parametrize("text", ["i2c:3", "/dev/i2c-3"])
def test_a_bus(text: str, monkeypatch: pytest.MonkeyPatch, image_on_a_bus, image: MemoryImage) -> None:
    bus = image_on_a_bus(image)
    opened: list[int] = []
    monkeypatch.setattr("smbus2.SMBus", lambda number: opened.append(number) or bus.smbus)
    with open_target(text) as target:
        assert target.live
        assert target.module.get("VendorName") == "Example"
        assert target.transactions() == bus.transactions
    assert opened == [3]


def test_a_bus_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int) -> object:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("smbus2.SMBus", refuse)
    with (
        pytest.raises(ConnectionFailedError, match="/dev/i2c-3 cannot be opened: Permission denied"),
        open_target("i2c:3"),
    ):
        pass


def test_silence_on_a_bare_bus_is_not_held_against_a_module(
    monkeypatch: pytest.MonkeyPatch, image_on_a_bus, image: MemoryImage
) -> None:
    bus = image_on_a_bus(image)
    monkeypatch.setattr(type(bus), "acknowledges", lambda self: False)
    monkeypatch.setattr("smbus2.SMBus", lambda number: bus.smbus)
    with (
        pytest.raises(NoReplyError, match="Nothing here tells whether a module is plugged in"),
        open_target("i2c:3") as target,
    ):
        target.module.get("VendorName")


def test_optoe_touches_no_ordinary_file(tmp_path: Path, image: MemoryImage) -> None:
    dump, link = tmp_path / "dump.bin", tmp_path / "sys"
    dump.write_bytes(bytes(range(256)))
    link.symlink_to(dump)
    for path in (dump, link, tmp_path / "gone", Path("/sys/../etc/hostname")):
        with pytest.raises(TableError, match="is not in /sys"), open_target(f"optoe:{path}"):
            pass
    assert dump.read_bytes() == bytes(range(256))
    assert not (tmp_path / "gone").exists()


def test_a_bus_needs_its_number() -> None:
    for text in ("i2c:x", "i2c:", "/dev/i2c-one"):
        with pytest.raises(TableError, match="needs the number"), open_target(text):
            pass


@pytest.mark.parametrize("profile", ["good-fr4", "good-lr4"])
def test_a_module_without_dr4_comes_up_with_what_it_has(
    profile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_target("sim-dr4", TargetOptions(up=True, module=profile)) as target:
        assert target.bring_up is not None
        assert target.bring_up.ok
        assert target.bring_up.application is not None
        name = target.bring_up.application.media_interface
    assert f"AppSel 1, 400GAUI-8 C2M to {name}" in capsys.readouterr().err


def test_a_media_interface_is_found_in_any_case_and_others_are_listed() -> None:
    with open_target("sim-dr4", TargetOptions(up=True, media_interface="100gbase-dr")) as target:
        assert target.bring_up is not None
        assert target.bring_up.ok
    with (
        pytest.raises(NotAdvertisedError, match=r"It has 400GBASE-DR4, 100GBASE-DR$"),
        open_target("sim-dr4", TargetOptions(up=True, media_interface="400GBASE-SR8")),
    ):
        pass


def test_an_optoe_file(tmp_path: Path, image: MemoryImage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.module_target.SYSFS", tmp_path.resolve())
    path = tmp_path / "eeprom"
    content = image.get(0, 0, 0, 128)
    content += b"".join(
        image.get(0, page, 128, 128) if image.has(0, page) else bytes(128) for page in range(0x12)
    )
    path.write_bytes(content)
    with open_target(f"optoe:{path}") as target:
        assert target.live
        assert target.transactions() is None
        assert target.module.get("VendorName") == "Example"


@pytest.mark.parametrize("text", ["i2c:3", "optoe:/sys/x", "gone.json"])
@pytest.mark.parametrize(
    "options", [TargetOptions(up=True), TargetOptions(module="good-dr4"), TargetOptions(seed=2)]
)
def test_what_goes_with_a_bench_only(text: str, options: TargetOptions) -> None:
    with pytest.raises(TableError, match="go with a bench only"), open_target(text, options):
        pass


# -- a bench -------------------------------------------------------------------------------------------


def made_safe(monkeypatch: pytest.MonkeyPatch, *, add: tuple[SafetyResult, ...] = ()) -> list[SafetyResult]:
    found: list[SafetyResult] = []
    make_safe = Bench.make_safe

    def watched(self: Bench) -> tuple[SafetyResult, ...]:
        found.extend(make_safe(self))
        found.extend(add)
        return tuple(found)

    monkeypatch.setattr(Bench, "make_safe", watched)
    return found


def test_a_bench_is_fed_watched_and_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    safe = made_safe(monkeypatch)
    with open_target("sim-dr4") as target:
        assert target.simulated
        assert target.supply_is_watched
        assert "SIMULATED" in target.name
        assert target.module.module_state().name == "ModuleLowPwr"
        target.require_supply()
        assert safe == []
    assert safe
    assert all(result.step.safe for result in safe)


def test_options_reach_the_simulation() -> None:
    with open_target("sim-dr4", TargetOptions(up=True, max_read_bytes=128, seed=3)) as target:
        assert target.bring_up is not None
        assert target.bring_up.ok
        assert target.memory.limits.read == 128  # type: ignore[attr-defined]
        assert target.module.module_state().name == "ModuleReady"


@pytest.mark.parametrize("error", [RuntimeError("bug"), StopRequested("SIGINT"), BenchError("meter")])
def test_a_bench_is_made_safe_however_a_command_ends(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    safe = made_safe(monkeypatch)
    with pytest.raises(type(error)), open_target("sim-dr4", TargetOptions(up=True)):
        raise error
    assert safe
    assert all(result.step.safe for result in safe)


def test_a_bench_that_is_not_safe_is_said_so_loudly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hot = SafetyResult("power_supply", SafetyStep("output off", "it reads \x1b[2J on", safe=False))
    made_safe(monkeypatch, add=(hot,))
    with pytest.raises(BenchError, match="NOT SAFE"), open_target("sim-dr4"):
        pass
    assert capsys.readouterr().err == "NOT SAFE power_supply: output off: it reads \\x1b[2J on\n"


def test_a_silent_module_with_its_supply_on_is_to_blame() -> None:
    with pytest.raises(ModuleNotRespondingError), open_target("sim-dr4"):
        raise ModuleNotRespondingError("no acknowledge")


def test_an_empty_cage_is_no_silent_module(monkeypatch: pytest.MonkeyPatch) -> None:
    def pulled_out_and_silent() -> None:
        with open_target("sim-dr4") as target:
            monkeypatch.setattr(type(target.pins), "module_present", lambda self: False)
            raise ModuleNotRespondingError("no acknowledge")

    with pytest.raises(ConnectionFailedError, match="no module is inserted"):
        pulled_out_and_silent()


def test_a_module_without_supply_is_no_silent_module(monkeypatch: pytest.MonkeyPatch) -> None:
    def fed_by_nobody() -> None:
        with open_target("sim-dr4"):
            monkeypatch.setattr(Conditioner, "require_vcc", refuse)
            raise ModuleNotRespondingError("no acknowledge")

    def refuse(self: Conditioner, vcc_v: float) -> None:
        raise NotSettledError("power_supply", f"the connector is at 0 V, expected {vcc_v} V")

    with pytest.raises(NotSettledError, match=r"expected 3\.3 V"):
        fed_by_nobody()


def test_simulation_options_are_refused_on_a_lab_bench() -> None:
    with (
        pytest.raises(TableError, match="simulated bench only"),
        open_target("lab-example", TargetOptions(seed=2)),
    ):
        pass


def test_a_served_module_is_a_target_that_stays_as_it_is_left() -> None:
    profiles = [load_profile("good-dr4")]
    with pytest.raises(ValueError, match="the same speed"):
        ModuleServer([*modules_of(profiles, speed=None), *modules_of(profiles, speed=1.0)])
    with ModuleServer(modules_of(profiles, speed=None, seed=1)) as server:
        address = f"sim:{server.address}/0"
        with open_target(address, TargetOptions(up=True)) as target:
            assert target.bring_up is not None
            assert target.bring_up.ok, target.bring_up.stopped_by
            assert target.simulated
        with open_target(address) as target:
            assert target.module.data_path_states()[0].name == "DPActivated"
        with (
            pytest.raises(BenchError, match="there are slots 0 to 0"),
            open_target(f"sim:{server.address}/3"),
        ):
            pass
    with pytest.raises(TableError, match="is no address"), open_target("sim:nowhere"):
        pass
    with pytest.raises(TableError, match="go with a bench only"), open_target(address, TargetOptions(seed=2)):
        pass
