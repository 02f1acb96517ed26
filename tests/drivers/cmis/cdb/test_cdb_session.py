"""Executing CDB commands against a small module: triggers, lengths, waiting, replies, features."""

from __future__ import annotations

import errno
import threading
from typing import Any, ClassVar

import pytest

from drivers.cmis.cdb.features import read_features, read_firmware_features
from drivers.cmis.cdb.session import CdbSession
from drivers.cmis.errors import (
    CdbBusyError,
    CdbCommandFailedError,
    CdbNotAdvertisedError,
    CdbReplyError,
    CdbTimeoutError,
    CmisError,
    ModuleNotRespondingError,
)
from drivers.cmis.module import CmisModule
from drivers.cmis.ports import AccessLimits, CallableMemory
from drivers.errors import ConnectionFailedError


def _cdb_writes(fake: Any) -> list[tuple[int, bytes]]:
    return [(byte, data) for _, page, byte, data in fake.writes if page == 0x9F]


def test_one_write_where_the_stop_of_any_write_triggers(make_session: Any) -> None:
    fake, session = make_session(trigger_on_stop=True)
    session.execute(0x0100)
    assert _cdb_writes(fake) == [(128, bytes([0x01, 0x00, 0, 0, 0, 0xFE, 0, 0]))]


def test_body_first_where_only_the_cmdid_alone_triggers(make_session: Any) -> None:
    fake, session = make_session(trigger_on_stop=False)
    session.execute(0x0100)
    assert _cdb_writes(fake) == [(130, bytes([0, 0, 0, 0xFE, 0, 0])), (128, bytes([0x01, 0x00]))]
    assert [entry[1] for entry in fake.executed] == [0x0100]


@pytest.mark.parametrize("trigger_on_stop", [True, False])
def test_a_long_body_goes_in_pieces_and_triggers_once(make_session: Any, trigger_on_stop: bool) -> None:
    fake, session = make_session(trigger_on_stop=trigger_on_stop, extension=0)
    body = bytes(range(4)) + bytes([0x41] * 96)
    session.execute(0x0101, bytes([0, 0, 1, 0, 0, 0, 0, 0]))
    fake.writes.clear()
    session.execute(0x0103, bytes(4) + body)
    writes = _cdb_writes(fake)
    assert max(len(data) for _, data in writes) == 8
    assert writes[-1] == (128, bytes([0x01, 0x03]))
    assert not any(byte <= 129 for byte, _ in writes[:-1])
    assert fake.executed[-1][1:3] == (0x0103, bytes(4) + body)


def test_the_ports_own_limit_is_kept_too(make_session: Any) -> None:
    fake, session = make_session(cdb_limit=16)
    session.execute(0x0001, b"\x00\x00\x10\x11")
    session.execute(0x0101, bytes([0, 0, 1, 0]) + bytes(100))
    assert max(len(data) for _, data in _cdb_writes(fake)) == 16


def test_extended_payload_goes_page_by_page_before_the_command(make_session: Any) -> None:
    fake, session = make_session(extension=3)
    session.execute(0x0101, (4096).to_bytes(4, "big") + bytes(4))
    fake.writes.clear()
    payload = bytes(index % 251 for index in range(300))
    session.execute(0x0104, bytes(4), payload)
    assert fake.executed[-1] == (1, 0x0104, bytes(4), payload)
    pages = [page for _, page, _, _ in fake.writes if page >= 0x9F]
    assert pages == [0xA0] * 4 + [0xA1] * 4 + [0xA2] * 2 + [0x9F]


def test_more_extended_payload_than_advertised_is_not_sent(make_session: Any) -> None:
    fake, session = make_session(epl_code=1)
    with pytest.raises(CdbNotAdvertisedError, match=r"129 bytes .* 1 pages"):
        session.execute(0x0104, bytes(4), bytes(129))
    with pytest.raises(ValueError, match="121 bytes; 120 fit"):
        session.execute(0x0103, bytes(121))
    assert fake.executed == []


def test_a_second_instance_is_another_bank_with_a_status_of_its_own(make_session: Any) -> None:
    fake, session = make_session(instances=2, instance=2)
    assert session.status_register == "lower:38"
    session.execute(0x0040)
    assert fake.executed == [(2, 0x0040, b"", b"")]
    assert fake.lower[37] == 0


