"""Tests a recognizer: mmaction2's own tools/test.py."""

import sys

from mmatfr.run import run_tool

if __name__ == '__main__':
    run_tool('test.py', sys.argv[1:])
