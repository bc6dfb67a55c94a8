"""Mutation testing: checks that the tests of a file notice wrong code.

Each mutant changes one operator, comparison, constant or condition, or omits a
call. It survives if all tests pass. The package is imported once; each mutant
runs in a forked process in which the code of one function is replaced. No file
changes. CONTRIBUTING.md explains the use.
"""

import argparse
import ast
import importlib
import inspect
import io
import os
import random
import signal
from contextlib import redirect_stderr, redirect_stdout
from itertools import chain
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import pytest

from mmatfr.cli import run_script

ROOT = Path(__file__).parents[2]
OPERATORS: Dict[type, type] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div},
    **{ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult},
    **{ast.Pow: ast.Mult, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot},
    **{ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In},
    **{ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd},
}
OUTCOMES = {0: 'survived', 1: 'killed'}


class Mutant(NamedTuple):
    """A changed function.

    Attributes:
        line (int): Line of the change.
        name (str): Qualified name of the function in its module.
        change (str): The expression before and after.
        code (CodeType): Code of the changed function.
    """

    line: int
    name: str
    change: str
    code: CodeType


def find_mutants(source: str, filename: str = '<source>') -> List[Mutant]:
    """Lists all mutants of the functions of a module."""
    tree = ast.parse(source)
    mutants = []
    for name, function in _functions(tree):
        # Defaults of arguments are not part of the code.
        for node in chain.from_iterable(map(ast.walk, function.body)):
            for attribute, value in _changes(node):
                before = getattr(node, attribute)
                old = ast.unparse(node)
                setattr(node, attribute, value)
                new = ast.unparse(node)
                code = compile(tree, filename, 'exec')
                setattr(node, attribute, before)
                found = _find_code(code, name)
                if found is not None:
                    mutants.append(
                        Mutant(node.lineno, name, f'{old} -> {new}', found)
                    )
    return mutants


def _functions(
    tree: ast.AST, prefix: str = ''
) -> Iterator[Tuple[str, ast.FunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f'{prefix}{node.name}.')


def _changes(node: ast.AST) -> Iterator[Tuple[str, object]]:
    """Yields attributes of a node with their replacements."""
    if isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)):
        if type(node.op) in OPERATORS:
            yield 'op', OPERATORS[type(node.op)]()
    elif isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            ops = [*node.ops]
            ops[place] = OPERATORS[type(op)]()
            yield 'ops', ops
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield 'value', not node.value
        elif isinstance(node.value, (int, float)):
            yield 'value', node.value + 1
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield 'test', ast.UnaryOp(ast.Not(), node.test, lineno=0, col_offset=0)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield 'value', ast.copy_location(ast.Constant(None), node)


def _find_code(code: CodeType, name: str) -> Optional[CodeType]:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            if const.co_qualname == name:
                return const
            found = _find_code(const, name)
            if found is not None:
                return found
    return None


def _find_function(module: object, name: str) -> Optional[FunctionType]:
    found: Any = module
    for part in name.split('.'):
        found = vars(found)[part]
        found = getattr(found, '__func__', found)  # of a class or none
        found = getattr(found, 'fget', found)
    found = inspect.unwrap(found)
    return found if isinstance(found, FunctionType) else None


def try_mutant(
    function: FunctionType, mutant: Mutant, tests: List[str], timeout: int
) -> str:
    """Tests a mutant; returns 'killed', 'survived' or 'timeout'."""
    child = os.fork()
    if not child:
        signal.alarm(timeout)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            function.__code__ = mutant.code
            code = pytest.main(
                ['-x', '-q', '-p', 'no:cacheprovider', '--tb=no', *tests]
            )
        os._exit(int(code))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return 'timeout'
    return OUTCOMES.get(os.WEXITSTATUS(status), 'killed')


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
        if (function := _find_function(module, mutant.name)) is not None
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
