"""A device that exists in any build of torch and computes.

Its tensors say that they are on ``meta`` and hold their values on the CPU. As
on a GPU, an operation with tensors of both devices is an error, unless it
copies, or one of them is a single number or an index.
"""

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ['OTHER', 'OtherDevice', 'fetch', 'send']

OTHER = torch.device('meta')
_aten = torch.ops.aten
_COPIES = (_aten._to_copy.default, _aten.copy_.default)
_TAKE_INDICES = (_aten.index.Tensor, _aten.index_put_.default)


class _Sent(Tensor):
    """A tensor on the other device; ``held`` has its values."""

    is_meta = False

    @staticmethod
    def __new__(cls, held):
        made = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=OTHER,
        )
        made.held = held
        return made

    def __repr__(self):
        return f'_Sent({self.held!r})'

    def untyped_storage(self):
        return self.held.untyped_storage()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _compute(func, args, kwargs or {})


def _compute(func, args, kwargs):
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    sent = [x for x in tensors if isinstance(x, _Sent)]
    here = [x for x in tensors if not isinstance(x, _Sent) and x.dim()]
    mixed = sent and here and func not in (*_COPIES, *_TAKE_INDICES)
    if mixed:
        raise RuntimeError(
            f'{func} of tensors on two devices: '
            f'{[tuple(x.shape) for x in sent]} on the other one, '
            f'{[tuple(x.shape) for x in here]} on the CPU'
        )
    device = kwargs.get('device')
    if device is not None:
        kwargs = {**kwargs, 'device': torch.device('cpu')}
    to_other = sent if device is None else torch.device(device) == OTHER

    def unwrap(x):
        return x.held if isinstance(x, _Sent) else x

    result = func(*tree_map(unwrap, args), **tree_map(unwrap, kwargs))
    if func._schema.is_mutable:
        # In-place functions return their input.
        given = {id(x.held): x for x in sent}
        return tree_map(lambda x: given.get(id(x), x), result)
    if not to_other:
        return result
    if func in _COPIES and any(result is x.held for x in sent):
        result = result.clone()
    return tree_map(lambda x: _Sent(x) if isinstance(x, Tensor) else x, result)


class _CopyLists(TorchFunctionMode):
    """Copies lists and arrays, which torch reads below its dispatcher."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and (
            torch.device(kwargs.get('device') or 'cpu') == OTHER
        ):
            kwargs['device'] = 'cpu'
            return func(*args, **kwargs).to(OTHER)
        if func is Tensor.tolist:
            return func(args[0].cpu())
        return func(*args, **kwargs)


class OtherDevice(TorchDispatchMode):
    """Tensors that are created on the other device in this mode compute."""

    def __enter__(self):
        self._copy_lists = _CopyLists()
        self._copy_lists.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._copy_lists.__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _compute(func, args, kwargs or {})


def send(x):
    """Sends a tensor, or a module in place, to the other device."""
    if isinstance(x, Tensor):
        return _Sent(x.detach().clone()).requires_grad_(x.requires_grad)
    for module in x.modules():
        for name, tensor in module._parameters.items():
            if tensor is not None:
                module._parameters[name] = nn.Parameter(
                    send(tensor), tensor.requires_grad
                )
        for name, tensor in module._buffers.items():
            if tensor is not None:
                module._buffers[name] = send(tensor)
    return x


def fetch(x):
    """Fetches the values of a tensor from the other device."""
    assert x.device == OTHER, x.device
    return x.detach().held
