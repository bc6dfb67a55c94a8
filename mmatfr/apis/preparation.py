"""Prepares layers in a trained network on clips, without training."""

import copy
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Union

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor, nn

from mmatfr.checkpoint import check_fit, open_checkpoint
from mmatfr.models.networks import evaluating, scorer
from mmatfr.sgs import sgs_layers

from .batches import numbered, refuse_not_finite
from .sensitivity import FIT_BATCHES, fit_similarity, learned_similarities

__all__ = ['calibrate_bin_range', 'write_inserted']

# Number of batches for estimating the range of bins.
SEEN_BATCHES = 20


def calibrate_bin_range(recognizer: nn.Module, batches: Iterable[Any]) -> None:
    """Estimates the range of magnitudes of the layers from clips.

    Only the running mean of the largest magnitudes, used by
    ``bin_range='data'``, changes; weights and other statistics do not.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2, or a network with
            its head, with the weights of the network without sampling.
        batches (Iterable): Batches, each as for
            :func:`mmatfr.models.networks.scorer`.

    Raises:
        ValueError: If there is no batch, or the magnitudes of one are not
            finite; the range is then the one before.
    """
    layers = sgs_layers(recognizer)
    measured = [x for x in layers.values() if x.bin_range == 'data']
    before = [copy.deepcopy(layer.state_dict()) for layer in measured]
    magnitudes: Dict[str, List[Tensor]] = {name: [] for name in layers}
    handles = [
        layer.register_forward_hook(
            lambda layer, args, out, name=name: magnitudes[name].append(
                layer.magnitude
            )
        )
        for name, layer in layers.items()
    ]
    try:
        with evaluating(recognizer), torch.no_grad():
            for layer in measured:
                layer.training = True  # without its parts
            for number, batch in numbered(batches):
                scorer(recognizer, batch)()
                for name, values in magnitudes.items():
                    refuse_not_finite(number, f'magnitudes at {name}', *values)
                    values.clear()
    except BaseException:  # also if the user stops it
        for layer, state in zip(measured, before, strict=True):
            layer.load_state_dict(state)
        raise
    finally:
        for handle in handles:
            handle.remove()


def write_inserted(
    cfg: Config,
    weights: Union[str, Path],
    out: Union[str, Path],
    *,
    num_fitted: int = FIT_BATCHES,
    num_seen: int = SEEN_BATCHES,
    track: Optional[Callable[..., Iterable[dict]]] = None,
) -> Dict[str, float]:
    """Inserts the layers of a config into a trained network and saves it.

    The weights of the network without sampling do not change. On clips of the
    training list, heads that predict steps are fitted, and the layers estimate
    the range of their bins.

    Args:
        cfg (Config): Config of the recognizer with sampling; its origin of
            weights and working directory are overridden.
        weights (str | Path): Checkpoint of the network without sampling.
        out (str | Path): Path of the new checkpoint.
        num_fitted (int): Number of batches for fitting heads. Defaults to 100.
        num_seen (int): Number of batches for estimating the range of bins.
            Defaults to 20.
        track (Callable, optional): Shows the progress, as
            ``rich.progress.Progress.track``. Defaults to None.

    Returns:
        dict[str, float]: The part that each head explains, by name of its
        layer, see :func:`mmatfr.apis.sensitivity.fit_similarity`.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the recognizer has no layer that samples, the weights
            are those of another, or the training list has no batch.
    """
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f'{str(weights)!r} does not exist; check the path'
        )
    out = Path(out)
    cfg.load_from = str(weights)
    cfg.work_dir = str(out.parent)
    runner = Runner.from_cfg(cfg)
    if not sgs_layers(runner.model):
        raise ValueError(
            f'{cfg.filename!r} has no layer that samples; use a config with '
            '`sgs`'
        )
    check_fit(
        runner.model.state_dict(),
        open_checkpoint(str(weights))[0],
        str(weights),
        cfg.filename,
        base=True,
    )
    runner.load_or_resume()
    loader = runner.build_dataloader(cfg.train_dataloader, seed=0)

    def first(number: int, description: str) -> Iterable[dict]:
        batches = islice(loader, number)
        if track is None:
            return batches
        return track(
            batches, total=min(number, len(loader)), description=description
        )

    explained = {}
    if learned_similarities(runner.model):
        explained = fit_similarity(
            runner.model, first(num_fitted, 'gains of steps')
        )
    calibrate_bin_range(runner.model, first(num_seen, 'range of bins'))
    runner.save_checkpoint(
        str(out.parent),
        out.name,
        save_optimizer=False,
        save_param_scheduler=False,
    )
    return explained
