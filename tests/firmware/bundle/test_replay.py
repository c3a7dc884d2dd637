import errno
import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from l1distill.core.errors import DataError, ResourceError, ToolError
from l1distill.core.workspace import file_sha256
from l1distill.firmware.bundle.content import unpack_bundle
from l1distill.firmware.bundle.replay import verify_bundle
from l1distill.firmware.files import BUNDLE, INPUT_CODES, MANIFEST, OUTPUT_CODES
from l1distill.firmware.process import TimeLimit
from tests.firmware.emulators import repack

TIME_LIMIT = TimeLimit(100.0, "--time-limit")


def edit(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def changed(work: Path) -> None:
        before = (work / name).read_text()
        after = change(before)
        assert after != before
        (work / name).write_text(after)

    return changed


def one_code_off(text: str) -> str:
    """Adds one to the last number of event 7; the first line is a remark."""
    lines = text.splitlines()
    first, last = lines[8].split()
    lines[8] = f"{first} {int(last) + 1}"
    return "\n".join(lines) + "\n"


def one_weight_off(text: str) -> str:
    """Makes a sum of two numbers the difference."""
    at = text.rindex("{ADD, ")
    return text[:at] + "{SUBTRACT, " + text[at + len("{ADD, ") :]


def test_a_bundle_is_what_it_says(bundle: Path) -> None:
    for path in (bundle, bundle.parent):
        found = verify_bundle(path, TIME_LIMIT, file_sha256(bundle).upper())
        assert found.bundle == bundle
        assert found.archive_sha256 == file_sha256(bundle)
        assert found.folder is None  # nothing is beside the archive
        assert found.files == 7
        assert found.summary == "50 events of 4 inputs and 2 outputs: all equal"
    assert [path.name for path in bundle.parent.iterdir()] == [BUNDLE]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edit(OUTPUT_CODES, one_code_off), f"{OUTPUT_CODES} is changed"),
        (edit("emulator/logic.h", one_weight_off), "emulator/logic.h is changed"),
        (lambda work: (work / INPUT_CODES).unlink(), f"{INPUT_CODES} is missing"),
        (lambda work: (work / "emulator/evil.mk").write_text(""), "emulator/evil.mk is added"),
        (lambda work: (work / MANIFEST).unlink(), f"no {MANIFEST}"),
    ],
)
def test_damage_is_named_before_anything_is_built(
    bundle: Path, tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    repack(bundle, change, tmp_path / "work")
    with pytest.raises(DataError, match=re.escape(words)):
        verify_bundle(bundle, TimeLimit(1e-9, "nothing is built"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            edit(OUTPUT_CODES, one_code_off),
            r"event 7, output 1: (-?\d+) \(\S+\) instead of (-?\d+) \(\S+\); 1 of 50 events differ",
        ),
        (edit("emulator/logic.h", one_weight_off), r"event \d+, output \d: .* events differ$"),
        (
            edit(OUTPUT_CODES, lambda text: text + "1 x\n"),
            r": vectors/output\.txt: line 52",
        ),
        (
            edit("emulator/logic.h", lambda text: text[:-20]),
            r"does not compile: C\+\+ emulator: ended with status 2",
        ),
        (lambda work: shutil.rmtree(work / "emulator"), "holds no emulator/Makefile; synthesize"),
        (lambda work: (work / OUTPUT_CODES).unlink(), r"holds no vectors/output\.txt"),
    ],
)
def test_a_manifest_that_lies_does_not_help(
    bundle: Path, tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    repack(bundle, change, tmp_path / "work", honest=True)
    with pytest.raises(DataError, match=words) as error:
        verify_bundle(bundle, TIME_LIMIT)
    assert str(error.value).count("\n") == 0
    if log := re.search(r"log: (\S+)\)", str(error.value)):
        Path(log[1]).unlink()


def test_what_is_missing_on_the_machine_is_named(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ToolError, match="make: is not on the PATH"):
        verify_bundle(bundle, TIME_LIMIT)
    (programs / "make").write_text("")
    (programs / "make").chmod(0o755)
    with pytest.raises(ToolError, match=r"C\+\+ compiler: none of g\+\+"):
        verify_bundle(bundle, TIME_LIMIT)


def test_a_build_that_hangs_is_stopped(bundle: Path, tmp_path: Path) -> None:
    change = edit("emulator/Makefile", lambda text: text.replace("all:", "all:\n\tsleep 60\nold:"))
    repack(bundle, change, tmp_path / "work", honest=True)
    with pytest.raises(ToolError, match=r"stopped after 0\.5 s; raise --time-limit") as error:
        verify_bundle(bundle, TimeLimit(0.5, "--time-limit"))
    Path(str(error.value).split("(log: ")[1].rstrip(")")).unlink()


def test_another_bundle_is_not_run(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"SHA-256 is {file_sha256(bundle)}, not 00"):
        verify_bundle(bundle, TimeLimit(1e-9, "nothing is built"), "00")
    for missing in (tmp_path / "nothing.tar.gz", tmp_path):
        bundle.unlink(missing_ok=True)
        with pytest.raises(DataError, match=r"\.tar\.gz: no such file"):
            verify_bundle(missing, TIME_LIMIT)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("/tmp/l1distill-evil", tarfile.REGTYPE, "would be unpacked elsewhere"),
        ("../evil", tarfile.REGTYPE, "would be unpacked elsewhere"),
        ("rtl/../../evil", tarfile.REGTYPE, "would be unpacked elsewhere"),
        ("rtl\\..\\evil", tarfile.REGTYPE, "would be unpacked elsewhere"),
        ("link", tarfile.SYMTYPE, "link is no file"),
        ("link", tarfile.LNKTYPE, "link is no file"),
        ("pipe", tarfile.FIFOTYPE, "pipe is no file"),
    ],
)
def test_nothing_is_written_outside(tmp_path: Path, name: str, kind: bytes, words: str) -> None:
    path, target = tmp_path / BUNDLE, tmp_path / "target"
    target.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        honest = tarfile.TarInfo("honest")
        archive.addfile(honest, io.BytesIO(b""))
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "honest"
        archive.addfile(member, io.BytesIO(b""))
    with pytest.raises(DataError, match=words):
        unpack_bundle(path, target)
    assert not list(target.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {BUNDLE, "target"}


def test_files_in_each_others_way_are_refused(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    with pytest.raises(DataError, match="cannot be unpacked in"):
        unpack_bundle(bundle, target)


def test_a_full_disk_is_not_the_bundles_fault(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ResourceError, match=r"No space left on device\); make room, or .* TMPDIR"):
        unpack_bundle(bundle, tmp_path)


@pytest.fixture(scope="module")
def built(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle unpacked, built and checked by hand, without Python."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run(["tar", "-xzf", whole], cwd=folder, check=True)
    command = ["make", "-C", "emulator", "check"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    assert "50 events of 4 inputs and 2 outputs: all equal" in done.stdout
    return folder


@pytest.mark.parametrize(
    ("name", "change", "status", "words"),
    [
        (OUTPUT_CODES, one_code_off, 1, "event 7, output 1: "),
        (INPUT_CODES, lambda text: text.replace("\n", " 1\n"), 2, "line 2 holds no 4 integers"),
        (INPUT_CODES, lambda _: "# nothing\n", 2, "0 events in, 50 events out"),
        (OUTPUT_CODES, lambda text: text + "1 1\n", 2, "50 events in, 51 events out"),
        (OUTPUT_CODES, lambda text: text + "1\n", 2, "line 52 holds no 2 integers"),
        (OUTPUT_CODES, lambda text: text + "1 99999999999999999999\n", 2, "a number is too large"),
        (OUTPUT_CODES, None, 2, "cannot be read"),
    ],
)
def test_vectors_that_are_none(
    built: Path, name: str, change: Callable[[str], str] | None, status: int, words: str
) -> None:
    text = (built / name).read_text()
    (built / name).unlink()
    if change:
        (built / name).write_text(change(text))
    command = [built / "emulator/replay", built / INPUT_CODES, built / OUTPUT_CODES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (built / name).write_text(text)
    assert done.returncode == status
    assert words in done.stdout + done.stderr
