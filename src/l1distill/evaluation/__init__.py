"""How well a model does: ROC curves, rates and their intervals."""
