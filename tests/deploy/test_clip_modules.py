"""Modules of a deployed network, compared with those of mmaction2."""

import pytest
import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor

from mmatfr.deploy.modules import Normalize


@pytest.mark.parametrize('to_rgb', [False, True])
@pytest.mark.parametrize('mean', [None, [1.0, 20.0, 30.0]])
def test_frames_are_normalized_as_in_training(to_rgb, mean):
    preprocessor = ActionDataPreprocessor(
        mean=mean,
        std=None if mean is None else [2.0, 4.0, 5.0],
        to_rgb=to_rgb,
        format_shape='NCTHW',
    )
    frames = torch.randint(256, (3, 5, 4, 3), dtype=torch.uint8)
    expected = preprocessor(
        dict(inputs=[frames.permute(3, 0, 1, 2)[None]], data_samples=None)
    )['inputs'][0, 0]
    actual = Normalize(preprocessor)(frames).permute(3, 0, 1, 2)
    torch.testing.assert_close(actual, expected.float())
