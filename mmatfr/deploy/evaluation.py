"""The accuracy of a deployed recognizer on the test split of a config."""

import json
import logging
from ast import literal_eval
from typing import Any, Callable, Dict, List, Sequence

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmatfr.apis import clip_shape, test_pipeline
from mmatfr.apis.config import type_name
from mmatfr.cost import headline, summarize
from mmatfr.engine.hooks.num_classes_check_hook import check_labels

from .info import ModelInfo
from .model import DeployedModel, Prediction

__all__ = ['check_config', 'evaluate', 'numbers_of']

# Metrics that need more than a file gives, and what to do about it.
_LEFT_OUT = dict(
    # Summarized without the GFLOPs.
    AdaptiveCostMetric='',
    TaskAccMetric='TaskAccMetric is left out, because an exported file has '
    'the scores of one task only; test the checkpoint with tools/test.py',
)


def evaluate(
    model: DeployedModel,
    cfg: Config,
    on_video: Callable[[int, int], None] = lambda done, total: None,
) -> Dict[str, Any]:
    """Tests a deployed recognizer in the same way as ``tools/test.py``.

    It uses the test dataloader and the test evaluator of the config. GFLOPs
    are not known here, so in place of ``AdaptiveCostMetric`` it summarizes B'
    and B'/T of the clips under the same names. ``TaskAccMetric`` is left out
    with a warning, because a file has the scores of one task only.

    Args:
        model (DeployedModel): The recognizer.
        cfg (Config): The config that it was exported from.
        on_video (Callable): Called after each video with the number of
            finished videos and the total.

    Returns:
        dict[str, Any]: The metrics, as numbers, or as lists where they are
        tables.

    Raises:
        ValueError: If the file was not exported from the config.
    """
    check_config(model.info, model.path, cfg)
    dataloader = Runner.build_dataloader(cfg.test_dataloader)
    dataset = dataloader.dataset
    check_labels(dataset, model.info.num_classes)
    evaluator = Evaluator(_metrics_of_files(cfg.test_evaluator))
    evaluator.dataset_meta = getattr(dataset, 'metainfo', None)
    costs = []
    done = 0
    for batch in dataloader:
        samples = batch['data_samples']
        for inputs, sample in zip(batch['inputs'], samples, strict=True):
            views = model.split_views(inputs.numpy())
            prediction = model.average([model.run_view(v) for v in views])
            sample.set_pred_score(torch.from_numpy(prediction.scores))
            sample.set_pred_label(prediction.label)
            sample.set_metainfo(_describe_groups(model.info, prediction))
            if model.info.pathways:
                costs.append(_describe_lengths(model.info, prediction))
                sample.set_metainfo(costs[-1])
            done += 1
            on_video(done, len(dataset))
        evaluator.process(samples, batch)
    metrics = evaluator.evaluate(len(dataset))
    if costs:
        for name, value in headline(summarize(costs)).items():
            metrics[f'cost/{name}'] = value
    return {
        name: value.tolist()
        if isinstance(value, (torch.Tensor, np.ndarray, np.generic))
        else value
        for name, value in metrics.items()
    }


def numbers_of(metrics: Dict[str, Any]) -> Dict[str, float]:
    """Returns the metrics that are numbers.

    Args:
        metrics (dict[str, Any]): Result of :func:`evaluate`.

    Returns:
        dict[str, float]: Those without tables, such as a confusion matrix.
    """
    return {
        name: value
        for name, value in metrics.items()
        if isinstance(value, (int, float))
    }


def check_config(info: ModelInfo, path: str, cfg: Config) -> None:
    """Checks that a file was exported from a config.

    The number of views may differ.

    Args:
        info (ModelInfo): Metadata of the file.
        path (str): The file.
        cfg (Config): The config.

    Raises:
        ValueError: If the number of classes, the clips or the test pipelines
            differ.
    """
    differences = [
        (f'{own} {what}', other)
        for what, own, other in (
            ('classes', info.num_classes, cfg.model.cls_head.num_classes),
            ('frames a clip', info.num_frames, clip_shape(cfg)[1]),
        )
        if own != other
    ]
    own, other = (
        _steps(pipeline)
        for pipeline in (literal_eval(info.pipeline), test_pipeline(cfg))
    )
    differences += [
        (f'the step {a} of the test pipeline', b)
        for a, b in zip(own, other, strict=False)
        if a != b
    ]
    if len(own) != len(other):
        differences.append(
            (f'{len(own)} steps of the test pipeline', len(other))
        )
    if differences:
        there, here = differences[0]
        raise ValueError(
            f'{path!r} was not exported from {cfg.filename!r}: it has '
            f'{there}, but the config has {here}; use the config it was '
            f'exported from, {info.config!r}, with the same --cfg-options'
        )


def _steps(pipeline: Sequence[dict]) -> List[dict]:
    """Returns the steps of a pipeline that change the frames of a view."""
    steps = []
    for step in pipeline:
        step = ConfigDict(step).to_dict()
        if step.get('clip_len', 1) > 1:
            step.pop('num_clips', None)  # the number of views
        step['type'] = type_name(step)
        if step['type'] != 'PackActionInputs':
            # Tuples and lists are the same to a pipeline.
            steps.append(json.loads(json.dumps(step, default=str)))
    return steps


def _describe_groups(
    info: ModelInfo, prediction: Prediction
) -> Dict[str, Any]:
    """Returns groups as :class:`mmatfr.engine.TemporalResolutionHook` does."""
    return dict(
        groups=[
            groups.tolist() for _, groups in prediction.by_pathway().values()
        ],
        clip_frames=info.num_frames,
    )


def _describe_lengths(
    info: ModelInfo, prediction: Prediction
) -> Dict[str, Any]:
    """Returns B' of a video in the form of :mod:`mmatfr.cost.statistics`."""
    lengths, groups = zip(*prediction.by_pathway().values(), strict=True)
    num_frames = [each.shape[1] for each in groups]
    several = len(num_frames) > 1
    columns = np.stack(lengths, axis=1)
    return dict(
        lengths=(columns if several else columns[:, 0]).tolist(),
        num_frames=num_frames if several else num_frames[0],
        sgs_layers=tuple(
            '.'.join(filter(None, ('backbone', pathway, 'sgs')))
            for pathway in info.pathways
        ),
    )


def _metrics_of_files(evaluator: Any) -> List[dict]:
    """Returns the metrics of an evaluator that a file allows."""
    metrics = (
        list(evaluator)
        if isinstance(evaluator, (list, tuple))
        else [evaluator]
    )
    for metric in metrics:
        reason = _LEFT_OUT.get(type_name(metric))
        if reason:
            print_log(reason, logger='current', level=logging.WARNING)
    return [x for x in metrics if type_name(x) not in _LEFT_OUT]
