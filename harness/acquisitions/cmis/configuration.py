"""What the module makes of configuration commands: valid ones, invalid ones, and those of a part of its lanes
(OIF-CMIS-05.4 §6.2.4, Tables 6-3 and 6-4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from drivers.cmis import information
from drivers.cmis.application import Placement, all_data_paths, breakout
from drivers.cmis.codes import ConfigStatus, DataPathState
from drivers.cmis.configuration import configure
from drivers.cmis.configuration.apply import Applied, apply
from drivers.cmis.configuration.control_sets import UNUSED, LaneConfig, read_config, stage
from drivers.cmis.errors import CmisError
from drivers.cmis.information import Application
from drivers.cmis.module import lane_bits
from drivers.cmis.states import advertised_s, wait_for_data_paths
from drivers.cmis.wording import where
from harness.acquisitions.acquired import Acquired
from harness.acquisitions.cmis.checks import (
    Checks,
    bring_up_anew,
    host_lanes_in_use,
    then_brought_up_anew,
)
from harness.run import Run

_ALL = tuple(range(1, 9))
_REJECTED = frozenset(ConfigStatus(code) for code in (2, 3, 4, 5, 6, 7, 8, 0xD, 0xE, 0xF))
_FIRST_APPLICATION_WITH_CODE_7 = 5
_LOOK_S = 0.01


def cmis_configuration(run: Run, _lanes: Sequence[int] = ()) -> Acquired:
    """Commands on the running data paths, which must go on after each that is refused; then every other
    application that the module advertises, a breakout, and back.

    :raises CmisError: when the module does not come up again.
    :raises BenchError: when the bench is at fault.
    """
    checks = Checks(run, "cmis_configuration")
    run.require_module_up()
    stale = run.traffic  # its patterns belong to the application that goes
    stale.restore()
    lanes = host_lanes_in_use(run)
    with then_brought_up_anew(run, _back):
        _refused(checks, lanes)
        _accepted(checks, lanes)
        _applications(checks)
    return checks.acquired()


def _back(run: Run) -> None:
    """The application of the PMD again: by a configuration, or by a reset where that does not do."""
    try:
        wanted = breakout(run.module.applications(), f"1x{run.pmd.media_interface}")
        if configure(run.module, wanted, displace=True, free_lanes=_spare(run, wanted)).ok:
            run.require_module_up()
            return
    except CmisError:
        pass  # a reset shows whether it comes back at all
    bring_up_anew(run)


def _spare(run: Run, wanted: Sequence[object]) -> tuple[int, ...]:
    """Host lanes in force beside those that are wanted."""
    used = {lane for lane, config in enumerate(read_config(run.module), 1) if config.app_sel}
    applications = run.module.applications()
    taken: set[int] = set()
    for request in wanted:
        first = request.first_host_lane  # type: ignore[attr-defined]
        size = next(item.host_lanes for item in applications if item.app_sel == request.app_sel)  # type: ignore[attr-defined]
        taken.update(range(first, first + size))
    return tuple(sorted(used - taken))


def _refused(checks: Checks, lanes: tuple[int, ...]) -> None:
    run = checks.run
    module = run.module
    names = ("config_invalid_app_sel", "config_invalid_data_path", "config_partial_data_path")
    with checks.about(*names, "config_rejection_harmless"):
        applications = module.applications()
        active = read_config(module)
        staged = read_config(module, "SCS0")
        good = {lane: active[lane - 1] for lane in lanes}
        first = active[lanes[0] - 1]
        running = next((item for item in applications if item.app_sel == first.app_sel), None)
        try:
            beyond = max(item.app_sel for item in applications) + 1
            if beyond > 15:
                checks.leave("all 15 AppSel codes are advertised", names[0])
            else:
                wrong = dict.fromkeys(lanes, LaneConfig(beyond, first.data_path_id))
                _expect_refusal(checks, names[0], wrong, lanes, f"AppSel {beyond}, which is not advertised")
                _restore(run, good, lanes)
            _invalid_lanes(checks, names[1], running, good)
            _restore(run, good, lanes)
            _partial(checks, names[2], running, good)
        finally:
            stage(module, {lane: staged[lane - 1] for lane in _ALL}, 0)
        states = module.data_path_states()
        down = [lane for lane in lanes if states[lane - 1] is not DataPathState.DPActivated]
        now = read_config(module)
        changed = [lane for lane in lanes if now[lane - 1] != active[lane - 1]]
        checks.say(
            "config_rejection_harmless",
            not down and not changed,
            f"after requests that were refused: host lanes that left DPActivated: {down or 'none'}; "
            "that have another "
            f"{where('ACS_DPConfig')}: {changed or 'none'}",
        )


def _restore(run: Run, good: Mapping[int, LaneConfig], lanes: Collection[int]) -> None:
    """A result that differs from the one to come: what is in force, applied at once."""
    stage(run.module, good, 0)
    if not information.get_int(run.module.registers, "SteppedConfigOnly"):
        apply(run.module, lanes, immediate=True)


def _invalid_lanes(
    checks: Checks, parameter: str, running: Application | None, good: Mapping[int, LaneConfig]
) -> None:
    if running is None or not running.host_lanes:
        checks.leave("the application in force gives no number of host lanes", parameter)
        return
    start = next((lane for lane in _ALL[1:] if lane not in running.host_lane_starts), None)
    if start is None:
        checks.leave("a data path of the application in force may begin on every host lane", parameter)
        return
    lanes = tuple(lane for lane in range(start, start + running.host_lanes) if lane in _ALL)
    wrong = {**good, **dict.fromkeys(lanes, LaneConfig(running.app_sel, start - 1))}
    _expect_refusal(
        checks,
        parameter,
        wrong,
        lanes,
        f"a data path of AppSel {running.app_sel} from host lane {start}, where none may begin",
    )


def _partial(
    checks: Checks, parameter: str, running: Application | None, good: Mapping[int, LaneConfig]
) -> None:
    module = checks.run.module
    if running is None or running.host_lanes < 2:
        checks.leave("the application in force has data paths of one host lane", parameter)
        return
    if information.get_int(module.registers, "CmisRevisionMajor") < _FIRST_APPLICATION_WITH_CODE_7:
        checks.leave("what comes of a part of a data path is not settled before CMIS 5.0", parameter)
        return
    lane = min(good)
    _expect_refusal(
        checks, parameter, good, (lane,), f"a trigger for host lane {lane} of {running.host_lanes} alone"
    )


def _expect_refusal(
    checks: Checks, parameter: str, staged: Mapping[int, LaneConfig], lanes: Sequence[int], what: str
) -> None:
    run = checks.run
    stage(run.module, staged, 0)
    applied = apply(run.module, lanes)
    found = {lane: applied.status[lane - 1] for lane in lanes}
    checks.say(
        parameter,
        all(status in _REJECTED for status in found.values()),
        f"{what}: {where('ConfigStatus')} reads {_statuses(found)}",
    )


def _statuses(found: Mapping[int, ConfigStatus]) -> str:
    by_status: dict[str, list[int]] = {}
    for lane, status in found.items():
        by_status.setdefault(status.name, []).append(lane)
    return ", ".join(f"{name} on host lanes {lanes}" for name, lanes in by_status.items())


def _succeeded(applied: Applied, lanes: Sequence[int]) -> bool:
    return all(applied.status[lane - 1] is ConfigStatus.ConfigSuccess for lane in lanes)


def _accepted(checks: Checks, lanes: tuple[int, ...]) -> None:
    run = checks.run
    module = run.module
    stepped = bool(information.get_int(module.registers, "SteppedConfigOnly"))
    active = {lane: config for lane, config in enumerate(read_config(module), 1) if lane in lanes}
    with checks.about("apply_immediate"):
        if stepped:
            checks.leave("SteppedConfigOnly (lower:2.6): ApplyImmediate does nothing", "apply_immediate")
        else:
            stage(module, active, 0)
            applied = apply(module, lanes, immediate=True)
            states = module.data_path_states()
            down = [lane for lane in lanes if states[lane - 1] is not DataPathState.DPActivated]
            checks.say(
                "apply_immediate",
                _succeeded(applied, lanes) and not down,
                "what is in force, applied by 10h:144: "
                f"{_statuses({lane: applied.status[lane - 1] for lane in lanes})}; "
                f"host lanes that left DPActivated: {down or 'none'}",
            )
    with checks.about("staged_control_set_1"):
        if not information.get_int(module.registers, "StagedControlSet1Supported") or stepped:
            checks.leave("no Staged Control Set 1 (01h:162.5), or SteppedConfigOnly", "staged_control_set_1")
        else:
            before = read_config(module, "SCS1")
            stage(module, active, 1)
            applied = apply(module, lanes, control_set=1, immediate=True)
            stage(module, {lane: before[lane - 1] for lane in lanes}, 1)
            checks.say(
                "staged_control_set_1",
                _succeeded(applied, lanes),
                f"what is in force, staged at 10h:180 and applied by 10h:179: "
                f"{_statuses({lane: applied.status[lane - 1] for lane in lanes})}",
            )
    with checks.about("apply_dp_init", "dp_init_pending", "config_status_time", "data_path_recycled"):
        if stepped:
            reason = "SteppedConfigOnly (lower:2.6): running data paths are not recycled by themselves"
            checks.leave(
                reason, "apply_dp_init", "dp_init_pending", "data_path_recycled", "config_status_time"
            )
            return
        stage(module, active, 0)
        applied = apply(module, lanes)
        checks.say(
            "apply_dp_init",
            _succeeded(applied, lanes),
            "what is in force, applied by 10h:143: "
            f"{_statuses({lane: applied.status[lane - 1] for lane in lanes})}",
        )
        checks.number("config_status_time", applied.wait.elapsed_s, "s", 0.05)
        pending = set(applied.pending) | _pending_seen(run, lanes)
        if information.get_int(module.registers, "CmisRevisionMajor") < 5:
            checks.leave("DPInitPending (11h:235) came with CMIS 5.0", "dp_init_pending")
        checks.say(
            "dp_init_pending",
            pending >= set(lanes),
            f"{where('DPInitPending')} after ApplyDPInit: seen on host lanes {sorted(pending) or 'none'}",
        )
        limits = (
            "MaxDurationDPTxTurnOff",
            "MaxDurationDPDeinit",
            "MaxDurationDPInit",
            "MaxDurationDPTxTurnOn",
        )
        wait = wait_for_data_paths(
            module, lanes, DataPathState.DPActivated, advertised_s(module, *limits), initialised=lanes
        )
        checks.say("data_path_recycled", wait.reached, wait.in_words())


def _pending_seen(run: Run, lanes: Sequence[int]) -> set[int]:
    """Lanes on which DPInitPending is seen until the data path leaves DPActivated and Init begins."""
    module, clock = run.module, run.bench.clock
    until_s = clock.now_s() + advertised_s(module, "MaxDurationDPTxTurnOff", "MaxDurationDPDeinit")
    found: set[int] = set()
    while clock.now_s() < until_s:
        found |= set(information.lanes_set(module.registers, "DPInitPending"))
        states = module.data_path_states()
        if found.issuperset(lanes) or states[lanes[0] - 1] in (
            DataPathState.DPInit,
            DataPathState.DPTxTurnOn,
        ):
            break
        clock.sleep(_LOOK_S)
    return found


def _applications(checks: Checks) -> None:
    run = checks.run
    module = run.module
    several = ("breakout_independence", "breakout_config_status", "config_free_lanes")
    with checks.about("applications_accepted", *several):
        applications = module.applications()
        in_force = {config.app_sel for config in read_config(module)}
        others = [item for item in applications if item.app_sel not in in_force]
        wrong, right = [], []
        for item in sorted(others, key=lambda item: len(all_data_paths(item))):  # breakouts last
            places = all_data_paths(item)
            if not places:
                continue
            taken = {lane for place in places for lane in place.host_lanes}
            used = {lane for lane, config in enumerate(read_config(module), 1) if config.app_sel}
            result = configure(
                module, [place.request for place in places], free_lanes=used - taken, displace=True
            )
            name = f"AppSel {item.app_sel}, {item.media_interface} x{len(places)}"
            if result.ok:
                right.append(name)
                if len(places) > 1 and not checks.told(several[0]):
                    _independence(checks, places)
            else:
                wrong.append(f"{name}: {result.stopped_by}")
        checks.data["applications"] = {"accepted": right, "not": wrong}
        if not others:
            checks.leave("the module advertises no application but the one in force", "applications_accepted")
        checks.say(
            "applications_accepted",
            not wrong,
            "; ".join(wrong) or f"brought to DPActivated: {'; '.join(right)}",
        )
        reason = "the module advertises no application with several data paths beside each other"
        checks.leave(reason, *(() if wrong else several))


def _independence(checks: Checks, places: Sequence[Placement]) -> None:
    """One data path goes down, comes back, is applied anew and is freed, while the others run."""
    run = checks.run
    module, clock = run.module, run.bench.clock
    first, rest = places[0], places[1:]
    others = [lane for place in rest for lane in place.host_lanes]
    names = ("breakout_independence", "breakout_config_status", "config_free_lanes")
    with checks.about(*names):
        allowed_s = advertised_s(module, "MaxDurationDPTxTurnOff", "MaxDurationDPDeinit")
        before = module.get("DPDeinit")
        held = lane_bits(set(information.lanes_set(module.registers, "DPDeinit")) | set(first.host_lanes))
        disturbed: set[int] = set()
        module.set_and_verify("DPDeinit", held)
        until_s = clock.now_s() + allowed_s
        while clock.now_s() < until_s:
            states = module.data_path_states()
            disturbed |= {lane for lane in others if states[lane - 1] is not DataPathState.DPActivated}
            if states[first.host_lanes[0] - 1] is DataPathState.DPDeactivated:
                break
            clock.sleep(_LOOK_S)
        status_before = module.config_status()
        config = {lane: read_config(module)[lane - 1] for lane in first.host_lanes}
        stage(module, config, 0)
        apply(module, first.host_lanes)
        status_after = module.config_status()
        moved = [lane for lane in others if status_after[lane - 1] != status_before[lane - 1]]
        checks.say(
            "breakout_config_status",
            not moved,
            f"{where('ConfigStatus')} of host lanes {moved or 'none'} changed with a command for host lanes "
            f"{first.host_lanes}",
        )
        stage(module, dict.fromkeys(first.host_lanes, UNUSED), 0)
        applied = apply(module, first.host_lanes)
        freed = {lane: applied.status[lane - 1] for lane in first.host_lanes}
        checks.say(
            "config_free_lanes",
            _succeeded(applied, first.host_lanes),
            f"AppSel 0 (unused) for host lanes that are Deactivated: {_statuses(freed)}",
        )
        if _succeeded(applied, first.host_lanes):
            stage(module, config, 0)
            apply(module, first.host_lanes)
        module.set("DPDeinit", before)
        wait = wait_for_data_paths(
            module,
            first.host_lanes,
            DataPathState.DPActivated,
            advertised_s(module, "MaxDurationDPInit", "MaxDurationDPTxTurnOn"),
        )
        states = module.data_path_states()
        disturbed |= {lane for lane in others if states[lane - 1] is not DataPathState.DPActivated}
        checks.say(
            "breakout_independence",
            not disturbed and wait.reached,
            f"while the data path of host lanes {first.host_lanes} went down and came up, these "
            "left DPActivated: "
            f"{sorted(disturbed) or 'none'}{'' if wait.reached else '; ' + wait.in_words()}",
        )
