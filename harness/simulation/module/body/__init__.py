"""A simulated module as a body: its supply, its temperature, what it consumes."""
