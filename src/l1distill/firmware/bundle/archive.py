"""The bundle that is handed over: one archive, the same bytes for the same firmware."""

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from l1distill.core.errors import DataError

BUNDLE = "bundle.tar.gz"
MANIFEST = "MANIFEST"
"""Lines of ``<sha256>  <path>``, as ``sha256sum --check`` reads them."""


def write_bundle(folder: Path, path: Path, only: Collection[str] | None = None) -> str:
    """Packs the files below ``folder``, with a manifest, into a ``tar.gz``.

    Names are sorted; owners, times and modes are fixed: the archive depends on names and content
    alone, and on how zlib packs them. The manifest in it does not depend on that either.

    Args:
        folder: what to pack; ``path`` itself and hidden files are left out.
        path: the archive.
        only: names directly in ``folder`` to pack, files or folders; all where it is ``None``.

    Returns:
        The archive's SHA-256.
    """
    files = {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and file.resolve() != path.resolve()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and (only is None or file.relative_to(folder).parts[0] in only)
    }
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    files[MANIFEST] = "".join(lines).encode()
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            member.mode = 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(member, io.BytesIO(files[name]))
    path.write_bytes(packed.getvalue())
    return hashlib.sha256(packed.getvalue()).hexdigest()


class Content(NamedTuple):
    """What a bundle holds, each file as the manifest says."""

    sha256: str
    """Of the archive."""
    files: Mapping[str, bytes]
    """By their names; without the manifest."""


def verify_manifest(path: Path) -> tuple[str, ...]:
    """Checks every file of a bundle against its manifest.

    Args:
        path: the archive.

    Returns:
        The names of the files, without the manifest.

    Raises:
        DataError: the archive cannot be read, or a file is missing, added or changed.
    """
    return tuple(sorted(read_bundle(path).files))


def unpack_bundle(path: Path, folder: Path) -> Content:
    """Checks a bundle against its manifest and writes its files below ``folder``.

    Args:
        path: the archive.
        folder: an existing, empty folder; nothing is written outside of it.

    Returns:
        What was written.

    Raises:
        DataError: as :func:`read_bundle`, or a file cannot be written.
    """
    content = read_bundle(path)
    try:
        for name, data in content.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    except OSError as error:
        raise DataError(f"{path}: cannot be unpacked in {folder} ({error.strerror})") from error
    return content


def read_bundle(path: Path) -> Content:
    """Reads a bundle and checks it against its manifest.

    Raises:
        DataError: the archive cannot be read, holds something else than files at relative
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
        wanted = {
            name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines())
        }
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: holds no {MANIFEST} that can be read") from error
    found = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    wrong = [
        f"{name} is {'missing' if name not in found else 'changed' if name in wanted else 'added'}"
        for name in sorted({*wanted, *found})
        if wanted.get(name) != found.get(name)
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise DataError(f"{path}: not as its {MANIFEST} says: {', '.join(wrong[:5])}{more}")
    return Content(hashlib.sha256(packed).hexdigest(), files)


def _check_name(path: Path, name: str) -> None:
    parts = name.split("/")
    if "\\" in name or {"", ".", ".."} & set(parts):
        raise DataError(f"{path}: {name!r} would be unpacked elsewhere; nothing was written")
