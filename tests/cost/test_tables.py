"""Tables of cost, as scripts print them."""

from mmatfr.cost import merge_stages
from mmatfr.cost.tables import print_calibration, print_cost, print_ranking


def rows(text):
    return [
        [cell.strip() for cell in line.strip('│').split('│')]
        for line in text.splitlines()
        if line.startswith('│')
    ]


def test_a_stem_is_one_stage():
    stages = {
        'backbone.conv1_s': 1.0,
        'backbone.conv1_t': 2.0,
        'backbone.layer1': 4.0,
        'backbone.slow_path.conv1': 8.0,
        'backbone.slow_path.conv1_lateral': 16.0,
        'cls_head': 32.0,
    }
    assert merge_stages(stages) == {
        'stem': 3.0,
        'layer1': 4.0,
        'slow_path.stem': 8.0,
        'slow_path.conv1_lateral': 16.0,
        'cls_head': 32.0,
    }


def test_cost_of_many_lengths_fits_on_a_screen(capsys):
    curve = [
        dict(
            resolution=number / 32,
            lengths=[number],
            gflops=1.0 + number,
            stages={'stem': 1.0, 'layer1': float(number)},
        )
        for number in range(1, 33)
    ]
    report = dict(
        clip_shape=(3, 32, 64, 64),
        views=3,
        layers=['backbone.sgs'],
        num_frames=[32],
        parameters=2e6,
        base=dict(gflops=40.0, parameters=1e6),
        curve=curve,
    )
    print_cost('name', report)
    out = capsys.readouterr().out
    assert 'name, clips of 32x64x64' in out
    without, sampled, *by_length = rows(out)
    assert without == ['without sampling', '40', '120', '1.000 M']
    assert sampled[1:] == ['33', '99', '2.000 M']
    lengths, stages = by_length[:-2], by_length[-2:]
    assert lengths[0] == ['1', '0.03', '2', '5.0']
    assert lengths[-1] == ['32', '1.00', '33', '82.5']
    assert len(lengths) <= 18
    assert stages == [['stem', '1', '1'], ['layer1', '32', '16']]


def test_what_is_picked_and_what_ties(capsys):
    found = [
        dict(bins=4, length=3.5, gflops=0.5, top1=0.8),
        dict(bins=6, length=5.0, gflops=0.75, top1=0.8),
        dict(bins=8, length=None, gflops=2.0, top1=0.9),
    ]
    assert print_calibration(found, found[0], 1.0) == [6]
    out = capsys.readouterr().out
    assert rows(out) == [
        ['4', '3.5', '0.5', '80.0', '50 %', 'picked'],
        ['6', '5.0', '0.75', '80.0', '75 %', 'tied, dearer'],
        ['8', '', '2', '90.0', '200 %', 'over budget'],
    ]
    assert '6 bins are as accurate as 4' in out


def test_the_ends_of_a_ranking(capsys):
    def row(name, resolution, **more):
        return dict(
            name=name,
            videos=2,
            temporal_resolution=resolution,
            temporal_resolution_p5=0.1,
            temporal_resolution_p95=0.9,
            gflops_per_clip=0.25,
            **more,
        )

    ranked = [row(name, 0.5) for name in 'abcde']
    print_ranking(ranked, row('', 0.625, accuracy=0.75), 2)
    found = rows(capsys.readouterr().out)
    assert [cells[0] for cells in found] == [*'abde', 'all classes']
    assert found[-1][2:] == ['0.625', '0.10 to 0.90', '0.25', '75.0']
    assert found[0][-1] == ''
