"""The scripts that measure and draw, run on a small network and its data."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from script_runs import ROOT, assert_one_line, run_script

from mmatfr.benchmark.models import MODELS, TimedModel

CONFIG = (
    ROOT / 'configs/recognition/resnet3d/'
    'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-1e_tempo-tiny-rgb.py'
)
STATIC = (
    ROOT / 'configs/recognition/resnet3d/'
    'resnet3d-mini_1xb12-16x2x1-8e_tempo-small-rgb.py'
)
SLOWFAST = (
    ROOT / 'configs/recognition/slowfast/'
    'slowfast-mini-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb.py'
)


@pytest.fixture
def trained(write_trained):
    """A config on `tempo`, and weights as training writes them."""
    return write_trained(CONFIG)


@pytest.fixture
def script(tmp_path):
    """Runs a script; returns the folder with what it wrote."""

    def run(name, *args):
        out = tmp_path / Path(name).stem
        done = run_script(f'tools/{name}', *args, '--out', out)
        assert done.returncode == 0, done.stderr[-3000:]
        return out

    return run


def read(folder):
    (path,) = folder.glob('*.json')
    report = json.loads(path.read_text())
    assert report['run']['command'].startswith('python ')
    for picture in folder.glob('*.png'):
        with Image.open(picture) as image:
            assert min(image.size) > 100
        assert picture.with_suffix('.pdf').is_file()
    return report


def without_other_format(rows):
    """Drops the rows that only a GPU has."""
    return [row for row in rows if row['variant'] != 'ATFR, channels last']


def test_ranking_and_pareto(script, trained, tempo):
    out = script(
        'analysis_tools/temporal_resolution.py',
        *trained,
        '--cfg-options',
        'test_evaluator.2.type=ConfusionMatrix',
    )
    report = read(out)
    assert 'acc/top5' in report['metrics']
    assert 'confusion_matrix/result' not in report['metrics']
    assert len(list(out.glob('*.png'))) == 3
    resolutions = [row['temporal_resolution'] for row in report['classes']]
    assert resolutions == sorted(resolutions) and len(resolutions) == 12
    assert report['all']['videos'] == 12
    assert 0 < report['all']['temporal_resolution'] < 1
    (metrics,) = out.glob('*.json')

    other = metrics.parent / 'other.txt'
    other.write_text(
        json.dumps({'acc/top1': 2.0, 'cost/gflops_per_clip': 0.001})
    )
    points = read(
        script(
            'analysis_tools/pareto.py',
            f'a={metrics}',
            f'a={metrics}',
            f'b={other}',
        )
    )['points']
    assert [point['tests'] for point in points] == [2, 1]
    assert [point['front'] for point in points] == [False, True]
    assert points[0]['cost'] == report['all']['gflops_per_clip']


def test_rows_of_a_comparison_are_points(script, tmp_path):
    def seed(top1, gflops):
        return {'acc/top1': top1, 'cost/gflops_per_clip': gflops}

    report = tmp_path / 'resnet3d_rows.json'
    rows = dict(full=[seed(0.9, 2), seed(0.7, 2)], path=[seed(0.9, 1)])
    report.write_text(json.dumps(dict(seeds=[0, 1], rows=rows)))
    points = read(
        script('analysis_tools/pareto.py', report, f'again={report}')
    )['points']
    assert [point['name'] for point in points] == [
        *('full', 'path', 'again full', 'again path')
    ]
    assert [point['accuracy'] for point in points[:2]] == [80, 90]
    assert [point['tests'] for point in points] == [2, 1, 2, 1]
    assert [point['front'] for point in points[:2]] == [False, True]


@pytest.mark.parametrize('config', [CONFIG, SLOWFAST.stem])
def test_cost_of_a_config(script, config):
    report = read(script('analysis_tools/get_flops.py', config))
    curve = [row['gflops'] for row in report['curve']]
    assert curve == sorted(curve)
    assert curve[-1] == pytest.approx(report['base']['gflops'], rel=1e-3)


def test_groups_of_a_video(script, trained, tempo):
    video = next((tempo / 'videos/test').glob('*.mp4'))
    for source in (('--video', video), ('--index', 3)):
        out = script('visualizations/vis_groups.py', *trained, *source)
        name = video.stem if source[0] == '--video' else 'test_3'
        page = (out / f'{name}.html').read_text()
        assert 'data:image/webp;base64' in page and '://' not in page
        with Image.open(out / f'{name}.png') as image:
            assert image.width > 500


def test_demo_on_videos_of_another_kind(trained, tempo, tmp_path):
    known = next((tempo / 'videos/test').glob('*.mp4'))
    foreign = tmp_path / 'foreign.mp4'
    foreign.write_bytes(known.read_bytes())

    def demo(video):
        out = tmp_path / f'{video.stem}.png'
        done = run_script('tools/demo.py', video, *trained, '--out', out)
        assert done.returncode == 0, done.stderr[-3000:]
        page = out.with_suffix('.html').read_text()
        assert 'data:image/webp;base64' in page
        assert out.stat().st_size > 1000
        return done.stdout, page

    said, page = demo(foreign)
    assert said.startswith('note: these weights were trained on generated')
    assert 'score' not in said and "temporal resolution B': " in said
    assert 'mean nothing here' in page
    said, page = demo(known)
    assert 'note:' not in said and 'score' in said
    assert 'mean nothing here' not in page


def test_benchmark(script, trained):
    report = read(
        script(
            'analysis_tools/benchmark.py',
            trained[0],
            '--checkpoint',
            trained[1],
            '--padding',
            'padded',
            '--fast-base',
            *('--work', 'forward', 'train', 'pipeline'),
            *('--batch-sizes', '2', '--clips', '4', '--rounds', '2'),
        )
    )
    rows = without_other_format(report['rows'])
    assert len(report['rows']) == 12 + 3 * torch.cuda.is_available()
    assert [row['variant'] for row in rows] == 3 * [
        'base',
        'base, channels last',
        'ATFR',
        'padded',
    ]
    for base, fast, ours, padded in zip(*[iter(rows)] * 4, strict=True):
        assert ours['lengths'] == padded['lengths']
        assert fast['gflops_per_clip'] == base['gflops_per_clip']
        assert (
            ours['gflops_per_clip']
            <= padded['gflops_per_clip']
            <= 1.01 * base['gflops_per_clip']
        )
        assert base['sgs_over_base'] == 0 < ours['sgs_over_base']
        for row in (base, fast, ours, padded):
            assert ('network_share' in row) == (row['work'] == 'pipeline')
        assert min(row['memory'] for row in (base, ours, padded)) > 0


def test_benchmark_of_fused_networks(script):
    rows = read(
        script(
            'analysis_tools/benchmark.py',
            CONFIG,
            *('--fuse', '--lengths', 4, '--clips', 2, '--batch-sizes', 2),
            *('--rounds', 1),
        )
    )['rows']
    base, ours, fused_base, fused = rows
    assert [row['variant'] for row in rows] == [
        'base',
        'ATFR',
        'base, fused',
        'ATFR, fused',
    ]
    assert fused['lengths'] == ours['lengths'] == [4, 4]
    assert fused_base['gflops_per_clip'] == base['gflops_per_clip']
    assert fused['gflops_per_clip'] == ours['gflops_per_clip']


def test_benchmark_of_engines(script, tmp_path):
    report = read(
        script(
            'analysis_tools/benchmark.py',
            CONFIG,
            *('--engine', 'eager', 'onnxruntime', 'openvino'),
            *('--kept', 0.25, 1, '--threads', 1, '--rounds', 2),
            *('--work-dir', tmp_path / 'files'),
        )
    )
    rows = {}
    for row in report['rows']:
        if 'refusal' in row:
            assert 'bf16' in row['contender'] and 'CPU' in row['refusal']
        else:
            rows.setdefault(row['contender'], []).append(row)
    for engine in ('', ', onnxruntime', ', openvino f32'):
        (base,) = rows[f'base{engine}']
        assert base['lengths'] == [] and base['gflops_ratio'] == 1
        ours = rows[f'ATFR{engine}']
        assert [row['lengths'] for row in ours] == [[4], [16]]
        few, all_kept = ours
        assert few['gflops'] < base['gflops'] <= all_kept['gflops']
        for row in ours:
            against = row['bases'][f'base{engine}']
            ratios = [
                a / b
                for a, b in zip(row['seconds'], base['seconds'], strict=True)
            ]
            assert against['time_ratio']['low'] == min(ratios)
            assert against['time_over_gflops'] == pytest.approx(
                sum(ratios) / 2 / row['gflops_ratio']
            )
    assert set(rows['ATFR'][0]['bases']) == {'base', 'base, channels last'}
    assert set(rows['ATFR, fused'][1]['bases']) == {'base', 'base, fused'}
    assert len(list((tmp_path / 'files').glob('*.onnx'))) == 2


def test_growth(script):
    rows = read(
        script(
            'analysis_tools/growth.py',
            CONFIG,
            *('--frames', 4, 8, '--batch-sizes', 1, 2),
            *('--size', 32, '--rounds', 1),
        )
    )['rows']
    assert [row['kept'] for row in rows] == [2, 4, 4, 8]


@pytest.fixture
def small_models(monkeypatch):
    """Small networks in place of those that the tables are made of."""
    for name, config, padded in (
        ('x3d-s', 'x3d_xxs-atfr-path_1xb12-32x1x1-8e', 'padded'),
        ('tsm-r50', 'tsm-r18-atfr-path_1xb12-16x2x1-8e', 'longest'),
    ):
        model = TimedModel(f'{config}_tempo-small-rgb', (16, 32, 32), padded)
        monkeypatch.setitem(MODELS, name, model)
    return ('--models', 'x3d-s', 'tsm-r50')


def test_speed_table(script, small_models):
    report = read(
        script(
            'analysis_tools/speed_table.py',
            *small_models,
            *('--eval-batches', 2, '--train-batch', 2, '--rounds', 1),
        )
    )
    assert report['precision'] == 'fp32'
    rows = without_other_format(report['rows'])
    assert [row['variant'] for row in rows[::4]] == 4 * ['base']
    assert [row['variant'] for row in rows[3::4]] == [
        'padded',
        'padded',
        'longest',
        'longest',
    ]
    for ours, padded in zip(rows[2::4], rows[3::4], strict=True):
        assert padded['clips_at_once'] == 2
        assert padded['gflops_per_clip'] >= ours['gflops_per_clip']
        if padded['variant'] == 'longest':
            assert padded['lengths'] == 2 * [max(ours['lengths'])]


def test_speed_table_in_half_precision(script, small_models):
    rows = read(
        script(
            'analysis_tools/speed_table.py',
            *(*small_models[:2], '--eval-batches', 1, '--train-batch', 0),
            *('--rounds', 1, '--precision', 'bf16'),
        )
    )['rows']
    assert len(without_other_format(rows)) == 4
    assert all(0 < row['seconds_per_clip'] for row in rows)


def test_lower_bounds(script, small_models):
    report = read(
        script(
            'analysis_tools/lower_bounds.py',
            *small_models,
            *('--rounds', 1, '--clips', 2),
        )
    )
    machine = report['machine']
    assert min(machine.values()) > 0
    assert len(report['rows']) == 6
    for row in report['rows']:
        bounds = row['lower_bounds']
        assert bounds['operations'] == pytest.approx(
            row['gflops'] / machine['gflops_per_second']
        )
        assert bounds['bytes'] == pytest.approx(
            1e6 * row['megabytes'] / machine['bytes_per_second']
        )
        most = max(bounds['operations'], bounds['bytes'])
        assert most <= bounds['both'] <= 2 * most


@pytest.mark.parametrize(
    'name,args,message',
    [
        (
            'analysis_tools/get_flops.py',
            ['nothing.py'],
            "'nothing.py' is neither",
        ),
        ('analysis_tools/benchmark.py', [STATIC], 'no layer that samples'),
        (
            'analysis_tools/benchmark.py',
            [STATIC, '--engine', 'eager'],
            'no layer that samples',
        ),
        (
            'analysis_tools/benchmark.py',
            [CONFIG, '--engine', 'eager', '--shape', 8, 32, 32],
            'takes clips of 16 frames; set T to that',
        ),
        ('analysis_tools/pareto.py', ['nothing.json'], "'nothing.json' does"),
        ('analysis_tools/pareto.py', [CONFIG], 'is not a JSON'),
        (
            'analysis_tools/temporal_resolution.py',
            [CONFIG, 'nothing.pth'],
            "'nothing.pth' does not exist",
        ),
        (
            'visualizations/vis_groups.py',
            [CONFIG, 'nothing.pth', '--index', 0],
            "'nothing.pth' does not exist",
        ),
        ('analysis_tools/growth.py', [STATIC], 'not a 3D backbone with one'),
    ],
)
def test_says_what_is_wrong_in_one_line(tmp_path, name, args, message):
    done = run_script(f'tools/{name}', *args, '--out', tmp_path / 'out')
    assert_one_line(done, message)
