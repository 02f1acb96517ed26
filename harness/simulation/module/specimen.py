"""What differs between specimens of one profile."""

from __future__ import annotations

from collections.abc import Callable

from harness.simulation.module.profile import Profile
from harness.simulation.noise import Noise


def draws_of(profile: Profile, specimen: int) -> Callable[..., float]:
    """``uniform(*key)`` in (0, 1): the same for the same specimen, on whatever bench it is."""
    noise = Noise(specimen)
    return lambda *key: noise.uniform(profile.name, *key)
