"""The form of a recording: one line of JSON for each exchange; the first line says what was recorded, the
last that it is whole.

Each line ends with a CRC-32 over all exchanges up to it, so that a lost, moved or damaged line is found; it
is no protection against forgery, which is the journal's work. Times are nanoseconds of bench time since the
recording began, at the end of the exchange. Bytes stand as text where they are ASCII, else as Base64; what is
longer than :data:`LONGEST_PIECE_BYTES` goes over several lines.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pyvisa.constants import StatusCode

from harness.exchange.hidden import masked

__all__ = [
    "BENCH_COPY",
    "EXCHANGES",
    "Exchange",
    "Fault",
    "Header",
    "Message",
    "RecordingError",
    "bytes_fields",
    "closing_line",
    "header_line",
    "seal",
    "thread_name",
]

EXCHANGES = "exchanges.jsonl"
"""In a run's ``raw/``."""
BENCH_COPY = "bench.toml"
"""Beside it: the bench file, as it was."""
FORM = "lanewise-exchanges"
VERSION = 2
LONGEST_PIECE_BYTES = 48 * 1024
LONGEST_LINE_BYTES = 8 * LONGEST_PIECE_BYTES
MOST_EXCHANGES = 50_000_000
UNNAMED_THREAD = "?"
"""Threads without a name of their own: they cannot be told apart."""
_KINDS = ("open", "write", "read", "nothing", "waiting", "clear", "transfer")
_STATUSES = frozenset(int(code) for code in StatusCode)
_MOST_NS = 1 << 62
_LONGEST_TRANSFER_BYTES = 0xFFFF
_SEAL_LENGTH = len(',"crc":"01234567"}')
_quoted = json.encoder.encode_basestring_ascii


class RecordingError(ValueError):
    """A recording that is missing, damaged, or of another bench: says where and what to do."""


@dataclass(frozen=True, slots=True)
class Header:
    """What was recorded. ``module`` and ``seed``: those a simulated bench was told, else None. ``version``:
    of this program; ``clock``: the kind that the bench had."""

    run_id: str
    plan: str
    plan_file: str
    plan_sha256: str
    pmd: str
    bench: str
    bench_file: str
    bench_sha256: str
    module: str | None
    seed: int | None
    version: str
    clock: str
    started_at: str


@dataclass(frozen=True, slots=True)
class Fault:
    """How an exchange failed. ``kind``: ``visa`` (``code`` is VISA's), ``os`` (``code`` is the errno), or
    ``other``."""

    kind: str
    code: int
    text: str

    def fields(self) -> str:
        """As a line has it."""
        return f',"fault":["{self.kind}",{self.code},{_quoted(self.text[:400])}]'

    def __str__(self) -> str:
        """For people."""
        return f"{self.kind} {self.code}: {self.text}" if self.text else f"{self.kind} {self.code}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a transfer on a two-wire bus: the bytes written, or those read. ``length``: how many
    were to be read; None for a write."""

    address: int
    data: bytes
    length: int | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One thing that a driver did, and what came of it.

    ``number``: from 1, over all instruments; ``do``: ``open``, ``write``, ``read``, ``nothing`` (a serial
    port that gave no byte in its time, ``count`` times), ``waiting`` (``count`` bytes waited), ``clear`` or
    ``transfer``; ``status``: VISA's, of a read; ``raw_socket``: of an ``open``; ``by``: the thread that did
    it (:func:`thread_name`); ``slept_ns``: how long that thread had slept by the bench's clock since its
    exchange before; ``secrets``: from where to where ``data`` (of a ``write``) stands for a password.
    """

    number: int
    on: str
    t_ns: int
    do: str
    data: bytes = b""
    status: int = 0
    count: int = 0
    messages: tuple[Message, ...] = ()
    fault: Fault | None = None
    raw_socket: bool = False
    by: str = ""
    slept_ns: int = 0
    secrets: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        """What was asked, for people."""
        failed = f" (failed: {self.fault})" if self.fault else ""
        if self.do in ("write", "read"):
            return f"{self.do} {shown(self.data, self.secrets)}{failed}"
        if self.do == "transfer":
            return f"transfer {shown_messages(self.messages)}{failed}"
        if self.do == "nothing":
            return f"read, of which nothing came ({self.count} times)"
        return f"{self.do} {self.count}" if self.do == "waiting" else f"{self.do}{failed}"


def shown(data: bytes, secrets: tuple[tuple[int, int], ...] = ()) -> str:
    """Bytes for people, bounded, without secrets."""
    data = masked(data, secrets)
    text = repr(data[:80])[1:]
    return text if len(data) <= 80 else f"{text}... ({len(data)} bytes)"


def shown_messages(messages: tuple[Message, ...]) -> str:
    """A transfer for people: what is written, and how much is read."""
    parts = [
        f"0x{message.address:02X}: "
        + (
            f"write {message.data[:16].hex(' ')}{'...' if len(message.data) > 16 else ''}"
            if message.length is None
            else f"read {message.length}"
        )
        for message in messages
    ]
    return "; ".join(parts[:8]) + ("; ..." if len(parts) > 8 else "")


def thread_name() -> str:
    """What a recording calls the thread that asks: "" the main one; its name; :data:`UNNAMED_THREAD`."""
    thread = threading.current_thread()
    if thread is threading.main_thread():
        return ""
    return UNNAMED_THREAD if thread.name.startswith(("Thread-", "Dummy-")) else thread.name


