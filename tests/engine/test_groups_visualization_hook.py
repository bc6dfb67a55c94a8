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
