"""The package, built, installed and used without the clone."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import mmatfr

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(ROOT.glob('configs/recognition/*/*.py'))
NAME = 'x3d_xxs-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'


def run(*command, cwd):
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """The source archive, the wheel made of it, and where that is
    installed."""
    out = tmp_path_factory.mktemp('built')
    source = out / 'source'
    for folder in ('configs', 'mmatfr', 'releases', 'tools'):
        shutil.copytree(ROOT / folder, source / folder)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    setup = (sys.executable, 'setup.py', '-q')
    run(*setup, 'sdist', '--dist-dir', str(out), cwd=source)
    (archive,) = out.glob('mmatfr-*.tar.gz')
    with tarfile.open(archive) as file:
        file.extractall(out, filter='data')
    unpacked = out / archive.name.removesuffix('.tar.gz')
    run(*setup, 'bdist_wheel', '--dist-dir', str(out), cwd=unpacked)
    (wheel,) = out.glob('mmatfr-*.whl')

    # The requirements are those installed here; the clone, which is installed
    # here by a .pth file of its own, stays out.
    venv.create(out / 'venv', symlinks=True)
    python = out / 'venv/bin/python'
    (site,) = out.glob('venv/lib/python*/site-packages')
    (site / 'requirements.pth').write_text(sysconfig.get_path('purelib'))
    run(
        *(sys.executable, '-m', 'pip', '--python', str(python), 'install'),
        *('-q', '--no-deps', '--no-index', str(wheel)),
        cwd=out,
    )
    return SimpleNamespace(
        unpacked=unpacked, wheel=wheel, python=str(python), site=site
    )


def test_source_archive_is_complete(built):
    for name in (
        *('README.md', 'LICENSE', 'CITATION.cff', 'CHANGELOG.md'),
        *('CONTRIBUTING.md', 'constraints.txt', 'model-index.yml'),
        *('pyproject.toml', 'setup.cfg', 'setup.py'),
    ):
        copy = built.unpacked / name
        assert copy.read_bytes().startswith((ROOT / name).read_bytes()[:100])


def test_wheel_describes_itself(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        names = wheel.namelist()
        (path,) = (n for n in names if n.endswith('.dist-info/METADATA'))
        metadata = wheel.read(path).decode()
    assert f'Version: {mmatfr.__version__}\n' in metadata
    assert (ROOT / 'README.md').read_text()[:500] in metadata
    assert any(n.endswith('LICENSE') for n in names)
    tops = {n.split('/')[0] for n in names}
    assert tops == {'mmatfr', path.split('/')[0]}


def test_has_all_of_the_zoo(built):
    mim = built.site / 'mmatfr/.mim'
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


def test_works_without_the_clone(built, tmp_path):
    code = (
        'import mmatfr, runpy, sys\n'
        'from mmatfr.run import find_config\n'
        'from mmatfr.zoo.models import zoo_root\n'
        'print(zoo_root())\n'
        f"print(find_config('mmatfr::recognition/x3d/{NAME}.py'))\n"
        'print(*mmatfr.list_models())\n'
        f"model = mmatfr.create_model('{NAME}', num_classes=3)\n"
        'print(model.cls_head.num_classes)\n'
        'for name in mmatfr.list_models(released=True):\n'
        "    mmatfr.create_model(name, checkpoint='released')\n"
        "script = zoo_root() / 'tools/analysis_tools/get_flops.py'\n"
        "sys.argv = [str(script), '--help']\n"
        "runpy.run_path(str(script), run_name='__main__')\n"
    )
    printed = run(built.python, '-c', code, cwd=tmp_path)
    root, config, names, num_classes, usage, *_ = printed.splitlines()
    assert root == str(built.site / 'mmatfr/.mim')
    assert config == f'{root}/configs/recognition/x3d/{NAME}.py'
    assert set(names.split()) == {path.stem for path in CONFIGS}
    assert num_classes == '3'
    assert usage.startswith('usage: get_flops.py')
