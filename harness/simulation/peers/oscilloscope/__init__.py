"""Simulated Keysight FlexDCA with an N1092 sampling oscilloscope."""

from harness.simulation.peers.oscilloscope.peer import OscilloscopePeer

__all__ = ["OscilloscopePeer"]
