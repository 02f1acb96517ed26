"""The simulated bench: a world with virtual time, a simulated module and one peer per instrument model."""
