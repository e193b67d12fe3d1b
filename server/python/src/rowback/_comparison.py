"""Two states compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any


@dataclass(frozen=True)
class Change:
    """A number at both states."""

    before: float | None
    after: float | None


@dataclass(frozen=True)
class Comparison:
    """What differs between two states of a dataset (the design's "Compare"). A notebook shows it as a table.

    `columns` has the number of records that changed in each column, `categories` the number of records of each category
    at both states, and `quality` the average quality at both; None where a dataset measures none.
    """

    from_ref: str
    to_ref: str
    added: int
    removed: int
    modified: int
    records: Change
    quality: Change | None
    columns: dict[str, int]
    categories: dict[str, Change]
    schema_changes: list[dict[str, Any]]
    metadata_changes: dict[str, str]
    raw: dict[str, Any] = field(repr=False)

    @staticmethod
    def of(from_ref: str, to_ref: str, said: dict[str, Any]) -> Comparison:
        """A comparison of the server's answer."""
        quality = said.get("quality")
        return Comparison(
            from_ref=from_ref,
            to_ref=to_ref,
            added=said["entries_added"],
            removed=said["entries_removed"],
            modified=said["entries_modified"],
            records=Change(said["total_entries_v1"], said["total_entries_v2"]),
            quality=_change(quality) if quality else None,
            columns=said.get("columns") or {},
            categories={name: _change(sides) for name, sides in (said.get("categories") or {}).items()},
            schema_changes=said.get("schema_changes") or [],
            metadata_changes=said.get("metadata_changes") or {},
            raw=said,
        )

    def __str__(self) -> str:
        parts = [f"{self.from_ref}..{self.to_ref}: +{self.added} -{self.removed} ~{self.modified}"]
        if self.quality and None not in (self.quality.before, self.quality.after):
            parts.append(f"quality {_number(self.quality.before)} to {_number(self.quality.after)}")
        return ", ".join(parts)

    def _repr_html_(self) -> str:
        rows = [
            _row("added", self.added),
            _row("removed", self.removed),
            _row("modified", self.modified),
            _row("records", *_sides(self.records)),
        ]
        if self.quality:
            rows.append(_row("quality", *_sides(self.quality)))
        rows += [_row(f"changed in {name}", count) for name, count in self.columns.items()]
        rows += [_row(f"category {name}", *_sides(c)) for name, c in self.categories.items() if c.before != c.after]
        rows += [_row(f"metadata {name}", what) for name, what in self.metadata_changes.items()]
        head = f"<tr><th></th><th>{escape(self.from_ref)}</th><th>{escape(self.to_ref)}</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _change(sides: dict[str, Any]) -> Change:
    return Change(sides.get("from"), sides.get("to"))


def _sides(change: Change) -> tuple[str, str]:
    return _number(change.before), _number(change.after)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _row(name: str, *values: Any) -> str:
    """A line of the table: a value of the difference, or one of each state."""
    cells = "".join(f"<td>{escape(_number(v) if isinstance(v, int) else str(v))}</td>" for v in values)
    if len(values) == 1:
        cells = cells.replace("<td>", '<td colspan="2">', 1)
    return f"<tr><th>{escape(name)}</th>{cells}</tr>"
