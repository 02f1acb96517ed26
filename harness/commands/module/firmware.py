"""``lanewise module firmware info`` and ``update``: the firmware that a module holds, and another one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.commands.module.printing import complain, say, say_json, write
from harness.commands.module.running import (
    DONE,
    TROUBLE,
    ModuleFailedError,
    Parser,
    UsageError,
    add_target,
    guarded,
    opened,
)
from harness.commands.module.subject import heading, subject_of

if TYPE_CHECKING:
    from drivers.cmis.cdb import CdbSession, FirmwareInfo, FirmwareProgress, FirmwareUpdateResult, Secret
    from drivers.cmis.cdb.firmware_info import FirmwareImage
    from drivers.cmis.errors import FirmwareUpdateError
    from harness.module_target import ModuleTarget

LARGEST_IMAGE_BYTES = 64 * 1024 * 1024
_LARGEST_PASSWORD_FILE = 64
_NO_PRIVILEGE = 0x46  # CdbStatus: password or privilege missing
_ACTIONS = "info TARGET | update TARGET IMAGE"


def main(argv: Sequence[str]) -> int:
    """``lanewise module firmware info|update``."""
    if argv and argv[0] == "info":
        return info(argv[1:])
    if argv and argv[0] == "update":
        return update(argv[1:])
    asked = bool(argv) and argv[0] in ("-h", "--help")
    say(
        f"usage: lanewise module firmware {_ACTIONS}\n\n"
        "  info    tell which images a module holds, which runs and which one it starts with\n"
        "  update  write an image by CDB, check it, run it and commit it\n",
        sys.stdout if asked else sys.stderr,
    )
    return DONE if asked else TROUBLE


def info(argv: Sequence[str]) -> int:
    """``lanewise module firmware info TARGET``."""
    parser = Parser("firmware info", "Tell which firmware images a module holds.")
    add_target(parser)
    _add_password(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return guarded("firmware info", parser, argv, lambda arguments: _with_hint(_info, arguments))


def update(argv: Sequence[str]) -> int:
    """``lanewise module firmware update TARGET IMAGE``."""
    parser = Parser(
        "firmware update",
        "Write an image to the bank that does not run, have the module check it, run it and commit it.\n"
        "What will happen is shown, and asked for, first. Running the image resets the module: traffic\n"
        "stops, and it has to be brought up anew.",
    )
    add_target(parser)
    parser.add_argument("image", metavar="IMAGE", help="the vendor's image file")
    parser.add_argument("--no-run", action="store_true", help="only write it; nothing is run or committed")
    parser.add_argument("--no-commit", action="store_true", help="run it, but keep the old one for a reset")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    _add_password(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return guarded("firmware update", parser, argv, lambda arguments: _with_hint(_update, arguments))


def _add_password(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--password", action="store_true", help="ask for the module's password, unseen")
    group.add_argument(
        "--password-file", metavar="FILE", help="file with the password, 8 hexadecimal digits (00001011)"
    )


# -- password ------------------------------------------------------------------------------------------


def _with_hint(body: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Where the module asks for a password, say how it is given here."""
    from drivers.cmis.errors import CdbCommandFailedError, CdbError

    try:
        return body(arguments)
    except CdbError as error:
        cause = error if isinstance(error, CdbCommandFailedError) else error.__cause__
        if isinstance(cause, CdbCommandFailedError) and cause.code == _NO_PRIVILEGE:
            error.add_note("Give the module's password: --password-file FILE, or --password to be asked.")
        raise


def _secret(arguments: argparse.Namespace) -> Secret | None:
    """The password, which is never an argument: those are seen by every user of the machine."""
    if arguments.password:
        import getpass

        if not sys.stdin.isatty():
            raise UsageError("--password asks at a terminal, and there is none: use --password-file")
        try:
            typed = getpass.getpass("Password of the module, 8 hexadecimal digits: ")
        except EOFError:
            typed = ""
        return _parsed(typed, "the password")
    if arguments.password_file is None:
        return None
    path = Path(arguments.password_file)
    with path.open("rb") as file:
        data = file.read(_LARGEST_PASSWORD_FILE + 1)
    return _parsed(data.decode("ascii", "replace"), f"--password-file {arguments.password_file!a}")


def _parsed(text: str, what: str) -> Secret:
    from drivers.cmis.cdb import Secret

    digits = text.strip().removeprefix("0x").removesuffix("h")
    if len(digits) != 8 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise UsageError(f"{what} is not 8 hexadecimal digits (it is not shown)")
    return Secret.password(int(digits, 16))


