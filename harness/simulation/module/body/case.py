"""The temperature of a module's case."""

from __future__ import annotations

from harness.simulation.light.laser import REFERENCE_TEMP_C
from harness.simulation.ports import ModuleSurroundings


class Case:
    """The case's temperature, which may itself depend on what the module consumes: it answers with the last
    one while that is found out."""

    def __init__(self, surroundings: ModuleSurroundings) -> None:
        self._surroundings = surroundings
        self._last_c = REFERENCE_TEMP_C
        self._asking = False

    def temp_c(self) -> float:
        """Now, Celsius."""
        if not self._asking:
            self._asking = True
            try:
                self._last_c = self._surroundings.case_temp_c()
            finally:
                self._asking = False
        return self._last_c
