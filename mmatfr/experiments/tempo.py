"""The comparison of recipes on tempo."""

import statistics
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from mmengine.config import Config
from rich.progress import track

from mmatfr.apis import load_recognizer, read_batch
from mmatfr.benchmark.timing import time_per_clip
from mmatfr.datasets.tempo import Tempo, VideoFormat, get_size, write_tempo

from .comparison import Comparison, Results
from .models import MODELS, Model
from .tempo_rows import ROWS

__all__ = ['TempoComparison']

_NUM_TIMED = 48  # number of clips to time
_CROP = 7 / 8  # side of the crop, relative to that of the frame


@dataclass(frozen=True, kw_only=True)
class TempoComparison(Comparison):
    """Trainings on tempo, and the time of their networks.

    Attributes:
        model (str): Key of :data:`mmatfr.experiments.models.MODELS`.
        data (str): Folder of the data set, generated if missing.
        size (str | Tempo): Size of the data set, a name or parameters.
        world (str): World of the videos. Other worlds than still have separate
            data and trainings; their base starts from that of the still world.
        train_videos (int, optional): Number of training videos; data and
            trainings are separate. None means that of the size.
        test_videos (int, optional): Number of test videos, generated in a
            folder next to the data set. None means the test split of the data
            set.
        test_world (str, optional): World of the test videos. None means that
            of the training.
        video_frames (int, optional): Length of the videos; a clip spans the
            whole video. None means the length of the size.
    """

    rows = ROWS
    model: str = 'resnet3d'
    data: str = 'data/tempo/small'
    size: str | Tempo = 'small'
    world: str = 'still'
    train_videos: Optional[int] = None
    test_videos: Optional[int] = None
    test_world: Optional[str] = None
    video_frames: Optional[int] = None
    work_dir: str = 'work_dirs/recipes'

    def run(
        self, names: Sequence[str], seeds: Sequence[int], rounds: int = 5
    ) -> Results:
        """Trains, tests and times rows.

        Args:
            names (Sequence[str]): Names of rows.
            seeds (Sequence[int]): Seeds of the trainings.
            rounds (int): Number of rounds of timing. Defaults to 5.

        Returns:
            dict[str, list[dict[str, float]]]: For each row the metrics of each
            seed, with ``seconds`` per clip.

        Raises:
            ValueError: Before the training, if the frames of a row are not
                possible.
        """
        results = super().run(names, seeds)
        for place, seed in enumerate(seeds):
            for name, seconds in self.seconds(names, seed, rounds).items():
                results[name][place]['seconds'] = seconds
        return results

    @property
    def networks(self) -> Model:
        """Model: The configs without and with sampling."""
        return MODELS[self.model]

    @property
    def span(self) -> int:
        """int: Number of video frames that a clip spans."""
        return self.tempo.video.frames

    @property
    def tempo(self) -> Tempo:
        """Tempo: Parameters of the data set."""
        size = self.size
        size = get_size(size) if isinstance(size, str) else size
        video = size.video
        if self.video_frames is not None:
            video = replace(video, frames=self.video_frames)
        if self.train_videos is not None:
            size = replace(size, train=self.train_videos)
        return replace(size, world=self.world, video=video)

    @property
    def still(self) -> Optional['TempoComparison']:
        """TempoComparison | None: The comparison in the still world, for other
        worlds, which are learned in two steps unless the base starts from a
        checkpoint."""
        if self.world == 'still' or self.start is not None:
            return None
        return replace(self, world='still', test_videos=None, test_world=None)

    @property
    def suffix(self) -> str:
        """str: Suffix of the names of data."""
        parts = []
        if self.world != 'still':
            parts.append(self.world)
        if self.video_frames is not None:
            parts.append(f'{self.video_frames}frames')
        if self.train_videos is not None:
            parts.append(f'train{self.train_videos}')
        return ''.join(f'-{part}' for part in parts)

    @property
    def root(self) -> Path:
        """Path: Folder of the trainings on these videos."""
        return super().root.joinpath(*self.suffix.split('-')[1:])

    @property
    def rows_root(self) -> Path:
        """Path: Folder of the rows."""
        return self.root / self.model

    @property
    def test_suffix(self) -> str:
        """str: Suffix of the names of files with metrics, for other tests."""
        world = '' if self.test_world is None else f'-{self.test_world}'
        return world + self._test_videos_suffix

    @property
    def _test_videos_suffix(self) -> str:
        return '' if self.test_videos is None else f'-test{self.test_videos}'

    @property
    def report_suffix(self) -> str:
        """str: Suffix of the names of reports, which differ where trainings
        or tests do."""
        world = '' if self.test_world is None else f'-on-{self.test_world}'
        videos = self.suffix + world + self._test_videos_suffix
        return videos.replace('-', '_') + super().report_suffix

    @property
    def data_root(self) -> str:
        """str: Folder of the videos for training."""
        return self.data + self.suffix

    @property
    def test_root(self) -> str:
        """str: Folder of the videos for testing."""
        return self._test_data[0]

    @property
    def _test_data(self) -> Tuple[str, Tempo]:
        """tuple[str, Tempo]: Folder of the videos for testing, and their
        parameters."""
        if self.test_world is None and self.test_videos is None:
            return self.data_root, self.tempo
        # Videos do not depend on the sizes of the splits.
        other = replace(
            self, world=self.test_world or self.world, train_videos=None
        )
        if self.test_videos is None:
            return other.data_root, other.tempo
        size = replace(other.tempo, train=1, val=1, test=self.test_videos)
        return other.data_root + self._test_videos_suffix, size

    def use_data(self, cfg: Config) -> None:
        """Sets the data set of a config."""
        for split in ('train', 'val', 'test'):
            dataset = cfg[f'{split}_dataloader'].dataset
            root = self.test_root if split == 'test' else self.data_root
            dataset.data_root = root
            dataset.metainfo.classes = f'{root}/classes.txt'
            _fit_to_frames(dataset.pipeline, self.tempo.video)

    def prepare_data(self) -> None:
        """Generates the data if needed."""
        if self.still is not None:
            self.still.prepare_data()
        sizes = {self.data_root: self.tempo}
        test_root, test_size = self._test_data
        sizes.setdefault(test_root, test_size)
        for folder, size in sizes.items():
            clips = write_tempo(folder, size)
            if clips is not None:
                total = size.train + size.val + size.test
                for _ in track(clips, f'Generating {folder}', total):
                    pass

    @property
    def train_data(self) -> Dict[str, Any]:
        """dict: Parameters of the videos for training."""
        return asdict(self.tempo)

    @property
    def test_data(self) -> Dict[str, Any]:
        """dict: Parameters of the videos for testing."""
        return asdict(self._test_data[1])

    def start_of_base(self, seed: int) -> Optional[Tuple[Comparison, int]]:
        """Returns the base in the still world, for others."""
        return None if self.still is None else (self.still, seed)

    def seconds(
        self, names: Sequence[str], seed: int, rounds: int = 5
    ) -> Dict[str, float]:
        """Times rows in turns.

        Args:
            names (Sequence[str]): Names of rows.
            seed (int): Seed of the training.
            rounds (int): Number of rounds. Defaults to 5.

        Returns:
            dict[str, float]: Median seconds per clip over the rounds, without
            decoding, clip by clip or in batches, whichever is faster.
        """
        recognizers, clips = {}, {}
        lines = Path(self.test_root, 'test.txt').read_text().splitlines()
        videos = [
            str(Path(self.test_root, 'videos', line.split()[0]))
            for line in lines[:_NUM_TIMED]
        ]
        for name in names:
            cfg = self.config(name, seed)
            recognizers[name] = load_recognizer(cfg, self.weights(name, seed))
            self.rows[name].prepare(recognizers[name])
            clips[name] = read_batch(recognizers[name], videos)
        taken = time_per_clip(recognizers, clips, rounds)
        return {name: statistics.median(taken[name]) for name in names}


def _fit_to_frames(pipeline: List[dict], video: VideoFormat) -> None:
    """Sets the sizes in a pipeline according to those of the frames."""
    side = min(video.height, video.width)
    sizes: Dict[str, Dict[str, Any]] = {
        'RandomCrop': dict(size=round(_CROP * side)),
        'Resize': dict(scale=(-1, side)),
        'CenterCrop': dict(crop_size=round(_CROP * side)),
    }
    for step in pipeline:
        step.update(sizes.get(step['type'], {}))
