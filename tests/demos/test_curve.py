"""The curve of a training."""

import json

from mmatfr.demos.curve import describe_epoch, draw_curve, read_curve


def test_curve_goes_on_over_an_interruption(tmp_path):
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
        lines = ''.join(json.dumps(row) + '\n' for row in rows)
        path.write_text(lines + '{"loss": 2.5, "ep')  # cut short
    curve = read_curve(tmp_path)
    assert curve == dict(loss=[(1, 1.5), (2, 0.5)], top1=[(1, 25), (2, 75)])
    line = describe_epoch(curve, 8)
    assert 'epoch  2/8' in line and '75.0 %' in line
    assert line.count('█') == 3 * line.count('░')
    draw_curve(curve, 8, tmp_path / 'curve.png')
    assert (tmp_path / 'curve.png').stat().st_size > 1000
