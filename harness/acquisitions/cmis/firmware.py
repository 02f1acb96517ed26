"""Commands (CDB) and firmware: what the module says of its images, and an update with its roll-back where an
image was given."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.cmis.cdb import CdbSession, read_firmware_info
from drivers.cmis.cdb.features import read_features
from drivers.cmis.cdb.firmware import run_image, update_firmware
from drivers.cmis.cdb.firmware_info import FirmwareInfo
from drivers.cmis.errors import CdbCommandFailedError
from drivers.cmis.ports import CountsRefusals
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks, module_kept_up, then_brought_up_anew
from harness.run import Run

_UNKNOWN_COMMAND = 0x7FFF
_CDB = ("cdb_query_status", "cdb_features", "cdb_complete_flag", "cdb_unknown_command")
_INFO = ("firmware_running", "firmware_revision", "firmware_committed")
_UPDATE = ("firmware_update", "firmware_roll_back", "cdb_background")


def cmis_firmware(run: Run, _lanes: Sequence[int] = ()) -> Acquired:
    """Query, features, images; the update of ``--firmware-image`` and the way back.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_firmware")
    session = CdbSession(run.module)
    with module_kept_up(run), checks.about(*_CDB, *_INFO, *_UPDATE):
        session.advertised()
        _commands(checks, session)
        info = None
        with checks.about(*_INFO):
            info = read_firmware_info(session)
            _images(checks, info)
        _update(checks, session, info)
    return checks.acquired()


def _commands(checks: Checks, session: CdbSession) -> None:
    module = checks.run.module
    with checks.about("cdb_query_status", "cdb_complete_flag"):
        module.flags()
        status = session.query_status()
        flags = module.flags().module
        checks.say("cdb_query_status", True, f"command 0000h answers; status {status:02X}h (9Fh, lower:37)")
        checks.say(
            "cdb_complete_flag",
            "CdbCmdCompleteFlag1" in flags,
            f"lower:8.6 after a command was complete: {int('CdbCmdCompleteFlag1' in flags)}",
        )
    with checks.about("cdb_features"):
        features = read_features(session)
        checks.say(
            "cdb_features",
            {0x0000, 0x0040} <= features.commands,
            f"command 0040h says that there are {len(features.commands)} commands, at most "
            f"{features.max_completion_s} s",
        )
    with checks.about("cdb_unknown_command"):
        try:
            session.execute(_UNKNOWN_COMMAND)
        except CdbCommandFailedError as failed:
            checks.say("cdb_unknown_command", True, f"command {_UNKNOWN_COMMAND:04X}h: {failed}")
        else:
            checks.say(
                "cdb_unknown_command", False, f"command {_UNKNOWN_COMMAND:04X}h, which there is not, succeeds"
            )


def _images(checks: Checks, info: FirmwareInfo) -> None:
    identity = checks.run.module.identity()
    running, committed = info.running, info.committed
    checks.data["images"] = info.summary()
    checks.say("firmware_running", running is not None, f"command 0100h: {info.summary()}")
    if running is None:
        checks.leave("the module does not say which image runs", "firmware_revision")
    else:
        shown = ".".join(running.revision.split(".")[:2])
        checks.say(
            "firmware_revision",
            shown == identity.firmware,
            f"the image that runs is {running.revision} (0100h), lower:39-40 say {identity.firmware}",
        )
    checks.say(
        "firmware_committed",
        info.safe,
        f"committed: {committed if committed is not None else 'none'}; {info.after_power_loss()}",
    )


def _update(checks: Checks, session: CdbSession, before: FirmwareInfo | None) -> None:
    run = checks.run
    image = run.firmware_image
    if image is None:
        checks.leave("no image was given (--firmware-image)", *_UPDATE)
        return
    memory = run.module.memory
    with then_brought_up_anew(run), checks.about(*_UPDATE):
        if isinstance(memory, CountsRefusals):
            memory.take_refusals()
        written = update_firmware(session, image, run=False)
        if isinstance(memory, CountsRefusals):
            longest_s = memory.take_refusals().longest_s
            if session.advertised().background:
                # Capturing a command may take tCDBC, 80 ms, in background mode too.
                checks.say(
                    "cdb_background",
                    longest_s <= 0.1,
                    "01h:163.5 advertises background execution; the longest refusal was "
                    f"{longest_s * 1e3:.0f} ms",
                )
        checks.leave("the module executes in the foreground, or refusals are not counted", "cdb_background")
        updated = run_image(session)
        checks.say("firmware_update", written.ok and updated.ok, updated.holds)
        session.forget()
        back = run_image(session)
        after = read_firmware_info(session)
        same = before is None or (
            after.running is not None
            and before.running is not None
            and after.running.revision == before.running.revision
        )
        checks.say("firmware_roll_back", back.ok and same, f"{back.holds} {after.summary()}")


__all__ = ["cmis_firmware"]
