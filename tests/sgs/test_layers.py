import pytest
import torch

from mmatfr.models import ATFRX3D
from mmatfr.sgs import force_lengths, sgs_layers


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
