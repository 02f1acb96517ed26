"""Incoming inspection: what shows gross faults of a module in a minute, at the temperature it is found at.

Nothing waits for a temperature, and the chamber is not moved. Light of the module's own transmitters goes
to its own receivers: a receiver test of a standard has another source, so what is counted here tells a
broken lane from one that works, and no sensitivity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from drivers.cmis.diagnostics import Side
from drivers.cmis.errors import CmisError, NotAdvertisedError
from drivers.cmis.module_prbs import ModulePrbs
from drivers.cmis.wording import where
from drivers.errors import InstrumentError
from drivers.interfaces import LaneErrors
from drivers.units import dbm_from_w, w_from_dbm
from harness.acquisitions import housekeeping as of_housekeeping
from harness.acquisitions import launch_power as of_power
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.cmis.monitors import cmis_monitors
from harness.acquisitions.eye import eye
from harness.acquisitions.lane_light import route
from harness.acquisitions.receiver.behind_the_tap import LIT_DBM, not_received
from harness.acquisitions.receiver.light import damage_threshold_dbm
from harness.conditions.conditioner import NOMINAL_VCC_V
from harness.judging.measured import Checked, Contradiction, Measured, ModuleFault, NotOffered
from harness.judging.uncertainty import Contribution, expanded, from_expanded
from harness.planning.matrix import Way
from harness.planning.offered import ways_of
from harness.run import Run
from harness.traffic import TRAFFIC
from harness.wiring import OpticalPath

COOLEST_C: Final = 15.0
HOTTEST_C: Final = 45.0
"""A case outside of this is not at ambient: its chamber was left hot or cold, or it is just out of one."""
PATTERN: Final = "PRBS31Q"
GATE_S: Final = 0.5
"""5e10 bits of each lane: a bit error ratio of 2.4e-4 has ten million errors then."""
_LEFT_DB: Final = 10.0
"""A monitor of a lane that was switched off must have fallen by so much; monitors may err by 3 dB."""
_BIAS_LEFT: Final = 0.5
_EYE: Final = ("oma_outer", "extinction_ratio", "rlm", "tdecq", "oma_outer_minus_tdecq", "transition_time")

_SUPPLIES_V: Final = (3.135, 3.465)

Before = Mapping[str, Acquired | ModuleFault]


def as_found(run: Run, _lanes: Sequence[int]) -> Acquired:
    """Where the module is found: its case's temperature, and who it says it is.

    Gives ``case_temperature`` (degC) and ``screening_identity``: every checksum, a vendor's name, part number
    and serial number, and the application of the PMD.

    :raises CmisError: when the module does not answer as it must.
    :raises BenchError: when the case is not at ambient (15 to 45 C), or the bench is at fault.
    """
    bench, module = run.bench, run.module
    start_s = bench.clock.now_s()
    reached = run.stay()
    case_c = reached.case_temp_measured_c
    if not COOLEST_C <= case_c <= HOTTEST_C:
        raise InstrumentError(
            "case_sensor",
            f"the case is at {case_c:.1f} C; a module is screened at {COOLEST_C:g} to {HOTTEST_C:g} C",
            advice="Let it come to the room's temperature, with the thermal source off.",
        )
    checksums = module.checksums()
    identity = module.identity()
    offered = {application.media_interface for application in module.applications()}
    wrong = [
        f"checksum of page {found.page:02X}h is {found.stored:02X}h, of its content {found.computed:02X}h"
        for found in checksums
        if found.stored != found.computed
    ]
    names = (
        ("VendorName", identity.vendor),
        ("VendorPN", identity.part_number),
        ("VendorSN", identity.serial_number),
    )
    wrong += [f"{where(name)} is empty" for name, text in names if not text.strip()]
    if run.pmd.media_interface not in offered:
        wrong.append(f"{run.pmd.media_interface} is not among {', '.join(sorted(offered)) or 'nothing'}")
    sensor = bench.spec.instruments["case_sensor"]
    stated = from_expanded("case sensor", sensor.uncertainty or 0.0, "K", "bench file")
    record = run.record_acquisition(
        "as_found",
        start_s,
        conditions={"temperature": "as found; nothing was moved"},
        data={
            "case_c": case_c,
            "checksums": {f"{found.page:02X}h": [found.stored, found.computed] for found in checksums},
            "identity": asdict(identity),
            "applications": sorted(offered),
        },
        budget=[{"lane": None, **asdict(stated)}],
    )
    text = "; ".join(wrong) or (
        f"{identity.vendor} {identity.part_number} {identity.serial_number}, {len(checksums)} checksums agree"
    )
    return Acquired(
        record,
        {
            ("case_temperature", None): run.measured_from(record, lane=None, uncertainty=expanded([stated]))(
                value=case_c, unit="degC", plane="case", detector="case_sensor"
            ),
            ("screening_identity", None): Checked(
                not wrong,
                text,
                "OIF-CMIS-05.4 8.3, 8.4, 8.5, lower:86-117",
                record.acquisition_id,
                record.at,
            ),
        },
    )


def screening_power(run: Run, lanes: Sequence[int], _before: Before) -> Acquired:
    """:func:`harness.acquisitions.launch_power.launch_power`, as found."""
    return of_power.launch_power(run, lanes)


def screening_housekeeping(run: Run, lanes: Sequence[int], _before: Before) -> Acquired:
    """:func:`harness.acquisitions.housekeeping.housekeeping`, as found."""
    return of_housekeeping.housekeeping(run, lanes)


def screening_monitors(run: Run, lanes: Sequence[int], _before: Before) -> Acquired:
    """:func:`harness.acquisitions.cmis.monitors.cmis_monitors`, as found."""
    return cmis_monitors(run, lanes)


# -- own light to own receivers ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Loop:
    """Ways from the module's transmitters to its receivers, and what attenuators on them are set to."""

    paths: Mapping[int, OpticalPath]
    settings_db: Mapping[int, float]

    def loss_db(self, lane: int) -> float:
        return self.paths[lane].loss_db + self.settings_db.get(lane, 0.0)


