"""Trains, tests and times the rows of a table, each once."""

import json
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rich.progress import track

from mmatfr.apis import load_recognizer, read_batch, write_inserted
from mmatfr.atomic_write import write_text
from mmatfr.benchmark.timing import time_per_clip
from mmatfr.datasets.tempo import Tempo, get_size, write_tempo

from .models import MODELS, Model
from .row import spread_frames
from .tables import ROWS

__all__ = ['Comparison']

_NUM_TIMED = 48  # number of clips to time

# Metrics of each seed, by row.
Results = Dict[str, List[Dict[str, float]]]


@dataclass(frozen=True)
class Comparison:
    """Data, duration and folders of the trainings of rows.

    For each seed the network without sampling is trained once; in other worlds
    than still it starts from that of the still world. Every row starts from
    these weights, except for rows from scratch. Finished steps are skipped.

    Attributes:
        model (str): Key of :data:`mmatfr.experiments.models.MODELS`.
        data (str): Folder of the data set, generated if missing.
        size (str | Tempo): Size of the data set, a name or parameters.
        world (str): World of the videos. Other worlds than still have separate
            data and trainings.
        test_videos (int, optional): Number of test videos, generated in a
            folder next to the data set. None means the test split of the data
            set.
        video_frames (int, optional): Length of the videos; a clip spans the
            whole video. None means the length of the size.
        work_dir (str): Folder of the trainings.
        epochs (int, optional): Number of epochs of every training; overrides
            the configs.
        finetune_epochs (int, optional): Number of epochs of the rows;
            overrides the recipe.
    """

    model: str = 'resnet3d'
    data: str = 'data/tempo/small'
    size: str | Tempo = 'small'
    world: str = 'still'
    test_videos: Optional[int] = None
    video_frames: Optional[int] = None
    work_dir: str = 'work_dirs/recipes'
    epochs: Optional[int] = None
    finetune_epochs: Optional[int] = None

    def run(
        self, names: Sequence[str], seeds: Sequence[int], rounds: int = 5
    ) -> Results:
        """Trains, tests and times rows.

        Args:
            names (Sequence[str]): Keys of
                :data:`mmatfr.experiments.tables.ROWS`.
            seeds (Sequence[int]): Seeds of the trainings.
            rounds (int): Number of rounds of timing. Defaults to 5.

        Returns:
            dict[str, list[dict[str, float]]]: For each row the metrics of each
            seed, with ``seconds`` per clip.

        Raises:
            ValueError: Before the training, if the frames of a row are not
                possible.
        """
        for name in names:
            self.config(name, seeds[0])
        self.generate()
        results: Results = {name: [] for name in names}
        for seed in seeds:
            for name in names:
                results[name].append(self.metrics(name, seed))
        for place, seed in enumerate(seeds):
            for name, seconds in self.seconds(names, seed, rounds).items():
                results[name][place]['seconds'] = seconds
        return results

    @property
    def networks(self) -> Model:
        """Model: The configs without and with sampling."""
        return MODELS[self.model]

    @property
    def still(self) -> Optional['Comparison']:
        """Comparison | None: The comparison in the still world, for others.

        Other worlds are learned in two steps: their network without sampling
        starts from that of the still world.
        """
        if self.world == 'still':
            return None
        return replace(self, world='still', test_videos=None)

    @property
    def suffix(self) -> str:
        """str: Suffix of the names of data and reports."""
        world = '' if self.world == 'still' else f'-{self.world}'
        if self.video_frames is None:
            return world
        return f'{world}-{self.video_frames}frames'

    @property
    def data_root(self) -> str:
        """str: Folder of the videos for training."""
        return self.data + self.suffix

    @property
    def test_root(self) -> str:
        """str: Folder of the videos for testing."""
        if self.test_videos is None:
            return self.data_root
        return f'{self.data_root}-test{self.test_videos}'

    def generate(self) -> None:
        """Generates the data if needed."""
        if self.still is not None:
            self.still.generate()
        size = self.size
        size = get_size(size) if isinstance(size, str) else size
        size = replace(size, world=self.world)
        if self.video_frames is not None:
            video = replace(size.video, frames=self.video_frames)
            size = replace(size, video=video)
        sizes = {self.data_root: size}
        # Videos do not depend on the size of their split.
        if self.test_videos is not None:
            sizes[self.test_root] = replace(
                size, train=1, val=1, test=self.test_videos
            )
        for folder, size in sizes.items():
            clips = write_tempo(folder, size)
            if clips is not None:
                total = size.train + size.val + size.test
                for _ in track(clips, f'Generating {folder}', total):
                    pass

    def folder(self, name: str, seed: int, is_base: bool = False) -> Path:
        """Returns the folder of weights and metrics of a row or the base."""
        folder = Path(self.work_dir, *self.suffix.split('-')[1:])
        if is_base:
            # Recipes for the same network start from the same weights.
            return folder / self.networks.full / f's{seed}'
        if self.is_finetuned(name) and self.finetune_epochs is not None:
            name = f'{name}_{self.finetune_epochs}e'
        return folder / self.model / f'{name}_s{seed}'

    @staticmethod
    def is_finetuned(name: str) -> bool:
        """Returns whether a row is fine-tuned from the common base."""
        return name != 'base' and not ROWS[name].from_scratch

    def config(self, name: str, seed: int, is_base: bool = False) -> Config:
        """Makes the config of a row.

        Args:
            name (str): Key of :data:`mmatfr.experiments.tables.ROWS`.
            seed (int): Seed of the training.
            is_base (bool): Whether to make the config of the common base.

        Returns:
            Config: The config for a runner.

        Raises:
            ValueError: If the frames of its clips are not possible.
        """
        if is_base:
            cfg = self.networks.full_config()
            spread_frames(cfg, span=self.video_frames)
        else:
            cfg = ROWS[name].config(self.networks, self.video_frames)
        init_default_scope(cfg.default_scope)
        cfg.work_dir = str(self.folder(name, seed, is_base))
        cfg.experiment_name = f'{self.model}_{name}_s{seed}'
        cfg.randomness = dict(seed=seed)
        cfg.load_from = None
        for split in ('train', 'val', 'test'):
            dataset = cfg[f'{split}_dataloader'].dataset
            root = self.test_root if split == 'test' else self.data_root
            dataset.data_root = root
            dataset.metainfo.classes = f'{root}/classes.txt'
        epochs = self.epochs
        if not is_base and self.is_finetuned(name):
            epochs = self.finetune_epochs or epochs
        if epochs is not None:
            cfg.train_cfg.max_epochs = epochs
            cfg.param_scheduler[0].total_steps = epochs
        return cfg

    def weights(self, name: str, seed: int) -> str:
        """Trains a row if needed.

        Args:
            name (str): Key of :data:`mmatfr.experiments.tables.ROWS`; 'base'
                for the common base.
            seed (int): Seed of the training.

        Returns:
            str: The last checkpoint.
        """
        is_base = name == 'base'
        row = ROWS[name]
        if not is_base and row.weights_of:
            weights = self.weights(row.weights_of, seed)
            if row.weights_of == 'base' and row.sgs is not None:
                out = self.folder(name, seed) / 'inserted.pth'
                if not out.is_file():
                    cfg = self.config(name, seed)
                    cfg.experiment_name += '_insert'
                    write_inserted(cfg, weights, out)
                return str(out)
            return weights
        cfg = self.config(name, seed, is_base)
        folder = self.folder(name, seed, is_base)
        checkpoint = folder / f'epoch_{cfg.train_cfg.max_epochs}.pth'
        if checkpoint.is_file():
            return str(checkpoint)
        if (folder / 'last_checkpoint').is_file():
            cfg.resume = True
        elif is_base and self.still is not None:
            cfg.load_from = self.still.weights('base', seed)
        elif not is_base and self.is_finetuned(name):
            cfg.load_from = self.weights('base', seed)
        runner = Runner.from_cfg(cfg)
        if not is_base:
            row.prepare(runner.model)
        runner.train()
        return str(checkpoint)

    def metrics(self, name: str, seed: int) -> Dict[str, float]:
        """Tests a row if needed.

        Args:
            name (str): Key of :data:`mmatfr.experiments.tables.ROWS`.
            seed (int): Seed of the training.

        Returns:
            dict[str, float]: The metrics on the test split.
        """
        count = '' if self.test_videos is None else f'-test{self.test_videos}'
        result = self.folder(name, seed) / f'metrics{count}.json'
        if not result.is_file():
            cfg = self.config(name, seed)
            cfg.load_from = self.weights(name, seed)
            cfg.experiment_name += '_test'
            runner = Runner.from_cfg(cfg)
            ROWS[name].prepare(runner.model)
            metrics = {k: float(v) for k, v in runner.test().items()}
            result.parent.mkdir(parents=True, exist_ok=True)
            write_text(result, json.dumps(metrics, indent=2) + '\n')
        return json.loads(result.read_text())

    def seconds(
        self, names: Sequence[str], seed: int, rounds: int = 5
    ) -> Dict[str, float]:
        """Times rows in turns.

        Args:
            names (Sequence[str]): Keys of
                :data:`mmatfr.experiments.tables.ROWS`.
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
            ROWS[name].prepare(recognizers[name])
            clips[name] = read_batch(recognizers[name], videos)
        taken = time_per_clip(recognizers, clips, rounds)
        return {name: statistics.median(taken[name]) for name in names}
