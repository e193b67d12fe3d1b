"""The program that comes with the package, and a server that it runs."""

from __future__ import annotations

import atexit
import getpass
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from typing import IO

from ._errors import RowbackError

_START = 120.0  # seconds that a start may take: a lost catalog is made anew by it
_END = 60.0  # seconds until a server that drains is killed


def program() -> pathlib.Path:
    """Where the program is: ROWBACK_BIN, where pip has put it, or on the path."""
    given = os.environ.get("ROWBACK_BIN")
    if given:
        return pathlib.Path(given)
    name = "rowback" + (sysconfig.get_config_var("EXE") or "")
    places = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", _user_scheme()), os.path.dirname(sys.executable)]
    for place in places:
        if place and os.access(os.path.join(place, name), os.X_OK):
            return pathlib.Path(place, name)
    found = shutil.which(name)
    if found:
        return pathlib.Path(found)
    raise RowbackError("the program rowback is not there: install the wheel for this system, or set ROWBACK_BIN to it")


def _user_scheme() -> str:
    return "nt_user" if os.name == "nt" else "posix_user"


class Server:
    """A server of one directory, for this process: it ends when this one does, however that happens."""

    def __init__(self, directory: str) -> None:
        self.token = secrets.token_urlsafe(24)
        self._out, self._log = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [program(), "serve", "--addr", "127.0.0.1:0", "--until-eof", "--data", os.path.abspath(directory)],
            stdin=subprocess.PIPE,
            stdout=self._out,
            stderr=self._log,
            env=_environment(self.token),
            start_new_session=True,  # Ctrl-C in a notebook interrupts the cell, not the server
        )
        atexit.register(self.stop)
        try:
            self.url = self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> str:
        """Where the server listens, once it does."""
        end = time.monotonic() + _START
        while time.monotonic() < end:
            said = re.search(r"listens on (http://[0-9.]+:[0-9]+)", _read(self._out))
            if said:
                return said[1]
            if self._process.poll() is not None:
                lines = _read(self._log).strip().splitlines() or ["it said nothing"]
                raise RowbackError(f"the server did not start: {lines[-1]}")
            time.sleep(0.01)
        raise RowbackError(f"the server did not start within {_START:.0f} seconds")

    def stop(self) -> None:
        """Has the server finish what it does, and ends it."""
        atexit.unregister(self.stop)
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for file in (self._process.stdin, self._out, self._log):
            if file:
                file.close()


def _environment(token: str) -> dict[str, str]:
    """The environment of a server: its token, which arguments would show to other users of the machine, and nothing
    that was set for another server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROWBACK_")}
    return {**kept, "ROWBACK_TOKEN": f"{_user()}:{token}"}


def _user() -> str:
    """Who commits: the user's name, as far as names of users have it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name) or "local"


def _read(file: IO[bytes]) -> str:
    """What a process has written to a file. Its place there is shared, so it is not moved."""
    return os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")
