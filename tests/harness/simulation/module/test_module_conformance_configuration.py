"""Configuration commands as the host sees them: every result, staged sets, signal integrity, breakout
(OIF-CMIS-05.4 §6.2.3, §6.2.4, Tables 6-3 and 6-4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.simulation.module.profile import Profile, load_profile

if TYPE_CHECKING:
    from conftest import ModuleBench

ALL = 0xFF
WHOLE = (0x10,) * 8
PAIRS = (0x20, 0x20, 0x24, 0x24, 0x28, 0x28, 0x2C, 0x2C)
UNDEFINED, SUCCESS, REJECTED, APP_SEL, DATA_PATH, SI, IN_USE, PARTIAL, NO_EMULATION = range(9)
IN_PROGRESS = 0xC

FULL_SI = {
    "signal_integrity": {
        "adaptive_eq_tx": True,
        "fixed_eq_tx_max": 9,
        "cdr_tx": True,
        "cdr_tx_bypass": True,
        "cdr_rx_bypass": True,
        "pre_cursor_rx_max": 3,
        "post_cursor_rx_max": 5,
        "amplitude_rx_codes": (0, 1, 2),
        "default_amplitude_rx": 1,
    }
}


QUICK = {
    "mgmt_init_s": 0.01,
    "module_power_up_s": 0.02,
    "dp_init_s": 0.02,
    "dp_deinit_s": 0.02,
    "dp_tx_turn_on_s": 0.02,
    "dp_tx_turn_off_s": 0.02,
    "tx_enable_s": 0.01,
}
"""Times do not matter here."""


@pytest.fixture
def changed(changed: Callable[..., Profile]) -> Callable[..., Profile]:
    return lambda **sections: changed(timing=QUICK, **sections)


@pytest.fixture
def bench(make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]) -> ModuleBench:
    return make_bench(changed())


def held(bench: ModuleBench) -> None:
    """ModuleReady with every data path held deactivated."""
    bench.power_on()
    bench.write("DPDeinit", ALL)
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: bench.read("ModuleState") == 3, limit_s=10.0)


def active(bench: ModuleBench) -> None:
    bench.power_on()
    bench.host.pins.set_low_power(asserted=False)
    bench.run_until(lambda: bench.read("DPStateHostLane") == (4,) * 8, limit_s=20.0)


def apply(
    bench: ModuleBench,
    config: Sequence[int],
    lanes: int = ALL,
    trigger: str = "ApplyDPInit",
    prefix: str = "SCS0",
) -> tuple[int, ...]:
    bench.write(f"{prefix}_DPConfig", tuple(config))
    bench.write(trigger, lanes)
    bench.world.advance(0.1)
    status = bench.read("ConfigStatus")
    assert isinstance(status, tuple)
    return tuple(int(code) for code in status)


@dataclass(frozen=True)
class Case:
    name: str
    config: Sequence[int]
    status: Sequence[int]
    lanes: int = ALL
    start: Callable[[ModuleBench], None] = held
    staged: Mapping[str, Sequence[int]] = field(default_factory=dict)
    profile: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def rejected_with(code: int) -> dict[str, dict[str, Any]]:
    return {"faults": {"rejected_config_host_lanes": (3,), "config_rejection_code": code}}


CASES = (
    Case("success", PAIRS, (SUCCESS,) * 8),
    Case("AppSel of no application", (0x30,) * 8, (APP_SEL,) * 8),
    Case("AppSel 15", (0xF0,) * 8, (APP_SEL,) * 8),
    Case("begins on a lane that is no option", (0x22,) * 8, (DATA_PATH,) * 8),
    Case("two applications in one data path", (0x10,) * 4 + (0x20,) * 4, (DATA_PATH,) * 8),
    Case("too few lanes", (0x10,) * 4 + (0,) * 4, (DATA_PATH,) * 4 + (IN_USE,) * 4),
    Case("half of a data path", WHOLE, (PARTIAL,) * 4 + (UNDEFINED,) * 4, lanes=0x0F),
    Case(
        "lanes of another data path", (0x20, 0x20, *(0x10,) * 6), (IN_USE,) * 2 + (UNDEFINED,) * 6, lanes=0x03
    ),
    Case("application of a data path that runs", PAIRS, (IN_USE,) * 8, start=active),
    Case("the same again while it runs", WHOLE, (SUCCESS,) * 8, start=active),
    Case("no application on a lane of a running data path", (0,) * 8, (IN_USE,) * 8, start=active),
    Case("one data path of four is wrong", (*PAIRS[:6], 0x3C, 0x3C), (IN_USE,) * 6 + (APP_SEL,) * 2),
    *(
        Case(
            f"by fault: unspecific or vendor's own, {code:X}h",
            PAIRS,
            (IN_USE,) * 2 + (code,) * 2 + (IN_USE,) * 4,
            profile=rejected_with(code),
        )
        for code in (REJECTED, NO_EMULATION, 0xD, 0xE, 0xF)
    ),
    Case("explicit as the applications have it", (0x11,) * 8, (SUCCESS,) * 8),
    Case(
        "a CDR that cannot be bypassed",
        (0x11,) * 8,
        (SI,) * 8,
        staged={"SCS0_CDREnableRx": (1, 1, 1, 1, 0, 1, 1, 1)},
    ),
    Case("a CDR that is not there", (0x11,) * 8, (SI,) * 8, staged={"SCS0_CDREnableTx": (1,) * 8}),
    Case(
        "no control of the pre-cursor",
        (0x11,) * 8,
        (SI,) * 8,
        staged={"SCS0_OutputEqPreCursorTargetRx": (1,) + (0,) * 7},
    ),
    Case(
        "not explicit: what is staged does not count",
        WHOLE,
        (SUCCESS,) * 8,
        staged={"SCS0_OutputEqPreCursorTargetRx": (9,) * 8},
    ),
    Case(
        "settings up to the highest",
        (0x11,) * 8,
        (SUCCESS,) * 8,
        profile=FULL_SI,
        staged={
            "SCS0_OutputEqPreCursorTargetRx": (3,) * 8,
            "SCS0_OutputEqPostCursorTargetRx": (5,) * 8,
            "SCS0_FixedInputEqTargetTx": (9,) * 8,
            "SCS0_OutputAmplitudeTargetRx": (2,) * 8,
            "SCS0_CDREnableRx": (0,) * 8,
            "SCS0_CDREnableTx": (0,) * 8,
            "SCS0_AdaptiveInputEqEnableTx": (0,) * 8,
        },
    ),
    Case(
        "pre-cursor above the highest",
        (0x11,) * 8,
        (SI,) * 8,
        profile=FULL_SI,
        staged={"SCS0_OutputEqPreCursorTargetRx": (4,) * 8},
    ),
    Case(
        "post-cursor above the highest",
        (0x11,) * 8,
        (SI,) * 8,
        profile=FULL_SI,
        staged={"SCS0_OutputEqPostCursorTargetRx": (6,) * 8},
    ),
    Case(
        "fixed equaliser above the highest",
        (0x11,) * 8,
        (SI,) * 8,
        profile=FULL_SI,
        staged={"SCS0_FixedInputEqTargetTx": (10,) * 8},
    ),
    Case(
        "amplitude of no code",
        (0x11,) * 8,
        (SI,) * 8,
        profile=FULL_SI,
        staged={"SCS0_OutputAmplitudeTargetRx": (3,) * 8},
    ),
    Case(
        "recall without buffers",
        (0x11,) * 8,
        (SI,) * 8,
        profile=FULL_SI,
        staged={"SCS0_AdaptiveInputEqRecallTx": b"\1\0"},
    ),
    Case(
        "settings of one data path of four",
        tuple(code | 1 for code in PAIRS),
        (IN_USE,) * 2 + (SI,) * 2 + (IN_USE,) * 4,
        staged={"SCS0_OutputEqPreCursorTargetRx": (0, 0, 1, 0, 0, 0, 0, 0)},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_result(make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile], case: Case) -> None:
    bench = make_bench(changed(**case.profile))
    case.start(bench)
    before = bench.read("ACS_DPConfig")
    for name, value in case.staged.items():
        bench.write(name, tuple(value) if not isinstance(value, bytes) else value)
    assert apply(bench, case.config, case.lanes) == tuple(case.status)
    accepted = set(case.status) == {SUCCESS}
    assert bench.read("ACS_DPConfig") == (tuple(case.config) if accepted else before)


BY_FAULT_ONLY = {REJECTED, NO_EMULATION, 0xD, 0xE, 0xF}
"""The simulated module never finds these: they come from faults.config_rejection_code alone."""


def test_every_result_of_the_table_was_reached() -> None:
    by_fault = {code for case in CASES if "faults" in case.profile for code in case.status}
    found = {code for case in CASES if "faults" not in case.profile for code in case.status}
    assert found == set(range(9)) - BY_FAULT_ONLY
    assert by_fault - found == BY_FAULT_ONLY


def two_speeds(make_bench: Callable[..., ModuleBench]) -> ModuleBench:
    """cmis-5.3-dr4, quick: AppSel 1 8:4, 2 2:1, 3 4:4 from lane 1, 4 1:1 on lanes 1 to 4."""
    profile = load_profile("cmis-5.3-dr4")
    return make_bench(replace(profile, timing=replace(profile.timing, **QUICK)))


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ((0x30,) * 4 + (0x28, 0x28, 0x2C, 0x2C), (DATA_PATH,) * 8),
        ((0x30,) * 4 + (0,) * 4, (SUCCESS,) * 8),
        ((0x40, 0x42, 0x44, 0x46, 0x28, 0x28, 0x2C, 0x2C), None),
        ((0x40, 0x42, 0, 0, 0x28, 0x28, 0x2C, 0x2C), (SUCCESS,) * 8),
    ],
)
def test_a_media_lane_serves_one_data_path(
    make_bench: Callable[..., ModuleBench], config: Sequence[int], status: Sequence[int] | None
) -> None:
    bench = two_speeds(make_bench)
    held(bench)
    if (
        status is None
    ):  # 1 and 2 agree with all, 3 and 4 are wanted twice: nothing goes as lanes 1-8 go as one
        status = (IN_USE, IN_USE) + (DATA_PATH,) * 6
    assert apply(bench, config) == tuple(status)
    bench.write("DPDeinit", 0)
    bench.world.advance(2.0)
    lanes = [lane for path in bench.module._data_paths.paths for lane in path.media_lanes]
    assert len(lanes) == len(set(lanes))


def test_a_media_lane_of_a_data_path_in_force_is_in_use(make_bench: Callable[..., ModuleBench]) -> None:
    bench = two_speeds(make_bench)
    held(bench)
    assert apply(bench, (0x30,) * 4 + (0,) * 4) == (SUCCESS,) * 8
    pairs = (0x30,) * 4 + (0x28, 0x28, 0x2C, 0x2C)
    assert apply(bench, pairs, lanes=0xF0) == (SUCCESS,) * 4 + (IN_USE,) * 4
    assert apply(bench, pairs) == (SUCCESS,) * 4 + (IN_USE,) * 4  # what is in force stays
    assert bench.read("ACS_DPConfig") == (0x30,) * 4 + (0,) * 4


def test_a_media_lane_that_a_command_in_progress_takes_is_in_use(
    make_bench: Callable[..., ModuleBench],
) -> None:
    bench = two_speeds(make_bench)
    held(bench)
    assert apply(bench, (0,) * 8) == (SUCCESS,) * 8
    bench.write("SCS0_DPConfig", (0x30,) * 4 + (0x28, 0x28, 0, 0))
    bench.write("ApplyDPInit", 0x0F)
    bench.write("ApplyDPInit", 0x30)
    bench.world.advance(0.1)
    assert bench.read("ConfigStatus") == (SUCCESS,) * 4 + (IN_USE,) * 2 + (SUCCESS,) * 2


def test_a_host_in_a_hurry_gets_what_it_applied(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed())
    held(bench)
    bench.write("SCS0_DPConfig", PAIRS)
    bench.write("ApplyDPInit", ALL)
    bench.write("DPDeinit", 0)  # before the result
    assert bench.read("ConfigStatus") == (IN_PROGRESS,) * 8
    assert bench.read("DPStateHostLane") == (1,) * 8
    bench.run_until(lambda: bench.read("ConfigStatus") == (SUCCESS,) * 8, limit_s=0.1)
    assert bench.read("ACS_DPConfig") == PAIRS
    bench.run_until(lambda: bench.read("DPStateHostLane") == (4,) * 8, limit_s=1.0)


def test_after_a_rejection_the_old_configuration_initialises(bench: ModuleBench) -> None:
    held(bench)
    bench.write("SCS0_DPConfig", (0xF0,) * 8)
    bench.write("ApplyDPInit", ALL)
    bench.write("DPDeinit", 0)
    assert bench.read("DPStateHostLane") == (1,) * 8
    bench.run_until(lambda: bench.read("DPStateHostLane") == (4,) * 8, limit_s=1.0)
    assert bench.read("ConfigStatus") == (APP_SEL,) * 8
    assert bench.read("ACS_DPConfig") == WHOLE


def test_a_command_is_judged_by_what_holds_at_its_trigger(bench: ModuleBench) -> None:
    active(bench)
    bench.write("SCS0_DPConfig", PAIRS)
    bench.write("ApplyDPInit", ALL)
    bench.write("DPDeinit", ALL)  # comes too late
    bench.world.advance(0.2)
    assert bench.read("DPStateHostLane") == (1,) * 8
    assert bench.read("ConfigStatus") == (IN_USE,) * 8


def test_settings_come_into_force_by_explicit_control_only(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(**FULL_SI))
    held(bench)
    assert bench.read("ACS_OutputAmplitudeTargetRx") == (1,) * 8
    assert bench.read("ACS_CDREnableTx") == (True,) * 8
    bench.write("SCS0_OutputAmplitudeTargetRx", (2,) * 8)
    bench.write("SCS0_OutputEqPostCursorTargetRx", (1, 2, 3, 4, 5, 4, 3, 2))
    assert apply(bench, (0x21, 0x21, 0x25, 0x25, 0x28, 0x28, 0x2C, 0x2C)) == (SUCCESS,) * 8
    assert bench.read("ACS_OutputAmplitudeTargetRx") == (2, 2, 2, 2, 1, 1, 1, 1)
    assert bench.read("ACS_OutputEqPostCursorTargetRx") == (1, 2, 3, 4, 0, 0, 0, 0)
    assert bench.read("ACS_ExplicitControl") == (1, 1, 1, 1, 0, 0, 0, 0)
    assert apply(bench, PAIRS) == (SUCCESS,) * 8
    assert bench.read("ACS_OutputAmplitudeTargetRx") == (1,) * 8  # the applications' own again
    assert bench.read("ACS_OutputEqPostCursorTargetRx") == (0,) * 8


def test_what_a_profile_offers_is_advertised(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(**FULL_SI))
    bench.power_on()
    assert {
        name: bench.read(name)
        for name in (
            "RxOutputLevelSupported",
            "TxInputEqMax",
            "RxOutputEqPreCursorMax",
            "RxOutputEqPostCursorMax",
            "RxOutputEqControlSupported",
            "TxCDRSupported",
            "TxCDRBypassControlSupported",
            "UnidirectionalConfigSupported",
        )
    } == {
        "RxOutputLevelSupported": 0b0111,
        "TxInputEqMax": 9,
        "RxOutputEqPreCursorMax": 3,
        "RxOutputEqPostCursorMax": 5,
        "RxOutputEqControlSupported": 3,
        "TxCDRSupported": 1,
        "TxCDRBypassControlSupported": 1,
        "UnidirectionalConfigSupported": 0,
    }


def test_apply_immediate_changes_a_running_data_path_without_taking_it_down(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(**FULL_SI))
    active(bench)
    bench.read("DPStateChangedFlag")
    bench.write("SCS0_OutputAmplitudeTargetRx", (2,) * 8)
    assert apply(bench, (0x11,) * 8, trigger="ApplyImmediate") == (SUCCESS,) * 8
    assert bench.read("ACS_OutputAmplitudeTargetRx") == (2,) * 8
    assert bench.read("DPInitPending") == (False,) * 8
    bench.world.advance(1.0)
    assert bench.read("DPStateHostLane") == (4,) * 8
    assert bench.read("DPStateChangedFlag") == (False,) * 8


def test_apply_immediate_on_a_deactivated_data_path_waits_for_dp_init(bench: ModuleBench) -> None:
    held(bench)
    assert apply(bench, PAIRS, trigger="ApplyImmediate") == (SUCCESS,) * 8
    assert bench.read("DPInitPending") == (True,) * 8


@pytest.mark.parametrize(("trigger", "tx", "rx"), [("ApplyImmediateTx", 7, 0), ("ApplyImmediateRx", 0, 2)])
def test_one_direction_alone(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile], trigger: str, tx: int, rx: int
) -> None:
    bench = make_bench(changed(**FULL_SI, configuration={"unidirectional": True}))
    active(bench)
    bench.write("SCS0_FixedInputEqTargetTx", (7,) * 8)
    bench.write("SCS0_OutputEqPreCursorTargetRx", (2,) * 8)
    assert apply(bench, (0x11,) * 8, trigger=trigger) == (SUCCESS,) * 8
    assert bench.read("ACS_FixedInputEqTargetTx") == (tx,) * 8
    assert bench.read("ACS_OutputEqPreCursorTargetRx") == (rx,) * 8
    assert bench.read("DPStateHostLane") == (4,) * 8
    assert apply(bench, (0x21,) * 8, trigger=trigger) == (DATA_PATH,) * 8


def test_one_direction_alone_is_judged_for_that_direction_only(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(**FULL_SI, configuration={"unidirectional": True}))
    active(bench)
    bench.write("SCS0_OutputEqPreCursorTargetRx", (15,) * 8)
    assert apply(bench, (0x11,) * 8, trigger="ApplyImmediateTx") == (SUCCESS,) * 8
    assert apply(bench, (0x11,) * 8, trigger="ApplyImmediateRx") == (SI,) * 8


def test_one_direction_alone_is_nothing_to_a_module_without_it(bench: ModuleBench) -> None:
    active(bench)
    assert apply(bench, (0x11,) * 8, trigger="ApplyImmediateTx") == (UNDEFINED,) * 8


def test_staged_control_set_1_is_its_own(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(**FULL_SI))
    held(bench)
    bench.write("SCS0_DPConfig", (0x30,) * 8)
    bench.write("SCS1_OutputAmplitudeTargetRx", (0,) * 8)
    explicit = tuple(code | 1 for code in PAIRS)
    assert apply(bench, explicit, trigger="SCS1_ApplyDPInit", prefix="SCS1") == (SUCCESS,) * 8
    assert bench.read("ACS_DPConfig") == explicit
    assert bench.read("ACS_OutputAmplitudeTargetRx") == (0,) * 8
    bench.write("SCS1_OutputAmplitudeTargetRx", (2,) * 8)
    assert apply(bench, explicit, trigger="SCS1_ApplyImmediate", prefix="SCS1") == (SUCCESS,) * 8
    assert bench.read("ACS_OutputAmplitudeTargetRx") == (2,) * 8
    assert bench.read("SCS0_DPConfig") == (0x30,) * 8


def test_a_module_without_staged_control_set_1(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(configuration={"staged_control_set_1": False}))
    held(bench)
    assert bench.read("StagedControlSet1Supported") == 0
    assert apply(bench, PAIRS, trigger="SCS1_ApplyDPInit", prefix="SCS1") == (UNDEFINED,) * 8
    assert bench.read("SCS1_DPConfig") == (0,) * 8
    assert bench.read("ACS_DPConfig") == WHOLE


def test_stepped_configuration_waits_for_the_host(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(configuration={"stepped_config_only": True}))
    active(bench)
    assert bench.read("SteppedConfigOnly") == 1
    assert apply(bench, (0x11,) * 8, trigger="ApplyImmediate") == (UNDEFINED,) * 8
    assert apply(bench, (0x11,) * 8) == (SUCCESS,) * 8
    bench.world.advance(1.0)
    assert bench.read("DPStateHostLane") == (4,) * 8
    assert bench.read("DPInitPending") == (True,) * 8
    bench.write("DPDeinit", ALL)
    bench.run_until(lambda: bench.read("DPStateHostLane") == (1,) * 8, limit_s=1.0)
    bench.write("DPDeinit", 0)
    bench.run_until(lambda: bench.read("DPStateHostLane") == (4,) * 8, limit_s=6.0)
    assert bench.read("DPInitPending") == (False,) * 8


def test_breakout_into_four_and_each_is_on_its_own(bench: ModuleBench) -> None:
    held(bench)
    assert apply(bench, PAIRS) == (SUCCESS,) * 8
    bench.write("DPDeinit", 0b1111_0011)
    bench.run_until(lambda: bench.read("DPStateHostLane") == (1, 1, 4, 4, 1, 1, 1, 1), limit_s=6.0)
    assert bench.read("OutputStatusTx") == (False, True) + (False,) * 6
    bench.write("DPDeinit", 0b0011_0011)
    bench.run_until(lambda: bench.read("DPStateHostLane") == (1, 1, 4, 4, 1, 1, 4, 4), limit_s=6.0)
    bench.read("DPStateChangedFlag")
    bench.write("ApplyDPInit", 0b1100_0000)  # one of them is recycled; the other goes on
    bench.world.advance(0.5)
    assert bench.read("DPStateHostLane") == (1, 1, 4, 4, 1, 1, 4, 4)
    assert bench.read("DPStateChangedFlag") == (False,) * 6 + (True, True)


def test_a_result_counts_for_the_lanes_of_its_trigger_alone(bench: ModuleBench) -> None:
    held(bench)
    assert apply(bench, PAIRS) == (SUCCESS,) * 8
    assert apply(bench, (0x30, 0x30, *PAIRS[2:]), lanes=0x03) == (APP_SEL,) * 2 + (SUCCESS,) * 6


def test_lanes_without_application_in_a_spare_bank(
    make_bench: Callable[..., ModuleBench], changed: Callable[..., Profile]
) -> None:
    bench = make_bench(changed(management={"banks": 2}))
    active(bench)
    memory = bench.host.memory
    assert bench.read("BanksSupported") == 1
    assert memory.read(1, 0x11, 128, 4) == b"\x11" * 4
    memory.write(1, 0x10, 145, bytes(4) + b"\x10" * 4)
    memory.write(1, 0x10, 143, b"\xff")
    assert memory.read(1, 0x11, 202, 4) == b"\x11\x11\x44\x44"
    assert bench.read("ConfigStatus") == (UNDEFINED,) * 8
    assert bench.read("DPStateHostLane") == (4,) * 8
    memory.write(1, 0x10, 128, b"\xff")  # DPDeinit of host lanes 9 to 16
    bench.world.advance(0.5)
    assert bench.read("DPStateHostLane") == (4,) * 8
