"""Verifies a release: hash, keys and accuracy.

It downloads or opens the release, compares its SHA-256 with the published one,
rebuilds the model, and tests it: the accuracy has to be the published one.
"""

import argparse

from mmatfr.arguments import add_cfg_options, make_parser
from mmatfr.checkpoint import fetch
from mmatfr.cli import run_script
from mmatfr.zoo.models import find_configs, released_weights
from mmatfr.zoo.verification import check_release, test_release


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        'release',
        help='name of a model of the zoo, or path or URL of a released .pth '
        'or .safetensors',
    )
    parser.add_argument(
        '--config', help='a config, path or name (default: its config)'
    )
    parser.add_argument(
        '--no-test',
        action='store_true',
        help='skip the test, which needs data',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=0.5,
        help='of the top-1 accuracy, in points, because machines round '
        'differently (default: %(default)s)',
    )
    add_cfg_options(parser, 'the config of the test')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    release = args.release
    if release in find_configs():
        release = released_weights(release)
        if release is None:
            raise ValueError(
                f'no weights have been released for {args.release!r}'
            )
    cfg, entry = check_release(release, args.config)
    print(f'SHA-256 as published, weights match {cfg.filename}')
    if args.no_test:
        return
    (result,) = entry['Results']
    published = result['Metrics']['Top 1 Accuracy']
    metrics = test_release(cfg, fetch(release), args.cfg_options)
    found = 100 * metrics['acc/top1']
    if abs(found - published) > args.tolerance:
        raise ValueError(
            f'{release!r} has a top-1 accuracy of {found:.2f} % instead of '
            f'{published} % as published; check that the data is the same'
        )
    print(f'top-1 accuracy {found:.2f} %, published {published} %')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
