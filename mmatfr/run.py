"""Runs a script of mmaction2 after importing this package.

    python -m mmatfr.run analysis_tools/confusion_matrix.py CONFIG CHECKPOINT
    python -m mmatfr.run tools/test.py mmaction::recognition/tsn/... CHECKPOINT

Importing this package registers its models and fixes defects that stop some
scripts of the released wheels, see :mod:`mmatfr.compat`.
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

# Scripts that choose their steps by the name of a type, and the names that
# they support.
_KNOW_BY_NAME = ('clip_feature_extraction.py',)
_KNOWN_NAMES = ('ResNet3dSlowFast', 'VideoDataset')

__all__ = ['find_config', 'find_tool', 'main', 'run_tool']


def find_tool(name: str) -> Path:
    """Finds a script in the wheel or a clone of mmaction2.

    Args:
        name (str): Path of a script, or its path in `tools` of mmaction2, with
            or without `tools/`.

    Returns:
        Path: The script.

    Raises:
        FileNotFoundError: If there is no such script.
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
        f'found no script {name!r}, neither {places[0]} nor {places[1]}; use '
        'one in tools of mmaction2 1.2.0'
    )


def find_config(name: str) -> str:
    """Finds a config of a package by its name in ``_base_``.

    Args:
        name (str): ``package::path in configs``, or anything else.

    Returns:
        str: The path of the config; anything else is returned unchanged.

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
        f'{package!r} has no config {below!r} in {roots[0] / "configs"}; '
        'check the name'
    )


def run_tool(name: str, args: Sequence[str] = ()) -> None:
    """Runs a script as if it had been called directly.

    Bad input is reported in one line, with exit code 1; set MMATFR_TRACEBACK=1
    to see the traceback.

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
    """Replaces types with the classes of mmaction2 that they extend.

    Args:
        config (str): A config; any other argument is returned unchanged.
        folder (str): Folder for the changed config.

    Returns:
        str: Path of the changed config.
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
