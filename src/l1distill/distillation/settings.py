"""What a user chooses about distillation; mirrors ``conf/distillation/``.

Three independent choices: knowledge (what is handed over, each kind with a weight), scheme (whose
weights are trained) and loss (how far two networks are apart, and what counts beside that).
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from l1distill.core.settings import Settings

if TYPE_CHECKING:
    from typing import Self

Scheme = Literal["offline", "co_training", "self"]
NETWORK_KINDS = RECONSTRUCTION, FEATURE, RELATION = "reconstruction", "feature", "relation"
"""Kinds of knowledge that need the network of a teacher."""
PseudoItems = Annotated[float, Field(ge=0, le=100)]
Distance = Literal["mse", "huber", "mae", "kl"]


class ResponseSettings(Settings):
    """Knowledge in the answer of the teacher's last layer."""

    weight: float = Field(default=1.0, ge=0)
    """Weight of the answer in the transfer term; 0 leaves the student's output to ``beta``."""
    answer: Literal["score", "decision"] = "score"
    """``score``: the student's output is the teacher's score, or its logits. ``decision``: it is
    the logit of whether the teacher accepts an event (anomaly classification)."""
    scale: Literal["task", "log", "linear"] = "task"
    """Of the score: its logarithm, or the score itself, either centered and scaled on the training
    split; ``task`` is what the task says (anomaly: log, of a likelihood linear)."""
    fpr: float = Field(default=0.01, gt=0, lt=1)
    """Of a decision: share of the training sample that the teacher accepts."""
    cap: float | None = Field(default=None, gt=0)
    """Largest score that is learned, in deviations above the mean of the training split: a rarer
    item is learned as that, so that small students spend no range on the tail. Metrics compare with
    the teacher's scores as they are. null: all scores are learned as they are."""
    high_from: float | None = None
    """What a student should answer from which on an item counts ``high_weight`` times in the
    distance of answers, on the scale of its output; null: all count alike. Where the truth is such
    an answer (pileup), it counts so in the distance from it."""
    high_weight: float = Field(default=3.0, gt=0)
    """See ``high_from`` (Bal et al. 2024: 3 times from 0.95 on)."""

    @model_validator(mode="after")
    def _caps_a_score(self) -> "Self":
        if self.cap is not None and self.answer == "decision":
            raise ValueError(
                f"cap={self.cap:g}: a decision is yes or no and has no tail; set cap=null or "
                "answer=score"
            )
        return self


class ReconstructionSettings(Settings):
    """Knowledge in all numbers of the teacher's last layer: of an autoencoder its reconstruction.

    The student's last hidden layer learns them through a linear regressor that is dropped.
    """

    weight: float = Field(default=0.0, ge=0)
    """Weight in the transfer term; 0: not learned."""


class FeatureSettings(Settings):
    """Knowledge in the teacher's hidden layers (FitNets, arXiv:1412.6550).

    The student's last hidden layer learns them through a linear regressor that is dropped.
    """

    weight: float = Field(default=0.0, ge=0)
    """Weight in the transfer term; 0: not learned."""
    layers: tuple[str, ...] = ()
    """Layers of the teacher, by their Keras names; empty: those that the task calls latent."""


class RelationSettings(Settings):
    """Knowledge in how events lie to one another (RKD, arXiv:1904.05068).

    Compared are the teacher's layers and the student's last hidden layer.
    """

    weight: float = Field(default=0.0, ge=0)
    """Weight in the transfer term; 0: not learned."""
    distance: float = Field(default=1.0, ge=0)
    """Weight of the distances of pairs, each divided by their mean over the group."""
    angle: float = Field(default=2.0, ge=0)
    """Weight of the angles of triplets."""
    group: int = Field(default=32, ge=3, le=256)
    """Events that are compared with one another; a batch is cut into such groups."""
    layers: tuple[str, ...] = ()
    """Layers of the teacher, by their Keras names; empty: those that the task calls latent."""


