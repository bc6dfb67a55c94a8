"""X3D in every published size, and with adaptive temporal resolution."""

from typing import Sequence

from mmaction.models.backbones.x3d import X3D
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from torch import nn

from .atfr import ATFR
from .pathway import Stages

__all__ = ['ATFRX3D', 'X3DRounded']

# The width of the first stage before scaling, hard-coded in mmaction2 too.
BASE_CHANNELS = 24
WIDTH_ROUNDINGS = ('base', 'stage')


@MODELS.register_module()
class X3DRounded(X3D):
    """mmaction2's X3D with a choice of rounding for the widths.

    X3D widens a stage of 24, 48, 96 or 192 channels by ``gamma_w`` and rounds
    the product to a multiple of 8. mmaction2 rounds the first stage only and
    doubles the width for each later one. Among the published sizes, this gives
    a different network for XL.

    ====== ========================= ======= ======= ======= ==============
    Size   Widths                    gamma_w gamma_b gamma_d width_rounding
    ====== ========================= ======= ======= ======= ==============
    XS-M   24, 48, 96, 192           1       2.25    2.2     either
    L      24, 48, 96, 192           1       2.25    5       either
    XL     32, 72, 136, 280          1.45    2.25    5       'stage'
    ====== ========================= ======= ======= ======= ==============

    XS, S and M differ only in their clips. The head takes ``feat_dim``, the
    width of ``conv5``: 432, and 630 for XL.

    Args:
        *args: Positional arguments of
            :class:`mmaction.models.backbones.x3d.X3D`.
        width_rounding (str): 'base' rounds the width of the first stage, as
            mmaction2 does; 'stage' rounds that of each stage, as published.
            Defaults to 'base'.
        **kwargs: Keyword arguments of
            :class:`mmaction.models.backbones.x3d.X3D`.

    Raises:
        ValueError: If ``width_rounding`` is unknown.

    Examples:
        >>> from mmatfr.models import X3DRounded
        >>> X3DRounded(
        ...     gamma_w=1.45, gamma_b=2.25, width_rounding='stage').feat_dim
        630
    """

    # For an X3D of mmaction2 whose class becomes this one.
    width_rounding = 'base'

    def __init__(self, *args, width_rounding: str = 'base', **kwargs) -> None:
        if width_rounding not in WIDTH_ROUNDINGS:
            raise ValueError(
                f'width_rounding={width_rounding!r} is unknown; '
                f'choose one of {list(WIDTH_ROUNDINGS)}'
            )
        self.width_rounding = width_rounding
        super().__init__(*args, **kwargs)
        width = self.base_channels * 2 ** (self.num_stages - 1)
        rounded = self.round_stage(width)
        if rounded != width:
            self.feat_dim = int(rounded * self.gamma_b)
            self.conv5 = ConvModule(
                rounded,
                self.feat_dim,
                kernel_size=1,
                bias=False,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
            )

    def round_stage(self, width: int) -> int:
        """Rounds the width of a stage.

        Args:
            width (int): Width in mmaction2, that of the first stage times a
                power of 2.

        Returns:
            int: The width, rounded according to ``width_rounding``.
        """
        if self.width_rounding == 'base':
            return width
        unscaled = BASE_CHANNELS * (width // self.base_channels)
        return self._round_width(unscaled, self.gamma_w)

    def make_res_layer(
        self,
        block: type,
        layer_inplanes: int,
        inplanes: int,
        planes: int,
        *args,
        **kwargs,
    ) -> nn.Module:
        """Builds a stage.

        Args:
            block (type): Class of its blocks.
            layer_inplanes (int): Width of the stage before.
            inplanes (int): Width of the stage.
            planes (int): Width within its blocks.
            *args: As in mmaction2.
            **kwargs: As in mmaction2.

        Returns:
            nn.Module: The stage, with rounded widths.
        """
        rounded = self.round_stage(inplanes)
        if rounded != inplanes:
            planes = int(rounded * self.gamma_b)
        return super().make_res_layer(
            block,
            self.round_stage(layer_inplanes),
            rounded,
            planes,
            *args,
            **kwargs,
        )


@MODELS.register_module()
class ATFRX3D(ATFR, X3DRounded):
    """mmaction2's X3D with Similarity Guided Sampling.

    Takes the arguments of :class:`mmaction.models.backbones.x3d.X3D`,
    ``width_rounding`` of :class:`X3DRounded`, which also lists the published
    sizes, and those of :class:`ATFR`.

    Examples:
        >>> import torch
        >>> from mmatfr.models import ATFRX3D
        >>> backbone = ATFRX3D(gamma_b=2.25, sgs=dict(stage=1)).eval()
        >>> backbone(torch.rand(2, 3, 16, 64, 64)).shape
        torch.Size([2, 432, 1, 2, 2])
        >>> backbone.lengths.shape
        torch.Size([2])
    """

    res_layers: Sequence[str]

    def atfr_stages(self) -> Stages:
        *stages, last = self.res_layers
        return ['conv1_t', *stages, (last, 'conv5')]
