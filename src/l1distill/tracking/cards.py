"""Descriptions of a registered model and its versions: who is champion, why, and what it can do.

MLflow keeps one text for each; it is written anew whenever an alias has moved.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from l1distill.core.errors import L1DistillError
from l1distill.firmware.files import BUNDLE
from l1distill.registry.card import StudentCard
from l1distill.reporting import markdown
from l1distill.reporting.tables import Table
from l1distill.tracking.history import Event
from l1distill.tracking.links import artifact_link, picture, run_link, version_link
from l1distill.tracking.posts import Post, minute, post_of
from l1distill.tracking.registry import CHALLENGER, CHAMPION, PROMOTION_RUN, ModelRegistry

CARD = "card.json"
"""File of a promotion's run with the card of its student."""
LONGEST = 5000
"""Characters of a description that every database of MLflow's takes."""
EVENTS = 8
"""Moves that the description of the registered model lists."""
FIRST = 2
"""Tables that must not be missing; there is not always room for more."""
PICTURES = 2
"""Pictures that the card of a version shows, the first of its student."""
_REASON = 400
_IN_SHORT = {
    "champion": "the student that runs in the trigger.",
    "challenger": "passes all gates, is not better than the champion by more than the "
    "uncertainty, and does not run in the trigger.",
    "former champion": "does not run in the trigger any more.",
    "refused": "does not run in the trigger.",
    "candidate": "does not run in the trigger.",
}
_OF_STAGES = {"student": "student", "teacher": "its teacher", "synthesize": "its firmware"}


def write_descriptions(
    registry: ModelRegistry, events: Sequence[Event], versions: Iterable[str | None]
) -> None:
    """Describe a registered model and some of its versions as they are now.

    Args:
        registry: the registered model.
        events: its history.
        versions: those whose post may have changed; None and deleted ones are passed over.
    """
    posts = {alias: registry.alias(alias) for alias in (CHAMPION, CHALLENGER)}
    there = registry.versions()
    for version in sorted({one for one in versions if one in there}, key=str):
        post = post_of(str(version), posts[CHAMPION], posts[CHALLENGER], events)
        registry.set_version_description(
            str(version), describe_version(registry, str(version), post)
        )
    registry.set_description(describe_model(registry, posts, events))


def describe_version(registry: ModelRegistry, version: str, post: Post) -> str:
    """Return the card of a version.

    Args:
        registry: the registered model.
        version: which.
        post: what it is now.
    """
    tags = registry.tags(version)
    card = _card(registry, tags)
    run_tags = registry.run_tags(version)
    parts = [_post(registry, post), _made_of(registry, tags, run_tags, card)]
    if card is not None:
        parts += [table.lead for table in card.tables]
        parts += [markdown.section(_rows(table)) for table in card.tables[:FIRST] if table.rows]
    parts += [_gates(tags), _load(f"models:/{registry.name}/{version}", card)]
    if card is not None:
        parts += list(_pictures(card, run_tags))
        parts += ["Limitations:\n\n" + "\n".join(f"- {one}" for one in card.limitations)]
        parts += [markdown.section(_rows(table)) for table in card.tables[FIRST:] if table.rows]
        parts += [note for table in card.tables for note in table.notes]
    return markdown.join_within(parts, LONGEST, _rest(registry, tags))


def describe_model(
    registry: ModelRegistry, posts: Mapping[str, str | None], events: Sequence[Event]
) -> str:
    """Return the description of the registered model.

    Args:
        registry: the registered model.
        posts: version of each alias.
        events: its history.
    """
    champion = posts[CHAMPION]
    card = None if champion is None else _card(registry, registry.tags(champion))
    parts = [] if card is None else [f"**{card.title}.** {card.summary}"]
    rows = []
    for alias, version in posts.items():
        if version is None:
            rows.append([alias, "none", "", ""])
            continue
        post = post_of(version, champion, posts[CHALLENGER], events)
        reason = "" if post.event is None else _cut(post.event.reason)
        rows.append([f"**{alias}**", version_link(registry.name, version), post.since, reason])
    parts += [
        "The champion is the student that runs in the trigger; the challenger passes every gate "
        "and is not better by more than the uncertainty.",
        markdown.table(("post", "version", "since", "why"), rows),
        _load(f"models:/{registry.name}@{CHAMPION}", card),
        "`l1distill promote` judges a student, `l1distill rollback` makes an earlier version "
        "champion again, `l1distill history` lists every move, `l1distill lineage "
        f"models:/{registry.name}@{CHAMPION}` traces the champion to its collisions.",
        _moves(registry, events),
    ]
    return markdown.join_within(parts, LONGEST, "`l1distill history` lists every move.")