@pytest.mark.parametrize(("instances", "instance"), [(0, 1), (1, 2)])
def test_an_instance_that_is_not_advertised(make_session: Any, instances: int, instance: int) -> None:
    fake, session = make_session(instances=instances, instance=instance)
    with pytest.raises(CdbNotAdvertisedError, match="01h:163"):
        session.execute(0x0040)
    assert _cdb_writes(fake) == []


# Public hosts wait for fixed times (1 s before every look, and 20 ms between looks): too long for a command
# of a millisecond, and no limit at all for one that never ends.
@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("duration_s", [0.0005, 0.003, 0.050, 0.7, 4.9])
def test_no_fixed_waits(make_session: Any, clock: Any, background: bool, duration_s: float) -> None:
    fake, session = make_session(background=background)
    fake.default_s = duration_s
    session.advertised()
    start_s = clock.now_s()
    reply = session.execute(0x0040)
    assert reply.elapsed_s >= duration_s
    assert clock.now_s() - start_s <= 1.1 * duration_s + 0.011
    assert reply.elapsed_s <= reply.allowed_s


@pytest.mark.parametrize("background", [True, False])
def test_a_command_that_never_ends_is_given_up_after_the_advertised_time(
    make_session: Any, clock: Any, background: bool
) -> None:
    fake, session = make_session(background=background, busy_t=5)
    fake.default_s = 1e6
    allowed_s = 5.0 if background else 0.8  # 5 * 160 ms
    start_s = clock.now_s()
    with pytest.raises(CdbTimeoutError, match="lower:37") as caught:
        session.execute(0x0040)
    assert caught.value.allowed_s == pytest.approx(allowed_s)
    assert caught.value.elapsed_s == pytest.approx(allowed_s, abs=0.01)
    assert caught.value.register == "lower:37"
    assert clock.now_s() - start_s == pytest.approx(allowed_s, abs=0.02)
    assert ("executed" if background else "does not acknowledge") in str(caught.value)


def test_an_advertised_duration_of_a_command_extends_the_limit(make_session: Any) -> None:
    fake, session = make_session(background=False, busy_t=1)
    fake.durations_s = {0x0107: 20.0}
    fake.max_ms["complete"] = 30000
    session.execute(0x0101, bytes([0, 0, 0, 16]) + bytes(4))
    with pytest.raises(CdbTimeoutError):
        session.execute(0x0107)
    fake.lose_power()
    session.clock.sleep(fake.boot_s)
    assert read_firmware_features(session).complete_s == 30.0
    session.execute(0x0101, bytes([0, 0, 0, 16]) + bytes(4))
    assert session.execute(0x0107).elapsed_s == pytest.approx(20.0, rel=0.1)


def test_the_longest_completion_time_of_the_module_counts_for_all_others(make_session: Any) -> None:
    fake, session = make_session(busy_t=1)
    fake.max_completion_ms = 12000
    features = read_features(session)
    assert features.max_completion_s == 12.0
    assert features.commands == {0x0000, 0x0001, 0x0002, 0x0004, 0x0040, 0x0041}
    fake.default_s = 11.0
    assert session.execute(0x0100).elapsed_s == pytest.approx(11.0, rel=0.1)


def test_a_module_in_the_background_that_does_not_answer_for_a_while(make_session: Any, clock: Any) -> None:
    fake, session = make_session()
    session.advertised()
    fake.default_s = 1.0
    fake.capture_s = 0.6  # far beyond tCDBC
    assert session.execute(0x0040).elapsed_s == pytest.approx(1.0, rel=0.1)


def test_a_port_that_cannot_be_told_of_hold_offs(make_session: Any, clock: Any) -> None:
    fake, inner = make_session(background=False)
    session = CdbSession(
        CmisModule(CallableMemory(inner.module.memory.read, inner.module.memory.write), clock)
    )
    fake.default_s = 2.0
    assert session.execute(0x0100).elapsed_s == pytest.approx(2.0, rel=0.1)


def test_an_instance_that_is_busy_is_waited_for(make_session: Any) -> None:
    fake, session = make_session()
    fake.running_commands[0] = (0.0, session.clock.now_s() + 0.5, 0x01)
    assert session.execute(0x0040).status.succeeded


def test_an_instance_that_stays_busy_is_not_disturbed(make_session: Any) -> None:
    fake, session = make_session()
    fake.running_commands[0] = (0.0, 1e9, 0x01)
    with pytest.raises(CdbBusyError, match=r"lower:37 still reads 83h.*abort"):
        session.execute(0x0040)
    assert _cdb_writes(fake) == []


