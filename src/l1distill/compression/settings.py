"""What all kinds of compression share; each has settings of its own below this class."""

from l1distill.core.settings import Settings


class CompressionSettings(Settings):
    """How a network is made smaller while it is trained."""

    method: str
    """What is done; each has settings of its own."""

    def check(self, epochs: int, section: str) -> None:
        """Refuse a training that is too short for it.

        Args:
            epochs: of the training.
            section: of the configuration, that the training stands in.

        Raises:
            ValueError: it is.
        """
