"""Trains a recognizer: mmaction2's own tools/train.py."""

import sys

from mmatfr.run import run_tool

if __name__ == '__main__':
    run_tool('train.py', sys.argv[1:])
