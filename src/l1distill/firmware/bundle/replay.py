"""Verification of a bundle: compile its C++ emulator and replay its test vectors.

Needs make and a C++ compiler; no TensorFlow, no data, no tracking store.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from l1distill.core.errors import DataError
from l1distill.firmware.bundle.content import read_bundle, write_content
from l1distill.firmware.emulator.cpp import compile_cpp_emulator
from l1distill.firmware.files import CPP_FOLDER, INPUT_CODES, OUTPUT_CODES
from l1distill.firmware.process import ExitStatusError, Job, TimeLimit


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The result of a verification that found no fault."""

    bundle: Path
    """The archive, or the folder of an unpacked bundle."""
    archive_sha256: str | None
    """SHA-256 of the archive; ``None`` where there is none."""
    manifest_sha256: str
    """SHA-256 of the manifest."""
    files: int
    """Number of files in the bundle."""
    folder: Path | None
    """The folder whose files were checked, beside those of the archive."""
    compiler: str
    summary: str
    """Number of events, inputs and outputs, as the replay printed them."""


def verify_bundle(path: Path, time_limit: TimeLimit, sha256: str | None = None) -> Replay:
    """Check a bundle's manifest, compile its emulator and replay its test vectors.

    It runs the bundle's own Makefile: the manifest protects from damage, not from malice.

    Args:
        path: a bundle, the folder that the synthesis wrote it into, or one that it was unpacked in.
        time_limit: for the build and for the replay.
        sha256: required SHA-256 of the archive or of its manifest, ``None`` where it is not known.

    Returns:
        What was checked.

    Raises:
        DataError: the bundle is damaged or incomplete, its emulator does not compile, or a
            number differs.
        ToolError: make or a compiler is missing, or the time limit passed.
    """
    content = read_bundle(path)
    bundle = content.path
    if sha256 is not None and not content.has_sha256(sha256):  # before anything of it runs
        found = content.archive_sha256 or f"{content.manifest_sha256} (of its manifest)"
        raise DataError(f"{bundle}: its SHA-256 is {found}, not {sha256}")
    for required in (f"{CPP_FOLDER}/Makefile", INPUT_CODES, OUTPUT_CODES):
        if required not in content.files:
            raise DataError(f"{bundle}: holds no {required}; synthesize again")
    with tempfile.TemporaryDirectory(prefix="l1distill-verify-") as name:
        folder = Path(name)
        write_content(content, folder)
        try:
            compiler = compile_cpp_emulator(folder / CPP_FOLDER, time_limit)
        except ExitStatusError as error:
            raise DataError(f"{bundle}: its emulator does not compile: {error}") from error
        summary = _replay(bundle, folder, time_limit)
    return Replay(
        bundle=bundle,
        archive_sha256=content.archive_sha256,
        manifest_sha256=content.manifest_sha256,
        files=len(content.files),
        folder=content.folder,
        compiler=compiler,
        summary=summary,
    )


def _replay(bundle: Path, folder: Path, time_limit: TimeLimit) -> str:
    command = [str(folder / name) for name in (f"{CPP_FOLDER}/replay", INPUT_CODES, OUTPUT_CODES)]
    with Job("replay", command, folder, time_limit) as job:
        status = job.end()
        output = job.output.replace(f"{folder}/", "")
    if status == 1:
        raise DataError(f"{bundle}: the emulator does not give the vectors' outputs: {output}")
    if status != 0:
        raise DataError(f"{bundle}: replay ended with status {status}: {output}")
    return output
