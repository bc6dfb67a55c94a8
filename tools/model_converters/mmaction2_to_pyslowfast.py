"""Converts a checkpoint of mmaction2, with or without SGS, to PySlowFast."""

from _convert import THEIRS, run_converter

from mmatfr.models.pyslowfast import to_pyslowfast

if __name__ == '__main__':
    run_converter(__doc__, to_pyslowfast, THEIRS, sgs_stage=True)
