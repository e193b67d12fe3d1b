"""One dataset: its commits, states, versions and forks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from http.client import HTTPResponse
from typing import Any, TypeAlias, TypeVar

from ._comparison import Comparison
from ._frames import Frame, body_of
from ._http import Connection
from ._records import Diff, Records

# What names a state: "head", a commit or its id, a version ("1.0.1"), a savepoint, a tag, a time, or one of these and
# "~n", n commits earlier.
Ref: TypeAlias = "str | int | Commit | Version"


@dataclass(frozen=True)
class Commit:
    """One change of a dataset. `raw` is the server's whole answer."""

    id: int
    mode: str
    message: str
    user: str
    created_at: str
    records_added: int
    records_removed: int
    records_modified: int
    records_total: int
    parent_commit_id: int | None
    rollback_commit_id: int | None
    hash: str
    metadata: dict[str, Any]
    raw: dict[str, Any] = field(repr=False, compare=False)

    def __str__(self) -> str:
        changes = f"+{self.records_added} -{self.records_removed} ~{self.records_modified}"
        out = (self.raw.get("rejected") or {}).get("count", 0)
        left_out = f"; {out} left out, see raw['rejected']" if out else ""
        return f"commit {self.id}: {self.mode} {changes}, {self.records_total} records{left_out}"


@dataclass(frozen=True)
class Blocked:
    """A later commit that is in the way of a rollback, and the records that both touched."""

    commit: Commit
    overlapping_records: int


@dataclass(frozen=True)
class Rollback:
    """Whether a commit can be rolled back, and what is in the way, in the order in which to undo it."""

    is_blocked: bool
    detail: str
    blocking: list[Blocked]


@dataclass(frozen=True)
class Version:
    """A semantic version, which names a commit."""

    version: str
    commit_id: int
    is_active: bool
    description: str
    created_at: str
    raw: dict[str, Any] = field(repr=False, compare=False)


