"""Compares accuracy and GFLOPs of several tests in a table and a figure.

Each test is a JSON file: a log of tools/test.py (the last line counts), or a
report of temporal_resolution.py. Tests are given as NAME=FILE. Several files
with the same name, such as seeds, give one point: their mean, with bars from
the minimum to the maximum. A report of compare_recipes.py or grid_table.py
gives a point for each row, with all of its seeds.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Dict, List, Tuple

from mmatfr.arguments import make_parser
from mmatfr.cli import make_table, print_table, run_script, write_report
from mmatfr.visualization.tradeoffs import draw_pareto


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        'tests', nargs='+', metavar='[NAME=]FILE', help='JSON files'
    )
    parser.add_argument(
        '--accuracy',
        default='acc/top1',
        help='metric of the accuracy (default: %(default)s)',
    )
    parser.add_argument(
        '--cost',
        default='cost/gflops_per_clip',
        help='metric of the cost (default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        default='results/pareto',
        help='folder of the JSON file and the figure (default: %(default)s)',
    )
    return parser.parse_args()


def read_tests(path: str) -> Dict[str, List[Dict[str, float]]]:
    """Reads the metrics of tests.

    Returns:
        dict[str, list[dict[str, float]]]: For each row of a comparison the
        metrics of each seed; for other files those of the test, without a
        name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a JSON file.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f'{path!r} does not exist; check the path')
    text = file.read_text(encoding='utf-8').strip()
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = json.loads(text.splitlines()[-1])
        except (ValueError, IndexError):
            raise ValueError(
                f'{path!r} is not a JSON file; give the log of a test, '
                'WORK_DIR/TIME/TIME.json'
            ) from None
    if not isinstance(found, dict):
        return {'': [{}]}
    if isinstance(found.get('rows'), dict):
        return found['rows']
    return {'': [found.get('metrics', found)]}


def read_point(
    metrics: Dict[str, float], path: str, args: argparse.Namespace
) -> Tuple[float, float]:
    """Reads the cost and the accuracy, in %, from the metrics of a test.

    Raises:
        ValueError: If one of them is missing.
    """
    for name in (args.cost, args.accuracy):
        if name not in metrics:
            raise ValueError(
                f'{path!r} has no metric {name!r}; it has '
                f'{sorted(metrics)[:8]}. Test with AccMetric and '
                'AdaptiveCostMetric, or set --cost and --accuracy'
            )
    return metrics[args.cost], 100 * metrics[args.accuracy]


def make_points(args: argparse.Namespace) -> List[Dict]:
    """Gathers the tests of each name."""
    runs: Dict[str, List[Tuple[float, float]]] = {}
    for test in args.tests:
        name, _, path = test.rpartition('=')
        for row, tests in read_tests(path).items():
            title = f'{name} {row}'.strip() or Path(path).stem
            runs.setdefault(title, []).extend(
                read_point(metrics, path, args) for metrics in tests
            )
    points = []
    for name, values in runs.items():
        costs, accuracies = zip(*values, strict=True)
        points.append(
            dict(
                name=name,
                tests=len(values),
                cost=statistics.mean(costs),
                low=min(costs),
                high=max(costs),
                accuracy=statistics.mean(accuracies),
                accuracy_low=min(accuracies),
                accuracy_high=max(accuracies),
            )
        )
    for point in points:
        point['front'] = not any(
            other['cost'] <= point['cost']
            and other['accuracy'] >= point['accuracy']
            and (other['cost'], other['accuracy'])
            != (point['cost'], point['accuracy'])
            for other in points
        )
    return points


def run(args: argparse.Namespace) -> None:
    points = make_points(args)
    table = make_table(
        f'{args.accuracy} against {args.cost}',
        ('', 'GFLOPs', 'top-1 %', 'least to greatest', 'tests', 'front'),
    )
    for point in sorted(points, key=lambda point: point['cost']):
        table.add_row(
            point['name'],
            f'{point["cost"]:.4g}',
            f'{point["accuracy"]:.1f}',
            f'{point["accuracy_low"]:.1f} to {point["accuracy_high"]:.1f}',
            str(point['tests']),
            'yes' if point['front'] else '',
        )
    print_table(table)
    write_report(
        Path(args.out),
        'pareto',
        dict(points=points),
        figure=draw_pareto(points, 'GFLOPs per clip', 'top-1 accuracy (%)'),
    )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
