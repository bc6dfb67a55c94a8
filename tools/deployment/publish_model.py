"""Publishes a checkpoint: weights, metafile entry and model card.

Writes into OUT <config>_<yyyymmdd>-<hash>.pth, the same as .safetensors, .yml
(the entry of a metafile) and .md (the model card). The figures come from the
test: from the log of tools/test.py, or it is run here.
"""

import argparse
from pathlib import Path

from mmengine.config import DictAction

from mmatfr.apis import load_config
from mmatfr.cli import run_script
from mmatfr.zoo.models import config_path, zoo_root
from mmatfr.zoo.release import (
    add_to_zoo,
    check_folder,
    discard_on_error,
    publish,
    register,
)
from mmatfr.zoo.tables import update_pages
from mmatfr.zoo.verification import read_metrics, test_release


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='a config, by path or by name')
    parser.add_argument('checkpoint', help='what training wrote')
    parser.add_argument('out', help='folder of the release')
    parser.add_argument(
        '--ema',
        action='store_true',
        help='take the weights that EMAHook averaged, not the last ones',
    )
    parser.add_argument(
        '--half',
        action='store_true',
        help='store kernels and matrices in half precision; the test is of '
        'these',
    )
    parser.add_argument(
        '--no-safetensors',
        action='store_true',
        help='write the .pth alone',
    )
    parser.add_argument(
        '--test-log',
        help='the .json that tools/test.py wrote for this checkpoint '
        '(default: test now)',
    )
    parser.add_argument(
        '--url', help='address of the folder that the files will be put in'
    )
    parser.add_argument(
        '--register',
        action='store_true',
        help="put the entry into the zoo's metafile and write the tables",
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings of the test that go on top of the config, name=value',
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    if args.register and not args.url:
        check_folder(Path(args.out), zoo_root())
    metrics = read_metrics(args.test_log) if args.test_log else None
    release = publish(
        args.config,
        args.checkpoint,
        Path(args.out),
        ema=args.ema,
        half=args.half,
        safetensors=not args.no_safetensors,
    )
    if args.url:
        address = args.url.rstrip('/')
        release.entry['Weights'] = f'{address}/{release.files[0].name}'
    with discard_on_error(release):
        if metrics is None:
            cfg = load_config(config_path(args.config))
            metrics = test_release(cfg, release.files[0], args.cfg_options)
        written = register(release, metrics)
        if args.register:
            written.append(add_to_zoo(release, zoo_root()))
    if args.register:
        update_pages(zoo_root())
    for path in (*release.files, *written):
        print(f'{path.stat().st_size:>10} bytes  {path}')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