class Dataset:
    """A dataset of a server, by its id. It holds no records: each method asks."""

    def __init__(self, connection: Connection, about: Mapping[str, Any]) -> None:
        self._connection = connection
        self.id: str = about["id"]
        self.name: str = about["name"]
        self.project_id: int = about["project_id"]
        self.key: list[str] = list(about.get("key") or [])
        self._path = f"/api/v1/datasets/{self.id}"

    def __repr__(self) -> str:
        return f"<rowback dataset {self.name!r}>"

    def about(self) -> dict[str, Any]:
        """What the server says of the dataset now: its head, records, properties."""
        said: dict[str, Any] = self._connection.ask("GET", self._path)
        return said

    # Changes. Each is a commit; with dry_run, only what it would be is answered.

    def append(self, records: Frame = None, **options: Any) -> Commit:
        """Adds records. A key that is live already, or comes twice, refuses all."""
        return self.commit("append", records, **options)

    def overwrite(self, records: Frame = None, **options: Any) -> Commit:
        """Replaces whole records with the same key, and adds the others."""
        return self.commit("overwrite", records, **options)

    def upsert(self, records: Frame = None, **options: Any) -> Commit:
        """Changes the columns that come in records with the same key, and adds the others."""
        return self.commit("upsert", records, **options)

    def replace(self, records: Frame = None, **options: Any) -> Commit:
        """Takes the records as the whole dataset: other keys are removed."""
        return self.commit("replace", records, **options)

    def delete(self, keys: Frame = None, *, where: str | None = None, **options: Any) -> Commit:
        """Removes the records with these keys, which may be in files, or those that a condition in SQL selects."""
        if sum(given is not None for given in (keys, where, options.get("files"))) != 1:
            raise TypeError("delete takes keys, files= or a condition (where=), one of them")
        return self.commit("delete", keys, where=where, **options)

    def commit(
        self,
        mode: str,
        records: Frame = None,
        *,
        files: Sequence[str] | None = None,
        message: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        lineage: Mapping[str, Any] | None = None,
        schema: str | None = None,
        expected_head: int | Commit | None = None,
        where: str | None = None,
        on_error: str | None = None,
        dry_run: bool = False,
    ) -> Commit:
        """Changes the dataset by records in a mode: append, overwrite, upsert, replace or delete.

        Records are a table or reader of Arrow, a frame of pandas or polars, a relation of DuckDB, a dataset of Hugging
        Face, dicts, or the path of a file, which is sent as it is. schema="strict" refuses columns that are new or
        missing, and expected_head a head that has moved (Conflict). lineage says what the records were made from: inputs
        such as "employees@1.0.1", models, prompts, parameters, code, run. The file of a path becomes a source by itself,
        with its name, size and checksum. on_error="collect" leaves out the records that can't be committed: they are in
        the `raw["rejected"]` of the commit.

        In place of records, files are addresses of Parquet files that a job wrote into the store's incoming/: the
        server reads them by itself, all as one commit.
        """
        headers, body = {}, None
        if sum(given is not None for given in (records, files, where)) != 1:
            raise TypeError("commit takes records, files= or, to delete, a condition (where=), one of them")
        if records is not None:
            headers["Content-Type"], body = body_of(records)
        if files is not None:
            headers["Content-Type"], body = "application/json", json.dumps({"files": list(files)}).encode()
        params = {
            "mode": mode,
            "message": message,
            "metadata": _metadata(metadata, lineage),
            "source": os.path.basename(os.fspath(records)) if isinstance(records, (str, os.PathLike)) else None,
            "schema": schema,
            "expected_head": expected_head.id if isinstance(expected_head, Commit) else expected_head,
            "where": where,
            "on_error": on_error,
            **_dry(dry_run),
        }
        with self._connection.open("POST", f"{self._path}/commits", body, headers, params) as answer:
            return _commit(_json(answer))

    def rollback(
        self, commit: int | Commit, *, policy: str = "stack", cascade: bool = False, dry_run: bool = False
    ) -> Commit:
        """Undoes a commit. One that is blocked raises Conflict, whose problem has the `blocking_commits`; cascade undoes
        those too. The policy "records" looks only at records that both touched."""
        path, body = f"{self._path}/commits/{_id(commit)}/rollback", {"policy": policy, "cascade": cascade}
        return _commit(self._connection.ask("POST", path, body, _dry(dry_run)))

    def check_rollback(self, commit: int | Commit, *, policy: str = "stack") -> Rollback:
        """Asks whether a commit can be rolled back, and changes nothing."""
        said = self._connection.ask("GET", f"{self._path}/commits/{_id(commit)}/rollback", params={"policy": policy})
        blocking = [Blocked(_commit(b), b["overlapping_records"]) for b in said["blocking_commits"]]
        return Rollback(said["is_blocked"], said["detail"], blocking)

    def restore(self, ref: Ref, *, dry_run: bool = False) -> Commit:
        """Goes back to a state, as one commit."""
        return _commit(self._connection.ask("POST", f"{self._path}/restore", {"ref": _ref(ref)}, _dry(dry_run)))

    # States.

    def data(
        self,
        ref: Ref = "head",
        *,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        order_by: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        tags: bool = False,
    ) -> Records:
        """The records at a state: `.to_pandas()`, `.to_polars()`, `.to_arrow()`, `.to_duckdb()`, `.to_dataset()`.

        With tags, each has the id of the commit that wrote it, `_commit`, and the `_id` that the server gave it.
        """
        if columns is None and not tags:
            columns = self.columns(ref)
        params = {
            "ref": _ref(ref),
            "columns": _list(columns),
            "where": where,
            "order_by": order_by,
            "limit": limit,
            "offset": offset,
        }
        return Records(self._connection, f"{self._path}/data", params)

    def columns(self, ref: Ref = "head") -> list[str]:
        """The names of the columns at a state."""
        return [column["name"] for column in self.schema(ref)]

    def schema(self, ref: Ref = "head") -> list[dict[str, Any]]:
        """The columns at a state, each with its name, type, field id, and whether it is of the key."""
        said = self._connection.ask("GET", f"{self._path}/schema", params={"ref": _ref(ref)})
        columns: list[dict[str, Any]] = said["columns"]
        return columns

    def compare(self, from_ref: Ref, to_ref: Ref = "head", *, to: Dataset | None = None) -> Comparison:
        """How two states differ, in numbers. `to` is a fork, or the upstream, that the second is of."""
        sides = self._sides(from_ref, to_ref, to)
        said = self._connection.ask("GET", f"{self._path}/compare", params=sides)
        return Comparison.of(str(sides["from"]), str(sides["to"]), said)

    def diff(
        self,
        from_ref: Ref,
        to_ref: Ref = "head",
        *,
        change: Sequence[str] | None = None,
        to: Dataset | None = None,
    ) -> Diff:
        """The records that differ between two states. change: some of "added", "removed", "modified"."""
        params = {**self._sides(from_ref, to_ref, to), "change": _list(change)}
        return Diff(self._connection, f"{self._path}/diff", params, self.key)

    def _sides(self, from_ref: Ref, to_ref: Ref, to: Dataset | None) -> dict[str, Any]:
        return {"from": _ref(from_ref), "to": _ref(to_ref), "to_dataset": to.id if to else None}

    def log(self, limit: int | None = None) -> Iterator[Commit]:
        """The commits, newest first. They are asked for as they are read."""
        cursor, left = None, limit
        while left is None or left > 0:
            page = 100 if left is None else min(left, 100)
            said = self._connection.ask("GET", f"{self._path}/commits", params={"limit": page, "cursor": cursor})
            yield from map(_commit, said["commits"])
            cursor = said.get("next_cursor")
            if not cursor:
                return
            left = None if left is None else left - page

    def history(self, key: Any, ref: Ref = "head") -> list[dict[str, Any]]:
        """The commits that changed one record, newest first, with the record before and after each. A key of several
        columns is a dict."""
        said = self._connection.ask("GET", f"{self._path}/history", params={"key": key, "ref": _ref(ref)})
        changes: list[dict[str, Any]] = said["history"]
        return changes

    def lineage(self, ref: Ref = "head") -> dict[str, Any]:
        """What a state was made from: its sources, inputs, models, prompts, parameters, code and run."""
        said = self._connection.ask("GET", f"{self._path}/lineage", params={"ref": _ref(ref)})
        made: dict[str, Any] = said["lineage"]
        return made

    def lineage_graph(self, ref: Ref | None = None, *, direction: str = "both", depth: int = 3) -> dict[str, Any]:
        """The datasets that a state was made from (direction "upstream") and those made from it ("downstream"): `nodes`,
        and `edges` between their places. Without a ref, the head is asked upstream, and all states downstream."""
        params = {"ref": None if ref is None else _ref(ref), "direction": direction, "depth": depth}
        graph: dict[str, Any] = self._connection.ask("GET", f"{self._path}/lineage/graph", params=params)
        return graph

    # Names of states.

    def version(
        self,
        kind: str = "patch",
        description: str = "",
        *,
        ref: Ref = "head",
        metadata: Mapping[str, Any] | None = None,
        lineage: Mapping[str, Any] | None = None,
    ) -> Version:
        """Gives a state the next semantic version: kind is patch, minor, major, or auto, which asks the changes. lineage
        says what the state was made from, as in `commit`."""
        body: dict[str, Any] = {"version_type": kind, "description": description, "ref": _ref(ref)}
        said = _metadata(metadata, lineage)
        if said is not None:
            body["metadata"] = said
        body |= {"project_id": self.project_id, "dataset_name": self.name}
        made = self._connection.ask("POST", "/api/v1/datasets/versions/increment", body)
        return next(v for v in self.versions() if v.version == made["new_version"])

    def versions(self) -> list[Version]:
        """The versions, oldest first."""
        said = self._connection.ask("GET", f"{self._path}/refs")
        return [_of(Version, v) for v in said["versions"]]

    def savepoint(self, description: str) -> dict[str, Any]:
        """Bookmarks the head. Where nothing has changed since the last savepoint, that is the answer."""
        made: dict[str, Any] = self._connection.ask("POST", f"{self._path}/savepoints", {"description": description})
        return made

    def tag(self, name: str, ref: Ref = "head", description: str = "") -> dict[str, Any]:
        """Gives a state a name, which may be moved later."""
        body = {"name": name, "ref": _ref(ref), "description": description}
        made: dict[str, Any] = self._connection.ask("POST", f"{self._path}/tags", body)
        return made

    # Working together.

    def fork(self, name: str, ref: Ref = "head", description: str = "") -> Dataset:
        """A new dataset with the history of this one up to a state."""
        body = {"name": name, "ref": _ref(ref), "description": description}
        return Dataset(self._connection, self._connection.ask("POST", f"{self._path}/forks", body))

    def merge(
        self, source: Dataset | str, *, on_conflict: str | None = None, dry_run: bool = False
    ) -> dict[str, Any]:
        """Plays what a fork, or the upstream, has and this dataset lacks. The source is a dataset or its name. A conflict
        raises Conflict, whose problem has the `conflicts`; on_conflict settles them, for "ours" or "theirs"."""
        body: dict[str, Any] = {"source": source if isinstance(source, str) else source.id}
        if on_conflict:
            body["on_conflict"] = on_conflict
        merged: dict[str, Any] = self._connection.ask("POST", f"{self._path}/merges", body, _dry(dry_run))
        return merged

    def drop(self) -> None:
        """Deletes the dataset. Until vacuum removes its files, an administrator can bring it back."""
        self._connection.ask("DELETE", self._path)


