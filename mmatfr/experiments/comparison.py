"""Trains and tests the rows of a table, each once."""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

from mmatfr.apis import build_recognizer, write_inserted
from mmatfr.atomic_write import write_text
from mmatfr.checkpoint import check_fit, fetch, open_checkpoint
from mmatfr.datasets import decode_once
from mmatfr.integrity import sha256_of

from .models import Model
from .recipe import (
    check_recipe,
    in_turn,
    make_once,
    recipe_of_test,
    recipe_of_training,
    record_recipe,
)
from .row import Row, spread_frames

__all__ = ['Comparison', 'Results', 'train']

# For rows with a teacher.
_DISTILLATION = dict(type='DistillationHook', weight=0.7, temperature=2.0)
# Metrics of each seed, by row.
Results = Dict[str, List[Dict[str, float]]]


@dataclass(frozen=True, kw_only=True)
class Comparison(ABC):
    """Trainings of the rows of a table.

    For each seed the network without sampling, the base, is trained once.
    Every row starts from its weights, except for rows from scratch. Finished
    steps are skipped, and an interrupted training continues; a folder with a
    training of another recipe or on other data is refused, and metrics of
    other weights or data are measured again. A training is in ``NAME/sSEED``,
    with the name of the row or of the config of the base; trainings with
    another number of epochs have a separate folder.

    Attributes:
        work_dir (str): Folder of the trainings.
        epochs (int, optional): Number of epochs of every training; overrides
            the configs.
        finetune_epochs (int, optional): Number of epochs of the rows;
            overrides the recipe.
        start (str, optional): Path or URL of a checkpoint from which the bases
            of all seeds start; trainings are separate. Weights that the base
            does not have, such as those of a sampling layer, are ignored.
        decode_once (bool): Whether to keep the frames of the videos in files
            beside them. Trainings and tests are the same.
    """

    work_dir: str
    epochs: Optional[int] = None
    finetune_epochs: Optional[int] = None
    start: Optional[str] = None
    decode_once: bool = False

    @property
    @abstractmethod
    def rows(self) -> Mapping[str, Row]:
        """Mapping[str, Row]: The rows, by name."""

    @property
    @abstractmethod
    def networks(self) -> Model:
        """Model: The configs without and with sampling."""

    @property
    def span(self) -> Optional[int]:
        """int | None: Number of video frames that a clip spans; None means
        that of the recipe."""
        return None

    @property
    def root(self) -> Path:
        """Path: Folder of the trainings with this number of epochs."""
        folder = Path(self.work_dir)
        if self.epochs is not None:
            folder /= f'{self.epochs}e'
        return folder if self.start is None else folder / self._start_suffix

    @property
    def rows_root(self) -> Path:
        """Path: Folder of the rows."""
        return self.root

    @property
    def test_suffix(self) -> str:
        """str: Suffix of the names of files with metrics, for other tests."""
        return ''

    @property
    def report_suffix(self) -> str:
        """str: Suffix of the names of reports, which differ where trainings
        or tests do."""
        suffix = '' if self.epochs is None else f'_{self.epochs}e'
        if self.finetune_epochs is not None:
            suffix += f'_finetune{self.finetune_epochs}e'
        if self.start is not None:
            suffix += f'_{self._start_suffix}'
        return suffix

    @cached_property
    def _start_hash(self) -> str:
        assert self.start is not None
        return sha256_of(fetch(self.start))

    @property
    def _start_suffix(self) -> str:
        return f'start_{self._start_hash[:8]}'

    @abstractmethod
    def prepare_data(self) -> None:
        """Makes or checks the data set."""

    @abstractmethod
    def use_data(self, cfg: Config) -> None:
        """Sets the data set of a config."""

    @property
    @abstractmethod
    def train_data(self) -> Dict[str, Any]:
        """dict: What identifies the data set of the training, for JSON."""

    @property
    def test_data(self) -> Dict[str, Any]:
        """dict: What identifies the data set of the test, for JSON."""
        return self.train_data

    def start_of_base(self, seed: int) -> Optional[Tuple['Comparison', int]]:
        """Returns from which other base the base starts.

        Args:
            seed (int): Seed of the training.

        Returns:
            tuple[Comparison, int]: A comparison and the seed of its base; None
            for a training from scratch.
        """
        return None

    def run(self, names: Sequence[str], seeds: Sequence[int]) -> Results:
        """Trains and tests rows.

        Args:
            names (Sequence[str]): Names of rows.
            seeds (Sequence[int]): Seeds of the trainings.

        Returns:
            dict[str, list[dict[str, float]]]: For each row the metrics of each
            seed.

        Raises:
            FileNotFoundError: If there is no checkpoint to start from.
            ValueError: Before the training, if the frames of a row are not
                possible, or the weights to start from are not those of the
                base.
        """
        if self.start is not None:
            check_fit(
                build_recognizer(
                    self.base_config(seeds[0]).model
                ).state_dict(),
                open_checkpoint(self.start)[0],
                self.start,
                self.networks.full,
                base=True,
            )
        for name in names:
            self.config(name, seeds[0])
        self.prepare_data()
        results: Results = {name: [] for name in names}
        for seed in seeds:
            for name in names:
                results[name].append(self.metrics(name, seed))
        return results

    def folder(self, name: str, seed: int) -> Path:
        """Returns the folder of weights and metrics of a row."""
        if self.is_finetuned(name) and self.finetune_epochs is not None:
            name = f'{name}_{self.finetune_epochs}e'
        return self.rows_root / name / f's{seed}'

    def is_finetuned(self, name: str) -> bool:
        """Returns whether a row is fine-tuned from the base."""
        return name != 'base' and not self.rows[name].from_scratch

    def config(self, name: str, seed: int) -> Config:
        """Makes the config of a row.

        Args:
            name (str): Name of the row.
            seed (int): Seed of the training.

        Returns:
            Config: The config for a runner.

        Raises:
            ValueError: If the frames of its clips are not possible.
        """
        cfg = self.rows[name].config(self.networks, self.span)
        epochs = self.epochs
        if self.is_finetuned(name):
            epochs = self.finetune_epochs or epochs
        return self._complete(cfg, self.folder(name, seed), seed, epochs)

    def base_config(self, seed: int) -> Config:
        """Makes the config of the base.

        Args:
            seed (int): Seed of the training.

        Returns:
            Config: The config for a runner.
        """
        cfg = self.networks.full_config()
        spread_frames(cfg, span=self.span)
        # Recipes for the same network start from the same weights.
        folder = self.root / self.networks.full / f's{seed}'
        return self._complete(cfg, folder, seed, self.epochs)

    def _complete(
        self, cfg: Config, folder: Path, seed: int, epochs: Optional[int]
    ) -> Config:
        init_default_scope(cfg.default_scope)
        cfg.work_dir = str(folder)
        parts = folder.relative_to(self.work_dir).parts
        cfg.experiment_name = '_'.join(parts)
        cfg.randomness = dict(seed=seed)
        cfg.load_from = None
        self.use_data(cfg)
        if self.decode_once:
            decode_once(cfg)
        if epochs is not None:
            cfg.train_cfg.max_epochs = epochs
            cfg.param_scheduler[0].total_steps = epochs
        return cfg

    def recipe(self, name: str, seed: int) -> dict:
        """Returns what the training of a row depends on.

        Args:
            name (str): Name of the row.
            seed (int): Seed of the training.

        Returns:
            dict: The recipe, with that of the base from which it starts.
        """
        row = self.rows[name]
        more: Dict[str, Any] = {}
        if row.teacher is not None:
            teacher = self.recipe(row.teacher, seed)
            more['distillation'] = dict(_DISTILLATION, teacher=teacher)
        return recipe_of_training(
            self.config(name, seed),
            binning=row.grouping,
            data=self.train_data,
            start=self.base_recipe(seed) if self.is_finetuned(name) else None,
            **more,
        )

    def base_recipe(self, seed: int) -> dict:
        """Returns what the training of the base depends on.

        Args:
            seed (int): Seed of the training.

        Returns:
            dict: The recipe, with that of the base from which it starts.
        """
        start: Any
        if self.start is not None:
            start = self._start_hash
        else:
            other = self.start_of_base(seed)
            start = other and other[0].base_recipe(other[1])
        return recipe_of_training(
            self.base_config(seed), data=self.train_data, start=start
        )

    def base_weights(self, seed: int) -> str:
        """Trains the base if needed.

        Args:
            seed (int): Seed of the training.

        Returns:
            str: The last checkpoint.
        """

        def start_from() -> Optional[str]:
            if self.start is not None:
                return fetch(self.start)
            other = self.start_of_base(seed)
            return other and other[0].base_weights(other[1])

        return train(
            self.base_config(seed), self.base_recipe(seed), start_from
        )

    def weights(self, name: str, seed: int) -> str:
        """Trains a row if needed.

        Args:
            name (str): Name of the row.
            seed (int): Seed of the training.

        Returns:
            str: The last checkpoint.
        """
        row = self.rows[name]
        if row.weights_of is None:

            def add_teacher(cfg: Config) -> None:
                if row.teacher is not None:
                    teacher = self.weights(row.teacher, seed)
                    hook = dict(_DISTILLATION, teacher=teacher)
                    cfg.custom_hooks = [*cfg.custom_hooks, hook]

            return train(
                self.config(name, seed),
                self.recipe(name, seed),
                lambda: None if row.from_scratch else self.base_weights(seed),
                row.prepare,
                add_teacher,
            )
        if row.weights_of != 'base':
            return self.weights(row.weights_of, seed)
        weights = self.base_weights(seed)
        if row.sgs is None:
            return weights
        out = self.folder(name, seed) / 'inserted.pth'
        cfg = self.config(name, seed)
        cfg.experiment_name += '_insert'
        recipe = dict(self.recipe(name, seed), weights=sha256_of(weights))
        make_once(out, recipe, lambda: write_inserted(cfg, weights, out))
        return str(out)

    def metrics(self, name: str, seed: int) -> Dict[str, float]:
        """Tests a row if needed.

        Args:
            name (str): Name of the row.
            seed (int): Seed of the training.

        Returns:
            dict[str, float]: The metrics on the test split.

        Raises:
            ValueError: If the folder of its weights has a training with
                another recipe.
        """
        row = self.rows[name]
        cfg = self.config(name, seed)
        cfg.load_from = self.weights(name, seed)
        cfg.experiment_name += '_test'
        file = f'metrics_{cfg.train_cfg.max_epochs}e{self.test_suffix}.json'
        result = self.folder(name, seed) / file

        def test() -> None:
            runner = Runner.from_cfg(cfg)
            row.prepare(runner.model)
            metrics = {key: float(v) for key, v in runner.test().items()}
            write_text(result, json.dumps(metrics, indent=2) + '\n')

        recipe = recipe_of_test(
            cfg,
            binning=row.grouping,
            data=self.test_data,
            weights=sha256_of(cfg.load_from),
        )
        make_once(result, recipe, test)
        return json.loads(result.read_text(encoding='utf-8'))


