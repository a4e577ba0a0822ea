"""tyto detect on Ray: the objects in a folder's images, by workers on one machine or many, in Parquet files.

    python3 examples/ray_detect.py ssd.safetensors photos/ -o detections/ --workers 4 --cpus 8
    python3 examples/ray_detect.py ssd.safetensors photos/ -o detections/ --workers 8 --gpus 1 --batch 32

RAY_ADDRESS names a cluster, whose machines see model, images and output under the same paths; without it one is started on this
machine. Killed, it goes on where it was when it is started again. A row is `name`, below the folder; `width` and `height` in
pixels; `detections`, each a `label`, its `label_id`, `score` and `bbox` (left, top, width, height in pixels), with the very bits of
`tyto detect --batch` on the same kind of device; `error`, a sentence in place of these."""
import pyarrow as pa
import tyto

import ray_chunks

_DETECTION = pa.struct({"label": pa.string(), "label_id": pa.int32(), "score": pa.float32(), "bbox": pa.list_(pa.float32(), 4)})


class Detect:
    """A worker."""

    def __init__(self, options):
        self.options = options
        self.detector = tyto.Detector(options.model, **ray_chunks.engine(options))

    def __call__(self, chunk: pa.Table) -> pa.Table:
        names = chunk["name"].to_pylist()
        paths = [f"{self.options.images}/{name}" for name in names]
        # Decoding, computing and what comes next overlap within a call, so that a chunk is one, not one a batch.
        with self.detector.folder(paths, on_error="skip", progress=False) as run:
            found = {detections.image: detections for detections in run}
        images = [found.get(path) for path in paths]
        return ray_chunks.write(self.options, pa.table({
            "name": names,
            "width": pa.array([None if image is None else image.width for image in images], pa.int32()),
            "height": pa.array([None if image is None else image.height for image in images], pa.int32()),
            "detections": pa.array([None if image is None else image.to_dict()["detections"] for image in images],
                                   pa.list_(_DETECTION)),
            "error": pa.array([None if path in found else ray_chunks.error(self.detector.detect, path) for path in paths],
                              pa.string())}))


if __name__ == "__main__":
    ray_chunks.run(Detect, ray_chunks.parser(__doc__, "detections").parse_args())
