"""The page that tells a person what the line found."""
