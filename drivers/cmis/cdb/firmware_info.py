"""Which firmware a module holds: by command 0100h, and as its registers say without CDB."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.cmis.cdb.features import integer_of
from drivers.cmis.cdb.session import CdbReply, CdbSession
from drivers.cmis.fields import ReadableImage, Value
from drivers.cmis.information import get_int

__all__ = [
    "FirmwareImage",
    "FirmwareInfo",
    "FirmwareRevisions",
    "read_firmware_info",
    "read_firmware_revisions",
]


@dataclass(frozen=True, slots=True)
class FirmwareImage:
    """One image. ``name``: ``A``, ``B`` or ``factory``. ``present``: the module gives information on it.
    ``committed``: it runs after a reset. ``valid``: the module does not say that it is erased or damaged.
    ``text`` is the vendor's, untrusted but printable."""

    name: str
    present: bool
    running: bool
    committed: bool
    valid: bool
    major: int
    minor: int
    build: int
    text: str

    @property
    def revision(self) -> str:
        """``major.minor.build``."""
        return f"{self.major}.{self.minor}.{self.build}"

    def __str__(self) -> str:
        states = [
            word
            for word, holds in (
                ("running", self.running),
                ("committed", self.committed),
                ("INVALID", not self.valid),
            )
            if holds
        ]
        if not self.present and not self.running and not self.committed:
            return f"image {self.name}: no image"
        what = f"image {self.name}" + (f" {self.revision}" if self.present else "")
        return f"{what}: {', '.join(states)}" if states else f"{what}: idle"


@dataclass(frozen=True, slots=True)
class FirmwareInfo:
    """Reply of 0100h. ``factory`` has no states of its own: it runs when neither A nor B does."""

    a: FirmwareImage
    b: FirmwareImage
    factory: FirmwareImage

    @property
    def running(self) -> FirmwareImage | None:
        """The image that runs; None when the module does not say, or names two."""
        named = [image for image in (self.a, self.b) if image.running]
        if len(named) == 1:
            return named[0]
        return self.factory if not named and self.factory.present else None

    @property
    def committed(self) -> FirmwareImage | None:
        """The image that runs after a reset; None when the module does not say, or names two."""
        named = [image for image in (self.a, self.b) if image.committed]
        return named[0] if len(named) == 1 else None

    def image(self, name: str) -> FirmwareImage:
        """By name: ``A``, ``B`` or ``factory``."""
        return {"A": self.a, "B": self.b, "factory": self.factory}[name]

    def other_than(self, image: FirmwareImage) -> FirmwareImage:
        """The image that a download writes while ``image`` (A or B) runs."""
        return self.b if image.name == "A" else self.a

    def summary(self) -> str:
        """All images on one line."""
        shown = [str(self.a), str(self.b)]
        if self.factory.present:
            shown.append(f"image factory {self.factory.revision}" + ("" if self._named else ": running"))
        return "; ".join(shown)

    @property
    def safe(self) -> bool:
        """Whether a valid image is committed, so that a reset or a power loss does no harm."""
        return self.committed is not None and self.committed.valid

    def after_power_loss(self) -> str:
        """What the module would start with if it lost its supply now, as a sentence."""
        committed = self.committed
        if committed is not None and committed.valid:
            return f"After a reset or a power loss it starts image {committed.name} {committed.revision}."
        rest = (
            f"Only the factory image {self.factory.revision} is left to it."
            if self.factory.present
            else "It may not start again."
        )
        return (
            f"WARNING: no valid image is committed. {rest} Keep its supply on, and do not reset it, until an "
            "image has been written and committed."
        )

    @property
    def _named(self) -> bool:
        return self.a.running or self.b.running


@dataclass(frozen=True, slots=True)
class FirmwareRevisions:
    """Revisions as registers give them (lower:39-40, 01h:128-129): ``X.Y``, ``invalid`` (255.255), or None
    where none is reported (0.0)."""

    active: str | None
    inactive: str | None


def read_firmware_info(session: CdbSession) -> FirmwareInfo:
    """Ask for the module's images (0100h).

    :raises CdbReplyError: when the reply is too short.
    :raises CmisError: as :meth:`CdbSession.execute`.
    """
    reply = session.execute(0x0100)
    values = reply.values()
    integer_of(values, "ImageAPresent", reply)  # the least there must be
    return FirmwareInfo(*(_image(values, name, reply) for name in ("A", "B", "Factory")))


def read_firmware_revisions(source: ReadableImage) -> FirmwareRevisions:
    """From a live module's registers (``module.registers``) or a dump; needs no CDB.

    The inactive revision is None for modules with flat memory.

    :raises CmisError: what the source raises.
    """

    def revision(which: str) -> str | None:
        major = get_int(source, f"Module{which}FirmwareMajorRevision")
        minor = get_int(source, f"Module{which}FirmwareMinorRevision")
        if (major, minor) == (0, 0):
            return None
        return "invalid" if (major, minor) == (0xFF, 0xFF) else f"{major}.{minor}"

    flat = get_int(source, "MemoryModel")
    return FirmwareRevisions(revision("Active"), None if flat else revision("Inactive"))


def _image(values: dict[str, Value], name: str, reply: CdbReply) -> FirmwareImage:
    present = bool(integer_of(values, f"Image{name}Present", reply))

    def number(part: str) -> int:
        # A reply that ends early is no fault where there is nothing to tell.
        return integer_of(values, f"Image{name}{part}", reply) if present else 0

    has_states = name != "Factory"

    def state(part: str) -> bool:
        return has_states and bool(integer_of(values, f"Image{name}{part}", reply))

    return FirmwareImage(
        name=name if has_states else "factory",
        present=present,
        running=state("Running"),
        committed=state("Committed"),
        valid=not state("Invalid"),
        major=number("Major"),
        minor=number("Minor"),
        build=number("Build"),
        text=str(values.get(f"Image{name}Text", "")) if present else "",
    )