def screening_loop(run: Run, lanes: Sequence[int], before: Before) -> Acquired:
    """The module's own light at its own receivers, through about the channel's insertion loss.

    Gives, per lane, ``ber_at_channel_loss`` (its own generator and checker on PRBS31Q; a lane without lock
    fails), ``rx_power_monitor_error`` (dB, against launch power less the way's loss) and ``los_with_light``.
    ``screening_power`` (``before``) says what is launched.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    bench, module = run.bench, run.module
    start_s = bench.clock.now_s()
    run.require_module_up()
    powers = _powers(before.get("screening_power"), lanes)
    loop = _loop(run, lanes)
    parameters = ("ber_at_channel_loss", "rx_power_monitor_error", "los_with_light")
    too_strong = _too_strong(run, loop, powers)
    if too_strong:
        record = run.record_acquisition("screening_loop", start_s, conditions={}, data={}, budget=[])
        left = NotOffered(too_strong)
        return Acquired(record, {(name, lane): left for name in parameters for lane in lanes})
    run.traffic.require(TRAFFIC)
    counts: dict[int, LaneErrors] = {}
    lacking = ""
    with _attenuated(run, loop):
        for lane, path in loop.paths.items():
            # Light of which nobody knows how much it is goes to no receiver.
            if isinstance(powers[lane], Measured):
                route(run, path)
        try:
            with ModulePrbs(module, side=Side.MEDIA) as prbs:
                prbs.start_pattern(PATTERN)
                counts = {count.lane: count for count in prbs.measure_errors(lanes, GATE_S)}
        except NotAdvertisedError as absent:
            lacking = str(absent)
            bench.clock.sleep(of_power.MONITOR_REFRESH_S)
        received_w = {m.lane: m.rx_power_w for m in module.lane_monitors() if m.lane in lanes}
        module.flags()
        bench.clock.sleep(_TON_LOS_S)
        lost = module.flags().lanes.get("LOSFlagRx", ())
    has_los, has_monitor = (
        bool(module.get(name)) for name in ("LOSFlagRxSupported", "RxOpticalPowerMonSupported")
    )
    budgets = {lane: _rx_budget(run, loop, powers[lane], lane) for lane in lanes}
    record = run.record_acquisition(
        "screening_loop",
        start_s,
        conditions={
            "pattern": PATTERN,
            "gate_s": GATE_S,
            "source": "the module's own transmitters",
            "channel_insertion_loss_db": run.pmd.channel_insertion_loss_db,
        },
        data={
            "loss_db": {str(lane): loop.loss_db(lane) for lane in lanes},
            "counts": {str(lane): asdict(count) for lane, count in counts.items()},
            "rx_power_monitor_w": {str(lane): value for lane, value in received_w.items()},
            "los": list(lost),
        },
        budget=[{"lane": lane, **asdict(entry)} for lane, budget in budgets.items() for entry in budget],
    )
    measured: dict[tuple[str, int | None], Value] = {}
    for lane in lanes:
        power, found = powers[lane], counts.get(lane)
        conditions = {"loss_db": loop.loss_db(lane), "pattern": PATTERN, "source": "own transmitter"}
        if isinstance(power, Contradiction):
            measured |= {(name, lane): power for name in parameters}
            continue
        arriving_dbm = power.value - loop.loss_db(lane)
        sees_none = (received_w.get(lane) or 0.0) < w_from_dbm(LIT_DBM) and (has_los or has_monitor)
        if arriving_dbm >= _SEEN_DBM and sees_none and (lane in lost or not has_los):
            unseen = not_received(lane, loop.paths[lane], arriving_dbm, "by what it launches")
            measured |= {(name, lane): unseen for name in parameters}
            continue
        measured["los_with_light", lane] = Checked(
            lane not in lost,
            f"11h:147 is {int(lane in lost)} with {power.value - loop.loss_db(lane):.1f} dBm at the receiver",
            "OIF-CMIS-05.4 8.10 11h:147",
            record.acquisition_id,
            record.at,
            lane=lane,
        )
        if found is None:
            measured["ber_at_channel_loss", lane] = NotOffered(lacking)
        elif found.ber is None:
            measured["ber_at_channel_loss", lane] = Checked(
                False,
                f"the checker of lane {lane} is not in step with {PATTERN} of the lane's own generator",
                "IEEE 802.3 124.1.1, in a loop of the module's own light",
                record.acquisition_id,
                record.at,
                lane=lane,
            )
        else:
            spread = 2.0 * math.sqrt(max(found.errors, 1)) / found.bits
            measured["ber_at_channel_loss", lane] = run.measured_from(record, lane=lane, uncertainty=spread)(
                value=found.ber,
                unit="1",
                plane="TP3",
                detector="module's own media side checker",
                conditions=conditions,
            )
        monitor_w = received_w.get(lane)
        at_tp3_dbm = power.value - loop.loss_db(lane)
        if monitor_w is None:
            error: Value = NotOffered("the module has no Rx power monitor (page 01h byte 160, bit 2)")
        elif power.value < of_power.LOWEST_MONITORED_DBM:
            error = NotOffered(f"lane {lane} launches {power.value:.1f} dBm: nothing to compare with")
        elif module.get("RxPowerMeasurementType") == 0:
            error = NotOffered("the Rx power monitor shows OMA (01h:151.4), which is not known here")
        else:
            error = run.measured_from(record, lane=lane, uncertainty=expanded(budgets[lane]))(
                value=dbm_from_w(max(monitor_w, 0.05e-6)) - at_tp3_dbm,
                unit="dB",
                plane="TP3",
                detector="module monitor against launch power less the way's loss",
                conditions=conditions,
            )
        measured["rx_power_monitor_error", lane] = error
    return Acquired(record, measured)


# Ten decibels above where a receiver counts as dark.
_SEEN_DBM = LIT_DBM + 10.0
_TON_LOS_S = 0.2  # Table 10-5, ton_los and ton_flag


def _powers(
    power: Acquired | ModuleFault | None, lanes: Sequence[int]
) -> dict[int, Measured | Contradiction]:
    if not isinstance(power, Acquired):
        raise CmisError(f"its launch power could not be measured: {power.text if power else 'it was not'}")
    found: dict[int, Measured | Contradiction] = {}
    for lane in lanes:
        value = power.measured["average_launch_power", lane]
        assert isinstance(value, Measured | Contradiction)
        found[lane] = value
    return found


def _loop(run: Run, lanes: Sequence[int]) -> _Loop:
    """For each lane the way whose loss comes nearest to the channel's, no two through the same port."""
    channel_db = run.pmd.channel_insertion_loss_db
    paths: dict[int, OpticalPath] = {}
    settings: dict[int, float] = {}
    taken: set[tuple[str, int]] = set()

    def off_db(path: OpticalPath) -> float:
        return path.loss_db - channel_db if not path.attenuators else max(0.0, path.loss_db - channel_db)

    for lane in lanes:
        ways = ways_of(run.bench.spec, run.pmd, Way("module.tx", "module.rx"), lane)
        for path in sorted(ways, key=lambda way: abs(off_db(way))):
            used = {(role, port) for role, *ports in path.routes for port in ports}
            if run.pmd.multiplexed or not used & taken:
                paths[lane] = path
                taken |= used
                if path.attenuators and path.loss_db < channel_db:
                    settings[lane] = channel_db - path.loss_db
                break
    without = [lane for lane in lanes if lane not in paths]
    if without:
        raise InstrumentError(
            "optical_switch",
            f"no ways of their own from transmitter to receiver for lanes {', '.join(map(str, without))}",
        )
    return _Loop(paths, settings)


