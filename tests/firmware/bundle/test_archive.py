import gzip
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256
from l1distill.firmware.bundle.archive import MANIFEST, verify_manifest, write_bundle
from tests.firmware.emulators import repack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "rtl" / "src").mkdir(parents=True)
    (made / "rtl" / "src" / "a.v").write_text("module a; endmodule\n")
    (made / "synthesis.json").write_text("{}\n")
    (made / "build.sh").write_text("#!/bin/sh\n")
    return made


def test_the_same_content_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.tar.gz", tmp_path / "two.tar.gz"
    digest = write_bundle(folder, one)
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    for path in again.rglob("*"):
        path.chmod(0o700)
        os.utime(path, (1, 1))
    assert write_bundle(again, two) == digest == file_sha256(one)
    assert one.read_bytes() == two.read_bytes()
    assert write_bundle(again, tmp_path / "renamed.tar.gz") == digest


def test_a_bundle_says_what_it_holds(folder: Path, tmp_path: Path) -> None:
    path = folder / "bundle.tar.gz"
    (folder / ".lock").write_text("")
    digest = write_bundle(folder, path)
    assert verify_manifest(path) == ("build.sh", "synthesis.json", "rtl/src/a.v")
    assert write_bundle(folder, path) == digest  # the bundle is not in the bundle
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    check = ["sha256sum", "--check", "--strict", MANIFEST]
    subprocess.run(check, cwd=tmp_path / "out", check=True, capture_output=True)
    write_bundle(folder, path, only=("rtl",))
    assert verify_manifest(path) == ("rtl/src/a.v",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda work: (work / "synthesis.json").write_text("{ }\n"), "synthesis.json is changed"),
        (lambda work: (work / "rtl" / "src" / "a.v").unlink(), "rtl/src/a.v is missing"),
        (lambda work: (work / "more").write_text(""), "more is added"),
        (lambda work: (work / MANIFEST).unlink(), MANIFEST),
        (lambda work: (work / MANIFEST).write_text("nonsense\n"), MANIFEST),
    ],
)
def test_tampering_is_seen(
    folder: Path, tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "bundle.tar.gz"
    write_bundle(folder, path)
    repack(path, change, tmp_path / "work")
    with pytest.raises(DataError, match=words):
        verify_manifest(path)


def test_a_flipped_bit_and_a_truncation_are_seen(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    write_bundle(folder, path)
    whole = path.read_bytes()
    plain = bytearray(gzip.decompress(whole))
    plain[plain.index(b"module a")] ^= 1
    for wrong in (whole[:-30], b"", b"no archive at all", gzip.compress(bytes(plain))):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match=r"bundle\.tar\.gz"):
            verify_manifest(path)
    with pytest.raises(DataError, match="no such file"):
        verify_manifest(tmp_path / "nothing.tar.gz")
