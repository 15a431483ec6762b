"""Readers of logs, exports, posts and side tables: one file per format.

`walk` finds the files, `detect` tells the format of one, `records` cuts it into records, `Format.parse` makes items of a
record. For JSONL, `chunks` and `Format.parse_lines` do the same many lines at a time, in worker processes.
"""

from __future__ import annotations

import importlib
import pkgutil

from backlight.sources._containers import Opened, open_source, records
from backlight.sources._detect import Detection, detect, format_named
from backlight.sources._format import FORMATS, Chunk, Context, Flaw, Format, Parsed, Raw, Reject, Rule, source
from backlight.sources._items import Conversation, Exchange, Identifier, Item, Message, PlatformAccount, Post
from backlight.sources._lines import chunks
from backlight.sources._mapping import Mapping, load_mapping
from backlight.sources._streams import Stream, open_stream
from backlight.sources._walk import STDIN, Found, walk
from backlight.sources._zip import on_disk

__all__ = [
    "FORMATS", "STDIN", "Chunk", "Context", "Conversation", "Detection", "Exchange", "Flaw", "Format", "Found",
    "Identifier", "Item", "Mapping", "Message", "Opened", "Parsed", "PlatformAccount", "Post", "Raw", "Reject", "Rule",
    "Stream", "chunks", "detect", "format_named", "load_mapping", "on_disk", "open_source", "open_stream", "records", "source",
    "walk",
]  # fmt: skip

for _module in pkgutil.iter_modules(__path__):  # a format registers itself: a new one is a new file and nothing else
    if not _module.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_module.name}")
