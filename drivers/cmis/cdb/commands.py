"""The commands of CDB as data (OIF-CMIS-05.4 §9): numbers, names, and the fields of bodies and replies.

Fields of a body and of a reply lie where they are on page 9Fh, from byte 136 on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from drivers.cmis.fields import Access, Field, Kind, Scalar, Value, decode_bytes, encode_bytes
from drivers.cmis.memory_map import FIELDS

__all__ = ["COMMANDS", "RANGES", "Command", "CommandRange", "command", "encode_body"]

LPL_START = FIELDS["CdbLPL"].byte
_PAGE = FIELDS["CdbLPL"].page


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``secret``: its body is a password. ``replies``: it has a reply with a body.
    ``changes_firmware``: it changes what the module runs, or what it will run."""

    number: int
    name: str
    group: str
    doc: str
    body: tuple[Field, ...] = ()
    reply: tuple[Field, ...] = ()
    changes_firmware: bool = False
    secret: bool = False
    replies: bool = True

    @property
    def title(self) -> str:
        """For people: ``0100h Get Firmware Info``."""
        return f"{self.number:04X}h {self.name}"

    def decode_reply(self, data: bytes) -> dict[str, Value]:
        """Values of the reply's fields; those that a short reply does not reach are left out."""
        values: dict[str, Value] = {}
        for field in self.reply:
            start = field.byte - LPL_START
            if start + field.size <= len(data):
                values[field.name] = decode_bytes(field, data[start : start + field.size])
        return values


@dataclass(frozen=True, slots=True)
class CommandRange:
    """Numbers of commands whose layout is not in this table."""

    first: int
    last: int
    group: str
    doc: str


def _field(
    name: str,
    byte: int,
    length: int = 1,
    *,
    kind: Kind = Kind.UINT,
    msb: int | None = None,
    lsb: int | None = None,
    unit: str = "",
    doc: str = "",
) -> Field:
    low = msb if lsb is None else lsb
    return Field(
        name,
        _PAGE,
        byte,
        kind,
        length,
        msb=msb,
        lsb=low,
        unit=unit,
        access=Access.RW,
        banked=True,
        doc=doc,
    )


def _flag(name: str, byte: int, bit: int, doc: str) -> Field:
    return _field(name, byte, msb=bit, doc=doc)


def _image_fields(image: str, byte: int) -> tuple[Field, ...]:
    return (
        _field(f"Image{image}Major", byte, doc="revision X of X.Y"),
        _field(f"Image{image}Minor", byte + 1, doc="revision Y of X.Y"),
        _field(f"Image{image}Build", byte + 2, 2, doc="build number"),
        _field(f"Image{image}Text", byte + 4, 32, kind=Kind.ASCII, doc="vendor's text, untrusted"),
    )


_ADDRESS = _field("BlockAddress", 136, 4, doc="within the image, after what the start command carried")
_GENERAL, _FEATURES, _FIRMWARE = "general", "features", "firmware"