def _session(target: ModuleTarget, secret: Secret | None) -> tuple[CdbSession, Callable[[], None] | None]:
    from drivers.cmis.cdb import CdbSession

    if not target.live:
        raise UsageError(
            f"{target.name!a} is a dump: commands (CDB) need a live module; `decode` tells its revision"
        )
    session = CdbSession(target.module)
    if secret is None:
        return session, None
    return session, lambda: _enter(session, secret)


def _enter(session: CdbSession, secret: Secret) -> None:
    from drivers.cmis.errors import CdbCommandFailedError

    try:
        session.enter_password(secret)
    except CdbCommandFailedError as error:
        if error.code != _NO_PRIVILEGE:
            raise
        raise ModuleFailedError("the module refused this password (CDB command 0001h, status 46h)") from None


# -- info ----------------------------------------------------------------------------------------------


def _info(arguments: argparse.Namespace) -> int:
    from drivers.cmis.cdb import read_firmware_info

    secret = _secret(arguments)
    with opened(arguments) as target:
        session, unlock = _session(target, secret)
        if unlock is not None:
            unlock()
        found = read_firmware_info(session)
        if arguments.json:
            say_json({**subject_of(target), **_info_json(found)})
        else:
            say(f"{heading(subject_of(target))}\n{_info_text(found)}")
    return DONE


def _images(found: FirmwareInfo) -> tuple[FirmwareImage, ...]:
    return (found.a, found.b, found.factory)


def _info_json(found: FirmwareInfo) -> dict[str, Any]:
    running, committed = found.running, found.committed
    return {
        "images": [
            {
                "name": image.name,
                "present": image.present,
                "revision": image.revision if image.present else None,
                "running": image is running,
                "committed": image.committed,
                "valid": image.valid if image.present else None,
                "text": image.text,
            }
            for image in _images(found)
        ],
        "running": None if running is None else running.name,
        "committed": None if committed is None else committed.name,
        "after_power_loss": found.after_power_loss(),
    }


def _info_text(found: FirmwareInfo) -> str:
    from harness.text import columns

    running = found.running
    rows = []
    for image in _images(found):
        states = [
            word
            for word, holds in (
                ("runs", image is running),
                ("committed", image.committed),
                ("INVALID", image.present and not image.valid),
            )
            if holds
        ]
        revision = image.revision if image.present else "-"
        nothing = "-" if image.present else "no image"
        rows.append((image.name, revision, ", ".join(states) or nothing, image.text))
    return f"{columns(('image', 'revision', 'state', 'text'), rows)}\n{found.after_power_loss()}\n"


# -- update --------------------------------------------------------------------------------------------


def _update(arguments: argparse.Namespace) -> int:
    from drivers.cmis.cdb import read_firmware_info, update_firmware
    from drivers.cmis.errors import FirmwareUpdateError

    if arguments.no_run and arguments.no_commit:
        raise UsageError("--no-run includes --no-commit: without running it, nothing is committed")
    if not arguments.yes and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at: --yes goes on without asking")
    image = _read_image(arguments.image)
    secret = _secret(arguments)
    with opened(arguments) as target:
        session, unlock = _session(target, secret)
        if unlock is not None:
            unlock()
        before = read_firmware_info(session)
        subject = subject_of(target)
        complain(_what_will_happen(target, before, image, arguments))
        if not arguments.yes and not _agreed():
            complain("Nothing was written.")
            return TROUBLE
        progress = _ProgressLine()
        try:
            result = update_firmware(
                session,
                image,
                progress=progress.tell,
                precondition=target.require_supply,
                unlock=unlock,
                run=not arguments.no_run,
                commit=not arguments.no_commit,
            )
        except ValueError as error:
            raise UsageError(f"{arguments.image!a}: {error}") from error
        except FirmwareUpdateError as error:
            progress.end()
            _tell_verdict(error, arguments.image)
            raise
        finally:
            progress.end()
        file = {"name": arguments.image, "bytes": len(image), "sha256": _sha256(image)}
        _print_result(subject, file, result, as_json=arguments.json)
    if target.simulated and target.supply_is_watched:
        complain("A simulated bench begins anew with each command: the next one has the profile's firmware.")
    return DONE


def _sha256(image: bytes) -> str:
    import hashlib

    return hashlib.sha256(image).hexdigest()


def _tell_verdict(error: FirmwareUpdateError, image: str) -> None:
    """What the module says of the image, before all the rest."""
    from drivers.cmis.cdb.status import CdbStatus
    from drivers.cmis.errors import CdbCommandFailedError

    cause = error.__cause__
    if isinstance(cause, CdbCommandFailedError):
        verdict = CdbStatus.decode(cause.code).text.partition(", ")[2].removeprefix("firmware: ")
        complain(f"lanewise module firmware update: {image!a}: {verdict}")


