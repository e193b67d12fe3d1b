"""Records that a server answers, in the library of one's choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ._http import Connection

if TYPE_CHECKING:
    import datasets
    import duckdb
    import pandas
    import polars

_SHOWN = 10  # records that a notebook shows


class Records:
    """The answer to a request for records. It is asked for anew by each method, and nothing is kept.

    Arrow's C stream is exported, so that `polars.from_arrow`, `duckdb.from_arrow`, `pyarrow.table` and others take it.
    """

    def __init__(self, connection: Connection, path: str, params: Mapping[str, Any]) -> None:
        self._connection, self._path, self._params = connection, path, dict(params)

    @contextmanager
    def reader(self) -> Iterator[pa.RecordBatchReader]:
        """The records as a reader of batches, as they come in: for more than memory holds.

        with records.reader() as batches: ...
        """
        params = {**self._params, "format": "arrow"}
        with self._connection.open("GET", self._path, params=params) as answer:
            with pa.ipc.open_stream(answer) as stream:
                yield stream

    def to_arrow(self) -> pa.Table:
        """A pyarrow table."""
        with self.reader() as batches:
            return batches.read_all()

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """A pandas frame. The options are those of pyarrow's `Table.to_pandas`."""
        frame: pandas.DataFrame = self.to_arrow().to_pandas(**options)
        return frame

    def to_polars(self) -> polars.DataFrame:
        """A polars frame."""
        import polars

        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def to_duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """A relation of DuckDB, of a connection or the default one."""
        import duckdb

        return duckdb.from_arrow(self.to_arrow(), connection=connection or duckdb.default_connection())

    def to_dataset(self) -> datasets.Dataset:
        """A dataset of Hugging Face's `datasets`."""
        import datasets

        return datasets.Dataset(datasets.table.InMemoryTable(self.to_arrow()))

    def to_pylist(self) -> list[dict[str, Any]]:
        """The records as dicts."""
        rows: list[dict[str, Any]] = self.to_arrow().to_pylist()
        return rows

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        return _html(self.to_arrow())


class Diff(Records):
    """The records that differ between two states, one row each.

    A frame has `_change` (`added`, `removed` or `modified`), the key, and each other column twice, `before.name` and
    `after.name`. `reader` has them as the server sends them: two structs, `before` and `after`.
    """

    def __init__(self, connection: Connection, path: str, params: Mapping[str, Any], key: list[str]) -> None:
        super().__init__(connection, path, params)
        self._key = key

    def to_arrow(self) -> pa.Table:
        return _side_by_side(super().to_arrow(), self._key)


def _side_by_side(table: pa.Table, key: list[str]) -> pa.Table:
    """A difference whose structs before and after are columns, the two of one name beside each other."""
    columns = {name: table[name] for name in table.column_names if name not in ("before", "after")}
    sides = {side: {f.name for f in table.schema.field(side).type} for side in ("before", "after")}
    names = [f.name for f in table.schema.field("after").type]
    names += [f.name for f in table.schema.field("before").type if f.name not in sides["after"]]
    for name in names:
        if name in key:
            continue
        for side in ("before", "after"):
            if name in sides[side]:
                columns[f"{side}.{name}"] = pc.struct_field(table[side], [_place(table.schema.field(side).type, name)])
    return pa.table(columns)


def _place(struct: pa.StructType, name: str) -> int:
    """Where a struct has a field. Names of fields may have dots, so that they are not looked up by path."""
    place: int = struct.get_field_index(name)
    return place


def _html(table: pa.Table) -> str:
    """The first records as a table of HTML."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.column_names)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row.values()) + "</tr>"
        for row in table.slice(0, _SHOWN).to_pylist()
    )
    more = f"<p>{table.num_rows:,} records, the first {_SHOWN} shown</p>" if table.num_rows > _SHOWN else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
