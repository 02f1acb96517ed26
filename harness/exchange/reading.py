"""Reading a recording. That its end was cut off is told; anything else is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.exchange.form import (
    BENCH_COPY,
    EXCHANGES,
    LONGEST_LINE_BYTES,
    MOST_EXCHANGES,
    UNNAMED_THREAD,
    Exchange,
    Header,
    RecordingError,
    read_exchange,
    read_header,
    unsealed,
)
from harness.run_folder.folder import RAW

__all__ = ["Recording", "bench_copy", "read_recording", "read_recording_header"]


@dataclass(frozen=True, slots=True)
class Recording:
    """A run's exchanges, by the address of the instrument, in their order.

    ``torn``: the closing line is missing or not whole: the run was killed or lines were cut off, and more may
    be missing. ``threads``: the same exchanges, by the thread that did them (of those with a name).
    """

    path: Path
    header: Header
    channels: Mapping[str, tuple[Exchange, ...]]
    torn: bool
    threads: Mapping[str, tuple[Exchange, ...]] = field(default_factory=dict)

    @property
    def exchanges(self) -> int:
        """How many there are."""
        return sum(map(len, self.channels.values()))


def bench_copy(run: Path) -> Path:
    """Where a recorded run keeps its bench file.

    :raises RecordingError: when it is not there.
    """
    path = run / RAW / BENCH_COPY
    if not path.is_file():
        raise RecordingError(
            f"{run}: holds no recording: {RAW}/{BENCH_COPY} is missing. Record a run with --record."
        )
    return path


def read_recording_header(run: Path) -> Header:
    """What a run folder's recording is of.

    :raises RecordingError: when there is none, or it is damaged.
    """
    path = run / RAW / EXCHANGES
    return _header(_lines(path), path)


def read_recording(run: Path) -> Recording:
    """The recording of a run folder.

    :raises RecordingError: when there is none, or it is damaged; says at which line.
    """
    path = run / RAW / EXCHANGES
    lines = _lines(path)
    header = _header(lines, path)
    torn = True
    threads: dict[str, list[Exchange]] = {}
    channels: dict[str, list[Exchange]] = {}
    begun: dict[str, Exchange] = {}
    crc = count = 0
    for number, line, complete in lines:
        if not torn:
            raise RecordingError(
                f"{path}: line {number} stands behind the closing line: record the run again"
            )
        if not complete:
            break
        where = f"{path}: line {number}"
        content = unsealed(line, crc)
        if content is None:
            raise RecordingError(
                f"{where} does not follow the lines before it, or is not as it was written: "
                "the recording is damaged. Record the run again."
            )
        crc = content[1]
        if "end" in content[0]:
            if content[0]["end"] != count:
                raise RecordingError(
                    f"{where}: closes {content[0]['end']!r} exchanges, not the {count} before"
                )
            torn = False
            continue
        exchange, more = _exchange(content[0], where)
        count += 1
        if exchange.number != count or count > MOST_EXCHANGES:
            raise RecordingError(f"{where}: is exchange {exchange.number}, expected {count}")
        before = begun.pop(exchange.on, None)
        if before is not None:
            exchange = replace(
                exchange, data=before.data + exchange.data, slept_ns=before.slept_ns + exchange.slept_ns
            )
        if more:
            begun[exchange.on] = exchange
            continue
        channels.setdefault(exchange.on, []).append(exchange)
        if exchange.by != UNNAMED_THREAD:
            threads.setdefault(exchange.by, []).append(exchange)
    return Recording(
        path,
        header,
        {on: tuple(done) for on, done in channels.items()},
        torn or bool(begun),
        {by: tuple(done) for by, done in threads.items()},
    )


def _header(lines: Iterator[tuple[int, bytes, bool]], path: Path) -> Header:
    first = next(lines, None)
    content = unsealed(first[1], 0) if first is not None and first[2] else None
    if content is None:
        raise RecordingError(f"{path}: line 1 is not as it was written: this is no recording, or is damaged")
    return read_header(content[0], f"{path}: line 1")


def _exchange(content: dict[str, Any], where: str) -> tuple[Exchange, bool]:
    try:
        return read_exchange(content)
    except (ValueError, TypeError, ArithmeticError) as fault:
        raise RecordingError(f"{where}: is no exchange: {fault}") from fault


def _lines(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE_BYTES):
                number += 1
                complete = line.endswith(b"\n")
                if not complete and len(line) == LONGEST_LINE_BYTES:
                    raise RecordingError(f"{path}: line {number} is longer than {LONGEST_LINE_BYTES} bytes")
                yield number, line.rstrip(b"\n"), complete
    except FileNotFoundError:
        raise RecordingError(
            f"{path.parent.parent}: holds no recording: {RAW}/{EXCHANGES} is missing. "
            "Record a run with --record."
        ) from None
    except OSError as fault:
        raise RecordingError(f"{path}: cannot be read: {fault.strerror}") from fault
