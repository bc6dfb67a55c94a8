import pytest
import torch

from mmatfr.sgs import PRESETS, SGS, LayerOptions


@pytest.mark.parametrize('preset', PRESETS)
def test_each_builds_a_layer_that_groups(preset):
    layer = SGS(4, preset=preset, num_bins=3)
    maps, lengths = layer(torch.rand(2, 4, 8, 7, 7))
    assert maps.shape == (1, 4, int(lengths.sum()), 7, 7)
    assert layer.binning.num_bins == 3


def test_the_paper_is_the_default():
    assert LayerOptions.from_preset() == LayerOptions.from_preset(
        preset='paper'
    )
    assert repr(SGS(4)) == repr(SGS(4, preset='paper'))


def test_single_options_go_on_top():
    options = LayerOptions.from_preset(preset='path', grid=3, bin_range='clip')
    expected = {**PRESETS['path'], 'grid': 3, 'bin_range': 'clip'}
    assert {name: getattr(options, name) for name in expected} == expected


def test_no_border_has_no_groups():
    assert not LayerOptions.from_preset(preset='path', border=0).border_groups
    layer = SGS(4, preset='path')
    assert layer.border == 0 and layer.binning.ends == 0
    layer = SGS(4, preset='path', border=2)
    assert layer.border == 2 and layer.binning.ends == 2


@pytest.mark.parametrize(
    'options,match',
    [
        (
            dict(preset='paht'),
            r"preset='paht'.*'paper', 'authors', 'path', 'learned'",
        ),
        (dict(num_bin=3), 'sgs.num_bin=3 is unknown; is it sgs.num_bins'),
        (dict(border='all'), "border='all' must be a non-negative integer"),
        (
            dict(preset='path', embedding='mlp_bn'),
            "magnitude_grad=False would leave.*embedding='mlp_bn'",
        ),
    ],
)
def test_what_is_none_is_named(options, match):
    with pytest.raises(ValueError, match=match):
        SGS(4, **options)
