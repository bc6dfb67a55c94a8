"""The tests of this folder run on the GPU, or on the CPU without one."""

import pytest
import torch

from tests.small_recognizers import x3d


@pytest.fixture
def device():
    return 'cuda' if torch.cuda.is_available() else 'cpu'


@pytest.fixture(autouse=True)
def full_float32(monkeypatch):
    """A GPU otherwise rounds the inputs of convolutions to TF32."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


@pytest.fixture
def path_config():
    """The model of a config that samples."""
    return x3d(
        num_classes=5, sgs=dict(preset='path', stage=0, grid=2, num_bins=5)
    )
