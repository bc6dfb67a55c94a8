"""Numbers of classes that differ between network and data."""

import pickle
from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import DATASETS, HOOKS

from mmatfr.engine.hooks.num_classes_check_hook import check_labels


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

    def test_video_without_a_label(self, tmp_path):
        """-1 stands for no label; there is no class to add."""
        (tmp_path / 'list.txt').write_text('b.mp4 -1')
        data = dict(
            type='VideoDataset',
            ann_file=str(tmp_path / 'list.txt'),
            pipeline=[],
        )
        dataset = DATASETS.build(data)
        check_labels(dataset, 4)
        with pytest.raises(
            ValueError,
            match='b.mp4.* has label -1 .*allows 0 to 3; training needs a '
            'label for every video: correct it, or remove the video',
        ):
            check_labels(dataset, 4, trains=True)

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
