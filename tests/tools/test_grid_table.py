"""The comparison on GRID, by its command, on videos of noise."""

import json

import numpy as np
import pytest
from script_runs import run_script

from mmatfr.datasets.video_files import write_video

COLORS = ('blue', 'green', 'red', 'white')
WORDS = ('command', 'color', 'preposition', 'letter', 'digit', 'adverb')
VIDEOS = dict(train=12, val=1, test=1)


@pytest.fixture
def compare(tmp_path):
    def compare(*args):
        return run_script(
            'tools/analysis_tools/grid_table.py',
            *('--data', tmp_path / 'grid'),
            *('--work-dir', tmp_path / 'work'),
            *('--out', tmp_path / 'out'),
            *args,
        )

    return compare


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'grid/videos').mkdir(parents=True)
    columns = [f'{word},{word}_start,{word}_end' for word in WORDS]
    lines = [','.join(['video', 'split', *columns])]
    rng = np.random.default_rng(0)
    for split, number in VIDEOS.items():
        for index in range(number):
            name = f'{split}{index}.mp4'
            frames = rng.integers(0, 256, (40, 32, 64, 3), np.uint8)
            write_video(tmp_path / 'grid/videos' / name, frames)
            said = {word: f'{word}{index % 3}' for word in WORDS}
            said['color'] = COLORS[index % 4]
            cells = [
                f'{said[word]},{6 + 6 * place},{12 + 6 * place}'
                for place, word in enumerate(WORDS)
            ]
            lines.append(','.join([name, split, *cells]))
    (tmp_path / 'grid/words.csv').write_text('\n'.join(lines) + '\n')
    return tmp_path


def test_it_trains_what_rows_start_from_and_writes_a_table(folder, compare):
    rows = 'path_bins12', 'pool2'
    epochs = '--epochs', '1', '--finetune-epochs', '2'
    done = compare('--seeds', '1', *epochs, '--rows', *rows)
    assert done.returncode == 0, done.stderr[-3000:]
    out = folder / 'out/grid_color_resnet3d_1e_finetune2e.json'
    report = json.loads(out.read_text())
    assert list(report['rows']) == list(rows)
    (path,), (pool,) = report['rows'].values()
    assert pool['cost/length_mean'] == 16 and pool['density/word'] == 1
    assert path['cost/length_mean'] < 32 and path['density/word'] > 0
    trained = {
        f'{path.parents[1].name}/{path.parent.name}/{path.name}'
        for path in folder.glob('work/1e/**/epoch_*.pth')
        if (path.parent / 'last_checkpoint').read_text().endswith(path.name)
    }
    full = 'resnet3d-mini-dense_1xb12-{}x1x1-24e_grid-color-rgb'
    assert trained == {
        f'{full.format(16)}/s0/epoch_1.pth',
        f'{full.format(32)}/s1/epoch_1.pth',
        'path_2e/s1/epoch_2.pth',
        'pool2_2e/s1/epoch_2.pth',
    }
    assert '| average pool 2 ' in done.stdout


def test_sentences_have_their_own_rows_and_files(folder, compare):
    options = '--task', 'sentence', '--epochs', '1', '--seeds', '1'
    done = compare(*options, '--rows', 'path', 'pool2')
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(
        (folder / 'out/grid_sentence_resnet3d_1e.json').read_text()
    )
    (path,), (pool,) = report['rows'].values()
    assert pool['cost/length_mean'] == 38
    assert pool['density/sentence_to_rest'] == pytest.approx(1, abs=0.05)
    assert path['cost/length_mean'] < 75
    assert {f'tasks/{word}' for word in (*WORDS, 'mean')} <= set(path)
    assert path['tasks/color'] == path['acc/top1']
    trained = {
        str(path.parent.relative_to(folder / 'work/1e'))
        for path in folder.glob('work/1e/**/epoch_1.pth')
    }
    full = 'resnet3d-mini-dense_1xb12-{}-rgb'
    assert trained == {
        f'{full.format("16x1x1-24e_grid-color")}/s0',
        f'{full.format("75x1x1-36e_grid-sentence")}/s1',
        'sentence/resnet3d/path/s1',
        'sentence/resnet3d/pool2/s1',
    }
    (line,) = (x for x in done.stdout.splitlines() if 'average pool 2' in x)
    assert f'{100 * pool["tasks/mean"]:.1f}' in line


@pytest.mark.parametrize(
    ('args', 'code', 'words'),
    [
        (('--rows', 'path'), 1, 'has no words.csv; make the data'),
        (('--rows', 'full', 'x3d'), 2, "color has no row 'x3d'; choose from"),
        (
            ('--task', 'sentence', '--model', 'tsm'),
            2,
            "sentence has no 'tsm'; choose from resnet3d",
        ),
    ],
)
def test_one_line_says_what_is_wrong(compare, args, code, words):
    done = compare(*args)
    assert done.returncode == code and 'Traceback' not in done.stderr
    assert words in done.stderr.splitlines()[-1]
