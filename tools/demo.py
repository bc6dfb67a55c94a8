"""Shows groups, B', GFLOPs and classes of a video, clip by clip.

It cuts the whole video into clips, prints a table of them, draws a figure, and
writes a page that shows the frames in motion next to the means of their
groups. MODEL is a config (path or name), or a file from
tools/deployment/export_model.py, which runs in --engine on the views of its
test pipeline.
"""

import argparse
from pathlib import Path
from typing import Optional

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mmatfr.apis import load_recognizer
from mmatfr.arguments import make_parser
from mmatfr.cli import run_script
from mmatfr.demos.video import show_deployed, show_recognizer
from mmatfr.deploy import ENGINES
from mmatfr.zoo.models import config_path, find_checkpoint, released_weights

_NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
# The checkpoint of `make train-demo`, if there are no released weights.
_TRAINED = Path(__file__).parents[1] / f'work_dirs/{_NAME}/epoch_8.pth'


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('video', help='a video file')
    parser.add_argument('config', nargs='?', help='the same as --model')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='its checkpoint (default: released)',
    )
    parser.add_argument(
        '--model',
        help='config of a recognizer (path or name), or an exported file, '
        f'*.onnx (default: {_NAME})',
    )
    parser.add_argument(
        '--out',
        help='path of the figure; the page is written next to it '
        '(default: results/demo/VIDEO.png)',
    )
    parser.add_argument(
        '--topk', type=int, default=5, help='number of classes (default: 5)'
    )
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='default: %(default)s',
    )
    parser.add_argument(
        '--engine',
        choices=list(ENGINES),
        help=f'engine of an exported file (default: {next(iter(ENGINES))})',
    )
    args = parser.parse_args()
    if args.model and args.config:
        parser.error(
            f'the model is given twice, {args.config!r} and --model '
            f'{args.model!r}; leave one out'
        )
    args.config = args.model or args.config
    formats = FigureCanvasAgg.get_supported_filetypes()
    if args.out and Path(args.out).suffix[1:] not in formats:
        parser.error(
            f'--out {args.out!r} is not a figure; end it in .png, or in one '
            f'of {", ".join(formats)}'
        )
    if args.engine and not _is_deployed(args.config):
        parser.error('--engine needs an exported file, *.onnx')
    return args


def _is_deployed(config: Optional[str]) -> bool:
    return config is not None and config.endswith('.onnx')


def run(args: argparse.Namespace) -> None:
    out = Path(args.out or f'results/demo/{Path(args.video).stem}.png')
    if _is_deployed(args.config):
        if args.checkpoint:
            raise ValueError(
                f'{args.config!r} contains its weights; leave out '
                f'{args.checkpoint!r}'
            )
        engine = args.engine or next(iter(ENGINES))
        return show_deployed(args.config, engine, args.video, out, args.topk)
    config = config_path(args.config or _NAME)
    if args.config or args.checkpoint:
        checkpoint = find_checkpoint(config, args.checkpoint or 'released')
    else:
        checkpoint = released_weights(config) or str(_TRAINED)
    model = load_recognizer(
        config,
        checkpoint,
        args.device,
        remedy='run `make train-demo` or `tools/train.py`, '
        'or give a config and its checkpoint',
    )
    show_recognizer(model, args.video, out, args.topk)


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
