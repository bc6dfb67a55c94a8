"""The comparison by its command, on a few clips."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def compare(tmp_path):
    """Runs the command; what it trains stays for the next call."""

    def run(*args):
        done = subprocess.run(
            [
                sys.executable,
                'tools/analysis_tools/compare_recipes.py',
                *('--data', str(tmp_path / 'data')),
                *('--work-dir', str(tmp_path / 'work')),
                *('--out', str(tmp_path / 'out')),
                *('--size', 'tiny', '--epochs', '1', '--rounds', '1'),
                *args,
            ],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


def trainings(log):
    return log.count('Saving checkpoint at 1 epochs')


def test_makes_a_table_and_goes_on_where_it_was(compare, tmp_path):
    # The network that all start from, and the row.
    assert trainings(compare('--seeds', '0', '--rows', 'path')) == 2
    rows = (
        'path',
        'full',
        'pool2',
        'path_bins6',
        'base',
        'inserted_path_bins8',
    )
    log = compare('--seeds', '0', '--rows', *rows)
    assert trainings(log) == 2
    report = json.loads((tmp_path / 'out/resnet3d_rows.json').read_text())
    runs = {name: runs[0] for name, runs in report['rows'].items()}
    assert list(runs) == list(rows)
    assert runs['pool2']['cost/length_mean'] == 8
    assert runs['pool2']['cost/length_std'] == 0
    assert runs['path_bins6']['cost/length_max'] <= 6
    assert runs['path']['cost/length_max'] > 6
    assert runs['full']['cost/length_min'] == 16
    for name, run in runs.items():
        assert run['seconds'] > 0
        gflops = run['cost/gflops_per_clip']
        of = runs['full']['cost/gflops_per_clip']
        assert gflops == of if name == 'base' else gflops <= of
    table = (tmp_path / 'out/resnet3d_rows.md').read_text()
    (line,) = (line for line in table.splitlines() if 'pool 2' in line)
    cells = [cell.strip() for cell in line.strip('|').split('|')]
    assert cells[4:7] == ['8.0 ± 0.0', '8 to 8', '']
    assert '(54 %)' in cells[7]
    assert (tmp_path / 'out/resnet3d_rows.png').stat().st_size > 10000


def test_several_seeds_and_layers(compare, tmp_path):
    log = compare(
        *('--model', 'slowfast', '--seeds', '0', '1'),
        *('--rows', 'pool2', 'path'),
    )
    assert trainings(log) == 2 * 3
    report = json.loads((tmp_path / 'out/slowfast_rows.json').read_text())
    for name, (first, second) in report['rows'].items():
        assert first['seconds'] != second['seconds'], name
    (pool, _) = report['rows']['pool2']
    for path in ('slow', 'fast'):
        key = f'cost/backbone.{path}_path.sgs/temporal_resolution'
        assert pool[key] == 0.5
    table = (tmp_path / 'out/slowfast_rows.md').read_text()
    assert ' 0.50 ± 0.00, 0.50 ± 0.00 |' in table
    assert table.count('[') > 4  # least and most of two seeds


def test_rows_can_be_trained_for_another_time(compare, tmp_path):
    rows = ('--seeds', '0', '--rows', 'full')
    assert trainings(compare(*rows)) == 2
    log = compare(*rows, '--finetune-epochs', '2')
    # What they start from is there, and stays as it is.
    assert trainings(log) == 1 and 'Saving checkpoint at 2 epochs' in log
    work = tmp_path / 'work/resnet3d'
    assert (work / 'full_s0/epoch_1.pth').is_file()
    assert (work / 'full_2e_s0/epoch_2.pth').is_file()


def test_rows_from_scratch_need_no_network_to_start_from(compare):
    rows = ('scratch_pool2', 'scratch_path')
    assert trainings(compare('--seeds', '0', '--rows', *rows)) == 2


def test_recipes_for_one_network_start_from_the_same_weights(compare):
    rows = ('--seeds', '0', '--rows', 'pool2')
    assert trainings(compare('--model', 'x3d', *rows)) == 2
    assert trainings(compare('--model', 'x3d-32', *rows)) == 1
