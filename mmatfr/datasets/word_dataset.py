"""Videos of sentences with one word as the label."""

import csv
import os.path as osp
from typing import List

from mmaction.registry import DATASETS

from mmatfr.sgs import check_integer

from .video_dataset import CheckedVideoDataset

__all__ = ['WordVideoDataset']

_START, _END = '_start', '_end'


@DATASETS.register_module()
class WordVideoDataset(CheckedVideoDataset):
    """Videos of sentences; the label is one kind of word.

    The list is a table, as written by tools/data/grid/prepare.py, with
    ``video``, ``split``, and for each kind of word, such as ``color``, the
    word, its first frame ``color_start`` and the frame after its last
    ``color_end``. The classes are all words of this kind in the table, in
    alphabetical order.

    In addition to the label, the pipeline gets ``task_labels``, the labels of
    all kinds of words, for :class:`mmatfr.models.TemporalAttentionHead`;
    ``word`` and ``sentence``, each with its first frame and the frame after
    its last; and ``place``, the position of the word in a test window for
    :class:`LimitToWord`.

    It takes the arguments of :class:`CheckedVideoDataset`, and also:

    Args:
        word (str): The kind of word to recognize, such as 'color'.
        split (str): Split of the table to use.
        windows (int): Number of test windows of each video, with the word at
            different positions. Defaults to 1.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If it is damaged, or has no such kind of word or split, or
            the number of windows is not a positive integer.
    """

    def __init__(
        self, *args, word: str, split: str, windows: int = 1, **kwargs
    ) -> None:
        check_integer('windows', windows)
        self.word = word
        self.split = split
        self.windows = windows
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Reads the table."""
        if not osp.isfile(self.ann_file):
            raise FileNotFoundError(
                f'the table {self.ann_file!r} does not exist; prepare the '
                'data set, or set `ann_file` in the config'
            )
        with open(self.ann_file, newline='', encoding='utf-8') as file:
            rows = list(csv.DictReader(file))
        kinds = [
            name.removesuffix(_START)
            for name in (rows[0] if rows else ())
            if name.endswith(_START)
        ]
        try:
            spans = [
                {
                    kind: (int(row[kind + _START]), int(row[kind + _END]))
                    for kind in kinds
                }
                for row in rows
            ]
            labelled = [(row['video'], row['split']) for row in rows]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'{self.ann_file!r} is damaged or not a table of words '
                f'({type(error).__name__}: {error}); prepare the data set '
                'again'
            ) from error
        splits = sorted({split for _, split in labelled})
        for name, choices in (('word', kinds), ('split', splits)):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f'{self.ann_file!r} has no {name} '
                    f'{getattr(self, name)!r}; choose one of {choices}'
                )
        classes = {kind: sorted({row[kind] for row in rows}) for kind in kinds}
        self._metainfo.setdefault('classes', classes[self.word])
        folder = self.data_prefix['video'] or ''
        return [
            dict(
                filename=osp.join(folder, video),
                label=classes[self.word].index(row[self.word]),
                task_labels={
                    kind: classes[kind].index(row[kind]) for kind in kinds
                },
                word=said[self.word],
                sentence=(
                    min(start for start, _ in said.values()),
                    max(end for _, end in said.values()),
                ),
                place=(window + 0.5) / self.windows,
            )
            for row, said, (video, split) in zip(
                rows, spans, labelled, strict=True
            )
            if split == self.split
            for window in range(self.windows)
        ]
