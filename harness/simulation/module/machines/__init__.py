"""The state machines of a simulated module and what configures them."""
