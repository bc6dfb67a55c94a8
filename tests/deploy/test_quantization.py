"""A recognizer in 8 bits, with groups computed in float."""

import sys

import numpy as np
import onnx
import pytest

from mmatfr.cli import describe_error
from mmatfr.deploy import available_engines, load_model
from mmatfr.deploy.quantization import (
    compare_times,
    float_nodes,
    quantize_onnx,
    read_clips,
)


def test_quantizes_all_but_what_decides_the_groups(
    deployed, video_config, tmp_path, monkeypatch
):
    _, path = deployed
    cfg = video_config
    cfg.val_dataloader = dict(dataset=cfg.test_dataloader.dataset)
    out = str(tmp_path / 'int8.onnx')
    graph = onnx.load(path).graph
    kept = set(float_nodes(graph, ['groups']))
    types = [node.op_type for node in graph.node if node.name in kept]
    assert {'Floor', 'Equal', 'Range', 'MatMul'} <= set(types)
    assert 'Conv' not in types

    with pytest.raises(ValueError, match='the file is not saved'):
        quantize_onnx(path, cfg, out, 2, tolerance=-101)
    assert not list(tmp_path.glob('*int8*'))
    steps = []
    info = quantize_onnx(
        path, cfg, out, 12, 100, on_step=lambda *step: steps.append(step)
    )
    assert steps[:12] == [('calibration', done, 12) for done in range(1, 13)]
    assert steps[-1][1:] == (12, 12)

    # Kernels are quantized, but no node that determines the groups. NNCF skips
    # squeeze-excitation.
    graph = onnx.load(out).graph
    quantized = {
        name
        for node in graph.node
        if node.op_type == 'DequantizeLinear'
        for name in node.output
    }
    for node in graph.node:
        if node.op_type == 'Conv' and 'se_module' not in node.input[1]:
            assert node.input[1] in quantized, node.name
        elif node.name in kept:
            assert not set(node.input) & quantized, node.name

    clips = list(read_clips(load_model(path), cfg, 3))
    for engine in available_engines():
        models = dict(
            float=load_model(path, engine), int8=load_model(out, engine)
        )
        own = models['int8'].info
        assert (
            own.quantized == info.quantized and own.quantized['videos'] == 12
        )
        assert own.classes == models['float'].info.classes
        assert {'float', 'int8'} == set(own.quantized['accuracy'][engine])
        for clip in clips:
            # One group in both: what differs is the arithmetic alone.
            expected, actual = (
                m.run_view(clip, num_bins=1)[0] for m in models.values()
            )
            error = np.abs(expected - actual).max()
            assert 0 < error < 0.25 * np.abs(expected).max()
        seconds = compare_times(models, clips, rounds=2)
        assert [len(values) for values in seconds.values()] == [2, 2]

    with pytest.raises(ValueError, match='already quantized'):
        quantize_onnx(out, cfg, str(tmp_path / 'again.onnx'))
    monkeypatch.setitem(sys.modules, 'nncf', None)
    with pytest.raises(ImportError) as missing:
        quantize_onnx(path, cfg, out)
    assert "pip install 'mmatfr[int8]'" in describe_error(missing.value)