def _too_strong(run: Run, loop: _Loop, powers: Mapping[int, Measured | Contradiction]) -> str:
    """Why the light must not go to the receivers; empty when it may."""
    for lane, power in powers.items():
        bears_dbm = damage_threshold_dbm(run, lane)
        if bears_dbm is None:
            return f"the limits of {run.limits.pmd} name no damage threshold"
        if isinstance(power, Measured):
            more_db = math.hypot(power.uncertainty, loop.paths[lane].uncertainty_db)
            highest_dbm = power.value + more_db - loop.loss_db(lane)
            if highest_dbm >= bears_dbm:
                return (
                    f"lane {lane} would receive {highest_dbm:.1f} dBm; its receiver bears {bears_dbm:g} dBm"
                )
    return ""


@contextmanager
def _attenuated(run: Run, loop: _Loop) -> Iterator[None]:
    """Attenuators on the ways are open and set; afterwards they are as before, once the matrix is open: what
    they took off was counted on."""
    bench = run.bench
    channels = {
        lane: [int(port.number) for port in path.attenuators]
        for lane, path in loop.paths.items()
        if path.attenuators
    }
    if not channels:
        try:
            yield
        finally:
            _open_matrix(run)
        return
    attenuator = bench.attenuator
    flat = sorted({channel for listed in channels.values() for channel in listed})
    before = {c: (attenuator.attenuation_db(c), attenuator.shutter_is_open(c)) for c in flat}
    attenuator.configure(wavelength_nm=of_power.METER_WAVELENGTH_NM, channels=tuple(flat))
    try:
        for lane, listed in channels.items():
            for index, channel in enumerate(listed):
                setting_db = loop.settings_db.get(lane, 0.0) if index == 0 else 0.0
                attenuator.set_attenuation_db(channel, setting_db)
                attenuator.set_shutter(channel, open_=True)
        yield
    finally:
        _open_matrix(run)
        for channel, (attenuation_db, was_open) in before.items():
            attenuator.set_attenuation_db(channel, attenuation_db)
            attenuator.set_shutter(channel, open_=was_open)


