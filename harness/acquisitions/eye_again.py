"""A second opinion on TDECQ: of the oscilloscope's waveform by the harness, beside the oscilloscope's number.

It is there to find an oscilloscope that is set up wrongly (filter off or applied twice, another equaliser,
another target), which is the same for every lane of a channel: so it looks at one lane of each channel, once,
the one with the least TDECQ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType

from drivers.errors import InvalidReadingError
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.captured import METHOD, SignalError, own_tdecq
from harness.acquisitions.eye import BACK_TO_BACK, PATTERN_SYMBOLS, SSPRQ
from harness.acquisitions.lane_light import lane_path, route
from harness.acquisitions.oscilloscope_noise import own_noise
from harness.judging.budgets import budget_of
from harness.judging.measured import Contradiction, Measured, ModuleFault, NotOffered
from harness.judging.uncertainty import expanded
from harness.run import Run

NAME = "eye_again"
# Twice what both methods are good for together; a wrong filter alone is worth 1 dB.
_AGREE_DB = 0.4


def eye_again(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault] = MappingProxyType({})
) -> Acquired:
    """One captured period of SSPRQ, and its TDECQ by :func:`harness.signal.tdecq.tdecq`.

    Gives ``tdecq_difference`` (dB, oscilloscope less harness, of the lane with the largest), which is invalid
    where it is above 0.4 dB: then the numbers of the oscilloscope prove nothing.

    :raises CmisError: when the module is not up, or does not answer as it must.
    :raises BenchError: when the bench is at fault.
    """
    seen = before.get("eye")
    first: dict[int, Measured] = {}
    start_s = run.bench.clock.now_s()
    run.require_module_up()
    lacking = run.traffic.require(SSPRQ)
    if lacking is None:
        first = _best_of_each_channel(run, lanes, seen)
        if not first:
            lacking = NotOffered("the oscilloscope has TDECQ of no lane at this corner to compare with")
    own_db: dict[int, float] = {}
    told_db: dict[int, float] = {}
    noises_w: dict[int, float] = {}
    faults: list[str] = []
    for channel, told in first.items():
        assert told.lane is not None
        lane = told.lane
        path = lane_path(run, lane, "oscilloscope")
        noise = own_noise(run, path, lane)
        if isinstance(noise, NotOffered):
            lacking = noise
            continue
        route(run, path)
        scope = run.bench.oscilloscope
        scope.configure(
            channel,
            wavelength_nm=run.pmd.lane_wavelength_nm(lane),
            symbol_rate_bd=run.pmd.symbol_rate_bd,
            pattern_symbols=PATTERN_SYMBOLS[SSPRQ],
        )
        try:
            captured = scope.capture(channel)
            own = own_tdecq(captured, SSPRQ, scope_noise_w=noise.noise_w)
        except SignalError as error:
            faults.append(f"lane {lane}: {error}")
            continue
        noises_w[lane], own_db[lane], told_db[lane] = noise.noise_w, own.tdecq_db, told.value
    budget = budget_of("tdecq_difference").contributions()
    record = run.record_acquisition(
        NAME,
        start_s,
        conditions={"pattern": SSPRQ, "method": METHOD.name, **BACK_TO_BACK},
        data={
            "tdecq_by_harness_db": {str(lane): value for lane, value in own_db.items()},
            "tdecq_by_oscilloscope_db": {str(lane): value for lane, value in told_db.items()},
            "oscilloscope_noise_w": {str(lane): value for lane, value in noises_w.items()},
            "faults": faults,
        },
        budget=[{"lane": None, **asdict(entry)} for entry in budget],
    )
    value: Value = lacking or NotOffered("no lane was captured")
    if own_db:
        lane = max(own_db, key=lambda lane: abs(told_db[lane] - own_db[lane]))
        difference_db = told_db[lane] - own_db[lane]
        value = run.measured_from(record, lane=None, uncertainty=expanded(budget))(
            value=difference_db,
            unit="dB",
            plane="TP2",
            detector="oscilloscope against its waveform",
            conditions={"lane": lane, "pattern": SSPRQ, "method": METHOD.name},
        )
        if abs(difference_db) > _AGREE_DB:
            faults.append(
                f"lane {lane}: TDECQ is {told_db[lane]:.2f} dB by the oscilloscope and {own_db[lane]:.2f} dB "
                "by its own waveform"
            )
    if faults:
        value = Contradiction(
            InvalidReadingError(
                "oscilloscope",
                "; ".join(faults),
                advice="Look at its reference receiver filter, equaliser, target error ratio and edition.",
            )
        )
    return Acquired(record, {("tdecq_difference", None): value})


def _best_of_each_channel(
    run: Run, lanes: Sequence[int], seen: Acquired | ModuleFault | None
) -> dict[int, Measured]:
    """By channel of the oscilloscope, the least TDECQ that it has told: of an eye that is all but closed two
    records of one pattern differ by more than methods do."""
    best: dict[int, Measured] = {}
    for lane in lanes:
        told = seen.measured.get(("tdecq", lane)) if isinstance(seen, Acquired) else None
        if not isinstance(told, Measured) or told.detector != "oscilloscope":
            continue
        channel = lane_path(run, lane, "oscilloscope").end.number
        if channel not in best or told.value < best[channel].value:
            best[channel] = told
    return best
