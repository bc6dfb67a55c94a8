"""Renaming of weights between mmaction2 and another package."""

import re
from typing import Dict, Iterable, Mapping, NamedTuple, Sequence

__all__ = ['Part', 'enumerate_some', 'rename']

# The last part of a name, the only one that all packages have in common.
_TENSOR = r'weight|bias|running_mean|running_var|num_batches_tracked'


class Part(NamedTuple):
    """Names of a part of a network, with ``{}`` in place of numbers.

    Attributes:
        theirs (str): Name in the other package.
        ours (str): Name in mmaction2.
        modules (dict[str, str]): Maps their names of the modules within the
            part to ours.
    """

    theirs: str
    ours: str
    modules: Mapping[str, str]


def rename(
    keys: Iterable[str], parts: Sequence[Part], network: str, back: bool
) -> Dict[str, str]:
    """Maps names of weights from one package to the other.

    Args:
        keys (Iterable[str]): The names.
        parts (Sequence[Part]): Parts of the network.
        network (str): What the names belong to, for the message.
        back (bool): Whether the names are mmaction2's and become theirs.

    Returns:
        dict[str, str]: The name in the other package for each key.

    Raises:
        ValueError: If a name is unknown, or two become the same.
    """
    rules = []
    for part in parts:
        source, target, modules = part
        if back:
            source, target = target, source
            modules = {ours: theirs for theirs, ours in modules.items()}
        place = re.escape(f'{source}.' if source else '')
        place = place.replace(r'\{\}', r'(\d+)')
        names = '|'.join(map(re.escape, modules))
        pattern = re.compile(rf'{place}({names})\.({_TENSOR})')
        rules.append((pattern, f'{target}.' if target else '', modules))
    renamed: Dict[str, str] = {}
    sources: Dict[str, str] = {}
    unknown = []
    for key in keys:
        for pattern, target, modules in rules:
            match = pattern.fullmatch(key)
            if match:
                *numbers, module, tensor = match.groups()
                name = f'{target.format(*numbers)}{modules[module]}.{tensor}'
                break
        else:
            unknown.append(key)
            continue
        if name in sources:
            raise ValueError(
                f'{sources[name]} and {key} would both become {name}, which '
                'mmaction2 has once; remove one of them'
            )
        renamed[key], sources[name] = name, key
    if unknown:
        raise ValueError(f'unknown in {network}: {enumerate_some(unknown)}')
    return renamed


def enumerate_some(names: Sequence[str], limit: int = 8) -> str:
    """Lists the first few of many names.

    Args:
        names (Sequence[str]): All of them.
        limit (int): Maximum number of names. Defaults to 8.

    Returns:
        str: These names, and the number of the others.

    Examples:
        >>> enumerate_some(['a', 'b', 'c', 'd'], limit=2)
        'a, b and 2 more'
    """
    more = len(names) - limit
    return ', '.join(names[:limit]) + (f' and {more} more' if more > 0 else '')
