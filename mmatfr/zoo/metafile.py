"""Metafiles: figures of each model, for mim and the model zoo.

``metafile.yml`` in a folder of configs has an entry for each config, with the
fields of mmaction2. ``Metadata`` is computed from the config. ``Published``
(figures of papers), ``Results`` (measurements), and ``Weights`` and ``SHA256``
of a release are entered once and kept when the metafile is updated.
"""

import re
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import torch
import yaml
from mmengine.config import Config

from mmatfr.apis import build_recognizer, clip_shape, load_config
from mmatfr.atomic_write import write_text
from mmatfr.cost import CostModel

__all__ = [
    'count',
    'dataset_of',
    'dump_yaml',
    'make_entry',
    'read_entries',
    'read_metafile',
    'write_metafile',
]

_SGS_PAPER = dict(
    URL='https://arxiv.org/abs/2011.08652',
    Title='3D CNNs with Adaptive Temporal Feature Resolutions',
)
_DATASETS = dict(
    kinetics400='Kinetics-400',
    kinetics600='Kinetics-600',
    minikinetics='Mini-Kinetics',
    sthv2='SthV2',
    ucf101='UCF101',
    hmdb51='HMDB51',
    tempo='tempo',
    grid='GRID',
)
_PRETRAINED = dict(
    imagenet='ImageNet', kinetics400='Kinetics-400', ig65m='IG65M'
)
# Like yaml.safe_load, but ten times as fast if libyaml is installed.
_LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
_HEAD = """\
# By tools/misc/update_model_zoo.py; Metadata is computed from the config.
# Published: figures of the source, not measured here. Results: measured here.
# A model without Results was not trained: its data could not be downloaded, or
# the training has not been run.
"""
_GIVEN = ('Results', 'Published', 'Weights', 'SHA256', 'Training Log')


def read_metafile(path: Path) -> Dict[str, Any]:
    """Reads a metafile.

    Args:
        path (Path): The file.

    Returns:
        dict: The lists ``Collections`` and ``Models``; empty if there is no
        such file.

    Raises:
        ValueError: If the file is damaged or cut short.
    """
    if not path.is_file():
        return dict(Collections=[], Models=[])
    try:
        content = yaml.load(path.read_text(encoding='utf-8'), _LOADER)
    except (yaml.YAMLError, UnicodeError):
        content = None
    content = content if isinstance(content, dict) else {}
    parts = {key: content.get(key) for key in ('Collections', 'Models')}
    if 'Models' not in content or not all(
        isinstance(entry, dict) and 'Name' in entry
        for part in parts.values()
        for entry in part or []
    ):
        raise ValueError(
            f'the metafile {str(path)!r} is damaged or cut short; get it again'
        )
    return {key: part or [] for key, part in parts.items()}


def read_entries(root: Path) -> Dict[str, Dict[str, Any]]:
    """Reads the entries of all metafiles.

    Args:
        root (Path): The folder that contains ``configs``.

    Returns:
        dict[str, dict]: The entry of each model by name.

    Raises:
        ValueError: If a metafile is damaged or cut short.
    """
    return {
        entry['Name']: entry
        for path in sorted(root.glob('configs/recognition/*/metafile.yml'))
        for entry in read_metafile(path)['Models']
    }


def dump_yaml(content: Any) -> str:
    """Returns YAML with the keys in their original order."""
    return yaml.safe_dump(
        content, sort_keys=False, width=1000, allow_unicode=True
    )


def dataset_of(name: str) -> str:
    """Finds the data set at the end of the name of a model.

    Args:
        name (str): Name of the model.

    Returns:
        str: The data set as in the metafiles of mmaction2, with split or size.

    Examples:
        >>> dataset_of('x3d_s_8xb16-13x6x1-300e_kinetics400-rgb')
        'Kinetics-400'
        >>> dataset_of('tsm-r18_1xb12-16x2x1-8e_tempo-small-rgb')
        'tempo small'
    """
    data, *more = name.rsplit('_', 1)[-1].removesuffix('-rgb').split('-')
    return ' '.join([_DATASETS[data], *more])


def count(cfg: Config) -> Tuple[CostModel, Tuple[int, ...], int]:
    """Counts the cost of the recognizer of a config.

    Args:
        cfg (Config): The config.

    Returns:
        tuple: The cost model, the shape of a clip, and the number of
        parameters.
    """
    with torch.device('meta'):  # shapes only, no weights
        recognizer = build_recognizer(cfg.model)
    parameters = sum(p.numel() for p in recognizer.parameters())
    return CostModel(recognizer), clip_shape(cfg), parameters


