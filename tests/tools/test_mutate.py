"""Mutants have one change each, and run."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = '''
def absolute(x, sign=1):
    """The first of 2."""
    if x < 0 and sign:
        return -x
    return x + 0


class Box:
    @property
    def is_empty(self):
        return self.size == 3
'''


def test_each_mutant_changes_one_thing():
    script = runpy.run_path(str(ROOT / 'tools/misc/_mutants.py'))
    module, found = {}, {}
    exec(SOURCE, module)
    for mutant in script['find_mutants'](SOURCE):
        change = mutant.change.splitlines()[0]
        found.setdefault(change, [])
        if mutant.name == 'absolute':
            module['absolute'].__code__ = mutant.code
            found[change].append([*map(module['absolute'], (-3, 0, 5))])
    assert found == {
        'if x < 0 and sign:': [[-3, 0, -5]],  # turned round
        'x < 0 and sign -> x < 0 or sign': [[3, 0, -5]],
        'x < 0 -> x <= 0': [[3, 0, 5]],
        '0 -> 1': [[3, 0, 5], [3, 1, 6]],
        'x + 0 -> x - 0': [[3, 0, 5]],
        'self.size == 3 -> self.size != 3': [],
        '3 -> 4': [],
    }
