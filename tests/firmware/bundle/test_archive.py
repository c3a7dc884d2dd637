import gzip
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from l1distill.core.errors import DataError
from l1distill.firmware.bundle.archive import pack_bundle
from l1distill.firmware.bundle.content import read_bundle, verify_manifest
from l1distill.firmware.files import MANIFEST
from tests.firmware.emulators import repack, unpack

FILES = {
    "rtl/src/a.v": b"module a; endmodule\n",
    "synthesis.json": b"{}\n",
    "build.sh": b"#!/bin/sh\n",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(pack_bundle(FILES))
    return path


def test_the_same_content_gives_the_same_bytes() -> None:
    assert pack_bundle(FILES) == pack_bundle(dict(sorted(FILES.items())))
    assert pack_bundle(FILES) != pack_bundle({**FILES, "synthesis.json": b"{ }\n"})


def test_a_bundle_holds_its_files_and_a_manifest(bundle: Path, tmp_path: Path) -> None:
    assert verify_manifest(bundle) == ("build.sh", "rtl/src/a.v", "synthesis.json")
    assert read_bundle(bundle).files == FILES
    with tarfile.open(bundle) as archive:
        members = {member.name: member for member in archive}
    unpack(bundle, tmp_path / "out")
    assert {member.mtime for member in members.values()} == {0}
    assert members["build.sh"].mode == 0o755
    assert members["synthesis.json"].mode == 0o644
    check = ["sha256sum", "--check", "--strict", MANIFEST]
    done = subprocess.run(check, cwd=tmp_path / "out", check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{name}: OK" for name in sorted(FILES)]


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
    bundle: Path, tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    repack(bundle, change, tmp_path / "work")
    with pytest.raises(DataError, match=words):
        verify_manifest(bundle)


def test_a_flipped_bit_and_a_truncation_are_seen(bundle: Path, tmp_path: Path) -> None:
    whole = bundle.read_bytes()
    plain = bytearray(gzip.decompress(whole))
    plain[plain.index(b"module a")] ^= 1
    for wrong in (whole[:-30], b"", b"no archive at all", gzip.compress(bytes(plain))):
        bundle.write_bytes(wrong)
        with pytest.raises(DataError, match=r"bundle\.tar\.gz"):
            verify_manifest(bundle)
    with pytest.raises(DataError, match="no such file"):
        verify_manifest(tmp_path / "nothing.tar.gz")
