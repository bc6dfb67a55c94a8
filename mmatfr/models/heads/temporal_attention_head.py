"""A head that answers several questions about a clip, each in its time."""

from typing import Dict, Optional

import torch
from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.model import normal_init
from torch import Tensor, nn

__all__ = ['TemporalAttentionHead']


@MODELS.register_module()
class TemporalAttentionHead(BaseHead):
    """Classifies a clip by several tasks, each with its attention over time.

    For each task a linear map of the features of a frame, averaged over space,
    gives the weight of the frame, softmax over time; the weighted mean of the
    frames is classified by a linear layer. The losses of all tasks are added.
    One of the tasks is that of the label: :meth:`forward` returns its scores,
    and ``AccMetric`` evaluates it. :class:`mmatfr.evaluation.TaskAccMetric`
    evaluates all tasks.

    A backbone that samples needs ``readout='frames'``, so that the weight of a
    group grows with its number of frames.

    The labels of the tasks are ``task_labels`` in the data samples, a dict by
    name, as from :class:`mmatfr.datasets.WordVideoDataset` with
    ``dict(type='PackActionInputs', meta_keys=('task_labels',))``.

    Args:
        num_classes (int): Number of classes of the label.
        in_channels (int): Number of channels C of the feature maps.
        tasks (dict[str, int]): Number of classes of each task, by name.
        task (str): Name of the task of the label.
        dropout_ratio (float): Probability of dropout before the classifiers.
            Defaults to 0.5.
        init_std (float): Standard deviation of the initial weights. Defaults
            to 0.01.
        **kwargs: Further arguments of
            :class:`mmaction.models.heads.BaseHead`.

    Raises:
        ValueError: If the label is not one of the tasks, or has another number
            of classes.

    Examples:
        >>> import torch
        >>> from mmatfr.models import TemporalAttentionHead
        >>> head = TemporalAttentionHead(
        ...     num_classes=4, in_channels=8, task='color',
        ...     tasks=dict(color=4, digit=10))
        >>> features = torch.rand(2, 8, 16, 7, 7)
        >>> head(features).shape, head.score_tasks(features)['digit'].shape
        (torch.Size([2, 4]), torch.Size([2, 10]))
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        tasks: Dict[str, int],
        task: str,
        dropout_ratio: float = 0.5,
        init_std: float = 0.01,
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        if task not in tasks:
            raise ValueError(
                f'task={task!r} is unknown; choose one of {list(tasks)}'
            )
        if tasks[task] != num_classes:
            raise ValueError(
                f'num_classes={num_classes}, but tasks[{task!r}]='
                f'{tasks[task]}; set both to the number of classes of the '
                'label'
            )
        self.tasks = dict(tasks)
        self.task = task
        self.init_std = init_std
        self.attention = nn.Conv1d(in_channels, len(tasks), kernel_size=1)
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.ModuleDict(
            {name: nn.Linear(in_channels, n) for name, n in tasks.items()}
        )

    def init_weights(self) -> None:
        """Initializes the weights."""
        for layer in (self.attention, *self.fc_cls.values()):
            normal_init(layer, std=self.init_std)

    def forward(self, x: Tensor, **kwargs) -> Tensor:
        """Computes the scores of the label.

        Args:
            x (Tensor): Feature maps, (N, C, T, H, W).

        Returns:
            Tensor: (N, num_classes).
        """
        return self.score_tasks(x, self.task)[self.task]

    def score_tasks(
        self, x: Tensor, task: Optional[str] = None
    ) -> Dict[str, Tensor]:
        """Computes the scores of the tasks.

        Args:
            x (Tensor): Feature maps, (N, C, T, H, W).
            task (str, optional): Name of the only task to compute. Defaults to
                None: all.

        Returns:
            dict[str, Tensor]: Scores by name, (N, K) for a task of K classes.
        """
        x = x.mean(dim=(3, 4))
        weights = self.attention(x).softmax(dim=2)
        # The mean over time for each task, (N, tasks, C).
        means = self.dropout(weights @ x.transpose(1, 2))
        return {
            name: fc(means[:, place])
            for place, (name, fc) in enumerate(self.fc_cls.items())
            if task in (None, name)
        }

    def loss(
        self, feats: Tensor, data_samples: SampleList, **kwargs
    ) -> Dict[str, Tensor]:
        """Computes the loss of each task, and the accuracy of the label.

        Args:
            feats (Tensor): Feature maps, (N, C, T, H, W).
            data_samples (list[ActionDataSample]): The samples, with
                ``gt_label`` and ``task_labels``.

        Returns:
            dict[str, Tensor]: ``top<k>_acc``, and ``loss_<task>`` by task.

        Raises:
            ValueError: If a sample has no ``task_labels``, or a label is
                missing or not a class of its task.
        """
        scores = self.score_tasks(feats)
        losses = self.loss_by_feat(scores[self.task], data_samples)
        losses[f'loss_{self.task}'] = losses.pop('loss_cls')
        for name, own in scores.items():
            if name == self.task:
                continue
            labels = [self._label(sample, name) for sample in data_samples]
            losses[f'loss_{name}'] = self.loss_cls(
                own, torch.tensor(labels, device=own.device)
            )
        return losses

    def _label(self, sample, name: str) -> int:
        labels = sample.get('task_labels')
        if labels is None:
            raise ValueError(
                'TemporalAttentionHead found no `task_labels` in the data '
                "samples; use WordVideoDataset and add 'task_labels' to "
                '`meta_keys` of PackActionInputs'
            )
        label = labels.get(name)
        if label not in range(self.tasks[name]):
            raise ValueError(
                f'task_labels[{name!r}]={label!r} is not a class of '
                f'tasks[{name!r}]={self.tasks[name]}; set `tasks` of the head '
                'to the words of the data set and their numbers of classes'
            )
        return label

    def predict(
        self, feats: Tensor, data_samples: SampleList, **kwargs
    ) -> SampleList:
        """Predicts the classes of all tasks.

        Args:
            feats (Tensor): Feature maps of all views, (N, C, T, H, W).
            data_samples (list[ActionDataSample]): The samples.

        Returns:
            list[ActionDataSample]: The samples, with scores and class of the
            label, and ``pred_task_labels``, the class of each task by name.
        """
        scores = self.score_tasks(feats)
        data_samples = self.predict_by_feat(scores[self.task], data_samples)
        views = len(feats) // len(data_samples)
        answers = {
            name: self.average_clip(own, num_segs=views)
            .reshape(len(data_samples), -1, self.tasks[name])
            .mean(dim=1)
            .argmax(dim=1)
            .tolist()
            for name, own in scores.items()
        }
        for place, sample in enumerate(data_samples):
            sample.set_metainfo(
                dict(
                    pred_task_labels={
                        name: labels[place] for name, labels in answers.items()
                    }
                )
            )
        return data_samples
