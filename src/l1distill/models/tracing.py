"""How TensorFlow traces the layers of QKeras and of tfmot: as the Python that they are."""

_PACKAGES = ("qkeras", "tensorflow_model_optimization")


def trace_without_autograph() -> None:
    """Keep AutoGraph from rewriting the source of QKeras and tfmot before it runs it.

    Neither leaves a decision on a tensor to Python's ``if`` or ``for``: the graph is the same
    without, and seconds earlier. TensorFlow has such rules for Keras and other packages, and no
    public way to add one. An ``if`` on a tensor would be an error of TensorFlow, not another graph.
    """
    from tensorflow.python.autograph.core import config

    rules = tuple(config.DoNotConvert(package) for package in _PACKAGES)
    if not config.CONVERSION_RULES[0].matches(_PACKAGES[0]):
        config.CONVERSION_RULES = (*rules, *config.CONVERSION_RULES)
