"""What all error detectors have in common that stand at a module's host side."""

from __future__ import annotations

__all__ = ["HostSideBert"]


class HostSideBert:
    """To be inherited beside the instrument: it sends to the module as a host does, and counts what the
    module sends to the host. What has a pattern both sends and checks it."""

    @property
    def plane(self) -> str:
        """Where it counts: ``TP4``, the module's signal to the host."""
        return "TP4"

    @property
    def generator_plane(self) -> str:
        """Where its pattern is sent from: ``TP1a``, the host's signal to the module."""
        return "TP1a"

    @property
    def self_measured(self) -> bool:
        """No: it is no part of the module."""
        return False

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns that it both sends and checks."""
        raise NotImplementedError

    @property
    def generator_patterns(self) -> tuple[str, ...]:
        """As :attr:`patterns`."""
        return self.patterns

    @property
    def checker_patterns(self) -> tuple[str, ...]:
        """As :attr:`patterns`."""
        return self.patterns
