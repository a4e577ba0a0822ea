"""tyto extract on Ray: the features of a folder's images, by workers on one machine or many, in Parquet files.

    python3 examples/ray_extract.py reid.safetensors photos/ -o features/ --workers 4 --cpus 8
    python3 examples/ray_extract.py reid.safetensors photos/ -o features/ --workers 8 --gpus 1 --batch 32

RAY_ADDRESS names a cluster, whose machines see model, images and output under the same paths; without it one is started on this
machine. Killed, it goes on where it was when it is started again. A row is `name`, below the folder; `feature`, float32, the very
bits of `tyto extract --batch` on the same kind of device; `error`, a sentence in place of a feature. To read them:

    pandas.read_parquet("features/").set_index("name").sort_index()
"""
import pyarrow as pa
import tyto

import ray_chunks


class Extract:
    """A worker."""

    def __init__(self, options):
        self.options = options
        self.extractor = tyto.FeatureExtractor(options.model, **ray_chunks.engine(options))

    def __call__(self, chunk: pa.Table) -> pa.Table:
        names = chunk["name"].to_pylist()
        paths = [f"{self.options.images}/{name}" for name in names]
        # Decoding, computing and what comes next overlap within a call, so that a chunk is one, not one a batch.
        with self.extractor.folder(paths, on_error="skip", progress=False) as run:
            found = {feature.path: feature.feature for feature in run}
        return ray_chunks.write(self.options, pa.table({
            "name": names,
            "feature": pa.array([found.get(path) for path in paths], pa.list_(pa.float32(), self.extractor.dimensions)),
            "error": pa.array([None if path in found else ray_chunks.error(self.extractor.extract, path) for path in paths],
                              pa.string())}))


if __name__ == "__main__":
    ray_chunks.run(Extract, ray_chunks.parser(__doc__, "features").parse_args())
