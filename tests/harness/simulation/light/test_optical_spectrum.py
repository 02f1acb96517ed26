"""The spectrum that an analyser reads of beams."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulation.light.beam import Beam, Modulation, even_levels, total_power_w
from harness.simulation.light.spectrum import noise_width_nm, spectrum_w

STEP_NM = 0.02
RESOLUTION_NM = 0.1
TRACE_NM = np.arange(1255.0, 1345.0, STEP_NM)


def beam(wavelength_nm: float, power_w: float = 1e-3, smsr_db: float = 45.0) -> Beam:
    modulation = Modulation(even_levels(5.0), smsr_db=smsr_db)
    return Beam(f"laser at {wavelength_nm}", power_w, wavelength_nm, None, modulation)


def peaks_nm(powers_w: np.ndarray, least_w: float) -> list[float]:
    middle = powers_w[1:-1]
    index = 1 + np.flatnonzero((middle > powers_w[:-2]) & (middle >= powers_w[2:]) & (middle > least_w))
    return [float(TRACE_NM[place]) for place in index]


@given(
    st.lists(
        st.tuples(st.floats(1260.0, 1340.0), st.floats(1e-9, 1e-2), st.floats(20.0, 60.0)),
        min_size=1,
        max_size=4,
    ),
    st.floats(0.06, 1.0),
)
def test_the_trace_holds_the_power_of_the_beams(
    lasers: list[tuple[float, float, float]], resolution_nm: float
) -> None:
    beams = [beam(*laser) for laser in lasers]
    read = spectrum_w(beams, TRACE_NM, resolution_nm=resolution_nm)
    integrated_w = float(read.sum()) * STEP_NM / noise_width_nm(resolution_nm)
    assert integrated_w == pytest.approx(total_power_w(beams), rel=0.01)


@given(st.floats(1260.0, 1340.0))
def test_the_peak_is_the_laser_within_half_a_point(wavelength_nm: float) -> None:
    read = spectrum_w([beam(wavelength_nm)], TRACE_NM, resolution_nm=RESOLUTION_NM)
    assert abs(float(TRACE_NM[read.argmax()]) - wavelength_nm) <= 0.5 * STEP_NM + 1e-9
    assert float(read.max()) == pytest.approx(1e-3, rel=0.03)


@pytest.mark.parametrize("smsr_db", [25.0, 30.0, 45.0])
def test_the_side_mode_suppression_is_read_back(smsr_db: float) -> None:
    read = spectrum_w([beam(1311.0, smsr_db=smsr_db)], TRACE_NM, resolution_nm=RESOLUTION_NM, floor_w=1e-11)
    beside = np.abs(TRACE_NM - 1311.0) > 0.4
    measured_db = 10.0 * math.log10(float(read.max()) / float(read[beside].max()))
    assert measured_db == pytest.approx(smsr_db, abs=0.3)
    side_nm = float(TRACE_NM[beside][read[beside].argmax()])
    assert 0.8 <= abs(side_nm - 1311.0) <= 1.0


def test_four_cwdm_lanes_are_four_peaks() -> None:
    grid = (1271.0, 1291.0, 1311.0, 1331.0)
    read = spectrum_w([beam(line) for line in grid], TRACE_NM, resolution_nm=RESOLUTION_NM)
    assert peaks_nm(read, 1e-5) == pytest.approx(grid, abs=0.5 * STEP_NM)


def test_beside_all_light_the_trace_is_the_floor() -> None:
    read = spectrum_w([beam(1311.0)], TRACE_NM, resolution_nm=RESOLUTION_NM, floor_w=1e-10)
    assert float(read[np.abs(TRACE_NM - 1311.0) > 2.0].max()) == pytest.approx(1e-10)
    assert np.all(spectrum_w([], TRACE_NM, resolution_nm=RESOLUTION_NM, floor_w=1e-10) == 1e-10)


def test_a_coarser_slit_reads_lines_as_high_and_wider() -> None:
    fine, coarse = (spectrum_w([beam(1311.0)], TRACE_NM, resolution_nm=r) for r in (0.1, 0.4))
    assert float(coarse.max()) == pytest.approx(float(fine.max()), rel=0.01)
    assert np.count_nonzero(coarse > 0.5e-3) == pytest.approx(4 * np.count_nonzero(fine > 0.5e-3), abs=4)


@pytest.mark.parametrize(("resolution_nm", "floor_w"), [(0.0, 0.0), (math.nan, 0.0), (0.1, -1e-9)])
def test_settings_that_cannot_be_are_refused(resolution_nm: float, floor_w: float) -> None:
    with pytest.raises(ValueError):
        spectrum_w([beam(1311.0)], TRACE_NM, resolution_nm=resolution_nm, floor_w=floor_w)
