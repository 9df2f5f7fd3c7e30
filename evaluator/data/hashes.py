"""Hashes by which files, and folders of files, are known again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluator.pack.definitions import Pack


def hash_of(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of_bytes(content: bytes) -> str:
    """Return the hash a file with this content has."""
    return hashlib.sha256(content).hexdigest()


def digest(hashes: Mapping[str, str]) -> str:
    """Return one hash that stands for files with these names and hashes."""
    return hash_of_bytes("".join(f"{name}\0{value}\n" for name, value in sorted(hashes.items())).encode())


def hash_of_pack(pack: Pack) -> str:
    """Return the hash that stands for the files of a pack."""
    return digest({name: hash_of_bytes(content) for name, content in pack.files.items()})
