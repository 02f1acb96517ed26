"""The host's side of a simulated module's memory: two-wire interface, registers, flags."""
