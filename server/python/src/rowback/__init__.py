"""The history of tabular datasets: commits, rollbacks, comparisons, versions, forks and merges.

    >>> import rowback
    >>> store = rowback.open("my_data")                    # or "https://rowback.example.org", token=…
    >>> people = store.create("people", key=["id"])
    >>> people.append([{"id": 1, "name": "Ada"}])
    >>> people.data("head").to_pandas()

`open` starts the program that comes with this package on a directory, or talks to a server that is there.
"""

from importlib.metadata import version

from ._comparison import Change, Comparison
from ._dataset import Blocked, Commit, Dataset, Rollback, Version
from ._errors import Conflict, Forbidden, NotFound, Refused, RowbackError, Unavailable
from ._frames import Frame
from ._records import Diff, Records
from ._store import Store, open

__version__ = version("rowback")

__all__ = [
    "Blocked",
    "Change",
    "Commit",
    "Comparison",
    "Conflict",
    "Dataset",
    "Diff",
    "Forbidden",
    "Frame",
    "NotFound",
    "Records",
    "Refused",
    "Rollback",
    "RowbackError",
    "Store",
    "Unavailable",
    "Version",
    "open",
]
