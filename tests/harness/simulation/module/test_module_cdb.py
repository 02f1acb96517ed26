"""CDB messaging by raw bytes: phases, check codes, replies, triggers, lengths, passwords."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.image import page_checksum
from drivers.i2c import I2cNackError
from harness.simulation.module.profile import ProfileError, load_profile

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import ModuleBench, RawCdb

    MakeCdb = Callable[..., RawCdb]

FOREGROUND = {"background": False, "start_max_s": 4.0}


@pytest.mark.parametrize(
    ("command", "check_code"),
    [
        (0x0040, 0xBF),
        (0x0041, 0xBE),
        (0x0042, 0xBD),
        (0x0043, 0xBC),
        (0x0100, 0xFE),
        (0x0102, 0xFC),
        (0x0107, 0xF7),
    ],
)
def test_check_codes_that_the_specification_prints_are_accepted(
    make_cdb: MakeCdb, command: int, check_code: int
) -> None:
    cdb = make_cdb()
    cdb.send(command, check_code=check_code)
    assert cdb.wait() != 0x45
    cdb.send(command, check_code=check_code ^ 0x10)
    assert cdb.wait() == 0x45


def test_the_check_code_covers_the_lpl_body_but_not_its_own_bytes(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    cdb.page(0x9F)
    cdb.write(136, 0x00, 0x02)  # Query Status after 2 ms
    cdb.write(130, 0, 0, 2, 0xFB)  # ~(00+00 +00+00 +02 +00+02)
    cdb.write(128, 0, 0)
    assert cdb.wait() == 0x01
    assert cdb.reply() == b"\x02\x00"
    assert cdb.read(134, 2) == b"\x02\xfd"


def test_what_is_advertised(make_cdb: MakeCdb) -> None:
    bench = make_cdb().bench
    assert bench.get(0, 1, 163, 4) == bytes([0x77, 15, 0x80, 0x00])
    assert page_checksum(1, bench.get(0, 1, 128, 128)).ok
    slow = make_cdb(background=False, max_busy_s=0.5).bench
    assert slow.get(0, 1, 163, 4) == bytes([0x57, 15, 0x80 | 25, 0x80])  # 25 x 160 ms: Start and Copy
    quick = make_cdb(max_busy_s=0.03).bench
    assert quick.get(0, 1, 166, 1) == bytes([50])  # 80 - 50 ms


def test_a_module_without_cdb_has_no_page_and_advertises_none(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(supported=False)
    assert cdb.bench.get(0, 1, 163, 4) == bytes(4)
    cdb.page(0x9F)
    assert cdb.read(127, 1) == b"\0"


def test_a_background_command_is_seen_to_go_through_its_phases(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(max_busy_s=1.0)
    seen = []
    cdb.send(0x0040)
    with pytest.raises(I2cNackError):  # it is being captured
        cdb.bench.bus.write_read(0x50, bytes([37]), 1)
    while not seen or seen[-1] >= 0x80:
        status = cdb.status()
        if not seen or seen[-1] != status:
            seen.append(status)
        cdb.bench.world.advance(0.0002)
    assert seen == [0x81, 0x82, 0x83, 0x01]


def test_the_completion_flag_is_latched_once_and_cleared_by_reading(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    cdb.read(8, 1)
    cdb.send(0x0040)
    assert cdb.read(8, 1) == b"\0"
    assert cdb.wait() == 0x01
    assert cdb.bench.host.pins.interrupt_asserted()
    assert cdb.read(8, 1) == b"\x40"
    assert cdb.read(8, 1) == b"\0"
    assert not cdb.bench.host.pins.interrupt_asserted()
    silent = make_cdb(completion_flag=False)
    silent.read(8, 1)
    assert silent.run(0x0040)[0] == 0x01
    assert silent.read(8, 1) == b"\0"


def test_a_command_takes_less_than_what_is_advertised_and_not_always_the_same(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    took = set()
    for _ in range(5):
        cdb.send(0x0040)
        started_s = cdb.bench.world.now_s
        assert cdb.wait() == 0x01
        took.add(round(cdb.bench.world.now_s - started_s, 3))
    assert max(took) <= 0.080
    assert len(took) > 1


def test_module_features(make_cdb: MakeCdb) -> None:
    status, reply = make_cdb().run(0x0040)
    assert status == 0x01
    assert len(reply) == 36
    assert reply[:2] == bytes(2)
    assert reply[2] == 0b0001_0111  # 0000h, 0001h, 0002h, 0004h
    assert reply[2 + 8] == 0b0000_0011  # 0040h, 0041h
    assert int.from_bytes(reply[34:]) == 4000  # Start
    _, without_abort = make_cdb(**FOREGROUND).run(0x0040)
    assert without_abort[2] == 0b0000_0111


def test_firmware_features(make_cdb: MakeCdb) -> None:
    status, reply = make_cdb().run(0x0041)
    assert status == 0x01
    assert reply == bytes([0, 0b0000_0111, 72, 0xFF, 15, 0x11, 0x00, 0]) + b"".join(
        milliseconds.to_bytes(2) for milliseconds in (4000, 500, 80, 2000, 4000)
    )
    _, other = make_cdb(
        readback_supported=True, skips_erased=False, copy_supported=False, abort_supported=False,
        epl_pages=0, length_extension=0, start_max_s=100.0,
    ).run(0x0041)  # fmt: skip
    assert other == bytes([0, 0b1000_1000, 72, 0xFF, 0, 0x01, 0x01, 0]) + b"".join(
        tens.to_bytes(2) for tens in (10_000, 0, 8, 200, 0)
    )


def test_firmware_information_of_a_new_module(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    status, reply = cdb.run(0x0100)
    assert status == 0x01
    assert len(reply) == 110
    assert reply[0] == 0b0100_0011  # A runs and is committed, B holds nothing valid
    assert reply[1] == 0b0000_0001
    assert reply[2:6] == bytes([1, 4, 0, 1])
    assert reply[6:38].rstrip(b"\0 ") == b"delivered"
    assert reply[38:] == bytes(72)
    assert cdb.read(39, 2) == bytes([1, 4])


@pytest.mark.parametrize(
    ("command", "lpl", "status"),
    [
        (0x0042, b"", 0x41),
        (0xFFFF, b"", 0x41),
        (0x0105, bytes(6), 0x41),  # reading back is not supported
        (0x0101, bytes(7), 0x42),
        (0x0000, b"", 0x42),
        (0x0103, bytes(5), 0x47),
        (0x0102, b"", 0x47),
        (0x0107, b"", 0x47),
        (0x0108, b"\x00", 0x42),
        (0x0109, bytes([0, 6, 0, 0]), 0x42),
        (0x0109, bytes([0, 0, 0, 0]), 0x65),  # bank B is empty
        (0x0109, bytes([0, 1, 0, 0]), 0x66),  # not without interruption
        (0x0109, bytes([0, 4, 0, 0]), 0x67),
    ],
)
def test_commands_that_cannot_be_done_say_why(
    make_cdb: MakeCdb, command: int, lpl: bytes, status: int
) -> None:
    cdb = make_cdb()
    found, reply = cdb.run(command, lpl)
    assert (found, reply) == (status, b"")
    assert cdb.read(8, 1)[0] & 0x40


def test_a_length_that_cannot_be_is_refused(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(epl_pages=1)
    cdb.page(0x9F)
    cdb.write(130, 0, 0, 121, 255 - 0x40 - 121)
    cdb.write(128, 0, 0x40)
    assert cdb.wait() == 0x42
    cdb.write(130, 0, 129, 0, 255 - 0x40 - 129)
    cdb.write(128, 0, 0x40)
    assert cdb.wait() == 0x42


def test_a_foreground_module_acknowledges_nothing_until_the_command_is_done(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(**FOREGROUND, max_busy_s=0.5)
    cdb.send(0x0040)
    started_s = cdb.bench.world.now_s
    first = cdb.bench.run_until(cdb.acknowledged, limit_s=0.5)
    assert first > 0.1
    assert cdb.status() == 0x01
    assert cdb.bench.world.now_s - started_s <= 0.5
    assert len(cdb.reply()) == 36


def test_a_background_module_answers_while_it_works(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(max_busy_s=4.0)
    cdb.send(0x0040)
    cdb.bench.world.advance(0.1)
    assert cdb.status() == 0x83
    assert cdb.read(0, 1) == b"\x18"
    assert cdb.wait() == 0x01


def test_query_status_answers_after_the_delay_it_is_told(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    cdb.send(0x0000, (2000).to_bytes(2))
    started_s = cdb.bench.world.now_s
    assert cdb.wait() == 0x01
    assert 2.0 <= cdb.bench.world.now_s - started_s <= 2.1
    assert make_cdb(**FOREGROUND).run(0x0000, (5000).to_bytes(2))[0] == 0x42  # longer than it may hold off


def test_any_write_with_byte_129_triggers_where_that_is_advertised(make_cdb: MakeCdb) -> None:
    message = bytes([0x00, 0x40, 0, 0, 0, 0xBF, 0, 0])
    eager = make_cdb(trigger_any_write=True)
    eager.page(0x9F)
    eager.write(128, *message)
    assert eager.wait() == 0x01
    assert len(eager.reply()) == 36
    exact = make_cdb(trigger_any_write=False)
    exact.page(0x9F)
    exact.write(128, *message)
    exact.bench.world.advance(1.0)
    assert exact.status() == 0x00
    exact.write(129, 0x40)  # byte 128 is 0 already
    assert exact.wait() == 0x01
    exact.write(128, 0x00, 0x41)
    assert exact.wait() == 0x45  # the check code is still that of 0040h


def test_a_write_of_byte_128_alone_triggers_nothing(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    cdb.prepare(0x0040)
    cdb.write(128, 0x00)
    cdb.bench.world.advance(1.0)
    assert cdb.status() == 0x00


def test_a_command_sent_while_another_runs_is_not_taken(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(max_busy_s=2.0)
    cdb.send(0x0041)
    cdb.send(0x0040)
    assert cdb.wait() == 0x01
    assert len(cdb.reply()) == 18


def test_a_background_command_can_be_aborted(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    cdb.send(0x0000, (60_000).to_bytes(2))
    cdb.bench.world.advance(1.0)
    cdb.read(8, 1)
    cdb.send(0x0004)
    assert cdb.status() == 0x03
    assert cdb.read(8, 1) == b"\x40"
    cdb.bench.world.advance(100.0)
    assert cdb.status() == 0x03
    assert cdb.run(0x0040)[0] == 0x01


def test_an_abort_may_report_success_instead(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(abort_shows_aborted=False)
    cdb.send(0x0000, (60_000).to_bytes(2))
    cdb.bench.world.advance(1.0)
    cdb.send(0x0004)
    assert cdb.status() == 0x01


@pytest.mark.parametrize("extension", [0, 3, 15])
def test_writes_to_cdb_pages_may_be_as_long_as_advertised(make_cdb: MakeCdb, extension: int) -> None:
    cdb = make_cdb(length_extension=extension, trigger_any_write=False)
    longest = 8 * (1 + extension)
    cdb.page(0x9F)
    cdb.write(136, *[0x5A] * min(longest, 120))
    assert cdb.read(136, 8) == b"\x5a" * 8
    cdb.patient()
    with pytest.raises(I2cNackError):
        cdb.bench.bus.write(0x50, bytes([136]) + b"\xa5" * (longest + 1))
    cdb.page(0xA0)
    cdb.page(0x9F)
    assert cdb.read(136, 8) == b"\x5a" * 8
    cdb.page(0x11)  # elsewhere the module takes 8 bytes
    with pytest.raises(I2cNackError):
        cdb.write(130, *[0] * 9)


def test_auto_paging_joins_the_epl_pages(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(length_extension=255, epl_pages=4)
    data = bytes(index % 251 for index in range(400))
    cdb.page(0xA0)
    cdb.write(128, *data)
    assert cdb.read(127, 1) == b"\xa3"
    cdb.page(0xA0)
    assert cdb.read(128, 400) == data
    cdb.page(0xA1)
    assert cdb.read(128, 8) == data[128:136]
    apart = make_cdb(length_extension=255, epl_pages=4, auto_paging=False)
    apart.page(0xA0)
    apart.write(128, *data[:136])
    assert apart.read(127, 1) == b"\xa0"
    assert apart.read(128, 16) == data[128:136] + data[8:16]  # rolled over within the page


def test_the_address_counter_stays_on_the_last_epl_page(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(length_extension=255, epl_pages=2)
    cdb.page(0xA1)
    cdb.write(248, *range(16))
    assert cdb.read(127, 1) == b"\xa1"
    assert cdb.read(128, 8) == bytes(range(8, 16))


def test_flaky_writes_are_refused_without_effect(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(nack_every_n_writes=3)
    cdb.page(0x9F)
    cdb.write(136, 1)
    cdb.write(137, 2)
    with pytest.raises(I2cNackError):
        cdb.write(138, 3)
    assert cdb.read(136, 3) == bytes([1, 2, 0])
    cdb.write(138, 3)
    assert cdb.read(136, 3) == bytes([1, 2, 3])


def test_a_reset_ends_a_command_and_clears_its_status(make_cdb: MakeCdb) -> None:
    cdb = make_cdb()
    cdb.send(0x0000, (5_000).to_bytes(2))
    cdb.bench.world.advance(0.1)
    cdb.write(26, 0x48)
    cdb.bench.world.advance(10.0)
    assert cdb.status() == 0x00
    assert cdb.run(0x0040)[0] == 0x01


# -- passwords -------------------------------------------------------------------------------------------


def test_firmware_commands_need_the_password_where_the_profile_says(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(password_required=True)
    assert cdb.run(0x0100)[0] == 0x01
    assert cdb.run(0x010A)[0] == 0x46
    assert cdb.run(0x0001, bytes.fromhex("00001012"))[0] == 0x46
    assert cdb.run(0x0000, bytes(2))[1] == b"\x02\x00"
    assert cdb.run(0x0001, bytes.fromhex("00001011"))[0] == 0x01
    assert cdb.run(0x0000, bytes(2))[1] == b"\x02\x01"
    assert cdb.run(0x010A)[0] == 0x01


def test_the_password_in_lower_memory_is_one_write_of_four_bytes(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(password_required=True)
    cdb.write(122, 0x00, 0x00)
    cdb.write(124, 0x10, 0x11)
    assert cdb.run(0x010A)[0] == 0x46
    cdb.write(122, 0x00, 0x00, 0x10, 0x11)
    assert cdb.read(122, 4) == bytes(4)  # write only
    assert cdb.run(0x010A)[0] == 0x01
    cdb.write(26, 0x48)  # a reset forgets it
    cdb.bench.world.advance(3.0)
    assert cdb.run(0x010A)[0] == 0x46


def test_a_changed_password_outlives_the_supply(make_cdb: MakeCdb) -> None:
    cdb = make_cdb(password_required=True)
    new = bytes.fromhex("12345678")
    assert cdb.run(0x0002, new)[0] == 0x46  # the old one first
    assert cdb.run(0x0001, bytes.fromhex("00001011"))[0] == 0x01
    assert cdb.run(0x0002, bytes.fromhex("80000000"))[0] == 0x46  # a vendor's password
    assert cdb.run(0x0002, new)[0] == 0x01
    power_cycle(cdb.bench)
    assert cdb.run(0x0001, bytes.fromhex("00001011"))[0] == 0x46
    assert cdb.run(0x0001, new)[0] == 0x01


def test_lower_memory_tells_the_result_of_a_password_from_cmis_5_4_on(
    make_bench: Callable[..., ModuleBench],
) -> None:
    good = load_profile("good-dr4")
    found = []
    for minor in (0, 4):
        identity = dataclasses.replace(good.identity, cmis_minor=minor)
        bench = make_bench(dataclasses.replace(good, identity=identity))
        bench.power_on()
        results = []
        for last in (0x12, 0x11):
            bench.put(0, 0, 122, bytes([0, 0, 0x10, last]))
            results.append(bench.get(0, 0, 42, 1)[0])
        bench.put(0, 0, 118, bytes.fromhex("00000001"))
        results.append(bench.get(0, 0, 42, 1)[0])
        found.append(results)
    assert found == [[0, 0, 0], [2, 1, 1]]


def power_cycle(bench: ModuleBench) -> None:
    bench.surroundings.vcc = 0.0
    bench.module.supply_changed()
    bench.world.advance(1.0)
    bench.surroundings.vcc = 3.3
    bench.module.supply_changed()
    bench.world.advance(2.0)


# -- profiles --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [("epl_pages = 5", "cdb.epl_pages"), ("background = false\nstart_max_s = 6.0", "cdb.start_max_s")],
)
def test_a_profile_cannot_ask_for_what_cannot_be_advertised(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(f'extends = "good-dr4"\n[cdb]\n{text}\n')
    with pytest.raises(ProfileError, match=key):
        load_profile(path)
