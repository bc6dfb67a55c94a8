"""Functions that take a recognizer, with one on the GPU."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config

import mmatfr
from mmatfr.apis import load_recognizer
from mmatfr.apis.sensitivity import find_gains, fit_similarity
from mmatfr.benchmark.timing import peak_memory
from mmatfr.cost import ClipRecorder, CostModel
from mmatfr.sgs import get_num_bins
from mmatfr.visualization.gradcam import GradCAM
from tests.models.tiny_backbones import BASES
from tests.small_recognizers import x3d

FRAMES, SIZE = 8, 32
TASKS = dict(color=5, digit=3)


def build(model, device='cpu'):
    torch.manual_seed(0)
    recognizer = MODELS.build(copy.deepcopy(model)).eval()
    for module in recognizer.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.3)
    return recognizer.to(device)


def make_batch(number=3, **labels):
    generator = torch.manual_seed(1)
    shape = (number, 1, 3, FRAMES, SIZE, SIZE)
    clips = 255 * torch.rand(shape, generator=generator)
    for place, clip in enumerate(clips):
        clip[:, :, : 2 * place] = clip[:, :, :1]
    return dict(
        inputs=list(clips),
        data_samples=[
            ActionDataSample(metainfo=labels).set_gt_label(0)
            for _ in range(number)
        ],
    )


def score(recognizer, batch):
    with torch.no_grad():
        return recognizer.test_step(copy.deepcopy(batch))


@pytest.mark.parametrize('preset', ['paper', 'path', 'learned'])
def test_insert_and_remove(preset, device):
    model = x3d(num_classes=5)
    model['backbone'] = BASES['r18']
    model['cls_head'].update(type='I3DHead', in_channels=64)
    recognizer = build(model, device)
    batches = [make_batch(), make_batch(2)]
    before = [one.pred_score for one in score(recognizer, batches[0])]
    full = CostModel(recognizer)
    mmatfr.insert(recognizer, 0.7, batches, preset=preset)
    assert all(p.device.type == device for p in recognizer.parameters())
    assert all(b.device.type == device for b in recognizer.buffers())
    (bins,) = get_num_bins(recognizer).values()
    assert bins >= 1
    with ClipRecorder(recognizer) as recorder:
        for batch in batches:
            score(recognizer, batch)
        records = recorder.pop_records()
    assert records.lengths.shape == (5,)
    shape = (3, FRAMES, SIZE, SIZE)
    assert records.gflops.mean() <= 0.7 * full.gflops(shape) * 1.001
    mmatfr.remove(recognizer)
    after = [one.pred_score for one in score(recognizer, batches[0])]
    for ours, own in zip(after, before, strict=True):
        torch.testing.assert_close(ours, own)


def test_heads_are_fitted_to_gains(device):
    model = x3d(
        num_classes=5,
        sgs=dict(stage=0, preset='learned', grid=2, border=0, num_bins=4),
    )
    recognizer = build(model, device)
    batch = make_batch()
    (steps,) = find_gains(recognizer, batch).values()
    assert steps.gain.device.type == steps.features.device.type == device
    (expected,) = find_gains(build(model), batch).values()
    torch.testing.assert_close(
        steps.gain.cpu(), expected.gain, rtol=1e-3, atol=1e-4
    )
    torch.manual_seed(0)
    (explained,) = fit_similarity(recognizer, [batch], epochs=60).values()
    assert 0.3 < explained <= 1


def test_loaded_recognizer_is_there(path_config, device, tmp_path):
    cfg = Config(dict(model=path_config))
    path = str(tmp_path / 'weights.pth')
    own = build(path_config)
    torch.save(dict(state_dict=own.state_dict()), path)
    recognizer = load_recognizer(cfg, path, device)
    assert all(p.device.type == device for p in recognizer.parameters())
    batch = make_batch()
    for there, here in zip(
        score(recognizer, batch), score(own, batch), strict=True
    ):
        torch.testing.assert_close(
            there.pred_score.cpu(), here.pred_score, rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize('readout', ['mean', 'frames'])
def test_grad_cam(readout, path_config, device):
    path_config['backbone']['readout'] = readout
    batch = make_batch(1)
    cams = [
        GradCAM(build(path_config, place), 'backbone/layer4')(
            copy.deepcopy(batch)
        )[0]
        for place in (device, 'cpu')
    ]
    assert cams[0].shape == (1, FRAMES, SIZE, SIZE, 3)
    torch.testing.assert_close(
        cams[0].cpu(), cams[1].cpu(), rtol=0, atol=2 / 255
    )


def test_head_of_several_tasks(path_config, device):
    path_config['backbone']['readout'] = 'frames'
    path_config['cls_head'] = dict(
        type='TemporalAttentionHead',
        in_channels=64,
        num_classes=5,
        tasks=TASKS,
        task='color',
        average_clips='prob',
    )
    recognizer = build(path_config)
    with torch.no_grad():
        data = recognizer.data_preprocessor(make_batch(), False)
        channels = recognizer(**data, mode='tensor', stage='backbone').shape[1]
    path_config['cls_head']['in_channels'] = channels
    recognizer = build(path_config, device)
    labels = dict(task_labels=dict(color=1, digit=2))
    for sample in score(recognizer, make_batch(**labels)):
        assert set(sample.pred_task_labels) == set(TASKS)
    data = recognizer.train().data_preprocessor(make_batch(**labels), True)
    losses = recognizer(**data, mode='loss')
    (losses['loss_color'] + losses['loss_digit']).backward()
    for layer in recognizer.cls_head.fc_cls.values():
        assert layer.weight.grad.abs().max() > 0


def test_peak_memory(device):
    def work():
        x = torch.ones(2**20, device=device)
        y = x + 1
        del x
        return y.sum()

    assert peak_memory(work, device) == pytest.approx(2**23, rel=0.01)
