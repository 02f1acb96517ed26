"""Conformance walk of the module state machine (OIF-CMIS-05.4 §6.3.2, Table 10-1): every transition with its
limit, seen and driven through the two-wire interface and the pins alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.codes import duration_upper_s
from drivers.i2c import I2cNackError
from harness.simulation.module.profile import Profile

if TYPE_CHECKING:
    from conftest import ModuleBench

LOW, UP, READY, DOWN, FAULT = 1, 2, 3, 4, 5
SILENT = 0  # no acknowledge: reset, MgmtInit
T_MGMT_INIT_S = 2.0

Event = Callable[["ModuleBench"], None]


def lpmode(asserted: bool) -> Event:
    return lambda bench: bench.host.pins.set_low_power(asserted=asserted)


def reset_pin(asserted: bool) -> Event:
    return lambda bench: bench.host.pins.set_reset(asserted=asserted)


def write(name: str, value: int) -> Event:
    return lambda bench: bench.write(name, value)


def hold_data_paths(bench: ModuleBench) -> None:
    bench.write("DPDeinit", 0xFF)


def reset_pulse(bench: ModuleBench) -> None:
    bench.host.pins.set_reset(asserted=True)
    bench.world.advance(20e-6)
    bench.host.pins.set_reset(asserted=False)


def wait_for(state: int) -> Event:
    def wait(bench: ModuleBench) -> None:
        bench.run_until(lambda: state_of(bench) == state, limit_s=30.0)

    return wait


def state_of(bench: ModuleBench) -> int:
    """lower:3 by one raw read; SILENT when nobody acknowledges for longer than a hold-off."""
    for _ in range(12):
        try:
            return bench.bus.write_read(0x50, b"\3", 1)[0] >> 1 & 0b111
        except I2cNackError:
            bench.world.advance(0.001)
    return SILENT


UP_TO_READY = (lpmode(False), wait_for(READY))
HELD_READY = (hold_data_paths, *UP_TO_READY)
FAULTY_UP = {"faults": {"module_fault_cause": 4}}
FAULTY_LATER = {"faults": {"module_fault_cause": 6, "module_fault_after_s": 0.25}}


@dataclass(frozen=True)
class Case:
    """Before: events that lead to the start. ``through``: what the register shows, in order, from the event
    on. ``limits``: advertised durations whose sum bounds the whole; numbers are seconds."""

    name: str
    before: tuple[Event, ...]
    event: Event
    through: tuple[int, ...]
    limits: tuple[str | float, ...] = ()
    flag: bool | None = None
    """ModuleStateChangedFlag after it; None: not looked at."""
    profile: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


TX_OFF, DEINIT = "MaxDurationDPTxTurnOff", "MaxDurationDPDeinit"
PWR_UP, PWR_DN = "MaxDurationModulePwrUp", "MaxDurationModulePwrDn"

CASES = (
    Case("LowPwr, LPMode released", (), lpmode(False), (UP, READY), (PWR_UP,), True),
    Case(
        "LowPwr, LPMode no longer counts", (), write("LowPwrAllowRequestHW", 0), (UP, READY), (PWR_UP,), True
    ),
    Case(
        "LowPwr, LPMode released, software holds",
        (write("LowPwrRequestSW", 1),),
        lpmode(False),
        (LOW,),
        flag=False,
    ),
    Case(
        "LowPwr, software releases",
        (write("LowPwrRequestSW", 1), lpmode(False)),
        write("LowPwrRequestSW", 0),
        (UP, READY),
        (PWR_UP,),
        True,
    ),
    Case("LowPwr, software releases, LPMode holds", (), write("LowPwrRequestSW", 0), (LOW,), flag=False),
    Case("PwrUp, LPMode", (lpmode(False), wait_for(UP)), lpmode(True), (DOWN, LOW), (PWR_DN,), True),
    Case(
        "PwrUp, LowPwrRequestSW",
        (lpmode(False), wait_for(UP)),
        write("LowPwrRequestSW", 1),
        (DOWN, LOW),
        (PWR_DN,),
        True,
    ),
    Case(
        "PwrDn, LPMode released again",
        (lpmode(False), wait_for(UP), lpmode(True), wait_for(DOWN)),
        lpmode(False),
        (DOWN, UP, READY),
        (PWR_DN, PWR_UP),
        True,
    ),
    Case("Ready, LPMode, no data path", HELD_READY, lpmode(True), (DOWN, LOW), (PWR_DN,), True),
    Case(
        "Ready, LowPwrRequestSW, no data path",
        HELD_READY,
        write("LowPwrRequestSW", 1),
        (DOWN, LOW),
        (PWR_DN,),
        True,
    ),
    Case(
        "Ready, LPMode, data paths go first",
        (*UP_TO_READY, lambda bench: bench.world.advance(10.0)),
        lpmode(True),
        (READY, DOWN, LOW),
        (TX_OFF, DEINIT, PWR_DN),
        True,
    ),
    Case("LowPwr, reset", (), reset_pulse, (SILENT, LOW), (T_MGMT_INIT_S,), True),
    Case(
        "PwrUp, reset",
        (lpmode(False), wait_for(UP), lpmode(True), wait_for(DOWN)),
        reset_pulse,
        (SILENT, LOW),
        (T_MGMT_INIT_S,),
        True,
    ),
    Case(
        "PwrUp, reset, goes up again",
        (lpmode(False), wait_for(UP)),
        reset_pulse,
        (SILENT, UP, READY),
        (T_MGMT_INIT_S, PWR_UP),
        True,
    ),
    Case(
        "Ready, reset",
        (*HELD_READY, lpmode(False)),
        reset_pulse,
        (SILENT, UP, READY),
        (T_MGMT_INIT_S, PWR_UP),
        True,
    ),
    Case(
        "Ready, software reset",
        UP_TO_READY,
        write("SoftwareReset", 1),
        (SILENT, UP, READY),
        (T_MGMT_INIT_S, PWR_UP),
        True,
    ),
    Case("LowPwr, software reset", (), write("SoftwareReset", 1), (SILENT, LOW), (T_MGMT_INIT_S,), True),
    Case("any, reset held", UP_TO_READY, reset_pin(True), (SILENT,)),
    Case("PwrUp ends in Fault", (), lpmode(False), (UP, FAULT), (PWR_UP,), True, FAULTY_UP),
    Case("Ready, Fault", (lpmode(False),), wait_for(READY), (READY, FAULT), (0.3,), True, FAULTY_LATER),
    Case("Fault, LPMode", (lpmode(False), wait_for(FAULT)), lpmode(True), (FAULT,), (), False, FAULTY_UP),
    Case(
        "Fault, LowPwrRequestSW",
        (lpmode(False), wait_for(FAULT)),
        write("LowPwrRequestSW", 1),
        (FAULT,),
        (),
        False,
        FAULTY_UP,
    ),
    Case(
        "Fault, reset",
        (lpmode(False), wait_for(FAULT), lpmode(True)),
        reset_pulse,
        (SILENT, LOW),
        (T_MGMT_INIT_S,),
        True,
        FAULTY_UP,
    ),
    Case(
        "Fault, software reset",
        (lpmode(False), wait_for(FAULT), lpmode(True)),
        write("SoftwareReset", 1),
        (SILENT, LOW),
        (T_MGMT_INIT_S,),
        True,
        FAULTY_UP,
    ),
)

SETTLED_S = 0.3
"""As long as this the last state must stay."""

ADVERTISEMENTS = {
    "as good-dr4": {},
    "others": {
        "module_power_up_code": 5,
        "module_power_down_code": 7,
        "dp_deinit_code": 4,
        "dp_tx_turn_off_code": 5,
    },
}


def watch(bench: ModuleBench, through: tuple[int, ...], limit_s: float) -> list[int]:
    """States shown from now on, until the last one is reached; nothing else may come within SETTLED_S."""
    seen: list[int] = []
    start_s = bench.world.now_s
    reached_s: float | None = None
    while reached_s is None or bench.world.now_s - reached_s < SETTLED_S:
        state = state_of(bench)
        if not seen or seen[-1] != state:
            seen.append(state)
        if reached_s is None and tuple(seen) == through:
            reached_s = bench.world.now_s
            assert reached_s - start_s <= limit_s + 0.015, f"{seen} after {reached_s - start_s:.3f} s"
        assert bench.world.now_s - start_s < limit_s + SETTLED_S + 1.0, f"{seen}, expected {through}"
        bench.world.advance(0.001)
    return seen


@pytest.mark.parametrize("timing", ADVERTISEMENTS.values(), ids=ADVERTISEMENTS)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_transition(
    make_bench: Callable[..., ModuleBench],
    changed: Callable[..., Profile],
    case: Case,
    timing: Mapping[str, object],
) -> None:
    bench = make_bench(changed(timing=timing, **case.profile))
    bench.power_on()
    limit_s = sum(
        duration_upper_s(int(bench.read(limit))) if isinstance(limit, str) else limit  # type: ignore[arg-type]
        for limit in case.limits
    )
    for event in case.before:
        event(bench)
    if SILENT not in case.through and case.flag is not None:
        bench.read("ModuleStateChangedFlag")  # cleared, unless it comes with the event
    case.event(bench)
    assert tuple(watch(bench, case.through, limit_s)) == case.through
    if case.flag is not None:
        bench.host.memory.forget_page()
        assert bench.read("ModuleStateChangedFlag") == case.flag


def test_power_on_is_silent_until_low_power_within_its_limit(bench: ModuleBench) -> None:
    bench.host.connect()
    bench.module.supply_changed()
    assert watch(bench, (SILENT, LOW), T_MGMT_INIT_S) == [SILENT, LOW]
    assert bench.read("ModuleStateChangedFlag") == 1
    assert bench.read("ModuleStateChangedFlag") == 0


def test_transient_states_raise_no_flag(bench: ModuleBench) -> None:
    bench.power_on()
    bench.read("ModuleStateChangedFlag")
    bench.host.pins.set_low_power(asserted=False)
    assert bench.read("ModuleState") == UP
    assert bench.read("ModuleStateChangedFlag") == 0
    bench.host.pins.set_low_power(asserted=True)
    assert bench.read("ModuleState") == DOWN
    assert bench.read("ModuleStateChangedFlag") == 0


def test_low_power_that_is_left_at_once_raises_no_flag(bench: ModuleBench) -> None:
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    wait_for(UP)(bench)
    bench.host.pins.set_low_power(asserted=True)
    bench.host.pins.set_low_power(asserted=False)
    bench.read("ModuleStateChangedFlag")
    assert state_of(bench) == DOWN
    wait_for(UP)(bench)
    assert bench.read("ModuleStateChangedFlag") == 0


def test_the_fault_cause_is_shown_and_light_is_gone(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(faults={"module_fault_cause": 6, "module_fault_after_s": 8.0}))
    bench.activate()
    assert bench.read("ModuleFaultCause") == 0
    wait_for(FAULT)(bench)
    bench.world.advance(1.0)
    assert bench.read("ModuleFaultCause") == 6
    assert bench.read("DPStateHostLane") == (1,) * 8
    assert bench.read("OutputStatusTx") == (False,) * 8


def test_flat_memory_is_ready_at_once_and_has_no_states(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(management={"flat_memory": True}))
    bench.host.connect()
    bench.module.supply_changed()
    assert watch(bench, (SILENT, READY), T_MGMT_INIT_S) == [SILENT, READY]
    bench.host.pins.set_low_power(asserted=True)
    bench.world.advance(5.0)
    assert bench.read("ModuleState") == READY
    assert bench.read("ModuleStateChangedFlag") == 0
    assert bench.read("MemoryModel") == 1
