"""Passwords: bytes that no repr, no text and no error shows."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["PASSWORD_BYTES", "Secret"]

PASSWORD_BYTES = 4


class Secret:
    """A few bytes that are shown only to who calls :meth:`reveal`. Cannot be pickled.

    A password is made of an integer (0..FFFFFFFFh; default of modules: 00001011h, OIF-CMIS-05.4 §8.2) or
    of 4 bytes by :meth:`password`.
    """

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = bytes(data)

    @classmethod
    def password(cls, value: int | bytes | Secret) -> Secret:
        """A password of 32 bits.

        :raises ValueError: when it does not have 32 bits; the text does not show it.
        """
        if isinstance(value, Secret):
            data = value.reveal()
        elif isinstance(value, bytes):
            data = value
        else:
            data = value.to_bytes(PASSWORD_BYTES, "big") if 0 <= value <= 0xFFFFFFFF else b""
        if len(data) != PASSWORD_BYTES:
            raise ValueError(
                f"a module's password is an integer from 0 to FFFFFFFFh, or {PASSWORD_BYTES} bytes; what was "
                "given is neither (it is not shown)"
            )
        return cls(data)

    def reveal(self) -> bytes:
        """The bytes."""
        return self._data

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"<{len(self._data)} secret bytes>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written to files")
