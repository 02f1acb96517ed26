"""The module's own light on its own receivers: least loss, or through the attenuator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.cmis.errors import CmisError
from harness.acquisitions.acquired import Acquired, Value
from harness.acquisitions.launch_power import LOWEST_MONITORED_DBM
from harness.acquisitions.receiver.light import LitLane, ReceiverLight
from harness.acquisitions.receiver.ways import MODULE_TX, receive_ways
from harness.judging.measured import Checked, Measured, ModuleFault, NotOffered
from harness.run import Run

PLANE = "link"
"""From TP2 by the bench to TP3 of the same module: no plane of the standard."""
_LONGER_DB = 0.5
"""More than the channel's insertion loss that a loop may lose and still show what a link must do."""


@dataclass(frozen=True, slots=True)
class OwnLight:
    """``light``: to be entered; None: there is none, for the reason ``lacking``. ``dark``: what is said of
    lanes that cannot be lit; ``lanes``: those that can."""

    light: ReceiverLight | None
    lacking: NotOffered | None
    lanes: tuple[int, ...]
    dark: Mapping[int, Value]
    loss_db: Mapping[int, float]

    def values(self, parameters: Sequence[str], lanes: Sequence[int]) -> dict[tuple[str, int | None], Value]:
        """Of what was not measured: per lane, the reason."""
        found: dict[tuple[str, int | None], Value] = {}
        for lane in lanes:
            reason = self.dark.get(lane, self.lacking)
            if reason is not None:
                found |= {(parameter, lane): reason for parameter in parameters}
        return found


def own_light(
    run: Run, lanes: Sequence[int], before: Mapping[str, Acquired | ModuleFault], *, attenuated: bool
) -> OwnLight:
    """The loop for all lanes that ``launch_power`` (in ``before``) found lit. A lane that meter and monitor
    both found dark is the module's failure; where they contradicted each other, that stands.

    Without the attenuator a loop that loses more than the PMD's channel is not offered: what fails there
    need not fail on a link.

    :raises CmisError: when ``launch_power`` was a failure of the module.
    :raises WiringError: when the bench file has more ways than can be looked through.
    """
    powers = before.get("launch_power")
    if isinstance(powers, ModuleFault):
        raise CmisError(powers.text)
    if powers is None:
        raise CmisError("launch_power was not measured before")
    dark: dict[int, Value] = {}
    lit: dict[int, LitLane] = {}
    for lane in lanes:
        power = powers.measured["average_launch_power", lane]
        if isinstance(power, Measured) and power.value >= LOWEST_MONITORED_DBM:
            lit[lane] = LitLane(power.value, power.uncertainty)
        elif isinstance(power, Measured):
            dark[lane] = Checked(
                False,
                f"lane {lane} launches {power.value:.1f} dBm: its own receiver gets no light",
                "launch power at this corner, by the power meter and the module's monitor",
                power.acquisition_id,
                power.acquired_at,
                lane=lane,
            )
        else:
            dark[lane] = power
    if not lit:
        return OwnLight(None, NotOffered("no lane launches light"), (), dark, {})
    ways = receive_ways(run.bench.spec, run.pmd, tuple(lit), start=MODULE_TX, attenuated=attenuated)
    if isinstance(ways, NotOffered):
        return OwnLight(None, ways, (), dark, {})
    loss_db = {lane: way.path.loss_db for lane, way in ways.items()}
    channel_db = run.pmd.channel_insertion_loss_db
    longest = max(loss_db, key=lambda lane: loss_db[lane])
    if not attenuated and loss_db[longest] > channel_db + _LONGER_DB:
        lacking = NotOffered(
            f"the loop of lane {longest} loses {loss_db[longest]:.2f} dB, more than the channel of "
            f"{run.pmd.name} ({channel_db:g} dB)"
        )
        return OwnLight(None, lacking, (), dark, loss_db)
    return OwnLight(ReceiverLight(run, ways, lit), None, tuple(lit), dark, loss_db)


def arrived(light: ReceiverLight) -> dict[int, float]:
    """Bring all lanes to the most light there is, and look whether it arrives: levels at TP3, dBm.

    :raises BenchError: when it does not: it was there at the power meter; or by the interlock.
    """
    highest = light.highest_dbm
    attenuated = {lane: level for lane, level in highest.items() if light.ways[lane].channel is not None}
    if attenuated:
        light.set_levels(attenuated)
    levels = light.read_levels()
    light.require_arriving(levels, highest)
    return levels
