"""Chromatic dispersion: known answers of the standards' worst cases, and what a bench's fibres add up to."""

from __future__ import annotations

import pytest

from harness.simulation.light.beam import Beam
from harness.simulation.plant import FibrePlant
from harness.simulation.plant.dispersion import SLOPE_PS_NM2_KM, Glass
from harness.simulation.world import World
from harness.wiring import Fibre, InsertionLoss, Wiring, parse_port

WORST_SLOPE = 0.093  # ps/(nm^2 km), of G.652; dispersion goes with it


def dispersion_ps_nm(wavelength_nm: float, length_km: float, zero_nm: float) -> float:
    return Glass.of([(length_km, zero_nm)]).dispersion_ps_nm(wavelength_nm)


@pytest.mark.parametrize(
    ("wavelength_nm", "zero_nm", "length_km", "expected_ps_nm"),
    [
        # The outer edges of the CWDM lanes about 1331 nm and 1271 nm, 10 km.
        (1337.5, 1300.0, 10.0, 33.4),
        (1264.5, 1324.0, 10.0, -59.4),
        # 400GBASE-DR4 at 500 m.
        (1304.5, 1324.0, 0.5, -0.93),
        (1317.5, 1300.0, 0.5, 0.80),
    ],
)
def test_known_answers(wavelength_nm, zero_nm, length_km, expected_ps_nm):
    found = dispersion_ps_nm(wavelength_nm, length_km, zero_nm) * WORST_SLOPE / SLOPE_PS_NM2_KM
    assert found == pytest.approx(expected_ps_nm, rel=6e-3)


def test_there_is_none_at_its_own_wavelength_and_its_slope_there_is_s0():
    assert dispersion_ps_nm(1310.0, 10.0, 1310.0) == pytest.approx(0.0, abs=1e-9)
    slope = dispersion_ps_nm(1310.5, 1.0, 1310.0) - dispersion_ps_nm(1309.5, 1.0, 1310.0)
    assert slope == pytest.approx(0.092, rel=1e-3)


def test_pieces_add():
    pieces = [(10.0, 1305.0), (0.5, 1320.0), (0.002, 1311.0)]
    alone = sum(dispersion_ps_nm(1271.0, length_km, zero_nm) for length_km, zero_nm in pieces)
    assert Glass.of(pieces).dispersion_ps_nm(1271.0) == pytest.approx(alone, abs=1e-9)


class Body:
    def __init__(self, wavelength_nm: float) -> None:
        self.wavelength_nm = wavelength_nm

    def launched(self, port: int) -> tuple[Beam, ...]:
        return (Beam("module.tx1", 1e-3, self.wavelength_nm, dispersion_ps_nm=0.25),)


def gathered_ps_nm(seed: int, length_m: float, wavelength_nm: float) -> float:
    pieces = [
        Fibre(parse_port("module.tx1"), parse_port("optical_switch.1"), 4.0, 0.0, length_m),
        Fibre(parse_port("optical_switch.17"), parse_port("power_meter.1"), 0.5, 0.0, 0.0),
    ]
    plant = FibrePlant(World(seed), Wiring(pieces, {"optical_switch": InsertionLoss(1.0, 0.0)}))
    plant.connect_module(Body(wavelength_nm))
    plant.set_routes("optical_switch", {1: 17})
    (beam,) = plant.light("power_meter", 1)
    return beam.dispersion_ps_nm - 0.25


def test_every_fibre_lies_between_the_extremes_and_stays_what_it_is():
    found = [gathered_ps_nm(seed, 500.0, 1311.0) for seed in range(200)]
    low, high = (dispersion_ps_nm(1311.0, 0.5, zero_nm) for zero_nm in (1324.0, 1300.0))
    assert all(low <= each <= high for each in found)
    assert min(found) < 0.95 * low + 0.05 * high
    assert max(found) > 0.05 * low + 0.95 * high
    assert gathered_ps_nm(7, 500.0, 1311.0) == found[7]


def test_dispersion_goes_with_the_length():
    assert gathered_ps_nm(3, 10_000.0, 1271.0) == pytest.approx(20.0 * gathered_ps_nm(3, 500.0, 1271.0))
    assert gathered_ps_nm(3, 0.0, 1271.0) == 0.0
    assert gathered_ps_nm(3, 10_000.0, 1271.0) < -29.0 * 0.9
