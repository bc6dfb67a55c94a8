"""The rows on GRID."""

from mmengine.config import Config

from mmatfr.experiments.grid import GridComparison
from mmatfr.zoo.models import config_path

NAME = 'resnet3d-mini-dense-atfr-learned_1xb12-32x1x1-24e_grid-color-rgb'


def test_the_learned_path_is_trained_as_by_its_config(tmp_path):
    cfg = GridComparison(work_dir=str(tmp_path)).config('learned', 0)
    expected = Config.fromfile(config_path(NAME))
    for key in ('model', 'train_dataloader', 'optim_wrapper', 'train_cfg'):
        assert cfg[key] == expected[key], key
    assert cfg.param_scheduler == expected.param_scheduler
    # Hooks of one kind each, in any order.
    assert sorted(cfg.custom_hooks, key=str) == sorted(
        expected.custom_hooks, key=str
    )


def test_other_numbers_of_epochs_have_other_folders(tmp_path):
    folders = {
        GridComparison(work_dir=str(tmp_path), **epochs).folder('path', 0)
        for epochs in (
            dict(),
            dict(epochs=1),
            dict(epochs=2),
            dict(finetune_epochs=2),
            dict(epochs=1, finetune_epochs=2),
        )
    }
    assert len(folders) == 5 and tmp_path / 'path/s0' in folders
