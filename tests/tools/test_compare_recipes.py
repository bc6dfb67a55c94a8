"""The comparison by its command."""

import json

from script_runs import assert_one_line, run_script


def compare(folder, *args):
    return run_script(
        'tools/analysis_tools/compare_recipes.py',
        *('--data', folder / 'tempo'),
        *('--work-dir', folder / 'work'),
        *('--out', folder / 'out'),
        *('--size', 'tiny', '--epochs', 1, '--rounds', 1),
        *('--seeds', 0, '--rows', 'inserted_pool2', '--world', 'wild'),
        *args,
    )


def test_it_writes_a_table_named_by_what_it_compares(tmp_path):
    done = compare(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    out = tmp_path / 'out/resnet3d_rows_tiny_wild_1e.json'
    report = json.loads(out.read_text())
    (run,) = report['rows']['inserted_pool2']
    assert run['cost/length_mean'] == 8
    assert 'compare_recipes.py --data' in report['run']['command']
    assert (tmp_path / 'work/1e/wild/resnet3d/inserted_pool2/s0').is_dir()
    assert '| average pool 2 |' in out.with_suffix('.md').read_text()


def test_one_line_says_what_is_wrong(tmp_path):
    done = compare(tmp_path, '--video-frames', 9)
    assert_one_line(done, 'use videos with a multiple')
    assert not (tmp_path / 'work').exists()
