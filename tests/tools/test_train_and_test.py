"""Training, resuming and testing through mmaction2's own scripts."""

import signal
import subprocess
import sys
import time

import pytest
import torch
from script_runs import ROOT, assert_one_line, run_script

from mmatfr.datasets.tempo import Tempo, write_tempo

CONFIG = 'configs/recognition/resnet3d/*-mini-dense-atfr-path_*small-rgb.py'
EPOCHS = 3


@pytest.fixture(scope='module')
def tempo(tmp_path_factory):
    out = tmp_path_factory.mktemp('data') / 'tempo'
    for _ in write_tempo(out, Tempo(24, 12, 12)):
        pass
    return out


def options(tempo, **more):
    (config,) = ROOT.glob(CONFIG)
    given = {
        'load_from': None,
        'train_cfg.max_epochs': EPOCHS,
        'train_cfg.val_interval': EPOCHS,
        'default_hooks.checkpoint.max_keep_ckpts': -1,
        'default_hooks.logger.interval': 1,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.batch_size': 4,
        **{
            f'{split}_dataloader.dataset.{name}': value
            for split in ('train', 'val', 'test')
            for name, value in (
                ('data_root', tempo),
                ('metainfo.classes', tempo / 'classes.txt'),
            )
        },
        **more,
    }
    return [str(config)], [
        '--cfg-options',
        *(f'{name}={value}' for name, value in given.items()),
    ]


def run(script, positional, *rest, **environment):
    return run_script(f'tools/{script}', *positional, *rest, **environment)


def command(script, positional, *rest):
    """Arguments of a new process."""
    return [sys.executable, str(ROOT / 'tools' / script), *positional, *rest]


def run_apart(*args):
    """Runs a script in a new process."""
    return subprocess.run(
        command(*args), capture_output=True, text=True, cwd=ROOT
    )


@pytest.fixture(scope='module')
def killed_and_resumed(tempo, tmp_path_factory):
    """Work directory of a training that was killed after an epoch."""
    work_dir = tmp_path_factory.mktemp('work_dir')
    config, rest = options(tempo)
    rest = ['--work-dir', str(work_dir), *rest]
    with (
        open(work_dir / 'out', 'w') as out,
        subprocess.Popen(
            command('train.py', config, *rest),
            stdout=out,
            stderr=out,
            cwd=ROOT,
        ) as process,
    ):
        while (
            process.poll() is None
            and not (work_dir / 'last_checkpoint').is_file()
        ):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (work_dir / f'epoch_{EPOCHS}.pth').exists(), (
        work_dir / 'out'
    ).read_text()[-3000:]
    done = run('train.py', config, '--resume', *rest)
    assert done.returncode == 0, done.stderr[-3000:]
    return work_dir, done.stdout


def test_resumes_to_the_same_epoch_count(killed_and_resumed):
    work_dir, log = killed_and_resumed
    meta = torch.load(work_dir / f'epoch_{EPOCHS}.pth')['meta']
    assert meta['epoch'] == EPOCHS and meta['iter'] == 6 * EPOCHS
    assert 'resumed epoch: 1' in log or 'resumed epoch: 2' in log
    assert 'Epoch(train) [1]' not in log
    assert 'temporal_resolution' in log and 'cost/gflops_per_clip' in log
    assert 'translate_right' in meta['dataset_meta']['classes']


