"""Updates metafiles, model-index.yml and the tables of the model zoo.

Metadata is recomputed from the configs; given entries of a metafile
(Published, Results, Weights, SHA256, Training Log) are kept.
"""

import argparse
from pathlib import Path

from mmatfr.arguments import make_parser
from mmatfr.atomic_write import write_text
from mmatfr.cli import make_progress, run_script
from mmatfr.zoo.metafile import (
    dump_yaml,
    make_entry,
    read_entries,
    read_metafile,
    write_metafile,
)
from mmatfr.zoo.published import compare_published
from mmatfr.zoo.tables import update_pages

ROOT = Path(__file__).resolve().parents[2]


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        '--tables-only',
        action='store_true',
        help='only write the tables of the pages, without counting',
    )
    return parser.parse_args()


def update_metafiles(root: Path) -> None:
    """Writes an entry for every config, and the list of the metafiles.

    Args:
        root (Path): The folder that ``configs`` is in.
    """
    old = read_entries(root)
    configs = sorted(root.glob('configs/recognition/*/*.py'))
    folders = sorted({path.parent for path in configs})
    with make_progress() as progress:
        task = progress.add_task('count', total=len(configs))
        for folder in folders:
            path = folder / 'metafile.yml'
            collections = read_metafile(path)['Collections']
            title = (
                collections[0]['Name'] if collections else folder.name.upper()
            )
            entries = []
            for config in sorted(folder.glob('*.py')):
                entry = make_entry(
                    config, root, title, old.get(config.stem, {})
                )
                if 'Published' in entry:
                    row = compare_published(entry, root)
                    if row.resolution is not None:
                        reached = '/'.join(
                            f'{row.resolution * n:.1f}' for n in row.num_frames
                        )
                        total = '/'.join(map(str, row.num_frames))
                        entry['Metadata']['Published GFLOPs At'] = (
                            f'{reached} of {total}'
                        )
                entries.append(entry)
                progress.advance(task)
            write_metafile(path, title, entries)
    imports = [
        f'configs/recognition/{folder.name}/metafile.yml' for folder in folders
    ]
    write_text(root / 'model-index.yml', dump_yaml(dict(Import=imports)))


def run(args: argparse.Namespace) -> None:
    if not args.tables_only:
        update_metafiles(ROOT)
    update_pages(ROOT)
    print('written: metafiles, model-index.yml and the tables of the pages')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
