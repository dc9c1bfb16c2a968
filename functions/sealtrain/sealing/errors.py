"""The one error that leaves `sealing`: Tink's own never crosses this boundary."""

from typing import ClassVar

from sealtrain.rules.errors import SealtrainError


class SealingError(SealtrainError):
    """Sealed bytes, a data key or a manifest are not what they must be: nothing may be used.

    Says what was found, what was expected and what to do; never key or data bytes.
    """

    default_code: ClassVar[str] = "sealing_refused"

    def __init__(self, field: str, *, got: str, expected: str, remedy: str) -> None:
        super().__init__(f"{field} refused", field=field, got=got, expected=expected, remedy=remedy)
