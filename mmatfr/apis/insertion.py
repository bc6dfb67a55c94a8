"""Adds sampling to a built network, and removes it."""

import copy
from numbers import Real
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from mmaction.models.backbones.x3d import X3D
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from torch import nn

from mmatfr.cost.model import CostModel
from mmatfr.models.backbones.conversion import (
    find_variant,
    restore,
    with_sampling,
)
from mmatfr.models.fuse import Fused
from mmatfr.models.networks import backbone_of, replace_backbone
from mmatfr.sgs import LearnedPath, check_integer, get_num_bins, sgs_layers

from .budget import fit_bins_to_budget, imagine_even_clip, prepare_layers
from .config import check_size
from .config import clip_shape as clip_shape_of
from .num_bins import describe_num_bins

__all__ = ['insert', 'remove']

_BACKBONE_OPTIONS = ('readout', 'execution', 'channels_last', 'lateral_length')


def insert(
    model: nn.Module,
    budget: float = 0.5,
    clips: Optional[Iterable[Any]] = None,
    stage: int = 0,
    *,
    clip_shape: Optional[Sequence[int]] = None,
    num_batches: Optional[int] = None,
    **options,
) -> nn.Module:
    """Adds sampling to a built recognizer, in place, without training.

    torchvision's video ResNets (``r3d_18``, ``mc3_18``, ``r2plus1d_18``) take
    it too, as does any network whose class is registered with
    :func:`mmatfr.models.atfr` and ``has_head=True``.

    By default it adds path sampling after the stem. No weight changes, and the
    state dict keeps its keys; it gains those of the layers, ``sgs.*``.
    :func:`remove` takes the layers out again.

    The number of bins is the largest within the budget. With ``clips`` the
    budget holds on average over them, and the layers estimate from them how
    much a typical clip changes. Without ``clips`` it holds for a clip that
    changes evenly, which fills all bins: no clip exceeds the budget, and most
    cost less.

    If the recognizer has a config of mmaction2, ``model.cfg``, it is replaced
    with a copy that describes the recognizer with sampling.

    Args:
        model (nn.Module): A recognizer of mmaction2, as returned by
            ``init_recognizer``, or a network with its head.
        budget (float): Share of the multiply-adds of the recognizer with all
            frames, greater than 0 and at most 1. Ignored if ``options`` has
            ``num_bins``. Defaults to 0.5.
        clips (Iterable, optional): Batches of a data loader of mmaction2, e.g.
            of the training list; labels are not used. For a network with its
            head, clips, (N, C, T, H, W), or sequences that start with them.
            Defaults to None.
        stage (int): Samples after this stage; 0 is the stem. Defaults to 0.
        clip_shape (Sequence[int], optional): T, H and W of the clips for which
            the cost is counted. Defaults to None, those of ``clips`` or of the
            test pipeline of ``model.cfg``.
        num_batches (int, optional): Number of batches to use, the first of
            ``clips``. If a head is fitted to them, as with
            ``preset='learned'``, they are all kept in memory, and their clips
            have the same length. Defaults to None, 100 with a head to fit,
            otherwise 20.
        **options: Options of :class:`mmatfr.sgs.SGS`, including ``preset``; of
            the backbone, ``readout``, ``execution``, ``channels_last`` and,
            for SlowFast, ``lateral_length``; and for a backbone with several
            pathways, options by pathway, e.g. ``fast_path=dict(grid=4)``, or
            None to leave the pathway unchanged.

    Returns:
        nn.Module: The same model.

    Raises:
        ValueError: If the model is not supported, an option is invalid, there
            is no batch, a clip is unsuitable, or the budget is out of reach.
            The model is then unchanged.

    Examples:
        >>> import torch
        >>> from mmaction.registry import MODELS
        >>> from mmengine.registry import init_default_scope
        >>> import mmatfr
        >>> init_default_scope('mmaction')
        >>> model = MODELS.build(dict(
        ...     type='Recognizer3D',
        ...     backbone=dict(type='X3D', gamma_b=2.25, gamma_d=2.2),
        ...     cls_head=dict(
        ...         type='X3DHead', in_channels=432, num_classes=400)))
        >>> model = mmatfr.insert(
        ...     model, budget=0.6, clip_shape=(13, 160, 160))
        >>> mmatfr.sgs.get_num_bins(model)
        {'backbone.sgs': 3}
        >>> type(mmatfr.remove(model).backbone)
        <class 'mmaction.models.backbones.x3d.X3D'>
    """
    _check(model)
    _check_budget(budget)
    if clip_shape is not None:
        clip_shape = check_size('clip_shape', clip_shape)
    check_integer('num_batches', num_batches, unset=True)
    plain = backbone_of(model)
    if plain is model:
        plain = copy.copy(model)
    sgs, backbone_options = _split(model, stage, options)
    has_bins = any('num_bins' in (own or ()) for own in _parts(sgs))
    full = None if has_bins else CostModel(model)
    shape: Tuple[int, ...] = ()
    if clips is None and full is not None:
        shape = _find_shape(model, clip_shape)
    sampling = with_sampling(plain, sgs, **backbone_options)
    try:
        replace_backbone(model, sampling)
        if clips is not None:
            seen = prepare_layers(model, clips, num_batches)
        elif any(
            isinstance(layer.similarity, LearnedPath)
            for layer in sgs_layers(model).values()
        ):
            raise ValueError(
                'the head of a learned path is fitted to clips, but there '
                'are none; set clips to batches of the training list'
            )
        if full is not None:
            cost = CostModel(model)
            if clips is None:
                seen = [imagine_even_clip(model, cost, shape)]
            fit_bins_to_budget(budget, model, full, cost, seen)
        described = _describe(model, sgs, backbone_options)
    except BaseException:  # also if the user stops it
        replace_backbone(model, plain)
        raise
    if described is not None:
        sampling._plain_cfg = model.cfg
        model.cfg = described
    return model


