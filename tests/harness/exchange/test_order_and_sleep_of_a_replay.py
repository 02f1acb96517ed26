"""A replay holds the order that each thread asked in, over all instruments, and how long it slept; and the
file that it reads is not trusted."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import StopFlag, WallClock
from drivers.line_session import LineSession
from drivers.scpi import ScpiSession
from harness.exchange.form import Header, RecordingError, header_line, seal
from harness.exchange.reading import read_recording
from harness.exchange.recording import RecordingBackend
from harness.exchange.replaying import ReplayBackend, ReplayDifferenceError
from harness.simulation.world import VirtualClock, World

SWITCH, METER, CHAMBER = "GPIB0::1::INSTR", "GPIB0::2::INSTR", "serial:/dev/ttyS9?baud=9600"


def header(clock: str = "virtual") -> Header:
    return Header("r1", "p", "p.py", "0", "400GBASE-DR4", "b", "b.toml", "0", None, None, "1", clock, "now")


class Resource:
    """A VISA resource that answers every query with the next number."""

    session = 1
    resource_name = "x"
    timeout = 2000.0
    read_termination = write_termination = "\n"

    def __init__(self) -> None:
        self.visalib = self
        self._answers: list[bytes] = []
        self._count = 0

    def write(self, message: str, termination: str | None = None) -> int:
        if message.endswith("?"):
            self._count += 1
            self._answers.append(b"%d\n" % self._count)
        return len(message)

    def read(self, session: object, count: int) -> tuple[bytes, int]:
        return self._answers.pop(0), 0

    def ignore_warning(self, *_: Any) -> Any:
        return contextlib.nullcontext()

    def clear(self) -> None:
        self._answers.clear()

    def close(self) -> None:
        pass


class Port:
    """A serial port that answers each line with itself, byte by byte."""

    timeout: float | None = None

    def __init__(self) -> None:
        self._waiting = b""

    @property
    def in_waiting(self) -> int:
        return 0

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def read(self, size: int = 1) -> bytes:
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data

    def close(self) -> None:
        pass


class Backend:
    def __init__(self, clock: Any) -> None:
        self.clock = clock

    def visa_resource(self, address: str) -> Any:
        return Resource()

    def serial_port(self, address: str) -> Any:
        return Port()

    smbus = visa_resource

    def close(self) -> None:
        pass


class Asking:
    """What a test asks of a bench that is recorded or replayed."""

    def __init__(self, backend: Any) -> None:
        self.backend, self.clock = backend, backend.clock
        self.switch, self.meter = self.open(SWITCH), self.open(METER)
        self.chamber = LineSession(backend.serial_port(CHAMBER), backend.clock, name="chamber")

    def open(self, address: str) -> ScpiSession:
        return ScpiSession(self.backend.visa_resource(address), self.clock, name=address)

    def route(self, port: int) -> None:
        self.switch.command(f"ROUTE {port}", check=False)

    def power(self) -> float:
        return self.meter.query("POW?").real()

    def thread(self, name: str | None, work: Callable[[], object]) -> None:
        failed: list[BaseException] = []

        def run() -> None:
            try:
                work()
            except BaseException as fault:
                failed.append(fault)

        thread = threading.Thread(target=run, name=name)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]


@pytest.fixture
def replays(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[str, ...]]:
    """Records what one does and lets another do it; gives the remarks."""

    def go(
        first: Callable[[Asking], object], second: Callable[[Asking], object], clock: Any = None
    ) -> tuple[str, ...]:
        clock = clock or VirtualClock(World(1))
        folder = tmp_path_factory.mktemp("recorded")
        recording = RecordingBackend(Backend(clock), StopFlag())
        first(Asking(recording))
        (folder / "raw").mkdir()
        recording.recorder.begin(folder / "raw", header(clock.kind), b"bench")
        recording.close()
        replay = ReplayBackend(read_recording(folder), StopFlag())
        second(Asking(replay))
        return replay.remarks()

    return go


def measured(bench: Asking) -> None:
    for port in (1, 2):
        bench.route(port)
        bench.power()


def test_a_power_that_is_read_before_the_light_is_routed_is_a_difference(replays: Any) -> None:
    def too_early(bench: Asking) -> None:
        bench.power()
        bench.route(1)

    assert replays(measured, measured) == ()
    with pytest.raises(ReplayDifferenceError) as raised:
        replays(measured, too_early)
    assert f"recorded: first {SWITCH}: write 'ROUTE 1\\n'" in str(raised.value)
    assert f"{METER}: the code asks something else" in str(raised.value)


def gated(gate_s: float, parts: int = 1) -> Callable[[Asking], None]:
    def use(bench: Asking) -> None:
        bench.power()
        for _ in range(parts):
            bench.clock.sleep(gate_s / parts)
        bench.power()

    return use


@pytest.mark.parametrize("asked_s", [0.0, 9.0, 11.0])
def test_another_gate_is_a_difference(asked_s: float, replays: Any) -> None:
    with pytest.raises(ReplayDifferenceError) as raised:
        replays(gated(10.0), gated(asked_s))
    assert "recorded: write 'POW?\\n', after 10 s of sleep" in str(raised.value)
    assert f"asked:    write 'POW?\\n', after {asked_s:g} s of sleep" in str(raised.value)


def test_the_same_gate_in_parts_is_none(replays: Any) -> None:
    assert replays(gated(10.0), gated(10.0, parts=7)) == ()


def test_a_lab_leaves_a_sleep_the_time_that_the_program_took(replays: Any) -> None:
    assert replays(gated(0.02), gated(0.07), WallClock()) == ()
    with pytest.raises(ReplayDifferenceError, match=r"after 0\.3 s of sleep"):
        replays(gated(0.02), gated(0.3), WallClock())


def test_threads_with_a_name_need_not_take_turns_but_each_keeps_its_order(replays: Any) -> None:
    def in_threads(*order: str) -> Callable[[Asking], None]:
        def use(bench: Asking) -> None:
            work: Mapping[str, Callable[[], object]] = {
                "safe-switch": lambda: (bench.route(1), bench.clock.sleep(1.0), bench.route(2)),
                "safe-meter": lambda: (bench.clock.sleep(2.0), bench.power()),
            }
            for name in order:
                bench.thread(name, work[name])
            bench.chamber.query("T?")

        return use

    one, other = in_threads("safe-switch", "safe-meter"), in_threads("safe-meter", "safe-switch")
    assert replays(one, other) == ()
    with pytest.raises(ReplayDifferenceError, match="recorded: first"):
        replays(one, lambda bench: bench.thread("safe-switch", lambda: bench.power()))
    with pytest.raises(ReplayDifferenceError, match="recorded: first"):
        replays(one, lambda bench: bench.route(1))  # by the main thread


def test_of_threads_without_a_name_each_instrument_keeps_its_order(replays: Any) -> None:
    def use(bench: Asking) -> None:
        bench.thread(None, bench.power)
        bench.thread(None, lambda: bench.route(1))

    def turned(bench: Asking) -> None:
        bench.thread(None, lambda: bench.route(1))
        bench.thread(None, bench.power)

    assert replays(use, turned) == ()


def test_a_reply_in_parts_lies_where_it_was_read(replays: Any) -> None:
    """A serial reply is kept as one; it is written down before what the thread asks of another instrument."""

    def use(bench: Asking) -> None:
        assert bench.chamber.query("T?").text == "T?"
        bench.clock.sleep(3.0)
        bench.power()
        assert bench.chamber.query("H?").text == "H?"
        bench.route(1)

    assert replays(use, use) == ()


def reopened(times: int, last: str = "Y") -> Callable[[Asking], None]:
    def use(bench: Asking) -> None:
        bench.switch.command("X", check=False)
        for _ in range(times):
            session = bench.open(SWITCH)
        session.command(last, check=False)

    return use


def test_an_address_that_is_opened_again_goes_on_where_it_was(replays: Any) -> None:
    assert replays(reopened(1), reopened(1)) == ()
    with pytest.raises(ReplayDifferenceError, match="asked:    open"):
        replays(reopened(1), reopened(2))
    with pytest.raises(ReplayDifferenceError, match="recorded: write 'Y"):
        replays(reopened(1), reopened(1, last="X"))


# -- the file --------------------------------------------------------------------------------------


def made(folder: Path, what: str) -> Path:
    """A recording of one exchange with these fields, sealed as it must be."""
    (folder / "raw").mkdir(parents=True)
    line, crc = seal(f'{{"n":1,"on":"i2c:1","t_ns":0,"do":"transfer"{what}', 0)
    closing = seal('{"end":1', crc)[0]
    (folder / "raw" / "exchanges.jsonl").write_text(header_line(header()) + line + closing)
    return folder


@pytest.mark.parametrize(
    "what",
    [
        ',"messages":[["r",80,1e999]]',
        ',"messages":[["r",80,-5]]',
        ',"messages":[["r",80,1.5]]',
        ',"messages":[["r",80,100000]]',
        ',"messages":[["w",80,4]]',
        ',"messages":[["r",-1,4]]',
        ',"messages":[["w",80,"zz"]]',
        ',"messages":[5]',
        ',"messages":{}',
        ',"fault":["visa",1]',
        ',"fault":["os",1e999,""]',
        ',"fault":["os",99999999999,""]',
        ',"status":17',
        ',"count":-1',
        ',"slept_ns":-1',
        ',"slept_ns":1e999',
        ',"by":5',
        ',"secrets":[[0,9]]',
        ',"secrets":7',
        ',"t_ns":-1',
        ',"do":"dance"',
        ',"text":"\\ud800"',
    ],
)
def test_a_line_that_cannot_be_is_refused(what: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="line 2: is no exchange"):
        read_recording(made(tmp_path, what))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "on",
    "t_ns",
    "do",
    "text",
    "base64",
    "status",
    "count",
    "messages",
    "fault",
    "by",
    "slept_ns",
    "secrets",
)


@given(values=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=3))
def test_any_values_are_read_or_refused(values: dict[str, Any], tmp_path_factory: Any) -> None:
    fields = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in values.items())
    try:
        recording = read_recording(made(tmp_path_factory.mktemp("any"), fields))
    except RecordingError:
        return
    assert recording.exchanges == 1


def test_a_closing_line_counts(tmp_path: Path) -> None:
    whole = made(tmp_path, "")
    assert not read_recording(whole).torn
    path = whole / "raw" / "exchanges.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))  # cut between two lines
    assert read_recording(whole).torn
    crc = int(lines[1].rpartition('"crc":"')[2][:8], 16)
    path.write_text("".join([*lines[:-1], seal('{"end":5', crc)[0]]))
    with pytest.raises(RecordingError, match="closes 5 exchanges, not the 1"):
        read_recording(whole)
    path.write_text("".join([*lines, lines[1]]))
    with pytest.raises(RecordingError, match="line 4 stands behind the closing line"):
        read_recording(whole)
