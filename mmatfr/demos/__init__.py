"""Demonstrations: videos clip by clip, and trainings on tempo."""
