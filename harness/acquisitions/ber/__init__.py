"""Bit errors: patterns, frames, floors and soak, by the module's checkers and by the host's."""
