"""Options as configs give them: what is none is refused by name."""

import difflib
from typing import Any, Iterable, Mapping, Sequence

__all__ = ['check_choice', 'check_flag', 'check_integer', 'check_names']


def check_names(option: str, given: Any, known: Iterable[str]) -> None:
    """Makes sure that options have names that there are.

    Args:
        option (str): What they are called together.
        given (Any): The options, a mapping.
        known (Iterable[str]): The names.

    Raises:
        ValueError: If they are no mapping, or a name is unknown.
    """
    known = sorted(known)
    if not isinstance(given, Mapping):
        raise ValueError(
            f'{option}={given!r} must be a dict of options, or None for no '
            f'sampling; the options are {known}'
        )
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            raise ValueError(
                f'{option}.{name}={given[name]!r} is unknown'
                + (f'; is it {option}.{close[0]}?' if close else '')
                + f'; choose from {known}'
            )


def check_choice(option: str, value: Any, choices: Sequence[str]) -> None:
    """Makes sure that a value is one of a few.

    Raises:
        ValueError: If it is another.
    """
    if value not in choices:
        raise ValueError(
            f'{option}={value!r} is unknown; choose one of {list(choices)}'
        )


def check_flag(option: str, value: Any, unset: bool = False) -> None:
    """Makes sure that a value is True or False.

    Args:
        option (str): Its name.
        value (Any): The value.
        unset (bool): Whether None stands for a default. Defaults to False.

    Raises:
        ValueError: If it is another.
    """
    if not (isinstance(value, bool) or (unset and value is None)):
        raise ValueError(
            f'{option}={value!r} must be True or False'
            + (', or None for the default' if unset else '')
        )


def check_integer(
    option: str, value: Any, least: int = 1, unset: bool = False
) -> None:
    """Makes sure that a value is a number of things.

    Args:
        option (str): Its name.
        value (Any): The value.
        least (int): 1 or 0. Defaults to 1.
        unset (bool): Whether None stands for a default. Defaults to False.

    Raises:
        ValueError: If it is another.
    """
    if unset and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        kind = 'positive' if least else 'non-negative'
        raise ValueError(f'{option}={value!r} must be a {kind} integer')
