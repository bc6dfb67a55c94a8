"""Experiments: recipes compared on tempo and on GRID."""
