"""``l1distill verify BUNDLE``: check a bundle's manifest and replay its test vectors."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from l1distill.core.errors import ConfigError

_DESCRIPTION = """\
Checks every file of a bundle against its manifest, builds its emulator with make in a temporary
folder and replays its test vectors. BUNDLE is a bundle.tar.gz; the folder that a synthesis wrote,
in which the files beside the bundle are checked as well; or a bundle that was unpacked, or packed
again with tar. Needs make and a C++ compiler (CXX names another than the first found); no model,
no data set, no tracking store.

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

    from l1distill.artifacts.record import RECORD, Record
    from l1distill.firmware.bundle.replay import verify_bundle
    from l1distill.firmware.process import TimeLimit

    time_limit = TimeLimit(options.time_limit, "--time-limit")
    replay = verify_bundle(options.bundle, time_limit, options.sha256)
    if (options.bundle / RECORD).is_file():  # metrics.json and what else the stage wrote beside it
        Record.read(options.bundle)
    if replay.archive_sha256 is not None:
        print(f"{replay.bundle}: SHA-256 {replay.archive_sha256}")
        print(f"manifest: SHA-256 {replay.manifest_sha256}")
        print(f"archive:  {replay.files} files, each as its manifest says")
    else:
        print(f"{replay.bundle}: an unpacked bundle, without its archive")
        print(f"manifest: SHA-256 {replay.manifest_sha256}")
    if replay.folder is not None:
        print(f"folder:   {replay.files} files in {replay.folder}, each as the manifest says")
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
        help="bundle.tar.gz, the folder of a synthesis that holds one, or of an unpacked one",
    )
    parser.add_argument(
        "--sha256", metavar="HEX", help="required SHA-256 of the archive or the manifest"
    )
    parser.add_argument(
        "--time-limit",
        metavar="SECONDS",
        type=float,
        default=300.0,
        help="for the build and for the replay (default: %(default)g)",
    )
    return parser