def _json(answer: HTTPResponse) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(answer.read())
    return said


_T = TypeVar("_T", Commit, Version)


def _of(kind: type[_T], said: dict[str, Any]) -> _T:
    """An object of an answer; what the class does not name is in raw."""
    known: dict[str, Any] = {f.name: said.get(f.name) for f in fields(kind) if f.name != "raw"}
    return kind(**known, raw=said)


def _commit(said: dict[str, Any]) -> Commit:
    return _of(Commit, said)


def _id(commit: int | Commit) -> int:
    return commit.id if isinstance(commit, Commit) else commit


def _metadata(metadata: Mapping[str, Any] | None, lineage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Metadata as the API takes it, with the lineage in it."""
    if lineage is None:
        return None if metadata is None else dict(metadata)
    return {**(metadata or {}), "lineage": dict(lineage)}


def _dry(dry_run: bool) -> dict[str, Any]:
    """The parameter of a request that is only to say what it would do."""
    return {"dry_run": True} if dry_run else {}


def _ref(ref: Ref) -> str:
    """A ref as the API takes it."""
    if isinstance(ref, Commit):
        return str(ref.id)
    if isinstance(ref, Version):
        return ref.version
    return str(ref)


def _list(names: Sequence[str] | None) -> str | None:
    """Names as the API takes them: with commas between, and in quotes where they have one."""
    if names is None:
        return None
    if isinstance(names, str):
        raise TypeError("names are a list, not one string")
    return ",".join('"' + name.replace('"', '""') + '"' if set(name) & set(',"') else name for name in names)
