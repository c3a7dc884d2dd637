"""Complete command lines in bash: stages, groups, choices and keys.

``eval "$(l1distill --shell-completion install=bash)"`` in ``~/.bashrc`` turns it on.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from l1distill.core.errors import ConfigError

PROFILE = "profile"
"""Group whose folder has one for each task."""
SCRIPT = """\
_l1distill() {
    local line="${COMP_LINE:0:COMP_POINT}" word skip="" reply
    word="${line##*[[:space:]]}"
    # Bash takes what is before a = or : for a word of its own, and wants the rest alone.
    if [[ $word == *[=:]* && $COMP_WORDBREAKS == *=* ]]; then skip="${word%"${word##*[=:]}"}"; fi
    COMPREPLY=()
    while IFS= read -r reply; do
        COMPREPLY+=("${reply#"$skip"}")
    done < <(COMP_LINE="$line" "${COMP_WORDS[0]}" --shell-completion query=bash 2>/dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=./] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o default -F _l1distill l1distill
"""
UNINSTALL = "complete -r l1distill; unset -f _l1distill"


def complete(request: str, stages: Sequence[str], commands: Sequence[str]) -> None:
    """Print what bash evaluates: the script, its removal, or the completions of a line.

    Args:
        request: ``install=bash``, ``uninstall=bash``, or ``query=bash`` with the line up to the
            cursor in the environment variable COMP_LINE.
        stages: names of the stages.
        commands: names of the other commands.

    Raises:
        ConfigError: the request is another one.
    """
    if request == "install=bash":
        print(SCRIPT, end="")
    elif request == "uninstall=bash":
        print(UNINSTALL)
    elif request == "query=bash":
        for reply in completions(os.environ.get("COMP_LINE", ""), stages, commands):
            print(reply)
    else:
        raise ConfigError(
            f"--shell-completion {request}: take install=bash or uninstall=bash; in zsh run "
            "bashcompinit first"
        )


def completions(line: str, stages: Sequence[str], commands: Sequence[str]) -> list[str]:
    """Return the words that may stand where the line ends.

    Args:
        line: up to the cursor, the program first.
        stages: names of the stages.
        commands: names of the other commands.
    """
    words = line.split()
    if line.endswith((" ", "\t")) or not words:
        words.append("")
    if len(words) == 2:
        return sorted(name for name in [*stages, *commands] if name.startswith(words[1]))
    if len(words) < 2 or words[1] not in stages:
        return []
    if words[-1].startswith("-"):
        flags = ("--help", "--multirun", "--cfg", "--debug")
        return [flag for flag in flags if flag.startswith(words[-1])]
    return _of_hydra(words[1], words[2:])


def _of_hydra(stage: str, words: Sequence[str]) -> list[str]:
    """Return Hydra's completions of the last word; none if the others cannot be composed."""
    from hydra.core.plugins import Plugins
    from hydra.plugins.completion_plugin import CompletionPlugin

    from l1distill.stages.composition import hydra_initialized

    plugins: list[Any] = list(Plugins.instance().discover(CompletionPlugin))
    (bash,) = (plugin for plugin in plugins if _is_bash(plugin))
    known = [word for word in words if not word.startswith("-")]
    os.environ["COMP_LINE"] = " ".join([stage, *known])  # the first word is taken for the program
    printed = StringIO()
    try:
        with hydra_initialized() as loader, redirect_stdout(printed), redirect_stderr(StringIO()):
            bash(loader).query(stage)
    except Exception:  # a line that is wrong already has no completions
        return []
    return [*_of_the_user(printed.getvalue().split())]


def _of_the_user(words: Iterable[str]) -> Iterator[str]:
    """Yield the words that a user means; what profiles choose by the task is none of them."""
    for word in words:
        if word == PROFILE:
            yield f"{PROFILE}="
        elif not word.startswith(("hydra", f"{PROFILE}/")):
            yield word


def _is_bash(plugin: Any) -> bool:
    try:
        return str(plugin.provides()) == "bash"
    except NotImplementedError:  # one that Hydra has for its tests
        return False
