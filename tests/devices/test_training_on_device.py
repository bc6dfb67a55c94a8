"""A training on video files: mixed precision, validation, and resuming."""

import torch

SGS = dict(preset='path', stage=0, grid=2, num_bins=4)


def test_trains_validates_and_resumes(build_runner, device):
    options = dict(
        sgs=SGS,
        metrics=['AccMetric', 'AdaptiveCostMetric'],
        hooks=['TemporalResolutionHook', 'GroupsVisualizationHook'],
        optim_wrapper=(
            dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
            if device == 'cuda'
            else {}
        ),
    )
    runner = build_runner(**options)
    runner.train()
    assert next(runner.model.parameters()).device.type == device
    layer = runner.model.backbone.sgs
    assert layer.running_peak > 0 and layer.groups.index.device.type == device
    again = build_runner(
        train_cfg=dict(max_epochs=2, val_begin=2),
        resume=True,
        load_from=f'{runner.work_dir}/epoch_1.pth',
        **options,
    )
    again.load_or_resume()
    assert again.epoch == 1
    for name, value in again.model.state_dict().items():
        assert value.device.type == device
        assert torch.equal(value, runner.model.state_dict()[name]), name
    again.train()
    assert again.epoch == 2
    for name in ('acc/top1', 'cost/gflops_per_clip'):
        assert again.message_hub.get_scalar(f'val/{name}').current() >= 0
