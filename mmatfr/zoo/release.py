"""Releases: weights and their figures."""

import datetime
import hashlib
import json
from contextlib import contextmanager
from pathlib import Path
from typing import (
    Any,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
)

import torch
from safetensors.torch import save
from torch import Tensor

from mmatfr.apis import build_recognizer, check_weights, load_config
from mmatfr.atomic_write import write_bytes, write_text
from mmatfr.checkpoint import (
    fetch,
    pack_checkpoint,
    read_checkpoint,
)
from mmatfr.version import __version__

from .metafile import (
    dump_yaml,
    make_entry,
    read_metafile,
    write_metafile,
)
from .models import config_path

__all__ = [
    'Release',
    'add_to_zoo',
    'check_folder',
    'discard_on_error',
    'publish',
    'register',
]

# Maps names of metrics to those in a metafile, the factor and the number of
# decimals.
_METRICS = {
    'acc/top1': ('Top 1 Accuracy', 100, 2),
    'acc/top5': ('Top 5 Accuracy', 100, 2),
    'cost/temporal_resolution': ('Temporal Resolution', 1, 3),
    'cost/temporal_resolution_p5': ('Temporal Resolution p5', 1, 3),
    'cost/temporal_resolution_p95': ('Temporal Resolution p95', 1, 3),
    'cost/gflops_per_clip': ('GFLOPs per Clip', 1, 4),
}


class Release(NamedTuple):
    """A published model.

    Attributes:
        files (list[Path]): Files of weights, the ``.pth`` first.
        entry (dict): Entry of a metafile.
        new (list[Path]): Files of the release and of :func:`register` that did
            not exist before.
    """

    files: List[Path]
    entry: Dict[str, Any]
    new: List[Path]


@contextmanager
def discard_on_error(release: Release) -> Iterator[None]:
    """Removes the new files of a release if an error occurs.

    Args:
        release (Release): The release.
    """
    try:
        yield
    except BaseException:
        for file in release.new:
            file.unlink(missing_ok=True)
        raise


def _said_of(pth: Path) -> List[Path]:
    """Returns the paths of the metafile entry and the model card."""
    return [pth.with_suffix(ending) for ending in ('.yml', '.md')]


def _choose_weights(
    checkpoint: str, ema: bool
) -> Tuple[Dict[str, Tensor], Dict[str, Any]]:
    """Selects the averaged or the last weights of a training."""
    loaded = read_checkpoint(fetch(checkpoint))
    weights = loaded['state_dict']
    averaged = loaded.get('ema_state_dict')
    if ema and averaged is None:
        raise ValueError(
            f'{checkpoint!r} has no averaged weights (ema_state_dict); '
            'train with EMAHook, or publish without --ema'
        )
    if averaged is not None and not ema:
        # EMAHook swaps the two in a checkpoint.
        weights = {
            key.removeprefix('module.'): value
            for key, value in averaged.items()
            if key.startswith('module.')
        }
    return weights, loaded.get('meta', {}).get('dataset_meta') or {}


def publish(
    config: str,
    checkpoint: str,
    out: Path,
    ema: bool = False,
    half: bool = False,
    safetensors: bool = True,
    date: Optional[datetime.date] = None,
) -> Release:
    """Writes the weights of a checkpoint in the format of the zoo.

    Args:
        config (str): The config, by path or by name.
        checkpoint (str): Checkpoint of a training.
        out (Path): Folder for the release.
        ema (bool): Whether to take the weights averaged by ``EMAHook``.
            Defaults to False.
        half (bool): Whether to store kernels and matrices in half precision,
            at half the size; computation stays in single precision. Defaults
            to False.
        safetensors (bool): Whether to write ``.safetensors`` too. Defaults to
            True.
        date (datetime.date, optional): Date in the name. Defaults to today.

    Returns:
        Release: ``<config>_<yyyymmdd>-<first 8 of the SHA-256>.pth``, the same
        as ``.safetensors``, and an entry without results.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the weights do not match the config.
    """
    path = Path(config_path(config)).resolve()
    cfg = load_config(str(path))
    weights, dataset_meta = _choose_weights(checkpoint, ema)
    check_weights(build_recognizer(cfg.model), weights, checkpoint, str(path))
    if half:
        weights = {
            key: value.half() if value.dim() > 1 else value
            for key, value in weights.items()
        }
    classes = dataset_meta.get('classes')
    known = dict(classes=list(classes)) if classes else {}
    weights = {k: v.detach().contiguous().clone() for k, v in weights.items()}
    bad = [k for k, v in weights.items() if not torch.isfinite(v).all()]
    if bad:
        raise ValueError(
            f'{checkpoint!r} cannot be published: {bad[0]} has values that '
            'are not finite; use an earlier epoch'
            + (', or publish without --half' if half else '')
        )
    root = _root_of(path)
    metafile = read_metafile(path.parent / 'metafile.yml')
    collection = (metafile['Collections'] or [dict(Name='ATFR')])[0]['Name']
    old = {e['Name']: e for e in metafile['Models']}.get(path.stem, {})
    given = {k: v for k, v in old.items() if k == 'Published'}
    entry = make_entry(path, root, collection, given)
    archive = pack_checkpoint(
        dict(
            meta=dict(
                config=path.stem,
                mmatfr_version=__version__,
                dataset_meta=known,
            ),
            state_dict=weights,
        )
    )
    date = date or datetime.datetime.now(datetime.UTC).date()
    digest = hashlib.sha256(archive).hexdigest()
    stem = f'{path.stem}_{date:%Y%m%d}-{digest[:8]}'
    pth, tensors = (out / f'{stem}{end}' for end in ('.pth', '.safetensors'))
    # One key, because the order of several would differ between runs.
    said = dict(mmatfr=json.dumps(dict(config=path.stem, **known)))
    contents = {pth: archive}
    if safetensors:
        contents[tensors] = save(weights, metadata=said)
    new = [file for file in (*contents, *_said_of(pth)) if not file.exists()]
    release = Release(list(contents), entry, new)
    with discard_on_error(release):
        out.mkdir(parents=True, exist_ok=True)
        for file, content in contents.items():
            write_bytes(file, content)
    entry['Weights'] = (
        pth.resolve().relative_to(root).as_posix()
        if pth.resolve().is_relative_to(root)
        else pth.name
    )
    entry['SHA256'] = {
        file.name: hashlib.sha256(content).hexdigest()
        for file, content in contents.items()
    }
    return release


