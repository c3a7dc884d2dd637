"""Shards depend on the settings alone and cover what was asked for."""

import pytest

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


def test_pool_grows_with_the_sample() -> None:
    assert GeneratorSettings(background=60, signal=20).pool_size == 400
    assert QUICK.pool_size == 3500
    assert GeneratorSettings(background=2_000_000).pool_size == 20_000
    assert GeneratorSettings(pool=50).pool_size == 50
