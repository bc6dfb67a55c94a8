"""Sampling in networks that contain their head, without a recognizer."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn

import mmatfr
from mmatfr.cost import CostModel
from mmatfr.models import atfr
from mmatfr.sgs import sgs_layers
from tests.models.tiny_backbones import assert_all_close, clips, randomize

NUM_FRAMES, SIZE = 12, 32
SHAPE = (NUM_FRAMES, SIZE, SIZE)


class Classifier(nn.Module):
    """A small video classifier of one module."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv3d(3, 8, 3, stride=(1, 2, 2), padding=1)
        self.layer1 = nn.Sequential(
            nn.Conv3d(8, 32, 3, stride=2, padding=1), nn.BatchNorm3d(32)
        )
        self.layer2 = nn.Conv3d(32, 64, 3, padding=1)
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(64, 5)

    def forward(self, x):
        x = self.layer2(self.layer1(self.stem(x)).relu())
        return self.fc(self.avgpool(x).flatten(1))


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(MODELS, '_module_dict', dict(MODELS._module_dict))
    stages = ['stem', 'layer1', 'layer2']
    MODELS.register_module(module=atfr(Classifier, stages, has_head=True))


def make_classifier():
    torch.manual_seed(0)
    model = Classifier()
    randomize(model)
    return model.eval()


def make_video_resnet(name):
    video = pytest.importorskip('torchvision').models.video
    torch.manual_seed(0)
    model = getattr(video, name)(num_classes=5)
    randomize(model)
    return model.eval()


NETWORKS = {
    'own': make_classifier,
    'r3d_18': lambda: make_video_resnet('r3d_18'),
    'mc3_18': lambda: make_video_resnet('mc3_18'),
    'r2plus1d_18': lambda: make_video_resnet('r2plus1d_18'),
}


def uneven_clips():
    """Three clips; the second and third change little by little."""
    videos = clips(3, NUM_FRAMES, SIZE)
    videos[1:] = videos[:1] + 0.1 * videos[1:]
    return videos


@pytest.mark.parametrize('network', NETWORKS)
def test_insert_and_remove(network, registered):
    model = NETWORKS[network]()
    kind, weights = type(model), copy.deepcopy(model.state_dict())
    parameters = list(model.parameters())
    videos = uneven_clips()
    with torch.no_grad():
        before = model(videos)

        # If every frame is a separate group, only rounding changes.
        assert mmatfr.insert(model, num_bins=1000) is model
        after = model(videos)
        (layer,) = sgs_layers(model).values()
        assert (layer.groups.lengths == NUM_FRAMES).all()
        assert_all_close([after], [before])
        mmatfr.remove(model)

        # A clip gives the same result in any batch as alone.
        mmatfr.insert(model, num_bins=4)
        mixed = videos.clone()
        mixed[0, :, 5:] = mixed[0, :, 4:5]
        alone = torch.cat([model(clip[None]) for clip in mixed])
        for model.execution in ('packed', 'sequential'):
            assert_all_close([model(mixed)], [alone])
        assert len(set(model.lengths.tolist())) > 1
        assert torch.equal(copy.deepcopy(model)(mixed), model(mixed))
    added = set(model.state_dict()) - set(weights)
    assert all(name.startswith('sgs.') for name in added)

    mmatfr.remove(model)
    assert type(model) is kind
    assert list(model.state_dict()) == list(weights)
    for now, then in zip(model.parameters(), parameters, strict=True):
        assert now is then
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name])
    with torch.no_grad():
        assert torch.equal(model(videos), before)


def test_budget(registered):
    model = make_classifier()
    full, shape = CostModel(model).gflops((3, *SHAPE)), (3, *SHAPE)
    mmatfr.insert(model, budget=0.7, clip_shape=SHAPE)
    cost = CostModel(model)
    with torch.no_grad():
        model(uneven_clips())
        lengths = model.lengths.tolist()
    assert all(cost.gflops(shape, n) <= 0.7 * full for n in lengths)
    mmatfr.remove(model)

    # Clips alone, or with labels as in a data loader.
    videos = uneven_clips()
    mmatfr.insert(model, budget=0.7, clips=[videos[:2], (videos[1:], 0)])
    assert model.sgs.num_batches_tracked == 2
    with torch.no_grad():
        model(videos)
    spent = [cost.gflops(shape, n) for n in model.lengths.tolist()]
    assert min(spent) < 0.7 * full