def _open_matrix(run: Run) -> None:
    if run.bench.has("optical_switch"):
        run.bench.optical_switch.disconnect_all()


def _rx_budget(run: Run, loop: _Loop, power: Measured | Contradiction, lane: int) -> list[Contribution]:
    path = loop.paths[lane]
    launched = power.uncertainty if isinstance(power, Measured) else 0.0
    return [
        from_expanded("launch power", launched, "dB", "launch power of this run"),
        from_expanded("path loss", path.uncertainty_db, "dB", " > ".join(path.hops)),
    ]


# -- one eye, and the dark -----------------------------------------------------------------------------


def screening_eye(run: Run, lanes: Sequence[int], before: Before) -> Acquired:
    """The eye of the lane that made the most errors in the loop and yet passed: a minute has room for one,
    and a lane that failed has its verdict.

    Gives OMAouter, extinction ratio, RLM, TDECQ, their difference and the transition time of that lane, as
    values of the module; the lane is in each row.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    loop, power = before["screening_loop"], before["screening_power"]
    limit = run.limits.resolve("ber_at_channel_loss", {})
    highest = limit.high.value if limit is not None and limit.high is not None else 1.0
    passed: dict[int, float] = {}
    for lane in lanes:
        launched = power.measured.get(("average_launch_power", lane)) if isinstance(power, Acquired) else None
        ber = loop.measured.get(("ber_at_channel_loss", lane)) if isinstance(loop, Acquired) else None
        if not isinstance(launched, Measured) or launched.value < of_power.LOWEST_MONITORED_DBM:
            continue
        if isinstance(ber, Measured) and ber.value <= highest:
            passed[lane] = ber.value
        elif isinstance(ber, NotOffered):
            passed[lane] = 0.0
    if not passed:
        start_s = run.bench.clock.now_s()
        record = run.record_acquisition("screening_eye", start_s, conditions={}, data={}, budget=[])
        left = NotOffered("no lane passed in the loop: an eye would not change the verdict")
        return Acquired(record, {(name, None): left for name in _EYE})
    worst = max(passed, key=lambda lane: passed[lane])
    # A second attempt would not end within the minute.
    found = eye(run, (worst,), {"launch_power": power}, attempts=1)
    return Acquired(
        found.record,
        {(name, None): found.measured[name, worst] for name in _EYE if (name, worst) in found.measured},
    )


def screening_dark(run: Run, lanes: Sequence[int], before: Before) -> Acquired:
    """The transmitters off, their light at the meter before: OFF power, and what the module says of the dark.

    Gives, per lane, ``average_launch_power_off`` (dBm), ``los_in_the_dark``, ``tx_monitors_follow`` and
    ``rx_monitor_follows``.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    module, bench = run.module, run.bench
    run.traffic.require(TRAFFIC)
    lit = {monitor.lane: monitor for monitor in module.lane_monitors()}
    off = of_power.launch_power_off(run, lanes, {"launch_power": before["screening_power"]})
    start_s = bench.clock.now_s()
    module.flags()
    with of_power.transmitters_disabled(module, bench, lanes):
        bench.clock.sleep(of_power.MONITOR_REFRESH_S)
        dark = {monitor.lane: monitor for monitor in module.lane_monitors()}
        lost = module.flags().lanes.get("LOSFlagRx", ())
    loop = before["screening_loop"]
    received = loop.record.data.get("rx_power_monitor_w", {}) if isinstance(loop, Acquired) else {}
    record = run.record_acquisition(
        "screening_dark",
        start_s,
        conditions={"transmitters": "disabled"},
        data={
            "los": list(lost),
            **{
                name: {str(lane): getattr(dark[lane], name) for lane in lanes}
                for name in ("tx_power_w", "bias_ma", "rx_power_w")
            },
            "lit_tx_power_w": {str(lane): lit[lane].tx_power_w for lane in lanes},
            "lit_bias_ma": {str(lane): lit[lane].bias_ma for lane in lanes},
        },
        budget=[],
    )

    def checked(passed: bool, text: str, source: str, lane: int) -> Checked:
        return Checked(passed, text, source, record.acquisition_id, record.at, lane=lane)

    measured: dict[tuple[str, int | None], Value] = dict(off.measured)
    for lane in lanes:
        measured["los_in_the_dark", lane] = checked(
            lane in lost, f"11h:147 is {int(lane in lost)} in the dark", "OIF-CMIS-05.4 8.10 11h:147", lane
        )
        measured["tx_monitors_follow", lane] = _tx_follows(checked, lit[lane], dark[lane], lane)
        measured["rx_monitor_follows", lane] = _follows(
            checked, "Rx power", received.get(str(lane)), dark[lane].rx_power_w, lane, "11h:186-201"
        )
    return Acquired(record, measured)


