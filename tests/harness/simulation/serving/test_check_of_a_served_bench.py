"""``lanewise bench check`` over sockets: what is wrong is named, and nothing holds it up for long."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import StopFlag
from harness.bench_file.reading import load_bench
from harness.commands import bench_check
from harness.commands.bench_check import check_bench
from harness.opening import LabBackend, Opening
from harness.simulation.served.client import ServedConnection
from harness.simulation.serving.bench_server import BenchServer
from harness.simulation.serving.run_time_faults import FaultsOfServed

Serve = Callable[..., BenchServer]
PMD = "400GBASE-DR4"


def begin(server: BenchServer, *faults: tuple[str, str], **more: str) -> None:
    """Faults through the control channel; ``more`` of the last."""
    with contextlib.closing(ServedConnection(server.control)) as connection:
        for number, (role, kind) in enumerate(faults, start=1):
            FaultsOfServed(connection).begin(role, kind, **(more if number == len(faults) else {}))


def roles_of(printed: str) -> list[str]:
    """The table of instruments, first column."""
    lines = printed.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("role ")) + 2
    return [line.split()[0] for line in lines[first : lines.index("", first)]]


def named(printed: str) -> list[str]:
    found = re.search(r"^NOT in order: (.*)$", printed, re.MULTILINE)
    assert found is not None, printed
    return found[1].split(", ")


@pytest.mark.parametrize("sockets_only", [True, False])
def test_a_sound_bench_is_in_order(
    serve: Serve, write_bench: Any, capsys: pytest.CaptureFixture[str], sockets_only: bool
) -> None:
    path = write_bench(serve(), sockets_only=sockets_only)
    assert check_bench(str(path), PMD) == 0
    printed = capsys.readouterr().out
    assert "(SIMULATED)" in printed
    assert printed.endswith("\nin order\n")
    assert "WARNING" not in printed


def test_one_dead_one_wrong_and_one_slow_of_all_instruments_are_named_in_time(
    serve: Serve, write_bench: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve("sim-dr4-full", speed=1.0)
    path: Path = write_bench(server, "sim-dr4-full", sockets_only=True)
    begin(
        server,
        ("power_meter", "dies"),
        ("optical_switch", "wrong_identity"),
        ("power_supply", "slow"),
        delay="2 s",
    )
    began_s = time.monotonic()
    assert check_bench(str(path), PMD) == 2
    assert time.monotonic() - began_s < 15.0  # the figure that is promised; it takes about 10
    printed = capsys.readouterr().out
    assert named(printed)[:3] == ["power_meter", "optical_switch", "power_supply"]
    assert not set(named(printed)[3:]) & set(roles_of(printed))  # the others are in order
    assert roles_of(printed) == list(load_bench(path).instruments)
    assert "PROBLEM power_meter: power_meter: nothing answers at this address" in printed
    assert "PROBLEM optical_switch: optical_switch: expected a Polatis" in printed
    assert re.search(r"PROBLEM power_supply: .*(no reply within|was not opened and asked)", printed)


def test_in_lockstep_a_slow_one_is_laid_to_nobody_else(
    serve: Serve, write_bench: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """One clock is everybody's there: what one waits for would use up the others' time limits."""
    server = serve("sim-dr4-full")
    path = write_bench(server, "sim-dr4-full")
    begin(server, ("reference_tx", "slow"), delay="1 s")
    assert check_bench(str(path), PMD) == 0
    assert capsys.readouterr().out.endswith("\nin order\n")


def test_what_takes_longer_than_its_limit_is_left_alone(
    serve: Serve, write_bench: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(speed=10.0)
    path = write_bench(server)
    begin(server, ("power_meter", "slow"), delay="10 s")  # a second of the wall clock
    monkeypatch.setattr(bench_check, "ASK_LIMIT_S", 2.0)
    assert check_bench(str(path), PMD) == 2
    printed = capsys.readouterr().out
    assert named(printed) == ["power_meter"]
    assert "power_meter     keysight-n7745c" in printed
    assert "STILL NOT DONE" in printed
    assert "was not opened and asked within 2 s" in printed
    assert "unknown: no power meter" in printed


def test_what_answers_in_time_but_late_is_called_slow(
    serve: Serve, write_bench: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(speed=10.0)
    path = write_bench(server, sockets_only=True)
    begin(server, ("power_supply", "slow"), delay="2.5 s")  # a quarter of a second
    monkeypatch.setattr(bench_check, "SLOW_S", 0.25)
    check_bench(str(path), PMD)
    assert "PROBLEM power_supply: is slow: it takes 0." in capsys.readouterr().out


def test_sessions_of_one_manager_may_be_opened_at_the_same_time(
    serve: Serve, write_bench: Any, address_of: Any
) -> None:
    """pyvisa-py: no two get one handle, and each reaches what it was opened for."""
    server = serve()
    backend = LabBackend(load_bench(write_bench(server)), StopFlag())
    addresses = {
        "N7745C": address_of(server, "power_meter", "hislip"),
        "E36312A": address_of(server, "power_supply", "hislip"),
        "Polatis": address_of(server, "optical_switch"),
        "ATS-545": address_of(server, "thermal"),
    }
    together = threading.Barrier(8)
    answers: list[tuple[str, str, Any]] = []

    def open_some(number: int) -> None:
        model = list(addresses)[number % len(addresses)]
        together.wait(20)
        for _ in range(5):
            resource = backend.visa_resource(addresses[model])
            resource.read_termination = resource.write_termination = "\n"
            resource.timeout = 20_000
            answers.append((model, resource.query("*IDN?"), resource))

    threads = [threading.Thread(target=open_some, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert len(answers) == 8 * 5
        assert [(model, said) for model, said, _ in answers if model not in said] == []
        assert len({resource.session for _, _, resource in answers}) == len(answers)
        assert len({id(resource._resource_manager) for _, _, resource in answers}) == 1
    finally:
        for _, _, resource in answers:
            resource.close()
        backend.close()


def test_a_bench_that_is_opened_in_threads_is_whole(serve: Serve, write_bench: Any) -> None:
    spec = load_bench(write_bench(serve()))
    opening = Opening(spec)
    threads = [threading.Thread(target=opening.open, args=(role,)) for role in opening.own_roles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench = opening.bench(without=["thermal"])
    try:
        assert list(bench.instruments) == [
            role for role in spec.instruments if role not in ("thermal", "case_sensor")
        ]
        assert opening.bench().instruments["case_sensor"] is opening.bench().instruments["thermal"]
        assert bench.power_supply.identify().model == "E36312A"
    finally:
        bench.close()