_COMMANDS = (
    Command(
        0x0000,
        "Query Status",
        _GENERAL,
        "whose password counts now",
        body=(_field("ResponseDelay", 136, 2, unit="ms", doc="longest delay of the reply"),),
        reply=(
            _field("QueryStatusLength", 136, doc="bytes of the status"),
            _field("QueryStatus", 137, doc="0 starting, 1 host password, 80h and up module password"),
        ),
    ),
    Command(
        0x0001,
        "Enter Password",
        _GENERAL,
        "gives the privileges of a password",
        body=(_field("Password", 136, 4, kind=Kind.RAW, doc="32 bits"),),
        secret=True,
        replies=False,
    ),
    Command(
        0x0002,
        "Change Password",
        _GENERAL,
        "sets a new password, after the old one was entered",
        body=(_field("NewPassword", 136, 4, kind=Kind.RAW, doc="32 bits"),),
        secret=True,
        replies=False,
    ),
    Command(
        0x0003,
        "Enable or Disable Password Protection",
        _GENERAL,
        "layout not known here [uncertain]",
        secret=True,
    ),
    Command(0x0004, "General Abort", _GENERAL, "stops a command in the background", replies=False),
    Command(0x0005, "Get Time", _GENERAL, "CMIS 5.3; layout not known here [uncertain which is which]"),
    Command(0x0006, "Set Time", _GENERAL, "CMIS 5.3; layout not known here [uncertain which is which]"),
    Command(
        0x0040,
        "Module Features",
        _FEATURES,
        "which of the commands 0000h to 00FFh there are, and how long a command may take",
        reply=(
            _field("SupportedCommands", 138, 32, kind=Kind.RAW, doc="bit i of byte 138 + n: command 8n + i"),
            _field("MaxCompletionTime", 170, 2, unit="ms", doc="of a command without a limit of its own"),
        ),
    ),
    Command(
        0x0041,
        "Firmware Management Features",
        _FEATURES,
        "how an image is written, and how long each step may take",
        reply=(
            _flag("ImageReadback", 137, 7, "an image can be read"),
            _flag("DurationMultiplier", 137, 3, "1: the maximum durations are in units of 10 ms"),
            _flag("SkippingErasedBlocks", 137, 2, "blocks of erased bytes need not be written"),
            _flag("CopyCommand", 137, 1, "0108h"),
            _flag("AbortCommand", 137, 0, "0102h"),
            _field("StartCmdPayloadSize", 138, doc="bytes of the file that the start command carries"),
            _field("ErasedByte", 139, doc="what erased memory holds"),
            _field("FirmwareReadWriteLengthExtension", 140, doc="k of 01h:164, for commands 0100h and up"),
            _field("WriteMechanism", 141, doc="01h LPL, 10h EPL, 11h both; 00h none"),
            _field("ReadMechanism", 142, doc="01h LPL, 10h EPL, 11h both; 00h none"),
            _field("HitlessRestart", 143, doc="whether an image can be run without a reset"),
            _field("MaxDurationStart", 144, 2, doc="ms, or 10 ms"),
            _field("MaxDurationAbort", 146, 2, doc="ms, or 10 ms"),
            _field("MaxDurationWrite", 148, 2, doc="ms, or 10 ms"),
            _field("MaxDurationComplete", 150, 2, doc="ms, or 10 ms"),
            _field("MaxDurationCopy", 152, 2, doc="ms, or 10 ms"),
        ),
    ),
    Command(0x0042, "Performance Monitoring Features", _FEATURES, "bitmap, not interpreted here"),
    Command(0x0043, "BERT and Diagnostics Features", _FEATURES, "bitmap, not interpreted here"),
    Command(0x0044, "Security Features", _FEATURES, "bitmap, not interpreted here"),
    Command(
        0x0100,
        "Get Firmware Info",
        _FIRMWARE,
        "the images: which runs, which is committed, which is invalid",
        reply=(
            _flag("ImageARunning", 136, 0, "image A runs"),
            _flag("ImageACommitted", 136, 1, "image A runs after a reset"),
            _flag("ImageAInvalid", 136, 2, "image A is erased or damaged"),
            _flag("ImageBRunning", 136, 4, "image B runs"),
            _flag("ImageBCommitted", 136, 5, "image B runs after a reset"),
            _flag("ImageBInvalid", 136, 6, "image B is erased or damaged"),
            _flag("ImageAPresent", 137, 0, "there is information on image A"),
            _flag("ImageBPresent", 137, 1, "there is information on image B"),
            _flag("ImageFactoryPresent", 137, 2, "there is information on the factory image"),
            *_image_fields("A", 138),
            *_image_fields("B", 174),
            *_image_fields("Factory", 210),
        ),
    ),
    Command(
        0x0101,
        "Start Firmware Download",
        _FIRMWARE,
        "begins a download; the image that does not run is erased",
        body=(
            _field("ImageSize", 136, 4, doc="bytes of the file"),
            _field("StartReserved", 140, 4, doc="0"),
        ),
        changes_firmware=True,
        replies=False,
    ),
    Command(0x0102, "Abort Firmware Download", _FIRMWARE, "ends a download", replies=False),
    Command(
        0x0103,
        "Write Firmware Block LPL",
        _FIRMWARE,
        "up to 116 bytes of an image",
        body=(_ADDRESS,),
        changes_firmware=True,
        replies=False,
    ),
    Command(
        0x0104,
        "Write Firmware Block EPL",
        _FIRMWARE,
        "up to 2048 bytes of an image, on pages A0h and up",
        body=(_ADDRESS,),
        changes_firmware=True,
        replies=False,
    ),
    Command(
        0x0105,
        "Read Firmware Block LPL",
        _FIRMWARE,
        "reads an image",
        body=(_ADDRESS, _field("BlockLength", 140, 2, doc="bytes")),
    ),
    Command(
        0x0106,
        "Read Firmware Block EPL",
        _FIRMWARE,
        "reads an image",
        body=(_ADDRESS, _field("BlockLength", 140, 2, doc="bytes")),
    ),
    Command(
        0x0107,
        "Complete Firmware Download",
        _FIRMWARE,
        "the module checks the image",
        changes_firmware=True,
        replies=False,
    ),
    Command(
        0x0108,
        "Copy Firmware Image",
        _FIRMWARE,
        "copies one image over the other",
        body=(_field("CopyDirection", 136, doc="ABh: A to B, BAh: B to A"),),
        changes_firmware=True,
    ),
    Command(
        0x0109,
        "Run Firmware Image",
        _FIRMWARE,
        "starts an image, mostly by a reset",
        body=(
            _field("RunReserved", 136, doc="0"),
            _field("ImageToRun", 137, doc="0 reset to the other, 1 hitless to the other, 2 and 3: the same"),
            _field("DelayToReset", 138, 2, unit="ms", doc="until the reset"),
        ),
        changes_firmware=True,
        replies=False,
    ),
    Command(
        0x010A,
        "Commit Image",
        _FIRMWARE,
        "the running image is the one after a reset",
        changes_firmware=True,
        replies=False,
    ),
    Command(0x010B, "Check Activation", _FIRMWARE, "layout not known here"),
)

