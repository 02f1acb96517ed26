"""Firmware by CDB: what a module holds, and updates that work, are refused, or fail and say what is left."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.clock import StopRequested
from drivers.cmis.cdb.firmware import (
    FirmwareProgress,
    abort_download,
    commit_image,
    copy_image,
    run_image,
    update_firmware,
)
from drivers.cmis.cdb.firmware_info import read_firmware_info, read_firmware_revisions
from drivers.cmis.errors import (
    CdbCommandFailedError,
    CdbNotAdvertisedError,
    FirmwareUpdateError,
    FirmwareUpdateRefusedError,
)
from drivers.cmis.image import MemoryImage
from drivers.errors import BenchError, ConnectionFailedError


def _commands(fake: Any) -> list[int]:
    return [number for _, number, _, _ in fake.executed]


def _failed(caught: pytest.ExceptionInfo[FirmwareUpdateError]) -> tuple[str, str]:
    phase = caught.value.result.failed_phase
    assert phase is not None
    assert not caught.value.result.ok
    return phase.name, str(caught.value)


# What a module holds


def test_firmware_info(make_session: Any) -> None:
    fake, session = make_session()
    fake.firmware.banks["B"].valid = False
    info = read_firmware_info(session)
    assert (info.a.revision, info.a.running, info.a.committed, info.a.valid) == ("1.0.1", True, True, True)
    assert (info.b.revision, info.b.running, info.b.committed, info.b.valid) == ("0.9.7", False, False, False)
    assert info.running is info.a
    assert info.committed is info.a
    assert info.a.text == "image A"
    assert not info.factory.present
    assert info.summary() == "image A 1.0.1: running, committed; image B 0.9.7: INVALID"


def test_text_of_an_image_is_untrusted(make_session: Any) -> None:
    fake, session = make_session()
    reply = bytearray(fake.firmware.info())
    reply[6:10] = b"\x1b[2J"
    fake.replies[0x0100] = bytes(reply)
    assert "\x1b" not in read_firmware_info(session).a.text


def test_an_image_of_a_factory_runs_when_no_other_does(make_session: Any) -> None:
    fake, session = make_session()
    fake.firmware.factory = True
    fake.firmware.running = fake.firmware.committed = "factory"
    info = read_firmware_info(session)
    assert info.running is info.factory
    assert "factory 0.1.1: running" in info.summary()
    assert "Only the factory image" in info.after_power_loss()


@pytest.mark.parametrize(
    ("active", "inactive", "found"),
    [
        (b"\x02\x07", b"\x01\x00", ("2.7", "1.0")),
        (b"\x00\x00", b"\xff\xff", (None, "invalid")),
    ],
)
def test_revisions_without_cdb(active: bytes, inactive: bytes, found: tuple[Any, Any]) -> None:
    lower, page = bytearray(128), bytearray(128)
    lower[39:41], page[0:2] = active, inactive
    revisions = read_firmware_revisions(MemoryImage(bytes(lower), {(0, 1): bytes(page)}))
    assert (revisions.active, revisions.inactive) == found


def test_revisions_of_flat_memory() -> None:
    lower = bytearray(128)
    lower[2], lower[39] = 0x80, 3
    revisions = read_firmware_revisions(MemoryImage(bytes(lower)))
    assert (revisions.active, revisions.inactive) == ("3.0", None)


# Updates that work


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("mechanism", ["lpl", "epl"])
@pytest.mark.parametrize("trigger_on_stop", [True, False])
def test_an_update(
    make_session: Any, image: bytes, background: bool, mechanism: Any, trigger_on_stop: bool
) -> None:
    fake, session = make_session(background=background, trigger_on_stop=trigger_on_stop)
    fake.firmware.expected = image
    told: list[FirmwareProgress] = []
    result = update_firmware(session, image, mechanism=mechanism, progress=told.append)
    assert result.ok
    assert fake.firmware.banks["B"].content == image
    assert (fake.firmware.running, fake.firmware.committed) == ("B", "B")
    assert [phase.name for phase in result.phases] == [
        "start",
        "write",
        "complete",
        "run",
        "verify",
        "commit",
    ]
    assert result.target == "B"
    assert result.after is not None
    assert result.after.committed is result.after.b
    assert "starts image B 2.0.42" in result.holds
    assert "WARNING" not in result.holds
    number = 0x0103 if mechanism == "lpl" else 0x0104
    assert _commands(fake).count(number) == result.blocks
    assert max(size for _, size in fake.firmware.blocks) == (116 if mechanism == "lpl" else 2048)
    # The progress bar never goes back, and ends at the whole file.
    assert [step.bytes_done for step in told] == sorted(step.bytes_done for step in told)
    assert [step.elapsed_s for step in told] == sorted(step.elapsed_s for step in told)
    assert (told[0].phase, told[0].bytes_done) == ("start", 0)
    assert (told[-1].phase, told[-1].bytes_done) == ("commit", len(image))
    assert {step.bytes_total for step in told} == {len(image)}


def test_the_start_command_carries_size_and_header(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    update_firmware(session, image)
    [start] = [lpl for _, number, lpl, _ in fake.executed if number == 0x0101]
    assert start == len(image).to_bytes(4, "big") + bytes(4) + image[:16]
    fake, session = make_session()
    update_firmware(session, image, header_size=0)
    [start] = [lpl for _, number, lpl, _ in fake.executed if number == 0x0101]
    assert start == len(image).to_bytes(4, "big") + bytes(4)


def test_blocks_of_erased_bytes_are_left_out_where_advertised(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.firmware.expected = image
    result = update_firmware(session, image, mechanism="lpl", run=False)
    assert result.bytes_skipped == 5 * 116  # whole blocks within the 700 erased bytes
    assert result.bytes_written + result.bytes_skipped + 16 == len(image)
    fake, session = make_session()
    fake.skips_erased = False
    assert update_firmware(session, image, mechanism="lpl", run=False).bytes_skipped == 0


def test_an_update_from_b_to_a(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.firmware.running = fake.firmware.committed = "B"
    assert update_firmware(session, image).target == "A"
    assert (fake.firmware.running, fake.firmware.committed) == ("A", "A")


def test_from_the_factory_image(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.firmware.factory = True
    fake.firmware.running = fake.firmware.committed = "factory"
    fake.firmware.banks["A"].valid = fake.firmware.banks["B"].valid = False
    result = update_firmware(session, image)
    assert result.target is None
    assert result.ok
    assert fake.firmware.running == fake.firmware.committed == "A"


def test_written_and_not_run(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    result = update_firmware(session, image, run=False)
    assert result.ok
    assert not {0x0109, 0x010A} & set(_commands(fake))
    assert "starts image A 1.0.1" in result.holds


def test_run_and_not_committed_is_said(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    result = update_firmware(session, image, commit=False)
    assert "starts image A 1.0.1. Image B, which runs, is not committed." in result.holds
    fake.lose_power()
    assert fake.firmware.running == "A"


def test_then_it_is_committed_by_itself(make_session: Any, image: bytes) -> None:
    _, session = make_session()
    update_firmware(session, image, commit=False)
    info = commit_image(session)
    assert info.committed is info.b


def test_a_restart_later_than_cmis_allows_is_said_and_passes(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.boot_s = 17.0
    result = update_firmware(session, image)
    assert result.ok
    [run] = [phase for phase in result.phases if phase.name == "run"]
    assert run.elapsed_s == pytest.approx(17.1, abs=0.3)
    assert "tMgmtInit allows 2.1 s" in run.explanation


def test_a_password_is_entered_again_after_the_reset(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.needs_password = True
    result = update_firmware(session, image, unlock=lambda: session.enter_password(0x00001011))
    assert result.ok
    assert _commands(fake).count(0x0001) == 2


def test_long_steps_get_the_time_they_advertise(make_session: Any, image: bytes) -> None:
    fake, session = make_session(background=False, busy_t=1)
    fake.max_ms.update(start=30000, write=900, complete=60000)
    fake.durations_s.update({0x0101: 25.0, 0x0104: 0.8, 0x0107: 55.0})
    result = update_firmware(session, image)
    allowed_s = {phase.name: phase.allowed_s for phase in result.phases}
    assert (allowed_s["start"], allowed_s["write"], allowed_s["complete"]) == (30.0, 0.9, 60.0)


# Blocks that are refused or damaged


def test_blocks_that_fail_are_written_again(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.firmware.expected = image
    fake.faults[0x0103] = [0x45, 0x40]
    result = update_firmware(session, image, mechanism="lpl")
    assert result.ok
    assert [(retry.address, retry.attempt) for retry in result.retries] == [(0, 1), (0, 2)]
    assert "45h" in result.retries[0].reason


def test_a_module_that_is_silent_for_a_while_is_written_on(
    make_session: Any, image: bytes, clock: Any
) -> None:
    fake, session = make_session()
    fake.firmware.expected = image
    count = 0

    def hold_off(page: int, byte: int, data: bytes) -> None:
        nonlocal count
        count += page >= 0xA0
        if page >= 0xA0 and count == 9:
            fake.silent_until_s = clock.now_s() + 0.4  # longer than it may, in the middle of a block

    fake.before_write = hold_off
    result = update_firmware(session, image)
    assert result.ok
    assert len(result.retries) == 1
    assert "no acknowledge" in result.retries[0].reason


def test_a_block_that_keeps_failing_ends_the_update(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.faults[0x0104] = [0x45] * 9
    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(session, image)
    phase, text = _failed(caught)
    assert phase == "write"
    assert "after 16 of 5016 bytes" in text
    assert "wrong check code" in text
    assert "The download was aborted." in text
    assert "cannot be resumed" in text
    assert "image A 1.0.1: running, committed; image B 0.0.0: INVALID" in text
    assert "starts image A 1.0.1" in text
    assert _commands(fake).count(0x0104) == 3
    assert fake.firmware.memory is None
    result = caught.value.result
    assert len(result.retries) == 2
    assert result.after is not None
    assert not result.after.b.valid
    # And from the beginning it works.
    fake.faults.clear()
    assert update_firmware(session, image).ok


def test_a_failure_that_repeating_cannot_mend_ends_it_at_once(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.faults[0x0104] = [0x42] * 9
    with pytest.raises(FirmwareUpdateError, match="42h"):
        update_firmware(session, image)
    assert _commands(fake).count(0x0104) == 1


def test_a_module_that_loses_its_supply_in_the_middle(make_session: Any, image: bytes) -> None:
    fake, session = make_session()

    def progress(step: FirmwareProgress) -> None:
        if step.phase == "write" and step.bytes_done > 2000 and fake.firmware.memory is not None:
            fake.lose_power()

    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(session, image, progress=progress)
    phase, text = _failed(caught)
    assert phase == "write"
    assert "47h" in text
    assert "starts image A 1.0.1" in text
    assert "Aborting" not in text  # no download is open after the restart


def test_a_module_that_never_answers_again(make_session: Any, image: bytes) -> None:
    fake, session = make_session()

    def progress(step: FirmwareProgress) -> None:
        if step.phase == "write" and step.bytes_done > 2000:
            fake.silent_until_s = 1e9

    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(session, image, progress=progress)
    phase, text = _failed(caught)
    assert phase == "write"
    assert "WARNING: what the module holds now could not be read" in text
    assert "Before the update it held image A 1.0.1: running, committed" in text
    assert caught.value.result.after is None


def test_a_module_without_an_abort_command(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.aborts = False
    fake.faults[0x0104] = [0x42]
    with pytest.raises(FirmwareUpdateError, match="no command to abort"):
        update_firmware(session, image)
    assert 0x0102 not in _commands(fake)


# Failures of the other phases


def test_an_image_that_the_module_finds_wrong(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.firmware.expected = image + b"more"
    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(session, image)
    phase, text = _failed(caught)
    assert phase == "complete"
    assert "62h, firmware: the image's checksum is wrong" in text
    assert "starts image A" in text
    assert 0x0109 not in _commands(fake)


def test_an_image_called_invalid_after_it_was_completed(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.faults[0x0107] = [0x01]  # says success, and leaves the image as it is
    with pytest.raises(FirmwareUpdateError, match="calls the image written invalid") as caught:
        update_firmware(session, image)
    assert _failed(caught)[0] == "complete"


def test_a_start_that_is_refused(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.needs_password = True
    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(session, image)
    phase, text = _failed(caught)
    assert phase == "start"
    assert "Enter the host's password" in text
    assert "image B 0.9.7: idle" in text  # untouched


def _one_bank(fake: Any) -> None:
    fake.firmware.one_bank = True
    fake.firmware.banks["B"] = type(fake.firmware.banks["A"])(valid=False, revision=(0, 0, 0))


def test_a_module_with_one_bank_is_written_on_and_that_is_said(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    _one_bank(fake)
    fake.firmware.expected = image
    told: list[FirmwareProgress] = []
    result = update_firmware(session, image, progress=told.append)
    assert result.ok
    assert result.target == "A"
    assert fake.firmware.banks["A"].content == image
    start = result.phases[0]
    assert "WARNING: the module has erased the image that it would start with" in start.explanation
    assert all("Keep its supply on" in step.note for step in told if step.phase == "write")
    assert "WARNING" not in result.holds


def test_a_module_with_one_bank_whose_update_fails_can_be_updated_again(
    make_session: Any, image: bytes
) -> None:
    fake, session = make_session()
    _one_bank(fake)
    fake.faults[0x0104] = [0x68]
    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(session, image)
    phase, text = _failed(caught)
    assert phase == "write"
    assert "WARNING: no valid image is committed. It may not start again. Keep its supply on" in text
    assert "accept_risk=True" in text
    with pytest.raises(FirmwareUpdateRefusedError):
        update_firmware(session, image)
    result = update_firmware(session, image, accept_risk=True)
    assert result.ok
    assert "starts image A 2.0.42" in result.holds


def test_the_committed_image_is_erased_only_where_the_risk_is_accepted(
    make_session: Any, image: bytes
) -> None:
    fake, session = make_session()
    fake.firmware.running, fake.firmware.committed = "B", "A"
    fake.faults[0x0104] = [0x68]
    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(session, image, accept_risk=True)
    assert "image A 0.0.0: committed, INVALID; image B 0.9.7: running" in str(caught.value)
    assert "WARNING: no valid image is committed" in str(caught.value)
    assert update_firmware(session, image, accept_risk=True).ok
    assert fake.firmware.committed == "A"


def test_an_interruption_of_an_update_at_risk_says_so(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    _one_bank(fake)

    def progress(step: FirmwareProgress) -> None:
        if step.phase == "write" and step.bytes_done > 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        update_firmware(session, image, progress=progress)
    assert "WARNING: the module has erased the image that it would start with" in caught.value.__notes__[0]


def test_a_module_that_still_erases_when_the_start_is_done(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.erases_for_s = 1.3
    fake.firmware.expected = image
    result = update_firmware(session, image)
    assert result.ok
    [retry] = result.retries
    assert "still erasing" in retry.reason


def test_a_module_that_erases_for_longer_than_it_advertises(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.erases_for_s = 60.0
    with pytest.raises(FirmwareUpdateError, match="47h") as caught:
        update_firmware(session, image)
    assert _failed(caught)[0] == "write"
    phase = caught.value.result.failed_phase
    assert phase is not None
    assert phase.elapsed_s == pytest.approx(2.0, abs=0.2)  # what 0041h advertises for the start


def test_a_download_left_open_is_aborted_first(make_session: Any, image: bytes) -> None:
    _, session = make_session()
    session.execute(0x0101, (64).to_bytes(4, "big") + bytes(4))
    result = update_firmware(session, image)
    assert result.ok
    assert "left open was aborted" in result.phases[0].explanation


def test_a_new_image_that_does_not_come_up(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.firmware.boots = False
    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(session, image, restart_patience_s=20.0)
    phase, text = _failed(caught)
    assert phase == "run"
    assert "did not come up within 20" in text
    assert "image A 1.0.1: running, committed; image B 2.0.42: idle" in text
    assert 0x010A not in _commands(fake)


def test_a_module_that_does_not_come_back(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.boot_s = 1e9
    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(session, image, restart_patience_s=20.0)
    phase, text = _failed(caught)
    assert phase == "run"
    assert "no acknowledge" in text
    assert "comes back at a reset or power cycle" in text


def test_a_run_command_that_is_refused(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.faults[0x0109] = [0x68]
    with pytest.raises(FirmwareUpdateError, match="firmware: execution failed") as caught:
        update_firmware(session, image)
    assert _failed(caught)[0] == "run"


def test_a_new_image_in_module_fault_is_not_committed(make_session: Any, image: bytes) -> None:
    fake, session = make_session()

    def fault(step: FirmwareProgress) -> None:
        if step.phase == "verify":
            fake.lower[3] = 5 << 1

    with pytest.raises(FirmwareUpdateError, match="ModuleFault") as caught:
        update_firmware(session, image, progress=fault)
    assert _failed(caught)[0] == "verify"
    assert fake.firmware.committed == "A"


@pytest.mark.parametrize("status", [0x46, 0x01])
def test_a_commit_that_fails_or_does_nothing(make_session: Any, image: bytes, status: int) -> None:
    fake, session = make_session()
    fake.faults[0x010A] = [status]
    with pytest.raises(FirmwareUpdateError) as caught:
        update_firmware(session, image)
    phase, text = _failed(caught)
    assert phase == "commit"
    assert "Image B, which runs, is not committed." in text
    assert "starts image A 1.0.1" in text


# Updates that are not begun


def _unsafe_running_not_committed(fake: Any) -> None:
    fake.firmware.running, fake.firmware.committed = "B", "A"


def _unsafe_running_invalid(fake: Any) -> None:
    fake.firmware.banks["A"].valid = False


def _unsafe_nothing_runs(fake: Any) -> None:
    fake.firmware.running = fake.firmware.committed = "factory"


def _unsafe_both_run(fake: Any) -> None:
    reply = bytearray(fake.firmware.info())
    reply[0] = 0x33
    fake.replies[0x0100] = bytes(reply)


@pytest.mark.parametrize(
    ("unsafe", "words"),
    [
        (_unsafe_running_not_committed, "image B, which runs, is not the committed one; image A is"),
        (_unsafe_running_invalid, "calls image A, which runs, invalid"),
        (_unsafe_nothing_runs, "does not say which one image runs"),
        (_unsafe_both_run, "does not say which one image runs"),
    ],
)
def test_an_update_that_could_leave_no_image_is_refused(
    make_session: Any, image: bytes, unsafe: Any, words: str
) -> None:
    fake, session = make_session()
    unsafe(fake)
    with pytest.raises(FirmwareUpdateRefusedError, match=words) as caught:
        update_firmware(session, image)
    assert "Nothing was written." in str(caught.value)
    assert 0x0101 not in _commands(fake)


def test_a_bench_that_is_not_fit_stops_it_before_the_start(make_session: Any, image: bytes) -> None:
    fake, session = make_session()

    def unstable() -> None:
        raise BenchError("the supply is not stable")

    with pytest.raises(BenchError, match="not stable"):
        update_firmware(session, image, precondition=unstable)
    assert 0x0101 not in _commands(fake)


def test_a_bench_that_is_no_longer_fit_stops_it_before_the_run(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    asked: list[int] = []

    def once() -> None:
        asked.append(len(fake.executed))
        if len(asked) == 2:
            raise BenchError("the supply is not stable")

    with pytest.raises(BenchError) as caught:
        update_firmware(session, image, precondition=once)
    assert 0x0109 not in _commands(fake)
    assert fake.firmware.banks["B"].valid
    assert "interrupted in phase run" in caught.value.__notes__[0]


def test_a_module_that_cannot_be_written(make_session: Any, image: bytes) -> None:
    _, session = make_session(mechanism=0x00)
    with pytest.raises(CdbNotAdvertisedError, match="write mechanism 00h"):
        update_firmware(session, image)
    _, session = make_session(mechanism=0x01)
    with pytest.raises(CdbNotAdvertisedError, match="cannot be written by epl"):
        update_firmware(session, image, mechanism="epl")
    fake, session = make_session(epl_code=0)
    assert update_firmware(session, image).ok  # both advertised, but no pages for EPL
    assert 0x0104 not in _commands(fake)


@pytest.mark.parametrize(
    "wrong",
    [
        {"header_size": 113},
        {"header_size": 6000},
        {"run_mode": 2},
        {"run_mode": 9},
        {"attempts": 0},
        {"block_bytes": 0},
        {"block_bytes": 2049},
        {"mechanism": "both"},
    ],
)
def test_arguments_that_do_not_fit(make_session: Any, image: bytes, wrong: dict[str, Any]) -> None:
    fake, session = make_session()
    with pytest.raises(ValueError):
        update_firmware(session, image, **wrong)
    assert 0x0101 not in _commands(fake)


def test_an_image_of_a_header_alone(make_session: Any) -> None:
    _, session = make_session()
    with pytest.raises(ValueError, match="nothing to write"):
        update_firmware(session, bytes(16))


def test_a_header_that_the_start_command_cannot_carry(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.header_bytes = 113
    with pytest.raises(CdbNotAdvertisedError, match="113 bytes of the file; 112 fit"):
        update_firmware(session, image)


# Interruptions that are no fault of the module


@pytest.mark.parametrize("stop", [StopRequested("SIGINT"), ConnectionFailedError("i2c-1", "unplugged")])
def test_an_interruption_says_what_is_left(make_session: Any, image: bytes, stop: BaseException) -> None:
    _, session = make_session()

    def progress(step: FirmwareProgress) -> None:
        if step.phase == "write" and step.bytes_done > 2000:
            raise stop

    with pytest.raises(type(stop)) as caught:
        update_firmware(session, image, progress=progress)
    [note] = caught.value.__notes__
    assert "interrupted in phase write, with 2064 of 5016 bytes written" in note
    assert "Image A 1.0.1, which runs and is committed, was not touched" in note
    del caught.value.__notes__  # the parameter is shared
    # A new call starts over.
    assert update_firmware(session, image).ok


# Single commands


def test_a_download_left_open_is_aborted(make_session: Any) -> None:
    fake, session = make_session()
    session.execute(0x0101, (64).to_bytes(4, "big") + bytes(4))
    info = abort_download(session)
    assert fake.firmware.memory is None
    assert not info.b.valid
    with pytest.raises(CdbCommandFailedError, match="not possible now"):
        abort_download(session)


def test_an_image_is_copied(make_session: Any) -> None:
    fake, session = make_session()
    copy_image(session, "A")
    assert fake.firmware.banks["B"].revision == fake.firmware.banks["A"].revision
    assert fake.executed[-1][2] == b"\xab"


def test_a_copy_over_the_running_image_is_refused(make_session: Any) -> None:
    fake, session = make_session()
    with pytest.raises(FirmwareUpdateRefusedError, match="not copied over image A"):
        copy_image(session, "B")
    fake.firmware.banks["A"].valid = False
    with pytest.raises(FirmwareUpdateRefusedError):
        copy_image(session, "A")
    assert 0x0108 not in _commands(fake)


def test_a_copy_over_the_committed_image_is_refused(make_session: Any) -> None:
    """A runs and is valid, B is committed: a copy of A over B would erase what the module starts with."""
    fake, session = make_session()
    fake.firmware.committed = "B"
    with pytest.raises(FirmwareUpdateRefusedError, match="neither runs nor is committed"):
        copy_image(session, "A")
    assert 0x0108 not in _commands(fake)


# Downloads that may erase what the module would start with


def _interrupted_update(session: Any, image: bytes, at: str = "write") -> tuple[str, set[str]]:
    """What is said of an update that the operator stops, and the notes of its progress."""
    told: set[str] = set()

    def stop(progress: FirmwareProgress) -> None:
        told.add(progress.note)
        if progress.phase == at and (at != "write" or progress.bytes_done > 2000):
            raise StopRequested("operator")

    with pytest.raises(StopRequested) as caught:
        update_firmware(session, image, progress=stop, accept_risk=True)
    (note,) = caught.value.__notes__
    return note, told


@pytest.mark.parametrize("answers", [True, False])
def test_no_all_clear_while_the_committed_image_may_be_erased(
    make_session: Any, image: bytes, answers: bool
) -> None:
    """A runs, B is committed and is what a download erases. ``answers``: 0100h, during the download."""
    fake, session = make_session()
    fake.firmware.committed = "B"
    if not answers:
        execute = fake._execute

        def quiet(command: int, lpl: bytes, epl: bytes) -> tuple[int, bytes]:
            downloading = command == 0x0100 and fake.firmware.memory is not None
            return (0x47, b"") if downloading else execute(command, lpl, epl)

        fake._execute = quiet
    note, told = _interrupted_update(session, image)
    assert not fake.firmware.banks["B"].valid
    said = "the module has erased" if answers else "the module may have erased"
    assert f"WARNING: {said} the image that it would start with" in note
    assert "was not touched" not in note
    assert any(said in text for text in told)


def test_an_interrupted_start_is_no_all_clear_either(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.firmware.committed = "B"

    def unplug(page: int, byte: int, data: bytes) -> None:
        if 0x0101 in _commands(fake):
            raise StopRequested("operator")

    fake.before_write = unplug
    with pytest.raises(StopRequested) as caught:
        update_firmware(session, image, accept_risk=True)
    assert "phase start" in caught.value.__notes__[0]
    assert "may have erased" in caught.value.__notes__[0]


def test_a_committed_image_that_is_proved_intact_is_named_and_not_warned_of(
    make_session: Any, image: bytes
) -> None:
    """A runs, B is committed, and this module writes neither: it says so by 0100h."""
    fake, session = make_session()
    fake.firmware.committed = "B"
    execute = fake._execute

    def elsewhere(command: int, lpl: bytes, epl: bytes) -> tuple[int, bytes]:
        bank = fake.firmware.banks["B"]
        answer: tuple[int, bytes] = execute(command, lpl, epl)
        fake.firmware.banks["B"] = bank
        return answer

    fake._execute = elsewhere
    note, told = _interrupted_update(session, image)
    assert told == {""}
    assert "Image A 1.0.1, which runs, was not touched" in note
    assert "committed" not in note
    fake.lose_power()
    fake.firmware.running = "A"
    session.clock.sleep(fake.boot_s)
    note, _ = _interrupted_update(session, image, at="run")
    assert "image B 0.9.7 stays the one after a reset" in note


# Running what was written before


def test_an_image_written_before_is_run_and_committed(make_session: Any, image: bytes) -> None:
    fake, session = make_session()
    fake.firmware.expected = image
    fake.needs_password = True
    unlocks: list[int] = []

    def unlock() -> None:
        unlocks.append(len(fake.executed))
        session.enter_password(0x00001011)

    update_firmware(session, image, run=False, unlock=unlock)
    assert (fake.firmware.running, fake.firmware.committed) == ("A", "A")
    told: list[FirmwareProgress] = []
    fits: list[bool] = []
    result = run_image(session, unlock=unlock, progress=told.append, precondition=lambda: fits.append(True))
    assert result.ok
    assert [phase.name for phase in result.phases] == ["run", "verify", "commit"]
    assert (result.target, result.bytes_total, result.blocks) == ("B", 0, 0)
    assert (fake.firmware.running, fake.firmware.committed) == ("B", "B")
    assert "starts image B 2.0.42" in result.holds
    assert len(unlocks) == 3  # before the download, before the run, and after the reset took it away
    assert fits == [True]
    assert told[0].phase == "run"


def test_an_image_is_run_without_being_committed(make_session: Any) -> None:
    fake, session = make_session()
    result = run_image(session, commit=False)
    assert result.ok
    assert (fake.firmware.running, fake.firmware.committed) == ("B", "A")
    assert "not committed" in result.holds
    assert 0x010A not in _commands(fake)


def test_an_image_that_is_not_valid_is_not_run(make_session: Any) -> None:
    fake, session = make_session()
    fake.firmware.banks["B"].valid = False
    with pytest.raises(FirmwareUpdateRefusedError, match="beside image A, which runs, it has no valid one"):
        run_image(session)
    assert 0x0109 not in _commands(fake)
    fake.firmware.running = ""
    with pytest.raises(FirmwareUpdateRefusedError, match="does not say which one image runs"):
        run_image(session)
    with pytest.raises(ValueError, match="run_mode"):
        run_image(session, run_mode=2)


def test_an_image_that_does_not_come_up(make_session: Any) -> None:
    fake, session = make_session()
    fake.firmware.boots = False
    with pytest.raises(FirmwareUpdateError, match="did not come up") as caught:
        run_image(session, restart_patience_s=5.0)
    assert _failed(caught)[0] == "run"
    assert fake.firmware.committed == "A"


def test_a_run_that_is_interrupted_says_which_image_comes_back(make_session: Any) -> None:
    _fake, session = make_session()

    def stop(progress: FirmwareProgress) -> None:
        raise StopRequested("operator")

    with pytest.raises(StopRequested) as caught:
        run_image(session, progress=stop)
    (note,) = caught.value.__notes__
    assert "interrupted in phase run. The new image is written; image A 1.0.1 stays" in note
