"""Requests to a server."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

from ._errors import RowbackError, Unavailable, error_of

# A request that may be repeated is sent this often, while the server says that it is busy or does not answer.
_ATTEMPTS = 4
_LONGEST_WAIT = 30.0  # seconds, whatever Retry-After says


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The API does not redirect, and a token must not follow where something else does."""

    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


class Connection:
    """Where a server is, and the token that it is asked with."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{url!r} is not the address of a server: it begins with http:// or https://")
        self._token = token
        # A proxy of the environment would be asked for loopback too.
        proxies = [urllib.request.ProxyHandler({})] if parts.hostname in ("localhost", "127.0.0.1", "::1") else []
        self._opener = urllib.request.build_opener(_NoRedirects, *proxies)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """Sends JSON, and returns the JSON of the answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        with self.open(method, path, data, headers, params) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def open(
        self,
        method: str,
        path: str,
        data: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> http.client.HTTPResponse:
        """Sends a request, and returns the answer to be read. An answer that is an error is raised.

        What can be sent again is, where the server is busy or the connection is lost: a POST has an Idempotency-Key, so
        that it is done once.
        """
        query = {name: _text(value) for name, value in (params or {}).items() if value is not None}
        url = self.url + quote(path) + ("?" + urlencode(query) if query else "")
        sent = dict(headers or {})
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        if method == "POST":
            sent["Idempotency-Key"] = str(uuid.uuid4())
        attempts = _ATTEMPTS if data is None or isinstance(data, bytes) else 1
        for attempt in range(1, attempts + 1):
            try:
                return self._once(urllib.request.Request(url, data, sent, method=method))
            except Unavailable as busy:
                if attempt == attempts:
                    raise
                time.sleep(_wait(busy, attempt))
        raise AssertionError("not reached")

    def _once(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        try:
            return cast(http.client.HTTPResponse, self._opener.open(request))
        except urllib.error.HTTPError as refused:
            if refused.code == 303:  # what was to be made is there, and is the answer
                return cast(http.client.HTTPResponse, refused)
            raise _error(refused) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as lost:
            reason = getattr(lost, "reason", lost)
            raise Unavailable(f"the server at {self.url} can't be reached: {reason}") from lost


def _error(refused: urllib.error.HTTPError) -> RowbackError:
    """The error of an answer, with how long to wait."""
    try:
        problem = json.loads(refused.read())
    except (ValueError, OSError, http.client.HTTPException):
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    wait = refused.headers.get("Retry-After")
    if wait and wait.isdigit():
        problem["retry_after"] = int(wait)
    return error_of(refused.code, problem)


def _wait(busy: Unavailable, attempt: int) -> float:
    """How many seconds to wait before the next attempt."""
    return min(float(busy.problem.get("retry_after", 0.2 * 2**attempt)), _LONGEST_WAIT)


def _text(value: Any) -> str:
    """A parameter as an address has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return json.dumps(value)
    return str(value)
