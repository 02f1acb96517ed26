"""Simulated instruments, one peer per instrument model; :mod:`.catalogue` finds them by driver name.

A peer sees the world only through the Protocols of :mod:`harness.simulation.ports`. Its errors (noise,
calibration, resolution) are its own; all draws are keyed by role, port and virtual time.
"""
