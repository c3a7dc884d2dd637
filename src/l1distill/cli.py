"""The command line: ``l1distill <stage> [Hydra overrides]``, and ``l1distill verify BUNDLE``.

Nothing heavy is imported before a stage runs: help and configuration errors answer at once.
"""

import importlib
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from l1distill import __version__
from l1distill.core.errors import ConfigError, L1DistillError

if TYPE_CHECKING:
    from omegaconf import DictConfig

TERMINATED = 143
"""Exit status after SIGTERM, as a shell would give it."""
STAGES = {
    "generate": "make collision events: PYTHIA, pileup, fast detector simulation",
    "teacher": "train the autoencoder that scores how anomalous an event is",
    "quantize": "bring a teacher to fixed point, by rounding it or by training on",
    "student": "distill the teacher into a small quantized, pruned network",
    "synthesize": "turn the student into verified firmware and its figures",
    "promote": "hold the student against the gates and register it",
    "paper": "tables and figures of the study of autoencoders, from all logged runs",
    "report": "gather what the line found on one page",
}
COMMANDS = {
    "verify": "rebuild the emulator of a bundle and replay its test vectors",
    "fingerprint": "write the settings and source hashes by which dvc repro finds what is outdated",
}
ADVERTISED_HYDRA_FLAGS = """\
  -m, --multirun    sweep: l1distill student -m student.weight_bits=4,6,8
  --cfg job         print the composed configuration and stop
  --help            a stage's options and its whole configuration"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one stage or command.

    Args:
        argv: the arguments without the program's name; those of the process if None.

    Returns:
        The exit status: 0 if the stage did its work, 2 for bad configuration or input, 130 or
        143 if it was interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(_usage())
        return 0
    if arguments[0] in {"-V", "--version"}:
        print(f"l1distill {__version__}")
        return 0
    stage, *overrides = arguments
    try:
        if stage in COMMANDS:
            signal.signal(signal.SIGTERM, _stop)
            importlib.import_module(f"l1distill.commands.{stage}").run(overrides)
            return 0
        if stage not in STAGES:
            near = _nearest(stage, {**STAGES, **COMMANDS})
            raise ConfigError(f"{stage}: no such stage{near}; see l1distill -h")
        _run(stage, _split_project_overrides(overrides))
    except L1DistillError as error:
        print(f"l1distill: {error}", file=sys.stderr)
        return error.exit_status
    except SystemExit as leaving:  # --help and its like; SIGTERM
        if leaving.code == TERMINATED:
            print("l1distill: terminated; earlier outputs are as they were", file=sys.stderr)
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt:
        print("l1distill: interrupted; earlier outputs are as they were", file=sys.stderr)
        return 130
    return 0


def _usage() -> str:
    stages, commands = (
        "\n".join(f"  {name:<11} {summary}" for name, summary in what.items())
        for what in (STAGES, COMMANDS)
    )
    return (
        "usage: l1distill <stage> [overrides] [-m]\n"
        "       l1distill verify BUNDLE\n\n"
        "Knowledge distillation for Level-1 triggers, one stage at a time.\n\n"
        f"stages:\n{stages}\n\n"
        f"not a stage, nothing is written or logged:\n{commands}\n\n"
        "overrides are Hydra's: key=value, group=choice, +new=value, ~key\n"
        f"{ADVERTISED_HYDRA_FLAGS}\n\n"
        "`dvc repro` runs all stages that are out of date."
    )


def _split_project_overrides(arguments: list[str]) -> list[str]:
    """Unpacks ``--overrides "a=1 b=2"``, the one parameter of every MLproject entry point."""
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


def _conf_dir() -> Path:
    """The project's conf/: that of the working directory, or of the source checkout."""
    for root in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (root / "conf" / "generate.yaml").is_file():
            return root / "conf"
    raise ConfigError("conf/: not found here; run l1distill in a checkout of the project")


