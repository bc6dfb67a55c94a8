"""The rows of comparisons on tempo, and tables of them."""

from dataclasses import replace
from functools import partial
from typing import Any, Dict, List

from mmatfr.sgs import (
    equal_groups,
    pool_frames,
    random_groups,
    stride_frames,
)

from .merging import keep_first, keep_middle, spread_groups
from .report import Report, gflops, length_range, lengths, metric
from .row import Row

__all__ = ['REPORT', 'ROWS', 'TABLES']

# Compared with the path with one number of bins throughout.
_variant = partial(Row, random_bins=False)
_PAPER = dict(_delete_=True, preset='paper')
_AUTHORS = dict(_delete_=True, preset='authors')
_LEARNED = dict(embedding='mlp_bn', magnitude_grad=True)
_EQUAL = (6, 8, 9, 10, 12)
_BINS = (4, 6, 8, 9, 10, 12, 13, 14, 16, 20, 24, 32, 48)


def _predicted(num_bins: int) -> Dict[str, Any]:
    """Returns the options of the learned path."""
    return dict(
        similarity='learned_path',
        bin_range='clip',
        num_bins=num_bins,
        # The slow pathway of SlowFast has a quarter of the frames.
        slow_path=dict(num_bins=max(1, round(num_bins / 4))),
    )


_EVIDENCE = {
    'full': Row('full', sgs=None),
    'pool2': Row('average pool 2', binning=partial(pool_frames, size=2)),
    'pool4': Row('average pool 4', binning=partial(pool_frames, size=4)),
    'stride2': Row('stride 2', binning=partial(stride_frames, step=2)),
    'stride4': Row('stride 4', binning=partial(stride_frames, step=4)),
    'random': Row(
        'random groups, 8 on average',
        binning=partial(random_groups, resolution=0.5),
    ),
    'paper': Row("ATFR, the paper's setting", sgs=_PAPER),
    'authors': Row("ATFR, the authors' setting", sgs=_AUTHORS),
    # Twice as many frames at the cost of the recipe.
    'pool5_of32': Row(
        '32 frames, average pool 5',
        binning=partial(pool_frames, size=5),
        num_frames=32,
    ),
    'path_of32': _variant(
        '32 frames, path sampling with 5 bins',
        sgs=dict(num_bins=5),
        num_frames=32,
    ),
    'path': Row('ATFR, path sampling (ours)'),
}
_ABLATION = {
    **{
        f'equal{length}': Row(
            f'{length} equal groups',
            binning=partial(equal_groups, length=length),
        )
        for length in _EQUAL
    },
    # Over steps predicted by a head that is fitted before the training.
    'learned_path': Row(
        'learned path',
        sgs=_predicted(16),
        hooks=(dict(type='FitSimilarityHook'),),
    ),
    # The same, towards the scores of the full network.
    'distilled_path': Row(
        'learned path, distilled',
        sgs=_predicted(16),
        hooks=(dict(type='FitSimilarityHook'),),
        teacher='full',
    ),
    # Variations from the paper's setting to the recipe and beyond.
    'time': Row('paper, order of time', sgs=dict(_delete_=True, order='time')),
    'neighbours': Row(
        'l2, order of time, neighbours only',
        sgs=dict(
            _delete_=True, similarity='l2', order='time', contiguous=True
        ),
    ),
    'relative': _variant(
        "path, bins of the clip's own range", sgs=dict(bin_range='clip')
    ),
    'absolute': _variant(
        'path, bins of one width for all clips', sgs=dict(bin_range='data')
    ),
    'learned': _variant(
        'path of the learned 8 dimensions, grid 1',
        sgs=dict(_LEARNED, grid=1),
    ),
    'learned_grid': _variant('path of the learned 8 dimensions', sgs=_LEARNED),
    'grid1': _variant('path, grid 1 (global average)', sgs=dict(grid=1)),
    'grid4': _variant('path, grid 4', sgs=dict(grid=4)),
    'gradient': _variant(
        'path, with a gradient to the magnitudes',
        sgs=dict(magnitude_grad=True),
    ),
    'squared': _variant(
        'path of squared steps', sgs=dict(similarity='path_squared')
    ),
    'linear': _variant('path, linear kernel', sgs=dict(kernel='linear')),
    'linear_normalized': _variant(
        'path, linear kernel, divided by the number of frames',
        sgs=dict(kernel='linear', normalize=True),
    ),
    'stage1': _variant('path, after stage 1', sgs=dict(stage=1)),
    'stage2': _variant('path, after stage 2', sgs=dict(stage=2)),
    'learned_dims2': _variant(
        'path of 2 learned dimensions, grid 1',
        sgs=dict(_LEARNED, grid=1, similarity_channels=2),
    ),
    'learned_dims32': _variant(
        'path of 32 learned dimensions, grid 1',
        sgs=dict(_LEARNED, grid=1, similarity_channels=32),
    ),
    'fixed_bins': _variant('path, one number of bins throughout'),
    'trained_bins8': _variant('path, 8 bins', sgs=dict(num_bins=8)),
    'trained_bins16': _variant('path, 16 bins', sgs=dict(num_bins=16)),
    'lr_half': _variant('path, half the learning rate', lr_factor=0.5),
    'lr_twice': _variant('path, twice the learning rate', lr_factor=2.0),
    'paper_lr_tenth': Row(
        "the paper's setting, a tenth of the learning rate",
        sgs=_PAPER,
        lr_factor=0.1,
    ),
    # From scratch, for as many epochs as the common base.
    'scratch_path': Row(
        'from scratch, path sampling (ours)', from_scratch=True
    ),
    'scratch_pool2': Row(
        'from scratch, average pool 2',
        binning=partial(pool_frames, size=2),
        from_scratch=True,
    ),
    'scratch_paper': Row(
        "from scratch, the paper's setting", sgs=_PAPER, from_scratch=True
    ),
    'scratch_authors': Row(
        "from scratch, the authors' setting", sgs=_AUTHORS, from_scratch=True
    ),
    'full32': Row('full, 32 frames', sgs=None, num_frames=32),
    'path32': _variant('path, 32 frames', num_frames=32),
}
# With longer videos than those of the data set.
_FRAMES = {
    'full64': Row('full, 64 frames', sgs=None, num_frames=64),
    'path64': _variant('path, 64 frames', num_frames=64),
}
# One checkpoint, several budgets.
_BUDGET = {
    **{
        f'path_bins{bins}': Row(
            f'path, {bins} bins when tested',
            sgs=dict(num_bins=bins),
            weights_of='path',
        )
        for bins in _BINS
    },
    **{
        f'learned_path_bins{bins}': Row(
            f'learned path, {bins} bins when tested',
            sgs=_predicted(bins),
            weights_of='learned_path',
        )
        for bins in _BINS
    },
    **{
        f'distilled_path_bins{bins}': Row(
            f'learned path, distilled, {bins} bins when tested',
            sgs=_predicted(bins),
            weights_of='distilled_path',
        )
        for bins in _BINS
    },
    'fixed_bins8': Row(
        'path, one number of bins throughout, 8 when tested',
        sgs=dict(num_bins=8),
        weights_of='fixed_bins',
    ),
    'path_frames32': Row(
        'path, 32 frames when tested', num_frames=32, weights_of='path'
    ),
    'path_frames32_bins5': Row(
        'path, 32 frames and 5 bins when tested',
        sgs=dict(num_bins=5),
        num_frames=32,
        weights_of='path',
    ),
}
# What merging loses.
_MERGING = {
    'first': ('the first frame of each group', keep_first),
    'middle': ('the middle frame of each group', keep_middle),
    'spread': ('merged maps repeated for all frames', spread_groups),
}
_TRAINED = {**_EVIDENCE, **_ABLATION, **_FRAMES}
# Without training, in the common base.
_INSERTED = {
    'base': Row('without sampling', sgs=None, weights_of='base'),
    **{
        f'inserted_{name}': replace(_TRAINED[name], weights_of='base')
        for name in (
            'path',
            'relative',
            'squared',
            'grid1',
            'grid4',
            'linear',
            'stage1',
            'stage2',
            'path32',
            'full32',
            'path64',
            'full64',
            'pool2',
            'pool4',
            *(f'equal{length}' for length in _EQUAL),
            'learned_path',
            'stride2',
            'random',
        )
    },
    **{
        f'inserted_{name}_bins{bins}': replace(
            _BUDGET[f'{name}_bins{bins}'], weights_of=f'inserted_{name}'
        )
        for name in ('path', 'learned_path')
        for bins in _BINS
    },
    **{
        f'inserted_{name}_{suffix}': replace(
            _TRAINED[name],
            title=f'{_TRAINED[name].title}, {title}',
            merging=merging,
            weights_of=f'inserted_{name}',
        )
        for name in ('path', 'learned_path')
        for suffix, (title, merging) in _MERGING.items()
    },
}

