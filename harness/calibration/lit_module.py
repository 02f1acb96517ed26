"""The bench's own light: a module brought up as a qualification does, and its lanes switched one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from drivers.clock import StopFlag
from drivers.cmis.bringup import bring_up
from drivers.cmis.errors import CmisError
from drivers.cmis.module import CmisModule
from drivers.errors import BenchError
from harness.acquisitions.launch_power import TX_ENABLE_S, disable_settling_s
from harness.bench import Bench
from harness.bench_file.reading import BenchSpec
from harness.conditions.conditioner import NOMINAL_VCC_V
from harness.conditions.corner import Corner
from harness.judging.limits import limits_of_pmd
from harness.judging.pmd import Pmd
from harness.opening import Backend, open_bench
from harness.run import Run
from harness.stopping import stop_on_signals

CASE_TEMP_C = 35.0
"""Where the module's case is brought to: its light is then the same from day to day."""


class NoLightError(BenchError):
    """The module does not give the light that the bench is to be looked at with. Says nothing of its
    quality."""


@contextmanager
def bench_at_work(
    spec: BenchSpec, pmd: Pmd, what: str, backend: Backend | None = None
) -> Iterator[tuple[Run, list[str]]]:
    """An open bench, which is made safe and closed afterwards, however that ends. The list is filled then
    with what is not safe, one line each. Signals ask for a stop meanwhile.

    :raises BenchError: when it cannot be opened.
    """
    stop = StopFlag()
    restore = stop_on_signals(stop)
    not_safe: list[str] = []
    try:
        run = Run(open_bench(spec, stop, backend), limits_of_pmd(pmd.name), plan=what, out=Path())
        try:
            yield run, not_safe
        finally:
            run.finish(what)
            not_safe += [f"{s.role}: {s.action}: {s.read_back}" for s in run.safe_states if not s.safe]
    finally:
        restore()


def light_up(run: Run, pmd: Pmd) -> None:
    """Power the module, bring it up, and bring its case to :data:`CASE_TEMP_C`: all lanes are lit then.

    :raises NoLightError: when the module does not come up, or cannot be asked.
    :raises BenchError: when an instrument fails.
    """
    run.power_and_identify()
    run.bench.forget_set_ups()  # connecting anew may have undone them
    if run.identity is None:
        raise no_light(run.identity_fault)
    run.module.forget_page()
    result = bring_up(
        run.module, run.bench.host_board.pins, run.bench.clock, media_interface=pmd.media_interface
    )
    if not result.ok:
        raise no_light(result.stopped_by)
    run.conditioner.go_to(Corner(1, CASE_TEMP_C, NOMINAL_VCC_V))


def no_light(why: str) -> NoLightError:
    """The error that says what to do."""
    return NoLightError(
        f"the module gives no light to look at the bench with: {why}. Insert a module that is known to be "
        f"good, then start again; this says nothing of the module that is in it"
    )


def why_lanes_cannot_be_switched(module: CmisModule) -> str:
    """Why one lane cannot be lit alone; "" when it can."""
    if not module.get("OutputDisableTxSupported"):
        return "the module does not advertise OutputDisableTx"
    if module.get("TxDisableIsModuleWide"):
        return "the module turns its transmitters off only all together (TxDisableIsModuleWide)"
    return ""


def light_only(module: CmisModule, bench: Bench, lanes: Sequence[int], lit: Collection[int]) -> None:
    """Light these lanes and no others of ``lanes``; returns when light has settled.

    :raises CmisError: when the register does not take it.
    """
    module.set_output_disable_tx([lane for lane in lanes if lane not in lit])
    on_s = TX_ENABLE_S + module.duration_s("MaxDurationDPTxTurnOn") if lit else 0.0
    bench.clock.sleep(max(on_s, disable_settling_s(module)))


@contextmanager
def module_faults_as_no_light() -> Iterator[None]:
    """What the module does wrong while the bench is looked at ends that, and is not laid to the bench.

    :raises NoLightError: in its place.
    """
    try:
        yield
    except CmisError as fault:
        raise no_light(str(fault)) from fault