def _architecture(name: str, cfg: Config) -> str:
    backbone = cfg.model.backbone
    if 'MobileNetV2' in backbone.type:
        return 'MobileNetV2'
    if 'X3D' in backbone.type:
        size = re.match(r'x3d_(?:.*-pretrained-)?(\w+?)[-_]', name)
        return f'X3D_{size[1].upper()}' if size else 'X3D'
    # Two pathways have the same depth.
    backbone = backbone.get('slow_pathway') or backbone
    depth = backbone.get('depth')
    if depth is None:
        return backbone.type
    blocks = backbone.get('stage_blocks')
    if blocks is not None:
        depth = 2 + sum(blocks) * (3 if depth >= 50 else 2)
    return f'ResNet{depth}'


def _pretrained(name: str, cfg: Config) -> str:
    """Finds the data set of the weights to start from, by the name of the
    config or by that of the training that it continues."""
    match = re.search(r'_(\w+?)-pretrained-', name)
    if match:
        return _PRETRAINED[match[1]]
    match = re.fullmatch(r'work_dirs/([^/]+)/.+', cfg.get('load_from') or '')
    if match is None:
        return 'None'
    return dataset_of(match[1]) if _follows_scheme(match[1]) else match[1]


def _follows_scheme(name: str) -> bool:
    """Returns whether a name ends in a data set, as those of our configs."""
    known = '|'.join(_DATASETS)
    return bool(re.fullmatch(rf'.+_\d+xb\d+-.+_({known})\b.*', name))


def make_entry(
    path: Path, root: Path, collection: str, old: Dict[str, Any]
) -> Dict[str, Any]:
    """Creates the entry of a config.

    Args:
        path (Path): The config.
        root (Path): The folder that contains ``configs``.
        collection (str): Name of the collection.
        old (dict): The existing entry; its given figures are kept.

    Returns:
        dict: The entry. FLOPs are multiply-adds of a clip of the size in
        ``Resolution`` with all frames kept.
    """
    cfg = load_config(str(path))
    cost, shape, parameters = count(cfg)
    data = _training_data(path.stem, cfg)
    entry = {
        'Name': path.stem,
        'Config': path.relative_to(root).as_posix(),
        'In Collection': collection,
        'Metadata': {
            'Architecture': _architecture(path.stem, cfg),
            'Batch Size': cfg.train_dataloader.batch_size,
            'Epochs': cfg.train_cfg.max_epochs,
            'FLOPs': f'{cost.gflops(shape):.4g}G',
            'Frames': shape[1],
            'Parameters': f'{parameters / 1e6:.3f}M',
            'Pretrained': _pretrained(path.stem, cfg),
            'Resolution': f'{shape[2]}x{shape[3]}',
            'Training Data': data,
            **_resources(path.stem, data),
        },
        'Modality': 'RGB',
    }
    entry.update({key: old[key] for key in _GIVEN if key in old})
    return entry


def _training_data(name: str, cfg: Config) -> str:
    """Finds the data set by name or, for a config with another scheme of
    names, by the training list."""
    if _follows_scheme(name):
        return dataset_of(name)
    dataset = cfg.train_dataloader.dataset
    return str(dataset.get('ann_file') or dataset.type)


def _resources(name: str, data: str) -> Dict[str, str]:
    """Returns the number of processes, if the name contains it."""
    match = re.search(r'_(\d+)xb\d+-', name)
    if match is None:
        return {}
    # The networks on tempo and GRID are small enough for either.
    small = data.startswith(('tempo', 'GRID'))
    processes = int(match[1])
    plural = 's' * (processes != 1)
    kinds = ('CPU', 'GPU') if small else ('GPU',)
    devices = ' or '.join(f'{kind}{plural}' for kind in kinds)
    return {'Training Resources': f'{processes} {devices}'}


def write_metafile(
    path: Path, title: str, entries: Sequence[Dict[str, Any]]
) -> None:
    """Writes a metafile.

    Args:
        path (Path): The file.
        title (str): Name of the collection.
        entries (Sequence[dict]): Its models.
    """
    collection: List[Dict[str, Any]] = [
        {
            'Name': title,
            'README': f'configs/recognition/{path.parent.name}/README.md',
            'Paper': _SGS_PAPER,
        }
    ]
    content = dict(Collections=collection, Models=list(entries))
    write_text(path, _HEAD + dump_yaml(content))
