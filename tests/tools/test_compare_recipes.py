"""The comparison by its command, on a few clips."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Folder of the data set; the first call of the command writes to it."""
    return tmp_path_factory.mktemp('data') / 'tempo'


@pytest.fixture(scope='module')
def path_is_trained(data, tmp_path_factory):
    """Folder of a call that has trained the path, and what that printed."""
    folder = tmp_path_factory.mktemp('resnet3d')
    return folder, compare(data, folder, '--seeds', '0', '--rows', 'path')


def compare(data, folder, *args):
    """Runs the command; what it trains stays in the folder."""
    done = run(data, folder, *args)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def run(data, folder, *args):
    return subprocess.run(
        [
            sys.executable,
            'tools/analysis_tools/compare_recipes.py',
            *('--data', str(data)),
            *('--work-dir', str(folder / 'work')),
            *('--out', str(folder / 'out')),
            *('--size', 'tiny', '--epochs', '1', '--rounds', '1'),
            *args,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def trainings(log):
    return log.count('Saving checkpoint at 1 epochs')


def test_makes_a_table_and_goes_on_where_it_was(data, path_is_trained):
    folder, log = path_is_trained
    # The network that all start from, and the row.
    assert trainings(log) == 2
    rows = (
        'path',
        'full',
        'pool2',
        'path_bins6',
        'base',
        'inserted_path_bins8',
    )
    log = compare(data, folder, '--seeds', '0', '--rows', *rows)
    assert trainings(log) == 2
    report = json.loads((folder / 'out/resnet3d_rows.json').read_text())
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
    table = (folder / 'out/resnet3d_rows.md').read_text()
    (line,) = (line for line in table.splitlines() if 'pool 2' in line)
    cells = [cell.strip() for cell in line.strip('|').split('|')]
    assert cells[4:7] == ['8.0 ± 0.0', '8 to 8', '']
    assert '(54 %)' in cells[7]
    assert (folder / 'out/resnet3d_rows.png').stat().st_size > 10000


def test_rows_can_be_trained_for_another_time(data, path_is_trained):
    folder, _ = path_is_trained
    options = ('--seeds', '0', '--rows', 'path', '--finetune-epochs', '2')
    log = compare(data, folder, *options)
    # What they start from is there, and stays as it is.
    assert trainings(log) == 1 and 'Saving checkpoint at 2 epochs' in log
    work = folder / 'work/resnet3d'
    assert (work / 'path_s0/epoch_1.pth').is_file()
    assert (work / 'path_2e_s0/epoch_2.pth').is_file()


def test_several_seeds_and_layers(data, tmp_path):
    log = compare(
        *(data, tmp_path, '--model', 'slowfast', '--seeds', '0', '1'),
        *('--rows', 'pool2', 'inserted_path'),
    )
    assert trainings(log) == 2 * 2
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


def test_rows_from_scratch_need_no_network_to_start_from(data, tmp_path):
    options = ('--seeds', '0', '--rows', 'scratch_path')
    assert trainings(compare(data, tmp_path, *options)) == 1


def test_another_world_trains_on_from_the_still_one(data, path_is_trained):
    folder, _ = path_is_trained
    options = ('--seeds', '0', '--rows', 'inserted_pool2', '--world', 'wild')
    log = compare(data, folder, *options)
    assert trainings(log) == 1
    (still,) = (folder / 'work').glob('resnet3d-*_tempo-small-rgb/s0')
    assert f'Load checkpoint from {still}/epoch_1.pth' in log
    # It is another data set, with trainings of its own.
    parameters = json.loads(Path(f'{data}-wild/tempo.json').read_text())
    assert parameters['world'] == 'wild'
    assert (folder / 'work/wild/resnet3d/inserted_pool2_s0').is_dir()
    assert (folder / 'out/resnet3d_rows_wild.json').is_file()


def test_recipes_for_one_network_start_from_the_same_weights(data, tmp_path):
    options = ('--seeds', '0', '--rows', 'inserted_pool2')
    log = compare(data, tmp_path, '--model', 'x3d', *options)
    assert trainings(log) == 1
    log = compare(data, tmp_path, '--model', 'x3d-32', *options)
    assert trainings(log) == 0


def test_more_frames_of_longer_videos(data, tmp_path):
    options = ('--seeds', '0', '--rows', 'inserted_full64')
    done = run(data, tmp_path, *options)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert '64 frames' in done.stderr and '--video-frames' in done.stderr
    log = compare(data, tmp_path, *options, '--video-frames', '64')
    assert trainings(log) == 1
    out = tmp_path / 'out/resnet3d_rows_64frames.json'
    (report,) = json.loads(out.read_text())['rows']['inserted_full64']
    assert report['cost/length_mean'] == 64
    assert Path(f'{data}-64frames/tempo.json').is_file()
