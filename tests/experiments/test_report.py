"""Results as a table and a figure."""

import json

from mmatfr.experiments import grid
from mmatfr.experiments.tempo_rows import REPORT


def run(top1, gflops, seconds=0.002, **more):
    return {
        'acc/top1': top1,
        'tempo/top1_short': top1,
        'tempo/top1_long': top1,
        'cost/gflops_per_clip': gflops,
        'seconds': seconds,
        **more,
    }


def lengths(mean, std, least, most):
    names = ('mean', 'std', 'min', 'max')
    values = (mean, std, least, most)
    return {
        f'cost/length_{name}': value
        for name, value in zip(names, values, strict=True)
    }


RESULTS = {
    'full': [
        run(0.5, 0.2, 0.003, **lengths(16, 0, 16, 16)),
        run(0.7, 0.2, 0.005, **lengths(16, 0, 16, 16)),
    ],
    'path_bins8': [
        run(0.6, 0.1, **lengths(7.5, 1, 5, 8), **{'tempo/spearman': 0.75}),
        run(0.6, 0.12, **lengths(6.5, 2, 4, 8), **{'tempo/spearman': 0.85}),
    ],
    'path_bins6': [run(0.4, 0.08, **lengths(5, 1, 3, 6))] * 2,
}


def rows(table):
    return list(zip(*(column.cells for column in table.columns), strict=True))


def test_a_table_has_means_ranges_and_shares():
    full, path, _ = rows(REPORT.make_table(RESULTS))
    assert full[:4] == ('full', *['60.0 [50.0, 70.0]'] * 3)
    assert full[4:] == (
        *('16.0 ± 0.0', '16 to 16', ''),
        *('0.2000', '4.00 [3.00, 5.00]'),
    )
    assert path[0] == 'path, 8 bins when tested'
    assert path[4:] == (
        *('7.0 ± 1.5', '4 to 8', '0.80 [0.75, 0.85]'),
        *('0.1100 (55 %)', '2.00 [2.00, 2.00]'),
    )


def test_one_seed_has_no_range_and_several_layers_have_shares():
    several = {
        f'cost/backbone.{name}_path.sgs/temporal_resolution{end}': value
        for name, mean in (('slow', 0.5), ('fast', 0.25))
        for end, value in (('', mean), ('_std', 0.125))
    }
    (row,) = rows(REPORT.make_table({'pool2': [run(0.5, 0.1, **several)]}))
    assert row == (
        *('average pool 2', '50.0', '50.0', '50.0'),
        *('0.50 ± 0.12, 0.25 ± 0.12', '', '', '0.1000', '2.00'),
    )


def test_rows_of_a_curve_are_one_line():
    series = REPORT.make_series(RESULTS)
    assert [len(points) for points in series.values()] == [1, 2]
    ((full,), (first, _)) = series.values()
    assert full == dict(cost=0.2, accuracy=60, low=50, high=70)
    assert first == dict(cost=0.11, accuracy=60, low=60, high=60)


def test_curves_have_one_number_that_differs():
    curves = {}
    for name, curve in REPORT.curve_of.items():
        curves.setdefault(curve, set()).add(name)
    assert curves['equal'] == {
        f'equal{length}' for length in (6, 8, 9, 10, 12)
    }
    assert {'path', 'path_bins6'} <= curves['path']
    assert {'inserted_path', 'inserted_path_bins6'} <= curves['inserted_path']
    # Tests of one network, and trainings.
    assert curves['fixed_bins'] == {'fixed_bins', 'fixed_bins8'}
    assert curves['trained'] == {'trained_bins8', 'trained_bins16'}
    # Other layers, grids and clips.
    for name in ('stage1', 'stage2', 'grid1', 'grid4', 'full', 'full32'):
        assert {name} in curves.values()
    learned = grid.TASKS['color'].report.curve_of
    assert learned['learned_bins16'] == learned['learned'] == 'learned'


def test_files_hold_all_of_it(tmp_path, capsys):
    REPORT.write(tmp_path / 'out', 'resnet3d_rows', [0, 1], RESULTS)
    report = json.loads((tmp_path / 'out/resnet3d_rows.json').read_text())
    assert report['rows'] == RESULTS and report['seeds'] == [0, 1]
    table = (tmp_path / 'out/resnet3d_rows.md').read_text()
    assert 'seeds 0, 1: mean [least, most].' in table
    (line,) = (line for line in table.splitlines() if '8 bins' in line)
    assert line in capsys.readouterr().out
    figure = tmp_path / 'out/resnet3d_rows.png'
    assert figure.stat().st_size > 10000


def test_grid_has_the_share_of_the_base_and_the_density_of_the_word():
    base, path = rows(
        grid.TASKS['color'].report.make_table(
            {
                'base': [run(0.5, 0.2, **lengths(32, 0, 32, 32))],
                'path_bins12': [
                    run(
                        0.5,
                        0.1,
                        **lengths(12, 2, 8, 12),
                        **{'density/word': 2},
                    )
                ],
            }
        )
    )
    assert base[1:] == ('1', '50.0', '32.0 ± 0.0', '', '0.2000')
    assert path[1:] == ('1', '50.0', '12.0 ± 2.0', '2.00', '0.1000 (50 %)')
