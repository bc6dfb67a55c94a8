"""Mutants of the functions of a module, for tools/misc/mutate.py."""

import ast
import inspect
import io
import os
import signal
from contextlib import redirect_stderr, redirect_stdout
from itertools import chain
from types import CodeType, FunctionType
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import pytest

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


def find_function(module: object, name: str) -> Optional[FunctionType]:
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
