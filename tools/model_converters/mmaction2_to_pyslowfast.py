"""Converts a checkpoint of mmaction2's layout, also one with SGS, to
PySlowFast's."""

from _convert import run_converter

from mmatfr.models.pyslowfast import to_pyslowfast

if __name__ == '__main__':
    run_converter(__doc__, to_pyslowfast, 'model_state', sgs_stage=True)
