"""Rows trained, tested and timed on a few clips."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mmaction.registry import DATASETS
from script_runs import loading_here

from mmatfr.datasets.tempo import Tempo, VideoFormat
from mmatfr.experiments.tempo import TempoComparison
from mmatfr.experiments.tempo_rows import ROWS
from mmatfr.integrity import sha256_of

SIZE = Tempo(12, 2, 4)


@pytest.fixture(scope='module', autouse=True)
def one_process():
    with loading_here():
        yield


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Folder of the data set; the first comparison writes to it."""
    return str(tmp_path_factory.mktemp('data') / 'tempo')


@pytest.fixture(scope='module')
def compare(data, tmp_path_factory):
    """Makes a comparison with trainings in a folder of the module."""
    folder = tmp_path_factory.mktemp('work')

    def make(folder=folder, **options):
        return TempoComparison(
            data=data, size=SIZE, work_dir=str(folder), epochs=1, **options
        )

    return make


@pytest.fixture(scope='module')
def path_is_trained(compare):
    """A comparison that has trained the path."""
    comparison = compare()
    with counted(comparison) as trained:
        comparison.run(['path'], [0], rounds=1)
    # The common base, and the row.
    assert len(trained) == 2
    return comparison


class counted:  # noqa: N801
    """Lists the checkpoints of the trainings of a block."""

    def __init__(self, comparison):
        self.folder = Path(comparison.work_dir)
        self.new = []

    def find(self):
        paths = self.folder.rglob('epoch_*.pth')
        return {(path, path.stat().st_mtime_ns) for path in paths}

    def __enter__(self):
        self.before = self.find()
        return self.new

    def __exit__(self, *_):
        new = sorted(self.find() - self.before)
        self.new += [path.relative_to(self.folder) for path, _ in new]


def test_what_is_done_is_not_done_again(path_is_trained):
    rows = (
        'path',
        'full',
        'pool2',
        'path_bins4',
        'base',
        'inserted_path_bins8',
    )
    with counted(path_is_trained) as trained:
        results = path_is_trained.run(rows, [0], rounds=1)
    assert [path.parts[2] for path in trained] == ['full', 'pool2']
    assert list(results) == list(rows)
    runs = {name: runs[0] for name, runs in results.items()}
    assert runs['pool2']['cost/length_mean'] == 8
    assert runs['pool2']['cost/length_std'] == 0
    assert runs['path_bins4']['cost/length_max'] <= 4
    assert runs['path']['cost/length_max'] > 4
    assert runs['full']['cost/length_min'] == 16
    for name, run in runs.items():
        assert run['seconds'] > 0
        gflops = run['cost/gflops_per_clip']
        of = runs['full']['cost/gflops_per_clip']
        assert gflops == of if name == 'base' else gflops <= of


def test_rows_can_be_trained_for_another_time(compare, path_is_trained):
    comparison = compare(finetune_epochs=2)
    with counted(comparison) as trained:
        weights = comparison.weights('path', 0)
    # The common base exists and does not change.
    assert {path.parts[2] for path in trained} == {'path_2e'}
    assert weights.endswith('resnet3d/path_2e/s0/epoch_2.pth')


class WithMoreEpochs(TempoComparison):
    """As if the schedule of the configs had changed."""

    def config(self, name, seed):
        cfg = super().config(name, seed)
        cfg.train_cfg.max_epochs = 2
        return cfg


class WithAnotherRate(TempoComparison):
    rows = {'path': replace(ROWS['path'], lr_factor=0.5)}


@pytest.mark.parametrize(
    'changed, message',
    [
        (WithMoreEpochs, 'train_cfg.max_epochs=1 instead of 2; remove this'),
        (WithAnotherRate, r'param_scheduler.0.eta_max=\S+ instead of'),
    ],
)
def test_a_training_with_another_recipe_is_not_continued(
    path_is_trained, changed, message
):
    comparison = changed(**vars(path_is_trained))
    # Neither its weights nor metrics that were measured before are used.
    for use in comparison.weights, comparison.metrics:
        with counted(comparison) as trained:
            with pytest.raises(ValueError) as refused:
                use('path', 0)
        assert not trained
        said = str(refused.value)
        place = "resnet3d/path/s0' has a training with"
        assert re.search(f'{place} {message}', said)


@pytest.mark.parametrize('name', ['path_bins4', 'inserted_path'])
def test_a_training_on_other_data_is_not_used(path_is_trained, name):
    comparison = replace(path_is_trained, size=replace(SIZE, train=24))
    for use in comparison.weights, comparison.metrics:
        with counted(comparison) as trained:
            with pytest.raises(ValueError, match='data.train=12 instead of'):
                use(name, 0)
        assert not trained


class WithTwoBins(TempoComparison):
    rows = {
        **ROWS,
        'path_bins4': replace(ROWS['path_bins4'], sgs=dict(num_bins=2)),
    }


def change_weights(checkpoint):
    content = torch.load(checkpoint)
    content['state_dict']['backbone.conv1.conv.weight'].zero_()
    torch.save(content, checkpoint)


