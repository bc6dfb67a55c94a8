"""Trains a recognizer: mmaction2's own tools/train.py."""

from _run_mmaction2 import run_tool

if __name__ == '__main__':
    run_tool('train.py')
