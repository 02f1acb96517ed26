"""Addresses of a server (``HOST:PORT``, ``[IPV6]:PORT``, ``unix:PATH``) and of a module there (``/SLOT``)."""

from __future__ import annotations

import socket
from dataclasses import dataclass

_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """``path``: of a Unix socket; else ``host`` and ``port``."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def family(self) -> socket.AddressFamily:
        """The socket's address family."""
        if self.path:
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def is_local(self) -> bool:
        """Whether nobody on another machine can reach it."""
        return bool(self.path) or self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def for_socket(self) -> str | tuple[str, int]:
        """As ``bind`` and ``connect`` take it."""
        return self.path or (self.host, self.port)

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_server(text: str) -> ServerAddress:
    """An address without a slot.

    :raises ValueError: saying what is wrong with it.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path or "\0" in path:
            raise ValueError(f"{text!a}: unix: needs the path of a socket")
        return ServerAddress(path=path)
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port[:6]) > _HIGHEST_PORT:
        raise ValueError(
            f"{text!a} is no address: HOST:PORT with a port of 0 to {_HIGHEST_PORT}, or unix:PATH"
        )
    host = host.removeprefix("[").removesuffix("]")
    if not host:
        raise ValueError(f"{text!a}: which host? 127.0.0.1:{port} is this machine alone")
    return ServerAddress(host, int(port))


def parse_module(text: str) -> tuple[ServerAddress, int]:
    """An address with a slot, which may be left out (0) unless it is ``unix:PATH/SLOT``.

    :raises ValueError: saying what is wrong with it.
    """
    server, slash, slot = text.rpartition("/")
    if not slash and not text.startswith("unix:"):
        return parse_server(text), 0
    if not (slot.isascii() and slot.isdigit() and len(slot) < 6):
        raise ValueError(f"{text!a}: the slot behind the last / must be a number")
    return parse_server(server), int(slot)
