"""The comparison by its command."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def compare(folder, *args):
    return subprocess.run(
        [
            sys.executable,
            'tools/analysis_tools/compare_recipes.py',
            *('--data', str(folder / 'tempo')),
            *('--work-dir', str(folder / 'work')),
            *('--out', str(folder / 'out')),
            *('--size', 'tiny', '--epochs', '1', '--rounds', '1'),
            *('--seeds', '0', '--rows', 'inserted_pool2', '--world', 'wild'),
            *args,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def test_it_writes_a_table_named_by_what_it_compares(tmp_path):
    done = compare(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    out = tmp_path / 'out/resnet3d_rows_wild.json'
    report = json.loads(out.read_text())
    (run,) = report['rows']['inserted_pool2']
    assert run['cost/length_mean'] == 8
    assert 'compare_recipes.py --data' in report['run']['command']
    assert (tmp_path / 'work/1e/wild/resnet3d/inserted_pool2/s0').is_dir()
    assert '| average pool 2 |' in out.with_suffix('.md').read_text()


def test_one_line_says_what_is_wrong(tmp_path):
    done = compare(tmp_path, '--video-frames', '9')
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'use videos with a multiple' in done.stderr.splitlines()[-1]
    assert not (tmp_path / 'work').exists()
