"""Timing in turns, and the peers that sampling is compared with."""
