"""The command line: ``l1distill <stage> [Hydra overrides]``, and ``l1distill verify BUNDLE``.

Nothing heavy is imported before a stage runs: help and configuration errors answer at once.
"""

import gc
import importlib
import os
import select
import shlex
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

from l1distill import __version__
from l1distill.core.credentials import hide_credentials
from l1distill.core.errors import ConfigError, L1DistillError
from l1distill.core.processor import pin_processor_features

TERMINATED = 143
"""Exit status after SIGTERM, as a shell would give it."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell would give it."""
DEBUG = "L1DISTILL_DEBUG"
"""Environment variable that does what ``--debug`` does where it is 1."""
COLLECTION = (50_000, 20, 20)
"""Thresholds of the garbage collector. What TensorFlow and MLflow allocate at their import stays;
by its defaults the collector looks through it so often that a third of the import goes there."""
STAGES = {
    "generate": "make collision events: PYTHIA, pileup, fast detector simulation",
    "teacher": "train the autoencoder that scores how anomalous an event is",
    "quantize": "bring a teacher to fixed point, by rounding it or by training on",
    "student": "distill the teacher into a small quantized, pruned network",
    "search": "train many candidates for a student together, and the best of them anew",
    "synthesize": "turn a student, or any model, into verified firmware",
    "promote": "judge the student by the gates and register it",
    "pipeline": "student, synthesize and promote as a candidate in one job; sweeps of such jobs",
    "monitor": "compare new events with those that the champion was promoted with",
    "paper": "tables and figures of a study, of autoencoders or searches, from all logged runs",
    "report": "gather the results of all stages on one page",
}
REGISTRY = {
    "history": "who became champion or challenger, when, why, and from which commit",
    "lineage": "the chain from a registered version to its collisions, each link verified",
    "rollback": "make an earlier version champion again, if it still passes the gates",
}
"""Commands on the registered model, with overrides as stages have them."""
COMMANDS = {
    "verify": "check the files of a bundle or folder, and replay its test vectors",
    "fingerprint": "write the settings and source hashes by which dvc repro knows what to rerun",
    "ui": "open the logged runs in the browser, with MLflow's user interface",
}
USAGE = """\
usage: l1distill <stage> [overrides] [-m]
       l1distill verify BUNDLE

Knowledge distillation for Level-1 triggers, one stage at a time.

stages:
{stages}

the registered model, with overrides as for stages:
{registry}

not a stage, nothing is written or logged:
{commands}

overrides are Hydra's: key=value, group=choice, +new=value, ~key
  -m, --multirun    sweep: l1distill student -m student.weight_bits=4,6,8
  --cfg job         print the composed configuration and stop
  --help            a stage's groups and keys, with their choices, values, units and meanings
  --dry-run         of promote: judge and compare, register nothing
  --debug           show where an error comes from (or L1DISTILL_DEBUG=1)

Completion for bash: eval "$(l1distill --shell-completion install=bash)"
`dvc repro` runs all stages that are out of date."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one stage or command.

    Args:
        argv: the arguments without the program's name; those of the process if None.

    Returns:
        The exit status: 0 if the stage did its work, 2 for a bad configuration or input, 1 for a
        tool or resource that failed, 3 for a verdict of no (not promoted), 130 or 143 if it was
        interrupted; of a sweep the highest of its jobs.
    """
    try:
        status = _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # once more, while the first was reported
        status = INTERRUPTED
    if argv is None:  # all is done and said: what is left is the end of the interpreter
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return status


def _run(arguments: list[str]) -> int:
    pin_processor_features(os.environ)  # before anything imports NumPy
    gc.set_threshold(*COLLECTION)
    try:
        arguments = _split_project_overrides(arguments)
        if "--debug" in arguments:
            os.environ[DEBUG] = "1"  # also for the jobs of a sweep and other processes
            arguments = [word for word in arguments if word != "--debug"]
        return _dispatch(arguments)
    except L1DistillError as error:
        return _report(error)
    except SystemExit as leaving:  # --help and its like; SIGTERM
        if leaving.code == TERMINATED:
            print("l1distill: terminated; earlier outputs are as they were", file=sys.stderr)
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt as error:
        what = str(error) or "earlier outputs are as they were"
        print(f"l1distill: interrupted; {what}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        if not _reader_is_gone():  # another pipe than that of `l1distill student --help | head`
            raise
        return 0


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments == ["help"] or arguments[0] in {"-h", "--help"}:
        listings = [
            "\n".join(f"  {name:<11} {summary}" for name, summary in table.items())
            for table in (STAGES, REGISTRY, COMMANDS)
        ]
        stages, registry, commands = listings
        print(USAGE.format(stages=stages, registry=registry, commands=commands), flush=True)
        return 0
    if arguments[0] in {"-V", "--version"}:
        print(f"l1distill {__version__}")
        return 0
    if {"-sc", "--shell-completion"}.intersection(arguments):
        from l1distill.stages.completion import complete

        complete(arguments[-1], [*STAGES, *REGISTRY], [*COMMANDS])
        return 0
    if arguments[0] == "help":
        arguments = [*arguments[1:], "--help"]
    name, *words = arguments
    if name in COMMANDS:
        signal.signal(signal.SIGTERM, _on_sigterm)
        importlib.import_module(f"l1distill.commands.{name}").run(words)
        return 0
    configured = {**STAGES, **REGISTRY}
    if name in configured:
        signal.signal(signal.SIGTERM, _on_sigterm)
        from l1distill.stages.launch import launch

        return launch(name, configured[name], words, _report)
    from difflib import get_close_matches

    near = get_close_matches(name, [*configured, *COMMANDS], n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"{name}: no such stage{hint}; see l1distill -h")


def _split_project_overrides(arguments: list[str]) -> list[str]:
    """Unpack ``--overrides "a=1 b=2"``, the one parameter of every MLproject entry point."""
    if "--overrides" not in arguments:
        return arguments
    at = arguments.index("--overrides")
    if at + 1 == len(arguments):
        raise ConfigError('--overrides: needs a value, as in --overrides "student.weight_bits=4"')
    try:
        overrides = shlex.split(arguments[at + 1])
    except ValueError as error:
        raise ConfigError(f"--overrides {arguments[at + 1]}: {error}") from error
    return arguments[:at] + overrides + arguments[at + 2 :]


def _report(error: Exception, job: str = "") -> int:
    """Print an error for the user: one line, and with ``--debug`` the chain that led to it.

    Args:
        error: an error of ours; any other is a defect, and keeps its traceback.
        job: which job of a sweep failed; empty outside of sweeps.

    Returns:
        The exit status that it stands for.
    """
    if not isinstance(error, L1DistillError) or os.environ.get(DEBUG) == "1":
        said = "".join(traceback.format_exception(error))
        print(hide_credentials(said), end="", file=sys.stderr)
    name = "" if isinstance(error, L1DistillError) else f"{type(error).__name__}: "
    prefix = f"{job}: " if job else ""
    said = hide_credentials(f"l1distill: {prefix}{name}{error}")
    print(said, file=sys.stderr, flush=True)
    return error.exit_status if isinstance(error, L1DistillError) else 1


def _on_sigterm(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)


def _reader_is_gone() -> bool:
    """Return whether nobody reads the standard output any more; what is left is discarded then."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


if __name__ == "__main__":
    sys.exit(main())
