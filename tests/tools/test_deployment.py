"""The commands of docs/deploy.md."""

import re
import shutil

import pytest
from script_runs import ROOT, assert_one_line, run_script

from mmatfr.zoo.models import config_path
from mmatfr.zoo.verification import read_metrics

NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
OTHER = 'x3d_xxs-atfr-path_1xb12-32x1x1-8e_tempo-small-rgb'


def run(script, *args):
    return run_script(f'tools/{script}', *args)


@pytest.fixture(scope='module')
def folder(tempo, tmp_path_factory):
    """The files model.onnx and video.mp4 of the page."""
    folder = tmp_path_factory.mktemp('page')
    done = run(
        'deployment/export_model.py',
        config_path(NAME),
        'released',
        folder / 'model.onnx',
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for engine in ('onnxruntime', 'openvino'):
        assert re.search(
            f"{engine}: as PyTorch on 1\\d clips with B' 1 to 16", done.stdout
        )
    video = next(tempo.rglob('*.mp4'))
    (folder / 'video.mp4').symlink_to(video)
    return folder


def test_snippets_of_the_page_run(folder, monkeypatch):
    monkeypatch.chdir(folder)
    text = (ROOT / 'docs' / 'deploy.md').read_text()
    snippets = re.findall(r'```python\n(.*?)```', text, flags=re.DOTALL)
    snippets = [code for code in snippets if 'Execution' not in code]
    assert len(snippets) == 2
    for code in snippets:
        names = {}
        exec(code, names)
        lengths = names.get(
            'lengths', getattr(names.get('result'), 'lengths', None)
        )
        assert 1 <= lengths[0] <= 16


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_demo_runs_an_exported_file(folder, engine):
    done = run(
        'demo.py',
        folder / 'video.mp4',
        folder / 'model.onnx',
        '--engine',
        engine,
        '--out',
        folder / f'{engine}.png',
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"resolution B': \[\d+\] of 16 frames", done.stdout)
    assert 'class ' in done.stdout
    assert (folder / f'{engine}.png').stat().st_size > 1000


def test_demo_leaves_out_classes_that_mean_nothing(folder, tmp_path):
    shutil.copy(folder / 'video.mp4', tmp_path / 'real.mp4')
    done = run('demo.py', tmp_path / 'real.mp4', folder / 'model.onnx')
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'classes mean nothing here' in done.stdout
    assert 'translate' not in done.stdout and 'class ' not in done.stdout


def test_demo_says_what_does_not_fit(folder, tmp_path):
    done = run('demo.py', folder / 'video.mp4', NAME, '--engine', 'openvino')
    assert done.returncode == 2 and '*.onnx' in done.stderr
    done = run(
        'demo.py', folder / 'video.mp4', folder / 'model.onnx', 'some.pth'
    )
    assert_one_line(done, "leave out 'some.pth'")
    done = run('demo.py', folder / 'video.mp4', '--out', tmp_path / 'demo')
    assert done.returncode == 2 and "demo' is not a figure" in done.stderr


def test_accuracy_of_an_exported_file(folder, tempo, tmp_path):
    options = (
        '--work-dir',
        tmp_path,
        '--cfg-options',
        f'test_dataloader.dataset.data_root={tempo}',
        f'test_dataloader.dataset.metainfo.classes={tempo / "classes.txt"}',
    )
    model = folder / 'model.onnx'
    done = run('deployment/test.py', model, NAME, *options)
    assert done.returncode == 0, done.stderr[-3000:]
    (log,) = tmp_path.rglob('*.json')
    metrics = read_metrics(str(log))
    # 12 videos that the network has not seen.
    assert metrics['acc/top1'] > 0.7 and metrics['acc/top5'] == 1
    assert 1 <= metrics['cost/length_mean'] <= 16
    assert {'cost/length_std', 'tempo/spearman'} <= set(metrics)
    assert f'{metrics["acc/top1"]:.4f}' in done.stdout

    done = run('deployment/test.py', model, OTHER)
    assert_one_line(
        done, 'it has 16 frames a clip, but the config has 32; use the'
    )
    assert not done.stdout


def test_exporter_says_that_no_weights_are_released(tmp_path):
    done = run(
        'deployment/export_model.py',
        'x3d_s-atfr_8xb16-13x6x1-300e_kinetics400-rgb',
        'released',
        tmp_path / 'model.onnx',
    )
    assert_one_line(done, 'no weights have been released')
    assert not list(tmp_path.iterdir())
