"""Timing in turns, and the networks to compare with."""
