"""The bundle with all files of a firmware, its manifest, and the replay of its test vectors."""
