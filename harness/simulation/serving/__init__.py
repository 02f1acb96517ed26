"""A whole simulated bench served on sockets and pseudo terminals: see docs/simulation.md."""
