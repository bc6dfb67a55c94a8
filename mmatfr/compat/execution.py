"""Models of mmaction2 and mmengine as they train and run."""

import functools
from typing import Callable


def distribute_without_gpu() -> bool:
    """Lets mmengine train in several processes on CPUs.

    The launcher of PyTorch calls ``torch.cuda.set_device``, and the model is
    wrapped with the index of a GPU (mmengine 0.10.7; not reported). Without a
    GPU the processes now communicate over gloo, and the model stays on the
    CPU.

    Returns:
        bool: Whether there is no GPU.
    """
    import torch
    from mmengine.device import get_device
    from mmengine.dist import utils
    from mmengine.model import MMDistributedDataParallel

    if get_device() != 'cpu':
        return False

    @functools.wraps(utils._init_dist_pytorch)
    def init(backend: str, *args, **kwargs) -> None:
        kwargs.pop('init_backend', None)
        torch.distributed.init_process_group(backend='gloo', **kwargs)

    @functools.wraps(MMDistributedDataParallel.__init__)
    def wrap(self, module, *args, **kwargs) -> None:
        kwargs.pop('device_ids', None)
        original(self, module, *args, **kwargs)

    original = MMDistributedDataParallel.__init__
    utils._init_dist_pytorch = init
    MMDistributedDataParallel.__init__ = wrap
    return True


def return_module_from_train() -> bool:
    """Makes ``train()`` of mmaction2's backbones return the module.

    Backbones that override ``train()`` return None (mmaction2 1.2.0; not
    reported), and so does ``backbone.eval()`` in a chain of calls.

    Returns:
        bool: True, because checking would require building a backbone.
    """
    from mmaction.models import backbones

    def mend(train: Callable) -> Callable:
        @functools.wraps(train)
        def train_and_return(self, mode: bool = True):
            train(self, mode)
            return self

        return train_and_return

    for backbone in vars(backbones).values():
        if isinstance(backbone, type) and 'train' in vars(backbone):
            type.__setattr__(backbone, 'train', mend(vars(backbone)['train']))
    return True
