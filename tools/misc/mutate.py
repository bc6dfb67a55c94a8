"""Mutation testing: checks that the tests of a file notice wrong code.

Each mutant changes one operator, comparison, constant or condition, or omits a
call. It survives if all tests pass. The package is imported once; each mutant
runs in a forked process in which the code of one function is replaced. No file
changes. CONTRIBUTING.md explains the use.
"""

import argparse
import importlib
import random
from pathlib import Path
from typing import Dict, List, Optional

from _mutants import find_function, find_mutants, try_mutant

from mmatfr.cli import run_script

ROOT = Path(__file__).parents[2]


def parse_args(args: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or '').splitlines()[0]
    )
    parser.add_argument('file', help='a file of the package')
    parser.add_argument('tests', nargs='+', help='tests, as for pytest')
    parser.add_argument(
        '--sample', type=int, default=40, help='number of mutants'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--timeout', type=int, default=120, help='seconds per mutant'
    )
    return parser.parse_args(args)


def main() -> None:
    args = parse_args()
    path = Path(args.file).resolve()
    name = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    module = importlib.import_module(name)
    pairs = [
        (function, mutant)
        for mutant in find_mutants(path.read_text(), str(path))
        if (function := find_function(module, mutant.name)) is not None
        and function.__code__.co_freevars == mutant.code.co_freevars
    ]
    random.Random(args.seed).shuffle(pairs)
    counts: Dict[str, int] = {}
    for function, mutant in pairs[: args.sample]:
        outcome = try_mutant(function, mutant, args.tests, args.timeout)
        counts[outcome] = counts.get(outcome, 0) + 1
        if outcome == 'survived':
            change = ' '.join(mutant.change.split())[:160]
            print(f'{args.file}:{mutant.line} {mutant.name}: {change}')
    total = ', '.join(f'{n} {outcome}' for outcome, n in counts.items())
    print(f'{args.file}: {sum(counts.values())} of {len(pairs)}: {total}')


if __name__ == '__main__':
    run_script(main)
