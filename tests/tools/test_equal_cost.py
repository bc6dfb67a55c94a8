"""Accuracy at equal cost, by its command."""

import json

import pytest
from script_runs import assert_one_line, run_script


def run(*args):
    return run_script('tools/analysis_tools/equal_cost.py', *args)


def metrics(cost, *top1):
    return [
        {'cost/gflops_per_clip': cost, 'acc/top1': accuracy}
        for accuracy in top1
    ]


def test_curves_are_interpolated_for_each_seed(tmp_path):
    report = tmp_path / 'report.json'
    rows = dict(
        full=metrics(4.0, 0.9, 0.8),
        path=metrics(3.0, 0.8, 0.7),
        path_bins6=metrics(1.0, 0.4, 0.5),
        equal8=metrics(2.0, 0.5, 0.5),
        equal10=metrics(2.4, 0.7, 0.5),
        random=metrics(2.0, 0.4, 0.4),
        # Their names differ in a number that is not of bins or groups.
        full32=metrics(8.0, 0.9, 0.9),
        grid1=metrics(2.0, 0.3, 0.3),
        grid4=metrics(2.5, 0.6, 0.6),
    )
    report.write_text(json.dumps(dict(seeds=[0, 1], rows=rows)))
    done = run(report, '--shares', 0.5, 0.55, 0.75)
    assert done.returncode == 0, done.stderr
    lines = [
        [cell.strip() for cell in line.strip()[1:-1].split('|')]
        for line in done.stdout.strip().splitlines()
    ]
    assert lines[0] == ['top-1 % at a cost of', '50 %', '55 %', '75 %']
    assert lines[2:] == [
        [
            'path',
            '60.0 [60.0, 60.0]',
            '63.0 [62.0, 64.0]',
            '75.0 [70.0, 80.0]',
        ],
        ['equal', '50.0 [50.0, 50.0]', '55.0 [50.0, 60.0]', ''],
    ]


@pytest.mark.parametrize(
    'text, reason',
    [
        (None, 'does not exist; check the path'),
        ('[]', 'is not a report of compare_recipes.py'),
        ('{"rows": {"path": []}}', 'has no row full or base'),
        ('{"rows": {"full": [], "x": []}}', 'full, x are not of one table'),
    ],
)
def test_says_what_is_no_report(tmp_path, text, reason):
    report = tmp_path / 'report.json'
    if text is not None:
        report.write_text(text)
    assert_one_line(run(report), reason)
