"""Reading a recording. What was cut off at its end is left out and told; anything else is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.exchange.form import (
    BENCH_COPY,
    EXCHANGES,
    LONGEST_LINE_BYTES,
    MOST_EXCHANGES,
    Exchange,
    Header,
    RecordingError,
    read_exchange,
    read_header,
    unsealed,
)
from harness.runfolder import RAW

__all__ = ["Recording", "bench_copy", "read_recording", "read_recording_header"]


@dataclass(frozen=True, slots=True)
class Recording:
    """A run's exchanges, by the address of the instrument, in their order.

    ``torn``: the last line is not whole: the run was killed, and more may be missing behind it.
    """

    path: Path
    header: Header
    channels: Mapping[str, tuple[Exchange, ...]]
    torn: bool

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
    return _header(_lines(path), path)[0]


def read_recording(run: Path) -> Recording:
    """The recording of a run folder.

    :raises RecordingError: when there is none, or it is damaged; says at which line.
    """
    path = run / RAW / EXCHANGES
    lines = _lines(path)
    header, torn = _header(lines, path)
    channels: dict[str, list[Exchange]] = {}
    begun: dict[str, Exchange] = {}
    crc = count = 0
    for number, line, complete in lines:
        if not complete:
            torn = True
            break
        where = f"{path}: line {number}"
        content = unsealed(line, crc)
        if content is None:
            raise RecordingError(
                f"{where} does not follow the lines before it, or is not as it was written: "
                "the recording is damaged. Record the run again."
            )
        crc = content[1]
        exchange, more = _exchange(content[0], where)
        count += 1
        if exchange.number != count or count > MOST_EXCHANGES:
            raise RecordingError(f"{where}: is exchange {exchange.number}, expected {count}")
        before = begun.pop(exchange.on, None)
        if before is not None:
            exchange = replace(exchange, data=before.data + exchange.data)
        if more:
            begun[exchange.on] = exchange
            continue
        channels.setdefault(exchange.on, []).append(exchange)
    return Recording(path, header, {on: tuple(done) for on, done in channels.items()}, torn or bool(begun))


def _header(lines: Iterator[tuple[int, bytes, bool]], path: Path) -> tuple[Header, bool]:
    first = next(lines, None)
    content = unsealed(first[1], 0) if first is not None and first[2] else None
    if content is None:
        raise RecordingError(f"{path}: line 1 is not as it was written: this is no recording, or is damaged")
    return read_header(content[0], f"{path}: line 1"), False


def _exchange(content: dict[str, Any], where: str) -> tuple[Exchange, bool]:
    try:
        return read_exchange(content)
    except (ValueError, TypeError) as fault:
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
