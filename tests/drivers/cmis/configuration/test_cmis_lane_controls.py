"""Controls of single lanes, and what is advertised of signal integrity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from drivers.cmis.errors import NotAdvertisedError, WriteNotTakenError
from drivers.cmis.lane_controls import LaneControl, change_lanes, is_advertised, lanes_on, set_lanes
from drivers.cmis.memory_map import FIELDS
from drivers.cmis.module import CmisModule
from drivers.cmis.signal_integrity import (
    SETTINGS,
    SignalIntegrity,
    advertised,
    per_lane,
    read_settings,
    stage_settings,
)

if TYPE_CHECKING:
    from conftest import PathModule

ADDRESSES = {  # register, bit of page 01h that advertises it
    LaneControl.INPUT_POLARITY_FLIP_TX: (129, (155, 0)),
    LaneControl.OUTPUT_DISABLE_TX: (130, (155, 1)),
    LaneControl.AUTO_SQUELCH_DISABLE_TX: (131, (155, 2)),
    LaneControl.SQUELCH_FORCE_TX: (132, (155, 3)),
    LaneControl.INPUT_EQ_FREEZE_TX: (134, (161, 4)),
    LaneControl.OUTPUT_POLARITY_FLIP_RX: (137, (156, 0)),
    LaneControl.OUTPUT_DISABLE_RX: (138, (156, 1)),
    LaneControl.AUTO_SQUELCH_DISABLE_RX: (139, (156, 2)),
}


def test_every_control_is_here() -> None:
    assert set(ADDRESSES) == set(LaneControl)


@pytest.mark.parametrize("control", LaneControl)
def test_lanes_are_set_and_others_kept(module: CmisModule, device: PathModule, control: LaneControl) -> None:
    byte, (at, bit) = ADDRESSES[control]
    device.image.put(0, 0x01, at, bytes([1 << bit]))
    device.image.put(0, 0x10, byte, b"\x81")
    assert is_advertised(module, control)
    assert set_lanes(module, control, (2, 3), on=True) == (1, 2, 3, 8)
    assert device.written == [(0x10, byte, b"\x87")]
    assert set_lanes(module, control, (1,), on=False) == (2, 3, 8)
    assert lanes_on(module, control) == (2, 3, 8)


class HeldBus:
    """A memory that notes whether the bus was held at each access."""

    def __init__(self, device: PathModule) -> None:
        self.device = device
        self.depth = 0
        self.held: list[bool] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if not self.depth:
            self.held.append(True)  # taken once for all that belongs together
        self.depth += 1
        yield
        self.depth -= 1

    def read(self, bank: int, page: int, byte: int, length: int) -> bytes:
        if page == 0x10 and not self.depth:
            self.held.append(False)
        return self.device.read(bank, page, byte, length)

    def write(self, bank: int, page: int, byte: int, data: bytes) -> None:
        if not self.depth:
            self.held.append(False)
        self.device.write(bank, page, byte, data)


def test_the_bus_is_held_while_lanes_are_changed_among_others(device: PathModule, clock: Any) -> None:
    memory = HeldBus(device)
    change_lanes(CmisModule(memory, clock), "DPDeinit", set_lanes=(1,))
    assert memory.held == [True]


def test_the_bus_is_held_while_settings_are_staged_among_others(device: PathModule, clock: Any) -> None:
    memory = HeldBus(device)
    stage_settings(CmisModule(memory, clock), {3: SignalIntegrity(pre_cursor_rx=1)})
    assert memory.held == [True]


@pytest.mark.parametrize("control", LaneControl)
def test_a_control_that_is_not_advertised_is_refused(
    module: CmisModule, device: PathModule, control: LaneControl
) -> None:
    byte, (at, bit) = ADDRESSES[control]
    device.image.put(0, 0x01, at, bytes([0xFF & ~(1 << bit)]))
    with pytest.raises(NotAdvertisedError, match=f"10h:{byte}.*01h:{at}.{bit} ") as refusal:
        set_lanes(module, control, (1,), on=True)
    assert "Nothing was written" in str(refusal.value)
    assert device.written == []


@pytest.mark.parametrize("lanes", [(), (0,), (9,)])
def test_lanes_that_there_are_not(module: CmisModule, device: PathModule, lanes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="lane"):
        set_lanes(module, LaneControl.OUTPUT_DISABLE_TX, lanes, on=True)


def test_a_write_that_is_not_taken_is_told(
    module: CmisModule, device: PathModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.put("OutputDisableTxSupported", 1)
    monkeypatch.setattr(device.image, "put", lambda *_: None)
    with pytest.raises(
        WriteNotTakenError, match="10h:130 OutputDisableTx: lanes none read back set after exactly 4"
    ):
        set_lanes(module, LaneControl.OUTPUT_DISABLE_TX, (4,), on=True)


def test_transmitters_that_only_go_off_together(module: CmisModule, device: PathModule) -> None:
    device.put("OutputDisableTxSupported", 1)
    device.put("TxDisableIsModuleWide", 1)
    with pytest.raises(NotAdvertisedError, match="media lanes 1-2, 4 would follow"):
        set_lanes(module, LaneControl.OUTPUT_DISABLE_TX, (3,), on=True)
    assert device.written == []
    assert set_lanes(module, LaneControl.OUTPUT_DISABLE_TX, (1, 2, 3, 4), on=True) == (1, 2, 3, 4)


# -- signal integrity -----------------------------------------------------------------------------------


def test_what_is_advertised(module: CmisModule, device: PathModule) -> None:
    device.image.put(0, 0x01, 153, bytes([0b0101_1001, 0x7_5]))
    device.image.put(0, 0x01, 161, bytes([0b0101_1111, 0b0001_0111]))
    support = advertised(module)
    assert support.amplitudes_rx == (0, 2)
    assert (support.fixed_eq_tx, support.fixed_eq_tx_max) == (True, 9)
    assert support.eq_recall_buffers_tx == 2
    assert support.eq_freeze_tx
    assert support.adaptive_eq_tx
    assert (support.pre_cursor_rx, support.pre_cursor_rx_max) == (False, 0)
    assert (support.post_cursor_rx, support.post_cursor_rx_max) == (True, 7)
    assert (support.cdr_tx, support.cdr_tx_bypass, support.cdr_rx, support.cdr_rx_bypass) == (True,) * 4
    support.require(SignalIntegrity(True, 9, False, False, None, 7, 2))


@pytest.mark.parametrize(
    ("settings", "register"),
    [
        ({"adaptive_eq_tx": True}, "01h:161.3 TxInputAdaptiveEqSupported"),
        ({"fixed_eq_tx": 0}, "01h:161.2 TxInputEqHostControlSupported"),
        ({"cdr_tx": True}, "01h:161.0 TxCDRSupported"),
        ({"cdr_rx": True}, "01h:162.0 RxCDRSupported"),
        ({"pre_cursor_rx": 0}, "01h:162.4-3 RxOutputEqControlSupported"),
        ({"post_cursor_rx": 0}, "01h:162.4-3 RxOutputEqControlSupported"),
        ({"amplitude_rx": 0}, "01h:162.2 RxOutputAmplitudeControlSupported"),
    ],
)
def test_each_setting_names_the_register_that_says_no(
    module: CmisModule, settings: dict[str, Any], register: str
) -> None:
    with pytest.raises(NotAdvertisedError, match=register):
        advertised(module).require(SignalIntegrity(**settings))


def test_a_cdr_that_cannot_be_bypassed(module: CmisModule, device: PathModule) -> None:
    device.put("TxCDRSupported", 1)
    advertised(module).require(SignalIntegrity(cdr_tx=True))
    with pytest.raises(NotAdvertisedError, match=r"01h:161\.1 TxCDRBypassControlSupported"):
        advertised(module).require(SignalIntegrity(cdr_tx=False))


def test_codes_beyond_the_maximum(module: CmisModule, device: PathModule) -> None:
    for name, value in {
        "TxInputEqHostControlSupported": 1,
        "TxInputEqMax": 9,
        "RxOutputAmplitudeControlSupported": 1,
        "RxOutputLevelSupported": 0b0011,
    }.items():
        device.put(name, value)
    advertised(module).require(SignalIntegrity(fixed_eq_tx=9, amplitude_rx=1))
    with pytest.raises(NotAdvertisedError, match=r"01h:153.3-0 TxInputEqMax allows 9 at most"):
        advertised(module).require(SignalIntegrity(fixed_eq_tx=10))
    with pytest.raises(NotAdvertisedError, match=r"01h:153.7-4 RxOutputLevelSupported has codes 0, 1"):
        advertised(module).require(SignalIntegrity(amplitude_rx=2))


@pytest.mark.parametrize(
    "settings", [{"fixed_eq_tx": 16}, {"amplitude_rx": -1}, {"cdr_tx": 1}, {"pre_cursor_rx": True}]
)
def test_codes_that_a_register_cannot_hold(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        SignalIntegrity(**settings)


@pytest.mark.parametrize("control_set", [0, 1])
def test_staging_keeps_other_lanes(module: CmisModule, device: PathModule, control_set: int) -> None:
    device.put(f"SCS{control_set}_OutputAmplitudeTargetRx", (1, 2, 3, 1, 2, 3, 1, 2))
    stage_settings(module, {2: SignalIntegrity(amplitude_rx=0, cdr_rx=True)}, control_set)
    assert device.get(f"SCS{control_set}_OutputAmplitudeTargetRx") == (1, 0, 3, 1, 2, 3, 1, 2)
    assert read_settings(module, f"SCS{control_set}")[1].cdr_rx is True
    touched = {byte for _, byte, _ in device.written}
    assert touched == {
        FIELDS[f"SCS{control_set}_{SETTINGS[name]}"].byte for name in ("amplitude_rx", "cdr_rx")
    }


def test_settings_by_lane() -> None:
    one = SignalIntegrity(cdr_tx=True)
    assert per_lane(one, (3, 4)) == {3: one, 4: one}
    assert per_lane({4: one}, (3, 4)) == {3: SignalIntegrity(), 4: one}
    with pytest.raises(ValueError, match="host lane 5 of a data path of host lanes 3-4"):
        per_lane({5: one}, (3, 4))
