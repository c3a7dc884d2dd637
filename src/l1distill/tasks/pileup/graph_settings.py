"""Settings of the graph teacher."""

from typing import Literal

from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.training.settings import ScheduleSettings, TrainingSettings


class GraphSettings(Settings):
    """A network of edge convolutions with attention on whole events, and how it is trained."""

    architecture: Literal["compact", "published"] = "compact"
    """``compact``: narrow edges from the nodes and the geometry. ``published``: the layers of Bal
    et al. and Mikuni and Nachman (arXiv:2211.02029)."""
    neighbors: int = Field(default=12, ge=1, le=100)
    """Nearest particles in eta and phi that a particle is connected with; published: 20."""
    width: int = Field(default=32, ge=4)
    """Of ``compact``: numbers of a node."""
    edge: int = Field(default=16, ge=1)
    """Of ``compact``: numbers of an edge."""
    blocks: int = Field(default=2, ge=1)
    """Of ``compact``: rounds of edge convolutions."""
    loss: Literal["supervised", "wasserstein"] = "supervised"
    """``supervised``: cross-entropy with the true hard fraction, weighted with a power of pT.
    ``wasserstein``: without labels, the sliced Wasserstein distance of the weighted event from the
    same event without pileup, and the difference of their missing pT."""
    pt_power: float = Field(default=1.0, ge=0)
    """Of ``supervised``: a particle counts as this power of its pT."""
    directions: int = Field(default=64, ge=1)
    """Of ``wasserstein``: random directions of a step."""
    wasserstein_weight: float = Field(default=100.0, ge=0)
    """Of ``wasserstein``: what multiplies the distance."""
    ptmiss_weight: float = Field(default=1e-3, ge=0)
    """Of ``wasserstein``: what multiplies the squared difference of missing momenta [1 / GeV^2]."""
    training: TrainingSettings = TrainingSettings(
        epochs=12,
        batch_size=2,
        learning_rate=0.002,
        patience=12,
        schedule=ScheduleSettings(kind="cosine"),
    )
    """How it is trained; a batch is of events."""


PUBLISHED = GraphSettings(
    architecture="published",
    neighbors=20,
    loss="wasserstein",
    directions=128,
    training=TrainingSettings(epochs=100, batch_size=16, learning_rate=5e-4, patience=100),
)
"""The published teacher: its layers, its k, its optimizer; the distance is ours (see
:func:`.graph_losses.wasserstein_loss`)."""
