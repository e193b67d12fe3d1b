"""Puts the program into the wheel, where pip installs it as the command rowback.

ROWBACK_PROGRAM names the program. Its version and platform are the wheel's. A program for another machine can't be run
here: then ROWBACK_VERSION and ROWBACK_PLATFORM say them.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import subprocess
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface


def program() -> pathlib.Path:
    """Where the program is."""
    given = os.environ.get("ROWBACK_PROGRAM")
    if not given:
        raise RuntimeError("ROWBACK_PROGRAM must name the rowback program that the wheel is to contain")
    path = pathlib.Path(given).resolve()
    if not path.is_file():
        raise RuntimeError(f"ROWBACK_PROGRAM is {given}, which is not a file")
    return path


def version() -> str:
    """The program's version."""
    given = os.environ.get("ROWBACK_VERSION")
    if given:
        return given
    said = subprocess.run([program(), "version", "--json"], check=True, capture_output=True, text=True).stdout
    return str(json.loads(said)["version"])


def platform_tag() -> str:
    """The systems that the program runs on, as wheels name them (PEP 600)."""
    given = os.environ.get("ROWBACK_PLATFORM")
    if given:
        return given
    libc, release = platform.libc_ver()
    if libc == "glibc":
        return f"manylinux_{release.replace('.', '_')}_{platform.machine()}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


class CustomMetadataHook(MetadataHookInterface):
    """Sets the version."""

    def update(self, metadata: dict[str, Any]) -> None:
        metadata["version"] = version()


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the program, and the tag of the systems that it runs on."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"
        build_data["shared_scripts"] = {str(program()): "rowback"}
