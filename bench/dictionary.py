"""Train a zstd dictionary for the vault from our own published examples, into the file named.

One that a format already uses never changes, since what was sealed with it needs it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import zstandard

from backlight.signals.train import corpus

SIZE = 32 << 10


def main() -> None:
    """Write it, and say what it saves on the examples' own kind of text."""
    texts = [text.encode() for text in corpus().texts]
    trained = zstandard.train_dictionary(SIZE, texts[::2])
    plain, with_it = zstandard.ZstdCompressor(), zstandard.ZstdCompressor(dict_data=trained)
    before, after = (sum(len(kind.compress(text)) for text in texts[1::2]) for kind in (plain, with_it))
    Path(sys.argv[1]).write_bytes(trained.as_bytes())
    print(f"{sys.argv[1]}: {len(trained.as_bytes())} bytes; the other half of the examples {before} -> {after} bytes")


if __name__ == "__main__":
    main()
