"""The authors' padding: equal to our results without padding."""

import pytest
import torch

from mmatfr.apis import build_recognizer
from mmatfr.benchmark.padded import make_padded
from mmatfr.sgs import force_lengths

MODEL = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ATFRResNet3d',
        depth=18,
        pretrained=None,
        base_channels=8,
        with_pool2=True,
        sgs=dict(stage=1, similarity='l2'),
    ),
    cls_head=dict(type='I3DHead', in_channels=64, num_classes=5),
)


@pytest.mark.parametrize(
    'length,pre_activation', [(1, False), (2, False), (3, False), (3, True)]
)
def test_clips_of_one_length(length, pre_activation):
    torch.manual_seed(0)
    sgs = dict(MODEL['backbone']['sgs'], pre_activation=pre_activation)
    config = dict(MODEL, backbone=dict(MODEL['backbone'], sgs=sgs))
    model = build_recognizer(config)
    padded = make_padded(model, config)
    clips = torch.rand(2, 1, 3, 16, 32, 32)
    logits = []
    for recognizer in (model, padded):
        with torch.no_grad(), force_lengths(recognizer, [length]):
            logits.append(recognizer(clips, mode='tensor', stage='head'))
    assert logits[1].shape == (2, 5)
    if length > 1:  # a pool over two frames gets a frame of zeros otherwise
        torch.testing.assert_close(*logits)


def test_refuses_what_it_does_not_know():
    model = dict(MODEL, backbone=dict(MODEL['backbone'], sgs=None))
    with pytest.raises(
        ValueError, match='ATFRResNet3d[A-Za-z]* has no padded form'
    ):
        make_padded(build_recognizer(model), model)
