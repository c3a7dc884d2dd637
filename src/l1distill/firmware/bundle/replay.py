"""Builds the emulator of a bundle and replays the test vectors: firmware checked anywhere.

Needs make and a C++ compiler; no TensorFlow, no data, no tracking store.
"""

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from l1distill.core.errors import DataError, ToolError
from l1distill.firmware.bundle.archive import BUNDLE, unpack_bundle
from l1distill.firmware.hls.project import find_compiler
from l1distill.firmware.process import Job, TimeLimit, run

CPP_FOLDER = "emulator"
"""The folder of the sources, in a bundle and in what the synthesis writes."""
VECTORS = ("vectors/input.txt", "vectors/output.txt")


class Replay(NamedTuple):
    """What a verification found."""

    bundle: Path
    sha256: str
    files: int
    compiler: str
    said: str
    """What the replay said of its events."""


def verify_bundle(path: Path, bounds: TimeLimit, sha256: str | None = None) -> Replay:
    """Checks a bundle's manifest, builds its emulator and replays its test vectors.

    It runs the bundle's own Makefile: the manifest protects from damage, not from malice.

    Args:
        path: a bundle, or the folder that the synthesis wrote it into.
        bounds: time limit for the build and for the replay.
        sha256: what the archive's SHA-256 must be, ``None`` where it is not known.

    Returns:
        What was checked.

    Raises:
        DataError: the bundle is damaged or incomplete, make or a compiler is missing, the
            emulator does not build, or a number differs.
    """
    bundle = path / BUNDLE if path.is_dir() else path
    with tempfile.TemporaryDirectory(prefix="l1distill-verify-") as name:
        folder = Path(name)
        content = unpack_bundle(bundle, folder)
        if sha256 is not None and content.sha256 != sha256.lower():  # before anything of it runs
            raise DataError(f"{bundle}: its SHA-256 is {content.sha256}, not {sha256}")
        for needed in (f"{CPP_FOLDER}/Makefile", *VECTORS):
            if needed not in content.files:
                raise DataError(f"{bundle}: holds no {needed}; synthesize anew")
        compiler = build_emulator(folder / CPP_FOLDER, bounds)
        said = _replay(bundle, folder, bounds)
    return Replay(bundle, content.sha256, len(content.files), compiler, said)


def find_make() -> str:
    """Returns the path of make.

    Raises:
        ToolError: it is not there.
    """
    found = shutil.which("make")
    if not found:
        raise ToolError("make: is not on the PATH; install it")
    return found


def build_emulator(folder: Path, bounds: TimeLimit) -> str:
    """Builds the emulator in its folder.

    Args:
        folder: what ``write_cpp_emulator`` wrote; the library and ``replay`` are built into it.
        bounds: time limit.

    Returns:
        The compiler.

    Raises:
        ToolError: make or the compiler is missing or failed, or took too long.
    """
    make, compiler = find_make(), find_compiler()
    run("C++ emulator", [make, "--silent", "all", f"CXX={compiler}"], folder, bounds)
    return compiler


def _replay(bundle: Path, folder: Path, bounds: TimeLimit) -> str:
    paths = (f"{CPP_FOLDER}/replay", *VECTORS)
    with Job("replay", [str(folder / path) for path in paths], folder, bounds) as job:
        status = job.end()
        said = job.said.replace(f"{folder}/", "")
    if status == 1:
        raise DataError(f"{bundle}: the emulator does not give the vectors' outputs: {said}")
    if status != 0:
        raise DataError(f"{bundle}: replay ended with status {status}: {said}")
    return said
