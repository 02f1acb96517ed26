"""Dumps of real modules turned into profiles: standing still they read as dumped, living they come up."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.cmis.description import describe
from drivers.cmis.dump import Dump, load_dump
from drivers.cmis.dump.formats import halves_of
from drivers.cmis.errors import CmisError
from drivers.cmis.image import HALF, MemoryImage
from drivers.cmis.module import CmisModule
from drivers.cmis.password_bytes import PASSWORD_AREA
from drivers.cmis.snapshot import take_snapshot
from harness.simulation.module.profile import ProfileError, load_profile
from harness.simulation.module.profile.from_dump import NotForLivingError, profile_text
from harness.simulation.module.states import ModuleState
from harness.simulation.module.stored_module import StoredModule

if TYPE_CHECKING:
    from conftest import ModuleBench

    MakeBench = Callable[..., ModuleBench]

DUMPS = Path(__file__).resolve().parents[5] / "shared" / "eeprom"
NAMES = sorted(path.stem for path in DUMPS.glob("*.json")) or ["no dumps here"]
NOT_LIVING = {"credo-800g-aec": "only optics", "flat-memory": "media_lanes: 0"}


def dump_of(name: str) -> Dump:
    path = DUMPS / f"{name}.json"
    if not path.is_file():
        pytest.skip("the dumps of real modules are not here")
    return load_dump(path)


def bench_of(
    folder: Path, make_bench: MakeBench, dump: Dump, *, frozen: bool = True, more: str = ""
) -> ModuleBench:
    (folder / "dumped.toml").write_text(profile_text(dump, frozen=frozen), encoding="ascii")
    (folder / "used.toml").write_text(f'extends = "dumped.toml"\n{more}', encoding="ascii")
    bench = make_bench(load_profile(folder / "used.toml"))
    bench.host.connect()
    bench.module.supply_changed()
    bench.clock.sleep(2.0)  # tMgmtInit
    return bench


def made_up(**fields: bytes) -> Dump:
    """A small dump: lower memory and page 00h, with ``lower_<byte>`` and ``page_<byte>`` replaced."""
    lower, page = bytearray(HALF), bytearray(HALF)
    lower[0:4] = b"\x18\x40\x04\x06"
    lower[85:94] = b"\x02\x11\x1c\x84\x01\xff\x00\x00\x00"
    page[0] = 0x18
    for name, data in fields.items():
        where, _, byte = name.partition("_")
        half, start = (lower, int(byte)) if where == "lower" else (page, int(byte) - HALF)
        half[start : start + len(data)] = data
    return Dump(MemoryImage(bytes(lower), {(0, 0): bytes(page)}))


@pytest.mark.parametrize("name", NAMES)
def test_a_dump_reads_back_byte_for_byte_over_the_bus(
    tmp_path: Path, make_bench: MakeBench, name: str
) -> None:
    dump = dump_of(name)
    bench = bench_of(tmp_path, make_bench, dump)
    found = take_snapshot(
        CmisModule(bench.host.memory, bench.clock),
        pages=sorted({page for _, page in dump.image.pages()}),
        banks=sorted({bank for bank, _ in dump.image.pages()}),
        clear_on_read=True,
    )
    shown = dump.image.copy()
    shown.mark_unread(0, 0, min(PASSWORD_AREA), len(PASSWORD_AREA))  # a snapshot never reads those
    assert halves_of(found.image) == halves_of(shown)
    for half in halves_of(shown):
        assert found.image.known(*half) == shown.known(*half), half
    assert bench.host.memory.read(0, 0, 118, 8) == dump.image.get(0, 0, 118, 8)
    assert describe(found.image) == describe(shown)


@pytest.mark.parametrize("name", NAMES)
def test_a_dump_lives_or_says_why_not(tmp_path: Path, make_bench: MakeBench, name: str) -> None:
    dump = dump_of(name)
    if name in NOT_LIVING:
        with pytest.raises(NotForLivingError, match=NOT_LIVING[name]):
            profile_text(dump, frozen=False)
        return
    bench = bench_of(tmp_path, make_bench, dump, frozen=False)
    assert bench.module.state is ModuleState.LOW_PWR
    bench.host.pins.set_low_power(asserted=False)
    bench.clock.sleep(300.0)  # the slowest of them may take a minute to power up
    assert bench.module.state is ModuleState.READY
    found, was = (
        describe(take_snapshot(CmisModule(bench.host.memory, bench.clock)).image),
        describe(dump.image),
    )
    for section in ("identity", "applications", "thresholds"):
        assert found[section] == was[section], section
    # What was wrong stays wrong, what was right is right.
    assert [(item["page"], item["ok"]) for item in found["checksums"]] == [
        (item["page"], item["ok"]) for item in was["checksums"] if item["page"] in ("00h", "01h", "02h")
    ]


def test_a_living_dump_emits_light_where_its_lanes_do(tmp_path: Path, make_bench: MakeBench) -> None:
    bench = bench_of(tmp_path, make_bench, dump_of("arista-400g-xdr4"), frozen=False)
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: all(state == 4 for state in bench.module.data_path_states()), limit_s=30.0)
    for lane in range(1, 5):  # 2.02 .. 2.05 dBm in the dump; the specimen's spread is 0.2 dB
        assert bench.module.launch_power_w(lane) == pytest.approx(1.6e-3, rel=0.15)
    assert bench.read("VendorSN") == "XKT231212112"


def test_quirks_lie_on_top_of_the_bytes(tmp_path: Path, make_bench: MakeBench) -> None:
    more = '[quirks]\nvendor_name_hex = "ff"\n[management]\nwrong_checksum_page = "02h"\n'
    bench = bench_of(tmp_path, make_bench, dump_of("arista-400g-xdr4"), frozen=False, more=more)
    module = CmisModule(bench.host.memory, bench.clock)
    assert [checksum.ok for checksum in module.checksums()] == [True, True, False]
    assert bench.get(0, 0, 129, 2) == b"\xff "


def test_what_stands_still_keeps_what_the_host_may_write_until_a_reset(
    tmp_path: Path, make_bench: MakeBench
) -> None:
    dump = made_up(lower_8=b"\x01\xff\xff\xff", lower_31=b"\x00")
    bench = bench_of(tmp_path, make_bench, dump)
    assert isinstance(bench.module, StoredModule)
    assert bench.get(0, 0, 8, 4) == bench.get(0, 0, 8, 4) == b"\x01\xff\xff\xff"  # flags stay
    bench.put(0, 0, 31, b"\x47")  # masks: only bits that are defined
    assert bench.get(0, 0, 31, 1) == b"\x47"
    bench.put(0, 0, 86, b"\xaa")  # read only
    assert bench.get(0, 0, 86, 1) == b"\x11"
    bench.put(0, 0, 26, b"\x08")  # SoftwareReset
    bench.host.memory.forget_page()
    bench.clock.sleep(2.0)
    assert bench.get(0, 0, 31, 1) == b"\x00"


def test_what_stands_still_has_a_supply_pins_and_no_light(tmp_path: Path, make_bench: MakeBench) -> None:
    bench = bench_of(tmp_path, make_bench, made_up())
    module = bench.module
    assert bench.get(0, 0, 0, 2) == b"\x18\x40"
    assert module.consumption_w() == module.profile.power.low_power_w
    assert (module.launch_power_w(1), module.transmitted_signal(1)) == (0.0, None)
    assert module.interrupt_asserted()  # lower:3.0 is 0
    bench.surroundings.vcc = 0.0
    module.supply_changed()
    assert module.state is ModuleState.UNPOWERED
    assert module.consumption_w() == 0.0
    with pytest.raises(CmisError):
        CmisModule(bench.host.memory, bench.clock).module_state()


def test_a_page_that_the_dump_does_not_hold_is_not_there(tmp_path: Path, make_bench: MakeBench) -> None:
    bench = bench_of(tmp_path, make_bench, made_up())
    with pytest.raises(CmisError):
        bench.get(0, 0x11, 128, 1)


def test_bytes_that_nobody_read_are_zero_and_stay_marked(tmp_path: Path, make_bench: MakeBench) -> None:
    dump = made_up(lower_8=b"\x55\x55")
    dump.image.mark_unread(0, 0, 8, 2)
    assert "----" in profile_text(dump)
    bench = bench_of(tmp_path, make_bench, dump)
    assert bench.get(0, 0, 8, 2) == b"\0\0"
    lower = next(half for half in bench.module.profile.memory.halves if half.page is None)
    assert lower.unread == {8, 9}


def test_a_dump_without_page_00h_is_no_module() -> None:
    with pytest.raises(CmisError):
        profile_text(Dump(MemoryImage()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"00h" = "00"', "memory.pages.00h: expected 128 bytes of 2 hexadecimal digits each, found 1"),
        ('"00h" = "zz"', "memory.pages.00h: expected hexadecimal digits"),
        ('"00h" = ""', "memory.pages.00h: is empty"),
        ('"00h" = 5', "memory.pages.00h: expected text"),
        ('"1h" = "00"', "memory.pages.1h: is no name of a page"),
        ('"01h@1" = "00"', "memory.pages.01h@1: pages below 10h have no banks"),
        ('"10h@256" = "00"', "memory.pages.10h@256: is no name of a page"),
        (f'"1ah" = "{"00" * 128}"\n"1Ah" = "{"00" * 128}"', "is there twice"),
        (f'"00h" = "{"00" * 128}"', "memory.pages.lower: is missing; no module is without it"),
    ],
)
def test_each_mistake_in_the_memory_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'extends = "good-dr4"\n[memory.pages]\n{text}\n', encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert any(said in line for line in caught.value.complaints), caught.value.complaints


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    lower=st.binary(min_size=128, max_size=128),
    pages=st.dictionaries(st.integers(0, 0x2F), st.binary(min_size=128, max_size=128), max_size=5),
    usable=st.booleans(),
    description=st.text(max_size=300),
)
def test_whatever_a_dump_holds_its_profile_loads_and_holds_the_same(
    tmp_path: Path,
    make_bench: MakeBench,
    lower: bytes,
    pages: dict[int, bytes],
    usable: bool,
    description: str,
) -> None:
    if usable:  # an application and a medium that can live
        lower = lower[:2] + b"\0" + lower[3:85] + b"\x02\x11\x1c\x84\x01\xff" + lower[91:]
        pages = {0x01: bytes(128), 0x02: bytes(128), **pages}
    image = MemoryImage(lower, {(0, page): data for page, data in ({0: bytes(128)} | pages).items()})
    text = profile_text(Dump(image), description=description)
    assert len(tomllib.loads(text)["memory"]["pages"]) == len(halves_of(image))
    path = tmp_path / "any.toml"
    path.write_text(text, encoding="ascii")
    bench = make_bench(load_profile(path))
    held = {(half.bank, half.page): half.data for half in bench.module.profile.memory.halves}
    assert held == {key: b"".join(data for _, data in image.known(*key)) for key in halves_of(image)}
    try:
        living = profile_text(Dump(image), frozen=False)
    except NotForLivingError:
        return
    path.write_text(living, encoding="ascii")
    bench = make_bench(load_profile(path))
    bench.power_on()
