"""Tests a recognizer with tools/test.py of mmaction2."""

import sys

from mmatfr.run import run_tool

if __name__ == '__main__':
    run_tool('test.py', sys.argv[1:])
