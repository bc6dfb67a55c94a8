"""Publishes a checkpoint: weights, metafile entry and model card.

It writes <config>_<yyyymmdd>-<hash>.pth into OUT, the same as .safetensors, a
.yml (the entry of a metafile) and a .md (the model card). The figures come
from a log of tools/test.py, or the script runs the test.
"""

import argparse
from pathlib import Path

from mmatfr.apis import load_config
from mmatfr.arguments import add_cfg_options, make_parser
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
    parser = make_parser(__doc__)
    parser.add_argument('config', help='a config, path or name')
    parser.add_argument('checkpoint', help='checkpoint of a training')
    parser.add_argument('out', help='folder of the release')
    parser.add_argument(
        '--ema',
        action='store_true',
        help='use the weights averaged by EMAHook, not the last ones',
    )
    parser.add_argument(
        '--half',
        action='store_true',
        help='store kernels and matrices in half precision, and test these',
    )
    parser.add_argument(
        '--no-safetensors',
        action='store_true',
        help='write only the .pth',
    )
    parser.add_argument(
        '--test-log',
        help='log (.json) of tools/test.py for this checkpoint '
        '(default: run the test)',
    )
    parser.add_argument(
        '--url', help='future URL of the folder with the files'
    )
    parser.add_argument(
        '--register',
        action='store_true',
        help='add the entry to the metafile of the zoo and update the tables',
    )
    add_cfg_options(parser, 'the config of the test')
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
