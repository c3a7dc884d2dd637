"""Precompiled headers of the C simulation, shared by all simulations of a process.

Half of a compilation goes into the same headers: the C++ library, ``ap_fixed`` and hls4ml's
helpers. GCC reads them back from a precompiled form, which takes longer to write than one
simulation gains: it is made only where a process compiles several times, as sweeps and tests do.
"""

import atexit
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from l1distill.firmware.process import Job, TimeLimit

COMPILATIONS = 3
"""The compilation of a process from which on headers are precompiled."""
_HEADER = "common.h"
_INCLUDES = """\
#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <tuple>
#include <vector>
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
#include "nnet_utils/nnet_types.h"
#include "nnet_utils/nnet_helpers.h"
"""
_counts: dict[str, int] = {}
_folders: dict[str, Path | None] = {}


def precompiled_headers(
    compiler: str, flags: Sequence[str], firmware: Path, time_limit: TimeLimit
) -> list[str]:
    """Return compiler options that include the precompiled headers of a project.

    They are shared between projects only if compiler, flags and the text of all included headers
    are equal, so that the compiled simulation is the same as without them.

    Args:
        compiler: path of the C++ compiler.
        flags: that the simulation is compiled with.
        firmware: the folder ``firmware`` of a project, with its headers.
        time_limit: of the compilation of the headers.

    Returns:
        The options; none before the third compilation, and for compilers other than GCC.

    Raises:
        ToolError: the time limit passed.
    """
    key = _key(compiler, flags, firmware)
    if key is None:
        return []
    _counts[key] = _counts.get(key, 0) + 1
    if _counts[key] < COMPILATIONS:
        return []
    if key not in _folders:
        _folders[key] = _precompile(compiler, flags, firmware, time_limit)
    folder = _folders[key]
    return ["-include", str(folder / _HEADER)] if folder else []


def _key(compiler: str, flags: Sequence[str], firmware: Path) -> str | None:
    """Hash everything that the precompiled headers depend on; ``None`` if it is not GCC."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    if b"Free Software Foundation" not in version:
        return None
    digest = hashlib.sha256(repr((compiler, version, tuple(flags))).encode())
    headers = [*(firmware / "ap_types").rglob("*"), *(firmware / "nnet_utils").rglob("*")]
    for header in sorted(headers):
        if header.is_file():
            digest.update(repr((header.relative_to(firmware), header.read_bytes())).encode())
    return digest.hexdigest()


def _precompile(
    compiler: str, flags: Sequence[str], firmware: Path, time_limit: TimeLimit
) -> Path | None:
    """Write the precompiled headers into a folder that is removed at exit; ``None`` if it fails."""
    folder = Path(tempfile.mkdtemp(prefix="l1distill-headers-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / _HEADER).write_text(_INCLUDES, encoding="utf-8")
    include = [f"-I{firmware}/ap_types", f"-I{firmware}"]
    output = ["-x", "c++-header", _HEADER, "-o", f"{_HEADER}.gch"]
    with Job("C++ compiler", [compiler, *flags, *include, *output], folder, time_limit) as job:
        return folder if job.end() == 0 else None  # the simulation itself will say what is wrong
