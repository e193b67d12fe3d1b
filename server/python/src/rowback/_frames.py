"""Tables of other libraries as Arrow."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, TypeAlias

import pyarrow as pa

# What records may come in: an Arrow table or reader, a frame of pandas or polars, a relation of DuckDB, a dataset of
# Hugging Face (anything that exports Arrow's C stream), dicts, or the path of a file.
Frame: TypeAlias = Any

# The formats of files that are sent as they are, by the end of their names.
_MEDIA = {
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.stream",
    ".arrows": "application/vnd.apache.arrow.stream",
    ".csv": "text/csv",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
ARROW = "application/vnd.apache.arrow.stream"
_PIECE = 1 << 20  # bytes of a file that are sent at once


def body_of(records: Frame) -> tuple[str, bytes | Iterator[bytes]]:
    """The media type of records, and their bytes. A file is read while it is sent."""
    if isinstance(records, (str, os.PathLike)):
        path = pathlib.Path(records)
        media = _MEDIA.get(path.suffix.lower())
        if media is None:
            raise ValueError(f"{path.name}: files end in one of {', '.join(_MEDIA)}")
        return media, _pieces(path.open("rb"))  # a file that can't be opened is no fault of the server's
    return ARROW, _stream(table_of(records))


def table_of(records: Frame) -> pa.Table:
    """Records as an Arrow table."""
    if isinstance(records, pa.Table):
        return records
    if isinstance(records, pa.RecordBatchReader):
        return records.read_all()
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(records, pandas.DataFrame):
        return _of_pandas(records)
    if hasattr(records, "with_format") and hasattr(records, "data"):  # a dataset of Hugging Face
        return records.with_format("arrow")[:]
    if hasattr(records, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(records).read_all()
    if hasattr(records, "arrow") and callable(records.arrow):  # a relation of DuckDB, also of older releases
        return table_of(records.arrow())
    if isinstance(records, Mapping):
        return pa.table(dict(records))
    if isinstance(records, Sequence) and not isinstance(records, (str, bytes)):
        return _of_dicts(records)
    raise TypeError(f"records are a table, a frame, dicts or the path of a file, not {type(records).__name__}")


def _of_pandas(frame: Any) -> pa.Table:
    """A pandas frame. Index levels that have names are columns; without, they only count rows and are left out."""
    named = [name for name in frame.index.names if name is not None]
    if named:
        frame = frame.reset_index(level=named)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return table.replace_schema_metadata(None)  # pandas' own notes


def _of_dicts(records: Sequence[Any]) -> pa.Table:
    """Dicts, each with the columns that it has: one that only a later record has is a column too."""
    names: dict[str, None] = {}
    for record in records:
        if not isinstance(record, Mapping):
            raise TypeError(f"a record is a dict of its columns, not {type(record).__name__}")
        names.update(dict.fromkeys(record))
    return pa.table({name: [record.get(name) for record in records] for name in names})


def _stream(table: pa.Table) -> bytes:
    """A table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
