"""The policy of a running guard: a reload that fails changes nothing."""

from __future__ import annotations

from pathlib import Path

from backlight.errors import PolicyError
from backlight.policy._load import load
from backlight.policy._model import Policy


class PolicyHolder:
    """Holds the last good policy of one file.

    Args:
        path: the policy file.

    Attributes:
        policy: what the guard works by.
        failed: why the last reload changed nothing; None after a good one.

    Raises:
        PolicyError: the policy does not load at the start, when there is no last good one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.policy: Policy = load(self.path)
        self.failed: PolicyError | None = None

    def reload(self) -> bool:
        """Read the file again; returns whether it loaded. If not, the policy stays and `failed` says why."""
        try:
            self.policy = load(self.path)
        except PolicyError as error:
            self.failed = error
            return False
        self.failed = None
        return True
