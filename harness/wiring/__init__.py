"""The bench's fibres: what is plugged where, what each piece loses, and how well that is known.

Losses live here and nowhere else. No instrument's own offset register is ever used: their signs differ
between makes, and a wrong one would defeat the damage interlock.
"""

from harness.wiring.complaints import wiring_complaints
from harness.wiring.pieces import Fibre, InsertionLoss, Leg, PathCalibration, Splitter
from harness.wiring.ports import ATTENUATOR, MATRIX, MODULE, REFERENCE, SPLITTER_INPUT, Port, parse_port
from harness.wiring.ways import OpticalPath, Wiring, WiringError

__all__ = [
    "ATTENUATOR",
    "MATRIX",
    "MODULE",
    "REFERENCE",
    "SPLITTER_INPUT",
    "Fibre",
    "InsertionLoss",
    "Leg",
    "OpticalPath",
    "PathCalibration",
    "Port",
    "Splitter",
    "Wiring",
    "WiringError",
    "parse_port",
    "wiring_complaints",
]
