"""What can be wrong with a module's management interface, as types.

These are findings about the *module* (or about a dump of one), so none of them is a
:class:`drivers.errors.BenchError`: a broken adapter raises that, a silent module raises one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.cmis.cdb.firmware import FirmwareUpdateResult

__all__ = [
    "ApplicationNotOfferedError",
    "BytesNotReadError",
    "CdbBusyError",
    "CdbCommandFailedError",
    "CdbError",
    "CdbNotAdvertisedError",
    "CdbReplyError",
    "CdbTimeoutError",
    "CmisError",
    "ConfigurationRefusedError",
    "DiagnosticsStateError",
    "DumpFormatError",
    "FirmwareUpdateError",
    "FirmwareUpdateRefusedError",
    "InvalidMemoryError",
    "ModuleNotRespondingError",
    "NotAdvertisedError",
    "NotReadError",
    "PageUnavailableError",
    "ReadOnlyMemoryError",
    "VdmFreezeError",
    "WriteNotTakenError",
]


class CmisError(Exception):
    """The module's management interface, or a copy of its memory, is not as CMIS says."""


class ModuleNotRespondingError(CmisError):
    """The module does not acknowledge for longer than CMIS lets it."""


class PageUnavailableError(CmisError):
    """The module, or the dump, does not have this page.

    Attributes: ``bank``, ``page`` (None for lower memory).
    """

    def __init__(self, bank: int, page: int | None, reason: str) -> None:
        self.bank = bank
        self.page = page
        where = "lower memory" if page is None else f"page {page:02X}h"
        if page is not None and page >= 0x10:  # pages below exist once, whatever the bank
            where += f" bank {bank}"
        super().__init__(f"{where} is not available: {reason}")


class BytesNotReadError(PageUnavailableError):
    """A dump holds this page, but not these bytes of it: nobody read them, or reading was refused.

    Attributes: ``bank``, ``page`` (None for lower memory), ``spans`` (``11h:134-153``).
    """

    def __init__(self, bank: int, page: int | None, spans: str) -> None:
        super().__init__(bank, page, f"{spans} was not read when the dump was taken")
        self.spans = spans


class InvalidMemoryError(CmisError):
    """A register holds what its definition does not allow."""


class WriteNotTakenError(CmisError):
    """A register read back something else than was written to it, without any refusal."""


class ReadOnlyMemoryError(CmisError):
    """A write was asked of a memory that cannot be written, such as a dump."""


class DumpFormatError(CmisError):
    """A file is not a memory dump of a form that can be read."""


class NotAdvertisedError(CmisError):
    """The module does not advertise what was asked of it, or asked for more than it advertises.

    Nothing was written.
    """


class ApplicationNotOfferedError(NotAdvertisedError):
    """The module does not advertise an application, or not on these lanes, or not that often."""


class ConfigurationRefusedError(CmisError):
    """A configuration that was not begun: nothing was written. Attribute ``lanes``: host lanes at fault."""

    def __init__(self, reason: str, lanes: tuple[int, ...] = ()) -> None:
        self.lanes = lanes
        super().__init__(reason)


class NotReadError(CmisError):
    """A value was asked of a poll's snapshot that does not hold its bytes: the plan did not read them."""


class DiagnosticsStateError(CmisError):
    """The module's diagnostics are not, or do not stay, in the state that a measurement needs."""


class CdbError(CmisError):
    """A CDB message (OIF-CMIS-05.4 section 9) was not exchanged as it should be."""


class CdbNotAdvertisedError(CdbError, NotAdvertisedError):
    """The module does not advertise CDB, this instance of it, or this kind of message. Nothing was sent."""


class CdbBusyError(CdbError):
    """The CDB instance still executes another command. Nothing was sent."""


class CdbTimeoutError(CdbError):
    """A CDB command did not complete in the time allowed; it may still complete later.

    Attributes: ``elapsed_s``, ``allowed_s``, ``register`` (where its completion was looked for).
    """

    def __init__(self, text: str, *, elapsed_s: float, allowed_s: float, register: str) -> None:
        self.elapsed_s = elapsed_s
        self.allowed_s = allowed_s
        self.register = register
        super().__init__(text)


class CdbCommandFailedError(CdbError):
    """The module says that a CDB command failed.

    Attributes: ``command`` (its number), ``code`` (the status byte, such as 46h).
    """

    def __init__(self, text: str, *, command: int, code: int) -> None:
        self.command = command
        self.code = code
        super().__init__(text)


class CdbReplyError(CdbError):
    """The reply to a CDB command is damaged, or not of the form that the command has."""


class FirmwareUpdateRefusedError(CdbError):
    """A firmware update that was not begun: the module could have been left without a valid image.
    Nothing was written."""


class FirmwareUpdateError(CdbError):
    """A firmware update that was begun and failed; the text says what the module holds now.

    Attribute ``result``: :class:`drivers.cmis.cdb.firmware.FirmwareUpdateResult`.
    """

    def __init__(self, text: str, result: FirmwareUpdateResult) -> None:
        self.result = result
        super().__init__(text)


class VdmFreezeError(CmisError):
    """The module did not confirm that its VDM statistics are frozen, or that they go on again.

    Attributes: ``register`` (``2Fh:145.7 VDMFreezeDone``), ``elapsed_s``.
    """

    def __init__(self, register: str, elapsed_s: float, reason: str) -> None:
        self.register = register
        self.elapsed_s = elapsed_s
        super().__init__(f"{register} is not set {elapsed_s * 1e3:.1f} ms after the request: {reason}")