def _root_of(config: Path) -> Path:
    """Returns the parent of ``configs``, or else the folder of the config."""
    for folder in config.parents:
        if folder.name == 'configs':
            return folder.parent
    return config.parent


def _as_results(data: str, metrics: Mapping[str, float]) -> List[dict]:
    """Converts metrics to the format of a metafile."""
    shown = {}
    for key, (title, factor, digits) in _METRICS.items():
        if key in metrics:
            shown[title] = round(factor * float(metrics[key]), digits)
    missing = [key for key in _METRICS if key not in metrics]
    if missing:
        raise ValueError(
            f'the test did not report {missing[0]}; add AccMetric and '
            'AdaptiveCostMetric to test_evaluator, and TemporalResolutionHook '
            'to custom_hooks'
        )
    return [dict(Dataset=data, Task='Action Recognition', Metrics=shown)]


def register(release: Release, metrics: Mapping[str, float]) -> List[Path]:
    """Writes the entry of a metafile and the model card of a release.

    Args:
        release (Release): The release.
        metrics (Mapping[str, float]): Metrics of its test.

    Returns:
        list[Path]: ``<release>.yml`` and ``<release>.md``.

    Raises:
        ValueError: If a metric is missing.
    """
    pth = release.files[0]
    entry = release.entry
    files = {key: entry.pop(key) for key in ('Weights', 'SHA256')}
    entry['Results'] = _as_results(entry['Metadata']['Training Data'], metrics)
    entry.update(files)  # in the order used by mmaction2
    weights = 'released' if '/' in entry['Weights'] else entry['Weights']
    meta = entry['Metadata']
    resources = meta.get('Training Resources')
    resources = f' on {resources}' if resources else ''
    is_of_zoo = entry['Config'].startswith('configs/')
    model = entry['Name' if is_of_zoo else 'Config']
    (result,) = entry['Results']
    figures = '\n'.join(
        f'| {name} | {value} |' for name, value in result['Metrics'].items()
    )
    hashes = '\n'.join(f'- `{k}`: `{v}`' for k, v in entry['SHA256'].items())
    card = f"""# {entry['Name']}

{meta['Architecture']} for {meta['Training Data']}, {meta['Parameters']} parameters, clips of {meta['Frames']} frames of {meta['Resolution']}; trained for {meta['Epochs']} epoch{'s' * (meta['Epochs'] > 1)} with a batch size of {meta['Batch Size']}{resources}, pretrained: {meta['Pretrained']}. Config: `{entry['Config']}`.

| on the test split | |
| --- | ---: |
{figures}

Accuracy in %; temporal resolution is B'/T, mean and percentiles over the clips; GFLOPs are multiply-adds, of {meta['FLOPs']} with all frames kept. One training.

```python
import mmatfr

model = mmatfr.create_model(
    '{model}',
    checkpoint='{weights}',
)
```

Weights and names of the classes, SHA-256:

{hashes}

Trained on the named data alone: on other videos its classes mean little. Apache 2.0.
"""  # noqa: E501
    yml, md = _said_of(pth)
    write_text(yml, dump_yaml(dict(Models=[entry])))
    write_text(md, card)
    return [yml, md]


def check_folder(out: Path, root: Path) -> None:
    """Checks that a folder of weights is inside that of the zoo.

    Args:
        out (Path): Folder of a release that has no URL.
        root (Path): The folder that contains ``configs``.

    Raises:
        ValueError: If it is outside of ``root``.
    """
    if not out.resolve().is_relative_to(root):
        raise _outside(out, root)


def _outside(out: Path, root: Path) -> ValueError:
    return ValueError(
        f'{str(out)!r} is outside {str(root)!r}; publish into a folder '
        'inside it, or give the future URL of the weights with --url'
    )


def add_to_zoo(release: Release, root: Path) -> Path:
    """Adds the entry of a release to the metafile of its config.

    Args:
        release (Release): The release.
        root (Path): The folder that contains ``configs``.

    Returns:
        Path: The metafile.

    Raises:
        ValueError: If the weights are outside the folder of the zoo and have
            no URL.
    """
    entry = release.entry
    if (
        '://' not in entry['Weights']
        and not (root / entry['Weights']).exists()
    ):
        raise _outside(release.files[0].parent, root)
    path = (root / entry['Config']).parent / 'metafile.yml'
    old = read_metafile(path)
    title = entry['In Collection']
    names = [e['Name'] for e in old['Models']]
    models = [
        entry if e['Name'] == entry['Name'] else e for e in old['Models']
    ] + ([] if entry['Name'] in names else [entry])
    write_metafile(path, title, models)
    return path
