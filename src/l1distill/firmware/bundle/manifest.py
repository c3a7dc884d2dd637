"""The manifest of a bundle: the SHA-256 of each file, written, read and compared."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePosixPath

from l1distill.core.errors import DataError
from l1distill.firmware.emulator import cmssw, cpp
from l1distill.firmware.files import CMSSW_FOLDER, CPP_FOLDER, MANIFEST

_BUILT = (
    *(f"{CPP_FOLDER}/{name}" for name in cpp.PRODUCTS),
    *(f"{CMSSW_FOLDER}/{name}" for name in cmssw.PRODUCTS),
    f"{CMSSW_FOLDER}/*.so",
)
"""What the bundle's own Makefiles build."""


def sha256(data: bytes) -> str:
    """Return the hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def format_manifest(files: Mapping[str, bytes]) -> bytes:
    """Return the manifest of files, as ``sha256sum --check`` reads it.

    Args:
        files: content by relative name.
    """
    return "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files)).encode()


def parse_manifest(data: bytes, where: str) -> dict[str, str]:
    """Parse a manifest into the SHA-256 of each file by its name.

    Args:
        data: content of the file.
        where: named by the error.

    Raises:
        DataError: a line is no hash with a name, or no file is in it.
    """
    try:
        lines = (line.split("  ", 1) for line in data.decode("ascii").splitlines())
        expected = {name: digest for digest, name in lines}
    except ValueError as error:
        raise DataError(f"{where}: holds no {MANIFEST} that can be read") from error
    if not expected:
        raise DataError(f"{where}: its {MANIFEST} is empty")
    return expected


def check_files(
    expected: Mapping[str, str],
    names: Collection[str],
    read: Callable[[str], bytes],
    where: str,
    *,
    strict: bool,
) -> dict[str, bytes]:
    """Read the files that a manifest names, and check them and the names of all others.

    Files that the bundle's own Makefiles build are passed over.

    Args:
        expected: SHA-256 by name.
        names: of all files that are there.
        read: returns the content of a file.
        where: named by the error.
        strict: refuse any other file; otherwise those alone that lie in one folder with files of
            the bundle, where a script would take them for its own.

    Returns:
        The content of each file of the manifest.

    Raises:
        DataError: a file is missing, changed or added.
    """
    there = set(names)
    files = {name: read(name) for name in sorted(there & set(expected))}
    wrong = dict.fromkeys(set(expected) - there, "missing")
    wrong |= {name: "changed" for name, data in files.items() if sha256(data) != expected[name]}
    folders = {PurePosixPath(name).parent for name in expected} - {PurePosixPath(".")}
    wrong |= {
        name: "added"
        for name in there - set(expected)
        if (strict or PurePosixPath(name).parent in folders)
        and not any(PurePosixPath(name).match(pattern) for pattern in _BUILT)
    }
    if wrong:
        listed = [f"{name} is {what}" for name, what in sorted(wrong.items())]
        more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
        raise DataError(f"{where}: not as its {MANIFEST} says: {', '.join(listed[:5])}{more}")
    return files
