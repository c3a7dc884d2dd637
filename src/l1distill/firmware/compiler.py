"""Find the C++ compiler and make on this machine."""

import os
import shutil

from l1distill.core.errors import ToolError

COMPILERS = ("g++", "clang++", "c++")


def find_compiler() -> str:
    """Find the C++ compiler: ``$CXX``, or the first of :data:`COMPILERS` on the PATH.

    Returns:
        Its path.

    Raises:
        ToolError: there is none.
    """
    chosen = os.environ.get("CXX")
    for name in (chosen,) if chosen else COMPILERS:
        path = shutil.which(name)
        if path:
            return path
    missing = f"CXX={chosen} is not" if chosen else f"none of {', '.join(COMPILERS)} is"
    raise ToolError(f"C++ compiler: {missing} on the PATH; install one, or name it in CXX")


def find_make() -> str:
    """Find make.

    Returns:
        Its path.

    Raises:
        ToolError: it is not on the PATH.
    """
    make = shutil.which("make")
    if not make:
        raise ToolError("make: is not on the PATH; install it")
    return make
