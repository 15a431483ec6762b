"""How much a compressed file may become."""

from __future__ import annotations

FREE = 256 << 20
"""Bytes that a compressed file may always expand to; beyond them `RATIO` holds."""

RATIO = 400
"""Most bytes that one compressed byte may become. Logs expand 10- to 100-fold, bombs a thousandfold and more."""
