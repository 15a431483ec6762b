"""Reads one Parquet file on standard input and writes its rows as lines of JSON; runs as a process of its own.

A Parquet file of a stranger can name any size it likes, and its decoder is C++: so it gets a measure of memory and no more,
and when it dies it takes nothing with it. `#group N` goes before the rows of a group, `#end` after the last row.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

BATCH = 256


def main(rows: int) -> None:
    """Writes the rows, at most `rows` of them (0: all)."""
    import msgspec
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    out, left = sys.stdout.buffer, rows or 1 << 62
    file = pq.ParquetFile(pa.PythonFile(sys.stdin.buffer, mode="r"), memory_map=False, pre_buffer=False)
    encode = msgspec.json.Encoder(enc_hook=str).encode
    for group in range(file.num_row_groups):
        out.write(b"#group %d\n" % group)
        for batch in file.iter_batches(BATCH, row_groups=[group], use_threads=False):
            for row in _plain(batch).to_pylist()[:left]:
                out.write(encode(row) + b"\n")
            left -= batch.num_rows
            if left <= 0:
                break
        if left <= 0:
            break
    out.write(b"#end\n")
    out.flush()


def _plain(batch: Any) -> Any:
    """The batch with times in microseconds and bytes as text, which Python and JSON know."""
    import pyarrow as pa

    arrays = []
    for column in batch.columns:
        kind = column.type
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            column = column.cast(pa.timestamp("us", kind.tz), safe=False)
        elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            column = _text(column)
        elif pa.types.is_dictionary(kind):
            column = column.dictionary_decode()
        arrays.append(column)
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _text(column: Any) -> Any:
    import pyarrow as pa

    try:
        return column.cast(pa.large_string())
    except pa.ArrowInvalid:
        return column  # JSON gets it in base 64


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        main(int(sys.argv[1]))
    except MemoryError:
        sys.exit(3)
    except Exception:  # whatever a hostile file does, the parent learns that it cannot be read
        sys.exit(2)
