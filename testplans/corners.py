"""Where the shipped plans measure. All take their corners from one grid, so that plans which run together
share their visits: the chamber moves once for each.
"""

from __future__ import annotations

from harness.conditions.corner import corner_grid, select

VCCS_V = (3.135, 3.3, 3.465)
"""At the module's connector: 3.3 V and 5 % to either side."""
GRID = corner_grid(case_temps_c=(0.0, 25.0, 50.0, 70.0, 50.0, 25.0, 0.0), vccs_v=VCCS_V)
"""Up from the cold and down again; seven visits."""

NINE = select(GRID, case_temps_c=(0.0, 25.0, 70.0), vccs_v=None, visits=(1, 2, 4))
"""Each supply at each of 0, 25 and 70 C, on the way up."""
UP_AND_DOWN = select(GRID, case_temps_c=None, vccs_v=(3.3,))
"""Every visit at the nominal supply."""
COLD_AMBIENT_HOT = select(NINE, case_temps_c=None, vccs_v=(3.3,))
"""0, 25 and 70 C at the nominal supply."""
AMBIENT = select(COLD_AMBIENT_HOT, case_temps_c=(25.0,), vccs_v=None)
"""25 C at the nominal supply."""