def _post(registry: ModelRegistry, post: Post) -> str:
    since = f" since {post.since}" if post.since else ""
    if post.name == "former champion":
        since = f" until {post.since}"
    # no markup in the first sentence: lists of versions show it as it is written
    lines = [f"{post.name.capitalize()}{since}: {_IN_SHORT[post.name]}"]
    if post.successor:
        lines.append(f"Its place took {version_link(registry.name, post.successor)}.")
    if post.event is not None:
        commit = "" if post.event.commit == "unknown" else f", commit `{post.event.commit[:12]}`"
        lines.append(f"Why, at the time: *{_cut(post.event.reason)}* ({post.event.by}{commit}).")
    return " ".join(lines)


def _made_of(
    registry: ModelRegistry,
    tags: Mapping[str, str],
    run_tags: Mapping[str, str],
    card: StudentCard | None,
) -> str:
    lines = [] if card is None else [card.summary, ""]
    for stage, what in _OF_STAGES.items():
        if run_id := run_tags.get(f"{stage}_run"):
            text = None if stage == "student" else stage
            lines.append(f"- {what}: {run_link(registry.client, run_id, text)}")
    if run_id := run_tags.get("synthesize_run"):
        bundle = artifact_link(registry.client.get_run(run_id), BUNDLE)
        lines.append(f"- Verilog, HLS, C++ and test vectors: {bundle}")
    if run_id := tags.get(PROMOTION_RUN):
        lines.append(f"- verdict: {run_link(registry.client, run_id, 'promote')}")
    return "\n".join(lines)


def _gates(tags: Mapping[str, str]) -> str:
    gates = {
        key.removeprefix("gate."): re.sub(r"; margin [^;)]*", "", tags[key])
        for key in tags
        if key.startswith("gate.")
    }
    if not gates:
        return ""
    passed = sum(verdict.startswith("passed") for verdict in gates.values())
    profile = f" of the set `{tags['gate_profile']}`" if tags.get("gate_profile") else ""
    table = markdown.table(("gate", "verdict: value, interval, bound"), gates.items())
    return f"## Gates\n\n{passed} of {len(gates)} gates{profile} passed.\n\n{table}"


def _load(uri: str, card: StudentCard | None) -> str:
    shape = "" if card is None else f"  # events: (n, {', '.join(map(str, card.shape))})"
    return (
        "## How to load it\n\n```python\nimport mlflow\n"
        f'trigger = mlflow.pyfunc.load_model("{uri}")\n'
        f"scores = trigger.predict(events){shape}\n```\n\n"
        "The scores are those of the firmware, bit for bit."
    )


def _pictures(card: StudentCard, run_tags: Mapping[str, str]) -> Iterator[str]:
    for stage, path, caption in card.pictures[:PICTURES]:
        if run_id := run_tags.get(f"{stage}_run"):
            yield f"{caption}:\n\n{picture(run_id, path, caption)}"


def _moves(registry: ModelRegistry, events: Sequence[Event]) -> str:
    rows = [
        [
            minute(event),
            event.action,
            version_link(registry.name, event.version),
            f"version {event.champion_after}" if event.champion_after else "none",
            event.by,
            _cut(event.reason, 120),
        ]
        for event in reversed(events[-EVENTS:])
    ]
    heads = ("time", "what", "about", "champion then", "by", "why")
    return "## Last moves\n\n" + markdown.table(heads, rows)


def _rest(registry: ModelRegistry, tags: Mapping[str, str]) -> str:
    run_id = tags.get(PROMOTION_RUN)
    if run_id is None:
        return "The rest is in the tags of this version."
    return "The rest: " + artifact_link(registry.client.get_run(run_id), CARD)


def _card(registry: ModelRegistry, tags: Mapping[str, str]) -> StudentCard | None:
    """Return the card that the promotion of a version wrote; None for one of earlier releases."""
    run_id = tags.get(PROMOTION_RUN)
    if run_id is None:
        return None
    with tempfile.TemporaryDirectory(prefix="l1distill-card-") as folder:
        path = registry.download(run_id, CARD, Path(folder))
        if path is None:
            return None
        try:
            return StudentCard.read(path)
        except L1DistillError:
            return None


def _rows(table: Table) -> Table:
    """Return a table without the words around it."""
    return replace(table, lead="", notes=())


def _cut(text: str, most: int = _REASON) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