def _read_image(name: str) -> bytes:
    with Path(name).open("rb") as file:
        data = file.read(LARGEST_IMAGE_BYTES + 1)
    if not data:
        raise UsageError(f"{name!a} is empty")
    if len(data) > LARGEST_IMAGE_BYTES:
        raise UsageError(f"{name!a} has more than {LARGEST_IMAGE_BYTES} bytes: that is no module's firmware")
    return data


def _what_will_happen(
    target: ModuleTarget, before: FirmwareInfo, image: bytes, arguments: argparse.Namespace
) -> str:
    identity = target.module.identity()
    running = before.running
    over = "the image that does not run"
    if running is not None and running.name in ("A", "B"):
        other = before.other_than(running)
        over = f"image {other.name} ({other.revision if other.present else 'no image'})"
    steps = [f"write {len(image)} bytes over {over}; have the module check them"]
    if not arguments.no_run:
        steps.append("run the new image: the module RESETS, traffic stops")
        steps.append(
            "leave the old image committed"
            if arguments.no_commit
            else "commit it: a reset starts it from then on"
        )
    watched = "the supply is checked before writing and before running"
    lines = [
        f"module  {identity.vendor} {identity.part_number}, serial number {identity.serial_number}",
        f"holds   {before.summary()}",
        f"target  {target.name}",
        f"file    {arguments.image}, SHA-256 {_sha256(image)}",
        *(f"step {number}  {step}" for number, step in enumerate(steps, start=1)),
        f"supply  {watched if target.supply_is_watched else 'NOT watched: keep it on until the end'}",
    ]
    return "\n".join(lines)


def _agreed() -> bool:
    import signal
    import threading

    write('Go on? Type "yes": ', sys.stderr)
    sys.stderr.flush()
    if threading.current_thread() is not threading.main_thread():
        return sys.stdin.readline().strip() == "yes"
    # Nothing is under way on the bus here, so Ctrl-C need not wait for the end of a transaction.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return sys.stdin.readline().strip() == "yes"
    finally:
        signal.signal(signal.SIGINT, before)


class _ProgressLine:
    """One line that is written over on a terminal; elsewhere a line for each phase."""

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty()
        self._phase = ""
        self._written = False

    def tell(self, progress: FirmwareProgress) -> None:
        share = 100.0 * progress.bytes_done / max(1, progress.bytes_total)
        text = (
            f"{progress.phase:<8}  {progress.bytes_done} of {progress.bytes_total} bytes ({share:.0f} %), "
            f"{progress.elapsed_s:.1f} s"
        )
        if self._in_place:
            write(f"\r{text}\x1b[K", sys.stderr)
            sys.stderr.flush()
            self._written = True
        elif progress.phase != self._phase:
            complain(text)
        self._phase = progress.phase

    def end(self) -> None:
        if self._written:
            write("\n", sys.stderr)
            self._written = False


def _print_result(
    subject: Mapping[str, Any], file: Mapping[str, Any], result: FirmwareUpdateResult, *, as_json: bool
) -> None:
    if as_json:
        say_json(
            {
                **subject,
                "file": file,
                "ok": result.ok,
                "phases": [
                    {
                        "name": phase.name,
                        "passed": phase.passed,
                        "elapsed_s": phase.elapsed_s,
                        # For one command: that of the writing phase, which has many, is for a block.
                        "allowed_s": None if phase.name == "write" else phase.allowed_s,
                        "allowed_per_block_s": phase.allowed_s if phase.name == "write" else None,
                        "explanation": phase.explanation,
                    }
                    for phase in result.phases
                ],
                "bytes_total": result.bytes_total,
                "bytes_written": result.bytes_written,
                "bytes_skipped": result.bytes_skipped,
                "blocks": result.blocks,
                "retries": len(result.retries),
                "before": _info_json(result.before),
                "after": None if result.after is None else _info_json(result.after),
                "holds": result.holds,
            }
        )
        return
    from harness.text import columns

    rows = [
        (phase.name, "done" if phase.passed else "FAILED", f"{phase.elapsed_s:.3f} s", phase.explanation)
        for phase in result.phases
    ]
    say(f"{heading(subject)}\nfile {file['name']}, SHA-256 {file['sha256']}\n\n")
    say(columns(("phase", "result", "time", ""), rows) + "\n")
    if result.after is not None:
        say(f"\n{_info_text(result.after)}")
    else:
        say(f"\n{result.holds}\n")
