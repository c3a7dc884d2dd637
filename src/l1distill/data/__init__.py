"""Events: the public format, the generator, splits and cards."""
