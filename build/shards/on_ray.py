"""Shards made by many machines: actors of Ray, each with an encoder of its own.

An actor is given one shard at a time and another to go on with, takes its images from where they
lie, and puts the table where it belongs; only counts come back.  So nothing that grows with the
images is in Ray's object store, and a machine that is lost costs two shards, which others make.

Actors are placed by Ray, one for each processor.  They must find this project where it is on this
machine, or installed, with the same packages; of the model they are sent what they need.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from build.errors import BuildError
from build.shards.making import Made, Recipe, Task, make_shard
from build.shards.source import Source
from build.shards.storage import Storage
from models import installation, machine
from models.damage import DamagedError
from models.golden import compare_image
from models.graph import Device, NoDeviceError
from models.image_encoder import ImageEncoder

# How often a shard is begun again whose actor was lost.
_TRIES = 3
_SECONDS = 1.0


class RayEngine:
    """Makes shards in the cluster that ``RAY_ADDRESS`` names, else in one on this machine.

    Args:
        source: where the images are, as every machine of the cluster has it.
        output: the same of the shards.
        recipe: how they are made.
        graph: what is in the model's file of its image encoder.
        workers: how many actors; None for one for each processor, or GPU.
        device: where each has its encoder: a processor, or a GPU of its own.

    Raises:
        BuildError: Ray is not installed.
    """

    def __init__(
        self,
        source: Source,
        output: Storage,
        recipe: Recipe,
        graph: bytes,
        workers: int | None,
        device: Device,
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise BuildError(
                f"--engine ray needs packages that are not here ({error}): install them with "
                f"{installation.extra('ray')}"
            ) from None
        self._ray: Any = ray
        self._of_all = source, output, recipe, graph, device
        self._device = device
        self._workers = workers

    def make(self, tasks: Iterator[Task], step: Callable[[int], None]) -> Iterator[Made]:
        """Make shards, in any order.

        Args:
            tasks: which.
            step: is told how many more images are done, often of none, and may raise to stop.

        Raises:
            BuildError: one cannot be made, or Ray cannot be used.
        """
        ray = self._ray
        count = self._start()
        try:
            yield from self._make(count, tasks, step)
        except ray.exceptions.RayTaskError as error:
            raise _told(error) from None
        except ray.exceptions.RayError as error:
            raise BuildError(f"Ray gives up: {error} The same command goes on from here.") from None
        finally:
            ray.shutdown()

    def _start(self) -> int:
        """Begin with Ray, and say how many actors are to be had."""
        ray = self._ray
        address = os.environ.get("RAY_ADDRESS")
        here: dict[str, Any] = {"address": address}
        if not address:
            here = {
                "address": "local",
                "num_cpus": self._workers or machine.cores(),
                "include_dashboard": False,
            }
        # An actor finds our modules as this process does.
        path = installation.environment().get("PYTHONPATH", "")
        # Ray tells its makers of each use, unless it is told not to.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(
                **here,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": {"PYTHONPATH": path}},
            )
        # A bare Exception, where it does not come up in time.
        except Exception as error:
            raise BuildError(f"Ray cannot be used: {error}") from None
        unit = "CPU" if self._device == "cpu" else "GPU"
        return self._workers or int(ray.cluster_resources().get(unit, 1))

    def _make(
        self, count: int, tasks: Iterator[Task], step: Callable[[int], None]
    ) -> Iterator[Made]:
        ray = self._ray
        # Once for all actors, and kept here for those that take the place of a lost one.
        of_all = [ray.put(each) for each in self._of_all]
        needs = {"num_cpus": 1, "num_gpus": 0 if self._device == "cpu" else 1}
        kind = ray.remote(**needs, max_restarts=_TRIES, max_task_retries=_TRIES)(_Actor)
        actors: list[Any] = []
        running: dict[Any, tuple[Any, int]] = {}

        def give(actor: Any, task: Task | None) -> None:
            if task is not None:
                running[actor.make.remote(of_all, task)] = (actor, len(task.files))

        for first in islice(tasks, count):
            actors.append(kind.remote())
            give(actors[-1], first)
        for actor in actors:
            give(actor, next(tasks, None))
        while running:
            ready, _ = ray.wait(list(running), timeout=_SECONDS)
            step(0)
            for reference in ready:
                actor, images = running.pop(reference)
                made: Made = ray.get(reference)
                give(actor, next(tasks, None))
                step(images)
                yield made


class _Actor:
    """Holds an encoder and makes shards with it, one at a time."""

    def __init__(self) -> None:
        self._ready: tuple[Source, Storage, Recipe, ImageEncoder] | None = None

    def make(self, of_all: list[Any], task: Task) -> Made:
        """Make a shard; only here, where it is told, is anything found to be wrong."""
        source, output, recipe, encoder = self._ready = self._ready or _prepared(of_all)
        return make_shard(task, source, output, recipe, encoder, threads=1)


def _prepared(of_all: list[Any]) -> tuple[Source, Storage, Recipe, ImageEncoder]:
    import ray

    source, output, recipe, graph, device = ray.get(of_all)
    # For messages: the file itself is where the command was typed.
    folder = Path(recipe.card.name)
    encoder = ImageEncoder(folder, recipe.card, threads=1, graph=graph, device=device)
    compare_image(folder, recipe.card, encoder)
    return source, output, recipe, encoder


def _told(error: Any) -> BuildError:
    """What went wrong in an actor, in the words that are said of it here."""
    cause = error.cause
    if isinstance(cause, BuildError | DamagedError | NoDeviceError):
        return BuildError(str(cause))
    return BuildError(f"a worker of Ray fails: {cause}")
