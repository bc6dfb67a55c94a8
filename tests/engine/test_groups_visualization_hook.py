"""Figures of groups in the visualizer."""

from itertools import cycle

import pytest
from mmengine.dataset import pseudo_collate

from mmatfr.engine.hooks import (
    GroupsVisualizationHook,
    groups_visualization_hook,
)
from mmatfr.sgs import equal_groups
from mmatfr.visualization.figures import draw_groups


class TestGroupsVisualizationHook:
    @pytest.mark.parametrize('most', [None, 3])
    def test_draws_the_groups_of_the_view_that_it_shows(
        self, build_runner, monkeypatch, most
    ):
        """Also if the last forward processed only the last view."""
        runner = build_runner(sgs=dict(stage=1), num_clips=4)
        model = runner.model.eval()
        model.test_cfg = dict(max_testing_views=most) if most else None
        # Each view has another number of groups than the next.
        numbers = cycle(range(1, 8))
        model.backbone.sgs.binning = lambda magnitude: equal_groups(
            magnitude, [next(numbers) for _ in magnitude]
        )
        hook = GroupsVisualizationHook(num_videos=2)
        drawn, lengths = [], []
        monkeypatch.setattr(
            groups_visualization_hook,
            'draw_groups',
            lambda clips: drawn.extend(clips) or draw_groups(clips),
        )
        model.backbone.sgs.register_forward_hook(
            lambda layer, args, out: lengths.extend(layer.groups.lengths)
        )
        dataset = runner.val_dataloader.dataset
        hook.before_val_epoch(runner)
        for i in range(3):
            batch = pseudo_collate([dataset[i]])
            hook.before_val_iter(runner, i, batch)
            outputs = model.val_step(batch)
            hook.after_val_iter(runner, i, batch, outputs)
        assert len(drawn) == 2 and len(lengths) == 3 * 4
        assert [clip.length for clip in drawn] == [
            int(lengths[0]),
            int(lengths[4]),
        ]
        for clip, i in zip(drawn, range(2), strict=True):
            view = dataset[i]['inputs'][0].permute(1, 2, 3, 0)
            assert (clip.pictures == view.numpy()).all()

    @pytest.mark.parametrize(
        'train_cfg,resume_at,drawn',
        [
            # Epochs 1 to 5.
            (dict(max_epochs=5, val_begin=1), 3, [1, 3, 5]),
            # Epochs 4, 6, 8, and the last one, 9.
            (
                dict(max_epochs=9, val_begin=3, val_interval=2),
                4,
                [4, 8],
            ),
            # Iterations 2, 4, 6.
            (
                dict(by_epoch=False, max_iters=6, val_interval=2, val_begin=1),
                2,
                [2, 6],
            ),
        ],
    )
    def test_draws_the_same_validations_after_a_resume(
        self, build_runner, monkeypatch, tmp_path, train_cfg, resume_at, drawn
    ):
        # mmengine waits at the end of each pass over the videos.
        monkeypatch.setattr('time.sleep', lambda seconds: None)
        by_epoch = 'max_epochs' in train_cfg
        for split in ('train', 'val', 'test'):
            (tmp_path / f'{split}.txt').write_text('train/00000.mp4 0\n' * 2)
        for name in ('draw_groups', 'to_image'):
            monkeypatch.setattr(
                groups_visualization_hook, name, lambda drawn: drawn
            )
        options = dict(
            sgs=dict(stage=1),
            ann_file=str(tmp_path / '{}.txt'),
            train_cfg=train_cfg,
            metrics=['AccMetric'],
            hooks=[dict(type='GroupsVisualizationHook', interval=2)],
            log_processor=dict(by_epoch=by_epoch),
            default_hooks=dict(
                checkpoint=dict(
                    type='CheckpointHook', interval=1, by_epoch=by_epoch
                )
            ),
        )

        def train(**more):
            steps = []
            runner = build_runner(**options, **more)
            monkeypatch.setattr(
                runner.visualizer,
                'add_image',
                lambda name, image, step: steps.append(step),
            )
            runner.train()
            return [*dict.fromkeys(steps)], runner.work_dir

        steps, folder = train()
        assert steps == drawn
        name = 'epoch' if by_epoch else 'iter'
        steps, _ = train(
            resume=True, load_from=f'{folder}/{name}_{resume_at}.pth'
        )
        assert steps == [step for step in drawn if step > resume_at]

    @pytest.mark.parametrize(
        'options,match',
        [
            (dict(num_videos='4'), "num_videos='4' must be a positive"),
            (dict(interval=1.5), 'interval=1.5 must be a positive integer'),
        ],
    )
    def test_bad_options_are_named(self, options, match):
        with pytest.raises(ValueError, match=match):
            GroupsVisualizationHook(**options)
