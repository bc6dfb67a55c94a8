import pytest
import torch

from mmatfr.models import ATFRX3D
from mmatfr.sgs import (
    force_lengths,
    get_num_bins,
    set_num_bins,
    sgs_layers,
)


def backbone():
    return ATFRX3D(gamma_w=0.34, gamma_d=0.5, sgs=dict(stage=1)).eval()


def test_clips_get_their_lengths_in_turn():
    model, x = backbone(), torch.rand(2, 3, 8, 32, 32)
    with force_lengths(model, [1, 8, 3]), torch.no_grad():
        for lengths in ([1, 8], [3, 1], [8, 3]):
            model(x)
            assert model.lengths.tolist() == lengths


def test_the_layers_are_left_as_they_were():
    model = backbone()
    (layer,) = sgs_layers(model).values()
    binning = layer.binning
    with pytest.raises(ValueError, match='from 1 to 8'):
        with force_lengths(model, [9]):
            assert layer.binning is not binning
            model(torch.rand(1, 3, 8, 32, 32))
    assert layer.binning is binning


def test_one_length_for_each_layer():
    with pytest.raises(ValueError, match=r'length=\(1, 2\).*: sgs'):
        with force_lengths(backbone(), [(1, 2)]):
            pass


@pytest.mark.parametrize(
    'num_bins,match',
    [
        (0, 'num_bins=0 must be a positive integer'),
        (True, 'num_bins=True must be a positive integer'),
        ({'sgs': 2.5}, 'num_bins of sgs=2.5 must be a positive integer'),
        ({}, 'a number for each layer that samples: sgs'),
        ({'sgs': 4, 'layer1.sgs': 4}, 'a number for each layer'),
    ],
)
def test_bins_that_mean_nothing_change_nothing(num_bins, match):
    model = backbone()
    with pytest.raises(ValueError, match=match):
        set_num_bins(model, num_bins)
    assert get_num_bins(model) == {'sgs': None}


def test_bins_of_a_trained_network():
    model = backbone()
    for num_bins in (5, {'sgs': 3}, {'sgs': None}):
        set_num_bins(model, num_bins)
        wanted = num_bins if isinstance(num_bins, dict) else {'sgs': num_bins}
        assert get_num_bins(model) == wanted
