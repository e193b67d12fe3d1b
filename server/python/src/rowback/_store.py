"""A server, and its datasets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ._dataset import Dataset
from ._errors import NotFound
from ._http import Connection
from ._program import Server
from ._records import Records


class Store:
    """The datasets of a server. `close`, or the end of a with block, stops a server that `open` has started."""

    def __init__(self, connection: Connection, server: Server | None = None) -> None:
        self._connection, self._server = connection, server

    @property
    def url(self) -> str:
        """Where the server is, for a browser too."""
        return self._connection.url

    def __repr__(self) -> str:
        return f"<rowback store at {self.url}>"

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops the server if `open` has started it. Everything is stored already."""
        if self._server:
            self._server.stop()

    def datasets(self, *, project: int | str | None = None) -> list[Dataset]:
        """All datasets, or those of a project, by name."""
        found: list[Dataset] = []
        cursor = None
        while True:
            params = {"project_id": project, "limit": 100, "cursor": cursor}
            said = self._connection.ask("GET", "/api/v1/datasets", params=params)
            found += [Dataset(self._connection, about) for about in said["datasets"]]
            cursor = said.get("next_cursor")
            if not cursor:
                return found

    def dataset(self, name: str, *, project: int | str | None = None) -> Dataset:
        """A dataset by its name, or its id. One that is not there raises NotFound."""
        about = self._connection.ask("GET", f"/api/v1/datasets/{name}", params={"project_id": project})
        return Dataset(self._connection, about)

    def __getitem__(self, name: str) -> Dataset:
        try:
            return self.dataset(name)
        except NotFound as missing:
            raise KeyError(name) from missing

    def create(
        self,
        name: str,
        key: Sequence[str] = (),
        *,
        project: int | str | None = None,
        description: str | None = None,
        quality_column: str | None = None,
        category_column: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Dataset:
        """Makes a dataset. key: the columns that identify a record; without, the server gives each an `_id`."""
        if isinstance(key, str):
            raise TypeError("a key is a list of columns, not one string")
        body: dict[str, Any] = {
            "name": name,
            "key": list(key),
            "project_id": project,
            "description": description,
            "quality_column": quality_column,
            "category_column": category_column,
            "metadata": dict(metadata) if metadata is not None else None,
        }
        given = {field: value for field, value in body.items() if value is not None}
        return Dataset(self._connection, self._connection.ask("POST", "/api/v1/datasets", given))

    def find_lineage(
        self,
        *,
        source: str | None = None,
        sha256: str | None = None,
        input: str | None = None,
        model: str | None = None,
        prompt: str | None = None,
        parameter: str | None = None,
        code: str | None = None,
        run: str | None = None,
        project: int | str | None = None,
    ) -> list[dict[str, Any]]:
        """The commits and versions, of all datasets, that were made from something, newest first: a file by its name or
        checksum, a dataset ("employees") or one at a ref ("employees@1.0.1"), a model ("resnet" or "resnet@50"), a
        parameter ("epochs" or "epochs=10"). All that is given must hold."""
        asked = {
            "source": source,
            "sha256": sha256,
            "input": input,
            "model": model,
            "prompt": prompt,
            "parameter": parameter,
            "code": code,
            "run": run,
            "project_id": project,
        }
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            said = self._connection.ask("GET", "/api/v1/lineage", params={**asked, "limit": 100, "cursor": cursor})
            found += said["found"]
            cursor = said.get("next_cursor")
            if not cursor:
                return found

    def sql(self, statement: str, *, project: int | str | None = None, limit: int | None = None,
            engine: str | None = None) -> Records:
        """The result of a statement. Datasets are tables: `people`, `"people@1.0.0"` at any ref, and the difference
        `"people@1.0.0..1.0.1"`. engine="spark": the server's engine runs it, in Spark SQL, where names that need quotes
        have backticks."""
        params = {"sql": statement, "project_id": project, "limit": limit, "engine": engine}
        return Records(self._connection, "/api/v1/query", params)


def open(place: str | os.PathLike[str], *, token: str | None = None) -> Store:
    """Opens a store: the address of a server (http://…), or a directory, on which a server is started.

    A directory is made if it is missing. The server listens on a port of its own on this machine, takes only a token
    that nobody else knows, and ends with the store, or with this process. Another one must not have the directory open.
    token: of a server; by default ROWBACK_API_KEY.
    """
    text = os.fspath(place)
    if text.startswith(("http://", "https://")):
        return Store(Connection(text, token or os.environ.get("ROWBACK_API_KEY")))
    if token is not None:
        raise TypeError("a directory is opened without a token")
    server = Server(text)
    return Store(Connection(server.url, server.token), server)