def train(
    cfg: Config,
    recipe: dict,
    start_from: Callable[[], Optional[str]],
    prepare: Callable[[nn.Module], None] = lambda recognizer: None,
    add_teacher: Callable[[Config], None] = lambda cfg: None,
) -> str:
    """Trains a network if needed.

    Of several processes one trains it, and the others wait.

    Args:
        cfg (Config): The config, with the folder of the training.
        recipe (dict): What the training depends on.
        start_from (Callable): Returns the checkpoint to start from.
        prepare (Callable): Changes the recognizer before the training.
        add_teacher (Callable): Adds the hook of a teacher, trained if needed,
            to the config.

    Returns:
        str: The last checkpoint.

    Raises:
        ValueError: If the folder has a training with another recipe.
    """
    folder = Path(cfg.work_dir)
    checkpoint = folder / f'epoch_{cfg.train_cfg.max_epochs}.pth'
    if checkpoint.is_file():  # perhaps in a folder that cannot be written to
        check_recipe(folder, recipe)
        return str(checkpoint)
    with in_turn(folder):
        cfg.resume = (folder / 'last_checkpoint').is_file()
        if cfg.resume or checkpoint.is_file():
            check_recipe(folder, recipe)
        else:
            cfg.load_from = start_from()
            record_recipe(folder, recipe)
        if not checkpoint.is_file():
            add_teacher(cfg)
            runner = Runner.from_cfg(cfg)
            prepare(runner.model)
            runner.train()
    return str(checkpoint)
