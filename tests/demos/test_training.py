"""Trainings with the scripts; incomplete checkpoints are not used."""

import torch

from mmatfr.demos.training import plan_training


def test_half_a_checkpoint_is_not_taken_for_done(tmp_path, capsys):
    epochs = [tmp_path / f'epoch_{epoch}.pth' for epoch in (11, 12)]
    for path in epochs:
        torch.save(dict(state_dict=dict(weight=torch.ones(9999))), path)
    assert plan_training('name', epochs[1]) is None
    epochs[1].write_bytes(epochs[1].read_bytes()[:20000])
    last = tmp_path / 'last_checkpoint'
    last.write_text(str(epochs[0]))
    assert plan_training('name', epochs[1])[1:] == [
        'tools/train.py',
        'configs/recognition/resnet3d/name.py',
        '--resume',
    ]
    assert 'epoch_12.pth is incomplete' in capsys.readouterr().out
    last.write_text(str(epochs[1]))
    assert '--resume' not in plan_training('name', epochs[1])
    assert plan_training('name', epochs[1], ['--work-dir', 'x'])[-2:] == [
        '--work-dir',
        'x',
    ]
