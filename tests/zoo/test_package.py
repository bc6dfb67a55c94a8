"""The built package has configs, tools and metafiles for mim."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(ROOT.glob('configs/recognition/*/*.py'))


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp('built')
    done = subprocess.run(
        [sys.executable, 'setup.py', '-q', 'build', '--build-base', out / 'b']
        + ['egg_info', '--egg-base', out]
        + ['build_py', '--build-lib', out / 'lib'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return out / 'lib'


def test_has_all_of_the_zoo(built):
    mim = built / 'mmatfr' / '.mim'
    for path in (
        *CONFIGS,
        *ROOT.glob('configs/recognition/*/metafile.yml'),
        *ROOT.glob('configs/_base_/*/*.py'),
        *ROOT.glob('releases/*'),
        ROOT / 'tools/train.py',
        ROOT / 'tools/data/tempo/generate.py',
        ROOT / 'model-index.yml',
    ):
        copy = mim / path.relative_to(ROOT)
        assert copy.read_bytes() == path.read_bytes(), copy
    assert not list(mim.rglob('__pycache__'))


def test_works_without_the_clone(built, tmp_path):
    code = (
        'import mmatfr\n'
        'from mmatfr.zoo.models import zoo_root\n'
        'print(zoo_root())\n'
        'print(*mmatfr.list_models())\n'
        "model = mmatfr.create_model('x3d_xxs-atfr-path_1xb12-16x2x1-8e_"
        "tempo-small-rgb', num_classes=3)\n"
        'print(model.cls_head.num_classes)\n'
        'for name in mmatfr.list_models(released=True):\n'
        "    mmatfr.create_model(name, checkpoint='released')\n"
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(built)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    root, names, num_classes = done.stdout.splitlines()
    assert root == str(built / 'mmatfr' / '.mim')
    assert set(names.split()) == {path.stem for path in CONFIGS}
    assert num_classes == '3'
