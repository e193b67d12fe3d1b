"""What the server answers where it does not do what it was asked."""

from __future__ import annotations

from typing import Any


class RowbackError(Exception):
    """A request that was not done. The text says why, and what to do.

    `status` is the HTTP status (0 where there was no answer), `code` names the reason for programs, and `problem` is
    the whole answer (RFC 9457), with fields of its own such as `keys` or `conflicts`.
    """

    def __init__(self, detail: str, status: int = 0, code: str = "", problem: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.problem = problem or {}


class NotFound(RowbackError):
    """There is no such dataset, ref, commit or name, or the token may not know of it (404), or it was vacuumed (410)."""


class Conflict(RowbackError):
    """It is blocked, or conflicts with what others have done (409)."""


class Refused(RowbackError):
    """The request is malformed, or its records are not acceptable (400, 413, 415, 422)."""


class Forbidden(RowbackError):
    """The token is missing or wrong (401), or its role does not allow it (403)."""


class Unavailable(RowbackError):
    """The server can't do it now, or is not there; what to do is to try again later (429, 502 to 504)."""


_KINDS: dict[int, type[RowbackError]] = {
    400: Refused,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    413: Refused,
    415: Refused,
    422: Refused,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def error_of(status: int, problem: dict[str, Any]) -> RowbackError:
    """The error of an answer."""
    detail = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")
    kind = _KINDS.get(status, RowbackError)
    return kind(detail, status, str(problem.get("code", "")), problem)
