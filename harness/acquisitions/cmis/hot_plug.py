"""Pulling the module out and putting it back, by whoever stands at the bench."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.cmis.errors import CmisError
from drivers.cmis.states import MGMT_INIT_S
from drivers.errors import BenchError
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import Checks, then_brought_up_anew
from harness.run import Run

_NAMES = ("hot_plug_removed", "hot_plug_inserted", "hot_plug_identity")
_DONE, _NOT = "done", "not possible"


def cmis_hot_plug(run: Run, _lanes: Sequence[int] = ()) -> Acquired:
    """With traffic, pulled and put back under power, as the operator says it was done. Where nobody answers,
    it is not offered: nothing is assumed to be done.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_hot_plug")
    bench = run.bench
    if not bench.has("operator"):
        checks.leave(f"the bench {bench.spec.name} has no operator", *_NAMES)
        return checks.acquired()
    run.require_module_up()
    pins, clock = bench.host_board.pins, bench.clock
    try:
        asked = bench.operator.ask(
            "Pull the module out of its cage (the supply stays on).", answers=(_DONE, _NOT)
        )
    except BenchError as nobody:
        checks.leave(f"nobody pulls the module: {nobody}", *_NAMES)
        return checks.acquired()
    if asked == _NOT or pins.module_present():
        checks.leave(
            "the module was not pulled" if asked == _NOT else "ModPrsL still says that it is there", *_NAMES
        )
        return checks.acquired()
    serial = run.identity.serial_number if run.identity else ""
    checks.say("hot_plug_removed", True, "ModPrsL is high with the module pulled")
    pins.set_low_power(asserted=True)
    answer = bench.operator.ask("Push the module back in.", answers=(_DONE, _NOT))
    if answer == _NOT or not pins.module_present():
        raise BenchError("the module was pulled and not put back: ModPrsL says that no module is inserted")
    run.module.forget_page()
    start_s = clock.now_s()
    with then_brought_up_anew(run), checks.about("hot_plug_inserted", "hot_plug_identity"):
        text = "no answer"
        while clock.now_s() - start_s <= MGMT_INIT_S:
            try:
                found = run.module.identity().serial_number
            except CmisError as silent:
                text = str(silent)
                run.module.forget_page()
                clock.sleep(0.05)
                continue
            checks.say(
                "hot_plug_inserted",
                True,
                f"it answers {clock.now_s() - start_s:.2f} s after it was put back",
            )
            checks.say("hot_plug_identity", found == serial, f"serial number {found}, before: {serial}")
            break
        checks.say("hot_plug_inserted", False, f"not within tMgmtInit ({MGMT_INIT_S:g} s): {text}")
        checks.leave("it did not answer", "hot_plug_identity")
    return checks.acquired()


__all__ = ["cmis_hot_plug"]
