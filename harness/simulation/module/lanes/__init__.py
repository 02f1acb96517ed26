"""Light and bits of a simulated module's lanes: lasers, receivers, signal paths."""
