"""The page of a data set: its card and its pictures, to be looked at before anything is trained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from l1distill.data.dataset import Dataset
from l1distill.reporting.pictures import Picture
from l1distill.reporting.template import embed, fill

TEMPLATE = "data_page.html.j2"


@dataclass(frozen=True, kw_only=True)
class DataNotes:
    """What a task knows about its data sets.

    Attributes:
        expectations: what to expect of the card's checks, by their name.
        published_auc: sample to a published AUC, to stand beside the card's ablations.
        published_in: where these are from.
    """

    expectations: Mapping[str, str] = field(default_factory=dict)
    published_auc: Mapping[str, float] = field(default_factory=dict)
    published_in: str = ""


def render(dataset: Dataset, pictures: Sequence[Picture], notes: DataNotes) -> str:
    """Return the page.

    Args:
        dataset: what to show.
        pictures: of its items.
        notes: of its task.
    """
    card = dataset.card
    known = bool(card.ablations) and set(card.ablations[0].auc) <= set(notes.published_auc)
    return fill(
        TEMPLATE,
        card=card,
        md5=dataset.md5,
        pictures=embed(pictures),
        expectations=notes.expectations,
        published=notes.published_auc if known else {},
        paper=notes.published_in,
        settings=json.dumps(card.settings, indent=2),
    )
