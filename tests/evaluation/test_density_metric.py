"""Where the groups lie, on its own and inside mmengine's runner."""

import numpy as np
import pytest

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


def test_without_sampling_there_is_no_figure():
    assert evaluate(dict(sample([0, 1]), groups=[])) == {}


@pytest.mark.parametrize(
    ('key', 'remedy'),
    [
        ('groups', 'TemporalResolutionHook'),
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


def test_reads_what_the_hook_writes(build_runner):
    """The word is in both views of each video."""
    runner = build_runner(
        sgs=dict(stage=1, preset='path', num_bins=4),
        num_clips=2,
        hooks=['TemporalResolutionHook'],
        metrics=['DensityMetric'],
    )
    pack = runner.val_dataloader.dataset.pipeline.transforms[-1]
    pack.meta_keys = ('frame_inds', 'word', 'sentence')
    spans = dict(word=(6, 22), sentence=(0, 40))
    runner.val_dataloader.dataset.pipeline.transforms.insert(
        0, lambda results: dict(results, **spans)
    )
    metrics = runner.val()
    assert 'density/sentence' not in metrics

    expected = []
    recognizer = runner.model.eval()
    with ClipRecorder(recognizer) as recorder:
        for item in runner.val_dataloader.dataset:
            recognizer.val_step({key: [value] for key, value in item.items()})
            (views,) = recorder.pop_records().groups
            times = item['data_samples'].frame_inds.reshape(2, 8)
            within = (6 <= times) & (times < 22)
            for groups, inside in zip(views, within, strict=True):
                shares = count_groups(groups)
                share = shares[inside].sum() / shares.sum()
                expected.append(share / inside.mean())
    assert len(expected) == 24
    assert np.std(expected) > 0
    assert metrics['density/word'] == pytest.approx(np.mean(expected))
