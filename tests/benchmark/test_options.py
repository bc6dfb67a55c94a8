"""Options of benchmarks that do not go together."""

import pytest

from mmatfr.benchmark.options import BenchmarkOptions


def test_a_cuda_graph_needs_a_gpu():
    with pytest.raises(ValueError, match='--cuda-graph needs a GPU'):
        BenchmarkOptions('config.py', cuda_graph=True, device='cpu')
