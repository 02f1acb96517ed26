"""The bench's light, from the sources to every port, through fibres and what lies between them."""

from harness.simulation.plant.fibre_plant import FibrePlant

__all__ = ["FibrePlant"]
