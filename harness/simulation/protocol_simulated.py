"""Where pyserial finds the ports of ``simulated://`` addresses: it looks for a module of this name."""

from harness.simulation.serial_port import SimulatedSerial as Serial

__all__ = ["Serial"]