def test_what_has_changed_is_tested_again(path_is_trained, tmp_path):
    folder = shutil.copytree(path_is_trained.work_dir, tmp_path / 'work')
    comparison = replace(path_is_trained, work_dir=str(folder))
    with counted(comparison) as trained:
        before = comparison.metrics('path_bins4', 0)
        (file,) = comparison.folder('path_bins4', 0).glob('metrics_*.json')
        time = file.stat().st_mtime_ns
        assert comparison.metrics('path_bins4', 0) == before
        assert file.stat().st_mtime_ns == time
        # The row.
        changed = WithTwoBins(**vars(comparison)).metrics('path_bins4', 0)
        assert changed['cost/length_max'] <= 2 < before['cost/length_max']
    assert not trained
    # The weights.
    change_weights(comparison.weights('path', 0))
    changed = comparison.metrics('path_bins4', 0)
    assert changed['cost/length_max'] == 1
    # The weights in which layers are inserted.
    inserted = comparison.weights('inserted_path', 0)
    change_weights(comparison.base_weights(0))
    assert comparison.weights('inserted_path', 0) == inserted
    content = torch.load(inserted)['state_dict']
    assert not content['backbone.conv1.conv.weight'].any()


class InOtherMemoryLayout(TempoComparison):
    """As on a device with another layout."""

    def config(self, name, seed):
        cfg = super().config(name, seed)
        cfg.model.backbone.channels_last = False
        return cfg


def test_a_row_learns_from_the_network_of_another(compare, path_is_trained):
    comparison = compare()
    with counted(comparison) as trained:
        weights = comparison.weights('distilled_path', 0)
    # The full network may be trained already.
    names = {path.parts[2] for path in trained}
    assert {'distilled_path'} <= names <= {'distilled_path', 'full'}
    log = next(Path(weights).parent.glob('*/*.log')).read_text()
    assert 'loss_distill' in log
    (teacher,) = Path(comparison.work_dir).glob('1e/resnet3d/full/s0/*.pth')
    assert str(teacher) in log
    recipe = json.loads((Path(weights).parent / 'recipe.json').read_text())
    assert recipe['distillation']['teacher'] == comparison.recipe('full', 0)
    # A finished network needs its teacher no more.
    shutil.rmtree(teacher.parent)
    with counted(comparison) as trained:
        comparison.weights('distilled_path', 0)
    assert not trained


def test_a_training_moves_to_another_device(path_is_trained):
    comparison = InOtherMemoryLayout(**vars(path_is_trained))
    with counted(comparison) as trained:
        metrics = comparison.metrics('path', 0)
    assert not trained and metrics


def test_several_seeds_and_layers(compare, tmp_path):
    comparison = compare(tmp_path, model='slowfast')
    with counted(comparison) as trained:
        results = comparison.run(['pool2', 'inserted_path'], [0, 1], rounds=1)
    assert len(trained) == 2 * 2
    for name, (first, second) in results.items():
        assert first['seconds'] != second['seconds'], name
    (pool, _) = results['pool2']
    for path in ('slow', 'fast'):
        key = f'cost/backbone.{path}_path.sgs/temporal_resolution'
        assert pool[key] == 0.5


def test_rows_from_scratch_need_no_network_to_start_from(compare, tmp_path):
    comparison = compare(tmp_path)
    comparison.prepare_data()
    with counted(comparison) as trained:
        comparison.weights('scratch_path', 0)
    assert len(trained) == 1


def test_another_world_trains_on_from_the_still_one(compare, path_is_trained):
    comparison = compare(world='wild')
    comparison.prepare_data()
    with counted(comparison) as trained:
        comparison.metrics('inserted_pool2', 0)
    (checkpoint,) = trained
    assert checkpoint.parts[:2] == ('1e', 'wild')
    folder = Path(path_is_trained.work_dir)
    (still,) = folder.glob('1e/resnet3d-*_tempo-small-rgb/s0/epoch_1.pth')
    log = next((folder / checkpoint).parent.glob('*/*.log')).read_text()
    assert f'Load checkpoint from {still}' in log
    # It is another data set with separate trainings.
    parameters = json.loads(
        Path(comparison.data_root, 'tempo.json').read_text()
    )
    assert parameters['world'] == 'wild'
    assert (folder / '1e/wild/resnet3d/inserted_pool2/s0').is_dir()


def test_videos_decoded_once_give_the_same_weights(
    compare, path_is_trained, tmp_path
):
    once = compare(tmp_path, decode_once=True)
    expected = path_is_trained.base_weights(0)
    weights = torch.load(once.base_weights(0), weights_only=False)
    for name, value in torch.load(expected, weights_only=False)[
        'state_dict'
    ].items():
        assert torch.equal(weights['state_dict'][name], value), name
    assert [*Path(once.data_root, 'decoded').glob('*.npy')]
    # Not a reason to train again.
    with counted(once) as trained:
        compare(tmp_path).base_weights(0)
    assert not trained


