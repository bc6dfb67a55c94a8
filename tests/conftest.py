"""Importing mmatfr first mends what the released wheels lack."""

import mmatfr  # noqa: F401  isort: skip
from mmengine.registry import init_default_scope

init_default_scope('mmaction')
