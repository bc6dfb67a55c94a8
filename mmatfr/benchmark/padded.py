"""Padded execution, for comparison: pads clips to the longest of a batch."""

import copy
from typing import Any, Dict

import torch.nn.functional as F
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from mmatfr.apis import build_recognizer, without_sampling
from mmatfr.models.backbones.sampled_stage import hook_maps
from mmatfr.sgs import SGS

__all__ = ['PaddedGroups', 'make_padded']


class PaddedGroups(nn.Module):
    """Sampling as in the authors' code: zeros up to the longest clip.

    Later layers process the zeros too, so the result of a clip depends on the
    other clips of its batch. This class exists only for comparison.

    Args:
        sgs (SGS): The sampling layer.
        least (int): Minimum number of frames of a batch, for later layers that
            need several. Defaults to 1.

    Examples:
        >>> import torch
        >>> from mmatfr.benchmark.padded import PaddedGroups
        >>> from mmatfr.sgs import SGS
        >>> padded = PaddedGroups(SGS(in_channels=24))
        >>> x = padded(torch.rand(2, 24, 16, 7, 7))
        >>> x.shape[2] == padded.sgs.groups.lengths.max()
        tensor(True)
    """

    def __init__(self, sgs: SGS, least: int = 1) -> None:
        super().__init__()
        self.sgs = sgs
        self.least = least

    def forward(self, x: Tensor) -> Tensor:
        """Groups the frames of each clip.

        Args:
            x (Tensor): Feature maps, (N, C, T, H, W).

        Returns:
            Tensor: The maps of the groups, padded with zeros, (N, C, max B',
            H, W).
        """
        maps, lengths = self.sgs(x)
        clips = maps[0].transpose(0, 1).split(lengths.tolist())
        x = pad_sequence(clips, batch_first=True).transpose(1, 2)
        missing = max(0, self.least - x.shape[2])
        return F.pad(x, (0, 0, 0, 0, 0, missing))


def make_padded(
    recognizer: BaseRecognizer, model: Dict[str, Any]
) -> BaseRecognizer:
    """Builds the padded form of a recognizer.

    Args:
        recognizer (BaseRecognizer): A recognizer with one sampling layer, its
            in backbone.
        model (dict): The ``model`` of its config.

    Returns:
        BaseRecognizer: The recognizer without sampling, with the same weights
        and :class:`PaddedGroups` at the same place; in evaluation mode.

    Raises:
        ValueError: If the recognizer samples elsewhere.
    """
    backbone = recognizer.backbone
    if not isinstance(getattr(backbone, 'sgs', None), SGS) or hasattr(
        backbone, 'num_segments'
    ):
        raise ValueError(
            f'{type(backbone).__name__} has no padded form, which needs one '
            'sampling layer in a 3D backbone with one pathway; set --padding '
            'longest'
        )
    (path,) = backbone.pathways.values()
    padded = build_recognizer(without_sampling(model))
    backbone = padded.backbone
    backbone.padded_groups = PaddedGroups(
        copy.deepcopy(path.layer),
        least=2 if getattr(backbone, 'with_pool2', False) else 1,
    )
    hook_maps(
        backbone,
        path.sampled,
        lambda module, args, *out: backbone.padded_groups(*(out or args)),
        path.pre_activation,
    )
    padded.load_state_dict(
        {
            name.replace('backbone.sgs.', 'backbone.padded_groups.sgs.'): x
            for name, x in recognizer.state_dict().items()
        }
    )
    padded.eval()
    return padded