def test_a_background_command_is_aborted_while_it_runs(make_session: Any) -> None:
    fake, session = make_session()
    session.advertised()
    fake.durations_s[0x0040] = 1e6
    with pytest.raises(CdbTimeoutError, match="abort"):
        session.execute(0x0040, max_duration_s=0.2)
    fake.running_commands.clear()  # what an abort does to it
    session.abort()
    assert fake.executed[-1][1] == 0x0004
    fake.faults[0x0004] = [0x03]  # some show the aborted command's status instead
    session.abort()
    fake.faults[0x0004] = [0x47]
    with pytest.raises(CdbCommandFailedError):
        session.abort()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0x41, "unknown command"),
        (0x45, "wrong check code"),
        (0x46, "Enter the host's password"),
        (0x47, "not possible now"),
        (0x03, "aborted"),
        (0x00, "no result"),
    ],
)
def test_a_command_that_fails_says_why_and_what_to_do(make_session: Any, status: int, words: str) -> None:
    fake, session = make_session()
    fake.faults[0x0100] = [status]
    with pytest.raises(CdbCommandFailedError, match=words) as caught:
        session.execute(0x0100)
    assert (caught.value.command, caught.value.code) == (0x0100, status)
    assert "0100h Get Firmware Info" in str(caught.value)
    assert f"lower:37 reads {status:02X}h" in str(caught.value)


def test_a_wrong_reply_code_shows_both(make_session: Any) -> None:
    fake, session = make_session()
    fake.break_reply_code = True
    with pytest.raises(CdbReplyError, match=r"9Fh:135\) is .*h, but the 36 bytes read have"):
        session.execute(0x0040)


def test_a_wrong_reply_code_passes_where_asked_for(make_session: Any) -> None:
    fake, session = make_session(strict=False)
    fake.break_reply_code = True
    assert len(session.execute(0x0040).data) == 36


def test_a_reply_of_another_command_is_refused(make_session: Any) -> None:
    """Another host sends a command of its own between the end of ours and the reading of its reply."""
    _fake, session = make_session()
    other = CdbSession(
        CmisModule(CallableMemory(session.module.memory.read, session.module.memory.write), session.clock)
    )
    wait = session._wait_until_done

    def overtaken(*arguments: Any) -> Any:
        status = wait(*arguments)
        other.execute(0x0040)
        return status

    session._wait_until_done = overtaken
    with pytest.raises(CdbReplyError, match=r"9Fh:128-129 .*0040h.*another command"):
        session.execute(0x0100)


def test_sessions_of_one_port_wait_for_each_other(make_session: Any, clock: Any) -> None:
    fake, session = make_session()
    second = CdbSession(CmisModule(session.module.memory, clock))
    wait, begun, ended = session._wait_until_done, threading.Event(), threading.Event()
    found: list[int] = []

    def meanwhile() -> None:
        begun.wait(10.0)
        found.append(len(second.execute(0x0040).data))
        ended.set()

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert not ended.wait(0.2)  # the other one is not let in
        return wait(*arguments)

    session._wait_until_done = slow
    thread = threading.Thread(target=meanwhile)
    thread.start()
    assert len(session.execute(0x0100).data) > 36
    thread.join(10.0)
    assert found == [36]
    assert [number for _, number, _, _ in fake.executed] == [0x0100, 0x0040]


def test_an_abort_does_not_wait_for_what_it_is_to_end(make_session: Any) -> None:
    fake, session = make_session()
    session.advertised()
    with session._lock:
        thread = threading.Thread(target=session.abort)
        thread.start()
        thread.join(10.0)
        assert not thread.is_alive()
    assert fake.executed[-1][1] == 0x0004


def test_instances_have_locks_of_their_own(make_session: Any, clock: Any) -> None:
    _, session = make_session(instances=2)
    module = session.module
    assert CdbSession(CmisModule(module.memory, clock))._lock is session._lock
    assert CdbSession(module, instance=2)._lock is not session._lock


def test_replies_are_read_in_pieces_as_long_as_reads_may_be(make_session: Any, clock: Any) -> None:
    _fake, inner = make_session()

    class Limited:
        limits = AccessLimits(read=16, write=64)
        reads: ClassVar[list[int]] = []

        def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
            if page == 0x9F and byte >= 136:
                self.reads.append(length)
            return inner.module.memory.read(bank, page, byte, length)

        def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
            inner.module.memory.write(bank, page, byte, data)

    CdbSession(CmisModule(Limited(), clock)).execute(0x0040)
    assert Limited.reads == [16, 16, 4]


