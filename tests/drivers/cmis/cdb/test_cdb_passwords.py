"""Passwords are sent, and shown nowhere."""

from __future__ import annotations

import errno
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from drivers.clock import StopRequested
from drivers.cmis.cdb.secret import Secret
from drivers.cmis.cdb.session import CdbSession
from drivers.cmis.errors import (
    CdbCommandFailedError,
    CdbTimeoutError,
    CmisError,
    ModuleNotRespondingError,
)
from drivers.cmis.module import CmisModule
from drivers.cmis.ports import CallableMemory
from drivers.errors import BenchError, ConnectionFailedError, NoReplyError

PASSWORD = 0x5EC2E7A9
DATA = PASSWORD.to_bytes(4, "big")
FORMS = (
    DATA.hex(),
    DATA.hex().upper(),
    DATA.hex(" "),
    repr(DATA),
    str(PASSWORD),
    str(list(DATA)),
    DATA[:2].hex(),
    DATA[2:].hex(),
    "94, 194",
)


def _assert_hidden(text: str) -> None:
    for form in FORMS:
        assert form not in text


def _everything_said(error: BaseException) -> str:
    """Text, repr, notes and chain, as a log would have them, with the variables of each of our frames."""
    said = traceback.TracebackException.from_exception(error, capture_locals=False)
    parts = ["".join(said.format())]
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None:
            continue
        parts += [repr(current), str(current), repr(current.args), repr(vars(current))]
        pending += [current.__cause__, current.__context__]
        trace = current.__traceback__
        while trace is not None:
            if "/drivers/" in trace.tb_frame.f_code.co_filename.replace("/tests/drivers/", "/tests/"):
                parts.append(repr(trace.tb_frame.f_locals))
            trace = trace.tb_next
    return "\n".join(parts)


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret.password(PASSWORD)
    assert secret.reveal() == DATA
    assert len(secret) == 4
    for text in (repr(secret), str(secret), f"{secret}", f"{secret:>30}", "%s" % secret, repr([secret])):  # noqa: UP031
        _assert_hidden(text)
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("value", [-1, 1 << 32, DATA + b"\x00", DATA[:3]])
def test_a_password_that_is_none_is_not_shown_either(value: Any) -> None:
    with pytest.raises(ValueError, match="FFFFFFFFh") as caught:
        Secret.password(value)
    _assert_hidden(str(caught.value))


@pytest.mark.parametrize("trigger_on_stop", [True, False])
def test_a_password_is_entered_and_leaves_no_trace(make_session: Any, trigger_on_stop: bool) -> None:
    lines: list[str] = []
    fake, session = make_session(trigger_on_stop=trigger_on_stop, trace=lines.append)
    fake.password = DATA
    assert session.query_status() == 0
    session.enter_password(PASSWORD)
    assert session.query_status() == 1
    assert any("0001h Enter Password" in line for line in lines)
    _assert_hidden("\n".join(lines))
    _assert_hidden(bytes(fake.pages[(0, 0x9F)]).hex())  # where a dump would find it
    assert fake.executed[1][1:3] == (0x0001, DATA)


def test_a_password_is_entered_by_register(make_session: Any) -> None:
    fake, session = make_session()
    fake.password = DATA
    session.enter_password(DATA, by_register=True)
    assert fake.unlocked
    assert (122, DATA) in [(byte, data) for _, page, byte, data in fake.writes if page == -1]


@pytest.mark.parametrize("by_register", [True, False])
def test_a_password_is_changed(make_session: Any, by_register: bool) -> None:
    fake, session = make_session()
    session.enter_password(0x00001011)
    session.change_password(Secret(DATA), by_register=by_register)
    assert fake.password == DATA
    _assert_hidden(bytes(fake.pages[(0, 0x9F)]).hex())


def test_a_wrong_password_is_refused_and_not_shown(make_session: Any) -> None:
    fake, session = make_session()
    with pytest.raises(CdbCommandFailedError, match="46h") as caught:
        session.enter_password(PASSWORD)
    _assert_hidden(_everything_said(caught.value))
    _assert_hidden(bytes(fake.pages[(0, 0x9F)]).hex())


def test_a_reply_to_a_password_command_does_not_show_it(make_session: Any) -> None:
    fake, session = make_session()
    fake.password = DATA
    fake.replies[0x0001] = DATA  # a module that echoes
    reply = session.execute(0x0001, DATA)
    _assert_hidden(repr(reply))
    assert reply.data == b""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (lambda text: CmisError(text), CmisError),
        (lambda text: ModuleNotRespondingError(text), ModuleNotRespondingError),
        (lambda text: BenchError(text), BenchError),
        (lambda text: ConnectionFailedError("i2c-1", text, command=text, reply=text), ConnectionFailedError),
        (lambda text: NoReplyError("i2c-1", text), NoReplyError),
    ],
)
@pytest.mark.parametrize("by_register", [True, False])
@pytest.mark.parametrize("extension", [0, 15])
def test_ports_that_tell_what_they_could_not_write(
    make_session: Any,
    clock: Any,
    error: Callable[[str], Exception],
    kind: type[Exception],
    by_register: bool,
    extension: int,
) -> None:
    """With 8 bytes in an access the password is in two writes, so that half of it may be told."""
    _, inner = make_session(extension=extension)
    lines: list[str] = []

    def write(bank: int, page: int, byte: int, data: bytes) -> None:
        if any(part in data for part in (DATA, DATA[:2], DATA[2:])):
            try:
                raise OSError(f"cannot write {data.hex()}")  # noqa: TRY301
            except OSError as cause:
                raise error(f"could not write {data!r} = {data.hex()} = {list(data)}") from cause
        inner.module.memory.write(bank, page, byte, data)

    module = CmisModule(CallableMemory(inner.module.memory.read, write), clock)
    session = CdbSession(module, trace=lines.append)
    with pytest.raises(kind) as caught:
        session.enter_password(PASSWORD, by_register=by_register)
    _assert_hidden(_everything_said(caught.value))
    _assert_hidden("\n".join(lines))
    assert "withheld" in str(caught.value)


