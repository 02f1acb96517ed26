"""Writing, running and committing firmware by CDB (OIF-CMIS-05.4 §9.7).

A module keeps two images. One runs; the other is erased and written by a download. What runs after a reset
is the committed one. So a download is begun only while the running image is valid and committed: whatever
happens then, the module starts it again. When a step fails, the module is asked what it holds now, and the
error says so.

Some modules have one bank and erase the image that they run (from memory that is lost with the supply).
Nothing tells them from others before the download has begun. Then the only way to a valid image is forward:
the download goes on, and progress, phases, results and errors say what is at stake.

CMIS cannot resume a download: after an interruption a new call starts over. Within a download a block that
was refused or damaged is written again, a bounded number of times; its address is in the command, so that is
safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from drivers.clock import polls
from drivers.cmis.cdb.commands import COMMANDS, encode_body
from drivers.cmis.cdb.features import FirmwareFeatures, read_features, read_firmware_features
from drivers.cmis.cdb.firmware_info import (
    FirmwareImage,
    FirmwareInfo,
    FirmwareRevisions,
    read_firmware_info,
    read_firmware_revisions,
)
from drivers.cmis.cdb.message import EPL_BYTES
from drivers.cmis.cdb.session import CdbReply, CdbSession
from drivers.cmis.cdb.status import NO_RESULT, NOT_NOW
from drivers.cmis.codes import ModuleState
from drivers.cmis.errors import (
    CdbCommandFailedError,
    CdbNotAdvertisedError,
    CdbReplyError,
    CdbTimeoutError,
    CmisError,
    FirmwareUpdateError,
    FirmwareUpdateRefusedError,
    ModuleNotRespondingError,
)
from drivers.cmis.image import HALF
from drivers.cmis.pages.cdb import LPL_BYTES
from drivers.cmis.states import MGMT_INIT_S
from drivers.errors import BenchError

__all__ = [
    "BLOCK_ATTEMPTS",
    "MAX_HEADER_BYTES",
    "RESTART_PATIENCE_S",
    "BlockRetry",
    "FirmwareFeatures",
    "FirmwareImage",
    "FirmwareInfo",
    "FirmwarePhase",
    "FirmwareProgress",
    "FirmwareRevisions",
    "FirmwareUpdateResult",
    "abort_download",
    "commit_image",
    "copy_image",
    "read_firmware_info",
    "read_firmware_revisions",
    "run_image",
    "update_firmware",
]

MAX_HEADER_BYTES = LPL_BYTES - 8
"""Bytes of the file that the start command can carry at most."""
LPL_BLOCK_BYTES = LPL_BYTES - 4
"""Bytes of an image that one 0103h carries at most."""
BLOCK_ATTEMPTS = 3
"""How often a block is written at most. A choice of this library's."""
RESTART_PATIENCE_S = 60.0
"""How long is waited for a new image after a reset. CMIS allows tMgmtInit (2 s), which modules exceed when
they swap images: a choice of this library's, so that a late module is not taken for a broken one."""
DELAY_TO_RESET_MS = 100
"""Time between the run command and the reset, for the host to see how the command ended."""

_ERASED_START = (
    "WARNING: the module has erased the image that it would start with. Keep its supply on, and do not reset "
    "it, until an update is complete."
)
_MAY_HAVE_ERASED_START = (
    "WARNING: the module may have erased the image that it would start with, which is not the one that runs. "
    "Keep its supply on, and do not reset it, until an update is complete."
)
_TRY_AGAIN = frozenset({0x40, 0x44, 0x45})
"""Failures after which the same block may be written again: no reason given, check timed out, check code."""
_RUN_MODES = range(6)
_HITLESS_MODES = (1, 3, 5)
_SAME_IMAGE_MODES = (2, 3)
_POLL_S = 0.1

Mechanism = Literal["auto", "lpl", "epl"]


@dataclass(frozen=True, slots=True)
class FirmwareProgress:
    """For a progress bar. ``phase``: ``start``, ``write``, ``complete``, ``run``, ``verify`` or ``commit``.
    ``bytes_done`` of ``bytes_total`` are of the file, the start command's part included. ``note``: what the
    operator has to know at once, such as that the supply must stay on."""

    phase: str
    bytes_done: int
    bytes_total: int
    elapsed_s: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class FirmwarePhase:
    """One phase. ``allowed_s``: as advertised for one command of it, None where nothing limits it. A phase
    may pass and yet be longer; ``explanation`` says so."""

    name: str
    passed: bool
    elapsed_s: float
    allowed_s: float | None
    explanation: str


