"""Gates, promotion and the trigger model that is registered."""