def test_tests_the_checkpoint_that_training_wrote(killed_and_resumed, tempo):
    work_dir, log = killed_and_resumed
    config, rest = options(tempo)
    done = run_apart(
        'test.py',
        [*config, str(work_dir / f'epoch_{EPOCHS}.pth')],
        '--work-dir',
        str(work_dir / 'test'),
        *rest,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for metric in ('acc/top1', 'cost/length_mean', 'cost/gflops_per_clip'):
        assert metric in done.stdout


def test_checkpoint_of_other_classes_is_not_tested(killed_and_resumed, tempo):
    work_dir, _ = killed_and_resumed
    config, rest = options(tempo, **{'model.cls_head.num_classes': 15})
    done = run(
        'test.py',
        [*config, str(work_dir / f'epoch_{EPOCHS}.pth')],
        '--work-dir',
        str(work_dir / 'test'),
        *rest,
    )
    assert_one_line(done, 'cls_head.fc_cls.weight is (12, 128)', 'num_classes')


@pytest.mark.parametrize(
    'name,value,words',
    [
        ('model.backbone.sgs.stage', 9, ('sgs.stage=9', '0 (stem) to 4')),
        (
            'model.backbone.sgs.kernel',
            'foo',
            ("kernel='foo'", "'delta', 'linear'"),
        ),
        (
            'model.backbone.readout',
            'foo',
            ("readout='foo'", "'mean', 'frames'"),
        ),
        (
            'model.backbone.type',
            'ATFRFoo',
            ('ATFRFoo is not in the', 'registry'),
        ),
        ('model.cls_head.num_classes', 3, ('num_classes=3', 'label 3')),
        (
            'train_dataloader.dataset.ann_file',
            'gone.txt',
            ('gone.txt', 'does not exist'),
        ),
        (
            'train_dataloader.dataset.ann_file',
            'empty.txt',
            ('empty.txt', 'no video'),
        ),
    ],
)
def test_bad_input_is_one_line(tempo, tmp_path, name, value, words):
    (tempo / 'empty.txt').touch()
    config, rest = options(tempo, **{name: value})
    done = run('train.py', config, '--work-dir', str(tmp_path), *rest)
    assert_one_line(done, *words)


@pytest.mark.parametrize(
    'content', [b'', b'no checkpoint', b'PK\3\4' + bytes(99)]
)
def test_damaged_checkpoint_is_one_line(tempo, tmp_path, content):
    (tmp_path / 'damaged.pth').write_bytes(content)
    config, rest = options(tempo)
    done = run(
        'test.py',
        [*config, str(tmp_path / 'damaged.pth')],
        '--work-dir',
        str(tmp_path),
        *rest,
    )
    assert_one_line(done, 'the checkpoint cannot be read', 'use another')


def test_traceback_on_request(tempo, tmp_path):
    config, rest = options(tempo, **{'model.backbone.sgs.stage': 9})
    done = run(
        'train.py',
        config,
        '--work-dir',
        str(tmp_path),
        *rest,
        MMATFR_TRACEBACK='1',
    )
    assert done.returncode == 1 and 'Traceback' in done.stderr


@pytest.mark.parametrize('num_workers', [0, 1])
def test_unreadable_video_stops_with_its_name(tempo, tmp_path, num_workers):
    (tempo / 'videos' / 'garbage.mp4').write_bytes(b'no video' * 100)
    (tempo / 'garbage.txt').write_text('garbage.mp4 0\n' * 8)
    config, rest = options(
        tempo,
        **{
            'train_dataloader.dataset.ann_file': 'garbage.txt',
            'train_dataloader.num_workers': num_workers,
        },
    )
    args = 'train.py', config, '--work-dir', str(tmp_path), *rest
    if num_workers == 0:
        assert_one_line(run(*args), 'garbage.mp4', 'on_unreadable')
        return
    done = run_apart(*args)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    # Workers write to the same place, at any time.
    _, line = done.stderr.split('error: ')
    line = line.splitlines()[0]
    assert 'garbage.mp4' in line and 'on_unreadable' in line


class TestDemo:
    def test_recognizes_and_draws(self, killed_and_resumed, tempo, tmp_path):
        work_dir, _ = killed_and_resumed
        figure = tmp_path / 'figure.png'
        config, _ = options(tempo)
        done = run(
            'demo.py',
            [
                str(tempo / 'videos/test/00000.mp4'),
                *config,
                str(work_dir / f'epoch_{EPOCHS}.pth'),
            ],
            '--out',
            str(figure),
        )
        assert done.returncode == 0, done.stderr
        assert (
            'translate' in done.stdout
            or 'zoom' in done.stdout
            or 'rotate' in done.stdout
            or 'oscillate' in done.stdout
        )
        assert 'of 16 frames' in done.stdout and 'GFLOPs' in done.stdout
        assert figure.read_bytes()[:4] == b'\x89PNG'

    @pytest.mark.parametrize(
        'video,words',
        [
            ('gone.mp4', ('gone.mp4', 'does not exist')),
            ('garbage.mp4', ('garbage.mp4', 'cannot read')),
        ],
    )
    def test_bad_video(
        self, killed_and_resumed, tempo, tmp_path, video, words
    ):
        work_dir, _ = killed_and_resumed
        (tmp_path / 'garbage.mp4').write_bytes(b'no video' * 100)
        config, _ = options(tempo)
        done = run(
            'demo.py',
            [
                str(tmp_path / video),
                *config,
                str(work_dir / f'epoch_{EPOCHS}.pth'),
            ],
        )
        assert_one_line(done, *words)

    def test_bad_checkpoint(self, tempo, tmp_path):
        config, _ = options(tempo)
        torch.save({'state_dict': {}}, tmp_path / 'empty.pth')
        other = {'state_dict': {'other': torch.zeros(1)}}
        torch.save(other, tmp_path / 'other.pth')
        for name, words in (
            ('gone.pth', ('gone.pth', 'does not exist')),
            ('empty.pth', ('empty.pth', 'has no weights')),
            ('other.pth', ('other.pth', 'does not fit')),
        ):
            done = run(
                'demo.py',
                [
                    str(tempo / 'videos/test/00000.mp4'),
                    *config,
                    str(tmp_path / name),
                ],
            )
            assert_one_line(done, *words)