def test_a_silent_module_during_a_password_command(make_session: Any, clock: Any) -> None:
    fake, session = make_session()
    session.advertised()

    def go_silent(page: int, byte: int, data: bytes) -> None:
        if page == 0x9F:
            fake.silent_until_s = 1e9

    fake.before_write = go_silent
    with pytest.raises(ModuleNotRespondingError, match="withheld") as caught:
        session.enter_password(PASSWORD)
    _assert_hidden(_everything_said(caught.value))
    assert fake.executed == []


def test_a_password_that_cannot_be_wiped_is_reported(make_session: Any) -> None:
    fake, session = make_session()
    fake.password = DATA
    session.advertised()

    def refuse_the_wipe(page: int, byte: int, data: bytes) -> None:
        if (page, byte) == (0x9F, 136):
            fake.silent_until_s = 1e9

    fake.before_write = refuse_the_wipe
    with pytest.raises(
        CmisError, match=r"was executed.*body of the password command could not be removed"
    ) as caught:
        session.enter_password(PASSWORD)
    _assert_hidden(_everything_said(caught.value))


def _body_on_the_page(fake: Any) -> bytes:
    return bytes(fake.pages[(0, 0x9F)][8:12])


@pytest.mark.parametrize("background", [True, False])
def test_a_password_does_not_stay_when_the_command_times_out(make_session: Any, background: bool) -> None:
    fake, session = make_session(background=background, busy_t=1)
    fake.durations_s[0x0001] = 1e6
    with pytest.raises(CdbTimeoutError) as caught:
        session.enter_password(PASSWORD)
    _assert_hidden(_everything_said(caught.value))
    if background:
        assert _body_on_the_page(fake) == bytes(4)
        assert "may still lie there" not in str(caught.value)
    else:  # the module does not acknowledge any more: all that can be done is to say so
        assert _body_on_the_page(fake) == DATA
        assert "may still lie there" in str(caught.value)
        assert "9Fh:136" in str(caught.value)


@pytest.mark.parametrize("background", [True, False])
def test_a_password_does_not_stay_when_the_run_is_stopped(
    make_session: Any, clock: Any, background: bool
) -> None:
    """The stop comes while the command is waited for; a shielded clock lets the wipe wait its turn."""
    fake, session = make_session(background=background)
    session.advertised()
    fake.durations_s[0x0001] = 0.5
    shields: list[bool] = []
    sleep = clock.sleep

    @contextmanager
    def shield() -> Iterator[None]:
        shields.append(True)
        try:
            yield
        finally:
            shields.pop()

    def stoppable(duration_s: float) -> None:
        sleep(duration_s)
        if fake.executed and not shields:
            raise StopRequested("operator")

    clock.shield, clock.sleep = shield, stoppable
    with pytest.raises(StopRequested, match="operator") as caught:
        session.enter_password(PASSWORD)
    assert _body_on_the_page(fake) == bytes(4)
    assert not hasattr(caught.value, "__notes__")


def test_a_stop_that_nothing_shields_from_says_that_the_password_may_lie_there(
    make_session: Any, clock: Any
) -> None:
    fake, session = make_session(background=False)
    session.advertised()
    fake.durations_s[0x0001] = 0.5
    sleep = clock.sleep

    def stoppable(duration_s: float) -> None:
        sleep(duration_s)
        if fake.executed:
            raise StopRequested("operator")

    clock.sleep = stoppable
    with pytest.raises(StopRequested) as caught:
        session.enter_password(PASSWORD)
    assert any("9Fh:136" in note and "may still lie there" in note for note in caught.value.__notes__)


def test_a_refused_password_that_cannot_be_wiped_is_not_said_to_be_executed(make_session: Any) -> None:
    fake, session = make_session()
    session.advertised()

    def refuse_the_wipe(page: int, byte: int, data: bytes) -> None:
        if (page, byte) == (0x9F, 136):
            fake.silent_until_s = 1e9

    fake.before_write = refuse_the_wipe
    with pytest.raises(CdbCommandFailedError, match=r"46h.*may still lie there") as caught:
        session.enter_password(PASSWORD)
    assert caught.value.code == 0x46
    assert "executed" not in str(caught.value)
    _assert_hidden(_everything_said(caught.value))


@pytest.mark.parametrize("trigger_on_stop", [True, False])
def test_a_password_that_was_half_sent_is_wiped(make_session: Any, trigger_on_stop: bool) -> None:
    """With 8 bytes in an access the body is there before the command is triggered, and that fails."""
    fake, session = make_session(extension=0, trigger_on_stop=trigger_on_stop)
    session.advertised()
    there: list[bytes] = []

    def refuse_the_trigger(page: int, byte: int, data: bytes) -> None:
        if (page, byte) == (0x9F, 128):
            there.append(_body_on_the_page(fake))
            raise OSError(errno.ENXIO, "no acknowledge")

    fake.before_write = refuse_the_trigger
    with pytest.raises(ModuleNotRespondingError, match="withheld") as caught:
        session.enter_password(PASSWORD)
    assert DATA in there
    assert fake.executed == []
    assert _body_on_the_page(fake) == bytes(4)
    assert "may still lie there" not in str(caught.value)
