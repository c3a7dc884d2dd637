"""What MLflow runs when somebody loads one of our models: one script a model.

MLflow copies the script ("models from code") and the package's source into the logged model, so
nothing is pickled and the model still loads when the project has moved on.
"""
