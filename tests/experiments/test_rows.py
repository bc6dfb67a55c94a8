"""The configs of rows."""

import pytest
from mmengine.config import Config

from mmatfr.experiments.models import MODELS
from mmatfr.experiments.tempo_rows import ROWS
from mmatfr.sgs import LayerOptions
from mmatfr.zoo.models import config_path


def options_of(cfg):
    """Options of the layer of each pathway; '' is the backbone."""
    sgs = cfg.model.backbone.sgs
    pathways = {'': sgs} if 'stage' in sgs else sgs
    return {
        name: (own.pop('stage'), LayerOptions.from_preset(**own))
        for name, own in pathways.items()
    }


@pytest.mark.parametrize(
    'model, config',
    [
        ('resnet3d', 'resnet3d-mini-dense-atfr-learned'),
        ('tsm', 'tsm-r18-atfr-learned'),
        ('slowfast', 'slowfast-mini-atfr-learned'),
        ('x3d', 'x3d_xxs-atfr-learned'),
    ],
)
def test_the_learned_path_is_that_of_the_configs(model, config):
    wanted = Config.fromfile(
        config_path(f'{config}_1xb12-16x2x1-8e_tempo-small-wild-rgb')
    )
    row = ROWS['learned_path'].config(MODELS[model])
    assert options_of(row) == options_of(wanted)
    hooks = [sorted(h.type for h in c.custom_hooks) for c in (row, wanted)]
    assert hooks[0] == hooks[1]


def test_pathways_have_bins_in_proportion_to_their_frames():
    row = ROWS['learned_path_bins8'].config(MODELS['slowfast'])
    bins = {name: own.num_bins for name, (_, own) in options_of(row).items()}
    assert bins == dict(slow_path=2, fast_path=8)
