"""Checks that head, labels and checkpoint have the same classes."""

from typing import Any, Dict, Iterator, List

import numpy as np
from mmaction.registry import HOOKS
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook

from mmatfr.apis import unwrap

__all__ = ['NumClassesCheckHook', 'check_labels']


@HOOKS.register_module()
class NumClassesCheckHook(Hook):
    """Checks the labels of a data set against the classes of the head.

    Repeated and concatenated data sets are checked recursively, and
    multi-label videos with all their labels. A head without classes fits any
    data set. The label -1, which marks a video without a label in mmaction2,
    is an error in training only. In testing the hook also checks that the head
    of the checkpoint fits, because mmengine would skip it with only a warning.
    Training may start from a checkpoint with other classes.

    Raises:
        ValueError: Before the first iteration, if a label has no class, or the
            checkpoint to test has a different head.
    """

    def __init__(self) -> None:
        self._misfit = ''

    def before_train(self, runner) -> None:
        """Checks the training list."""
        self._misfit = ''
        self._check(runner, runner.train_dataloader, trains=True)

    def before_val(self, runner) -> None:
        """Checks the validation list."""
        self._check(runner, runner.val_dataloader)

    def before_test(self, runner) -> None:
        """Checks the test list."""
        self._check(runner, runner.test_dataloader)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Records whether the head of the checkpoint fits."""
        weights = checkpoint.get('state_dict', checkpoint)
        self._misfit = ', '.join(
            f'{name} is {tuple(weights[name].shape)} in the checkpoint and '
            f'{tuple(own.shape)} in the model'
            for name, own in unwrap(runner.model).state_dict().items()
            if name.startswith('cls_head.')
            and name in weights
            and weights[name].shape != own.shape
        )

    def _check(self, runner, dataloader, trains: bool = False) -> None:
        if self._misfit:
            raise ValueError(
                f'{self._misfit}; set model.cls_head.num_classes to the '
                'number of classes that the checkpoint was trained with'
            )
        head = getattr(unwrap(runner.model), 'cls_head', None)
        num_classes = getattr(head, 'num_classes', None)
        if num_classes is None:  # for example, a head that returns features
            return
        check_labels(dataloader.dataset, num_classes, trains)


def check_labels(
    dataset: BaseDataset, num_classes: int, trains: bool = False
) -> None:
    """Checks that every label of a data set has a class.

    Args:
        dataset (BaseDataset): A data set of videos; may wrap others.
        num_classes (int): Number of classes of the head.
        trains (bool): Whether every video needs a label. Defaults to False.

    Raises:
        ValueError: If a label has no class; names the first such video.
    """
    for part in _parts(dataset):
        _check_part(part, num_classes, trains)


def _check_part(dataset: BaseDataset, num_classes: int, trains: bool) -> None:
    source = repr(getattr(dataset, 'ann_file', type(dataset).__name__))
    for idx in range(len(dataset)):
        video = _describe(dataset, idx)
        for label in _labels(video):
            if label >= num_classes or (trains and label < 0):
                raise ValueError(
                    f'{_name(video, idx)} has label {label} in {source}, '
                    f'but model.cls_head.num_classes={num_classes} allows '
                    f'0 to {num_classes - 1}; '
                    + (
                        'training needs a label for every video: correct it, '
                        'or remove the video from the list'
                        if label < 0
                        else 'set it to the number of classes of the data set'
                    )
                )
    marks = getattr(dataset, 'num_classes', None)
    if getattr(dataset, 'multi_class', False) and marks != num_classes:
        raise ValueError(
            f'the data set of {source} has num_classes={marks}, but '
            f'model.cls_head.num_classes={num_classes}; set both to the '
            'number of classes'
        )


def _parts(dataset: BaseDataset) -> Iterator[BaseDataset]:
    """Yields the innermost data sets, which have lists."""
    if hasattr(dataset, 'datasets'):  # ConcatDataset
        for part in dataset.datasets:
            yield from _parts(part)
    elif hasattr(dataset, 'dataset'):  # RepeatDataset, ClassBalancedDataset
        yield from _parts(dataset.dataset)
    elif hasattr(dataset, 'get_data_info'):
        yield dataset


def _describe(dataset: BaseDataset, idx: int) -> Dict[str, Any]:
    # The entry of the list. mmaction2's data sets would encode several labels,
    # or read a skeleton from its file.
    if isinstance(dataset, BaseDataset):
        return BaseDataset.get_data_info(dataset, idx)
    return dataset.get_data_info(idx)


def _labels(video: Dict[str, Any]) -> List[int]:
    label = video.get('label')
    labels = label if isinstance(label, (list, tuple)) else [label]
    return [int(n) for n in labels if isinstance(n, (int, np.integer))]


def _name(video: Dict[str, Any], idx: int) -> str:
    for key in ('filename', 'frame_dir', 'audio_path', 'video_id'):
        if key in video:
            return repr(video[key])
    return f'entry {idx}'
