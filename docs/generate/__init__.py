"""Makes pages and pictures of the documentation from the code, the configuration and records."""
