"""Trains a network that samples towards one that does not."""

import copy
from numbers import Real
from typing import Dict, Optional

import torch
import torch.nn.functional as F
from mmaction.registry import HOOKS, MODELS
from mmengine.hooks import Hook
from mmengine.runner import load_checkpoint
from torch import Tensor, nn

from mmatfr.apis import unwrap
from mmatfr.models.networks import scorer

__all__ = ['DistillationHook']


@HOOKS.register_module()
class DistillationHook(Hook):
    """Adds a loss between the scores of a network and those of its teacher.

    The teacher is the network of the config without sampling, with weights
    that are trained beforehand, and does not change. In every training
    iteration it classifies the same clips, with all frames. The loss becomes
    ``(1 - weight) loss_cls + weight T^2 KL(softmax(t / T) || softmax(s / T))``
    with the scores t of the teacher and s of the network, as in "Distilling
    the Knowledge in a Neural Network", arXiv:1503.02531. Its parts are logged
    as ``loss_cls`` and ``loss_distill``, and nothing is added to checkpoints.

    This hook is not part of the paper of SGS.

    Args:
        teacher (str): Checkpoint of the teacher.
        weight (float): Share of the new loss, greater than 0 and at most 1.
            Defaults to 0.7.
        temperature (float): T, greater than 0. Defaults to 2.

    Raises:
        ValueError: If a number is out of range, or, before the first
            iteration, if the config does not sample in the backbone, mixes
            clips, or has a head with several tasks.
    """

    def __init__(
        self, teacher: str, weight: float = 0.7, temperature: float = 2.0
    ) -> None:
        # For mypy a float is not a Real.
        if not isinstance(weight, (float, Real)) or not 0 < weight <= 1:
            raise ValueError(
                f'weight={weight!r} must be a number greater than 0 and at '
                'most 1'
            )
        if not isinstance(
            temperature, (float, Real)
        ) or not 0 < temperature < float('inf'):
            raise ValueError(
                f'temperature={temperature!r} must be a number greater than 0'
            )
        self.teacher = teacher
        self.weight = weight
        self.temperature = temperature
        self._teacher: Optional[nn.Module] = None
        self._loss: Optional[_Distillation] = None

    def before_run(self, runner) -> None:
        """Restores the loss of the head, if a training was interrupted."""
        head = unwrap(runner.model).cls_head
        # Heads with several tasks have none, and are refused later.
        loss = getattr(head, 'loss_cls', None)
        if isinstance(loss, _Distillation):
            head.loss_cls = loss.own

    def before_train(self, runner) -> None:
        """Builds the teacher and extends the loss of the head."""
        model = unwrap(runner.model)
        cfg = copy.deepcopy(runner.cfg.model)
        if cfg.backbone.get('sgs') is None:
            raise ValueError(
                'DistillationHook needs a backbone that samples, for its '
                'teacher does not; set sgs in the backbone of the config'
            )
        if model.data_preprocessor.blending is not None:
            raise ValueError(
                'DistillationHook cannot show mixed clips to the teacher; '
                'remove blending from the data_preprocessor'
            )
        if hasattr(model.cls_head, 'score_tasks'):
            raise ValueError(
                f'DistillationHook does not know the tasks of '
                f'{type(model.cls_head).__name__}; use a head with one task'
            )
        cfg.backbone.sgs = None
        teacher = MODELS.build(cfg)
        load_checkpoint(
            teacher,
            self.teacher,
            map_location='cpu',
            strict=True,
            logger=runner.logger,
        )
        device = next(model.parameters()).device
        self._teacher = teacher.to(device).eval().requires_grad_(False)
        self._loss = _Distillation(
            model.cls_head.loss_cls, self.weight, self.temperature
        )
        model.cls_head.loss_cls = self._loss

    def before_train_iter(
        self, runner, batch_idx: int, data_batch=None
    ) -> None:
        """Classifies the clips of the batch by the teacher."""
        assert self._teacher is not None and self._loss is not None
        with torch.no_grad():
            (self._loss.target,) = scorer(self._teacher, data_batch)()

    def after_train(self, runner) -> None:
        """Restores the loss of the head."""
        assert self._loss is not None
        unwrap(runner.model).cls_head.loss_cls = self._loss.own
        self._teacher = self._loss = None


class _Distillation(nn.Module):
    """The loss of a head, and the divergence from given scores.

    Attributes:
        target (Tensor): Scores of the teacher for the current clips, (N, K).
    """

    target: Tensor

    def __init__(
        self, own: nn.Module, weight: float, temperature: float
    ) -> None:
        super().__init__()
        self.own = own
        self.weight = weight
        self.temperature = temperature

    def forward(self, scores: Tensor, label: Tensor, **kwargs) -> Dict:
        losses = self.own(scores, label, **kwargs)
        if not isinstance(losses, dict):
            losses = dict(loss_cls=losses)
        losses = {
            name: (1 - self.weight) * loss if 'loss' in name else loss
            for name, loss in losses.items()
        }
        divergence = F.kl_div(
            F.log_softmax(scores.float() / self.temperature, dim=1),
            F.log_softmax(self.target.float() / self.temperature, dim=1),
            reduction='batchmean',
            log_target=True,
        )
        losses['loss_distill'] = self.weight * self.temperature**2 * divergence
        return losses