def test_bases_start_from_a_checkpoint(compare, path_is_trained, tmp_path):
    checkpoint = path_is_trained.weights('path', 0)
    comparison = compare(tmp_path, world='wild', start=checkpoint)
    with counted(comparison) as trained:
        comparison.run(['base'], [0], rounds=1)
    # No base of the still world.
    (trained,) = trained
    folder, world = trained.parts[1:3]
    assert world == 'wild'
    assert folder == f'start_{sha256_of(checkpoint)[:8]}'
    assert comparison.report_suffix.endswith(folder)
    log = next((tmp_path / trained).parent.glob('*/*.log')).read_text()
    assert f'Load checkpoint from {checkpoint}' in log


def test_a_checkpoint_of_another_network_is_refused(
    compare, path_is_trained, tmp_path
):
    checkpoint = path_is_trained.base_weights(0)
    comparison = compare(tmp_path, model='x3d', start=checkpoint)
    with pytest.raises(ValueError, match='missing there'):
        comparison.run(['base'], [0])
    assert not [*tmp_path.iterdir()]


def test_recipes_for_one_network_start_from_the_same_weights(
    compare, tmp_path
):
    compare().prepare_data()
    with counted(compare(tmp_path)) as trained:
        first = compare(tmp_path, model='x3d').base_weights(0)
        second = compare(tmp_path, model='x3d-32').base_weights(0)
    assert len(trained) == 1 and first == second


def test_more_frames_of_longer_videos(compare, tmp_path):
    with pytest.raises(ValueError, match='64 frames.*--video-frames 64'):
        compare(tmp_path).run(['inserted_full64'], [0])
    assert not [*tmp_path.iterdir()]
    comparison = compare(tmp_path, video_frames=64)
    results = comparison.run(['inserted_full64'], [0], rounds=1)
    (run,) = results['inserted_full64']
    assert run['cost/length_mean'] == 64
    assert comparison.suffix == '-64frames'
    assert Path(f'{comparison.data}-64frames/tempo.json').is_file()


@pytest.mark.parametrize('split', ['train', 'test'])
def test_clips_of_larger_and_longer_videos(split, tmp_path):
    size = Tempo(1, 1, 1, VideoFormat(80, 80, 48))
    comparison = TempoComparison(data=str(tmp_path / 'tempo'), size=size)
    comparison.prepare_data()
    for name in ('full', 'path'):
        cfg = comparison.config(name, 0)[f'{split}_dataloader'].dataset
        clip = DATASETS.build(cfg)[0]
        assert clip['inputs'].shape == (1, 3, 16, 70, 70)
        sample = cfg.pipeline[1]
        assert sample.clip_len * sample.frame_interval == 48


def test_more_test_videos(compare, path_is_trained):
    comparison = compare(test_videos=5)
    comparison.prepare_data()
    with counted(comparison) as trained:
        comparison.metrics('path', 0)
    assert not trained
    lines = Path(comparison.test_root, 'test.txt').read_text().splitlines()
    assert len(lines) == 5
    folder = Path(comparison.work_dir, '1e/resnet3d/path/s0')
    assert (folder / 'metrics_1e-test5.json').is_file()


@pytest.mark.parametrize('test_videos', [None, 5])
def test_videos_of_another_world(compare, path_is_trained, test_videos):
    comparison = compare(test_world='camera', test_videos=test_videos)
    comparison.prepare_data()
    with counted(comparison) as trained:
        metrics = comparison.metrics('path', 0)
    assert not trained
    parameters = json.loads(
        Path(comparison.test_root, 'tempo.json').read_text()
    )
    assert parameters['world'] == 'camera'
    assert parameters['test'] == (test_videos or SIZE.test)
    assert metrics != path_is_trained.metrics('path', 0)


def test_more_training_videos(tmp_path):
    def compare(**options):
        return TempoComparison(
            data=str(tmp_path / 'tempo'), world='wild', size=SIZE, **options
        )

    comparison = compare(train_videos=7, test_videos=5)
    comparison.prepare_data()
    assert comparison.data_root.endswith('tempo-wild-train7')
    lines = Path(comparison.data_root, 'train.txt').read_text().splitlines()
    assert len(lines) == 7
    assert Path(comparison.still.data_root, 'train.txt').is_file()
    # The same test videos, but separate trainings.
    assert comparison.test_root == compare(test_videos=5).test_root
    assert comparison.root == compare().root / 'train7'


def test_reports_of_other_trainings_and_tests_have_other_names():
    names = [
        TempoComparison(**options).report_suffix
        for options in (
            dict(),
            dict(world='wild', video_frames=64, train_videos=7),
            dict(test_world='wild'),
            dict(test_world='wild', test_videos=5),
            dict(test_videos=5, epochs=1),
            dict(finetune_epochs=1),
        )
    ]
    assert names == [
        '',
        '_wild_64frames_train7',
        '_on_wild',
        '_on_wild_test5',
        '_test5_1e',
        '_finetune1e',
    ]