@dataclass(frozen=True, slots=True)
class BlockRetry:
    """A block that had to be written again. ``attempt``: the one that failed, 1 first."""

    address: int
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class FirmwareUpdateResult:
    """How far an update came. ``holds``: what the module holds and would start with, in sentences.

    ``before`` and ``after``: its images; ``after`` is None when it could not be asked any more. ``target``:
    the image that was written, None when the factory image runs and the module chooses."""

    phases: tuple[FirmwarePhase, ...]
    bytes_total: int
    bytes_written: int
    bytes_skipped: int
    blocks: int
    retries: tuple[BlockRetry, ...]
    target: str | None
    before: FirmwareInfo
    after: FirmwareInfo | None
    holds: str

    @property
    def ok(self) -> bool:
        """Whether every phase that was asked for passed."""
        return all(phase.passed for phase in self.phases)

    @property
    def failed_phase(self) -> FirmwarePhase | None:
        """The phase that stopped the update."""
        return next((phase for phase in self.phases if not phase.passed), None)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked of an update."""

    image: bytes
    header_bytes: int
    block_bytes: int
    by_epl: bool
    skip_erased: bool
    attempts: int
    run_mode: int
    restart_patience_s: float


@dataclass(slots=True)
class _Update:
    """An update while it goes on."""

    session: CdbSession
    plan: _Plan
    features: FirmwareFeatures
    before: FirmwareInfo
    target: str | None
    progress: Callable[[FirmwareProgress], None] | None
    began_s: float
    erased_by_s: float = 0.0
    danger: str = ""  # what to say of the image that the module would start with
    phase: str = "start"
    bytes_done: int = 0
    bytes_written: int = 0
    bytes_skipped: int = 0
    blocks: int = 0
    phases: list[FirmwarePhase] = field(default_factory=list)
    retries: list[BlockRetry] = field(default_factory=list)

    def tell(self) -> None:
        if self.progress is not None:
            elapsed_s = self.session.clock.now_s() - self.began_s
            self.progress(
                FirmwareProgress(self.phase, self.bytes_done, len(self.plan.image), elapsed_s, self.danger)
            )

    def result(self, after: FirmwareInfo | None, holds: str) -> FirmwareUpdateResult:
        return FirmwareUpdateResult(
            phases=tuple(self.phases),
            bytes_total=len(self.plan.image),
            bytes_written=self.bytes_written,
            bytes_skipped=self.bytes_skipped,
            blocks=self.blocks,
            retries=tuple(self.retries),
            target=self.target,
            before=self.before,
            after=after,
            holds=holds,
        )

    @contextmanager
    def step(self, name: str, allowed_s: float | None) -> Iterator[list[str]]:
        """One phase. What is appended to the list is its explanation.

        :raises FirmwareUpdateError: for a fault of the module, with what it holds now. Anything else that
            stops the update (the bench, the operator) passes through with a note that says the same.
        """
        self.phase = name
        start_s = self.session.clock.now_s()
        words: list[str] = []
        try:
            self.tell()
            yield words
        except CmisError as error:
            self.phases.append(
                FirmwarePhase(name, False, self.session.clock.now_s() - start_s, allowed_s, str(error))
            )
            notes = self._give_up(name)
            after, holds = _look(self.session, self.before)
            if name in ("write", "complete"):
                notes.append(
                    "A download cannot be resumed: the next update writes the image from its beginning."
                )
            if after is not None and not after.safe:
                holds += " To write an image nevertheless, update again with accept_risk=True."
            done = f" after {self.bytes_done} of {len(self.plan.image)} bytes" if name == "write" else ""
            raise FirmwareUpdateError(
                " ".join([f"The firmware update failed in phase {name}{done}: {error}", *notes, holds]),
                self.result(after, holds),
            ) from error
        except BaseException as stop:
            # The bench, the operator or the caller's own code: not the module's failure, and nothing more can
            # be asked of it here, for the way to it may be gone.
            written = (
                f", with {self.bytes_done} of {len(self.plan.image)} bytes written" if self.plan.image else ""
            )
            stop.add_note(
                f"The firmware update was interrupted in phase {name}{written}. {self._left_behind(name)}"
            )
            raise
        elapsed_s = self.session.clock.now_s() - start_s
        self.phases.append(FirmwarePhase(name, True, elapsed_s, allowed_s, " ".join(words)))

    def _give_up(self, name: str) -> list[str]:
        """End a download that failed, so that the module does not wait for the rest of it."""
        if name not in ("start", "write", "complete"):
            return []
        if not self.features.aborts:
            return ["The module has no command to abort a download."]
        try:
            self.session.execute(0x0102)
        except (CmisError, BenchError) as error:
            if isinstance(error, CdbCommandFailedError) and error.code == NOT_NOW:
                return []  # no download is open any more: the failure ended it
            return [f"Aborting the download failed too: {error}"]
        return ["The download was aborted."]

    def _left_behind(self, name: str) -> str:
        old = self.before.running
        old_text = "the old image" if old is None else f"image {old.name} {old.revision}"
        if self.danger or not self.before.safe:
            return f"{self.danger or self.before.after_power_loss()} Update again with accept_risk=True."
        committed = old is not None and old.committed
        if name in ("start", "write", "complete"):
            which = "which runs and is committed" if committed else "which runs"
            return (
                f"{_capital(old_text)}, {which}, was not touched; the other one is to be "
                "regarded as invalid until an update has written it from its beginning."
            )
        start = self.before.committed
        start_text = old_text if committed or start is None else f"image {start.name} {start.revision}"
        return (
            f"The new image is written; {start_text} stays the one after a reset unless the commit was done: "
            "read the firmware info to see which is committed."
        )


def update_firmware(
    session: CdbSession,
    image: bytes,
    *,
    header_size: int | None = None,
    progress: Callable[[FirmwareProgress], None] | None = None,
    precondition: Callable[[], None] | None = None,
    unlock: Callable[[], None] | None = None,
    run: bool = True,
    commit: bool = True,
    mechanism: Mechanism = "auto",
    block_bytes: int | None = None,
    attempts: int = BLOCK_ATTEMPTS,
    run_mode: int = 0,
    restart_patience_s: float = RESTART_PATIENCE_S,
    accept_risk: bool = False,
) -> FirmwareUpdateResult:
    """Write an image to the bank that does not run, have it checked, run it, and commit it.

    Running an image resets the module (but for a hitless ``run_mode``): traffic stops, privileges of a
    password are lost, and the module has to be brought up anew afterwards.

    ``image``: the vendor's file. ``header_size``: bytes of its beginning that the start command carries, as
    advertised (0041h) by default. ``progress``: called before each phase and after each block.
    ``precondition``: called before the start and before the run; it raises when the bench is not fit for an
    update, for instance without a stable supply. ``unlock``: called before the start and again after the
    reset, to enter a password. ``run``, ``commit``: go on to these phases; without ``run`` nothing is
    committed. ``mechanism``: where blocks are written, ``auto`` takes EPL if the module can. ``block_bytes``:
    shorter blocks than the longest [uncertain whether 0041h:140 limits blocks or only single accesses; it is
    taken for the latter]. ``run_mode``: 0 reset, 1 hitless, 4 and 5 the same preserving the configuration
    (5.3). ``restart_patience_s``: longest wait for the new image to come up. ``accept_risk``: begin although
    the module could be left without a valid image, which is the way back for one that already was.

    :raises FirmwareUpdateRefusedError: before anything is written, when the running image is not known, not
        valid or not committed, so that the module could be left without any.
    :raises FirmwareUpdateError: when a phase fails; says what the module holds now, with the ``result``.
    :raises CdbNotAdvertisedError: when the module cannot be written in the way asked for.
    :raises ValueError: for arguments that do not fit.
    :raises BenchError: a fault of the bench, or what ``precondition`` raises; a note says how far it came.
    """
    _check_run_mode(run_mode)
    if attempts < 1:
        raise ValueError(f"a block is written at least once, not {attempts} times")
    if unlock is not None:
        unlock()
    _learn_limits(session)
    features = read_firmware_features(session)
    plan = _plan(
        session,
        image,
        features,
        header_size=header_size,
        mechanism=mechanism,
        block_bytes=block_bytes,
        attempts=attempts,
        run_mode=run_mode,
        restart_patience_s=restart_patience_s,
    )
    before = read_firmware_info(session)
    target = _target(before, accept_risk=accept_risk)
    if precondition is not None:
        precondition()
    update = _Update(session, plan, features, before, target, progress, session.clock.now_s())
    with update.step("start", features.start_s) as words:
        words += _start(update)
    with update.step("write", features.write_s) as words:
        _write(update)
        words.append(f"{update.blocks} blocks, {len(update.retries)} of them again.")
    with update.step("complete", features.complete_s):
        session.execute(0x0107)
        _check_written(update)
    if run:
        _run_and_commit(update, precondition, unlock, commit=commit)
    after, holds = _look(session, before)
    update.tell()
    return update.result(after, holds)


def run_image(
    session: CdbSession,
    *,
    progress: Callable[[FirmwareProgress], None] | None = None,
    precondition: Callable[[], None] | None = None,
    unlock: Callable[[], None] | None = None,
    commit: bool = True,
    run_mode: int = 0,
    restart_patience_s: float = RESTART_PATIENCE_S,
) -> FirmwareUpdateResult:
    """Run the image that does not run now, check that it does, and commit it: the second half of
    :func:`update_firmware`, for an image that was written with ``run=False``.

    Arguments are those of :func:`update_firmware`. The result has the phases ``run``, ``verify`` and, with
    ``commit``, ``commit``, and no bytes.

    :raises FirmwareUpdateRefusedError: when the module does not say which one image runs, or calls the other
        one invalid. Nothing was commanded.
    :raises FirmwareUpdateError: when a phase fails; says what the module holds now.
    :raises ValueError: for a ``run_mode`` that does not run the other image.
    :raises BenchError: a fault of the bench, or what ``precondition`` raises.
    """
    _check_run_mode(run_mode)
    if unlock is not None:
        unlock()
    _learn_limits(session)
    features = read_firmware_features(session)
    before = read_firmware_info(session)
    running = before.running
    other = None if running is None or running.name == "factory" else before.other_than(running)
    named = [other] if other is not None else [before.a, before.b]
    if running is None or not any(image.present and image.valid for image in named):
        raise FirmwareUpdateRefusedError(
            "No image was run: "
            + (
                "the module does not say which one image runs"
                if running is None
                else f"beside image {running.name}, which runs, it has no valid one"
            )
            + f". It holds {before.summary()}."
        )
    plan = _Plan(
        image=b"",
        header_bytes=0,
        block_bytes=0,
        by_epl=False,
        skip_erased=False,
        attempts=1,
        run_mode=run_mode,
        restart_patience_s=restart_patience_s,
    )
    target = None if other is None else other.name
    update = _Update(session, plan, features, before, target, progress, session.clock.now_s())
    _run_and_commit(update, precondition, unlock, commit=commit)
    after, holds = _look(session, before)
    update.tell()
    return update.result(after, holds)


def _check_run_mode(run_mode: int) -> None:
    if run_mode not in _RUN_MODES or run_mode in _SAME_IMAGE_MODES:
        raise ValueError(
            f"the image that does not run yet is to be run: run_mode 0, 1, 4 or 5, not {run_mode}"
        )


def _run_and_commit(
    update: _Update,
    precondition: Callable[[], None] | None,
    unlock: Callable[[], None] | None,
    *,
    commit: bool,
) -> None:
    """Phases ``run``, ``verify`` and, if wanted, ``commit``."""
    session = update.session
    allowed_s = MGMT_INIT_S + (0.0 if update.plan.run_mode in _HITLESS_MODES else DELAY_TO_RESET_MS / 1e3)
    with update.step("run", allowed_s) as words:
        if precondition is not None:
            precondition()
        words.append(_run(update, allowed_s))
    with update.step("verify", None):
        _learn_limits(session)
        _check_running(update)
    if commit:
        with update.step("commit", session.allowed_s(0x010A)):
            if unlock is not None:
                unlock()
            _commit(update)


def commit_image(session: CdbSession) -> FirmwareInfo:
    """Make the running image the one after a reset (010Ah), and check that it is.

    :raises CmisError: as :meth:`CdbSession.execute`.
    :raises CdbReplyError: when the module does not show it committed afterwards.
    """
    session.execute(0x010A)
    info = read_firmware_info(session)
    running = info.running
    if running is None or not running.committed or info.committed is not running:
        raise CdbReplyError(
            "the commit command (010Ah) succeeded, but command 0100h does not show the running image as the "
            f"committed one: {info.summary()}. {info.after_power_loss()}"
        )
    return info


def abort_download(session: CdbSession) -> FirmwareInfo:
    """End a download that somebody left open (0102h); returns what the module holds then.

    :raises CmisError: as :meth:`CdbSession.execute`.
    """
    session.execute(0x0102)
    return read_firmware_info(session)


def copy_image(session: CdbSession, source: Literal["A", "B"]) -> CdbReply:
    """Copy image A over B, or B over A (0108h).

    :raises FirmwareUpdateRefusedError: when the copy would overwrite the running or the committed image, or
        spread an invalid one.
    :raises CdbNotAdvertisedError: when the module cannot copy.
    :raises CmisError: as :meth:`CdbSession.execute`.
    """
    if source not in ("A", "B"):
        raise ValueError(f"images are A and B, not {source!r}")
    if not read_firmware_features(session).copies:
        raise CdbNotAdvertisedError("the module does not advertise to copy images (0041h, 9Fh:137.1 is 0)")
    info = read_firmware_info(session)
    original = info.image(source)
    lost = info.other_than(original)
    if lost.running or lost.committed or not original.valid:
        raise FirmwareUpdateRefusedError(
            f"image {source} is not copied over image {lost.name}: the copy must be of a valid image, and "
            f"over one that neither runs nor is committed. The module holds {info.summary()}."
        )
    return session.execute(0x0108, bytes([0xAB if source == "A" else 0xBA]))


def _learn_limits(session: CdbSession) -> None:
    """Commands without a limit of their own take as long as 0040h says; some modules do not have it."""
    with suppress(CdbCommandFailedError):
        read_features(session)


def _plan(
    session: CdbSession,
    image: bytes,
    features: FirmwareFeatures,
    *,
    header_size: int | None,
    mechanism: Mechanism,
    block_bytes: int | None,
    attempts: int,
    run_mode: int,
    restart_patience_s: float,
) -> _Plan:
    header_bytes = features.start_payload_bytes if header_size is None else header_size
    if not 0 <= header_bytes <= MAX_HEADER_BYTES:
        source = "0041h advertises" if header_size is None else "header_size asks for"
        text = f"{source} a start command with {header_bytes} bytes of the file; {MAX_HEADER_BYTES} fit"
        raise CdbNotAdvertisedError(text) if header_size is None else ValueError(text)
    if not header_bytes < len(image) <= 0xFFFFFFFF:
        raise ValueError(
            f"the image has {len(image)} bytes, of which the start command carries {header_bytes}: there is "
            "nothing to write"
        )
    epl_bytes = min(EPL_BYTES, session.advertised().epl_pages * HALF) if features.writes_epl else 0
    if mechanism not in ("auto", "lpl", "epl"):
        raise ValueError(f"mechanism is auto, lpl or epl, not {mechanism!r}")
    possible = [name for name, can in (("epl", epl_bytes), ("lpl", features.writes_lpl)) if can]
    wanted = possible[:1] if mechanism == "auto" else [name for name in possible if name == mechanism]
    if not wanted:
        raise CdbNotAdvertisedError(
            f"the module cannot be written by {mechanism}: 0041h advertises write mechanism "
            f"{features.write_mechanism:02X}h (01h LPL, 10h EPL, 11h both), and 01h:163 "
            f"{session.advertised().epl_pages} pages of EPL"
        )
    by_epl = wanted == ["epl"]
    longest = epl_bytes if by_epl else LPL_BLOCK_BYTES
    if block_bytes is not None and not 1 <= block_bytes <= longest:
        raise ValueError(f"blocks have 1..{longest} bytes by {wanted[0]}, not {block_bytes}")
    return _Plan(
        image=bytes(image),
        header_bytes=header_bytes,
        block_bytes=block_bytes or longest,
        by_epl=by_epl,
        skip_erased=features.skips_erased,
        attempts=attempts,
        run_mode=run_mode,
        restart_patience_s=restart_patience_s,
    )


def _target(info: FirmwareInfo, *, accept_risk: bool) -> str | None:
    """The image that a download will write; None when the module chooses.

    :raises FirmwareUpdateRefusedError: when a download could leave the module without a valid image.
    """
    running = info.running
    reason = ""
    if running is None:
        reason = "it does not say which one image runs"
    elif running.name == "factory":
        return None  # neither A nor B is good; the factory image is not touched
    elif not running.valid:
        reason = f"it calls image {running.name}, which runs, invalid"
    elif info.committed is not running:
        named = info.committed
        reason = (
            f"image {running.name}, which runs, is not the committed one"
            + ("" if named is None else f"; image {named.name} is, which the download would erase")
            + ". Commit the running image first (commit_image), or reset the module so that it runs the other"
        )
    if reason and accept_risk:
        return None
    if running is None or reason:
        raise FirmwareUpdateRefusedError(
            "The firmware update was not begun, for a power loss could leave the module without an image: "
            f"{reason}. It holds {info.summary()}. Nothing was written."
        )
    return info.other_than(running).name


def _start(update: _Update) -> list[str]:
    """Begin the download. Returns what is to be said of it."""
    plan, session = update.plan, update.session
    body = encode_body(COMMANDS[0x0101], len(plan.image), 0) + plan.image[: plan.header_bytes]
    words: list[str] = []
    start = update.before.committed
    if update.before.safe and (update.before.running is None or start is not update.before.running):
        # The download may erase it; until 0100h shows that it did not, nothing better may be said.
        update.danger = _MAY_HAVE_ERASED_START
    try:
        session.execute(0x0101, body)
    except CdbCommandFailedError as error:
        if error.code != NOT_NOW or not update.features.aborts:
            raise
        # A download that an interrupted update left open stands in the way.
        try:
            session.execute(0x0102)
        except CdbCommandFailedError:
            raise error from None
        words.append("A download that was left open was aborted first.")
        session.execute(0x0101, body)
    update.bytes_done = plan.header_bytes
    update.erased_by_s = session.clock.now_s() + (update.features.start_s or 0.0)
    try:
        now = read_firmware_info(session)
    except CdbCommandFailedError:
        # It need not answer this during a download.
        return [*words, update.danger] if update.danger else words
    running, was = now.running, update.before.running
    lost = [
        image.name
        for image in (was, update.before.committed)
        if image is not None and image.name != "factory" and image.valid and not now.image(image.name).valid
    ]
    if lost:
        update.danger = _ERASED_START
        update.target = lost[0]
        words.append(_ERASED_START)
        return words
    if start is not None and start.valid and now.committed == start:
        update.danger = ""
    elif update.danger:
        words.append(update.danger)
    if running is not None and was is not None and running.name != was.name:
        raise CdbReplyError(
            f"after the start of a download the running image should still be {was}; the module says "
            f"{now.summary()}"
        )
    return words


def _write(update: _Update) -> None:
    plan = update.plan
    content = plan.image[plan.header_bytes :]
    for address in range(0, len(content), plan.block_bytes):
        block = content[address : address + plan.block_bytes]
        if plan.skip_erased and block.count(update.features.erased_byte) == len(block):
            update.bytes_skipped += len(block)
        else:
            _write_block(update, address, block)
            update.bytes_written += len(block)
            update.blocks += 1
        update.bytes_done += len(block)
        update.tell()


def _write_block(update: _Update, address: int, block: bytes) -> None:
    attempt = 1
    while True:
        try:
            _send_block(update, address, block, attempt)
        except (ModuleNotRespondingError, CdbTimeoutError, CdbCommandFailedError) as error:
            code = error.code if isinstance(error, CdbCommandFailedError) else None
            if code is not None and code not in _TRY_AGAIN:
                raise
            if attempt == update.plan.attempts:
                error.add_note(f"block at address {address}, attempt {attempt} of {attempt}")
                raise
            update.retries.append(BlockRetry(address, attempt, str(error)))
            attempt += 1
        else:
            return


def _send_block(update: _Update, address: int, block: bytes, attempt: int) -> None:
    """Send a block once; the first one again and again while the module still erases.

    Some modules report the start done and go on erasing, for as long as they advertise for it.

    :raises CmisError: as :meth:`CdbSession.execute`.
    """
    session, where = update.session, address.to_bytes(4, "big")
    refused: CdbCommandFailedError | None = None
    for _ in polls(session.clock, update.erased_by_s, _POLL_S):
        if refused is not None and not update.retries:
            update.retries.append(BlockRetry(address, attempt, f"still erasing: {refused}"))
        try:
            if update.plan.by_epl:
                session.execute(0x0104, where, block)
            else:
                session.execute(0x0103, where + block)
        except CdbCommandFailedError as error:
            if error.code != NOT_NOW or update.blocks:
                raise
            refused = error
        else:
            return
    if refused is not None:
        raise refused


def _check_written(update: _Update) -> None:
    """Completed means that the module found the image good: it must not call it invalid.

    :raises CdbReplyError: when it does.
    """
    info = read_firmware_info(update.session)
    if update.target is not None and not info.image(update.target).valid:
        raise CdbReplyError(
            f"command 0107h succeeded, but command 0100h calls the image written invalid: {info.summary()}"
        )


def _run(update: _Update, allowed_s: float) -> str:
    """Run the new image and wait until it does. Returns what is to be said of it.

    :raises CmisError: when it does not come up.
    """
    session, plan = update.session, update.plan
    clock = session.clock
    hitless = plan.run_mode in _HITLESS_MODES
    delay_ms = 0 if hitless else DELAY_TO_RESET_MS
    start_s = clock.now_s()
    restarted = hitless
    try:
        session.execute(0x0109, encode_body(COMMANDS[0x0109], 0, plan.run_mode, delay_ms))
    except CdbCommandFailedError as error:
        if error.code != NO_RESULT:
            raise
        restarted = True
    except CdbTimeoutError:
        pass  # it was sent, and the module is gone: restarting, for all one knows
    last = "it does not answer"
    for _ in polls(clock, start_s + plan.restart_patience_s, _POLL_S):
        # Whatever was advertised may be different in the new image.
        session.forget()
        try:
            restarted = session.status().raw == NO_RESULT or restarted
            info = read_firmware_info(session)
        except CmisError as error:
            restarted = restarted or isinstance(error, ModuleNotRespondingError)
            last = str(error)
        else:
            if _is_target(update, info.running) and (restarted or _has_moved(update, info)):
                break
            last = f"it holds {info.summary()}"
    else:
        raise CdbReplyError(
            f"the new image did not come up within {clock.now_s() - start_s:.1f} s of the run command "
            f"(0109h): {last}. The image that is committed comes back at a reset or power cycle."
        )
    elapsed_s = clock.now_s() - start_s
    if elapsed_s > allowed_s + _POLL_S:
        return f"The new image was up after {elapsed_s:.1f} s; tMgmtInit allows {allowed_s:g} s."
    return ""


def _is_target(update: _Update, running: FirmwareImage | None) -> bool:
    """Whether the image that runs may be the one that was written. Where the module chose, any but the
    factory's may."""
    if running is None:
        return False
    return running.name == update.target if update.target is not None else running.name != "factory"


