"""Shards depend on the settings alone and cover what was asked for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import l1distill
from l1distill.core.closure import closure_of
from l1distill.tasks.anomaly.events import PROCESSES, SIGNALS
from l1distill.tasks.anomaly.generator.plan import fingerprint, plan_shards, sample_counts
from l1distill.tasks.anomaly.generator.processes import MIX, mix_counts
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings

QUICK = GeneratorSettings()


@pytest.mark.parametrize("events", [1, 2, 60, 999, 5000, 100_000])
def test_the_mix_is_exact(events: int) -> None:
    counts = mix_counts(events)
    assert sum(counts.values()) == events
    assert all(abs(counts[name] - events * share) < 1 for name, share in MIX.items())


def test_shards_cover_every_sample_exactly() -> None:
    shards = plan_shards(QUICK)
    for sample, events in sample_counts(QUICK).items():
        numbers = [shard.number for shard in shards if shard.sample == sample]
        assert numbers == list(range(len(numbers)))
        assert sum(shard.events for shard in shards if shard.sample == sample) == events


def test_every_shard_has_its_own_seed_and_name() -> None:
    shards = plan_shards(GeneratorSettings(background=200_000, signal=5_000))
    assert len({shard.seed for shard in shards}) == len(shards)
    assert len({shard.name for shard in shards}) == len(shards)
    others = plan_shards(GeneratorSettings(background=200_000, signal=5_000, seed=2))
    assert not {shard.seed for shard in shards} & {shard.seed for shard in others}


def test_shards_are_balanced() -> None:
    costs = [shard.cost for shard in plan_shards(QUICK)]
    # none holds up the last worker for longer than a fifth of one worker's share
    assert max(costs) < 0.2 * sum(costs) / 2 + 1000
    assert max(costs) <= QUICK.shard * 1.05


def test_a_tiny_mix_leaves_out_what_rounds_to_nothing() -> None:
    assert {shard.sample for shard in plan_shards(GeneratorSettings(background=2, signal=1))} == {
        "w", "qcd", *SIGNALS,
    }  # fmt: skip
    assert set(sample_counts(QUICK)) == set(PROCESSES + SIGNALS)


def test_fingerprint_follows_settings_and_versions() -> None:
    base = fingerprint(QUICK, {"numpy": "1"})
    assert base == fingerprint(GeneratorSettings(), {"numpy": "1"})
    assert base != fingerprint(QUICK, {"numpy": "2"})
    assert base != fingerprint(GeneratorSettings(pileup=0.0), {"numpy": "1"})
    assert base != fingerprint(GeneratorSettings(seed=2), {"numpy": "1"})


@pytest.mark.parametrize(
    "name",
    ["simulation/detector.py", "simulation/pythia.py", "tasks/anomaly/generator/reconstruct.py"],
)
def test_fingerprint_follows_every_module_that_shapes_events(name: str) -> None:
    """A changed module gives another folder: no shard from before the change is reused."""
    names = closure_of(["l1distill.tasks.anomaly.generator.shard"]).files
    assert f"l1distill/{name}" in names


def test_another_source_of_the_simulation_gives_another_folder(tmp_path: Path) -> None:
    """In copies of the package, of which one is changed."""
    folders = []
    for change in (None, "tasks/anomaly/generator/checks.py", "simulation/detector.py"):
        copy = tmp_path / f"{len(folders)}"
        shutil.copytree(
            Path(l1distill.__file__).parent, copy / "l1distill",
            ignore=shutil.ignore_patterns("__pycache__"),
        )  # fmt: skip
        if change is not None:
            with (copy / "l1distill" / change).open("a") as file:
                file.write("# a change\n")
        code = (
            "from l1distill.tasks.anomaly.generator import plan, settings;"
            "print(plan.fingerprint(settings.GeneratorSettings(), {}))"
        )
        folders.append(
            subprocess.run(
                [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(copy)},
                capture_output=True, text=True, check=True,
            ).stdout
        )  # fmt: skip
    same, after_the_shards, other = folders
    assert len(same.strip()) == 16
    assert after_the_shards == same  # checks look at finished events
    assert other != same


def test_pool_grows_with_the_sample() -> None:
    assert GeneratorSettings(background=60, signal=20).pool_size == 400
    assert QUICK.pool_size == 3500
    assert GeneratorSettings(background=2_000_000).pool_size == 20_000
    assert GeneratorSettings(pool=50).pool_size == 50
