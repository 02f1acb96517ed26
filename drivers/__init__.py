"""Instrument and module drivers: the ground floor, which imports no other package of the project.

Drivers talk to pyvisa, pyserial and smbus2 objects and are handed their sessions; they open nothing
themselves and do no I/O when they are constructed.
"""
