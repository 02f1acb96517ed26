"""What the module under test sends on its media side: the host's traffic, or a pattern of its own generator.

A pattern stays on from one acquisition to the next that needs it, for starting one costs half a second and a
few tens of transactions; so equal states that stand together in the matrix cost nothing. Whoever measures
says what it needs first, also where that is traffic.
"""

from __future__ import annotations

from drivers.cmis.diagnostics import Side
from drivers.cmis.diagnostics.patterns import USER_PATTERN
from drivers.cmis.errors import NotAdvertisedError
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from harness.judging.measured import NotOffered

TRAFFIC = "traffic"
"""Framed, from the host, through the module."""
SQUARE_WAVE = "square wave"
"""Eight threes and eight zeros, as the generator's user pattern."""
_UNKNOWN = "unknown"
"""After a fault in the middle of a change: whatever is wanted next is set anew."""
_USER_PATTERNS = {SQUARE_WAVE: bytes((0xAA, 0xAA, 0x00, 0x00))}
"""Two bits to a symbol, the most significant first, Gray coded: 10 is a three. That generators take the bits
in this order is uncertain: who measures has to look whether these levels arrive."""


class ModuleTraffic:
    """Of one module; nothing is asked of it before the first pattern."""

    def __init__(self, module: CmisModule) -> None:
        self._module = module
        self._prbs: ModulePrbs | None = None
        self._standing = TRAFFIC

    @property
    def standing(self) -> str:
        """What all media lanes send; ``unknown`` after a fault while that was changed."""
        return self._standing

    def offered(self) -> tuple[str, ...]:
        """Patterns of the media side generator (13h); empty without one.

        :raises CmisError: when the module does not answer as it must.
        """
        try:
            return self._generator().generator_patterns
        except NotAdvertisedError:
            return ()

    def require(self, what: str) -> NotOffered | None:
        """Have all media lanes send this from now on: :data:`TRAFFIC`, :data:`SQUARE_WAVE`, or a pattern
        (``SSPRQ``). What the module cannot send is the answer, and nothing was changed then.

        :raises CmisError: when the module does not do as it must.
        """
        if what == self._standing:
            return None
        if what == TRAFFIC:
            self.restore()
            return None
        offered = self.offered()
        own = _USER_PATTERNS.get(what)
        pattern = what if own is None else USER_PATTERN
        if pattern not in offered:
            has = f"it sends {', '.join(offered)}" if offered else "it has none"
            return NotOffered(f"the module's media side generator does not send {pattern}; {has} (page 13h)")
        generator = self._generator()
        length = generator.diagnostics.capabilities.user_pattern_bytes
        if own is not None and length % len(own):
            return NotOffered(f"the module's user pattern of {length} bytes does not hold a {what}")
        self._standing = _UNKNOWN
        if own is not None:
            generator.diagnostics.user_pattern(own)
        generator.start_pattern(pattern, check=False)
        self._standing = what
        return None

    def restore(self) -> None:
        """Back to the host's traffic.

        :raises CmisError: when the module does not do as it must.
        """
        self._standing = _UNKNOWN
        if self._prbs is not None:
            self._prbs.restore()
        self._standing = TRAFFIC

    def forget(self) -> None:
        """The module was reset or powered anew: it sends traffic, and its generators are as at power-on."""
        self._prbs = None
        self._standing = TRAFFIC

    def _generator(self) -> ModulePrbs:
        if self._prbs is None:
            self._prbs = ModulePrbs(self._module, side=Side.MEDIA)
        return self._prbs
