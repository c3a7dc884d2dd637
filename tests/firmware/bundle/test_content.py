"""Bundles as users meet them: archives, folders of a synthesis, unpacked and packed again."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from l1distill.core.errors import DataError
from l1distill.firmware.bundle.archive import pack_bundle
from l1distill.firmware.bundle.content import read_bundle
from l1distill.firmware.files import BUNDLE, MANIFEST

WIRE = b"assign a = ~b;\n"
FILES = {
    "rtl/src/a.v": b"assign a = b;\n",
    "emulator/Makefile": b"all:\n",
    "synthesis.json": b"{}\n",
}
OF_THE_STAGE = ("record.json", "metrics.json")
Change = Callable[[Path], object]


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    folder = tmp_path / "un packed"
    folder.mkdir()
    (tmp_path / BUNDLE).write_bytes(pack_bundle(FILES))
    subprocess.run(["tar", "-xzf", tmp_path / BUNDLE], cwd=folder, check=True)
    return folder


@pytest.fixture
def written(unpacked: Path) -> Path:
    """As a stage leaves it: the archive, its files, its manifest, and files of the stage."""
    shutil.copy(unpacked.parent / BUNDLE, unpacked)
    for name in OF_THE_STAGE:
        (unpacked / name).write_text("{}")
    return unpacked


def tar(folder: Path, options: str, *names: str) -> Path:
    packed = folder.parent / "again.tar"
    subprocess.run(["tar", options, packed, *names], cwd=folder, check=True)
    return packed


def invert_a_wire(folder: Path) -> None:
    (folder / "rtl/src/a.v").write_bytes(WIRE)


def overwrite_the_figures(folder: Path) -> None:
    (folder / "synthesis.json").write_text('{"lut": 1}')


def add_a_source(folder: Path) -> None:
    (folder / "rtl/src/b.v").write_bytes(WIRE)


def remove_a_file(folder: Path) -> None:
    (folder / "rtl/src/a.v").unlink()


CHANGES: list[tuple[Change, str]] = [
    (invert_a_wire, "rtl/src/a.v is changed"),
    (overwrite_the_figures, "synthesis.json is changed"),
    (add_a_source, "rtl/src/b.v is added"),
    (remove_a_file, "rtl/src/a.v is missing"),
    (lambda folder: (folder / MANIFEST).write_text("nonsense\n"), MANIFEST),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_files_beside_the_archive_are_checked(written: Path, change: Change, words: str) -> None:
    content = read_bundle(written)
    assert (content.files, content.folder) == (FILES, written)
    (written / MANIFEST).unlink()  # earlier versions wrote none beside the archive
    assert read_bundle(written).files == FILES
    change(written)
    with pytest.raises(DataError, match=words):
        read_bundle(written)


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_an_unpacked_bundle_is_checked_without_its_archive(
    unpacked: Path, change: Change, words: str
) -> None:
    content = read_bundle(unpacked)
    assert (content.files, content.folder, content.archive_sha256) == (FILES, unpacked, None)
    change(unpacked)
    with pytest.raises(DataError, match=words):
        read_bundle(unpacked)


@pytest.mark.parametrize("names", [(".",), (MANIFEST, *FILES), ("../un packed",)])
@pytest.mark.parametrize("options", ["-cf", "-czf", "-cJf"])
def test_a_bundle_that_plain_tar_has_packed_is_one(
    unpacked: Path, names: tuple[str, ...], options: str
) -> None:
    for product in ("replay", "libl1distill_emulator.so", "l1distill_emulator.o"):
        (unpacked / "emulator" / product).write_text("built")
    packed = tar(unpacked, options, *names)
    content = read_bundle(packed)
    assert (content.files, content.folder) == (FILES, None)
    assert content.archive_sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    for known in (packed, unpacked / MANIFEST, unpacked.parent / BUNDLE):
        assert content.has_sha256(hashlib.sha256(known.read_bytes()).hexdigest().upper())
    assert not content.has_sha256("00")
    invert_a_wire(unpacked)
    with pytest.raises(DataError, match=r"rtl/src/a\.v is changed"):
        read_bundle(tar(unpacked, options, *names))


def test_the_folder_of_a_stage_that_tar_has_packed(written: Path) -> None:
    assert read_bundle(tar(written, "-czf", ".")).files == FILES
    overwrite_the_figures(written)
    with pytest.raises(DataError, match=r"synthesis\.json is changed"):
        read_bundle(tar(written, "-czf", "."))


def test_what_tools_leave_in_the_folder_is_not_of_the_bundle(unpacked: Path) -> None:
    for name in ("vivado.log", "rtl/synth_ooc/timing.rpt", "emulator/replay"):
        (unpacked / name).parent.mkdir(exist_ok=True)
        (unpacked / name).write_text("")
    assert read_bundle(unpacked).files == FILES


def test_a_manifest_of_another_bundle_beside_the_archive_is_refused(written: Path) -> None:
    (written / MANIFEST).write_text(f"{hashlib.sha256(WIRE).hexdigest()}  rtl/src/a.v\n")
    invert_a_wire(written)
    with pytest.raises(DataError, match=f"{MANIFEST}: is not that of"):
        read_bundle(written)


def test_a_folder_that_is_no_bundle_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"no such file, nor a {MANIFEST} beside it") as error:
        read_bundle(tmp_path)
    assert "\n" not in str(error.value)
    (tmp_path / "text.tar").write_text("no archive at all")
    with pytest.raises(DataError, match="cannot be read as a bundle") as error:
        read_bundle(tmp_path / "text.tar")
    assert "\n" not in str(error.value)
