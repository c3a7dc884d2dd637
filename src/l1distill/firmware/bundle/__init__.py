"""The archive that is handed over, and the replay of its test vectors."""
