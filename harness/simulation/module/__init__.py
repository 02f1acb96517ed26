"""The simulated module: a register-level model of a CMIS module and of the board it is plugged into."""
