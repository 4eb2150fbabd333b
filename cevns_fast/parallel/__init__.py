"""Work in chunks that survive an interruption, and how many threads do it."""
