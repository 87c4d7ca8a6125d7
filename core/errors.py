"""What can go wrong, in words a person can act on.

Every error of Lookback derives from LensError and is built from three facts: what was expected, what came, and what to do.
"""

from __future__ import annotations


class LensError(Exception):
    """Base of all of Lookback's own errors. `str(error)` is a sentence that can be shown on screen."""

    advice = "Try something else"  # what a person can do, where the code that raises gives no other advice

    def __init__(self, expected: str, got: str, todo: str = "") -> None:
        self.expected, self.got, self.todo = (_plain(part) for part in (expected, got, todo or self.advice))
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        return f"Expected {self.expected}, but got {self.got.rstrip('.')}. {self.todo.rstrip('.')}."


class InputError(LensError, ValueError):
    """A text or a list of ids that cannot be read: empty, not text, an id outside the vocabulary."""

    advice = "Change the text"


class TooLongError(InputError):
    """Too many tokens for the model, too many characters of a text, or too many cells of a mask. Nothing is ever cut silently."""

    advice = "Shorten the text"


class RequestError(LensError, ValueError):
    """A request that contradicts itself or the model: an unknown keep, a target for an encoder, a temperature of 0."""

    advice = "Change the request"


class MaskError(RequestError):
    """A mask that cannot be used: an unknown name, a missing width, a row with nothing left to look at."""

    advice = "Choose another mask"


class NoSuchHeadError(RequestError):
    """A stream, layer, head or position that this model or this text does not have."""

    advice = "Choose one that is there"


class NotKeptError(RequestError):
    """An array that a trace does not hold, because its request did not ask to keep it."""

    advice = "Add it to keep in the request"


class NotAPredictor(RequestError):
    """The model has no output head, or needs a position to predict at."""

    advice = "Choose a model with an output head"


class ModelError(LensError):
    """Base of everything that can go wrong with a model itself."""

    advice = "Choose another model"


class ModelNotFoundError(ModelError, LookupError):
    """No shipped model, folder or file of that name."""


class HubUnreachableError(ModelNotFoundError):
    """A model of the hub that is not on this machine, while the hub cannot be reached."""


class ModelFileError(ModelError):
    """Files that are missing, truncated, corrupt, unsafe, or that disagree with their configuration."""

    advice = "Copy the model again"


class UnsupportedModelError(ModelError):
    """A family whose attention cannot be watched or changed without touching its code."""


class ModelTooLargeError(ModelError):
    """Weights beyond the budget that the server's owner set."""


class DeviceError(ModelError):
    """A device or number format that this machine does not have."""

    advice = 'Use "auto"'


def _plain(text: str, limit: int = 400) -> str:
    """Make outside text safe to show: printable characters only, and not too many of them."""
    # one character more than is shown, so that we still see that the text was longer; the rest need not be read
    cleaned = "".join(ch if ch.isprintable() else "\N{REPLACEMENT CHARACTER}" for ch in str(text)[: limit + 1])
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"
