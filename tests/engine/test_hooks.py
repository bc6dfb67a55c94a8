"""The hooks, inside mmengine's runner."""

import json
import pickle
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, HOOKS
from mmengine.dataset import pseudo_collate
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from mmatfr.apis import first_view
from mmatfr.cost import CostModel
from mmatfr.engine.hooks import (
    GroupsVisualizationHook,
    groups_visualization_hook,
)
from mmatfr.sgs import equal_groups
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

    @pytest.mark.parametrize(
        'wrap',
        [
            lambda data: dict(type='RepeatDataset', times=2, dataset=data),
            lambda data: dict(type='ConcatDataset', datasets=[data, data]),
        ],
    )
    @pytest.mark.parametrize(
        'line,kind,options',
        [
            ('b.mp4 {}', 'VideoDataset', {}),
            ('b 9 {}', 'RawframeDataset', {}),
            (
                'b.mp4 2 {}',
                'CheckedVideoDataset',
                dict(multi_class=True, num_classes=4),
            ),
            (None, 'PoseDataset', {}),
        ],
    )
    def test_looks_into_every_kind_of_data_set(
        self, tmp_path, wrap, line, kind, options
    ):
        hook = HOOKS.build(dict(type='NumClassesCheckHook'))
        for label, message in ((3, None), (7, "b.*' has label 7 in .*list")):
            path = tmp_path / ('list.pkl' if line is None else 'list.txt')
            if line is None:
                content = [dict(frame_dir='b', label=label)]
                path.write_bytes(pickle.dumps(content))
            else:
                path.write_text(line.format(label))
            data = dict(type=kind, ann_file=str(path), pipeline=[], **options)
            runner = SimpleNamespace(
                model=SimpleNamespace(cls_head=SimpleNamespace(num_classes=4)),
                train_dataloader=SimpleNamespace(
                    dataset=DATASETS.build(wrap(data))
                ),
            )
            if message is None:
                hook.before_train(runner)
                continue
            with pytest.raises(ValueError, match=message):
                hook.before_train(runner)
        if options:
            path.write_text(line.format(1))
            runner.train_dataloader.dataset = DATASETS.build(data)
            hook.before_train(runner)
            runner.model.cls_head.num_classes = 5
            with pytest.raises(ValueError, match='num_classes=4.*=5; set'):
                hook.before_train(runner)

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
            match=r'cls_head.fc2.weight is \(20, 2048\) there and '
            r'\(12, 2048\) here.*num_classes',
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


class TestRandomBinsHook:
    @staticmethod
    def seen_by(runner):
        """Number of bins of every batch, by whether it trains."""
        layer, seen = runner.model.backbone.sgs, {True: [], False: []}
        layer.register_forward_hook(
            lambda layer, args, out: seen[layer.training].append(
                layer.binning.num_bins
            )
        )
        return seen

    def test_draws_in_training_alone(self, build_runner):
        options = dict(
            sgs=dict(stage=0, num_bins=20),
            metrics=['AccMetric'],
            hooks=[dict(type='RandomBinsHook', low=0.3, high=2.0)],
        )
        cfg = dict(max_epochs=4, val_begin=1, val_interval=2)
        runner = build_runner(train_cfg=cfg, **options)
        seen = self.seen_by(runner)
        runner.train()
        assert len(seen[True]) == 12
        assert len(set(seen[True])) > 6
        assert all(6 <= num_bins <= 40 for num_bins in seen[True])
        assert min(seen[True]) < 20 < max(seen[True])
        assert seen[False] == 2 * 2 * [20]
        runner.test()
        assert seen[False] == 3 * 2 * [20]
        # Two epochs, and then two more, have the numbers of four.
        work_dir = runner.work_dir
        again = build_runner(
            train_cfg=cfg,
            resume=True,
            load_from=f'{work_dir}/epoch_2.pth',
            **options,
        )
        resumed = self.seen_by(again)
        again.train()
        assert again.iter == 12
        assert resumed[True] == seen[True][6:]

    def test_validation_alone_changes_nothing(self, build_runner):
        runner = build_runner(
            sgs=dict(stage=0, num_bins=5),
            metrics=['AccMetric'],
            hooks=['RandomBinsHook'],
        )
        seen = self.seen_by(runner)
        runner.val()
        assert set(seen[False]) == {5}

    @pytest.mark.parametrize(
        'sgs,hook,match',
        [
            (None, dict(), 'no layer that samples'),
            (dict(stage=0), dict(), 'backbone.sgs has none; set num_bins'),
            (None, dict(low=0), 'low=0 and high=1.5 must be'),
            (None, dict(low=2, high=1), 'low=2 and high=1 must be'),
        ],
    )
    def test_bad_options_are_named(self, build_runner, sgs, hook, match):
        with pytest.raises(ValueError, match=match):
            build_runner(
                sgs=sgs,
                metrics=['AccMetric'],
                hooks=[dict(type='RandomBinsHook', **hook)],
            ).train()


