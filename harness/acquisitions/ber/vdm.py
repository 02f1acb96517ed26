"""What the module says of its own errors under framed traffic (VDM, pages 20h to 2Fh), over a known time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from drivers.cmis.vdm import VdmReading, advertised, frozen_statistics, read_vdm, support
from harness.judging.measured import NotOffered
from harness.run import Run

BER, FRAMES = "prefec_ber_avg_media", "errored_frames_avg_media"


@dataclass
class VdmInterval:
    """Averages over the interval, filled in when it is over. ``ber``: by media lane; ``frames``: share of
    codewords that were lost, None where the module does not say."""

    lacking: NotOffered | None = None
    lacking_frames: NotOffered | None = None
    ber: dict[int, float] = field(default_factory=dict)
    frames: float | None = None
    readings: list[dict[str, object]] = field(default_factory=list)


@contextmanager
def vdm_interval(run: Run) -> Iterator[VdmInterval]:
    """The module takes its statistics from entering to leaving: a freeze begins a new interval, and the next
    one ends it.

    :raises CmisError: when the module does not answer, or does not freeze in time.
    """
    found = VdmInterval()
    offered = support(run.module.registers)
    every = advertised(run.module.registers) if offered.supported else ()
    wanted = [one for one in every if one.observable.key in (BER, FRAMES)]
    if not offered.supported:
        found.lacking = found.lacking_frames = NotOffered(offered.reason)
    else:
        keys = {one.observable.key for one in wanted}
        if BER not in keys:
            found.lacking = NotOffered("the module's VDM has no average of the media side's pre-FEC BER")
        if FRAMES not in keys:
            found.lacking_frames = NotOffered("the module's VDM has no average of the media side's FERC")
    if not wanted:
        yield found
        return
    with frozen_statistics(run.module, instances=wanted):
        pass
    yield found
    with frozen_statistics(run.module, instances=wanted):
        _fill(found, read_vdm(run.module.registers, thresholds=False, instances=wanted))


def _fill(found: VdmInterval, readings: tuple[VdmReading, ...]) -> None:
    for reading in readings:
        instance = reading.instance
        found.readings.append(
            {"what": instance.label, "lane": instance.lane, "raw": reading.raw, "reason": reading.reason}
        )
        if not reading.valid or reading.value is None:
            continue
        if instance.observable.key == BER and instance.lane is not None:
            found.ber[instance.lane] = reading.value
        elif instance.observable.key == FRAMES:
            found.frames = reading.value
