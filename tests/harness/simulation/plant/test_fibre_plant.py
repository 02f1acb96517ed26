"""Light in the bench: routed or dark, and true losses that are as the bench file says they may be."""

from __future__ import annotations

import math

import pytest

from drivers.units import db_from_ratio
from harness.simulation.light.beam import Beam, total_power_w
from harness.simulation.plant import FibrePlant
from harness.simulation.signals import TRAFFIC, LineSignal, Pattern
from harness.simulation.world import World
from harness.wiring import Fibre, InsertionLoss, Wiring, parse_port

PASS = {"optical_switch": InsertionLoss(1.0, 0.08)}


class FakeBody:
    def __init__(self) -> None:
        self.power_w = {1: 1e-3, 2: 2e-3}

        self.carried: dict[int, LineSignal | None] = {}

    def launched(self, port: int) -> tuple[Beam, ...]:
        signal = self.carried.get(port, TRAFFIC)
        return (Beam(f"module.tx{port}", self.power_w[port], 1310.0 + port, signal),)


def fibre(start: str, end: str, loss_db: float, uncertainty_db: float) -> Fibre:
    return Fibre(parse_port(start), parse_port(end), loss_db, uncertainty_db)


def plant(seed: int = 1, *, uncertain: bool = False, body: FakeBody | None = None) -> FibrePlant:
    u = 1.0 if uncertain else 0.0
    wiring = Wiring(
        [
            fibre("module.tx1", "optical_switch.1", 0.42, 0.10 * u),
            fibre("module.tx2", "optical_switch.2", 0.38, 0.10 * u),
            fibre("optical_switch.17", "power_meter.1", 0.25, 0.06 * u),
            fibre("optical_switch.18", "power_meter.2", 0.22, 0.06 * u),
            fibre("optical_switch.30", "module.rx1", 0.50, 0.10 * u),
        ],
        {"optical_switch": InsertionLoss(1.0, 0.08 * u)},
    )
    made = FibrePlant(World(seed), wiring)
    made.connect_module(body or FakeBody())
    return made


def loss_db(made: FibrePlant, power_w: float = 1e-3) -> float:
    return db_from_ratio(power_w / made.power_w("power_meter", 1))


def test_a_matrix_without_routes_lets_nothing_through():
    made = plant()
    for port in (1, 2):
        assert made.power_w("power_meter", port) == 0.0
        assert made.wavelength_nm("power_meter", port) is None
    assert made.rx_light(1) == ()


def test_routed_light_loses_what_the_fibres_and_the_matrix_lose():
    made = plant()
    made.set_routes("optical_switch", {1: 17})
    assert loss_db(made) == pytest.approx(0.42 + 1.0 + 0.25)
    assert made.wavelength_nm("power_meter", 1) == 1311.0
    assert made.power_w("power_meter", 2) == 0.0


def test_light_goes_where_it_is_routed():
    made = plant()
    made.set_routes("optical_switch", {1: 18, 2: 17})
    assert made.power_w("power_meter", 1) == pytest.approx(2e-3 * 10 ** (-(0.38 + 1.0 + 0.25) / 10))
    assert made.power_w("power_meter", 2) == pytest.approx(1e-3 * 10 ** (-(0.42 + 1.0 + 0.22) / 10))
    assert made.wavelength_nm("power_meter", 1) == 1312.0


def test_routes_replace_those_before():
    made = plant()
    made.set_routes("optical_switch", {1: 17})
    made.set_routes("optical_switch", {2: 18})
    assert made.power_w("power_meter", 1) == 0.0
    assert made.power_w("power_meter", 2) > 0.0
    made.set_routes("optical_switch", {})
    assert made.power_w("power_meter", 2) == 0.0


def test_who_gave_the_routes_may_change_them_afterwards():
    made = plant()
    routes = {1: 17}
    made.set_routes("optical_switch", routes)
    routes.clear()
    assert made.power_w("power_meter", 1) > 0.0


def test_looped_light_reaches_the_modules_receiver():
    made = plant()
    made.set_routes("optical_switch", {1: 30})
    assert total_power_w(made.rx_light(1)) == pytest.approx(1e-3 * 10 ** (-(0.42 + 1.0 + 0.50) / 10))
    assert made.rx_light(2) == ()


def test_a_dark_transmitter_has_neither_power_nor_wavelength():
    body = FakeBody()
    body.power_w[1] = 0.0
    made = plant(body=body)
    made.set_routes("optical_switch", {1: 17})
    assert made.power_w("power_meter", 1) == 0.0
    assert made.wavelength_nm("power_meter", 1) is None


def test_unplugged_ports_and_absent_modules_are_dark():
    made = plant()
    made.set_routes("optical_switch", {1: 17, 9: 18})
    assert made.power_w("power_meter", 2) == 0.0  # nothing is plugged into input 9
    assert made.power_w("power_meter", 7) == 0.0
    empty = FibrePlant(World(1), Wiring([fibre("module.tx1", "power_meter.1", 0.1, 0.0)], {}))
    assert empty.power_w("power_meter", 1) == 0.0


def test_a_direct_fibre_needs_no_route():
    made = FibrePlant(World(1), Wiring([fibre("module.tx1", "power_meter.1", 3.0, 0.0)], {}))
    made.connect_module(FakeBody())
    assert loss_db(made) == pytest.approx(3.0)


