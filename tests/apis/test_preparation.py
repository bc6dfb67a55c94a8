"""Layers estimate the range of bins from clips, without training."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from script_runs import ROOT
from small_recognizers import x3d

from mmatfr.apis import calibrate_bin_range, load_config, write_inserted

CONFIGS = ROOT / 'configs/recognition/resnet3d'
NAME = 'resnet3d-mini-dense'
PLAIN = '12e_tempo-small-rgb.py'
OWN = '8e_tempo-small-rgb.py'
PATH = dict(stage=0, similarity='path', bin_range='data')


def make_recognizer(**sgs):
    torch.manual_seed(0)
    return MODELS.build(x3d(sgs=dict(PATH, **sgs)))


def make_batches(number=3):
    return [
        dict(
            inputs=[torch.randint(256, (1, 3, 8, 32, 32))] * 2,
            data_samples=[ActionDataSample().set_gt_label(0)] * 2,
        )
        for _ in range(number)
    ]


def test_nothing_but_the_range_of_the_bins_is_learned():
    recognizer = make_recognizer()
    batches = make_batches()
    before = copy.deepcopy(recognizer.state_dict())
    recognizer.train()
    calibrate_bin_range(recognizer, batches)
    assert recognizer.training and recognizer.backbone.sgs.training
    after = recognizer.state_dict()
    changed = {
        name
        for name, value in before.items()
        if not torch.equal(value, after[name])
    }
    assert changed == {
        'backbone.sgs.running_peak',
        'backbone.sgs.num_batches_tracked',
    }
    assert recognizer.backbone.sgs.num_batches_tracked == 3
    # The mean over the batches of the mean path of their clips.
    peaks = []
    recognizer.eval()
    layer = recognizer.backbone.sgs
    layer.register_forward_hook(
        lambda module, args, out: peaks.append(
            (module.magnitude * module.running_peak).amax(dim=1).mean()
        )
    )
    for batch in batches:
        recognizer.test_step(batch)
    torch.testing.assert_close(layer.running_peak, torch.stack(peaks).mean())
    assert layer.running_peak > 0


def test_modules_return_to_their_own_modes():
    recognizer = make_recognizer().train()
    recognizer.backbone.layer1.eval()
    before = {name: x.training for name, x in recognizer.named_modules()}
    assert len(set(before.values())) == 2
    calibrate_bin_range(recognizer, make_batches(1))
    after = {name: x.training for name, x in recognizer.named_modules()}
    assert after == before


@pytest.mark.parametrize('bin_range', ['clip', 'data'])
def test_batch_that_is_not_finite_is_named_and_spares_the_range(bin_range):
    recognizer = make_recognizer(bin_range=bin_range)
    batches = make_batches()
    calibrate_bin_range(recognizer, batches)
    before = copy.deepcopy(recognizer.state_dict())
    spoilt = batches[2]['inputs'][1].float()
    spoilt[0, 0, 3, 2, 2] = float('nan')
    batches[2]['inputs'] = [spoilt.nan_to_num(), spoilt]
    for recognizer.backbone.execution in ('packed', 'sequential'):
        with pytest.raises(
            ValueError, match='magnitudes at backbone.sgs of batch 2'
        ):
            calibrate_bin_range(recognizer, batches)
        for name, value in recognizer.state_dict().items():
            assert torch.equal(value, before[name]), name
    assert not recognizer.backbone.sgs._forward_hooks


def test_an_interrupt_spares_the_range():
    def stopped():
        yield from make_batches(1)
        raise KeyboardInterrupt

    recognizer = make_recognizer(bin_range='data')
    with pytest.raises(KeyboardInterrupt):
        calibrate_bin_range(recognizer, stopped())
    assert recognizer.backbone.sgs.running_peak == 0


def test_there_has_to_be_a_batch():
    with pytest.raises(ValueError, match='no batch of clips.* drop_last=True'):
        calibrate_bin_range(make_recognizer(), iter([]))


@pytest.mark.parametrize('preset', ['path', 'learned'])
def test_nothing_is_written_without_a_batch(write_trained, tmp_path, preset):
    _, plain = write_trained(CONFIGS / f'{NAME}_1xb12-16x2x1-{PLAIN}')
    config, _ = write_trained(CONFIGS / f'{NAME}-atfr-path_1xb12-16x2x1-{OWN}')
    cfg = load_config(config)
    cfg.experiment_name = tmp_path.name
    cfg.model.backbone.sgs = dict(preset=preset, stage=0, num_bins=4)
    cfg.train_dataloader.batch_size = 1000  # of 24 videos, with drop_last
    out = tmp_path / 'out/inserted.pth'
    with pytest.raises(ValueError, match='drop_last=True has fewer videos'):
        write_inserted(cfg, plain, out)
    assert not out.exists()
