"""``l1distill verify BUNDLE``: check a bundle's manifest and replay its test vectors."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from l1distill.core.errors import ConfigError

_DESCRIPTION = """\
Checks a bundle against its manifest, builds its emulator with make in a temporary folder and
replays its test vectors. Needs make and a C++ compiler (CXX names another than the first found);
no model, no data set, no tracking store.

It runs the bundle's own Makefile: verify bundles of people you trust, by their SHA-256.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see {self.prog} --help")


def run(arguments: Sequence[str]) -> None:
    """Verify a bundle and print what was checked.

    Args:
        arguments: those behind the command's name.

    Raises:
        ConfigError: an argument is wrong.
        DataError: the bundle is damaged, or its emulator gives other outputs.
        ToolError: make or a compiler is missing, or the time limit passed.
        SystemExit: help was asked for.
    """
    options = _parser().parse_args(arguments)
    if not options.time_limit > 0:
        raise ConfigError(f"--time-limit {options.time_limit:g}: must be more than 0")

    from l1distill.firmware.bundle.replay import verify_bundle
    from l1distill.firmware.process import TimeLimit

    time_limit = TimeLimit(options.time_limit, "--time-limit")
    replay = verify_bundle(options.bundle, time_limit, options.sha256)
    print(f"{replay.bundle}: SHA-256 {replay.sha256}")
    print(f"manifest: {replay.files} files, each as it was packed")
    print(f"emulator: built with {replay.compiler}")
    print(f"vectors:  {replay.summary}")


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
    parser.add_argument("--sha256", metavar="HEX", help="required SHA-256 of the archive")
    parser.add_argument(
        "--time-limit",
        metavar="SECONDS",
        type=float,
        default=300.0,
        help="for the build and for the replay (default: %(default)g)",
    )
    return parser
