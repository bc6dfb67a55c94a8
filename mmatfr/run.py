"""Runs a script of mmaction2, with this package imported before it.

    python -m mmatfr.run analysis_tools/confusion_matrix.py CONFIG CHECKPOINT
    python -m mmatfr.run tools/test.py mmaction::recognition/tsn/... CHECKPOINT

The released wheels of mmaction2 and mmengine cannot run some of their scripts
unless their defects are mended first, see :mod:`mmatfr.compat`, and know
nothing of the models here.
"""

import runpy
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import List, Sequence

import mmaction
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config

from mmatfr.cli import run_script
from mmatfr.zoo.models import zoo_root

# Scripts that treat a network or a data set by the name of its type, and those
# names of which they know what to do.
_KNOW_BY_NAME = ('clip_feature_extraction.py',)
_KNOWN_NAMES = ('ResNet3dSlowFast', 'VideoDataset')

__all__ = ['find_config', 'find_tool', 'main', 'run_tool']


def find_tool(name: str) -> Path:
    """Finds a script in mmaction2's wheel or in a clone of its repository.

    Args:
        name (str): Path of a script; or its path below mmaction2's `tools`,
            with or without `tools/`.

    Returns:
        Path: The script.

    Raises:
        FileNotFoundError: If it is in neither.
    """
    package = Path(mmaction.__file__).resolve().parent
    below = name.removeprefix('tools/')
    places = [
        package / '.mim' / 'tools' / below,
        package.parent / 'tools' / below,
    ]
    for place in (Path(name), *places):
        if place.is_file():
            return place
    raise FileNotFoundError(
        f'found no script {name!r}, neither {places[0]} nor {places[1]}; name '
        'one below the tools of mmaction2 1.2.0'
    )


def find_config(name: str) -> str:
    """Finds a config of a package by the name that ``_base_`` has for it.

    Args:
        name (str): ``package::path below configs``, or anything else.

    Returns:
        str: The path of the config; anything else as it is.

    Raises:
        FileNotFoundError: If the package has no such config.
    """
    package, colons, below = name.partition('::')
    if not colons or not package.isidentifier():
        return name
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f'{name!r}: no package {package!r} is installed'
        )
    folder = Path(spec.origin).parent
    roots = [folder / '.mim', folder.parent]
    if package == 'mmatfr':
        roots = [zoo_root()]
    for root in roots:
        path = root / 'configs' / below
        if path.is_file():
            return str(path)
    raise FileNotFoundError(
        f'{package!r} has no config {below!r}: {roots[0] / "configs"} does '
        'not hold it'
    )


def run_tool(name: str, args: Sequence[str] = ()) -> None:
    """Runs a script as if it had been called itself.

    Bad input is reported in one line, with exit code 1; set
    MMATFR_TRACEBACK=1 to see where it was noticed.

    Args:
        name (str): The script, as for :func:`find_tool`.
        args (Sequence[str]): Its arguments; configs by path, or as
            ``mmaction::recognition/...``.
    """

    def run() -> None:
        script = str(find_tool(name))
        given = [find_config(arg) for arg in args]
        with tempfile.TemporaryDirectory() as folder:
            if Path(script).name in _KNOW_BY_NAME:
                given = [_rename_types(arg, folder) for arg in given]
            sys.argv = [script, *given]
            sys.path.insert(0, str(Path(script).resolve().parent))
            runpy.run_path(script, run_name='__main__')

    run_script(run)


def _rename_types(config: str, folder: str) -> str:
    """Gives types the names of mmaction2's, whose subclasses they are.

    Args:
        config (str): A config; any other argument stays as it is.
        folder (str): Where the config with the other names is written.

    Returns:
        str: Its path.
    """
    if not config.endswith('.py') or not Path(config).is_file():
        return config
    cfg = Config.fromfile(config)
    for registry, part in (
        (MODELS, cfg.model.backbone),
        (DATASETS, cfg.test_dataloader.dataset),
    ):
        own = registry.get(part.type)
        for base in own.__mro__ if own else ():
            if base.__name__ in _KNOWN_NAMES:
                registry.register_module(base.__name__, force=True, module=own)
                part.type = base.__name__
                break
    renamed = str(Path(folder) / Path(config).name)
    cfg.dump(renamed)
    return renamed


def main(args: List[str]) -> None:
    """Runs the command.

    Args:
        args (list[str]): A script and its arguments.
    """
    if not args or args[0] in ('-h', '--help'):
        print(__doc__)
        sys.exit(0 if args else 2)
    run_tool(args[0], args[1:])


if __name__ == '__main__':
    main(sys.argv[1:])
