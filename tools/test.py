"""Tests a recognizer: mmaction2's own tools/test.py."""

from _run_mmaction2 import run_tool

if __name__ == '__main__':
    run_tool('test.py')