def screening_supply(run: Run, lanes: Sequence[int], _before: Before) -> Acquired:
    """Light and supply monitor with the connector at 5 % less and 5 % more than 3.3 V, and back.

    Gives, per lane, ``lowest_launch_power`` and ``highest_launch_power`` (dBm) of both, and of the module the
    larger ``vcc_monitor_error`` (%). It is last: monitors that stand still do so some time after power-up.

    :raises CmisError: when the module does not keep up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    start_s = run.bench.clock.now_s()
    powers: dict[int, list[Measured | Contradiction]] = {lane: [] for lane in lanes}
    errors: list[Value] = []
    records: list[str] = []
    try:
        for vcc_v in _SUPPLIES_V:
            run.conditioner.set_vcc(vcc_v)
            light = of_power.launch_power(run, lanes)
            errors.append(cmis_monitors(run, lanes).measured["vcc_monitor_error", None])
            records.append(light.record.acquisition_id)
            for lane, found in _powers(light, lanes).items():
                powers[lane].append(found)
    finally:
        run.conditioner.set_vcc(NOMINAL_VCC_V)
    record = run.record_acquisition(
        "screening_supply",
        start_s,
        conditions={"vccs_v": list(_SUPPLIES_V)},
        data={"launch_power": records},
        budget=[],
    )
    measured: dict[tuple[str, int | None], Value] = {}
    for lane, values in powers.items():
        contradicted = [value for value in values if isinstance(value, Contradiction)]
        known = sorted((v for v in values if isinstance(v, Measured)), key=lambda value: value.value)
        measured["lowest_launch_power", lane] = contradicted[0] if contradicted else known[0]
        measured["highest_launch_power", lane] = contradicted[0] if contradicted else known[-1]
    numbers = [value for value in errors if isinstance(value, Measured)]
    measured["vcc_monitor_error", None] = (
        max(numbers, key=lambda value: abs(value.value)) if len(numbers) == len(errors) else errors[0]
    )
    return Acquired(record, measured)


def _tx_follows(checked: Any, lit: Any, dark: Any, lane: int) -> Value:
    power = _follows(checked, "Tx power", lit.tx_power_w, dark.tx_power_w, lane, "11h:154-169")
    if isinstance(power, Checked) and not power.passed:
        return power
    if lit.bias_ma is None or dark.bias_ma is None or lit.bias_ma <= 0.0:
        return power
    passed = dark.bias_ma <= _BIAS_LEFT * lit.bias_ma
    text = f"bias monitor {lit.bias_ma:.1f} mA with light, {dark.bias_ma:.1f} mA without"
    if isinstance(power, Checked):
        text = f"{power.text}; {text}"
    found: Value = checked(passed, text, "OIF-CMIS-05.4 8.10 11h:154-185", lane)
    return found


def _follows(checked: Any, name: str, lit_w: float | None, dark_w: float | None, lane: int, at: str) -> Value:
    if lit_w is None or dark_w is None:
        return NotOffered(f"the module has no {name} monitor, or it was not read with light")
    lit_dbm, dark_dbm = (dbm_from_w(max(value, 0.05e-6)) for value in (lit_w, dark_w))
    if lit_dbm < of_power.LOWEST_MONITORED_DBM:
        return NotOffered(
            f"the {name} monitor showed {lit_dbm:.1f} dBm with light: nothing can fall from there"
        )
    found: Value = checked(
        dark_dbm <= lit_dbm - _LEFT_DB,
        f"{name} monitor {lit_dbm:.1f} dBm with light, {dark_dbm:.1f} dBm without",
        f"OIF-CMIS-05.4 8.10 {at}",
        lane,
    )
    return found