# -- writing ---------------------------------------------------------------------------------------


def bytes_fields(data: bytes) -> str:
    """Bytes as a line has them."""
    if data.isascii():
        return f',"text":{_quoted(data.decode("ascii"))}'
    return f',"base64":"{binascii.b2a_base64(data, newline=False).decode("ascii")}"'


def seal(line: str, crc: int) -> tuple[str, int]:
    """A line without its last brace, with the CRC over it and all before it (``crc``); and that CRC."""
    crc = zlib.crc32(line.encode("ascii"), crc)
    return f'{line},"crc":"{crc:08x}"}}\n', crc


def header_line(header: Header) -> str:
    """The first line."""
    content = {"form": FORM, "form_version": VERSION, **asdict(header)}
    return seal(json.dumps(content, ensure_ascii=True, separators=(",", ":"))[:-1], 0)[0]


def closing_line(exchanges: int, crc: int) -> str:
    """The last line: how many lines of exchanges stand before it."""
    return seal(f'{{"end":{exchanges}', crc)[0]


# -- reading ---------------------------------------------------------------------------------------


def unsealed(line: bytes, crc: int) -> tuple[dict[str, Any], int] | None:
    """What :func:`seal` made of a line (without its end), and the CRC; None when it is not as written."""
    body = line[:-_SEAL_LENGTH]
    crc = zlib.crc32(body, crc)
    if line[-_SEAL_LENGTH:] != b',"crc":"%08x"}' % crc:
        return None
    try:
        content = json.loads(body + b"}")
    except (ValueError, RecursionError):
        return None
    return (content, crc) if isinstance(content, dict) else None


def read_header(content: Mapping[str, Any], where: str) -> Header:
    """The first line, read.

    :raises RecordingError: when it is none, or of another version.
    """
    if content.get("form") != FORM:
        raise RecordingError(f"{where}: is no recording of exchanges")
    if content.get("form_version") != VERSION:
        raise RecordingError(
            f"{where}: is of form {content.get('form_version')!r}; this program reads form {VERSION}"
        )
    values: dict[str, Any] = {field.name: content.get(field.name) for field in fields(Header)}
    for name, value in values.items():
        kinds: tuple[type, ...] = (str,)
        if name in ("module", "seed"):
            kinds = (str if name == "module" else int, type(None))
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise RecordingError(f"{where}: {name} is {value!r}, which it cannot be")
    return Header(**values)


def read_exchange(content: Mapping[str, Any]) -> tuple[Exchange, bool]:
    """A line's exchange, and whether more of it follows.

    :raises ValueError: when it is none.
    """
    number, on, t_ns, do = (content.get(key) for key in ("n", "on", "t_ns", "do"))
    by, slept_ns = content.get("by", ""), content.get("slept_ns", 0)
    if not (_whole(number) and isinstance(on, str) and isinstance(by, str) and do in _KINDS):
        raise ValueError("n, on, by or do is missing, or cannot be")
    if not (_within(t_ns, _MOST_NS) and _within(slept_ns, _MOST_NS)):
        raise ValueError("t_ns or slept_ns is missing, or cannot be")
    data = b""
    if isinstance(content.get("text"), str):
        data = content["text"].encode("latin-1")
    elif isinstance(content.get("base64"), str):
        data = base64.b64decode(content["base64"], validate=True)
    status, count = content.get("status", 0), content.get("count", 0)
    if not (_whole(status) and status in _STATUSES):
        raise ValueError(f"status {status!r} is none of VISA's")
    if not _within(count, MOST_EXCHANGES):
        raise ValueError("count is no whole number, or cannot be")
    return (
        Exchange(
            number=int(number or 0),
            on=on,
            t_ns=int(t_ns or 0),
            do=str(do),
            data=data,
            status=status,
            count=count,
            messages=tuple(_messages(content.get("messages", []))),
            fault=_fault(content.get("fault")),
            raw_socket=content.get("raw_socket") is True,
            by=by,
            slept_ns=int(slept_ns),
            secrets=tuple(_secrets(content.get("secrets", []), len(data))),
        ),
        content.get("more") is True,
    )


def _messages(content: Any) -> Iterator[Message]:
    if not isinstance(content, list):
        raise ValueError("messages is no list")  # noqa: TRY004 - what a file holds, not a programmer's slip
    for entry in content:
        way, address, what = entry
        if way not in ("w", "r") or not _within(address, 0x3FF):
            raise ValueError(f"{entry!r} is no message")
        if isinstance(what, str):
            data = bytes.fromhex(what)
            yield Message(address, data, len(data) if way == "r" else None)
        elif way == "r" and _within(what, _LONGEST_TRANSFER_BYTES):
            yield Message(address, b"", what)
        else:
            raise ValueError(f"{entry!r} is no message")


def _secrets(content: Any, length: int) -> Iterator[tuple[int, int]]:
    for start, end in content:
        if not (_within(start, length) and _within(end, length) and start <= end):
            raise ValueError("secrets lie outside of the bytes")
        yield start, end


def _fault(content: Any) -> Fault | None:
    if content is None:
        return None
    kind, code, text = content
    if kind not in ("visa", "os", "other") or not _whole(code) or not isinstance(text, str):
        raise ValueError(f"{content!r} is no fault")
    if not -(1 << 31) <= code < 1 << 31:
        raise ValueError(f"{content!r} is no fault")
    return Fault(kind, code, text)


def _within(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
