"""Adds sampling to a built recognizer and removes it, without training."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config

import mmatfr
from mmatfr.apis import build_recognizer
from mmatfr.cost import ClipRecorder, CostModel
from mmatfr.models import SGSNeck, fuse
from mmatfr.sgs import get_num_bins, sgs_layers
from tests.models.tiny_backbones import (
    BASES,
    assert_all_close,
    clips,
    randomize,
)

NUM_FRAMES, SIZE = 12, 32
SHAPE = (NUM_FRAMES, SIZE, SIZE)
PLAIN = (
    'x3d',
    'r18',
    'slowonly',
    'r2plus1d',
    'csn',
    'slowfast',
    'tsm',
    'mobilenet_tsm',
)
BACKBONES = {
    **{name: BASES[name] for name in PLAIN},
    'x3d_rounded': dict(BASES['x3d'], type='X3DRounded'),
    'without_sgs': dict(BASES['r18'], type='ATFRResNet3d', sgs=None),
    'channels_last': dict(
        BASES['x3d'], type='ATFRX3D', sgs=None, channels_last=True
    ),
}
HEADS = dict(
    x3d=('X3DHead', 144),
    x3d_rounded=('X3DHead', 144),
    channels_last=('X3DHead', 144),
    slowfast=('SlowFastHead', 160),
    tsm=('TSMHead', 512),
    mobilenet_tsm=('TSMHead', 1280),
    slowonly=('I3DHead', 256),
    csn=('I3DHead', 256),
)


def make_config(family):
    """The config of a recognizer with its test pipeline."""
    head, channels = HEADS.get(family, ('I3DHead', 64))
    is_2d = head == 'TSMHead'
    head = dict(type=head, in_channels=channels, num_classes=5)
    if is_2d:
        head['num_segments'] = NUM_FRAMES
    layout = 'NCHW' if is_2d else 'NCTHW'
    return Config(
        dict(
            model=dict(
                type='Recognizer2D' if is_2d else 'Recognizer3D',
                backbone=copy.deepcopy(BACKBONES[family]),
                cls_head=dict(head, average_clips='prob'),
                data_preprocessor=dict(
                    type='ActionDataPreprocessor',
                    mean=[0.0] * 3,
                    std=[1.0] * 3,
                    format_shape=layout,
                ),
            ),
            test_dataloader=dict(
                dataset=dict(
                    type='VideoDataset',
                    pipeline=[
                        dict(type='SampleFrames', clip_len=NUM_FRAMES),
                        dict(type='CenterCrop', crop_size=SIZE),
                        dict(type='FormatShape', input_format=layout),
                    ],
                )
            ),
        )
    )


def make_recognizer(family='r18', with_cfg=False):
    cfg = make_config(family)
    torch.manual_seed(0)
    recognizer = build_recognizer(cfg.model)
    randomize(recognizer)
    torch.nn.init.normal_(
        [*recognizer.cls_head.parameters()][-2].data, std=0.3
    )
    if with_cfg:
        recognizer.cfg = cfg
    return recognizer


def make_batches(is_2d=False, num_clips=4):
    """Returns two batches in the format of a data loader of mmaction2."""
    videos = clips(2 * num_clips, NUM_FRAMES, SIZE)
    videos = videos.transpose(1, 2) if is_2d else videos[:, None]
    return [
        dict(
            inputs=list(videos[i::2]),
            data_samples=[
                ActionDataSample().set_gt_label(0) for _ in range(num_clips)
            ],
        )
        for i in range(2)
    ]


def is_2d(recognizer):
    return hasattr(recognizer.backbone, 'num_segments')


def logits(recognizer, videos):
    """Scores of each clip of (N, C, T, H, W)."""
    videos = (
        videos.transpose(1, 2).contiguous()
        if is_2d(recognizer)
        else videos[:, None]
    )
    with torch.no_grad():
        return recognizer(videos, mode='tensor', stage='head')


@pytest.mark.parametrize('family', BACKBONES)
def test_every_family(family):
    recognizer = make_recognizer(family)
    plain, kind = recognizer.backbone, type(recognizer.backbone)
    videos = clips(3, NUM_FRAMES, SIZE)
    videos[1:] = videos[:1] + 0.1 * videos[1:]  # none is still
    before = logits(recognizer, videos)
    weights = copy.deepcopy(recognizer.state_dict())

    # If every frame is a separate group, only rounding changes.
    assert mmatfr.insert(recognizer, num_bins=1000) is recognizer
    assert not recognizer.training
    assert type(recognizer.backbone).__name__.startswith('ATFR')
    after = logits(recognizer, videos)
    for layer in sgs_layers(recognizer).values():
        assert (layer.groups.lengths == layer.groups.index.shape[1]).all()
    assert_all_close([after], [before])
    mmatfr.remove(recognizer)

    # A clip gives the same result in any batch as alone.
    mmatfr.insert(recognizer, num_bins=4)
    alone = torch.cat([logits(recognizer, clip[None]) for clip in videos])
    assert_all_close([logits(recognizer, videos)], [alone])
    added = set(recognizer.state_dict()) - set(weights)
    assert all('.sgs.' in name for name in added)

    # The plain network is unchanged.
    mmatfr.remove(recognizer)
    assert recognizer.backbone is plain and type(plain) is kind
    assert list(recognizer.state_dict()) == list(weights)
    for name, value in recognizer.state_dict().items():
        assert torch.equal(value, weights[name])
    assert torch.equal(logits(recognizer, videos), before)


@pytest.mark.parametrize('family', ['r18', 'slowfast', 'tsm'])
def test_budget_is_met_on_clips(family):
    recognizer = make_recognizer(family)
    cost = CostModel(recognizer)
    batches = make_batches(is_2d(recognizer))
    size = (3, *SHAPE)
    budget = 0.9 if family == 'slowfast' else 0.6
    mmatfr.insert(recognizer, budget=budget, clips=batches)
    with ClipRecorder(recognizer) as recorder, torch.no_grad():
        for batch in batches:
            recognizer.test_step(batch)
        spent = recorder.pop_records().gflops.mean() / cost.gflops(size)
    assert budget - 0.05 < spent <= budget + 1e-6
    for layer in sgs_layers(recognizer).values():
        assert layer.num_batches_tracked == 2 and layer.running_peak > 0


def test_without_clips_none_costs_more():
    recognizer = make_recognizer(with_cfg=True)
    cost = CostModel(recognizer)
    mmatfr.insert(recognizer, budget=0.7)
    with ClipRecorder(recognizer) as recorder:
        logits(recognizer, clips(8, NUM_FRAMES, SIZE))
        spent = recorder.pop_records().gflops / cost.gflops((3, *SHAPE))
    assert 0.6 < spent.max() <= 0.7
    assert spent.min() < spent.max()  # clips that are still for long


@pytest.mark.parametrize('bin_range', ['data', 'clip'])
def test_without_clips_the_budget_is_spent(bin_range):
    recognizer = make_recognizer(with_cfg=True)
    full = CostModel(recognizer).gflops((3, *SHAPE))
    mmatfr.insert(recognizer, num_bins=1, bin_range=bin_range)
    border = 2 * recognizer.backbone.sgs.binning.ends
    cost = CostModel(recognizer)
    for num_bins in (1, 2, 3, 7):
        spent = cost.gflops((3, *SHAPE), num_bins + border)
        mmatfr.insert(
            mmatfr.remove(recognizer), spent / full, bin_range=bin_range
        )
        assert get_num_bins(recognizer) == {'backbone.sgs': num_bins}


def test_config_describes_the_recognizer(tmp_path):
    recognizer = make_recognizer('slowfast', with_cfg=True)
    cfg = recognizer.cfg
    mmatfr.insert(recognizer, budget=0.9, fast_path=dict(grid=4))
    recognizer.cfg.dump(tmp_path / 'config.py')
    described = Config.fromfile(tmp_path / 'config.py')
    assert described.custom_imports.imports == ['mmatfr']
    rebuilt = build_recognizer(described.model)
    rebuilt.load_state_dict(recognizer.state_dict())
    assert get_num_bins(rebuilt) == get_num_bins(recognizer)
    assert rebuilt.backbone.fast_path.sgs.grid == 4
    videos = clips(2, NUM_FRAMES, SIZE)
    assert torch.equal(logits(rebuilt, videos), logits(recognizer, videos))
    assert mmatfr.remove(recognizer).cfg is cfg
    assert cfg.model.backbone.type == 'ResNet3dSlowFast'


@pytest.mark.parametrize('family', ['r18', 'slowfast'])
def test_config_follows_the_numbers_of_bins(family, tmp_path):
    recognizer = make_recognizer(family, with_cfg=True)
    plain = recognizer.cfg
    mmatfr.insert(recognizer, num_bins=4)
    inserted = recognizer.cfg
    before = inserted.pretty_text
    numbers = {name: 2 + i for i, name in enumerate(sgs_layers(recognizer))}
    mmatfr.set_num_bins(recognizer, numbers)
    recognizer.cfg.dump(tmp_path / 'config.py')
    described = Config.fromfile(tmp_path / 'config.py')
    assert get_num_bins(build_recognizer(described.model)) == numbers
    assert inserted.pretty_text == before  # another model may have it
    assert mmatfr.remove(recognizer).cfg is plain


def test_config_with_one_number_for_all_pathways_can_get_two():
    cfg = make_config('slowfast')
    cfg.model.backbone.update(
        type='ATFRResNet3dSlowFast', sgs=dict(stage=1, num_bins=4)
    )
    recognizer = build_recognizer(cfg.model)
    recognizer.cfg = cfg
    numbers = {'backbone.slow_path.sgs': 2, 'backbone.fast_path.sgs': None}
    mmatfr.set_num_bins(recognizer, numbers)
    rebuilt = build_recognizer(recognizer.cfg.model)
    assert get_num_bins(rebuilt) == numbers
    assert cfg.model.backbone.sgs == dict(stage=1, num_bins=4)


@pytest.mark.parametrize('kind', ['SGSNeck', 'mmaction.SGSNeck', SGSNeck])
def test_config_follows_the_number_of_a_neck(kind):
    cfg = make_config('r18')
    cfg.model.neck = dict(type=kind, in_channels=64)
    recognizer = build_recognizer(cfg.model)
    recognizer.cfg = cfg
    mmatfr.set_num_bins(recognizer, 3)
    rebuilt = build_recognizer(recognizer.cfg.model)
    assert get_num_bins(rebuilt) == {'neck.sgs': 3}


@pytest.mark.parametrize(
    'own, described',
    [
        ('my_project', ['my_project', 'mmatfr']),
        (['a', 'mmatfr'], ['a', 'mmatfr']),
        (None, ['mmatfr']),
    ],
)
def test_own_imports_stay_in_the_config(own, described):
    recognizer = make_recognizer(with_cfg=True)
    recognizer.cfg.custom_imports = own and dict(
        imports=own, allow_failed_imports=True
    )
    mmatfr.insert(recognizer, num_bins=4)
    assert recognizer.cfg.custom_imports == dict(
        imports=described, allow_failed_imports=own is not None
    )


@pytest.mark.parametrize('cfg', [dict(lr=1), Config(dict(lr=1)), 'a name'])
def test_a_cfg_of_another_kind_stays(cfg):
    recognizer = make_recognizer()
    recognizer.cfg = cfg
    mmatfr.insert(recognizer, num_bins=4)
    assert recognizer.cfg is cfg
    assert mmatfr.remove(recognizer).cfg is cfg


@pytest.mark.parametrize('preset', ['path', 'learned'])
def test_an_interrupted_insertion_changes_nothing(preset):
    def stopped():
        yield make_batches()[0]
        raise KeyboardInterrupt

    recognizer = make_recognizer(with_cfg=True)
    backbone, cfg = recognizer.backbone, recognizer.cfg
    with pytest.raises(KeyboardInterrupt):
        mmatfr.insert(recognizer, 0.7, stopped(), preset=preset)
    assert recognizer.backbone is backbone and recognizer.cfg is cfg
    assert not sgs_layers(recognizer)


def test_what_is_trained_in_between_stays():
    recognizer = make_recognizer()
    mmatfr.insert(recognizer, num_bins=4).train()
    optimizer = torch.optim.SGD(recognizer.parameters(), lr=0.1)
    videos = clips(2, NUM_FRAMES, SIZE)[:, None]
    recognizer(videos, mode='tensor', stage='head').sum().backward()
    optimizer.step()
    trained = {
        name: value.clone()
        for name, value in recognizer.state_dict().items()
        if '.sgs.' not in name
    }
    # As with load_state_dict(assign=True), or after a move to another device.
    recognizer.backbone.conv1.bn.running_mean = torch.ones(8)
    trained['backbone.conv1.bn.running_mean'] = torch.ones(8)
    mmatfr.remove(recognizer)
    assert recognizer.backbone.training
    for name, value in recognizer.state_dict().items():
        assert torch.equal(value, trained[name]), name


def test_learned_path_is_fitted():
    recognizer = make_recognizer()
    with pytest.raises(ValueError, match='set clips to batches'):
        mmatfr.insert(recognizer, preset='learned', clip_shape=SHAPE)
    mmatfr.insert(recognizer, 0.7, make_batches(), preset='learned')
    head = recognizer.backbone.sgs.similarity
    # Its last layer starts from zero.
    assert head.fc.weight.abs().sum() > 0


def test_learned_path_takes_the_first_batches_once():
    batches = make_batches()
    read = []

    def loader():
        for number in range(5):
            read.append(number)
            yield batches[number % 2]

    recognizer = make_recognizer()
    options = dict(preset='learned', bin_range='data', num_bins=4)
    mmatfr.insert(recognizer, clips=loader(), num_batches=3, **options)
    assert read == [0, 1, 2]
    assert recognizer.backbone.sgs.num_batches_tracked == 3
    assert recognizer.backbone.sgs.similarity.fc.weight.abs().sum() > 0
    # Clips of another length cannot be compared.
    batches[1]['inputs'] = [x[:, :, 2:] for x in batches[1]['inputs']]
    recognizer = mmatfr.remove(recognizer)
    with pytest.raises(ValueError, match='batch 1 have 10 frames'):
        mmatfr.insert(recognizer, clips=batches, **options)
    assert not sgs_layers(recognizer)


def test_contiguous_groups_of_a_path_keep_to_the_budget():
    recognizer = make_recognizer()
    full = CostModel(recognizer).gflops((3, *SHAPE))
    options = dict(similarity='path_squared', contiguous=True)
    mmatfr.insert(recognizer, 0.7, clip_shape=SHAPE, **options)
    with ClipRecorder(recognizer) as recorder:
        logits(recognizer, clips(8, NUM_FRAMES, SIZE))
        assert recorder.pop_records().gflops.max() <= 0.7 * full


def fused():
    cfg = make_config('without_sgs')
    return fuse(build_recognizer(cfg.model))


def temporal_pool():
    cfg = make_config('tsm')
    cfg.model.backbone.temporal_pool = True
    return build_recognizer(cfg.model)


def c3d():
    return MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(type='C3D', pretrained=None, out_dim=512),
            cls_head=dict(type='I3DHead', in_channels=8, num_classes=5),
        )
    )


@pytest.mark.parametrize(
    ('make', 'options', 'message'),
    [
        (make_recognizer, dict(budget=50), 'budget=50 must be a share'),
        (
            make_recognizer,
            dict(budget=0.01, clip_shape=SHAPE),
            'budget=0.01 is out of reach: .* cost is 0.42',
        ),
        (make_recognizer, {}, 'give clips, or clip_shape'),
        (make_recognizer, dict(clips=[]), 'there is no batch of clips'),
        (
            make_recognizer,
            dict(budget='half'),
            "budget='half' must be a share",
        ),
        (make_recognizer, dict(budget=float('nan')), 'budget=nan must be'),
        *(
            (make_recognizer, dict(clip_shape=size), 'three positive integers')
            for size in (13, (13, 160), (0, 32, 32), (12, 32, 32.5), '12x32')
        ),
        (make_recognizer, dict(num_batches=0, clips=[]), 'num_batches=0 must'),
        (
            make_recognizer,
            dict(preset='paper', contiguous=True, clip_shape=SHAPE),
            "contiguous=True at backbone.sgs .* similarity='path'",
        ),
        (make_recognizer, dict(stage=9, num_bins=4), 'sgs.stage=9'),
        (make_recognizer, dict(bins=4, num_bins=4), 'sgs.bins=4 is unknown'),
        (
            make_recognizer,
            dict(lateral_length='slow', num_bins=4),
            'lateral_length',
        ),
        (
            lambda: mmatfr.insert(make_recognizer(), num_bins=4),
            {},
            'already samples in backbone.sgs; mmatfr.remove',
        ),
        (
            lambda: torch.nn.DataParallel(make_recognizer()),
            {},
            'DataParallel is a wrapper; give the model inside',
        ),
        (fused, {}, 'is fused'),
        (temporal_pool, dict(num_bins=4), 'temporal_pool=True'),
        (c3d, {}, 'C3D has no variant with sampling; use .* X3D'),
    ],
)
def test_one_line_says_what_is_wrong(make, options, message):
    recognizer = make()
    backbone = getattr(recognizer, 'backbone', None)
    with pytest.raises(ValueError, match=message) as error:
        mmatfr.insert(recognizer, **options)
    assert '\n' not in str(error.value)
    assert getattr(recognizer, 'backbone', None) is backbone


def test_what_was_not_inserted_is_not_removed():
    with pytest.raises(ValueError, match='was not given sampling'):
        mmatfr.remove(make_recognizer())
    recognizer = mmatfr.insert(make_recognizer(), num_bins=4)
    with pytest.raises(ValueError, match='is fused'):
        mmatfr.remove(fuse(recognizer))
