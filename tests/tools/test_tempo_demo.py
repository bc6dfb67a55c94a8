"""The demos: nothing half done is taken for done, and what they show."""

import json
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def quick_demo(monkeypatch, tempo):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    import quick_demo

    monkeypatch.setattr(quick_demo, '_DATA', str(tempo))
    return quick_demo


def test_half_a_checkpoint_is_not_taken_for_done(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    from tempo_demo import plan_training

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


def test_released_weights_at_work(quick_demo, tmp_path, capsys):
    quick_demo.show_released(tmp_path)
    rows = [
        [cell.strip() for cell in line.strip('│').split('│')]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith('│')
    ]
    assert len(rows) == 4
    for plain, sampled in zip(rows[::2], rows[1::2], strict=True):
        assert plain[2] == '1.00' and float(sampled[2]) < 0.7
        assert float(sampled[3]) < 0.7 * float(plain[3])
        assert float(sampled[1]) > 60
    assert (tmp_path / 'groups.png').stat().st_size > 1000


def test_curve_goes_on_over_an_interruption(quick_demo, tmp_path):
    runs = (
        [dict(loss=2.0, epoch=1), dict(loss=1.0, epoch=1)],
        [
            {'acc/top1': 0.25, 'step': 1},
            {'val/temporal_resolution': 0.5, 'step': 1},
            dict(loss=0.5, epoch=2),
            {'acc/top1': 0.75, 'step': 2},
        ],
    )
    for number, rows in enumerate(runs):
        path = tmp_path / f'{number}/vis_data/scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    curve = quick_demo.read_curve(tmp_path)
    assert curve == dict(loss=[(1, 1.5), (2, 0.5)], top1=[(1, 25), (2, 75)])
    line = quick_demo.describe_epoch(curve, 8)
    assert 'epoch  2/8' in line and '75.0 %' in line
    assert line.count('█') == 3 * line.count('░')
    quick_demo.draw_curve(curve, 8, tmp_path / 'curve.png')
    assert (tmp_path / 'curve.png').stat().st_size > 1000
