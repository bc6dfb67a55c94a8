"""A check that head, labels and checkpoint agree on the classes."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

__all__ = ['NumClassesCheckHook']


@HOOKS.register_module()
class NumClassesCheckHook(Hook):
    """Compares the labels of a data set with the classes of the head.

    In testing it also compares the head with that of the checkpoint, which
    mmengine would leave out with no more than a warning. A training may start
    from a checkpoint of other classes.

    Raises:
        ValueError: Before the first iteration, if a label has no class, or a
            checkpoint to test has another head.
    """

    def __init__(self) -> None:
        self._misfit = ''

    def before_train(self, runner) -> None:
        """Checks the training list."""
        self._misfit = ''
        self._check(runner, runner.train_dataloader)

    def before_val(self, runner) -> None:
        """Checks the validation list."""
        self._check(runner, runner.val_dataloader)

    def before_test(self, runner) -> None:
        """Checks the test list."""
        self._check(runner, runner.test_dataloader)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Takes down where the head of a checkpoint does not fit."""
        weights = checkpoint.get('state_dict', checkpoint)
        self._misfit = ', '.join(
            f'{name} is {tuple(weights[name].shape)} in the checkpoint and '
            f'{tuple(own.shape)} in the model'
            for name, own in _unwrap(runner.model).state_dict().items()
            if name.startswith('cls_head.')
            and name in weights
            and weights[name].shape != own.shape
        )

    def _check(self, runner, dataloader) -> None:
        if self._misfit:
            raise ValueError(
                f'{self._misfit}; set model.cls_head.num_classes to the '
                'number of classes that the checkpoint was trained with'
            )
        num_classes = _unwrap(runner.model).cls_head.num_classes
        dataset = dataloader.dataset
        for idx in range(len(dataset)):
            video = dataset.get_data_info(idx)
            label = video['label']
            if isinstance(label, int) and label >= num_classes:
                raise ValueError(
                    f'{video["filename"]!r} has label {label} in '
                    f'{dataset.ann_file!r}, but model.cls_head.num_classes='
                    f'{num_classes} allows 0 to {num_classes - 1}; set it to '
                    'the number of classes of the data set'
                )


def _unwrap(model):
    return model.module if is_model_wrapper(model) else model
