"""Random numbers of bins in training."""

import pytest
from mmengine.hooks import Hook

from mmatfr.sgs import get_num_bins, set_num_bins


class TestRandomBinsHook:
    @staticmethod
    def seen_by(runner):
        """Number of bins of every batch, by whether it trains."""
        layer, seen = runner.model.backbone.sgs, {True: [], False: []}
        layer.register_forward_hook(
            lambda layer, args, out: seen[layer.training].append(
                layer.binning.num_bins
            )
        )
        return seen

    def test_draws_in_training_alone(self, build_runner):
        options = dict(
            sgs=dict(stage=0, num_bins=20),
            metrics=['AccMetric'],
            hooks=[dict(type='RandomBinsHook', low=0.3, high=2.0)],
        )
        cfg = dict(max_epochs=4, val_begin=1, val_interval=2)
        runner = build_runner(train_cfg=cfg, **options)
        seen = self.seen_by(runner)
        runner.train()
        assert len(seen[True]) == 12
        assert len(set(seen[True])) > 6
        assert all(6 <= num_bins <= 40 for num_bins in seen[True])
        assert min(seen[True]) < 20 < max(seen[True])
        assert seen[False] == 2 * 2 * [20]
        runner.test()
        assert seen[False] == 3 * 2 * [20]
        # Two epochs, and then two more, have the numbers of four.
        work_dir = runner.work_dir
        again = build_runner(
            train_cfg=cfg,
            resume=True,
            load_from=f'{work_dir}/epoch_2.pth',
            **options,
        )
        resumed = self.seen_by(again)
        again.train()
        assert again.iter == 12
        assert resumed[True] == seen[True][6:]

    def test_validation_alone_changes_nothing(self, build_runner):
        runner = build_runner(
            sgs=dict(stage=0, num_bins=5),
            metrics=['AccMetric'],
            hooks=['RandomBinsHook'],
        )
        seen = self.seen_by(runner)
        runner.val()
        assert set(seen[False]) == {5}

    def test_a_training_that_was_interrupted_can_go_on(self, build_runner):
        class Interrupt(Hook):
            was = False

            def after_train_iter(self, runner, **kwargs):
                if not self.was:
                    self.was = True
                    raise KeyboardInterrupt

        options = dict(
            sgs=dict(stage=0, num_bins=20),
            metrics=['AccMetric'],
            hooks=[dict(type='RandomBinsHook', low=0.3, high=0.5)],
        )
        runner = build_runner(**options)
        runner.register_hook(Interrupt())
        with pytest.raises(KeyboardInterrupt):
            runner.train()
        seen = self.seen_by(runner)
        runner.test()
        assert set(seen[False]) == {20}
        runner.train()
        assert 0.3 * 20 <= min(seen[True]) <= max(seen[True]) <= 0.5 * 20
        assert get_num_bins(runner.model) == {'backbone.sgs': 20}

    def test_a_number_that_is_set_after_training_stays(self, build_runner):
        runner = build_runner(
            sgs=dict(stage=0, num_bins=20),
            metrics=['AccMetric'],
            hooks=['RandomBinsHook'],
        )
        runner.train()
        set_num_bins(runner.model, 7)
        seen = self.seen_by(runner)
        runner.val()
        runner.test()
        assert set(seen[False]) == {7}

    @pytest.mark.parametrize(
        'sgs,hook,match',
        [
            (None, dict(), 'no layer that samples'),
            (dict(stage=0), dict(), 'backbone.sgs has none; set num_bins'),
            (None, dict(low=0), 'low=0 and high=1.5 must be'),
            (None, dict(low=2, high=1), 'low=2 and high=1 must be'),
            (None, dict(high=float('inf')), 'high=inf must be'),
            (None, dict(high=float('nan')), 'high=nan must be'),
            (None, dict(low='0.5'), "low='0.5' and high=1.5 must be"),
        ],
    )
    def test_bad_options_are_named(self, build_runner, sgs, hook, match):
        with pytest.raises(ValueError, match=match):
            build_runner(
                sgs=sgs,
                metrics=['AccMetric'],
                hooks=[dict(type='RandomBinsHook', **hook)],
            ).train()
