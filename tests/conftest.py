"""Importing mmatfr first mends what the released wheels lack."""
import mmatfr  # noqa: F401
