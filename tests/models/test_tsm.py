"""TSM, and the logits of a clip in a batch."""

import pytest
import torch
from mmaction.registry import MODELS
from tiny_backbones import BASES, build, clips, randomize
from torch import nn

from mmatfr.ragged import Clips, Layout, start_run


class TestTSM:
    def test_temporal_pool_is_refused_by_name(self):
        with pytest.raises(ValueError, match='temporal_pool=True'):
            build('tsm', sgs=dict(), temporal_pool=True)
        build('tsm', sgs=None, temporal_pool=True)

    def test_number_of_frames_has_to_fit(self):
        with pytest.raises(ValueError, match='num_segments=12.*13 frames'):
            build('tsm', sgs=dict())(torch.rand(13, 3, 32, 32))

    def test_shift_stays_within_the_groups_of_a_clip(self):
        """Compared with mmaction2's shift on whole clips."""
        backbone = build('tsm', sgs=dict(stage=1)).eval()
        shift = backbone.layer2[0].conv1.conv
        shift.net = nn.Identity()
        route = backbone.pathways[''].route
        x = torch.rand(3 + 5, 64, 4, 4)
        with start_run(route):
            route.begin(Clips(Layout([3, 5]), route.start))
            out = shift(x)
        expected = [
            shift.shift(clip, len(clip), shift.shift_div)
            for clip in x.split([3, 5])
        ]
        assert out.equal(torch.cat(expected))


@pytest.mark.parametrize('execution', ['packed', 'sequential'])
@pytest.mark.parametrize(
    'base,head,in_channels', [('x3d', 'X3DHead', 144), ('r18', 'I3DHead', 64)]
)
def test_logits_of_a_clip_in_a_batch_of_eight(
    base, head, in_channels, execution
):
    torch.manual_seed(0)
    backbone = {**BASES[base], 'type': 'ATFR' + BASES[base]['type']}
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(**backbone, sgs=dict(stage=1), execution=execution),
            cls_head=dict(type=head, in_channels=in_channels, num_classes=12),
        )
    )
    randomize(model)
    model.eval()
    views = clips()[:, None]
    with torch.no_grad():
        together = model(views, mode='tensor', stage='head')
        assert len(set(model.backbone.lengths.tolist())) > 1
        alone = torch.cat(
            [model(view[None], mode='tensor', stage='head') for view in views]
        )
    assert (together - alone).norm() < 1e-5 * alone.norm()
