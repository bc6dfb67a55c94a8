"""Tables of the model zoo, generated from the metafiles."""

import os
import re
from pathlib import Path
from typing import Any, Dict, List, Sequence

from mmatfr.atomic_write import write_text

from .metafile import read_entries, read_metafile

__all__ = [
    'family_table',
    'published_table',
    'released_table',
    'replace_between',
    'update_pages',
]

Entry = Dict[str, Any]
NOT_MEASURED = 'not measured'


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ['---', *['---:'] * (len(head) - 1)], *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _link(entry: Entry, page: str) -> str:
    path = os.path.relpath(entry['Config'], page)
    return f'[{entry["Name"]}]({path})'


def _weights(entry: Entry, page: str) -> str:
    weights = entry.get('Weights')
    if not weights:
        return ''
    if '://' not in weights:
        weights = os.path.relpath(weights, page)
    return f'[weights]({weights})'


def _metrics(entry: Entry) -> Dict[str, Any]:
    (result,) = entry.get('Results') or [{}]
    return result.get('Metrics') or {}


def _accuracy(figures: Dict[str, Any]) -> str:
    top1, top5 = (figures.get(f'Top {k} Accuracy') for k in (1, 5))
    if top1 is None:
        return ''
    return f'{top1}' + (f' / {top5}' if top5 is not None else '')


def _measured(entry: Entry) -> str:
    return _accuracy(_metrics(entry)) or NOT_MEASURED


def _clip(entry: Entry) -> str:
    meta = entry['Metadata']
    return f'{meta["Frames"]}x{meta["Resolution"]}'


def published_table(entries: Sequence[Entry]) -> str:
    """Returns the table of published models.

    Args:
        entries (Sequence[dict]): Entries of metafiles.

    Returns:
        str: The table, in Markdown, with published and counted figures.
    """
    rows = []
    for entry in entries:
        if 'Published' not in entry:
            continue
        meta, published = entry['Metadata'], entry['Published']
        plain = published.get('Without Sampling', published)
        sampled = plain is not published and 'GFLOPs' in published
        rows.append(
            [
                _link(entry, 'docs'),
                _clip(entry),
                f'{plain["GFLOPs"]}',
                meta['FLOPs'].removesuffix('G'),
                published.get('Parameters', ''),
                meta['Parameters'],
                _accuracy(plain),
                f'{published["GFLOPs"]}' if sampled else '',
                _accuracy(published) if sampled else '',
                meta.get('Published GFLOPs At', ''),
                _measured(entry),
            ]
        )
    return _markdown(
        [
            'config',
            'clip',
            'GFLOPs, published',
            'counted',
            'parameters, published',
            'counted',
            'top-1 / top-5 %, published',
            'with sampling: GFLOPs, published',
            'with sampling: top-1 / top-5 %, published',
            "B' of T at which we count these GFLOPs",
            'top-1 % here',
        ],
        rows,
    )


def released_table(entries: Sequence[Entry]) -> str:
    """Returns the table of models with released weights.

    Args:
        entries (Sequence[dict]): Entries of metafiles.

    Returns:
        str: The table, in Markdown, with figures measured on the test split.
    """
    rows = []
    for entry in entries:
        if 'Weights' not in entry:
            continue
        metrics = _metrics(entry)
        rows.append(
            [
                _link(entry, 'docs'),
                entry['Metadata']['Training Data'],
                _measured(entry),
                _resolution(metrics),
                f'{metrics.get("GFLOPs per Clip", "")}',
                entry['Metadata']['Parameters'],
                _weights(entry, 'docs'),
            ]
        )
    if not rows:
        return 'None yet.'
    return _markdown(
        [
            'config',
            'data',
            'top-1 / top-5 %',
            "B'/T, mean [p5, p95]",
            'GFLOPs/clip',
            'parameters',
            'weights',
        ],
        rows,
    )


def _resolution(metrics: Dict[str, Any]) -> str:
    if 'Temporal Resolution' not in metrics:
        return ''
    mean, low, high = (
        metrics[f'Temporal Resolution{end}'] for end in ('', ' p5', ' p95')
    )
    return f'{mean} [{low}, {high}]'


def family_table(entries: Sequence[Entry]) -> str:
    """Returns the table of all models of a metafile.

    Args:
        entries (Sequence[dict]): Its entries.

    Returns:
        str: The table, in Markdown.
    """
    rows: List[List[str]] = []
    for entry in entries:
        meta, metrics = entry['Metadata'], _metrics(entry)
        folder = entry['Config'].rsplit('/', 1)[0]
        rows.append(
            [
                _link(entry, folder),
                meta['Training Data'],
                meta['Pretrained'],
                _clip(entry),
                meta['FLOPs'],
                meta['Parameters'],
                _measured(entry),
                _resolution(metrics),
                _weights(entry, folder),
            ]
        )
    return _markdown(
        [
            'config',
            'data',
            'pretrained',
            'clip',
            'FLOPs (multiply-adds), all frames kept',
            'parameters',
            'top-1 / top-5 %',
            "B'/T, mean [p5, p95]",
            'weights',
        ],
        rows,
    )


def replace_between(text: str, name: str, content: str) -> str:
    """Replaces the content between the two marks of a generated part.

    Args:
        text (str): A page with ``<!-- name -->`` and ``<!-- /name -->``.
        name (str): Name of the part.
        content (str): The new content.

    Returns:
        str: The page.

    Raises:
        ValueError: If the page has no such part.

    Examples:
        >>> replace_between('a <!-- zoo -->old<!-- /zoo --> b', 'zoo', 'new')
        'a <!-- zoo -->\\n\\nnew\\n\\n<!-- /zoo --> b'
    """
    mark = re.compile(
        rf'(<!-- {name} -->).*?(<!-- /{name} -->)', flags=re.DOTALL
    )
    if not mark.search(text):
        raise ValueError(f'the page has no part <!-- {name} -->')
    return mark.sub(lambda m: f'{m[1]}\n\n{content}\n\n{m[2]}', text)


def update_pages(root: Path) -> None:
    """Writes the tables of the model zoo and of the page of each metafile.

    Args:
        root (Path): The folder that contains ``configs``.
    """
    entries = list(read_entries(root).values())
    for path in sorted(root.glob('configs/recognition/*/README.md')):
        own = read_metafile(path.parent / 'metafile.yml')['Models']
        page = path.read_text(encoding='utf-8')
        write_text(path, replace_between(page, 'models', family_table(own)))
    path = root / 'docs' / 'model_zoo.md'
    page = path.read_text(encoding='utf-8')
    for name, table in (
        ('released', released_table(entries)),
        ('published', published_table(entries)),
    ):
        page = replace_between(page, name, table)
    write_text(path, page)
