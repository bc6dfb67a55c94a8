"""Where the groups lie, on its own and inside mmengine's runner."""

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS

from mmatfr.cost import ClipRecorder
from mmatfr.evaluation import DensityMetric
from mmatfr.evaluation.metrics.density_metric import count_groups


def evaluate(*samples):
    metric = DensityMetric()
    metric.process({}, list(samples))
    return metric.evaluate(size=len(samples))


def sample(groups, word=(12, 14), sentence=(10, 18), first=10, step=1):
    """A video of one view."""
    return dict(
        lengths=[len(set(groups))],
        groups=[[groups]],
        frame_inds=np.arange(first, first + step * len(groups)),
        clip_frames=len(groups),
        word=word,
        sentence=sentence,
    )


def test_shares_of_groups():
    shares = count_groups([7, 7, 3, 5, 5, 5, 5, 3])
    assert shares.tolist() == [0.5, 0.5, 0.5, *[0.25] * 4, 0.5]
    assert shares.sum() == 3


def test_equal_groups_have_a_density_of_one():
    metrics = evaluate(sample([0, 0, 1, 1, 2, 2, 3, 3]))
    # All of the clip is of the sentence: no rest to compare it with.
    assert metrics == {'density/word': 1, 'density/word_to_rest': 1}


def test_groups_within_the_word():
    # The word has two of the three groups and two of the eight frames.
    metrics = evaluate(sample([0, 0, 1, 2, 0, 0, 0, 0]))
    assert metrics['density/word'] == pytest.approx((2 / 3) / (2 / 8))
    assert metrics['density/word_to_rest'] == pytest.approx((2 / 2) / (1 / 6))


def test_a_group_that_is_partly_in_the_word_counts_by_its_frames():
    # Frames 12 and 13; 13 to 15 are one group.
    metrics = evaluate(sample([0, 0, 1, 2, 2, 2, 3, 3]))
    within = 1 + 1 / 3
    assert metrics['density/word'] == pytest.approx((within / 4) / (2 / 8))


def test_clips_are_averaged_and_ratios_pooled():
    both = evaluate(
        sample([0, 0, 1, 2, 0, 0, 0, 0], sentence=(12, 16)),
        sample([0, 0, 1, 1, 2, 2, 3, 3], sentence=(0, 9)),
    )
    assert both['density/word'] == pytest.approx((8 / 3 + 1) / 2)
    within, without = 2 + 1, 1 + 3
    assert both['density/word_to_rest'] == pytest.approx(
        (within / 4) / (without / 12)
    )
    # The second clip lies outside of its sentence and is left out.
    in_sentence = 2 + 2 / 6
    assert both['density/sentence'] == pytest.approx(
        (in_sentence / 3) / (4 / 8)
    )


def test_several_views_and_layers():
    slow, fast = [0, 0, 1, 1], [0, 0, 1, 2, 0, 0, 0, 0]
    video = dict(
        sample(fast),
        lengths=[[2, 3], [2, 3]],
        groups=[[slow, slow], [fast, fast[::-1]]],
        frame_inds=np.concatenate([np.arange(10, 18)] * 2),
    )
    # Reversed, the word has two of the six frames of a group.
    expected = [1, 1, 8 / 3, (2 / 6 / 3) / (2 / 8)]
    # The slow layer sees frames 10, 12, 14, 16: one of the word.
    assert evaluate(video)['density/word'] == pytest.approx(np.mean(expected))


def test_all_crops_of_a_clip_have_its_times():
    """One crop of all clips follows another."""
    # The word is in the first clip alone.
    first, second = [0, 0, 1, 2, 0, 0, 0, 0], [0] * 8
    video = dict(
        sample(first),
        lengths=[3, 1] * 3,
        groups=[[first, second] * 3],
        frame_inds=np.arange(10, 26),
    )
    expected = (2 / 3) / (2 / 8)
    assert evaluate(video)['density/word'] == pytest.approx(expected)
    # A layer that sees every third frame: 10 and 13 of six, the word is in 13.
    video = dict(
        sample([0, 1], word=(13, 14)),
        lengths=[2] * 3,
        groups=[[[0, 1]] * 3],
        frame_inds=np.arange(10, 16),
        clip_frames=6,
    )
    assert evaluate(video)['density/word'] == 1
    # Seven of 13 frames, 10, 11, 13, 15, 17, 19 and 21.
    video = dict(
        sample([0, 0, 0, 1, 2, 2, 2], word=(13, 16)),
        frame_inds=np.arange(10, 23),
        clip_frames=13,
    )
    expected = ((1 / 3 + 1) / 3) / (2 / 7)
    assert evaluate(video)['density/word'] == pytest.approx(expected)


def test_without_sampling_there_is_no_figure():
    assert evaluate(dict(sample([0, 1]), groups=[])) == {}


@pytest.mark.parametrize(
    ('key', 'remedy'),
    [
        ('groups', 'TemporalResolutionHook'),
        ('clip_frames', 'TemporalResolutionHook'),
        ('frame_inds', 'meta_keys'),
        ('word', "'word' to `meta_keys`"),
        ('sentence', 'meta_keys'),
    ],
)
def test_what_is_missing_is_named(key, remedy):
    video = sample([0, 1, 1, 1])
    del video[key]
    with pytest.raises(ValueError, match=f'no `{key}`.*{remedy}'):
        evaluate(video)
    with pytest.raises(ValueError, match='needs data samples'):
        evaluate([0.5])


@pytest.mark.parametrize('crops', [1, 3])
def test_reads_what_the_hook_writes(build_runner, crops):
    """The word is in both clips of each video."""
    runner = build_runner(
        sgs=dict(stage=1, preset='path', num_bins=4),
        num_clips=2,
        hooks=['TemporalResolutionHook'],
        metrics=['DensityMetric'],
    )
    transforms = runner.val_dataloader.dataset.pipeline.transforms
    transforms[-1].meta_keys = ('frame_inds', 'word', 'sentence')
    spans = dict(word=(6, 22), sentence=(0, 40))
    transforms.insert(0, lambda results: dict(results, **spans))
    if crops == 3:
        scale = dict(type='Resize', scale=(48, 32), keep_ratio=False)
        place = 1 + [type(t).__name__ for t in transforms[1:]].index(
            'CenterCrop'
        )
        transforms[place : place + 1] = [
            TRANSFORMS.build(scale),
            TRANSFORMS.build(dict(type='ThreeCrop', crop_size=32)),
        ]
    metrics = runner.val()
    assert 'density/sentence' not in metrics

    expected = []
    recognizer = runner.model.eval()
    with ClipRecorder(recognizer) as recorder:
        for item in runner.val_dataloader.dataset:
            recognizer.val_step({key: [value] for key, value in item.items()})
            (views,) = recorder.pop_records().groups
            times = item['data_samples'].frame_inds.reshape(2, 8)
            within = np.tile((6 <= times) & (times < 22), (crops, 1))
            for groups, inside in zip(views, within, strict=True):
                shares = count_groups(groups)
                share = shares[inside].sum() / shares.sum()
                expected.append(share / inside.mean())
    assert len(expected) == 24 * crops
    assert np.std(expected) > 0
    assert metrics['density/word'] == pytest.approx(np.mean(expected))
