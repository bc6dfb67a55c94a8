"""The choice of a number of bins by its command."""

import json
from itertools import pairwise

import pytest
import torch
from script_runs import ROOT, assert_one_line, run_script

from mmatfr.apis import build_recognizer, load_config

FOLDER = ROOT / 'configs/recognition/resnet3d'
NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb.py'


@pytest.fixture
def calibrate(tempo, tmp_path):
    """Runs the command on an untrained network."""
    checkpoint = tmp_path / 'untrained.pth'
    model = load_config(str(FOLDER / NAME)).model
    torch.save(build_recognizer(model).state_dict(), checkpoint)

    def run(*args, checkpoint=checkpoint, options=()):
        return run_script(
            'tools/analysis_tools/calibrate_bins.py',
            FOLDER / NAME,
            checkpoint,
            *('--out', tmp_path / 'out'),
            *args,
            '--cfg-options',
            f'val_dataloader.dataset.data_root={tempo}',
            f'val_dataloader.dataset.metainfo.classes={tempo}/classes.txt',
            *options,
        )

    return run


def test_picks_what_keeps_to_the_budget(calibrate, tmp_path):
    done = calibrate('--gflops', '0.1', '--bins', '16', '2', '6')
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / 'out/calibrate_bins.json').read_text())
    rows = report['rows']
    assert [row['bins'] for row in rows] == [2, 6, 16]
    for row, longer in pairwise(rows):
        assert row['length'] < longer['length']
        assert row['gflops'] < longer['gflops']
        assert row['length'] <= row['bins']
    picked = {row['bins']: row for row in rows}[report['picked']]
    allowed = [row for row in rows if row['gflops'] <= 0.1]
    assert picked in allowed
    assert picked['top1'] == max(row['top1'] for row in allowed)
    assert f'num_bins={report["picked"]}' in done.stdout


@pytest.mark.parametrize(
    ('args', 'kwargs', 'message'),
    [
        (['--gflops', '0.001', '--bins', '2'], {}, '0.001'),
        (['--gflops', '1'], dict(checkpoint='no.pth'), 'no.pth'),
        (
            ['--gflops', '1'],
            dict(options=['val_evaluator.1.type=TempoMetric']),
            'AdaptiveCostMetric',
        ),
    ],
)
def test_one_line_says_what_is_wrong(calibrate, args, kwargs, message):
    assert_one_line(calibrate(*args, **kwargs), message)


def test_weights_of_another_network_are_refused(calibrate):
    other = next((ROOT / 'releases').glob('x3d*.pth'))
    done = calibrate('--gflops', '1', checkpoint=other)
    assert_one_line(done, 'does not fit', 'missing there')


def test_layers_need_their_range_of_bins(calibrate, tmp_path):
    weights = torch.load(tmp_path / 'untrained.pth')
    del weights['backbone.sgs.running_peak']
    torch.save(weights, tmp_path / 'plain.pth')
    done = calibrate('--gflops', '1', checkpoint=tmp_path / 'plain.pth')
    assert_one_line(done, 'does not fit', 'missing there (backbone.sgs.runn')
