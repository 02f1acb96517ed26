"""Recording what goes over the wire in a run, and running a plan against such a recording.

Both sit where drivers meet the I/O libraries: objects of the shape of a pyvisa resource, a pyserial port and
an smbus2 bus, of which no driver knows. Nothing here knows of the simulation.
"""
