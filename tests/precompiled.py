"""A compiler, for the PATH of tests, that reads the headers of fixed-point types precompiled.

A third of what the C simulation of a small network takes to compile goes into the same headers,
and there are fifty of them.
"""

import importlib.util
import shutil
from pathlib import Path

FLAGS = "-O1 -std=c++17 -w"
"""Those of ``l1distill.firmware.hls.project``; with others the compiler reads the sources."""
HEADERS = (
    *("ap_fixed.h", "ap_int.h", "ap_shift_reg.h", "hls_stream.h", "hls_math.h"),
    *("algorithm", "cassert", "cmath", "cstdio", "cstdlib", "fstream", "iostream", "map", "vector"),
)
_COMPILER = """\
#!/bin/sh
# Whoever is first compiles the headers, and the others wait for them.
case "$*" in "{flags} -I"*"/ap_types "*) ;; *) exec {compiler} "$@" ;; esac
test -f {header}.gch || flock {header}.lock sh -c 'test -f {header}.gch || {{
    {compiler} {flags} -I{types} -x c++-header {header} -o {header}.part &&
    mv {header}.part {header}.gch; }}' || exit
exec {compiler} {flags} -include {header} "$@"
"""


def write_compiler(folder: Path) -> bool:
    """Write ``g++`` into a folder that processes may share; False if there is none to call."""
    compiler, spec = shutil.which("g++"), importlib.util.find_spec("hls4ml")
    if not (compiler and shutil.which("flock") and spec and spec.origin):
        return False
    folder.mkdir(exist_ok=True)
    header = folder / "types.h"
    header.write_text("".join(f"#include <{name}>\n" for name in HEADERS))
    types = Path(spec.origin).parent / "templates/vivado/ap_types"
    part = folder / "g++.part"
    part.write_text(_COMPILER.format(compiler=compiler, flags=FLAGS, header=header, types=types))
    part.chmod(0o755)
    part.replace(folder / "g++")
    return True
