"""Which bits a module sends where: data paths, generators and loopbacks (OIF-CMIS-05.4 §7.3 [?]).

Four points per data path, each found from those before it:

* host input: what the host sends, or with the host side's output loopback what goes to the host;
* egress (to the fibre): the media side's generator, or with the media side's input loopback what the light
  brought, or the host lanes multiplexed;
* ingress (from the fibre): what the light brings with the receiver's errors, or with the media side's output
  loopback the egress, which makes no errors;
* host output: the host side's generator, or with the host side's input loopback the host input, or the
  lane's share of the ingress.

A loop that nothing feeds carries nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from harness.simulation.light.reception import DARK, Reception
from harness.simulation.module.interface.registers import Registers
from harness.simulation.module.lanes.glance import Glance
from harness.simulation.module.lanes.receiver import Receivers
from harness.simulation.module.machines.data_paths import DataPath, DataPaths
from harness.simulation.module.profile.applications import HOST_LANES
from harness.simulation.module.states import may_emit
from harness.simulation.ports import HostSurroundings
from harness.simulation.signals import NOISE, TRAFFIC, UNKNOWN, LineSignal, Pattern, multiplexed

_ALL = 0xFF


@dataclass(frozen=True, slots=True)
class SideControls:
    """Controls of one side. Masks: bit i - 1 for lane i. ``generated[i - 1]``: the pattern that the
    generator of lane i makes; None when it is enabled for one that it does not have."""

    generating: int = 0
    generated: tuple[Pattern | None, ...] = (None,) * HOST_LANES
    output_loopback: int = 0
    input_loopback: int = 0


IDLE = SideControls()


@dataclass(frozen=True, slots=True)
class HostControls:
    """Controls of the pins towards the host. Masks: bit i - 1 for host lane i."""

    flipped_tx: int = 0
    flipped_rx: int = 0
    disabled_rx: int = 0
    unsquelched_rx: int = 0

    @classmethod
    def from_registers(cls, registers: Registers) -> HostControls:
        """As page 10h holds them."""
        return cls(
            flipped_tx=registers.lane_mask("InputPolarityFlipTx"),
            flipped_rx=registers.lane_mask("OutputPolarityFlipRx"),
            disabled_rx=registers.lane_mask("OutputDisableRx"),
            unsquelched_rx=registers.lane_mask("AutoSquelchDisableRx"),
        )


class HostTraffic:
    """A host that sends traffic on every lane."""

    def host_signal(self, host_lane: int) -> LineSignal | None:
        """Traffic."""
        return TRAFFIC


class SignalPaths:
    """The bits at each point of one module, now. Lanes count from 1; None: no signal."""

    def __init__(
        self,
        data_paths: DataPaths,
        receivers: Receivers,
        host: HostSurroundings,
        glance: Glance | None = None,
    ) -> None:
        self._data_paths = data_paths
        self._receivers = receivers
        self._host = host
        self._glance = glance or Glance()
        self.host = IDLE
        self.media = IDLE
        self.controls = HostControls()

    def reset(self) -> None:
        """No generator, no loopback."""
        self.host = self.media = IDLE

    def at_host(self, host_lane: int) -> LineSignal | None:
        """What goes to the host, at the pins."""
        controls, bit = self.controls, 1 << host_lane - 1
        if controls.disabled_rx & bit:
            return None
        signal = self.host_output(host_lane)
        if signal is None and controls.unsquelched_rx & bit:
            return NOISE if self._active(self._data_paths.path_of(host_lane)) else None
        return _flipped(signal) if controls.flipped_rx & bit else signal

    def from_host(self, host_lane: int) -> LineSignal | None:
        """What comes from the host, behind the pins."""
        signal = self._host.host_signal(host_lane)
        return _flipped(signal) if self.controls.flipped_tx >> host_lane - 1 & 1 else signal

    def transmitted(self, lane: int) -> LineSignal | None:
        """What the light of a transmitter carries; None while it is off."""
        return self.egress(lane) if self._data_paths.lit(lane) else None

    def reception(self, lane: int) -> Reception:
        """What a media lane's receiver finds: nothing in the dark or without lock, with the electrical
        loopback the best there is."""
        if self._looped(self.media.output_loopback, lane):
            return self._receivers.undisturbed(lane)
        return self._receivers.reception(lane) if self._receivers.locked(lane) else DARK

    def quality(self, lane: int) -> tuple[float, float]:
        """SNR and LTP of a media lane in dB, as the module measures them; 0 without light or lock."""
        return self._receivers.shown_quality_db(lane, self.reception(lane))

    def egress(self, lane: int) -> LineSignal | None:
        """What goes to the transmitter of a media lane."""
        return self._glance.once(("egress", lane), partial(self._egress, lane))

    def ingress(self, lane: int) -> LineSignal | None:
        """What the media side's checker of a lane sees."""
        return self._glance.once(("ingress", lane), partial(self._ingress, lane))

    def host_output(self, host_lane: int) -> LineSignal | None:
        """What goes to the host."""
        return self._glance.once(("host output", host_lane), partial(self._host_output, host_lane))

    def host_input(self, host_lane: int) -> LineSignal | None:
        """What the host side's checker of a lane sees."""
        return self._glance.once(("host input", host_lane), partial(self._host_input, host_lane))

    def host_output_is_own(self, host_lane: int) -> bool:
        """Whether what goes to the host does not come from the fibre."""
        if not (self.host.generating or self.host.input_loopback or self.media.output_loopback):
            return False
        path = self._active(self._data_paths.path_of(host_lane))
        if path is None:
            return False
        own = self.host.generating >> host_lane - 1 & 1 or self._looped(self.host.input_loopback, host_lane)
        media_lane = _media_lane_of(path, host_lane)
        return bool(own) or self._looped(self.media.output_loopback, media_lane)

    # -- inside ----------------------------------------------------------------------------------------

    def _egress(self, lane: int) -> LineSignal | None:
        path = self._active(self._data_paths.path_of_media(lane))
        if path is None:
            return None
        if self.media.generating >> lane - 1 & 1:
            return _generated(self.media, lane)
        if self._looped(self.media.input_loopback, lane):
            return self._receivers.heard(lane)
        signals = []
        for host_lane in _host_lanes_of(path, lane):
            signal = self.host_input(host_lane)
            if signal is None:
                return None
            signals.append(signal)
        lane_signal = multiplexed(signals)
        if len(path.host_lanes) < len(path.media_lanes) and not lane_signal.is_traffic:
            return replace(lane_signal, streams=(UNKNOWN,))
        return lane_signal

    def _ingress(self, lane: int) -> LineSignal | None:
        if self._active(self._data_paths.path_of_media(lane)) is None:
            return None
        if self._looped(self.media.output_loopback, lane):
            return self.egress(lane)
        return self._receivers.heard(lane)

    def _host_output(self, host_lane: int) -> LineSignal | None:
        path = self._active(self._data_paths.path_of(host_lane))
        if path is None:
            return None
        if self.host.generating >> host_lane - 1 & 1:
            return _generated(self.host, host_lane)
        if self._looped(self.host.input_loopback, host_lane):
            return self.host_input(host_lane)
        media_lane = _media_lane_of(path, host_lane)
        signal = self.ingress(media_lane)
        if signal is None:
            return None
        shares = _host_lanes_of(path, media_lane)
        if len(shares) == len(signal.streams):
            return signal.stream(shares.index(host_lane))
        return LineSignal((None if signal.is_traffic else UNKNOWN,), signal.ber, signal.burst_bits)

    def _host_input(self, host_lane: int) -> LineSignal | None:
        if self._active(self._data_paths.path_of(host_lane)) is None:
            return None
        if self._looped(self.host.output_loopback, host_lane):
            return self.host_output(host_lane)
        return self.from_host(host_lane)

    @staticmethod
    def _active(path: DataPath | None) -> DataPath | None:
        return path if path is not None and may_emit(path.state) else None

    @staticmethod
    def _looped(mask: int, lane: int) -> bool:
        return bool(mask >> lane - 1 & 1)


def _flipped(signal: LineSignal | None) -> LineSignal | None:
    """Ones for zeros: traffic recovers from that by itself [?], a checker's pattern does not."""
    if signal is None or signal.is_traffic:
        return signal
    return replace(
        signal,
        streams=tuple(
            stream if stream is None or stream == UNKNOWN else replace(stream, inverted=not stream.inverted)
            for stream in signal.streams
        ),
    )


def _generated(side: SideControls, lane: int) -> LineSignal | None:
    pattern = side.generated[lane - 1]
    return None if pattern is None else LineSignal((pattern,))


def _host_lanes_of(path: DataPath, media_lane: int) -> tuple[int, ...]:
    """Host lanes that are multiplexed into a media lane of this path."""
    index = path.media_lanes.index(media_lane)
    hosts, medias = len(path.host_lanes), len(path.media_lanes)
    first = index * hosts // medias
    return path.host_lanes[first : max(first + 1, (index + 1) * hosts // medias)]


def _media_lane_of(path: DataPath, host_lane: int) -> int:
    index = path.host_lanes.index(host_lane)
    return path.media_lanes[index * len(path.media_lanes) // len(path.host_lanes)]