def remove(model: nn.Module) -> nn.Module:
    """Removes the layers that :func:`insert` added.

    Args:
        model (nn.Module): The model; changed in place.

    Returns:
        nn.Module: The same model, with the original class of backbone and the
        current weights.

    Raises:
        ValueError: If :func:`insert` added nothing, the model is fused, or one
            of its modules was changed since then. The model is then unchanged.
    """
    _refuse_fused(model)
    backbone = backbone_of(model)
    cfg = getattr(backbone, '_plain_cfg', None)
    replace_backbone(model, restore(backbone))
    if cfg is not None:
        model.cfg = cfg
    return model


def _check(model: nn.Module) -> None:
    if is_model_wrapper(model):
        raise ValueError(
            f'{type(model).__name__} is a wrapper; give the model inside, '
            '`.module`'
        )
    _refuse_fused(model)
    if layers := [*sgs_layers(model)]:
        raise ValueError(
            f'the model already samples in {", ".join(layers)}; '
            'mmatfr.remove(model) removes the layers of mmatfr.insert'
        )
    variant = find_variant(backbone_of(model))
    if backbone_of(model) is model and not variant.has_head:
        raise ValueError(
            f'{type(model).__name__} is only a backbone; give the recognizer '
            'that contains it'
        )


def _check_budget(budget: Any) -> None:
    is_number = isinstance(budget, Real) and not isinstance(budget, bool)
    if not (is_number and 0 < budget <= 1):
        raise ValueError(
            f'budget={budget!r} must be a share of the multiply-adds, greater '
            'than 0 and at most 1'
        )


def _refuse_fused(model: nn.Module) -> None:
    if any(isinstance(module, Fused) for module in model.modules()):
        raise ValueError(
            f'{type(model).__name__} is fused: its normalization is folded '
            'into the kernels; use the original model'
        )


def _pathways(backbone: nn.Module) -> List[str]:
    names = [name for name, _ in backbone.named_children()]
    return [name for name in names if name.endswith('_path')]


def _split(
    model: nn.Module, stage: int, options: Dict[str, Any]
) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Separates the options of the layers from those of the backbone."""
    backbone = backbone_of(model)
    pathways = _pathways(backbone)
    options = dict(options)
    of_backbone = {
        name: options.pop(name)
        for name in _BACKBONE_OPTIONS[: None if pathways else -1]
        if name in options
    }
    if getattr(model, 'with_neck', False):  # it needs maps with a time axis
        of_backbone.setdefault('readout', 'frames')
    by_pathway = {name: options.pop(name, {}) for name in pathways}
    options = {'preset': 'path', 'stage': stage, **options}
    if options['preset'] == 'path' and isinstance(backbone, X3D):
        # After its stem, bins of one width do not follow the action
        # (docs/training_recognizers.md).
        options.setdefault('bin_range', 'clip')
    if not pathways:
        return options, of_backbone
    of_backbone.setdefault('lateral_length', 'frames')
    return {
        name: None if own is None else {**options, **own}
        for name, own in by_pathway.items()
    }, of_backbone


def _parts(sgs: Dict[str, Any]) -> List[Optional[Dict[str, Any]]]:
    """Returns the options of every layer."""
    return [sgs] if 'stage' in sgs else [*sgs.values()]


def _describe(
    model: nn.Module, sgs: Dict[str, Any], of_backbone: Dict[str, Any]
) -> Optional[Config]:
    """Returns a config of the model with sampling, if it has a config."""
    cfg = getattr(model, 'cfg', None)
    # Other networks use the name for something else.
    if (
        backbone_of(model) is model
        or not isinstance(cfg, Config)
        or 'backbone' not in (cfg.get('model') or {})
    ):
        return None
    cfg = copy.deepcopy(cfg)
    cfg.model.backbone.update(
        type=type(model.backbone).__name__,
        sgs=copy.deepcopy(sgs),
        **of_backbone,
    )
    describe_num_bins(cfg.model, get_num_bins(model))
    custom = cfg.get('custom_imports') or {}
    imports = custom.get('imports') or []
    imports = [imports] if isinstance(imports, str) else [*imports]
    if 'mmatfr' not in imports:
        cfg.custom_imports = {
            'allow_failed_imports': False,
            **custom,
            'imports': [*imports, 'mmatfr'],
        }
    return cfg


def _find_shape(
    model: nn.Module, clip_shape: Optional[Sequence[int]]
) -> Tuple[int, ...]:
    if clip_shape is not None:
        kernel = next(p for p in model.parameters() if p.dim() > 3)
        return (kernel.shape[1], *clip_shape)
    try:
        return clip_shape_of(model.cfg)
    except (AttributeError, ValueError):
        raise ValueError(
            'the number of bins depends on the cost of a clip, but its size '
            'is unknown; give clips, or clip_shape=(T, H, W)'
        ) from None