def _run(stage: str, overrides: list[str]) -> None:
    """Hands over to Hydra, whose own flags all work, and translates what it refuses."""
    import hydra
    from hydra._internal.utils import get_args_parser
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    signal.signal(signal.SIGTERM, _stop)
    conf = _conf_dir()
    # Hydra would print its own account of an exception and leave with status 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    _hush()
    _, unknown = get_args_parser().parse_known_args(overrides)
    if flags := [word for word in unknown if word.startswith("-")]:
        raise ConfigError(f"{flags[0]}: no such flag; see l1distill {stage} --help")
    own_argv, sys.argv = sys.argv, [f"l1distill {stage}", *overrides]
    try:
        hydra.main(version_base="1.3", config_path=str(conf), config_name=stage)(_task)()
    except _Refusal as refusal:
        raise refusal.error from refusal
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_explain(error, stage, conf)) from error
    finally:
        sys.argv = own_argv


def _hush() -> None:
    """Keeps the chatter of TensorFlow and MLflow from between the lines that matter."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")


class _Refusal(BaseException):
    """Carries an :class:`L1DistillError` past Hydra, which would add a line of its own."""

    def __init__(self, error: L1DistillError) -> None:
        super().__init__(str(error))
        self.error = error


def _task(cfg: "DictConfig") -> None:
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from l1distill.stages import configuration as door

    hydra_config = HydraConfig.get()
    plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    stage = str(hydra_config.job.config_name)
    composed: dict[str, Any] = {str(key): value for key, value in plain.items()}
    experiment = hydra_config.runtime.choices.get("experiment")
    tags = {"experiment": str(experiment)} if experiment else {}
    if hydra_config.mode is not None and hydra_config.mode.name == "MULTIRUN":
        composed["output"] = door.sweep_output(hydra_config, composed["output"])
        door.run(stage, composed, tags)
        return
    try:
        door.run(stage, composed, tags)
    except L1DistillError as error:
        raise _Refusal(error) from error


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)


def _nearest(word: str, known: Sequence[str] | dict[str, str]) -> str:
    from difflib import get_close_matches

    matches = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else ""


def _explain(error: Exception, stage: str, conf: Path) -> str:
    """One line for what Hydra or OmegaConf refused, with the nearest real key or choice."""
    import re

    text = str(error)
    if missing := re.search(r"Could not (?:override|delete from config\.?) ?'([^']*)'", text):
        key = missing[1]
        if other := re.search(r"Did you mean to override ([^\s?]+)", text):
            return f"{key}: no such group here; did you mean {other[1]}?"
        known = _keys(stage, conf)
        if key in known:
            return f"{key}: not a choice of {stage}; see l1distill {stage} --help"
        return f"{key}: no such key{_nearest(key, known)} (new keys are refused)"
    if choice := re.search(r"(?:Could not find|In '[^']*': Could not find) '([^']*)'", text):
        group, _, name = choice[1].rpartition("/")
        options = sorted(path.stem for path in (conf / group).glob("*.yaml"))
        choices = f"; there are {', '.join(options)}" if options else ""
        return f"{group or stage}={name}: no such choice{_nearest(name, options)}{choices}"
    if group := re.search(r"Could not override '([^']*)'\. No match in the defaults list", text):
        return f"{group[1]}: no such group{_nearest(group[1], _groups(conf))}"
    return " ".join(line.strip() for line in text.splitlines()[:3] if line.strip())


def _keys(stage: str, conf: Path) -> list[str]:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    from l1distill.stages.configuration import flatten

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        plain = OmegaConf.to_container(compose(stage), resolve=False)
    assert isinstance(plain, dict)
    leaves = list(flatten({str(key): value for key, value in plain.items()}))
    branches = {leaf.rsplit(".", n)[0] for leaf in leaves for n in range(1, leaf.count(".") + 1)}
    return [*leaves, *sorted(branches), *_groups(conf)]


def _groups(conf: Path) -> list[str]:
    return sorted({path.parent.relative_to(conf).as_posix() for path in conf.rglob("*/*.yaml")})


if __name__ == "__main__":
    sys.exit(main())
