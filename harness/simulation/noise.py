"""Noise that depends on what is measured and when, never on the order of asking.

A draw is a pure function of (seed, key): same seed and same key, same number, on every machine and
transport. There is no stream whose state a reordered test would disturb.
"""

from __future__ import annotations

import hashlib
import math
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_STANDARD = NormalDist()
_FEW_EVENTS = 30.0  # above this mean the normal distribution is within its own width of the Poisson
_2_52 = float(1 << 52)


class Noise:
    """Counter-based draws from one seed."""

    def __init__(self, seed: int) -> None:
        self._key = seed.to_bytes(16, "little", signed=True)

    def uniform(self, *key: str | int) -> float:
        """A number in (0, 1), uniformly distributed over keys."""
        text = "\x1f".join(map(str, key)).encode()
        digest = hashlib.blake2b(text, digest_size=8, key=self._key).digest()
        # 52 bits and a half: the largest is still below 1, where the normal distribution ends.
        return ((int.from_bytes(digest, "little") >> 12) + 0.5) / _2_52

    def normal(self, *key: str | int) -> float:
        """A standard normal number."""
        return _STANDARD.inv_cdf(self.uniform(*key))

    def deviation(self, uncertainty: float, *key: str | int) -> float:
        """How far the truth is off a stated value whose ``uncertainty`` is expanded (k = 2): one standard
        deviation is half of it, and no calibrated thing is beyond it."""
        return max(-2.0, min(2.0, self.normal(*key))) * uncertainty / 2.0

    def poisson(self, mean: float, *key: str | int) -> int:
        """How many independent rare events happened where ``mean`` were to be expected."""
        if mean <= 0.0:
            return 0
        drawn = self.uniform(*key)
        if mean > _FEW_EVENTS:
            return max(0, round(mean + math.sqrt(mean) * _STANDARD.inv_cdf(drawn)))
        count, chance = 0, math.exp(-mean)
        total = chance
        while drawn > total and chance > 0.0:
            count += 1
            chance *= mean / count
            total += chance
        return count

    def generator(self, *key: str | int) -> np.random.Generator:
        """A generator of whole arrays for one key: one trace, one block of symbols. Its numbers are those of
        the key whatever else was drawn, with one version of numpy."""
        import numpy as np  # Only what draws arrays needs it.

        text = "\x1f".join(map(str, key)).encode()
        digest = hashlib.blake2b(text, digest_size=16, key=self._key, person=b"arrays").digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
