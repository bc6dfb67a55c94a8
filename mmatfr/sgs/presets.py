"""Settings of the layer under a name, as data."""

from typing import Any, Dict

__all__ = ['PRESETS']

# What each changes in the defaults of :class:`LayerOptions`.
PRESETS: Dict[str, Dict[str, Any]] = dict(
    # arXiv:2011.08652, Sec. 3 and 4: the defaults.
    paper=dict(),
    # The code published with arXiv:2011.08652, as its released SlowFast is
    # trained. It samples before the last ReLU of a stage, which is the
    # backbone's option `pre_activation`.
    authors=dict(similarity='l2', kernel='linear'),
    # Path sampling, docs/training.md: no weights, follows motion.
    path=dict(
        similarity='path',
        embedding='identity',
        grid=7,
        border='auto',
        border_groups=True,
        magnitude_grad=False,
        bin_range='data',
    ),
    # Path sampling over steps that a head predicts, docs/training.md. The
    # head predicts shares of the clip's sum: there is no range of the data.
    learned=dict(
        similarity='learned_path',
        embedding='identity',
        grid=7,
        border='auto',
        border_groups=True,
        magnitude_grad=False,
    ),
)
