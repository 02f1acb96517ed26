"""The bench's light, from the sources to every port, through fibres and what lies between them."""

from harness.simulation.plant.fibre_plant import FibrePlant
from harness.simulation.plant.reference import ReferenceTransmitter

__all__ = ["FibrePlant", "ReferenceTransmitter"]
