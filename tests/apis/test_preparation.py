"""Layers estimate the range of bins from clips, without training."""

import copy

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from small_recognizers import x3d

from mmatfr.apis import calibrate_bin_range


def test_nothing_but_the_range_of_the_bins_is_learned():
    torch.manual_seed(0)
    sgs = dict(stage=0, similarity='path', bin_range='data')
    recognizer = MODELS.build(x3d(sgs=sgs))
    batches = [
        dict(
            inputs=[torch.randint(256, (1, 3, 8, 32, 32))] * 2,
            data_samples=[ActionDataSample().set_gt_label(0)] * 2,
        )
        for _ in range(3)
    ]
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
