"""A dialect from another package: its errors name it, and what it returns is checked."""

from dataclasses import dataclass
from typing import Any

from transforms.culprits import WrongAnswer, calling
from transforms.text.grounded_caption import CannotCarry, Dialect, GroundedCaption


@dataclass(frozen=True)
class PluginDialect:
    """Calls a dialect. Its other attributes are those of the dialect. called: its name in the configuration.

    Raises:
      PluginError: the dialect raises an exception that its contract does not allow, or returns something else.
    """

    dialect: Dialect
    called: str

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "dialect":  # asked by pickle before there are fields
            raise AttributeError(name)
        with calling(f"text.dialect: {self.called}: {name}", passing=(AttributeError,)):
            return getattr(self.dialect, name)

    def error(self, width: int, height: int) -> tuple[float, float]:
        """See `Dialect`."""
        with calling(f"text.dialect: {self.called}: error"):
            return self.dialect.error(width, height)

    def encode(self, grounded: GroundedCaption) -> str:
        """See `Dialect`."""
        with calling(f"text.dialect: {self.called}: encode", passing=(CannotCarry,)):
            text = self.dialect.encode(grounded)
            if not isinstance(text, str):
                raise WrongAnswer(f"it returned {text!r}, not a text")
            text.encode()  # raises UnicodeEncodeError for a lone surrogate
            return text

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """See `Dialect`."""
        with calling(f"text.dialect: {self.called}: decode", passing=(ValueError,)):
            decoded = self.dialect.decode(text, width, height)
            if not isinstance(decoded, GroundedCaption):
                raise WrongAnswer(f"it returned {decoded!r}, not a GroundedCaption")
            return decoded
