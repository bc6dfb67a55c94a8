"""Accuracy of several tasks."""

import pytest

from mmatfr.evaluation import TaskAccMetric


def evaluate(*samples):
    metric = TaskAccMetric()
    metric.process({}, list(samples))
    return metric.evaluate(size=len(samples))


def sample(predicted, labels):
    return dict(pred_task_labels=predicted, task_labels=labels)


def test_counts_the_videos_of_each_task():
    labels = dict(color=1, digit=7)
    metrics = evaluate(
        sample(dict(color=1, digit=7), labels),
        sample(dict(color=1, digit=1), labels),
        sample(dict(color=1, digit=0), labels),
        sample(dict(color=7, digit=7), labels),
    )
    assert metrics == {
        'tasks/color': 0.75,
        'tasks/digit': 0.5,
        'tasks/mean': 0.625,
    }


def test_labels_of_other_words_do_not_count():
    (video,) = (sample(dict(color=1), dict(color=1, adverb=2)),)
    assert evaluate(video) == {'tasks/color': 1.0, 'tasks/mean': 1.0}


@pytest.mark.parametrize(
    ('key', 'remedy'),
    [
        ('pred_task_labels', 'TemporalAttentionHead'),
        ('task_labels', '`meta_keys` of PackActionInputs'),
    ],
)
def test_what_is_missing_is_named(key, remedy):
    video = sample(dict(color=1), dict(color=1))
    del video[key]
    with pytest.raises(ValueError, match=f'no `{key}`.*{remedy}'):
        evaluate(video)
