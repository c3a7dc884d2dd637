"""The bundle, a deterministic ``tar.gz`` with a manifest: packing, and reading of any tar file."""

import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from l1distill.core.errors import DataError, first_line
from l1distill.firmware.bundle.manifest import format_manifest
from l1distill.firmware.files import MANIFEST


def pack_bundle(files: Mapping[str, bytes]) -> bytes:
    """Pack files, with a manifest, into a ``tar.gz``: the same bytes for the same files.

    Names are sorted; owners, times and modes are fixed, so that the archive depends on names and
    content alone, and on zlib. The manifest in it does not depend on zlib either.

    Args:
        files: content by relative name.

    Returns:
        The archive.
    """
    packed = {**files, MANIFEST: format_manifest(files)}
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


def read_archive(packed: bytes, where: str) -> dict[str, bytes]:
    """Read the files of a tar file, compressed or not, as any tar has packed them.

    Folders are passed over; ``./`` and one folder around everything are left out of the names.

    Args:
        packed: the archive.
        where: named by the error.

    Returns:
        Content by relative name.

    Raises:
        DataError: it cannot be read, or holds other members than files with relative names.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:*") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if member.isdir() and name in ("", "."):
                    continue
                _check_name(where, name)
                if member.isdir():
                    continue
                # a link, too, would give a stream: that of the file it points to
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is None or name in files:
                    raise DataError(f"{where}: {name} is no file, or is there twice")
                files[name] = stream.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        reason = first_line(error).rstrip(":")
        raise DataError(f"{where}: cannot be read as a bundle ({reason})") from error
    return _without_outer_folder(files)


def _without_outer_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    tops = {name.partition("/")[0] for name in files}
    if len(tops) != 1 or any("/" not in name for name in files):
        return files
    return {name.partition("/")[2]: data for name, data in files.items()}


def read_file(path: Path) -> bytes:
    """Read a file of a bundle, or the bundle.

    Raises:
        DataError: it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; run the synthesis that writes it") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _check_name(where: str, name: str) -> None:
    parts = name.split("/")
    if "\\" in name or {"", ".", ".."} & set(parts):
        raise DataError(f"{where}: {name!r} would be unpacked elsewhere; nothing was written")
