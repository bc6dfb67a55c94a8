"""Options of benchmarks that do not go together."""

import pytest

from mmatfr.benchmark.options import BenchmarkOptions


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(device='cpu'), '--cuda-graph needs a GPU'),
        (dict(work=['train']), 'only with --work forward.* is train'),
    ],
)
def test_what_a_cuda_graph_needs(options, message):
    with pytest.raises(ValueError, match=message):
        BenchmarkOptions('config.py', cuda_graph=True, **options)