@pytest.mark.parametrize(
    'cfg', [dict(lr=1), Config(dict(model=dict(backbone=dict(depth=18))))]
)
def test_a_network_may_have_a_cfg_of_its_own(cfg, registered):
    model = make_classifier()
    model.cfg = cfg
    mmatfr.insert(model, num_bins=4)
    assert str(model.cfg) == str(cfg) and [*sgs_layers(model)] == ['sgs']
    assert mmatfr.remove(model).cfg is cfg


def test_an_interrupted_insertion_changes_nothing(registered):
    def stopped():
        yield uneven_clips()
        raise KeyboardInterrupt

    model = make_classifier()
    with pytest.raises(KeyboardInterrupt):
        mmatfr.insert(model, 0.7, stopped())
    assert type(model) is Classifier and not sgs_layers(model)


def test_every_weight_is_trained_in_a_network_with_its_head(registered):
    model = mmatfr.insert(make_classifier(), num_bins=4).train()
    model(uneven_clips()).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_each_frame_counts_equally_in_readout_of_frames(registered):
    model = mmatfr.insert(make_classifier(), num_bins=4, readout='frames')
    seen = []
    model.avgpool.register_forward_pre_hook(
        lambda module, args: seen.append(args[0].shape)
    )
    with torch.no_grad():
        model(uneven_clips())
    assert seen == [(3, 64, NUM_FRAMES // 2, SIZE // 4, SIZE // 4)]


def test_learned_path_is_fitted_in_a_network_with_its_head(registered):
    model = make_classifier()
    mmatfr.insert(model, 0.8, [uneven_clips()], preset='learned')
    assert model.sgs.similarity.fc.weight.abs().sum() > 0


@pytest.mark.parametrize(
    ('name', 'module', 'message'),
    [
        ('fc', nn.Linear(64, 3), '`fc` .* out_features=5, .* out_features=3,'),
        (
            'fc',
            nn.Sequential(nn.Dropout(), nn.Linear(64, 5)),
            r'`fc` was changed .* from Linear\(.* to Sequential\(\); set',
        ),
        ('fc', None, r'`fc` .* from Linear\(.* to nothing'),
        ('extra', nn.ReLU(), r'`extra` .* from nothing to ReLU\(\)'),
        (
            'scale',
            nn.Parameter(torch.ones(1)),
            r"Classifier .* from parameters {} .*'scale': \(1,\)",
        ),
        (
            'layer1.1',
            nn.SyncBatchNorm(32),
            r'`layer1.1` .* BatchNorm3d\(32, .* SyncBatchNorm\(32, ',
        ),
        (
            'layer2',
            nn.Conv3d(32, 64, 3, padding=(0, 1, 1)),
            r'`layer2` .* padding=\(1, 1, 1\).* padding=\(0, 1, 1\)',
        ),
    ],
)
def test_what_was_changed_since_the_insertion_is_named(
    name, module, message, registered
):
    model = mmatfr.insert(make_classifier(), num_bins=4)
    parent, _, key = name.rpartition('.')
    parent = model.get_submodule(parent)
    before = getattr(parent, key, None)
    setattr(parent, key, module)
    kind, names = type(model), list(model.state_dict())
    with pytest.raises(ValueError, match=message) as error:
        mmatfr.remove(model)
    assert '\n' not in str(error.value)
    assert type(model) is kind and list(model.state_dict()) == names
    # What is set back can be removed.
    delattr(parent, key) if before is None else setattr(parent, key, before)
    assert type(mmatfr.remove(model)) is Classifier


@pytest.mark.parametrize(
    ('make', 'options', 'message'),
    [
        (make_classifier, {}, 'give clips, or clip_shape'),
        (
            make_classifier,
            dict(budget=0.01, clip_shape=SHAPE),
            'is out of reach: .* raise the budget$',
        ),
        (
            make_classifier,
            dict(budget=0.01, clip_shape=SHAPE, stage=1),
            'or sample after an earlier stage$',
        ),
        (make_classifier, dict(num_bins=4, stage=2), 'nothing would be saved'),
        (lambda: nn.Conv3d(3, 8, 3), {}, 'Conv3d has no variant'),
        (
            lambda: MODELS.build(dict(type='X3D', gamma_w=0.34)),
            dict(num_bins=4),
            'X3D is only a backbone; give the recognizer',
        ),
    ],
)
def test_refusals_leave_the_network_as_it_was(
    make, options, message, registered
):
    model = make()
    kind, names = type(model), list(model.state_dict())
    with pytest.raises(ValueError, match=message) as error:
        mmatfr.insert(model, **options)
    assert '\n' not in str(error.value)
    assert type(model) is kind and list(model.state_dict()) == names
