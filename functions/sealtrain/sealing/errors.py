"""The errors that leave `sealing`: Tink's own never cross this boundary."""

from typing import ClassVar

from sealtrain.rules.errors import SealtrainError


class SealingError(SealtrainError):
    """Sealed bytes, a data key or a manifest are not what they must be: nothing may be used.

    Says what was found, what was expected and what to do; never key or data bytes.
    """

    default_code: ClassVar[str] = "sealing_refused"

    def __init__(self, field: str, *, got: str, expected: str, remedy: str) -> None:
        super().__init__(f"{field} refused", field=field, got=got, expected=expected, remedy=remedy)


class NotOpenedError(SealingError):
    """A part that does not open, measured to its end: whoever knows the parts can tell which it is."""

    def __init__(self, place: bytes, sealed_size: int, sealed_sha256: str) -> None:
        super().__init__(
            "sealed part",
            got=f"{sealed_size} bytes that do not open as {place.decode(errors='replace')}",
            expected="the part sealed for exactly this place with this key",
            remedy="fetch the part again; if it stays so, seal the dataset again",
        )
        self.sealed_size = sealed_size
        self.sealed_sha256 = sealed_sha256
