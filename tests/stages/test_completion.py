"""Completion in a real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from l1distill.cli import COMMANDS, STAGES
from l1distill.stages.completion import completions


def _completions(line: str) -> list[str]:
    return completions(line, [*STAGES], [*COMMANDS])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("l1distill ", sorted([*STAGES, *COMMANDS])),
        ("l1distill stu", ["student"]),
        ("l1distill verify ", []),
        ("l1distill student --mu", ["--multirun"]),
        (
            "l1distill student student=",
            [
                f"student={name}"
                for name in ("anomaly", "cnn", "hgq", "jets", "mlp", "pileup", "trees")
            ],
        ),
        ("l1distill student student.wei", ["student.weight_bits=", "student.weight_integer="]),
        ("l1distill student -m seed=1,2 compression=pr", ["compression=pruning"]),
        ("l1distill student student=nonsense see", []),
        ("l1distill student hyd", []),
        ("l1distill student prof", ["profile="]),
        ("l1distill student profile/", []),
        ("l1distill student task=jets profile=q", ["profile=quick"]),
    ],
)
def test_words_are_completed(line: str, expected: list[str]) -> None:
    assert _completions(line) == expected


def test_keys_follow_the_groups_that_are_chosen() -> None:
    assert _completions("l1distill generate data=nanoaod data.files.m") == [
        "data.files.met=",
        "data.files.muon_eta_max=",
        "data.files.muon_isolation_max=",
        "data.files.muon_loose_id=",
    ]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["l1distill", "stu"], ["student"]),
        (["l1distill", "student", "student.weight_i"], ["student.weight_integer="]),
        (["l1distill", "student", "compression", "=", "pr"], ["pruning"]),
        (
            ["l1distill", "student", "compression", "="],
            [
                *("anomaly", "autopruner", "from_scratch", "hard_concrete", "jets"),
                *("magnitude", "none", "per_layer", "permutation", "pileup", "pruning"),
                *("random", "sigmoid_gates", "straight_through"),
            ],
        ),
    ],
)
def test_bash_completes(tmp_path: Path, words: list[str], expected: list[str]) -> None:
    """As readline calls it: the words split at COMP_WORDBREAKS, with = among them."""
    program = tmp_path / "l1distill"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m l1distill "$@"\n')
    program.chmod(0o755)
    line = " ".join(words).replace(" = ", "=").replace(" =", "=")
    script = f"""
        eval "$(l1distill --shell-completion install=bash)"
        COMP_WORDBREAKS=$' \\t\\n"=:'
        COMP_WORDS=({" ".join(words)}) COMP_CWORD={len(words) - 1}
        COMP_LINE='{line}' COMP_POINT={len(line)}
        rule=$(complete -p l1distill)
        function=${{rule##*-F }}; function=${{function%% *}}
        "$function" l1distill '{words[-1]}' '{words[-2]}'
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.split() == expected
