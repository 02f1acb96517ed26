"""Conformance walk of the data path state machine (OIF-CMIS-05.4 §6.3.3): every transition with its limit,
seen and driven through the two-wire interface and the pins alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from drivers.cmis.codes import duration_upper_s
from harness.simulation.module.profile import Profile

if TYPE_CHECKING:
    from conftest import ModuleBench

DEACTIVATED, INIT, DEINIT, ACTIVATED, TURN_ON, TURN_OFF, INITIALIZED = range(1, 8)
STEADY = (DEACTIVATED, INITIALIZED, ACTIVATED)
ALL = 0xFF
READY, LOW = 3, 1
BREAKOUT = (0x20, 0x20, 0x24, 0x24, 0x28, 0x28, 0x2C, 0x2C)

L_INIT, L_DEINIT = "MaxDurationDPInit", "MaxDurationDPDeinit"
L_ON, L_OFF = "MaxDurationDPTxTurnOn", "MaxDurationDPTxTurnOff"

Event = Callable[["ModuleBench"], None]


def write(name: str, value: int) -> Event:
    return lambda bench: bench.write(name, value)


def lpmode(asserted: bool) -> Event:
    return lambda bench: bench.host.pins.set_low_power(asserted=asserted)


def states_of(bench: ModuleBench) -> tuple[int, ...]:
    states = bench.read("DPStateHostLane")
    assert isinstance(states, tuple)
    return tuple(int(state) for state in states)


def wait_for(state: int, lane: int = 1) -> Event:
    def wait(bench: ModuleBench) -> None:
        start_s = bench.world.now_s
        while states_of(bench)[lane - 1] != state:
            assert bench.world.now_s - start_s < 30.0
            bench.world.advance(STEP_S)

    return wait


def ready(bench: ModuleBench) -> None:
    bench.host.pins.set_low_power(asserted=False)
    start_s = bench.world.now_s
    while bench.read("ModuleState") != READY:
        assert bench.world.now_s - start_s < 10.0
        bench.world.advance(STEP_S)


def in_deactivated(bench: ModuleBench) -> None:
    bench.write("DPDeinit", ALL)
    ready(bench)


def in_initialized(bench: ModuleBench) -> None:
    bench.write("OutputDisableTx", ALL)
    ready(bench)
    wait_for(INITIALIZED)(bench)


def in_activated(bench: ModuleBench) -> None:
    ready(bench)
    wait_for(ACTIVATED)(bench)


def then(*events: Event) -> Event:
    def all_of_them(bench: ModuleBench) -> None:
        for event in events:
            event(bench)

    return all_of_them


IN_INIT = then(ready, wait_for(INIT))
IN_TURN_ON = then(in_initialized, write("OutputDisableTx", 0), wait_for(TURN_ON))
IN_TURN_OFF = then(in_activated, write("OutputDisableTx", ALL), wait_for(TURN_OFF))
IN_DEINIT = then(in_activated, write("DPDeinit", ALL), wait_for(DEINIT))
STEPPED = {"configuration": {"stepped_config_only": True}}


@dataclass(frozen=True)
class Case:
    """``through``: states of lane 1 in order from the event on, the steady ones that are left at once not
    among them. ``limits``: advertised durations that bound the whole."""

    name: str
    start: Event
    event: Event
    through: tuple[int, ...]
    limits: tuple[str, ...] = ()
    flag: bool = True
    """Whether DPStateChangedFlag is set once it is over."""
    profile: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


CASES = (
    Case(
        "Deactivated, DPDeinit 0",
        in_deactivated,
        write("DPDeinit", 0),
        (INIT, TURN_ON, ACTIVATED),
        (L_INIT, L_ON),
    ),
    Case(
        "Deactivated, DPDeinit 0, outputs disabled",
        then(in_deactivated, write("OutputDisableTx", ALL)),
        write("DPDeinit", 0),
        (INIT, INITIALIZED),
        (L_INIT,),
    ),
    Case(
        "Deactivated, DPDeinit 0 on all lanes but one",
        in_deactivated,
        write("DPDeinit", 0x80),
        (DEACTIVATED,),
        flag=False,
    ),
    Case("Deactivated, low power", in_deactivated, lpmode(True), (DEACTIVATED,), flag=False),
    Case("Init, DPDeinit", IN_INIT, write("DPDeinit", ALL), (DEINIT, DEACTIVATED), (L_DEINIT,)),
    Case("Init, DPDeinit of one lane", IN_INIT, write("DPDeinit", 0x20), (DEINIT, DEACTIVATED), (L_DEINIT,)),
    Case("Init, low power pin", IN_INIT, lpmode(True), (DEINIT, DEACTIVATED), (L_DEINIT,)),
    Case(
        "Init, low power by software",
        IN_INIT,
        write("LowPwrRequestSW", 1),
        (DEINIT, DEACTIVATED),
        (L_DEINIT,),
    ),
    Case("Init, outputs disabled", IN_INIT, write("OutputDisableTx", ALL), (INIT, INITIALIZED), (L_INIT,)),
    Case(
        "Initialized, outputs enabled",
        in_initialized,
        write("OutputDisableTx", 0),
        (TURN_ON, ACTIVATED),
        (L_ON,),
    ),
    Case(
        "Initialized, one output stays disabled",
        in_initialized,
        write("OutputDisableTx", 0x08),
        (INITIALIZED,),
        flag=False,
    ),
    Case(
        "Initialized, outputs enabled but squelched",
        then(in_initialized, write("OutputSquelchForceTx", 1)),
        write("OutputDisableTx", 0),
        (INITIALIZED,),
        flag=False,
    ),
    Case("Initialized, DPDeinit", in_initialized, write("DPDeinit", ALL), (DEINIT, DEACTIVATED), (L_DEINIT,)),
    Case("Initialized, low power", in_initialized, lpmode(True), (DEINIT, DEACTIVATED), (L_DEINIT,)),
    Case(
        "Initialized, ApplyDPInit",
        in_initialized,
        write("ApplyDPInit", ALL),
        (INITIALIZED, DEINIT, INIT, INITIALIZED),
        (L_DEINIT, L_INIT),
    ),
    Case(
        "Initialized, ApplyImmediate",
        in_initialized,
        write("ApplyImmediate", ALL),
        (INITIALIZED,),
        flag=False,
    ),
    Case(
        "TxTurnOn, outputs disabled",
        IN_TURN_ON,
        write("OutputDisableTx", ALL),
        (TURN_ON, TURN_OFF, INITIALIZED),
        (L_ON, L_OFF),
    ),
    Case(
        "TxTurnOn, DPDeinit",
        IN_TURN_ON,
        write("DPDeinit", ALL),
        (TURN_ON, TURN_OFF, DEINIT, DEACTIVATED),
        (L_ON, L_OFF, L_DEINIT),
    ),
    Case(
        "Activated, outputs disabled",
        in_activated,
        write("OutputDisableTx", ALL),
        (TURN_OFF, INITIALIZED),
        (L_OFF,),
    ),
    Case(
        "Activated, one output disabled",
        in_activated,
        write("OutputDisableTx", 0x04),
        (TURN_OFF, INITIALIZED),
        (L_OFF,),
    ),
    Case(
        "Activated, an output squelched",
        in_activated,
        write("OutputSquelchForceTx", 0x02),
        (TURN_OFF, INITIALIZED),
        (L_OFF,),
    ),
    Case(
        "Activated, DPDeinit",
        in_activated,
        write("DPDeinit", ALL),
        (TURN_OFF, DEINIT, DEACTIVATED),
        (L_OFF, L_DEINIT),
    ),
    Case(
        "Activated, low power", in_activated, lpmode(True), (TURN_OFF, DEINIT, DEACTIVATED), (L_OFF, L_DEINIT)
    ),
    Case(
        "Activated, ApplyDPInit",
        in_activated,
        write("ApplyDPInit", ALL),
        (ACTIVATED, TURN_OFF, DEINIT, INIT, TURN_ON, ACTIVATED),
        (L_OFF, L_DEINIT, L_INIT, L_ON),
    ),
    Case("Activated, ApplyImmediate", in_activated, write("ApplyImmediate", ALL), (ACTIVATED,), flag=False),
    Case(
        "TxTurnOff, outputs enabled",
        IN_TURN_OFF,
        write("OutputDisableTx", 0),
        (TURN_OFF, TURN_ON, ACTIVATED),
        (L_OFF, L_ON),
    ),
    Case(
        "TxTurnOff, DPDeinit",
        IN_TURN_OFF,
        write("DPDeinit", ALL),
        (TURN_OFF, DEINIT, DEACTIVATED),
        (L_OFF, L_DEINIT),
    ),
    Case(
        "Deinit, DPDeinit 0",
        IN_DEINIT,
        write("DPDeinit", 0),
        (DEINIT, INIT, TURN_ON, ACTIVATED),
        (L_DEINIT, L_INIT, L_ON),
    ),
    Case(
        "Activated, ApplyDPInit, stepped",
        in_activated,
        write("ApplyDPInit", ALL),
        (ACTIVATED,),
        flag=False,
        profile=STEPPED,
    ),
    Case(
        "Activated, ApplyImmediate, stepped",
        in_activated,
        write("ApplyImmediate", ALL),
        (ACTIVATED,),
        flag=False,
        profile=STEPPED,
    ),
    Case(
        "Activated, ApplyDPInit and DPDeinit, stepped",
        then(in_activated, write("ApplyDPInit", ALL)),
        write("DPDeinit", ALL),
        (TURN_OFF, DEINIT, DEACTIVATED),
        (L_OFF, L_DEINIT),
        profile=STEPPED,
    ),
)

SETTLED_S = 0.15
STEP_S = 0.004
LOOK_S = 0.010
"""What a look at the registers may cost: two hold-offs of a page change."""
CONFIG_S = 0.05
"""ConfigInProgress of this module at most; CMIS states no limit."""

ADVERTISEMENTS: Mapping[str, Mapping[str, object]] = {
    "as good-dr4": {},
    "others": {
        "dp_init_code": 5,
        "dp_deinit_code": 4,
        "dp_tx_turn_on_code": 7,
        "dp_tx_turn_off_code": 5,
    },
}


def watch(bench: ModuleBench, through: tuple[int, ...], limit_s: float) -> list[int]:
    """States of lane 1 from now on; the last one has to stay. All lanes of the path go together."""
    seen: list[int] = []
    start_s = bench.world.now_s
    reached_s: float | None = None
    while reached_s is None or bench.world.now_s - reached_s < SETTLED_S:
        states = states_of(bench)
        assert len(set(states)) == 1
        if not seen or seen[-1] != states[0]:
            seen.append(states[0])
        if reached_s is None and tuple(seen) == through:
            reached_s = bench.world.now_s
            assert reached_s - start_s <= limit_s, f"{seen} after {reached_s - start_s:.3f} s"
        assert bench.world.now_s - start_s < limit_s + SETTLED_S + 1.0, f"{seen}, expected {through}"
        bench.world.advance(STEP_S)
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
    limit_s = sum(duration_upper_s(int(bench.read(limit))) for limit in case.limits)  # type: ignore[arg-type]
    case.start(bench)
    bench.read("DPStateChangedFlag")
    case.event(bench)
    through = watch(bench, case.through, limit_s + LOOK_S * len(case.through) + CONFIG_S)
    assert tuple(through) == case.through
    assert bench.read("DPStateChangedFlag") == (case.flag,) * 8


def test_the_default_initialises_by_itself_as_soon_as_the_module_is_ready(bench: ModuleBench) -> None:
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    assert states_of(bench) == (DEACTIVATED,) * 8
    bench.run_until(lambda: bench.read("ModuleState") == READY, limit_s=5.0)
    assert states_of(bench) == (INIT,) * 8


def test_transitions_advertised_below_1_ms_raise_no_flag(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(timing={"dp_tx_turn_off_code": 0}))
    bench.power_on()
    in_activated(bench)
    bench.read("DPStateChangedFlag")
    bench.write("OutputDisableTx", ALL)
    wait_for(INITIALIZED)(bench)
    assert bench.read("DPStateChangedFlag") == (False,) * 8
    bench.write("OutputDisableTx", 0)
    wait_for(ACTIVATED)(bench)
    assert bench.read("DPStateChangedFlag") == (True,) * 8


def test_output_status_follows_the_states(bench: ModuleBench) -> None:
    bench.power_on()
    in_initialized(bench)
    assert bench.read("OutputStatusTx") == (False,) * 8
    assert bench.read("OutputStatusRx") == (True,) * 8
    bench.write("OutputDisableTx", 0b0010)
    bench.world.advance(1.0)
    assert bench.read("OutputStatusTx") == (True, False, True, True) + (False,) * 4
    bench.write("DPDeinit", ALL)
    wait_for(DEACTIVATED)(bench)
    assert bench.read("OutputStatusTx") == (False,) * 8
    assert bench.read("OutputStatusRx") == (False,) * 8
    assert bench.read("OutputStatusChangedFlagRx") == (True,) * 8


def _broken_out(bench: ModuleBench) -> None:
    """Four data paths of two host lanes each, in DPActivated."""
    in_deactivated(bench)
    bench.write("SCS0_DPConfig", BREAKOUT)
    bench.write("ApplyDPInit", ALL)
    bench.world.advance(0.1)
    assert bench.read("ConfigStatus") == (1,) * 8
    bench.write("DPDeinit", 0)
    bench.run_until(lambda: states_of(bench) == (ACTIVATED,) * 8, limit_s=10.0)


def test_low_power_during_power_up_turns_back_at_once(bench: ModuleBench) -> None:
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    bench.world.advance(0.05)
    assert bench.read("ModuleState") == 2
    bench.host.pins.set_low_power(asserted=True)
    assert bench.read("ModuleState") == 4
    assert states_of(bench) == (DEACTIVATED,) * 8
    bench.run_until(lambda: bench.read("ModuleState") == LOW, limit_s=0.5)
    assert states_of(bench) == (DEACTIVATED,) * 8


@pytest.mark.parametrize("how", ["pin", "software"])
def test_reset_during_init_starts_over_with_the_default(bench: ModuleBench, how: str) -> None:
    bench.power_on()
    in_deactivated(bench)
    bench.write("SCS0_DPConfig", BREAKOUT)
    bench.write("ApplyDPInit", ALL)
    bench.world.advance(0.1)
    bench.write("DPDeinit", 0)
    wait_for(INIT)(bench)
    if how == "pin":
        bench.host.pins.set_reset(asserted=True)
        bench.world.advance(20e-6)
        bench.host.pins.set_reset(asserted=False)
    else:
        bench.write("SoftwareReset", 1)
    bench.host.memory.forget_page()
    bench.world.advance(2.0)
    assert bench.read("ACS_DPConfig") == (0x10,) * 8
    assert bench.read("ConfigStatus") == (0,) * 8
    assert bench.read("DPInitPending") == (False,) * 8
    bench.run_until(lambda: states_of(bench) == (ACTIVATED,) * 8, limit_s=11.0)


def test_deinit_of_one_data_path_of_four_leaves_the_others_alone(bench: ModuleBench) -> None:
    bench.power_on()
    _broken_out(bench)
    bench.read("DPStateChangedFlag")
    bench.write("DPDeinit", 0b0010_0000)  # lane 6: the path of host lanes 5 and 6
    seen = set()

    def gone() -> bool:
        states = states_of(bench)
        seen.add(states[4])
        assert [states[lane] for lane in (0, 1, 2, 3, 6, 7)] == [ACTIVATED] * 6
        return states[4:6] == (DEACTIVATED,) * 2

    bench.run_until(gone, limit_s=0.6)
    assert seen == {TURN_OFF, DEINIT, DEACTIVATED}
    assert bench.read("DPStateChangedFlag") == (False,) * 4 + (True,) * 2 + (False,) * 2
    assert bench.read("OutputStatusTx") == (True, True, False, True) + (False,) * 4
    bench.write("DPDeinit", 0)
    bench.run_until(lambda: states_of(bench) == (ACTIVATED,) * 8, limit_s=6.0)


def test_apply_dp_init_while_in_progress_is_silently_ignored(bench: ModuleBench) -> None:
    bench.power_on()
    in_deactivated(bench)
    bench.write("SCS0_DPConfig", (0x10,) * 8)
    bench.write("ApplyDPInit", ALL)
    assert bench.read("ConfigStatus") == (0xC,) * 8
    bench.write("SCS0_DPConfig", (0xF0,) * 8)  # no such application
    bench.write("ApplyDPInit", ALL)
    bench.world.advance(0.2)
    assert bench.read("ConfigStatus") == (1,) * 8
    assert bench.read("ACS_DPConfig") == (0x10,) * 8


@pytest.mark.parametrize(
    ("start", "name"),
    [(IN_INIT, "Init"), (IN_TURN_ON, "TxTurnOn"), (IN_TURN_OFF, "TxTurnOff"), (IN_DEINIT, "Deinit")],
)
def test_triggers_are_ignored_in_transient_states(bench: ModuleBench, start: Event, name: str) -> None:
    bench.power_on()
    start(bench)
    bench.write("SCS0_DPConfig", (0xF0,) * 8)
    before = bench.read("ConfigStatus")
    assert states_of(bench)[0] not in STEADY, name
    bench.write("ApplyDPInit", ALL)
    assert states_of(bench)[0] not in STEADY, name
    bench.world.advance(0.2)
    assert bench.read("ConfigStatus") == before