def test_two_matrices_are_both_passed():
    passes = {"optical_switch": InsertionLoss(1.0, 0.0), "another_switch": InsertionLoss(2.0, 0.0)}
    pieces = [
        fibre("module.tx1", "optical_switch.1", 0.1, 0.0),
        fibre("optical_switch.17", "another_switch.1", 0.2, 0.0),
        fibre("another_switch.2", "power_meter.1", 0.3, 0.0),
    ]
    made = FibrePlant(World(1), Wiring(pieces, passes))
    made.connect_module(FakeBody())
    made.set_routes("optical_switch", {1: 17})
    assert made.power_w("power_meter", 1) == 0.0
    made.set_routes("another_switch", {1: 2})
    assert loss_db(made) == pytest.approx(3.6)


# -- what the light carries ---------------------------------------------------------------------------


def test_a_receiver_gets_what_the_transmitter_at_the_other_end_sends():
    body = FakeBody()
    body.carried = {1: LineSignal((Pattern(0),)), 2: None}
    made = plant(body=body)
    assert made.rx_light(1) == ()  # no route
    made.set_routes("optical_switch", {1: 30})
    (beam,) = made.rx_light(1)
    assert (beam.source, beam.signal) == ("module.tx1", LineSignal((Pattern(0),)))
    assert made.rx_light(2) == ()  # no fibre
    made.set_routes("optical_switch", {2: 30})
    (beam,) = made.rx_light(1)
    assert (beam.source, beam.signal) == ("module.tx2", None)


# -- true losses --------------------------------------------------------------------------------------


def test_the_true_loss_stays_as_it_is():
    made = plant(3, uncertain=True)
    made.set_routes("optical_switch", {1: 17})
    first = loss_db(made)
    made.set_routes("optical_switch", {})
    made._world.advance(3600.0)
    made.set_routes("optical_switch", {1: 17})
    assert loss_db(made) == first
    again = plant(3, uncertain=True)
    again.set_routes("optical_switch", {2: 18, 1: 17})
    again.power_w("power_meter", 2)
    assert loss_db(again) == first


def test_true_losses_are_within_what_is_stated_over_a_thousand_benches():
    # Expanded uncertainty of the path: 0.10, 0.08 and 0.06 dB in squares.
    expanded_db = math.sqrt(0.10**2 + 0.08**2 + 0.06**2)
    errors_db = []
    for seed in range(1000):
        made = plant(seed, uncertain=True)
        made.set_routes("optical_switch", {1: 17})
        errors_db.append(loss_db(made) - 1.67)
    # No piece is off by more than it states, so no path by more than their sum.
    assert max(map(abs, errors_db)) <= 0.10 + 0.08 + 0.06 + 1e-9
    # k = 2: about 95 % within, and about 68 % within half of it; neither much fewer nor all.
    within = sum(abs(error) <= expanded_db for error in errors_db) / 1000
    within_half = sum(abs(error) <= expanded_db / 2 for error in errors_db) / 1000
    assert 0.93 <= within <= 0.98
    assert 0.63 <= within_half <= 0.75
    assert abs(sum(errors_db) / 1000) < 0.01


def test_a_single_piece_is_never_off_by_more_than_it_states():
    for seed in range(1000):
        made = FibrePlant(World(seed), Wiring([fibre("module.tx1", "power_meter.1", 0.5, 0.2)], {}))
        made.connect_module(FakeBody())
        assert abs(loss_db(made) - 0.5) <= 0.2 + 1e-9


def test_no_piece_amplifies():
    for seed in range(200):
        made = FibrePlant(World(seed), Wiring([fibre("module.tx1", "power_meter.1", 0.01, 0.5)], {}))
        made.connect_module(FakeBody())
        assert made.power_w("power_meter", 1) <= 1e-3


class FourWavelengths:
    """Four lanes in one fibre, of which the fourth is dark."""

    def launched(self, port: int) -> tuple[Beam, ...]:
        lanes = zip((1e-3, 2e-3, 1e-3), (1271.0, 1291.0, 1311.0), strict=True)
        return tuple(Beam(f"tx{nm:g}", power_w, nm) for power_w, nm in lanes) if port == 1 else ()


def multiplexed() -> FibrePlant:
    wiring = Wiring(
        [
            fibre("module.tx1", "optical_switch.1", 0.0, 0.0),
            fibre("optical_switch.17", "power_meter.1", 0.0, 0.0),
            fibre("optical_switch.30", "module.rx1", 0.0, 0.0),
            fibre("module.tx2", "power_meter.2", 0.0, 0.0),
        ],
        {"optical_switch": InsertionLoss(3.0, 0.0)},
    )
    made = FibrePlant(World(1), wiring)
    made.connect_module(FourWavelengths())
    return made


def test_lanes_that_share_a_fibre_arrive_together():
    made = multiplexed()
    made.set_routes("optical_switch", {1: 17})
    half = 10**-0.3
    assert made.power_w("power_meter", 1) == pytest.approx(4e-3 * half, rel=1e-4)
    assert made.wavelength_nm("power_meter", 1) == pytest.approx((1271.0 + 2 * 1291.0 + 1311.0) / 4)
    assert made.power_w("power_meter", 2) == 0.0  # there is no second fibre


def test_beams_keep_apart_in_a_fibre():
    made = multiplexed()
    made.set_routes("optical_switch", {1: 30})
    half = 10**-0.3
    light = made.rx_light(1)
    assert [beam.power_w for beam in light] == pytest.approx(
        [1e-3 * half, 2e-3 * half, 1e-3 * half], rel=1e-4
    )
    assert [beam.wavelength_nm for beam in light] == [1271.0, 1291.0, 1311.0]
