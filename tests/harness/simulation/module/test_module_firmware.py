"""Firmware management by raw CDB: download, banks, wrong images, run and commit, loss of power."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulation.module.commands.firmware import (
    HEADER_BYTES,
    FirmwareStore,
    Header,
    RefusedError,
    make_image,
)
from harness.simulation.module.profile import load_profile
from harness.simulation.module.states import ModuleState

if TYPE_CHECKING:
    from conftest import ModuleBench, RawCdb

    MakeCdb = Callable[..., RawCdb]

H = HEADER_BYTES
RUN_INACTIVE = bytes([0, 0, 0, 0])
RUN_RUNNING = bytes([0, 2, 0, 0])
A_RUNS, A_COMMITTED, A_INVALID, B_RUNS, B_COMMITTED, B_INVALID = 1, 2, 4, 16, 32, 64


def remake(image: bytes, **changes: object) -> bytes:
    """The image with other statements in its header, whose own checksum is right."""
    header = dataclasses.replace(Header.decode(image[:H]), **changes)  # type: ignore[arg-type]
    return header.encode() + image[H:]


def supply(bench: ModuleBench, vcc_v: float) -> None:
    bench.surroundings.vcc = vcc_v
    bench.module.supply_changed()


def power_cycle(bench: ModuleBench) -> None:
    supply(bench, 0.0)
    bench.world.advance(1.0)
    supply(bench, 3.3)
    bench.world.advance(2.0)


def wait_for_restart(cdb: RawCdb) -> None:
    cdb.bench.run_until(lambda: cdb.bench.module.state is ModuleState.MGMT_INIT, limit_s=1.0)
    cdb.patient(limit_s=2.0)


def status(cdb: RawCdb) -> int:
    return cdb.run(0x0100)[1][0]


def versions(cdb: RawCdb) -> tuple[bytes, bytes]:
    """Active and inactive, as the registers show them."""
    active = cdb.read(39, 2)
    cdb.page(0x01)
    return active, cdb.read(128, 2)


def test_an_image_is_documented_bytes() -> None:
    image = make_image((2, 5), 7, 1000, target="ABC", text="hello")
    assert len(image) == 1000
    assert image[:6] == b"LWFW\x01\x00"
    assert image[6:22] == b"ABC".ljust(16)
    assert image[22:26] == bytes([2, 5, 0, 7])
    assert int.from_bytes(image[26:30]) == 1000 - 72
    assert int.from_bytes(image[30:34]) == zlib.crc32(image[72:])
    assert image[34:66] == b"hello".ljust(32)
    assert int.from_bytes(image[68:72]) == zlib.crc32(image[:68])
    assert image == make_image((2, 5), 7, 1000, target="ABC", text="hello")


@pytest.mark.parametrize(
    "wrong",
    [{"size": H}, {"size": 5 << 20}, {"version": (256, 0)}, {"target": "x" * 17}, {"erased_bytes": 9999}],
)
def test_an_image_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        make_image(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [6, 34])  # target and text
def test_texts_that_are_not_ascii_are_refused_with_their_right_checksum(
    make_cdb: MakeCdb, place: int
) -> None:
    cdb = make_cdb()
    image = bytearray(make_image(size=172, text="x"))
    image[place : place + 4] = "café".encode("latin-1")
    image[68:72] = zlib.crc32(image[:68]).to_bytes(4)
    assert cdb.start(bytes(image), HEADER_BYTES) == 0x61
    assert cdb.run(0x0100)[0] == 0x01


def test_an_error_of_the_simulation_is_not_hidden_and_leaves_the_interface_free(
    make_cdb: MakeCdb, monkeypatch: pytest.MonkeyPatch
) -> None:
    cdb = make_cdb()

    def broken(self: FirmwareStore) -> bytes:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(FirmwareStore, "information", broken)
        cdb.send(0x0100)
        with pytest.raises(ZeroDivisionError):
            cdb.bench.world.advance(1.0)
    assert cdb.status() == 0x40
    assert cdb.run(0x0100)[0] == 0x01


@pytest.mark.parametrize("delays_s", [(20, 5), (5, 20)])
def test_of_several_run_commands_the_last_counts(make_cdb: MakeCdb, delays_s: tuple[int, int]) -> None:
    cdb = make_cdb()
    for delay_s in delays_s:
        assert cdb.run(0x0109, bytes([0, 2]) + (delay_s * 1000).to_bytes(2))[0] == 0x01
    restarts_s = restarts_of(cdb.bench, 40.0)
    assert [round(restart_s) for restart_s in restarts_s] == [delays_s[1]]


def test_a_power_cycle_forgets_all_run_commands(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    bench = cdb.bench
    for _ in range(2):
        assert cdb.run(0x0109, bytes([0, 2]) + (10_000).to_bytes(2))[0] == 0x01
    for vcc_v in (0.0, 3.3):
        bench.surroundings.vcc = vcc_v
        bench.module.supply_changed()
        bench.world.advance(2.0)
    assert restarts_of(bench, 30.0) == []


def restarts_of(bench: ModuleBench, watched_s: float) -> list[float]:
    """Seconds from now at which the module begins to initialise its interface."""
    start_s, found, answered = bench.world.now_s, [], True
    while bench.world.now_s < start_s + watched_s:
        bench.world.advance(0.05)
        if answered and not bench.module.state.answers:
            found.append(bench.world.now_s - start_s)
        answered = bench.module.state.answers
    return found


@given(st.binary(max_size=100))
def test_any_bytes_are_a_header_or_are_refused(data: bytes) -> None:
    with pytest.raises(RefusedError):
        Header.decode(data)


def test_a_download_is_run_and_committed(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    assert versions(cdb) == (b"\x01\x04", b"\x00\x00")
    image = make_image((2, 5), 0x1234, 1500, text="new features")
    assert cdb.download(image, H) == 0x01
    assert status(cdb) == A_RUNS | A_COMMITTED
    assert versions(cdb) == (b"\x01\x04", b"\x02\x05")
    cdb.send(0x0109, RUN_INACTIVE)
    wait_for_restart(cdb)
    assert versions(cdb) == (b"\x02\x05", b"\x01\x04")
    assert status(cdb) == A_COMMITTED | B_RUNS
    info = cdb.reply()
    assert info[1] == 0b011
    assert info[38:42] == bytes([2, 5, 0x12, 0x34])
    assert info[42:74].rstrip(b"\0 ") == b"new features"
    assert cdb.run(0x010A)[0] == 0x01
    assert status(cdb) == B_RUNS | B_COMMITTED
    power_cycle(cdb.bench)
    assert versions(cdb) == (b"\x02\x05", b"\x01\x04")


def test_an_image_that_was_not_committed_is_left_at_the_next_restart(make_cdb: MakeCdb) -> None:
    for restart in ("supply", "reset pin", "SoftwareReset"):
        cdb = make_cdb()
        assert cdb.download(make_image(size=400), H) == 0x01
        cdb.send(0x0109, RUN_INACTIVE)
        wait_for_restart(cdb)
        assert cdb.read(39, 2) == b"\x02\x05"
        if restart == "supply":
            power_cycle(cdb.bench)
        elif restart == "reset pin":
            cdb.bench.host.pins.set_reset(asserted=True)
            cdb.bench.host.pins.set_reset(asserted=False)
        else:
            cdb.write(26, 0x48)
        cdb.bench.world.advance(2.0)
        assert cdb.read(39, 2) == b"\x01\x04"
        assert status(cdb) == A_RUNS | A_COMMITTED


def test_run_resets_the_module_after_the_delay(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    cdb.bench.activate()
    cdb.bench.run_until(lambda: cdb.bench.module.state is ModuleState.READY, limit_s=5.0)
    assert cdb.bench.module.launch_power_w(1) > 0
    cdb.send(0x0109, bytes([0, 2, 0x01, 0xF4]))  # the running image, after 500 ms
    assert cdb.wait(limit_s=0.2) == 0x01
    assert cdb.bench.module.state is ModuleState.READY
    took_s = cdb.bench.run_until(lambda: cdb.bench.module.state is ModuleState.MGMT_INIT, limit_s=1.0)
    assert 0.3 <= took_s <= 0.51
    assert not cdb.acknowledged()
    assert cdb.bench.module.launch_power_w(1) == 0
    cdb.patient(limit_s=2.0)
    assert cdb.read(39, 2) == b"\x01\x04"
    assert cdb.status() == 0x00


def test_the_traffic_goes_on_during_a_download(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    cdb.bench.activate()
    assert cdb.download(make_image(size=400), H) == 0x01
    assert cdb.bench.module.state is ModuleState.READY
    assert cdb.bench.module.launch_power_w(1) > 1e-4


def test_erasing_takes_seconds_and_the_old_image_is_gone_from_its_beginning(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    assert cdb.download(make_image(size=400), H) == 0x01
    image = make_image((3, 0), size=400)
    cdb.send(0x0101, len(image).to_bytes(4) + bytes(4) + image[:H])
    started_s = cdb.bench.world.now_s
    cdb.bench.world.advance(0.05)
    assert cdb.status() == 0x83
    assert versions(cdb)[1] == b"\xff\xff"
    assert cdb.wait() == 0x01
    assert 1.2 <= cdb.bench.world.now_s - started_s <= 4.0
    assert cdb.run(0x0102)[0] == 0x01
    assert status(cdb) & B_INVALID


# -- wrong images ----------------------------------------------------------------------------------------


def _spoilt_header(image: bytes) -> bytes:
    return image[:40] + bytes([image[40] ^ 1]) + image[41:]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda image: b"\x7fELF" + image[4:], 0x61),  # not an image of this vendor
        (_spoilt_header, 0x62),
        (lambda image: remake(image, target="LW-400G-FR4"), 0x64),
        (lambda image: image + b"\0", 0x61),  # not as long as it says
        (lambda image: remake(image, length=5 << 20) + bytes((5 << 20) - len(image) + H), 0x69),
    ],
    ids=["foreign", "damaged header", "other product", "other size", "too large"],
)
def test_a_wrong_image_is_refused_before_anything_is_erased(
    make_cdb: MakeCdb, spoil: Callable[[bytes], bytes], expected: int
) -> None:
    cdb = make_cdb()
    assert cdb.download(make_image((2, 5), size=300), H) == 0x01
    assert cdb.start(spoil(make_image((3, 0), size=300)), H) == expected
    assert status(cdb) == A_RUNS | A_COMMITTED
    assert versions(cdb)[1] == b"\x02\x05"


def test_a_damaged_body_is_found_by_complete(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    image = bytearray(make_image(size=700))
    image[300] ^= 0x40
    assert cdb.download(bytes(image), H) == 0x62
    assert status(cdb) == A_RUNS | A_COMMITTED | B_INVALID
    assert cdb.run(0x0109, RUN_INACTIVE)[0] == 0x65
    assert cdb.run(0x0107)[0] == 0x47  # the download is over
    assert cdb.download(make_image(size=700), H) == 0x01


def test_missing_blocks_are_found_by_complete(make_cdb: MakeCdb) -> None:
    for skips_erased, expected in ((True, 0x62), (False, 0x65)):
        cdb = make_cdb(skips_erased=skips_erased)
        image = make_image(size=700)
        assert cdb.start(image, H) == 0x01
        cdb.write_body(image[H:], upto=464)
        assert cdb.run(0x0107)[0] == expected
        assert status(cdb) & B_INVALID


def test_erased_blocks_may_be_skipped_where_that_is_advertised(make_cdb: MakeCdb) -> None:
    image = make_image(size=H + 116 * 6, erased_bytes=116 * 2)
    body = image[H:]
    blocks = {address: body[address : address + 116] for address in range(0, len(body), 116)}
    needed = {address: block for address, block in blocks.items() if block.strip(b"\xff")}
    assert len(needed) == len(blocks) - 2
    for skips_erased, expected in ((True, 0x01), (False, 0x65)):
        cdb = make_cdb(skips_erased=skips_erased)
        assert cdb.start(image, H) == 0x01
        for address, block in needed.items():
            assert cdb.run(0x0103, address.to_bytes(4) + block)[0] == 0x01
        assert cdb.run(0x0107)[0] == expected


def test_blocks_outside_the_image_and_outside_a_download_are_refused(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    image = make_image(size=H + 100)
    assert cdb.run(0x0103, bytes(4) + b"x")[0] == 0x47
    assert cdb.start(image, H) == 0x01
    assert cdb.start(image, H) == 0x47  # one at a time
    assert cdb.run(0x0103, (100).to_bytes(4) + b"x")[0] == 0x42
    assert cdb.run(0x0103, (99).to_bytes(4) + b"xx")[0] == 0x42
    assert cdb.run(0x0103, (99).to_bytes(4) + b"x")[0] == 0x01
    assert cdb.run(0x0109, RUN_RUNNING)[0] == 0x47
    assert cdb.run(0x0102)[0] == 0x01
    assert cdb.run(0x0103, (99).to_bytes(4) + b"x")[0] == 0x47


def test_blocks_through_epl(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(epl_pages=2, readback_supported=True)
    image = make_image(size=H + 600)
    body = image[H:]
    assert cdb.start(image, H) == 0x01
    for address in range(0, 600, 256):
        assert cdb.run(0x0104, address.to_bytes(4), body[address : address + 256])[0] == 0x01
    cdb.send(0x0104, bytes(4), bytes(257))
    assert cdb.wait() == 0x42  # more than two pages
    assert cdb.run(0x0107)[0] == 0x01
    assert cdb.run(0x0105, (500).to_bytes(4) + (100).to_bytes(2)) == (
        0x01, (500).to_bytes(4) + body[500:600],
    )  # fmt: skip
    assert cdb.run(0x0105, (501).to_bytes(4) + (100).to_bytes(2))[0] == 0x42
    cdb.send(0x0106, (300).to_bytes(4) + (200).to_bytes(2))
    assert cdb.wait() == 0x01
    cdb.page(0x9F)
    padded = body[300:500] + bytes(56)
    assert cdb.read(134, 2) == bytes([239 + 2, 255 - sum(padded) % 256])
    cdb.page(0xA0)
    assert cdb.read(128, 128) == body[300:428]
    cdb.page(0xA1)
    assert cdb.read(128, 128) == padded[128:]


def test_a_block_that_cannot_be_stored_says_so(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(bad_flash_address=130)
    image = make_image(size=700)
    assert cdb.start(image, H) == 0x01
    assert cdb.run(0x0103, bytes(4) + image[H : H + 116])[0] == 0x01
    assert cdb.run(0x0103, (116).to_bytes(4) + image[H + 116 : H + 232])[0] == 0x68


def test_a_start_that_reports_success_too_early(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(start_returns_early=True)
    image = make_image(size=200)
    assert cdb.start(image, H) == 0x01
    assert cdb.run(0x0103, bytes(4) + image[H:][:116])[0] == 0x47
    cdb.bench.world.advance(4.0)
    cdb.write_body(image[H:])
    assert cdb.run(0x0107)[0] == 0x01


# -- copies, abort ---------------------------------------------------------------------------------------


def test_an_image_is_copied_to_the_other_bank(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    code, reply = cdb.run(0x0108, b"\xab")
    assert code == 0x01
    assert reply == (1024 - H).to_bytes(4) + b"\xab\x00"
    assert status(cdb) == A_RUNS | A_COMMITTED
    assert versions(cdb)[1] == b"\x01\x04"
    assert cdb.run(0x0108, b"\xba")[0] == 0x47  # over the image that runs
    assert make_cdb(copy_supported=False).run(0x0108, b"\xab")[0] == 0x41


def test_aborting_start_or_copy_leaves_the_bank_invalid(make_cdb: MakeCdb) -> None:
    image = make_image(size=200)
    for command, lpl in ((0x0108, b"\xab"), (0x0101, len(image).to_bytes(4) + bytes(4) + image[:H])):
        cdb = make_cdb()
        cdb.send(command, lpl)
        cdb.bench.world.advance(0.5)
        cdb.send(0x0004)
        assert cdb.status() == 0x03
        assert status(cdb) == A_RUNS | A_COMMITTED | B_INVALID
        assert cdb.run(0x0103, bytes(4) + b"x")[0] == 0x47


# -- loss of power ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["erasing", "writing", "written", "completing"])
def test_power_lost_during_an_update_leaves_the_old_image_running(make_cdb: MakeCdb, stage: str) -> None:
    cdb = make_cdb()
    assert cdb.download(make_image((2, 0), size=300), H) == 0x01
    image = make_image((3, 0), size=700)
    if stage == "erasing":
        cdb.send(0x0101, len(image).to_bytes(4) + bytes(4) + image[:H])
        cdb.bench.world.advance(0.3)
    else:
        assert cdb.start(image, H) == 0x01
        cdb.write_body(image[H:], upto=232 if stage == "writing" else None)
    if stage == "completing":
        cdb.send(0x0107)
        cdb.bench.world.advance(0.1)
        assert cdb.status() == 0x83
    power_cycle(cdb.bench)
    assert versions(cdb) == (b"\x01\x04", b"\xff\xff")
    assert status(cdb) == A_RUNS | A_COMMITTED | B_INVALID
    assert cdb.run(0x0103, (232).to_bytes(4) + b"x")[0] == 0x47  # nothing goes on from where it was
    assert cdb.download(image, H) == 0x01
    assert versions(cdb)[1] == b"\x03\x00"


def test_losing_the_committed_image_leaves_the_other_one(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    assert cdb.download(make_image((2, 0), size=300), H) == 0x01
    cdb.send(0x0109, RUN_INACTIVE)
    wait_for_restart(cdb)
    assert cdb.start(make_image((3, 0), size=300), H) == 0x01  # over A, the committed one
    power_cycle(cdb.bench)
    assert versions(cdb) == (b"\x02\x00", b"\xff\xff")
    assert status(cdb) == A_COMMITTED | A_INVALID | B_RUNS


def test_a_module_with_one_bank_that_loses_power_is_left_to_its_boot_loader(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(banks=1)
    assert cdb.run(0x0041)[1][1] & 0b10 == 0  # nothing to copy
    image = make_image((3, 0), size=400)
    assert cdb.start(image, H) == 0x01
    assert cdb.read(39, 2) == b"\x01\x04"  # it runs from its RAM
    assert status(cdb) == A_RUNS | A_COMMITTED | A_INVALID | B_INVALID
    power_cycle(cdb.bench)
    assert cdb.bench.module.state is ModuleState.FAULT
    assert cdb.read(3, 1)[0] >> 1 & 7 == 5
    assert cdb.read(39, 3) == b"\xff\xff\x03"
    cdb.bench.host.pins.set_low_power(asserted=False)
    cdb.bench.world.advance(10.0)
    assert cdb.bench.module.state is ModuleState.FAULT
    assert cdb.download(image, H) == 0x01
    cdb.send(0x0109, RUN_INACTIVE)
    wait_for_restart(cdb)
    assert cdb.read(39, 3) == b"\x03\x00\x00"
    assert cdb.bench.module.state is not ModuleState.FAULT


def test_a_module_without_any_valid_image_faults(make_bench: Callable[..., ModuleBench]) -> None:
    good = load_profile("good-dr4")
    bench = make_bench(dataclasses.replace(good, cdb=dataclasses.replace(good.cdb, firmware_corrupt=True)))
    bench.host.connect()
    bench.module.supply_changed()
    bench.run_until(lambda: bench.module.state is ModuleState.FAULT, limit_s=2.0)
    bench.world.advance(0.01)
    assert bench.get(0, 0, 39, 3) == b"\xff\xff\x03"


def test_the_foreground_profile_updates_with_a_password(make_cdb: MakeCdb) -> None:
    cdb = make_cdb("dr4-foreground-cdb")
    image = make_image(size=400)
    assert cdb.start(image, H) == 0x46
    cdb.write(122, 0, 0, 0x10, 0x11)
    cdb.send(0x0101, len(image).to_bytes(4) + bytes(4) + image[:H])
    silent_s = cdb.bench.run_until(cdb.acknowledged, limit_s=4.0)
    assert silent_s > 1.0
    assert cdb.status() == 0x01
    for address in range(0, len(image) - H, 116):
        cdb.send(0x0103, address.to_bytes(4) + image[H + address : H + address + 116])
        cdb.patient(limit_s=0.1)
        assert cdb.status() == 0x01
    cdb.send(0x0107)
    cdb.patient(limit_s=2.0)
    assert cdb.status() == 0x01
    cdb.send(0x0109, RUN_INACTIVE)
    cdb.patient(limit_s=3.0)
    assert cdb.read(39, 2) == b"\x02\x05"
