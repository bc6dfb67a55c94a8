"""Named settings of the layer."""

from typing import Any, Dict

__all__ = ['PRESETS']

# Differences from the defaults of :class:`LayerOptions`.
PRESETS: Dict[str, Dict[str, Any]] = dict(
    # arXiv:2011.08652, Sec. 3 and 4: the defaults.
    paper=dict(),
    # The code published with arXiv:2011.08652, with the options of its
    # released SlowFast. It samples before the last ReLU of a stage; set
    # `pre_activation` of the backbone for that.
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
    # Path sampling over steps that a head predicts, docs/moving_worlds.md.
    # Steps are shares of the sum of a clip, so they have no range across
    # clips.
    learned=dict(
        similarity='learned_path',
        embedding='identity',
        grid=7,
        border='auto',
        border_groups=True,
        magnitude_grad=False,
    ),
)
