"""The content of a bundle, as an archive or as a folder, checked against its manifest."""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from l1distill.core.errors import DataError, ResourceError
from l1distill.firmware.bundle.archive import pack_bundle, read_archive, read_file
from l1distill.firmware.bundle.manifest import check_files, parse_manifest, sha256
from l1distill.firmware.files import BUNDLE, MANIFEST

_FILE_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


@dataclass(frozen=True, kw_only=True)
class BundleContent:
    """The files of a bundle, each with the SHA-256 that the manifest gives."""

    path: Path
    """The archive, or the folder of an unpacked bundle."""
    files: Mapping[str, bytes]
    """Content by relative name, without the manifest."""
    manifest_sha256: str
    """SHA-256 of the manifest, which is the same however the files are packed."""
    archive_sha256: str | None
    """SHA-256 of the archive; ``None`` where there is none."""
    folder: Path | None = None
    """The folder whose files were checked, one by one."""

    def has_sha256(self, required: str) -> bool:
        """Tell whether a SHA-256 is that of the archive, of the manifest, or of these files packed.

        Args:
            required: hexadecimal, in letters of either case.
        """
        known = (self.archive_sha256, self.manifest_sha256)
        return required.lower() in known or required.lower() == sha256(pack_bundle(self.files))


def verify_manifest(path: Path) -> tuple[str, ...]:
    """Check every file of a bundle against its manifest.

    Args:
        path: the archive, or a folder that holds it or is one unpacked.

    Returns:
        The names of the files, without the manifest.

    Raises:
        DataError: the bundle cannot be read, or a file is missing, added or changed.
    """
    return tuple(sorted(read_bundle(path).files))


def read_bundle(path: Path) -> BundleContent:
    """Read a bundle and check it against its manifest.

    Args:
        path: an archive; the folder that a synthesis wrote, whose files are checked beside those
            of the archive in it; or the folder of an unpacked bundle. An archive may be one of
            such a folder, packed by any tar.

    Returns:
        Its files.

    Raises:
        DataError: the bundle cannot be read, holds other members than files with relative names,
            or a file is missing, added or changed.
    """
    if path.is_dir():
        names = {
            name: file
            for file in sorted(path.rglob("*"))
            if file.is_file() and (name := file.relative_to(path).as_posix())
        }
        return _read_folder(path, set(names), lambda name: read_file(names[name]))
    packed = read_file(path)
    members = read_archive(packed, str(path))
    if BUNDLE in members:
        return _read_folder(path, set(members), members.__getitem__)
    return _read_unpacked(path, set(members), members.__getitem__, archive=packed)


def _read_folder(path: Path, names: set[str], read: Callable[[str], bytes]) -> BundleContent:
    """Check the files of a folder, and those of the archive in it."""
    if BUNDLE not in names:
        if MANIFEST not in names:
            raise DataError(
                f"{path / BUNDLE}: no such file, nor a {MANIFEST} beside it; name a bundle, or the "
                "folder of a synthesis or of an unpacked bundle"
            )
        return _read_unpacked(path, names, read, archive=None)
    inner, packed = path / BUNDLE, read(BUNDLE)
    members = read_archive(packed, str(inner))
    content = _read_unpacked(inner, set(members), members.__getitem__, archive=packed)
    manifest = members[MANIFEST]
    if names & {*content.files, MANIFEST} == set():
        return content  # the archive alone
    if MANIFEST in names and read(MANIFEST) != manifest:
        raise DataError(f"{path / MANIFEST}: is not that of {inner}; unpack the bundle again")
    check_files(parse_manifest(manifest, str(inner)), names, read, str(path), strict=False)
    return BundleContent(
        path=inner,
        files=content.files,
        manifest_sha256=content.manifest_sha256,
        archive_sha256=content.archive_sha256,
        folder=path,
    )


def _read_unpacked(
    path: Path, names: set[str], read: Callable[[str], bytes], *, archive: bytes | None
) -> BundleContent:
    """Check files against the manifest among them."""
    if MANIFEST not in names:
        raise DataError(f"{path}: holds no {MANIFEST} that can be read")
    manifest = read(MANIFEST)
    expected = parse_manifest(manifest, str(path))
    strict = archive is not None
    files = check_files(expected, names - {MANIFEST}, read, str(path), strict=strict)
    return BundleContent(
        path=path,
        files=files,
        manifest_sha256=sha256(manifest),
        archive_sha256=None if archive is None else sha256(archive),
        folder=path if archive is None else None,
    )


def write_content(content: BundleContent, folder: Path) -> None:
    """Write the files of a bundle below ``folder``.

    Args:
        content: of a bundle that was read.
        folder: an existing, empty folder; nothing is written outside of it.

    Raises:
        DataError: two files are in each other's way.
        ResourceError: the disk is full, or the folder cannot be written.
    """
    try:
        for name, data in content.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    except OSError as error:
        message = f"{content.path}: cannot be unpacked in {folder} ({error.strerror})"
        if error.errno in _FILE_IN_THE_WAY:
            raise DataError(message) from error
        raise ResourceError(f"{message}; make room, or name another folder in TMPDIR") from error


def unpack_bundle(path: Path, folder: Path) -> BundleContent:
    """Check a bundle against its manifest and write its files below ``folder``.

    Raises:
        DataError: as :func:`read_bundle` and :func:`write_content`.
        ResourceError: as :func:`write_content`.
    """
    content = read_bundle(path)
    write_content(content, folder)
    return content