class TestFitSimilarityHook:
    SGS = dict(
        stage=0,
        num_bins=4,
        similarity='learned_path',
        embedding='identity',
        grid=2,
        magnitude_grad=False,
    )

    def test_fits_heads_before_training_and_not_when_resumed(
        self, build_runner
    ):
        def watch(runner):
            layer = runner.model.backbone.sgs
            heads = []
            layer.register_forward_hook(
                lambda layer, args, out: (
                    heads.append(layer.similarity.fc.weight.clone())
                    if layer.training
                    else None
                )
            )
            return heads

        options = dict(
            sgs=self.SGS,
            metrics=['AccMetric'],
            hooks=[dict(type='FitSimilarityHook', num_batches=2, epochs=2)],
        )
        runner = build_runner(**options)
        first = runner.model.backbone.sgs.similarity.fc.weight.clone()
        heads = watch(runner)
        runner.train()
        # Fitted before the first iteration, and left alone from then on.
        assert len(heads) == 3 and not torch.equal(heads[0], first)
        assert all(torch.equal(head, heads[0]) for head in heads)
        again = build_runner(
            train_cfg=dict(max_epochs=2),
            resume=True,
            load_from=f'{runner.work_dir}/epoch_1.pth',
            **options,
        )
        resumed = watch(again)
        again.train()
        assert len(resumed) == 3
        assert all(torch.equal(head, heads[0]) for head in resumed)

    @pytest.mark.parametrize(
        'sgs,hook,match',
        [
            (dict(stage=0), dict(), "similarity='learned_path' in its sgs"),
            (None, dict(num_batches=0), 'num_batches=0 must be positive'),
            (None, dict(epochs=-1), 'epochs=-1 must be positive'),
        ],
    )
    def test_bad_options_are_named(self, build_runner, sgs, hook, match):
        with pytest.raises(ValueError, match=match):
            build_runner(
                sgs=sgs,
                metrics=['AccMetric'],
                hooks=[dict(type='FitSimilarityHook', **hook)],
            ).train()


class TestGroupsVisualizationHook:
    @pytest.mark.parametrize('most', [None, 3])
    def test_draws_the_groups_of_the_view_that_it_shows(
        self, build_runner, monkeypatch, most
    ):
        """Also if the last forward processed only the last view."""
        runner = build_runner(sgs=dict(stage=1), num_clips=4)
        model = runner.model.eval()
        model.test_cfg = dict(max_testing_views=most) if most else None
        # Each view has another number of groups than the next.
        numbers = cycle(range(1, 8))
        model.backbone.sgs.binning = lambda magnitude: equal_groups(
            magnitude, [next(numbers) for _ in magnitude]
        )
        hook = GroupsVisualizationHook(num_videos=2)
        drawn, lengths = [], []
        monkeypatch.setattr(
            groups_visualization_hook,
            'draw_groups',
            lambda clips: drawn.extend(clips) or draw_groups(clips),
        )
        model.backbone.sgs.register_forward_hook(
            lambda layer, args, out: lengths.extend(layer.groups.lengths)
        )
        dataset = runner.val_dataloader.dataset
        hook.before_val_epoch(runner)
        for i in range(3):
            batch = pseudo_collate([dataset[i]])
            hook.before_val_iter(runner, i, batch)
            outputs = model.val_step(batch)
            hook.after_val_iter(runner, i, batch, outputs)
        assert len(drawn) == 2 and len(lengths) == 3 * 4
        assert [clip.length for clip in drawn] == [
            int(lengths[0]),
            int(lengths[4]),
        ]
        for clip, i in zip(drawn, range(2), strict=True):
            view = dataset[i]['inputs'][0].permute(1, 2, 3, 0)
            assert (clip.pictures == view.numpy()).all()
