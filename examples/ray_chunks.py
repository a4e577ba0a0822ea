"""What ray_extract.py and ray_detect.py share: images in chunks, each of which becomes a Parquet file, in one run or in several.

An image is one row of one file: its name below the folder, its results, and `error`, a sentence where it could not be read. Names
that stand in the output are not computed again, so that a run that was killed goes on, and one over a folder that has grown adds
what is new. That a row is the same whichever chunk its image came in is tyto's promise: with one batch size an image's result has
the same bits whatever stands beside it (but for networks that take inputs of many sizes: there with a batch of 1)."""
import argparse
import hashlib
import json
import logging
import os
import sys
from typing import Callable, Dict, List

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports each cluster to its makers
if "RAY_ADDRESS" not in os.environ:  # a cluster of this machine alone, which listens on the loopback address, whatever the system
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")

import pyarrow as pa
import pyarrow.parquet as pq
import ray
import tyto
from tyto.images import Listing

_SETTINGS = b"tyto"  # the key of the files' metadata


def parser(description: str, output: str) -> argparse.ArgumentParser:
    """With the options of both."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", type=os.path.abspath, help="a model file; like the images, every worker reads it by its path")
    made.add_argument("images", type=os.path.abspath, help="a folder")
    made.add_argument("-o", "--output", type=os.path.abspath, required=True, help=f"a folder of Parquet files of {output}")
    made.add_argument("--workers", type=int, default=1, help="processes that have the model (default 1)")
    made.add_argument("--cpus", type=int, default=1, help="of each worker: its threads (default 1)")
    made.add_argument("--gpus", type=int, default=0, choices=(0, 1), help="of each worker (default 0)")
    made.add_argument("--batch", type=int, default=8, help="images a run of the network (default 8)")
    made.add_argument("--chunk", type=int, default=512, help="images a file: what a kill costs a worker at most (default 512)")
    return made


def engine(options: argparse.Namespace) -> Dict[str, object]:
    """What a worker's pipeline is to run on. Ray shows a worker its own GPUs alone."""
    return {"device": "cuda" if options.gpus else "cpu", "threads": options.cpus, "batch": options.batch}


def run(worker: type, options: argparse.Namespace) -> None:
    """Lets `options.workers` of them, made once of `options` in a process each, write all chunks that are missing."""
    os.makedirs(options.output, exist_ok=True)
    options.settings = _settings(worker, options)
    listing = Listing(options.images, "images")
    names = listing.names
    done = _done(options)
    left = [name for name in names if name not in done]
    print(f"{len(names):,} images, {len(names) - len(left):,} of them done before", file=sys.stderr)
    if left:
        _compute(worker, options, left)
    for sentence in [*listing.left_out, *_errors(options.output)]:
        print(f"left out: {sentence}", file=sys.stderr)


def _compute(worker: type, options: argparse.Namespace, names: List[str]) -> None:
    ray.init(logging_level=logging.WARNING)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # other machines of a cluster lack this file
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    chunks = ray.data.from_arrow([pa.table({"name": names[i:i + options.chunk]}) for i in range(0, len(names), options.chunk)])
    # Results do not pass through Ray: its write_parquet() would leave half a file behind where it is killed.
    written = chunks.map_batches(worker, fn_constructor_args=(options,), batch_size=None, batch_format="pyarrow",
                                 compute=ray.data.ActorPoolStrategy(size=options.workers), num_cpus=options.cpus,
                                 num_gpus=options.gpus)
    done = 0
    for row in written.iter_rows():
        done += row["images"]
        print(f"{done:,} of {len(names):,}", file=sys.stderr)
    ray.shutdown()


def write(options: argparse.Namespace, table: pa.Table) -> pa.Table:
    """A chunk's file, whole or not at all. What the worker answers of it."""
    table = table.replace_schema_metadata({_SETTINGS: options.settings})
    name = hashlib.sha256("\n".join([options.settings, *table["name"].to_pylist()]).encode()).hexdigest()[:32]
    unfinished = os.path.join(options.output, f".{name}.tmp")
    pq.write_table(table, unfinished)
    os.replace(unfinished, os.path.join(options.output, f"{name}.parquet"))
    return pa.table({"images": [len(table)]})


def error(compute: Callable, path: str) -> str:
    """What is wrong with an image that was skipped."""
    try:
        compute([path])
    except tyto.Error as why:
        return str(why)
    return f"{path}: could not be read before, but now it can; delete the files of {os.path.dirname(path)} in the output"


def _settings(worker: type, options: argparse.Namespace) -> str:
    """What all rows of an output share."""
    with open(options.model, "rb") as file:
        model = hashlib.sha256(file.read()).hexdigest()
    return json.dumps({"rows": worker.__name__, "model": model, "batch": options.batch, "gpus": options.gpus})


def _files(output: str) -> List[str]:
    return sorted(os.path.join(output, name) for name in os.listdir(output) if name.endswith(".parquet"))


def _done(options: argparse.Namespace) -> set:
    names = set()
    for path in _files(options.output):
        if (pq.read_schema(path).metadata or {}).get(_SETTINGS, b"").decode() != options.settings:
            sys.exit(f"{path} is of another model, or was made with other options; name another folder with -o")
        names.update(pq.read_table(path, columns=["name"])["name"].to_pylist())
    return names


def _errors(output: str) -> List[str]:
    of_files = [pq.read_table(path, columns=["error"])["error"].drop_null() for path in _files(output)]
    return [sentence for errors in of_files for sentence in errors.to_pylist()]
