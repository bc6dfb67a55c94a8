"""Metafiles, pages of the zoo and configs agree."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from mmatfr.zoo.metafile import make_entry, read_entries, read_metafile
from mmatfr.zoo.published import compare_published
from mmatfr.zoo.tables import replace_between, update_pages

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(ROOT.glob('configs/recognition/*/*.py'))
ENTRIES = read_entries(ROOT)
PUBLISHED = [name for name, e in ENTRIES.items() if 'Published' in e]
# Fields of a model in mmaction2's metafiles.
FIELDS = {
    'Architecture',
    'Batch Size',
    'Epochs',
    'FLOPs',
    'Parameters',
    'Pretrained',
    'Resolution',
    'Training Data',
    'Training Resources',
}


def test_index_names_the_metafile_of_every_folder():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    folders = sorted({path.parent.name for path in CONFIGS})
    assert index['Import'] == [
        f'configs/recognition/{folder}/metafile.yml' for folder in folders
    ]
    for folder in folders:
        metafile = ROOT / f'configs/recognition/{folder}/metafile.yml'
        (collection,) = read_metafile(metafile)['Collections']
        assert (ROOT / collection['README']).is_file()


def test_every_config_has_its_entry():
    assert set(ENTRIES) == {path.stem for path in CONFIGS}
    for path in CONFIGS:
        entry = ENTRIES[path.stem]
        assert ROOT / entry['Config'] == path
        meta = entry['Metadata']
        assert FIELDS <= set(meta)
        # What the name says is held against the config elsewhere.
        gpus, batch, epochs = re.search(
            r'_(\d+)xb(\d+)-.*-(\d+)e(?:-alpha)?_', path.stem
        ).groups()
        assert meta['Training Resources'].split()[0] == gpus
        assert meta['Batch Size'] == int(batch)
        assert meta['Epochs'] == int(epochs)


@pytest.mark.parametrize(
    'name',
    [
        'ircsn-mini-atfr-path_1xb12-16x2x1-4e_tempo-small-rgb',
        'resnet3d_r18_8xb24-16x2x1-45e_kinetics400-rgb',
        'tsm_imagenet-pretrained-mobilenetv2-atfr_8xb16-1x1x8-100e_'
        'kinetics400-rgb',
    ],
)
def test_entry_is_what_the_command_writes(name):
    old = ENTRIES[name]
    new = make_entry(
        ROOT / old['Config'], ROOT, old['In Collection'], dict(old)
    )
    assert new == old and list(new) == list(old)


@pytest.mark.parametrize(
    'name, data',
    [
        ('resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb', 'None'),
        (
            'resnet3d-mini-dense-atfr-learned_1xb12-16x2x1-8e_tempo-small-'
            'wild-rgb',
            'tempo small wild',
        ),
        (
            'tsm_imagenet-pretrained-r50-atfr_8xb16-1x1x8-50e_kinetics400-rgb',
            'ImageNet',
        ),
    ],
)
def test_data_of_the_weights_that_a_config_starts_from(name, data):
    assert ENTRIES[name]['Metadata']['Pretrained'] == data


def test_weights_of_a_training_with_a_name_of_its_own(tmp_path):
    name = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-1e_tempo-tiny-rgb'
    config = tmp_path / 'configs/mine.py'
    config.parent.mkdir()
    config.write_text(
        f'_base_ = [{str(ROOT / ENTRIES[name]["Config"])!r}]\n'
        "load_from = 'work_dirs/my_base/epoch_3.pth'\n"
    )
    meta = make_entry(config, tmp_path, 'Mine', {})['Metadata']
    assert meta['Pretrained'] == 'my_base'


@pytest.mark.parametrize('name', PUBLISHED)
def test_counts_what_was_published(name):
    entry = ENTRIES[name]
    row = compare_published(entry, ROOT)
    assert row.agrees, (row.gflops_deviation, row.parameters_deviation)
    assert entry['Metadata']['FLOPs'] == f'{row.gflops:.4g}G'
    assert entry['Metadata']['Parameters'] == f'{row.parameters:.3f}M'
    # Sampling itself costs next to nothing.
    assert row.gflops == pytest.approx(row.base_gflops, rel=1e-3)
    if row.adaptive_gflops is not None:
        assert 0.2 < row.resolution < 0.8
        at, total = entry['Metadata']['Published GFLOPs At'].split(' of ')
        for reached, frames in zip(
            at.split('/'), total.split('/'), strict=True
        ):
            assert float(reached) == pytest.approx(
                row.resolution * int(frames), abs=0.051
            )


def test_all_rows_of_the_paper_are_there():
    """Table rows of arXiv:2011.08652: base and adaptive GFLOPs."""
    rows = {
        (p['Without Sampling']['GFLOPs'], p['GFLOPs'])
        for p in (ENTRIES[name]['Published'] for name in PUBLISHED)
        if 'Without Sampling' in p and 'GFLOPs' in p
    }
    assert rows == {
        (36.1, 20.8),
        (1.9, 1.0),
        (35.8, 20),
        (48.4, 26.3),
        (132.8, 87.8),
    }


def test_measured_accuracy_is_of_data_that_was_there():
    for name, entry in ENTRIES.items():
        if 'Results' in entry or 'Weights' in entry:
            assert 'tempo' in name or 'grid' in name


def test_pages_are_what_the_command_writes(tmp_path):
    pages = [
        ROOT / 'docs/model_zoo.md',
        *ROOT.glob('configs/recognition/*/README.md'),
    ]
    assert len(pages) == 8
    for path in (*pages, *ROOT.glob('configs/recognition/*/metafile.yml')):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    update_pages(tmp_path)
    for path in pages:
        assert (tmp_path / path.relative_to(ROOT)).read_text() == (
            path.read_text()
        ), 'run python tools/misc/update_model_zoo.py'


def test_page_without_the_part():
    with pytest.raises(ValueError, match='no part <!-- models -->'):
        replace_between('# Zoo', 'models', '')
