"""What the module under test sends on its media side: the host's traffic, or a pattern of its own generator.

A pattern stays on from one acquisition to the next that needs it, for starting one costs half a second and a
few tens of transactions; so equal states that stand together in the matrix cost nothing. Whoever measures
says what it needs first, also where that is traffic.
"""

from __future__ import annotations

from drivers.cmis.diagnostics import Side
from drivers.cmis.errors import NotAdvertisedError
from drivers.cmis.module import CmisModule
from drivers.cmis.module_prbs import ModulePrbs
from harness.judging.measured import NotOffered

TRAFFIC = "traffic"
"""Framed, from the host, through the module."""


class ModuleTraffic:
    """Of one module; nothing is asked of it before the first pattern."""

    def __init__(self, module: CmisModule) -> None:
        self._module = module
        self._prbs: ModulePrbs | None = None
        self._standing = TRAFFIC

    @property
    def standing(self) -> str:
        """What all media lanes send."""
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
        """Have all media lanes send this from now on: :data:`TRAFFIC`, or a pattern (``SSPRQ``). What the
        module cannot send is the answer, and nothing was changed then.

        :raises CmisError: when the module does not do as it must.
        """
        if what == self._standing:
            return None
        if what == TRAFFIC:
            self.restore()
            return None
        offered = self.offered()
        if what not in offered:
            has = f"it sends {', '.join(offered)}" if offered else "it has none"
            return NotOffered(f"the module's media side generator does not send {what}; {has} (page 13h)")
        generator = self._generator()
        self._standing = TRAFFIC  # unknown until it is started
        generator.start_pattern(what, check=False)
        self._standing = what
        return None

    def restore(self) -> None:
        """Back to the host's traffic.

        :raises CmisError: when the module does not do as it must.
        """
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
