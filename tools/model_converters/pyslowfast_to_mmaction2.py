"""Converts a checkpoint of PySlowFast, with or without SGS, to mmaction2."""

from _convert import OURS, run_converter

from mmatfr.models.pyslowfast import convert_pyslowfast

if __name__ == '__main__':
    run_converter(__doc__, convert_pyslowfast, OURS)
