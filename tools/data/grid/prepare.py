"""Prepares clips of a mouth and lists of words from the GRID corpus.

It reads the videos and alignments of a speaker in the format of the corpus and
crops the mouth. It writes the videos, words.csv with the first and last frame
of every word, and a list for each split and word.
"""

import argparse
from pathlib import Path

from mmatfr.cli import make_progress, run_script
from mmatfr.datasets.grid import (
    FPS,
    WORDS,
    choose_split,
    read_alignment,
    read_frames,
    write_lists,
    write_words,
)
from mmatfr.datasets.video_files import check_frame_size, write_video


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('videos', help='folder of the videos, NAME.mpg')
    parser.add_argument('alignments', help='folder of NAME.align')
    parser.add_argument(
        '--out', default='data/grid', help='default: %(default)s'
    )
    parser.add_argument(
        '--crop',
        type=int,
        nargs=4,
        metavar=('TOP', 'BOTTOM', 'LEFT', 'RIGHT'),
        default=[180, 250, 80, 220],
        help='rows and columns to keep, excluding the last '
        '(default: the mouth of speaker 1)',
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        default=[64, 128],
        help='size after resizing (default: 64 128)',
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    check_frame_size(*args.size)
    out, alignments = Path(args.out), Path(args.alignments)
    videos = sorted(Path(args.videos).glob('*.mpg'))
    if not videos:
        raise FileNotFoundError(
            f'{args.videos!r} has no videos NAME.mpg; give the folder of a '
            'speaker'
        )
    sentences = {
        video: read_alignment(alignments / f'{video.stem}.align')
        for video in videos
        if (alignments / f'{video.stem}.align').is_file()
    }
    if not sentences:
        raise FileNotFoundError(
            f'{args.alignments!r} has no alignment NAME.align for the '
            f'{len(videos)} videos in {args.videos!r}'
        )
    (out / 'videos').mkdir(parents=True, exist_ok=True)
    rows = []
    with make_progress() as progress:
        for video, sentence in progress.track(
            sentences.items(), description='videos'
        ):
            path = out / 'videos' / f'{video.stem}.mp4'
            frames = read_frames(video, tuple(args.crop), tuple(args.size))
            write_video(path, frames, FPS)
            row = dict(
                video=path.name,
                split=choose_split(video.stem),
                frames=len(frames),
            )
            for kind, (word, start, end) in zip(WORDS, sentence, strict=True):
                row.update(
                    {kind: word, f'{kind}_start': start, f'{kind}_end': end}
                )
            rows.append(row)
    write_words(out / 'words.csv', rows)
    write_lists(out, rows)
    print(
        f'{len(rows)} videos, {len(videos) - len(rows)} have no alignment: '
        f'{out}'
    )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
