"""The rows on GRID."""

import pytest
from mmengine.config import Config

from mmatfr.experiments.grid import GridComparison
from mmatfr.zoo.models import config_path

LEARNED = {
    'color': '32x1x1-24e_grid-color-rgb',
    'sentence': '75x1x1-24e_grid-sentence-rgb',
}
NAMES = {'resnet3d': 'resnet3d-mini-dense', 'tsm': 'tsm-r18'}


@pytest.mark.parametrize(
    'task, model',
    [('color', 'resnet3d'), ('color', 'tsm'), ('sentence', 'resnet3d')],
)
def test_the_learned_path_is_trained_as_by_its_config(task, model, tmp_path):
    comparison = GridComparison(task=task, model=model, work_dir=str(tmp_path))
    cfg = comparison.config('learned', 0)
    name = f'{NAMES[model]}-atfr-learned_1xb12-{LEARNED[task]}'
    expected = Config.fromfile(config_path(name))
    for key in ('model', 'train_dataloader', 'optim_wrapper', 'train_cfg'):
        assert cfg[key] == expected[key], key
    assert cfg.param_scheduler == expected.param_scheduler
    # Hooks of one kind each, in any order.
    assert sorted(cfg.custom_hooks, key=str) == sorted(
        expected.custom_hooks, key=str
    )


@pytest.mark.parametrize('task', LEARNED)
def test_the_path_has_the_bins_of_its_title(task):
    comparison = GridComparison(task=task)
    for name in ('path', 'learned'):
        bins = comparison.config(name, 0).model.backbone.sgs.num_bins
        assert f', {bins} bins' in comparison.rows[name].title
        assert f'{name}_bins{bins}' not in comparison.rows


def test_tasks_models_and_numbers_of_epochs_have_separate_folders(tmp_path):
    folders = {
        GridComparison(work_dir=str(tmp_path), **options).folder('path', 0)
        for options in (
            dict(),
            dict(epochs=1),
            dict(epochs=2),
            dict(finetune_epochs=2),
            dict(epochs=1, finetune_epochs=2),
            dict(task='sentence'),
            dict(task='sentence', epochs=1),
            dict(model='tsm'),
        )
    }
    assert len(folders) == 8 and tmp_path / 'resnet3d/path/s0' in folders