def test_a_reply_in_extended_payload(make_session: Any) -> None:
    fake, session = make_session()
    fake.replies[0x0105] = bytes(index % 256 for index in range(300))
    session.execute(0x0101, bytes([0, 0, 4, 0]) + bytes(4))
    fake.faults.clear()
    fake._execute = lambda command, lpl, epl: (0x01, b"")  # type: ignore[method-assign]
    reply = session.execute(0x0105, bytes(6))
    assert reply.in_epl
    assert len(reply.data) == 384
    assert reply.data[:300] == fake.replies[0x0105]


def test_a_reply_on_pages_that_are_not_there(make_session: Any) -> None:
    fake, session = make_session(epl_code=1)
    fake.replies[0x0100] = bytes(300)
    with pytest.raises(CdbReplyError, match="3 pages of EPL; the module advertises 1"):
        session.execute(0x0100)


def test_a_reply_too_short_for_what_is_asked(make_session: Any) -> None:
    fake, session = make_session()
    fake.replies[0x0041] = bytes(9)
    with pytest.raises(CdbReplyError, match="the reply has 9 bytes; expected 18"):
        read_firmware_features(session)


def test_features_without_a_completion_time(make_session: Any) -> None:
    fake, session = make_session()
    fake.replies[0x0040] = bytes(34)
    assert read_features(session).max_completion_s is None


def test_firmware_features(make_session: Any) -> None:
    fake, session = make_session()
    fake.replies[0x0041] = bytes([0, 0x8D, 64, 0xFF, 0x0F, 0x11, 0x01, 0]) + b"".join(
        number.to_bytes(2, "big") for number in (300, 10, 20, 600, 0)
    )
    found = read_firmware_features(session)
    assert (found.readback, found.skips_erased, found.copies, found.aborts) == (True, True, False, True)
    assert (found.start_payload_bytes, found.erased_byte, found.max_access_bytes) == (64, 0xFF, 128)
    assert (found.writes_lpl, found.writes_epl, found.reads_lpl, found.reads_epl) == (True, True, True, False)
    assert (found.start_s, found.abort_s, found.write_s, found.complete_s) == (3.0, 0.1, 0.2, 6.0)
    assert found.copy_s is None


def test_a_module_that_shows_an_old_status_for_a_while(make_session: Any) -> None:
    fake, session = make_session(first_look_s=0.03)
    fake.holds_off = False
    fake.capture_s = 0.02
    fake.default_s = 0.2
    assert len(session.execute(0x0040).data) == 36
    assert session.execute(0x0100).elapsed_s == pytest.approx(0.2, rel=0.15)
    fake, session = make_session()
    fake.holds_off = False
    fake.capture_s = 0.02
    fake.lower[37] = 0x01
    with pytest.raises(CdbReplyError, match="open the session with first_look_s"):
        read_features(session)


def test_a_silent_module_is_said_to_be_silent(make_session: Any) -> None:
    fake, session = make_session()
    session.advertised()
    fake.silent_until_s = 1e9
    with pytest.raises(ModuleNotRespondingError, match="no acknowledge"):
        session.execute(0x0040)
    assert fake.executed == []


def test_a_fault_of_the_bus_stays_one(make_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake, session = make_session()
    session.advertised()

    def broken(*_: Any) -> None:
        raise OSError(errno.ENODEV, "unplugged")

    monkeypatch.setattr(fake, "i2c_rdwr", broken)
    with pytest.raises(ConnectionFailedError):
        session.execute(0x0040)


def test_the_trace_tells_each_command_in_a_line(make_session: Any) -> None:
    lines: list[str] = []
    _, session = make_session(trace=lines.append)
    session.query_status()
    with pytest.raises(CmisError):
        session.execute(0x0102)
    assert len(lines) == 2
    assert lines[0].startswith("CDB1 0000h Query Status [00 00]: 01h, success after")
    assert "47h" in lines[1]


def test_what_was_advertised_is_asked_anew_after_a_reset(make_session: Any) -> None:
    fake, session = make_session()
    assert session.advertised().background
    fake.pages[(0, 0x01)][163 - 128] &= ~0x20
    assert session.advertised().background
    session.forget()
    assert not session.advertised().background
