"""The comparison by its command, on a few clips."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_makes_a_table_and_goes_on_where_it_was(tmp_path):
    def run(*rows):
        done = subprocess.run(
            [
                sys.executable,
                'tools/analysis_tools/compare_recipes.py',
                *('--data', str(tmp_path / 'data')),
                *('--work-dir', str(tmp_path / 'work')),
                *('--size', 'tiny'),
                *('--epochs', '1'),
                *('--seeds', '0', '1'),
                *('--rows', *rows),
            ],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    assert 'Epoch(train)' in run('path')
    log = run('path', 'equal7', 'bins6')
    assert log.count('Epoch(train)') == 2
    metrics = {
        row: json.loads(
            (tmp_path / f'work/{row}_seed1/metrics.json').read_text()
        )
        for row in ('path', 'equal7', 'bins6')
    }
    assert metrics['equal7']['cost/length_mean'] == 7
    assert metrics['equal7']['cost/length_std'] == 0
    assert metrics['bins6']['cost/length_max'] <= 6
    assert metrics['path']['cost/length_max'] > 6
    table = (tmp_path / 'work/table.md').read_text()
    assert table in log
    (line,) = (line for line in table.splitlines() if '7 equal' in line)
    cells = [cell.strip() for cell in line.strip('|').split('|')]
    assert cells[4:7] == ['7.0 ± 0.0', '7 to 7', ''] and cells[-1] == '2'