def _has_moved(update: _Update, info: FirmwareInfo) -> bool:
    """Whether another image runs than before: that alone proves that the module restarted."""
    running, was = info.running, update.before.running
    return running is not None and was is not None and running.name != was.name


def _check_running(update: _Update) -> None:
    """The image that is to be committed must be one that works.

    :raises CdbReplyError: when another one runs, or the module is in ModuleFault.
    """
    info = read_firmware_info(update.session)
    running = info.running
    if running is None or not _is_target(update, running) or not running.valid:
        raise CdbReplyError(f"the new image came up, but now the module holds {info.summary()}")
    state = update.session.module.module_state()
    if state is ModuleState.ModuleFault:
        raise CdbReplyError("with the new image the module is in ModuleFault: it was not committed")


def _commit(update: _Update) -> None:
    running = commit_image(update.session).running
    if not _is_target(update, running):
        raise CdbReplyError("another image than the one written was running when it was committed")


def _look(session: CdbSession, before: FirmwareInfo) -> tuple[FirmwareInfo | None, str]:
    """What the module holds now, and that in sentences."""
    try:
        info = read_firmware_info(session)
    except (CmisError, BenchError) as error:
        return None, (
            f"WARNING: what the module holds now could not be read ({error}). Before the update it held "
            f"{before.summary()}; the image that ran then is not written by a download. Read the firmware "
            "info again before the supply is turned off."
        )
    text = f"The module holds {info.summary()}. {info.after_power_loss()}"
    running, committed = info.running, info.committed
    if running is not None and committed is not None and running is not committed:
        text += f" Image {running.name}, which runs, is not committed."
    return info, text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
