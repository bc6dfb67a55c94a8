"""A recognizer and other forms of its network, to be timed together."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import torch
from mmaction.models.recognizers import BaseRecognizer
from mmengine.config import Config
from torch import Tensor

from mmatfr.apis import (
    build_recognizer,
    frames_of,
    load_config,
    load_recognizer,
    without_sampling,
)
from mmatfr.cost import CostModel
from mmatfr.models import fuse
from mmatfr.sgs import sgs_layers
from mmatfr.zoo.models import config_path

from .options import BenchmarkOptions
from .padded import make_padded

__all__ = ['Variant', 'make_variants', 'static_model']


@dataclass
class Variant:
    """A form of the network with its clips.

    Attributes:
        name (str): Name in the table.
        model (BaseRecognizer): The recognizer.
        cfg (Config): Its config.
        cost (CostModel): Cost of its clips.
        clips (Tensor, optional): Its input.
        padding (str, optional): Kind of padding; None without.
        graph (bool): Whether its forwards run as a CUDA graph.
    """

    name: str
    model: BaseRecognizer
    cfg: Config
    cost: CostModel
    clips: Optional[Tensor] = None
    padding: Optional[str] = None
    graph: bool = False

    @property
    def shape(self) -> Tuple[int, ...]:
        """tuple[int]: (C, T, H, W) of its clips."""
        assert self.clips is not None
        if frames_of(self.model) is None:
            return tuple(self.clips.shape[2:])
        _, num_frames, channels, *size = self.clips.shape
        return channels, num_frames, *size


def static_model(
    model: Dict[str, Any], channels_last: bool = False
) -> Dict[str, Any]:
    """Removes sampling from the model of a config.

    Args:
        model (dict): The ``model`` of a config.
        channels_last (bool): Whether to use the faster memory format.
    """
    static = without_sampling(model)
    if channels_last:
        static.backbone.channels_last = True
    return static


def make_variants(options: BenchmarkOptions) -> List[Variant]:
    """Builds a recognizer, its base, and other forms of both.

    Args:
        options (BenchmarkOptions): Options of the benchmark.

    Returns:
        list[Variant]: The base first. Equal modules have equal weights.

    Raises:
        ValueError: If the recognizer does not sample, or has no padded
            form.
    """
    cfg = _load(options, options.config)
    if options.checkpoint:
        adaptive = load_recognizer(cfg, options.checkpoint)
    else:
        adaptive = build_recognizer(cfg.model)
    if not sgs_layers(adaptive):
        raise ValueError(
            f'{options.config!r} has no layer that samples; use a config '
            'with `sgs`'
        )
    weights = adaptive.state_dict()

    def build(model: Dict[str, Any]) -> BaseRecognizer:
        recognizer = build_recognizer(model)
        recognizer.load_state_dict(weights, strict=False)
        return recognizer

    if options.baseline:
        base_cfg = _load(options, options.baseline)
        base = build_recognizer(base_cfg.model)
    else:
        base_cfg, base = cfg, build(static_model(cfg.model))
    cost, base_cost = CostModel(adaptive), CostModel(base)
    fast = static_model(cfg.model, channels_last=True)
    variants = [Variant('base', base, base_cfg, base_cost)]
    if options.fast_base:
        variants.append(
            Variant('base, channels last', build(fast), cfg, base_cost)
        )
    if options.cuda_graph:
        if sgs_layers(base):
            raise ValueError(
                f'--cuda-graph: {options.baseline!r} samples, so its shapes '
                'vary; choose a --baseline without sampling'
            )
        variants.append(
            Variant('base, CUDA graph', base, base_cfg, base_cost, graph=True)
        )
    if options.execution is None:
        variants.append(Variant('ATFR', adaptive, cfg, cost))
    if options.fast_base and torch.device(options.device).type != 'cpu':
        # On a CPU it is the default.
        other = cfg.copy()
        other.model.backbone.channels_last = True
        variants.append(
            Variant('ATFR, channels last', build(other.model), other, cost)
        )
    for execution in options.execution or ():
        other = cfg.copy()
        other.model.backbone.execution = execution
        variants.append(
            Variant(f'ATFR, {execution}', build(other.model), other, cost)
        )
    if options.fuse:
        for name, model, own in (
            ('base, fused', fast, base_cost),
            ('ATFR, fused', cfg.model, cost),
        ):
            variants.append(Variant(name, fuse(build(model).eval()), cfg, own))
    if options.padding == 'padded':
        model = make_padded(adaptive, cfg.model)
        variants.append(Variant('padded', model, cfg, cost, padding='padded'))
    elif options.padding == 'longest':
        model = build(cfg.model)
        variants.append(
            Variant('longest', model, cfg, cost, padding='longest')
        )
    for variant in variants:
        variant.model.to(options.device)
        if options.precision == 'bf16':
            # The accuracy is computed in NumPy, which has no bfloat16.
            variant.model.cls_head.register_forward_hook(
                lambda head, inputs, scores: scores.float()
            )
    return variants


def _load(options: BenchmarkOptions, config: str) -> Config:
    return load_config(config_path(config), options.cfg_options)
