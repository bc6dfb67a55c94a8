"""A check that the head has a class for every label."""
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

__all__ = ['NumClassesCheckHook']


@HOOKS.register_module()
class NumClassesCheckHook(Hook):
    """Compares the labels of a data set with the classes of the head.

    Raises:
        ValueError: Before the first iteration, if a label has no class.
    """

    def before_train(self, runner) -> None:
        """Checks the training list."""
        self._check(runner, runner.train_dataloader)

    def before_val(self, runner) -> None:
        """Checks the validation list."""
        self._check(runner, runner.val_dataloader)

    def before_test(self, runner) -> None:
        """Checks the test list."""
        self._check(runner, runner.test_dataloader)

    def _check(self, runner, dataloader) -> None:
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        num_classes = model.cls_head.num_classes
        dataset = dataloader.dataset
        for idx in range(len(dataset)):
            video = dataset.get_data_info(idx)
            label = video['label']
            if isinstance(label, int) and label >= num_classes:
                raise ValueError(
                    f'{video["filename"]!r} has label {label} in '
                    f'{dataset.ann_file!r}, but model.cls_head.num_classes='
                    f'{num_classes} allows 0 to {num_classes - 1}; set it to '
                    'the number of classes of the data set')
