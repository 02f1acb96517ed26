"""Each quirk does what its entry says, seen at the registers, and nothing unless it is switched on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivers.i2c import I2cNackError
from harness.simulation.module.commands.firmware import HEADER_BYTES, make_image
from harness.simulation.module.profile import Profile, ProfileError, load_profile
from harness.simulation.module.profile.faults import FaultProfile
from harness.simulation.module.profile.quirks import MARKUP, QUIRKS, QuirkProfile

if TYPE_CHECKING:
    from conftest import ModuleBench, RawCdb

ADDRESS = 0x50
ALL = 0xFF

Quirky = Callable[..., "ModuleBench"]


@pytest.fixture
def quirky(make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]) -> Quirky:
    """A module with these quirks, powered, in low power."""

    def make(**quirks: object) -> ModuleBench:
        bench = make_bench(changed(quirks=quirks))
        bench.power_on()
        return bench

    return make


def select(bench: ModuleBench, page: int, bank: int = 0) -> None:
    bench.world.advance(0.02)
    bench.bus.write(ADDRESS, bytes([126, bank, page]))
    bench.world.advance(0.02)


def raw(bench: ModuleBench, byte: int, length: int = 1) -> bytes:
    return bench.bus.write_read(ADDRESS, bytes([byte]), length)


def held(bench: ModuleBench) -> None:
    bench.write("DPDeinit", ALL)
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: bench.read("ModuleState") == 3, limit_s=10.0)


def test_every_quirk_says_where_it_was_seen_and_what_it_does() -> None:
    assert {f"quirks.{item.name}" for item in dataclasses.fields(QuirkProfile)} <= set(QUIRKS)
    for key, quirk in QUIRKS.items():
        assert quirk.seen, key
        assert quirk.does, key
        assert quirk.key == key
    assert all(default == getattr(QuirkProfile(), name) for name, default in _defaults("quirks"))


def _defaults(section: str) -> list[tuple[str, object]]:
    return [
        (key.partition(".")[2], quirk.default)
        for key, quirk in QUIRKS.items()
        if key.startswith(f"{section}.")
    ]


def test_quirks_in_other_sections_are_there_with_these_defaults() -> None:
    good = load_profile("good-dr4")
    for section in ("faults", "diagnostics", "management"):
        for name, default in _defaults(section):
            assert getattr(getattr(good, section), name) == default
    assert dict(_defaults("faults"))["stuck_config_host_lanes"] == FaultProfile().stuck_config_host_lanes


def test_a_profile_switches_each_on(tmp_path: Path) -> None:
    path = tmp_path / "quirky.toml"
    path.write_text(
        'extends = "good-dr4"\n[quirks]\nstatus_reserved_bits = 0xA0\nbias_multiplier = 4\n'
        'vendor_name_hex = "C0FFEE"\ndp_init_pending_never_set = true\n',
        encoding="utf-8",
    )
    quirks = load_profile(path).quirks
    assert (quirks.status_reserved_bits, quirks.bias_multiplier) == (0xA0, 4)
    assert quirks.dp_init_pending_never_set
    assert not quirks.app_sel_0_rejected


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("bias_multiplier = 3", "quirks.bias_multiplier"),
        ("status_reserved_bits = 1", "quirks.status_reserved_bits"),
        ('vendor_name_hex = "ABC"', "quirks.vendor_name_hex"),
        ('vendor_name_hex = "XY"', "quirks.vendor_name_hex"),
        ("unheard_of = true", "quirks.unheard_of"),
    ],
)
def test_a_quirk_that_cannot_be_is_refused_with_its_key(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "quirky.toml"
    path.write_text(f'extends = "good-dr4"\n[quirks]\n{text}\n', encoding="utf-8")
    with pytest.raises(ProfileError, match=key.replace(".", r"\.")):
        load_profile(path)


def test_unsupported_pages_mirror_page_00h(quirky: Quirky) -> None:
    bench = quirky(unsupported_pages_mirror_00h=True)
    select(bench, 0x12)
    assert raw(bench, 126, 2) == bytes([0, 0x12])
    assert raw(bench, 129, 8) == b"LANEWISE"
    select(bench, 0x11)
    assert raw(bench, 128, 4) == b"\x11" * 4
    plain = quirky()
    select(plain, 0x12)
    assert raw(plain, 126, 2) == bytes([0, 0])


def test_reserved_bits_of_the_status_byte(quirky: Quirky) -> None:
    bench = quirky(status_reserved_bits=0xB0)
    assert raw(bench, 3)[0] & 0xFE == 0xB2
    bench.host.pins.set_low_power(asserted=False)
    bench.world.advance(0.02)
    assert raw(bench, 3)[0] & 0xFE == 0xB4
    assert raw(quirky(), 3)[0] & 0xFE == 0x02


def test_dp_init_pending_is_never_set_yet_the_path_is_initialised(quirky: Quirky) -> None:
    bench = quirky(dp_init_pending_never_set=True)
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: bench.module.data_path_states() == (4,) * 8, limit_s=20.0)
    bench.write("ApplyDPInit", ALL)
    seen = set()
    for _ in range(200):
        seen.add(bench.read("DPInitPending"))
        bench.world.advance(0.005)
    assert seen == {(False,) * 8}
    assert bench.read("ConfigStatus") == (1,) * 8
    assert 2 in bench.module.data_path_states()


def test_app_sel_0_is_rejected(quirky: Quirky) -> None:
    bench = quirky(app_sel_0_rejected=True)
    held(bench)
    bench.write("SCS0_DPConfig", (0,) * 8)
    bench.write("ApplyDPInit", ALL)
    bench.world.advance(0.1)
    assert bench.read("ConfigStatus") == (3,) * 8
    assert bench.read("ACS_DPConfig") == (0x10,) * 8


def test_the_status_of_siblings_becomes_undefined(quirky: Quirky) -> None:
    pairs = (0x20, 0x20, 0x24, 0x24, 0x28, 0x28, 0x2C, 0x2C)
    for quirk, others in ((True, 0), (False, 1)):
        bench = quirky(sibling_status_undefined=quirk)
        held(bench)
        bench.write("SCS0_DPConfig", pairs)
        bench.write("ApplyDPInit", ALL)
        bench.world.advance(0.1)
        assert bench.read("ConfigStatus") == (1,) * 8
        bench.write("ApplyDPInit", 0b0000_0011)
        bench.world.advance(0.1)
        assert bench.read("ConfigStatus") == (1, 1) + (others,) * 6
        assert bench.read("ACS_DPConfig") == pairs


def test_a_lane_is_stuck_in_progress(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(faults={"stuck_config_host_lanes": (6,)}))
    bench.power_on()
    held(bench)
    bench.write("ApplyDPInit", ALL)
    bench.world.advance(60.0)
    assert bench.read("ConfigStatus") == (1, 1, 1, 1, 1, 0xC, 1, 1)


@pytest.mark.parametrize("quirk", [True, False])
def test_cdb_that_does_not_acknowledge_while_busy(
    quirky: Quirky, raw_cdb_of: Callable[..., RawCdb], quirk: bool
) -> None:
    bench = quirky(cdb_nacks_while_busy=quirk)
    cdb = raw_cdb_of(bench)
    assert bench.read("CdbBackgroundModeSupported") == 1
    cdb.send(0x0000, (500).to_bytes(2))  # Query Status after half a second
    bench.world.advance(0.2)
    assert cdb.acknowledged() is not quirk
    bench.world.advance(0.5)
    assert cdb.acknowledged()
    assert cdb.status() == 0x01


def test_a_firmware_start_that_takes_12_s_is_advertised(
    quirky: Quirky, raw_cdb_of: Callable[..., RawCdb]
) -> None:
    bench = quirky(firmware_start_s=12.0)
    cdb = raw_cdb_of(bench)
    _, features = cdb.run(0x0041)
    assert int.from_bytes(features[8:10]) >= 12_000
    image = make_image((2, 0), build=1, size=8192)
    started_s = bench.world.now_s
    cdb.send(0x0101, len(image).to_bytes(4) + bytes(4) + image[:HEADER_BYTES])
    assert cdb.wait(limit_s=13.0) == 0x01
    assert bench.world.now_s - started_s == pytest.approx(12.0, abs=0.1)


@pytest.mark.parametrize(("multiplier", "code"), [(1, 0), (2, 1), (4, 2)])
def test_bias_is_in_coarser_steps(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile], multiplier: int, code: int
) -> None:
    bench = make_bench(
        changed(quirks={"bias_multiplier": multiplier}, monitors={"bias_monitor_error_percent": (0.0,) * 4})
    )
    bench.activate()
    bench.world.advance(0.2)
    assert bench.read("TxBiasCurrentScalingFactor") == code
    select(bench, 0x11)
    shown_ma = int.from_bytes(raw(bench, 170, 2)) * 0.002 * multiplier
    assert shown_ma == pytest.approx(58.2, abs=6.0)
    select(bench, 0x02)
    assert int.from_bytes(raw(bench, 184, 2)) * 0.002 * multiplier == pytest.approx(120.0, abs=0.01)


def test_the_bias_shown_is_the_same_current_whatever_the_steps(quirky: Quirky) -> None:
    shown = []
    for multiplier in (1, 2, 4):
        bench = quirky(bias_multiplier=multiplier)
        bench.host.pins.set_low_power(asserted=False)
        bench.run_until(lambda bench=bench: bench.module.data_path_states() == (4,) * 8, limit_s=20.0)  # type: ignore[misc]
        bench.world.advance(0.3)
        assert bench.read("LaserBiasHighAlarmFlagTx") == (False,) * 8
        shown.append(bench.read("TxBias")[0] * multiplier)  # type: ignore[index]
    assert shown == pytest.approx([shown[0]] * 3, abs=0.009)


def test_full_page_reads_are_advertised_and_refused(quirky: Quirky) -> None:
    bench = quirky(full_page_reads_refused=True)
    assert bench.read("FullPageReadSupported") == 2
    assert len(raw(bench, 0, 8)) == 8
    for length in (9, 16, 128):
        with pytest.raises(I2cNackError):
            raw(bench, 0, length)
    assert len(raw(quirky(), 0, 128)) == 128


def test_monitors_are_stale(quirky: Quirky) -> None:
    bench = quirky(stale_monitors_s=100.0)
    before = bench.read("TempMonValue")
    bench.surroundings.case_c = 60.0
    bench.world.advance(50.0)
    assert bench.read("TempMonValue") == before
    bench.world.advance(60.0)
    assert bench.read("TempMonValue") == pytest.approx(61.0, abs=2.0)


def test_the_clock_is_held_in_each_read(quirky: Quirky) -> None:
    times_s = []
    for stretch_s in (0.0, 0.0004):
        bench = quirky(clock_stretch_s=stretch_s)
        started_s = bench.world.now_s
        raw(bench, 0, 8)
        times_s.append(bench.world.now_s - started_s)
    assert times_s[1] - times_s[0] == pytest.approx(0.0004, abs=1e-9)


def test_a_reset_while_the_clock_is_held_ends_the_read(quirky: Quirky) -> None:
    bench = quirky(clock_stretch_s=0.5)
    bench.world.after(0.2, lambda: bench.module.set_reset(asserted=True))
    with pytest.raises(I2cNackError):
        raw(bench, 0, 1)


def test_a_checksum_is_wrong(make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]) -> None:
    bench = make_bench(changed(management={"wrong_checksum_page": "00h"}))
    bench.power_on()
    assert sum(raw(bench, 128, 94)) & 0xFF != raw(bench, 222)[0]


@pytest.mark.parametrize(
    ("digits", "name"), [("FFFE80BE", b"\xff\xfe\x80\xbe" + b" " * 12), ("FF" * 16, b"\xff" * 16)]
)
def test_the_name_is_not_text_and_the_checksum_counts_it(quirky: Quirky, digits: str, name: bytes) -> None:
    bench = quirky(vendor_name_hex=digits)
    assert raw(bench, 129, 16) == name
    assert sum(raw(bench, 128, 94)) & 0xFF == raw(bench, 222)[0]


def test_the_name_is_markup(quirky: Quirky) -> None:
    bench = quirky(markup_in_vendor_name=True)
    assert raw(bench, 129, 16) == MARKUP.encode() == b"<script>alert(1)"
    assert sum(raw(bench, 128, 94)) & 0xFF == raw(bench, 222)[0]


def test_copper_claims_to_have_pages(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(quirks={"copper_claims_paged_memory": True}))
    bench.host.connect()
    bench.module.supply_changed()
    bench.world.advance(2.0)
    assert raw(bench, 2)[0] & 0x80 == 0
    assert raw(bench, 85) == b"\3"
    for page in (0x01, 0x11):
        select(bench, page)
        assert raw(bench, 127) == b"\0"
    assert raw(bench, 212)[0] in range(0x0A, 0x10)
    assert raw(bench, 3)[0] >> 1 & 0b111 == 3
    assert raw(bench, 14, 4) == bytes(4)
