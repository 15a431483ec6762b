"""Every error Backlight raises on purpose.

    BacklightError
     |- RequestError        the request was wrong; nothing was written (exit 2)
     |   |- UnknownFormat    no reader is sure enough of a file named by hand
     |   |- PolicyError      a policy does not load
     |   |- LimitError       a limit of Backlight on its owner refused it
     |- RecordError          one record cannot become a row; it goes to rejects
     |- StoreError           the workspace is not as it should be
     |   |- KeyMissing       no key, or the wrong one
     |   |- Locked           another process writes
     |- CheckFailed          the work is done, but a check fell short (exit 1)

A message says what was wrong, what was expected and what to do, in that order.
"""

from __future__ import annotations


class BacklightError(Exception):
    """What Backlight raises on purpose: `wrong`, `expected` and `todo`, joined into one message.

    Attributes:
        wrong: what was found.
        expected: what should have been there; may be empty.
        todo: what the reader can do about it; may be empty.
    """

    exit_code = 2

    def __init__(self, wrong: str, expected: str = "", todo: str = "") -> None:
        self.wrong, self.expected, self.todo = wrong, expected, todo
        parts = (wrong, expected and f"expected {expected}", todo)
        super().__init__("; ".join(part.rstrip(".") for part in parts if part))


class RequestError(BacklightError):
    """The request was wrong; nothing was written."""


class UnknownFormat(RequestError):
    """No reader is sure enough of a file that was named by hand."""


class PolicyError(RequestError):
    """A policy does not load; a running guard keeps the last good one."""


class LimitError(RequestError):
    """A limit that Backlight sets its owner refused the request."""


class RecordError(BacklightError):
    """One record cannot become a row; ingest puts it into rejects with this reason and goes on."""


class StoreError(BacklightError):
    """The workspace is not as it should be."""


class KeyMissing(StoreError):
    """The workspace's key is missing or is another workspace's."""


class Locked(StoreError):
    """Another process holds the workspace's writer lock."""


class CheckFailed(BacklightError):
    """The work is done and stored, but a check fell short of its limit."""

    exit_code = 1
