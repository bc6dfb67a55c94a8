"""Heads that predict steps, fitted before training."""

import pytest
import torch


class TestFitSimilarityHook:
    SGS = dict(
        stage=0,
        num_bins=4,
        similarity='learned_path',
        embedding='identity',
        grid=2,
        magnitude_grad=False,
    )

    def test_fits_heads_before_training_and_not_when_resumed(
        self, build_runner
    ):
        def watch(runner):
            layer = runner.model.backbone.sgs
            heads = []
            layer.register_forward_hook(
                lambda layer, args, out: (
                    heads.append(layer.similarity.fc.weight.clone())
                    if layer.training
                    else None
                )
            )
            return heads

        options = dict(
            sgs=self.SGS,
            metrics=['AccMetric'],
            hooks=[dict(type='FitSimilarityHook', num_batches=2, epochs=2)],
        )
        runner = build_runner(**options)
        first = runner.model.backbone.sgs.similarity.fc.weight.clone()
        heads = watch(runner)
        runner.train()
        # Fitted before the first iteration, and left alone from then on.
        assert len(heads) == 3 and not torch.equal(heads[0], first)
        assert all(torch.equal(head, heads[0]) for head in heads)
        again = build_runner(
            train_cfg=dict(max_epochs=2),
            resume=True,
            load_from=f'{runner.work_dir}/epoch_1.pth',
            **options,
        )
        resumed = watch(again)
        again.train()
        assert len(resumed) == 3
        assert all(torch.equal(head, heads[0]) for head in resumed)

    @pytest.mark.parametrize(
        'sgs,hook,match',
        [
            (dict(stage=0), dict(), "similarity='learned_path' in its sgs"),
            (None, dict(num_batches=0), 'num_batches=0 must be a positive'),
            (
                None,
                dict(num_batches=2.5),
                'num_batches=2.5 must be a',
            ),
            (None, dict(epochs=-1), 'epochs=-1 must be a positive integer'),
            (None, dict(epochs='1'), "epochs='1' must be a positive integer"),
        ],
    )
    def test_bad_options_are_named(self, build_runner, sgs, hook, match):
        with pytest.raises(ValueError, match=match):
            build_runner(
                sgs=sgs,
                metrics=['AccMetric'],
                hooks=[dict(type='FitSimilarityHook', **hook)],
            ).train()
