"""The bundle, a deterministic ``tar.gz`` with a manifest: packing, checking and unpacking."""

import errno
import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from l1distill.core.errors import DataError, ResourceError
from l1distill.firmware.files import MANIFEST

_FILE_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


def pack_bundle(files: Mapping[str, bytes]) -> bytes:
    """Pack files, with a manifest, into a ``tar.gz``: the same bytes for the same files.

    Names are sorted; owners, times and modes are fixed, so that the archive depends on names and
    content alone, and on zlib. The manifest in it does not depend on zlib either.

    Args:
        files: content by relative name.

    Returns:
        The archive.
    """
    lines = (f"{_sha256(files[name])}  {name}\n" for name in sorted(files))
    packed = {**files, MANIFEST: "".join(lines).encode()}
    archive_bytes = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=archive_bytes, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(packed):
            member = tarfile.TarInfo(name)
            member.size = len(packed[name])
            member.mode = file_mode(name)
            archive.addfile(member, io.BytesIO(packed[name]))
    return archive_bytes.getvalue()


def file_mode(name: str) -> int:
    """Return the permissions of a file of the bundle: shell scripts are executable."""
    return 0o755 if name.endswith(".sh") else 0o644


@dataclass(frozen=True)
class BundleContent:
    """The files of a bundle, each with the SHA-256 that the manifest gives."""

    sha256: str
    """SHA-256 of the archive."""
    files: Mapping[str, bytes]
    """Content by relative name, without the manifest."""


def verify_manifest(path: Path) -> tuple[str, ...]:
    """Check every file of a bundle against its manifest.

    Args:
        path: the archive.

    Returns:
        The names of the files, without the manifest.

    Raises:
        DataError: the archive cannot be read, or a file is missing, added or changed.
    """
    return tuple(sorted(read_bundle(path).files))


def unpack_bundle(path: Path, folder: Path) -> BundleContent:
    """Check a bundle against its manifest and write its files below ``folder``.

    Args:
        path: the archive.
        folder: an existing, empty folder; nothing is written outside of it.

    Returns:
        The files that were written.

    Raises:
        DataError: as :func:`read_bundle`, or two files are in each other's way.
        ResourceError: the disk is full, or the folder cannot be written.
    """
    content = read_bundle(path)
    try:
        for name, data in content.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    except OSError as error:
        message = f"{path}: cannot be unpacked in {folder} ({error.strerror})"
        if error.errno in _FILE_IN_THE_WAY:
            raise DataError(message) from error
        raise ResourceError(f"{message}; make room, or name another folder in TMPDIR") from error
    return content


def read_bundle(path: Path) -> BundleContent:
    """Read a bundle and check it against its manifest.

    Args:
        path: the archive.

    Returns:
        Its files.

    Raises:
        DataError: the archive cannot be read, holds other members than files with relative
            names, or a file is missing, added or changed.
    """
    files: dict[str, bytes] = {}
    try:
        packed = path.read_bytes()
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            for member in archive:
                _check_name(path, member.name)
                # a link, too, would give a stream: that of the file it points to
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is None or member.name in files:
                    raise DataError(f"{path}: {member.name} is no file, or is there twice")
                files[member.name] = stream.read()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; run the synthesis that writes it") from error
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as a bundle ({error})") from error
    try:
        text = files.pop(MANIFEST).decode("ascii")
        expected = {
            name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines())
        }
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: holds no {MANIFEST} that can be read") from error
    actual = {name: _sha256(data) for name, data in files.items()}
    wrong = [
        f"{name} is {_difference(name, expected, actual)}"
        for name in sorted({*expected, *actual})
        if expected.get(name) != actual.get(name)
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise DataError(f"{path}: not as its {MANIFEST} says: {', '.join(wrong[:5])}{more}")
    return BundleContent(sha256=_sha256(packed), files=files)


def _difference(name: str, expected: Mapping[str, str], actual: Mapping[str, str]) -> str:
    if name not in actual:
        return "missing"
    return "changed" if name in expected else "added"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check_name(path: Path, name: str) -> None:
    parts = name.split("/")
    if "\\" in name or {"", ".", ".."} & set(parts):
        raise DataError(f"{path}: {name!r} would be unpacked elsewhere; nothing was written")
