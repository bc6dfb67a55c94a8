"""One line for bad input from any source."""

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmatfr.apis import build_recognizer, clip_shape, merge_options
from mmatfr.cli import describe_error
from mmatfr.zoo.models import config_path

NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-1e_tempo-tiny-rgb'


@pytest.fixture
def cfg():
    init_default_scope('mmaction')
    return Config.fromfile(config_path(NAME))


@pytest.mark.parametrize(
    'options,part',
    [
        ({'model.cls_head.num_classes': 'a'}, 'I3DHead'),
        ({'model.backbone.depth': 7}, 'ATFRResNet3d'),
        ({'model.cls_head': 5}, 'a part'),
    ],
)
def test_what_cannot_be_built_is_named(cfg, options, part):
    merge_options(cfg, options)
    with pytest.raises(Exception) as raised:
        build_recognizer(cfg.model)
    line = describe_error(raised.value)
    assert line.startswith(f'{part} cannot be built from the config (')
    assert '\n' not in line


def test_a_config_that_raises_is_named(tmp_path):
    path = tmp_path / 'raises.py'
    path.write_text('raise RuntimeError("no\\nway")\n')
    with pytest.raises(RuntimeError) as raised:
        Config.fromfile(str(path))
    assert describe_error(raised.value) == (
        f'the config {str(path)!r} cannot be read (RuntimeError: no); '
        'correct it'
    )


def test_a_folder_below_a_file_is_named(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(OSError) as raised:
        (tmp_path / 'file/out').mkdir(parents=True)
    line = describe_error(raised.value)
    assert str(tmp_path / 'file/out') in line and 'choose another' in line


def test_a_full_disk_is_one_line(cfg, tmp_path, full_disk):
    # Written by a library, which does not say where.
    with full_disk(100), pytest.raises(OSError) as raised:
        (tmp_path / 'log').write_text(200 * 'x')
    line = describe_error(raised.value)
    assert line.startswith('there is no space (File too large); free space')
    path = tmp_path / 'config.py'
    with full_disk(100), pytest.raises(OSError) as raised:
        cfg.dump(path)
    line = describe_error(raised.value)
    assert line.startswith(f'{str(path)!r} cannot be written')
    assert not path.exists()


def test_a_fault_of_the_program_is_none_of_the_input():
    with pytest.raises(TypeError) as raised:
        len(None)
    assert describe_error(raised.value) is None


@pytest.mark.parametrize('options', [{'model': 5}, {'model.backbone': 5}])
def test_settings_have_to_leave_a_model(cfg, options):
    with pytest.raises(ValueError, match='no model with a backbone'):
        merge_options(cfg, options)


@pytest.mark.parametrize('shape', [[0, 8, 8], [-1, 64, 64]])
def test_clips_have_a_size(cfg, shape):
    with pytest.raises(ValueError, match='must be three positive integers'):
        clip_shape(cfg, shape)
