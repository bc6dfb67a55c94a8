"""Experiments: compares recipes on tempo."""