ROWS: Dict[str, Row] = {**_TRAINED, **_BUDGET, **_INSERTED}
TABLES: Dict[str, List[str]] = {
    'evidence': [*_EVIDENCE],
    'short': ['full', 'pool2', 'path'],
    'ablation': ['full', 'pool2', 'path', *_ABLATION],
    'budget': [
        'full',
        'pool2',
        'pool4',
        *(f'path_bins{bins}' for bins in _BINS),
        'path_frames32',
        'path_frames32_bins5',
        *(f'inserted_path_bins{bins}' for bins in _BINS),
    ],
    'insertion': [
        name for name, row in _INSERTED.items() if row.num_frames != 64
    ],
    # For --world: equal groups, path and learned path, at several costs.
    'world': [
        'base',
        *(f'inserted_{name}' for name in ('pool4', 'pool2', 'random')),
        *(f'inserted_equal{length}' for length in _EQUAL),
        *(
            f'inserted_{name}_bins{bins}'
            for name in ('path', 'learned_path')
            for bins in (6, 8, 12, 16, 24)
        ),
    ],
    # What merging loses, without training; for --world.
    'merging': [
        'base',
        'inserted_learned_path',
        *(f'inserted_learned_path_{suffix}' for suffix in _MERGING),
    ],
    # With --video-frames 64.
    'frames': ['full', 'fixed_bins', 'full32', 'path32', 'full64', 'path64'],
}
REPORT = Report(
    rows=ROWS,
    columns={
        'top-1 %': metric('acc/top1', 1, 100),
        'short %': metric('tempo/top1_short', 1, 100),
        'long %': metric('tempo/top1_long', 1, 100),
        "B' (of several layers B'/T), mean ± std": lengths,
        "B' range": length_range,
        'Spearman': metric('tempo/spearman', 2),
        'GFLOPs': gflops,
        'ms/clip': metric('seconds', 2, 1e3),
    },
    curves={
        'path_bins': 'path sampling, one checkpoint, other bins when tested',
        'inserted_path_bins': 'put into the trained network without training',
        'learned_path_bins': 'learned path, other bins when tested',
        'distilled_path_bins': 'learned path, distilled, other bins when '
        'tested',
        'inserted_learned_path_bins': 'learned path, without training the '
        'network',
    },
)
