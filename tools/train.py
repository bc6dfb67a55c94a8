"""Trains a recognizer with tools/train.py of mmaction2."""

import sys

from mmatfr.run import run_tool

if __name__ == '__main__':
    run_tool('train.py', sys.argv[1:])