class DistillationSettings(Settings):
    """Which knowledge is handed over, by which scheme, with which loss.

    The loss of an event is ``alpha S(truth, teacher) + beta S(truth, student) + gamma T``, equation
    1 of Bal et al. (DistillNet), and ``T`` the weighted sum over the kinds of knowledge.
    """

    response: ResponseSettings = ResponseSettings()
    """The teacher's score, or its decision."""
    reconstruction: ReconstructionSettings = ReconstructionSettings()
    """All outputs of the teacher."""
    feature: FeatureSettings = FeatureSettings()
    """Hidden or latent activations of the teacher."""
    relation: RelationSettings = RelationSettings()
    """Distances and angles between events."""
    augmentation: PseudoItems | Literal["task"] = "task"
    """Pseudo-items beside each item of the training sample, which the teacher labels: more of what
    the sample does not show, made by the task's recipe (section ``augmentation``). 0: none;
    ``task``: as many as the task says (anomaly: 4)."""
    items: int | None = Field(default=None, ge=1)
    """Items that a student learns from, of the training and of the validation split each, at most;
    the seed chooses them. Null: all."""
    pt_cap_gev: float | None = Field(default=None, gt=0)
    """Each item counts in the loss as its pT [GeV], and as this where it has more, where items have
    a pT and the scheme is ``offline`` (pileup: particles, whose jets and missing momentum are made
    of those of high pT). Null: all items count alike."""
    scheme: Scheme = "offline"
    """``offline``: the teacher is trained before and stays as it is. ``co_training``: a teacher
    with the settings of that in ``teacher_folder`` is trained anew, together with the student.
    ``self``: a network teaches its own first layers, which are the student; see
    ``self_teacher``."""
    self_teacher: Literal["deeper", "earlier"] = "deeper"
    """Of ``self``, who teaches: ``deeper``, layers behind the student's, as they are at each step;
    ``earlier``, the whole network as it was after some epochs, which stays as it is from then on
    (arXiv:1812.00123)."""
    snapshot: float = Field(default=0.5, gt=0, lt=1)
    """Of ``earlier``: share of the epochs after which the network becomes its own teacher."""
    loss: Distance = "mse"
    """Distance of the student's output from the teacher's answer; a decision always takes ``kl``,
    which is then the cross-entropy."""
    temperature: float = Field(default=1.0, gt=0)
    """Of ``kl``: both outputs are divided by it (arXiv:1503.02531)."""
    alpha: float = Field(default=1.0, ge=0)
    """Weight of the teacher's own loss, where the teacher is trained: not for ``offline``."""
    beta: float = Field(default=0.0, ge=0)
    """Weight of the student's loss against the truth; 0 where the task has none (anomaly)."""
    gamma: float = Field(default=1.0, ge=0)
    """Weight of the transfer from teacher to student."""
    transfer_to: Literal["student", "both"] = "student"
    """Whose weights the transfer trains where both are trained: ``both`` also draws the teacher
    towards what the student can learn."""

    @model_validator(mode="after")
    def _trains_what_is_used(self) -> "Self":
        if not self.gamma * self.response.weight and not self.beta:
            raise ValueError(
                "nothing trains the student's output: give response.weight and gamma, or beta, a "
                "value above 0"
            )
        if self.scheme != "offline" and not self.alpha:
            raise ValueError(f"scheme={self.scheme} trains the teacher: alpha must be above 0")
        if self.scheme == "self" and self.self_teacher == "earlier" and self.transfer_to == "both":
            raise ValueError(
                "transfer_to=both: with self_teacher=earlier the teacher stays as it was; set "
                "transfer_to=student"
            )
        if self.relation.weight and not (self.relation.distance or self.relation.angle):
            raise ValueError("relation: give distance or angle a value above 0")
        return self

    @property
    def transfers(self) -> bool:
        """Whether anything is learned from the teacher, beside the truth."""
        kinds = (self.response, *(getattr(self, kind) for kind in NETWORK_KINDS))
        return bool(self.gamma) and any(kind.weight for kind in kinds)

    @property
    def of_network(self) -> list[str]:
        """The kinds of knowledge that are learned and that the answers of a teacher do not hold."""
        return [kind for kind in NETWORK_KINDS if getattr(self, kind).weight]
