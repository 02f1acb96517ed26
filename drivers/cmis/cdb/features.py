"""What a module supports by CDB: commands 0040h and 0041h (OIF-CMIS-05.4 §9.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.cmis.cdb.advertisement import access_bytes
from drivers.cmis.cdb.session import CdbReply, CdbSession
from drivers.cmis.errors import CdbReplyError
from drivers.cmis.fields import Value

__all__ = [
    "FirmwareFeatures",
    "ModuleFeatures",
    "integer_of",
    "read_features",
    "read_firmware_features",
]

_BY_LPL, _BY_EPL = 0x01, 0x10


@dataclass(frozen=True, slots=True)
class ModuleFeatures:
    """Reply of 0040h. ``commands``: those of 0000h to 00FFh that the module has. ``max_completion_s``:
    longest duration of a command without a maximum of its own; None: not given."""

    commands: frozenset[int]
    max_completion_s: float | None


@dataclass(frozen=True, slots=True)
class FirmwareFeatures:
    """Reply of 0041h. ``start_payload_bytes``: how much of the beginning of the file the start command
    carries. ``erased_byte``: blocks of nothing else need not be written if ``skips_erased``.
    ``max_access_bytes``: longest access for firmware commands. Durations in s; None: not given."""

    readback: bool
    skips_erased: bool
    copies: bool
    aborts: bool
    start_payload_bytes: int
    erased_byte: int
    max_access_bytes: int
    writes_lpl: bool
    writes_epl: bool
    write_mechanism: int
    reads_lpl: bool
    reads_epl: bool
    hitless: int
    start_s: float | None
    abort_s: float | None
    write_s: float | None
    complete_s: float | None
    copy_s: float | None


def read_features(session: CdbSession) -> ModuleFeatures:
    """Ask which commands there are (0040h), and tell the session how long they may take.

    :raises CdbReplyError: when the reply is too short.
    :raises CmisError: as :meth:`CdbSession.execute`.
    """
    reply = session.execute(0x0040)
    values = reply.values()
    bitmap = values.get("SupportedCommands")
    if not isinstance(bitmap, bytes):
        raise _too_short(reply)
    # Modules of early revisions end the reply before the duration.
    duration_ms = values.get("MaxCompletionTime", 0)
    features = ModuleFeatures(
        commands=frozenset(
            8 * index + bit for index, byte in enumerate(bitmap) for bit in range(8) if byte >> bit & 1
        ),
        max_completion_s=duration_ms / 1e3 if isinstance(duration_ms, int) and duration_ms else None,
    )
    session.learn(longest_s=features.max_completion_s)
    return features


def read_firmware_features(session: CdbSession) -> FirmwareFeatures:
    """Ask how firmware is written (0041h), and tell the session how long each step may take.

    :raises CdbReplyError: when the reply is too short.
    :raises CmisError: as :meth:`CdbSession.execute`.
    """
    reply = session.execute(0x0041)
    values = reply.values()

    def number(name: str) -> int:
        return integer_of(values, name, reply)

    unit_s = 1e-2 if number("DurationMultiplier") else 1e-3

    def duration_s(name: str) -> float | None:
        return number(name) * unit_s or None

    writing, reading = number("WriteMechanism"), number("ReadMechanism")
    features = FirmwareFeatures(
        readback=bool(number("ImageReadback")),
        skips_erased=bool(number("SkippingErasedBlocks")),
        copies=bool(number("CopyCommand")),
        aborts=bool(number("AbortCommand")),
        start_payload_bytes=number("StartCmdPayloadSize"),
        erased_byte=number("ErasedByte"),
        max_access_bytes=access_bytes(number("FirmwareReadWriteLengthExtension")),
        writes_lpl=bool(writing & _BY_LPL),
        writes_epl=bool(writing & _BY_EPL),
        write_mechanism=writing,
        reads_lpl=bool(reading & _BY_LPL),
        reads_epl=bool(reading & _BY_EPL),
        hitless=number("HitlessRestart"),
        start_s=duration_s("MaxDurationStart"),
        abort_s=duration_s("MaxDurationAbort"),
        write_s=duration_s("MaxDurationWrite"),
        complete_s=duration_s("MaxDurationComplete"),
        copy_s=duration_s("MaxDurationCopy"),
    )
    limits_s = {
        0x0101: features.start_s,
        0x0102: features.abort_s,
        0x0103: features.write_s,
        0x0104: features.write_s,
        0x0107: features.complete_s,
        0x0108: features.copy_s,
    }
    session.learn(
        limits_s={number: limit_s for number, limit_s in limits_s.items() if limit_s is not None},
        firmware_access_bytes=features.max_access_bytes,
    )
    return features


def integer_of(values: Mapping[str, Value], name: str, reply: CdbReply) -> int:
    """An integer of a reply.

    :raises CdbReplyError: when the reply does not reach it.
    """
    value = values.get(name)
    if not isinstance(value, int):
        raise _too_short(reply)
    return value


def _too_short(reply: CdbReply) -> CdbReplyError:
    layout = reply.command.reply
    wanted = max(field.byte + field.size for field in layout) - 136
    return CdbReplyError(
        f"CDB command {reply.command.title}: the reply has {len(reply.data)} bytes; expected {wanted}. If "
        "the module still shows the status of an earlier command when it is looked at, open the session with "
        "first_look_s."
    )
