"""``l1distill verify BUNDLE``: a bundle against its manifest and its own test vectors."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from l1distill.core.errors import DataError

_DESCRIPTION = """\
Checks a bundle against its manifest, builds its emulator with make in a temporary folder and
replays its test vectors. Needs make and a C++ compiler (CXX names another than the first found);
no model, no data set, no tracking store.

It runs the bundle's own Makefile: verify bundles of people you trust, by their SHA-256.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise DataError(f"{message}; see {self.prog} --help")


def run(arguments: Sequence[str]) -> None:
    """Verifies a bundle and says what was checked.

    Args:
        arguments: those behind the command's name.

    Raises:
        DataError: an argument is wrong, or the bundle is not what it should be.
        SystemExit: help was asked for.
    """
    options = _parser().parse_args(arguments)
    if not options.time_limit > 0:
        raise DataError(f"--time-limit {options.time_limit:g}: must be more than 0")

    from l1distill.firmware.bundle.replay import verify_bundle
    from l1distill.firmware.process import TimeLimit

    bounds = TimeLimit(options.time_limit, "--time-limit")
    found = verify_bundle(options.bundle, bounds, options.sha256)
    print(f"{found.bundle}: SHA-256 {found.sha256}")
    print(f"manifest: {found.files} files, each as it was packed")
    print(f"emulator: built with {found.compiler}")
    print(f"vectors:  {found.said}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="l1distill verify",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "bundle",
        metavar="BUNDLE",
        type=Path,
        help="bundle.tar.gz, or the folder of a synthesis that holds one",
    )
    parser.add_argument("--sha256", metavar="HEX", help="what the archive's SHA-256 must be")
    parser.add_argument(
        "--time-limit",
        metavar="SECONDS",
        type=float,
        default=300.0,
        help="for the build and for the replay (default: %(default)g)",
    )
    return parser
