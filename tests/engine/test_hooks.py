"""The hooks, inside mmengine's runner."""

import pickle

import pytest
import torch

from mmatfr.analysis import CostModel

CLIP = (3, 8, 32, 32)


def dump(path):
    return dict(type='DumpResults', out_file_path=str(path))


def run_alone(recognizer, dataset):
    """Lengths of all views of each video, one view at a time."""
    recognizer.eval()
    lengths = []
    for video in dataset:
        clips = recognizer.data_preprocessor(
            dict(
                inputs=[video['inputs']], data_samples=[video['data_samples']]
            )
        )['inputs'][0]
        with torch.no_grad():
            for clip in clips:
                recognizer.backbone(clip[None])
                lengths.append(recognizer.backbone.lengths.item())
    return torch.tensor(lengths).view(len(dataset), -1).tolist()


class TestTemporalResolutionHook:
    @pytest.mark.parametrize('num_clips', [1, 2])
    @pytest.mark.parametrize('loop', ['val', 'test'])
    def test_annotates_every_sample(
        self, build_runner, tmp_path, loop, num_clips
    ):
        runner = build_runner(
            sgs=dict(stage=1),
            num_clips=num_clips,
            hooks=['TemporalResolutionHook'],
            metrics=[dump(tmp_path / 'samples.pkl')],
        )
        getattr(runner, loop)()
        with open(tmp_path / 'samples.pkl', 'rb') as file:
            samples = pickle.load(file)
        dataset = getattr(runner, f'{loop}_dataloader').dataset
        expected = run_alone(runner.model, dataset)
        assert [s['lengths'] for s in samples] == expected
        assert len({n for views in expected for n in views}) > 1
        cost = CostModel(runner.model)
        for sample, lengths in zip(samples, expected):
            assert sample['num_frames'] == 8
            assert sample['gflops'] == [
                cost.gflops(CLIP, length) for length in lengths
            ]

    def test_without_sampling_every_clip_is_whole(
        self, build_runner, tmp_path
    ):
        runner = build_runner(
            num_clips=2,
            hooks=['TemporalResolutionHook'],
            metrics=[dump(tmp_path / 'samples.pkl')],
        )
        runner.val()
        with open(tmp_path / 'samples.pkl', 'rb') as file:
            samples = pickle.load(file)
        cost = CostModel(runner.model).gflops(CLIP, 8)
        assert len(samples) == 12
        for sample in samples:
            assert sample['lengths'] == [8, 8]
            assert sample['gflops'] == [cost, cost]

    def test_leaves_no_hook_on_the_model(self, build_runner):
        runner = build_runner(
            sgs=dict(stage=1),
            hooks=['TemporalResolutionHook'],
            metrics=['AdaptiveCostMetric'],
        )
        first = runner.val()
        assert first == runner.val()
        assert not runner.model._forward_hooks
        assert not runner.model.backbone._forward_hooks

    def test_logs_the_mean_of_each_training_batch(self, build_runner):
        runner = build_runner(
            sgs=dict(stage=1), hooks=['TemporalResolutionHook']
        )
        seen = []

        def see(backbone, args, out):
            if backbone.training:
                seen.append(backbone.lengths.float().mean().item() / 8)

        runner.model.backbone.register_forward_hook(see)
        runner.train()
        log = runner.message_hub.get_scalar('train/temporal_resolution')
        assert len(seen) == 3 and len(set(seen)) > 1
        assert log.data[0].tolist() == pytest.approx(seen)

    def test_logs_nothing_without_sampling(self, build_runner):
        runner = build_runner(hooks=['TemporalResolutionHook'])
        runner.train()
        assert 'train/loss' in runner.message_hub.log_scalars
        assert (
            'train/temporal_resolution' not in runner.message_hub.log_scalars
        )


class TestNumClassesCheckHook:
    @pytest.mark.parametrize('loop', ['train', 'val', 'test'])
    def test_label_without_a_class_stops_before_the_first_iteration(
        self, build_runner, loop
    ):
        runner = build_runner(
            num_classes=3, hooks=['NumClassesCheckHook'], metrics=['AccMetric']
        )
        forwards = []
        runner.model.backbone.register_forward_hook(
            lambda *args: forwards.append(args)
        )
        message = (
            f'{loop}/00003.mp4.* label 3 .*{loop}.txt.*'
            'num_classes=3 allows 0 to 2'
        )
        with pytest.raises(ValueError, match=message):
            getattr(runner, loop)()
        assert not forwards

    def test_last_class_is_allowed(self, build_runner):
        runner = build_runner(hooks=['NumClassesCheckHook'])
        runner.train()
        assert runner.iter == 3

    def test_checkpoint_of_other_classes(self, build_runner, tmp_path):
        other = str(tmp_path / 'other.pth')
        torch.save(build_runner(num_classes=20).model.state_dict(), other)
        runner = build_runner(
            hooks=['NumClassesCheckHook'],
            metrics=['AccMetric'],
            load_from=other,
        )
        with pytest.raises(
            ValueError,
            match=r'cls_head.fc2.weight is \(20, 2048\) in the '
            r'checkpoint and \(12, 2048\) in the model.*num_classes',
        ):
            runner.test()
        # A training may start from it.
        runner = build_runner(
            hooks=['NumClassesCheckHook'],
            metrics=['AccMetric'],
            load_from=other,
        )
        runner.train()
        assert runner.iter == 3
