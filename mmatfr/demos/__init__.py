"""Demonstrations: a video clip by clip, and short trainings on tempo."""
