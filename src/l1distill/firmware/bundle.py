"""The bundle that is handed over: one archive, the same bytes for the same firmware."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Collection
from pathlib import Path

from l1distill.errors import InputError

MANIFEST = "MANIFEST"
"""Lines of ``<sha256>  <path>``, as ``sha256sum --check`` reads them."""


def write_bundle(folder: Path, path: Path, only: Collection[str] | None = None) -> str:
    """Packs the files below ``folder``, with a manifest, into a ``tar.gz``.

    Names are sorted; owners, times and modes are fixed: the archive depends on names and content
    alone.

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


def verify_manifest(path: Path) -> tuple[str, ...]:
    """Checks every file of a bundle against its manifest.

    Args:
        path: the archive.

    Returns:
        The names of the files, without the manifest.

    Raises:
        InputError: the archive cannot be read, or a file is missing, added or changed.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            for member in archive:
                stream = archive.extractfile(member)
                if stream is None or member.name in files:
                    raise InputError(f"{path}: {member.name} is no file, or is there twice")
                files[member.name] = stream.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{path}: cannot be read as a bundle ({error})") from None
    try:
        text = files.pop(MANIFEST).decode("ascii")
        wanted = {
            name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines())
        }
    except (KeyError, ValueError):
        raise InputError(f"{path}: holds no {MANIFEST} that can be read") from None
    found = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    wrong = sorted(n for n in {*wanted, *found} if wanted.get(n) != found.get(n))
    if wrong:
        raise InputError(f"{path}: not as its {MANIFEST} says: {', '.join(wrong[:5])}")
    return tuple(sorted(found))