COMMANDS: Mapping[int, Command] = MappingProxyType({entry.number: entry for entry in _COMMANDS})
"""Commands whose purpose is known, by number."""

RANGES: tuple[CommandRange, ...] = (
    CommandRange(0x0000, 0x003F, "general", "module commands"),
    CommandRange(0x0040, 0x00FF, "features", "what the module supports"),
    CommandRange(0x0100, 0x01FF, "firmware", "firmware management"),
    CommandRange(0x0200, 0x027F, "performance monitoring", "minima, averages and maxima of monitors"),
    CommandRange(0x0280, 0x02FF, "data recording", "histograms and recorded data"),
    CommandRange(0x0300, 0x03FF, "diagnostics", "BERT and diagnostics"),
    CommandRange(0x0400, 0x04FF, "security", "certificates and authentication"),
    CommandRange(0x0500, 0x7FFF, "reserved", "reserved, or defined by other documents"),
    CommandRange(0x8000, 0xFFFF, "vendor specific", "the vendor's own [uncertain]"),
)
"""What the other numbers are for."""


def command(number: int) -> Command:
    """A command of :data:`COMMANDS`, or one made of the range its number lies in.

    :raises ValueError: for a number that is not 0000h..FFFFh.
    """
    if number in COMMANDS:
        return COMMANDS[number]
    for part in RANGES:
        if part.first <= number <= part.last:
            return Command(number, f"({part.group})", part.group, part.doc)
    raise ValueError(f"CDB commands are 0000h..FFFFh, not {number}")


def encode_body(entry: Command, *values: Value | Sequence[Scalar]) -> bytes:
    """A body from the values of its fields, in their order.

    :raises ValueError: for another number of values, or one that does not fit.
    """
    if len(values) != len(entry.body):
        names = ", ".join(field.name for field in entry.body) or "nothing"
        raise ValueError(f"{entry.title} takes {names}; {len(values)} values were given")
    return b"".join(encode_bytes(field, value) for field, value in zip(entry.body, values, strict=True))
