"""The temporal resolution in the log of a training."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from mmatfr.apis import first_view
from mmatfr.cost import CostModel
from mmatfr.engine import TemporalResolutionHook
from mmatfr.visualization.figures import GroupsRecorder, draw_groups, to_image

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
        for sample, lengths in zip(samples, expected, strict=True):
            assert sample['num_frames'] == 8
            assert sample['gflops'] == [
                cost.gflops(CLIP, length) for length in lengths
            ]

    def test_scores_of_views_are_averaged(self, build_runner, tmp_path):
        runner = build_runner(
            sgs=dict(stage=1),
            num_clips=2,
            hooks=['TemporalResolutionHook'],
            metrics=[dump(tmp_path / 'samples.pkl')],
        )
        head = runner.model.cls_head
        head.average_clips = None
        head.fc2.bias.data[0] = 100.0
        runner.val()
        with open(tmp_path / 'samples.pkl', 'rb') as file:
            samples = pickle.load(file)
        (hook,) = (
            h for h in runner.hooks if isinstance(h, TemporalResolutionHook)
        )
        for sample, video in zip(samples, hook.videos, strict=True):
            assert len(sample['pred_score']) == 2
            assert video['correct'] == (0 in video['labels'])
        # The second view is the surest of some.
        assert any(
            video['correct'] and sample['pred_score'].argmax() > 0
            for sample, video in zip(samples, hook.videos, strict=True)
        )

    @pytest.mark.parametrize(('num_bins', 'warns'), [(1000, True), (2, False)])
    def test_warns_if_nothing_is_saved(self, build_runner, num_bins, warns):
        runner = build_runner(
            sgs=dict(
                preset='path', stage=0, num_bins=num_bins, bin_range='clip'
            ),
            hooks=['TemporalResolutionHook'],
        )
        runner.val()
        (log,) = Path(runner.log_dir).glob('*.log')
        assert ('so nothing is saved: lower' in log.read_text()) == warns

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

    @pytest.mark.parametrize('loop', ['val', 'train'])
    def test_an_interrupted_run_leaves_nothing_behind(
        self, build_runner, loop
    ):
        class Interrupt(Hook):
            priority = 'LOW'
            was = False

            def before_val_iter(self, runner, batch_idx, data_batch=None):
                if not self.was:
                    self.was = True
                    raise KeyboardInterrupt

        runner = build_runner(
            sgs=dict(stage=1),
            hooks=['TemporalResolutionHook', 'GroupsVisualizationHook'],
            metrics=['AdaptiveCostMetric'],
            train_cfg=dict(val_begin=1),
        )
        wanted = runner.val()
        start = copy.deepcopy(runner.model.state_dict())
        runner.register_hook(Interrupt())
        with pytest.raises(KeyboardInterrupt):
            getattr(runner, loop)()
        runner.model.load_state_dict(start)
        assert runner.val() == wanted
        backbone = runner.model.backbone
        for module in (runner.model, backbone, backbone.sgs):
            assert not module._forward_hooks

    def test_logs_the_mean_of_each_training_batch(self, build_runner):
        runner = build_runner(
            sgs=dict(stage=1), hooks=['TemporalResolutionHook']
        )
        seen = []

        def record_resolution(backbone, args, out):
            if backbone.training:
                seen.append(backbone.lengths.float().mean().item() / 8)

        runner.model.backbone.register_forward_hook(record_resolution)
        runner.train()
        log = runner.message_hub.get_scalar('train/temporal_resolution')
        assert len(seen) == 3 and len(set(seen)) > 1
        assert log.data[0].tolist() == pytest.approx(seen)

    def test_forwards_of_other_hooks_do_not_count(self, build_runner):
        runner = build_runner(
            sgs=dict(
                stage=0,
                num_bins=4,
                similarity='learned_path',
                embedding='identity',
                grid=2,
                magnitude_grad=False,
            ),
            hooks=[
                dict(type='FitSimilarityHook', num_batches=1, epochs=1),
                dict(type='TemporalResolutionHook', interval=3),
            ],
        )
        runner.train_loop.val_begin = 2
        runner.train()
        log = runner.message_hub.get_scalar('train/temporal_resolution')
        # Heads are fitted without grouping, to clips of every frame alone.
        assert 0 < log.data[0].max() <= 4 / 8
        (hook,) = (
            x for x in runner.hooks if isinstance(x, TemporalResolutionHook)
        )
        assert len(hook._latest) == 24

    @pytest.mark.parametrize('loop', ['val', 'test'])
    def test_views_of_other_hooks_are_not_those_of_a_video(
        self, build_runner, tmp_path, loop
    ):
        class Look(Hook):
            priority = 'HIGH'

            def look(self, runner, batch_idx, data_batch=None):
                video = data_batch['inputs'][0].float()
                runner.model.extract_feat(video[None])

            before_val_iter = before_test_iter = look

        runner = build_runner(
            sgs=dict(stage=1),
            hooks=['TemporalResolutionHook'],
            metrics=[dump(tmp_path / 'samples.pkl')],
        )
        runner.register_hook(Look())
        getattr(runner, loop)()
        with open(tmp_path / 'samples.pkl', 'rb') as file:
            samples = pickle.load(file)
        dataset = getattr(runner, f'{loop}_dataloader').dataset
        expected = run_alone(runner.model, dataset)
        assert [s['lengths'] for s in samples] == expected

    @pytest.mark.parametrize('loop', ['val', 'test'])
    def test_writes_a_file_by_class(self, build_runner, loop):
        runner = build_runner(
            sgs=dict(stage=1),
            num_clips=2,
            hooks=['TemporalResolutionHook'],
            metrics=['AdaptiveCostMetric'],
        )
        metrics = getattr(runner, loop)()
        name = dict(val='val_0', test='test')[loop]
        path = f'{runner.log_dir}/temporal_resolution_{name}.json'
        with open(path) as file:
            written = json.load(file)
        every = {f'cost/{k}': v for k, v in written['all'].items()}
        assert metrics.items() <= every.items()
        assert 'cost/gflops_per_video_p95' in set(every) - set(metrics)
        means = [row['temporal_resolution'] for row in written['classes']]
        assert means == sorted(means) and len(means) == 12
        assert {row['label'] for row in written['classes']} == {*range(12)}
        assert np.mean(means) == pytest.approx(
            metrics['cost/temporal_resolution']
        )

    def test_reaches_tensorboard(self, build_runner):
        runner = build_runner(
            sgs=dict(stage=1),
            hooks=[
                dict(type='TemporalResolutionHook', interval=2),
                dict(type='GroupsVisualizationHook', num_videos=3),
            ],
            metrics=['AdaptiveCostMetric'],
            visualizer=dict(
                type='ActionVisualizer',
                vis_backends=[
                    dict(type='TensorboardVisBackend'),
                    dict(type='LocalVisBackend'),
                ],
            ),
        )
        runner.train_loop.val_begin = 1
        runner.train()
        runner.test()
        (folder,) = Path(runner.log_dir).glob('vis_data')
        events = EventAccumulator(str(folder), size_guidance={'images': 0})
        events.Reload()
        tags = events.Tags()
        for split, steps in (('train', [2]), ('val', [1]), ('test', [0])):
            image = f'temporal_resolution_{split}'
            assert image in tags['images']
            for step in steps:
                assert (folder / f'vis_image/{image}_{step}.png').is_file()
            for name in ('temporal_resolution', 'gflops_per_clip'):
                data = events.Histograms(f'{split}/{name}_histogram')
                assert [event.step for event in data] == steps
        for number in range(3):
            assert f'groups_{number}' in tags['images']
            assert (folder / f'vis_image/groups_{number}_1.png').is_file()
        assert 'groups_3' not in tags['images']
        # Of 24, 12 and 12 videos; training has seen two batches of eight.
        for split, count in (('train', 16), ('val', 12), ('test', 12)):
            (data,) = events.Histograms(
                f'{split}/temporal_resolution_histogram'
            )
            assert data.histogram_value.num == count
        assert {
            'train/temporal_resolution_p95',
            'train/gflops_per_clip_p5',
            'cost/temporal_resolution_p95',
            'val/temporal_resolution_p50',
            'test/gflops_per_clip_p5',
        } <= set(tags['scalars'])

    def test_figures_are_of_their_videos_and_iterations(self, build_runner):
        runner = build_runner(
            sgs=dict(
                stage=0,
                similarity='path',
                num_bins=6,
                embedding='identity',
                grid=3,
                magnitude_grad=False,
            ),
            num_clips=2,
            hooks=[
                'TemporalResolutionHook',
                dict(type='GroupsVisualizationHook', num_videos=3),
            ],
            metrics=['AdaptiveCostMetric'],
            train_cfg=dict(
                by_epoch=False, max_iters=2, val_begin=2, val_interval=2
            ),
            log_processor=dict(by_epoch=False),
            visualizer=dict(
                type='ActionVisualizer',
                vis_backends=[dict(type='LocalVisBackend')],
            ),
        )
        runner.train()
        folder = Path(runner.log_dir) / 'vis_data/vis_image'
        assert (folder / 'temporal_resolution_val_2.png').is_file()
        (path,) = Path(runner.log_dir).glob('temporal_resolution_val_*.json')
        assert path.name == 'temporal_resolution_val_2.json'
        model, expected = runner.model.eval(), []
        for number in range(3):
            inputs = runner.val_dataloader.dataset[number]['inputs']
            with torch.no_grad():
                batch = model.data_preprocessor(
                    dict(inputs=[inputs[:1]], data_samples=None)
                )
                with GroupsRecorder(model) as recorder:
                    model(batch['inputs'], mode='tensor')
            clips = recorder.groups(0, first_view(model, inputs))
            expected.append(to_image(draw_groups(clips)).astype(float))
        for number in range(3):
            with Image.open(folder / f'groups_{number}_2.png') as image:
                drawn = np.asarray(image).astype(float)
            differences = [
                np.abs(drawn - one).mean() if drawn.shape == one.shape else 255
                for one in expected
            ]
            assert np.argmin(differences) == number
            assert differences[number] < 0.1 < sorted(differences)[1]

    def test_every_validation_of_a_loop_of_iterations_has_its_files(
        self, build_runner
    ):
        runner = build_runner(
            sgs=dict(stage=1),
            hooks=[
                'TemporalResolutionHook',
                dict(type='GroupsVisualizationHook', num_videos=1),
            ],
            metrics=['AdaptiveCostMetric'],
            train_cfg=dict(
                type='IterBasedTrainLoop', max_iters=3, val_interval=2
            ),
            visualizer=dict(
                type='ActionVisualizer',
                vis_backends=[dict(type='LocalVisBackend')],
            ),
        )
        assert runner.log_processor.by_epoch
        runner.train()
        folder = Path(runner.log_dir)
        images = folder / 'vis_data/vis_image'
        for name, files in (
            ('temporal_resolution_val_{}.json', folder),
            ('temporal_resolution_val_{}.png', images),
            ('groups_0_{}.png', images),
        ):
            assert {path.name for path in files.glob(name.format('*'))} == {
                name.format(2),
                name.format(3),
            }

    def test_logs_nothing_without_sampling(self, build_runner):
        runner = build_runner(hooks=['TemporalResolutionHook'])
        runner.train()
        assert 'train/loss' in runner.message_hub.log_scalars
        assert (
            'train/temporal_resolution' not in runner.message_hub.log_scalars
        )

    def test_features_of_videos_without_labels(
        self, build_runner, tempo, tmp_path
    ):
        """As in mmaction2's clip_feature_extraction.py."""
        names = [
            line.split()[0]
            for line in (tempo / 'test.txt').read_text().splitlines()
        ]
        (tmp_path / 'names.txt').write_text('\n'.join(names))
        options = dict(
            sgs=dict(stage=1),
            num_clips=2,
            hooks=[
                'TemporalResolutionHook',
                'NumClassesCheckHook',
                'GroupsVisualizationHook',
            ],
        )
        written = []
        for head in (None, dict(type='FeatureHead', average_clips='score')):
            out = dump(tmp_path / 'out.pkl')
            runner = build_runner(
                head=head,
                ann_file=str(tmp_path / 'names.txt'),
                metrics=[out],
                **options,
            )
            runner.test()
            with open(out['out_file_path'], 'rb') as file:
                outputs = pickle.load(file)
            path = f'{runner.log_dir}/temporal_resolution_test.json'
            written.append(json.loads(Path(path).read_text()))
        assert len(outputs) == 12 and outputs[0].shape == (128,)
        # They are the clips of the same network with a head for classes.
        for one in written:
            assert one['classes'] == [] and one['all']['length_std'] > 0
        for key, value in written[0]['all'].items():
            if 'gflops' in key:
                continue
            assert written[1]['all'][key] == value
        runner = build_runner(
            head=head,
            ann_file=str(tmp_path / 'names.txt'),
            metrics=['AdaptiveCostMetric'],
            **options,
        )
        with pytest.raises(ValueError, match='the head returns features'):
            runner.test()

    @pytest.mark.parametrize(
        'options,match',
        [
            (dict(interval=0), 'interval=0 must be a positive integer'),
            (dict(window=2.5), 'window=2.5 must be a positive integer'),
        ],
    )
    def test_bad_options_are_named(self, options, match):
        with pytest.raises(ValueError, match=match):
            TemporalResolutionHook(**options)
