"""3 dB of attenuation put into a way: the meter must show 3 dB less.

It shows that the meter's scale is one of powers, that no offset in an instrument has the wrong sign, and that
an attenuator and its shutter act where the bench file says. The 3 dB come from an attenuator that is wired
between the module and the meter, or else from a fixed pad that the operator puts in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from drivers.units import db_from_ratio, w_from_dbm
from harness.acquisitions.lane_walk import LIT_DBM
from harness.acquisitions.launch_power import METER_WAVELENGTH_NM
from harness.bench import Bench
from harness.calibration.checks import Check, Outcome
from harness.calibration.levels import DARK_DBM, darkness_dbm, read_levels, shown_dbm
from harness.calibration.routing import close_way, open_routes
from harness.wiring import ATTENUATOR, MODULE, OpticalPath, Port

STEP = "3 dB step"
STEP_DB = 3.0
ATTENUATOR_TOLERANCE_DB = 0.2
"""Assumed of an attenuator's step with the meter's linearity; the bench file states neither."""
PAD_TOLERANCE_DB = 0.6
"""A fixed 3 dB pad is sold within 0.5 dB; remating its connector adds to that. From memory."""
PAD_IN, NO_PAD, PAD_OUT = "in", "no pad", "out"
_ROLES = ("power_meter", "optical_switch", "host_board", "power_supply", "thermal")


def check_pad_step(bench: Bench, lanes: Sequence[int]) -> list[Check]:
    """Step each attenuator channel that stands between the module and the meter; without any, ask the
    operator for a pad. All lanes must be lit. Leaves routes open and shutters closed.

    :raises BenchError: when an instrument fails, or the operator does not answer.
    """
    if bench.has(ATTENUATOR):
        checks = [
            _step_channel(bench, channel, _way_through(bench, lanes, channel))
            for channel in bench.attenuator.channels
            if bench.spec.wiring.is_plugged(Port(ATTENUATOR, str(channel)))
        ]
        if checks:
            return checks
    if bench.has("operator"):
        return [_step_by_operator(bench, lanes)]
    return [
        Check(
            STEP,
            "pad",
            Outcome.NOT_DONE,
            "no attenuator stands between the module and the meter, and the bench has no operator",
            "Add [instruments.operator] with driver operator-terminal to the bench file, have a 3 dB pad at "
            "hand, and prove again.",
        )
    ]


def _way_through(bench: Bench, lanes: Sequence[int], channel: int) -> OpticalPath | None:
    """The first way from a lane to the meter through one channel of the attenuator and no other."""
    wanted = (Port(ATTENUATOR, str(channel)),)
    for lane in lanes:
        for port in bench.power_meter.channels:
            end = Port("power_meter", str(port))
            if bench.spec.wiring.is_plugged(end):
                for way in bench.spec.wiring.ways(Port(MODULE, f"tx{lane}"), end):
                    if way.attenuators == wanted:
                        return way
    return None


def _step_channel(bench: Bench, channel: int, way: OpticalPath | None) -> Check:
    subject = f"{ATTENUATOR}.{channel}"
    if way is None:
        return Check(
            STEP,
            subject,
            Outcome.NOT_DONE,
            "the bench file has no way from a lane through this channel to the meter",
            "Wire its output so that it can be routed to a port of the meter, or prove it by hand.",
        )
    attenuator = bench.attenuator
    low_db = attenuator.attenuation_range_db[0]
    attenuator.configure(wavelength_nm=METER_WAVELENGTH_NM, channels=[channel])
    close_way(bench, way)
    attenuator.set_attenuation_db(channel, low_db)
    attenuator.set_shutter(channel, open_=True)
    before_w = _read_w(bench, way)
    attenuator.set_attenuation_db(channel, low_db + STEP_DB)
    after_w = _read_w(bench, way)
    attenuator.set_shutter(channel, open_=False)
    shut_w = _read_w(bench, way)
    open_routes(bench)
    return judge_step(
        subject,
        way,
        before_w,
        after_w,
        shut_w,
        tolerance_db=ATTENUATOR_TOLERANCE_DB,
        dark_dbm=darkness_dbm(bench),
    )


def judge_step(
    subject: str,
    way: OpticalPath,
    before_w: float,
    after_w: float,
    shut_w: float | None,
    *,
    tolerance_db: float,
    dark_dbm: float = DARK_DBM,
) -> Check:
    """Judge a step from ``before_w`` to ``after_w`` at the meter; ``shut_w``: with the shutter closed, where
    there is one."""
    numbers = {
        "path": list(way.hops),
        "before_w": before_w,
        "after_w": after_w,
        "shut_w": shut_w,
        "tolerance_db": tolerance_db,
    }
    roles = (*_ROLES, ATTENUATOR) if shut_w is not None else (*_ROLES, "operator")

    def failed(found: str, advice: str) -> Check:
        return Check(STEP, subject, Outcome.FAILED, found, advice, numbers, roles)

    if before_w < w_from_dbm(LIT_DBM - way.loss_db) or after_w <= 0.0:
        return failed(
            f"no light by {' > '.join(way.hops)}: {shown_dbm(min(before_w, after_w)):.1f} dBm",
            "Follow this way: a fibre is unplugged, a shutter stays closed, or it is plugged elsewhere. "
            "Then prove again.",
        )
    step_db = db_from_ratio(before_w / after_w)
    if abs(step_db - STEP_DB) > tolerance_db:
        cause = (
            "More light with more attenuation: an offset with the wrong sign, or another channel than the "
            "bench file says."
            if step_db < -tolerance_db
            else "Nothing changed: another channel or way than the bench file says."
            if abs(step_db) <= tolerance_db
            else "Another step than was set: check the pad or the attenuator, take every offset out of both "
            "instruments, and clean the connectors."
        )
        return failed(
            f"the meter shows {step_db:.2f} dB less, {STEP_DB:g} dB within {tolerance_db:g} dB expected",
            cause,
        )
    if shut_w is not None and shown_dbm(abs(shut_w)) > dark_dbm:
        return failed(
            f"{shown_dbm(shut_w):.1f} dBm with the shutter closed, at most {dark_dbm:g} dBm expected",
            "The shutter leaks, or light comes another way: look for a second route, then have it repaired. "
            "Do not rely on it to protect a receiver.",
        )
    shut = "" if shut_w is None else ", dark with the shutter closed"
    return Check(
        STEP, subject, Outcome.PASSED, f"{step_db:.2f} dB less at {way.end}{shut}", "", numbers, roles
    )


def _step_by_operator(bench: Bench, lanes: Sequence[int]) -> Check:
    way = bench.spec.wiring.transmitter_paths(lanes, "power_meter")[lanes[0]]
    close_way(bench, way)
    before_w = _read_w(bench, way)
    request = f"Put a 3 dB pad between the fibre and {way.end}."
    answer = bench.operator.ask(request, answers=(PAD_IN, NO_PAD))
    if answer != PAD_IN:
        open_routes(bench)
        return Check(
            STEP,
            str(way.end),
            Outcome.NOT_DONE,
            "the operator has no pad",
            "Get a 3 dB pad for single-mode fibre at 1310 nm, and prove again.",
            {"asked": [{"request": request, "answer": answer}]},
        )
    after_w = _read_w(bench, way)
    again = f"Take the pad out of {way.end} and plug the fibre again."
    last = bench.operator.ask(again, answers=(PAD_OUT,))
    open_routes(bench)
    check = judge_step(str(way.end), way, before_w, after_w, None, tolerance_db=PAD_TOLERANCE_DB)
    asked = [{"request": request, "answer": answer}, {"request": again, "answer": last}]
    return replace(check, numbers={**check.numbers, "asked": asked})


def _read_w(bench: Bench, way: OpticalPath) -> float:
    return read_levels(bench, [way.end.number])[way.end.number].mean_w
