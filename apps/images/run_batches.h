// The loop that every command shares which runs images through a network.
#pragma once

#include <deque>
#include <utility>

#include "apps/console.h"
#include "apps/images/loader.h"
#include "apps/outputs.h"

namespace tyto::apps {

struct BatchOptions {
  int batch = 8;
  int decoders = 1;                     // threads
  bool apply_exif_orientation = false;  // of FileSource
};

// Runs every readable image of `source` through `pipeline` (an ImagePipeline), as many batches at once as
// it takes, and calls on_rows(Batch& batch, results) for each batch in order. The batch is on_rows' to take
// things out of; its images have pixels if `keep_images`. What cannot be read is added to `skipped`. Throws
// Interrupted between batches.
template <class Pipeline, class OnRows>
void run_batches(ImageSource& source, const Preprocessing& rule, Pipeline& pipeline,
                 const BatchOptions& options, bool keep_images, Progress& progress, SkippedInputs& skipped,
                 const OnRows& on_rows) {
  const bool on_device = pipeline.preprocesses();
  ImageLoader loader(source, rule,
                     {.batch = options.batch,
                      .threads = options.decoders,
                      .preprocess = !on_device,
                      .keep_images = keep_images});
  std::deque<Batch> running;  // an input stays where it was submitted until its results are collected
  const auto submit = [&](Batch& batch) {
    if (on_device) {
      pipeline.submit(batch.images);
      if (keep_images) return;
      for (Image& image : batch.images) image.rgb = {};  // their sizes are still asked for
    } else {
      pipeline.submit(batch.input, batch.geometries);
    }
  };
  const auto finish_first = [&] {
    const auto& results = pipeline.collect();
    Batch batch = std::move(running.front());
    running.pop_front();
    const auto rows = static_cast<int64_t>(batch.indices.size());
    on_rows(batch, results);
    progress.advance(rows);
    loader.recycle(std::move(batch));
    check_interrupted();
  };
  while (std::optional<Batch> next = loader.next()) {
    for (const Skipped& s : next->skipped) skipped.push_back(s.message);
    progress.advance(static_cast<int64_t>(next->skipped.size()));
    if (next->indices.empty()) continue;
    if (static_cast<int>(running.size()) == pipeline.in_flight()) finish_first();
    running.push_back(std::move(*next));
    submit(running.back());
  }
  while (!running.empty()) finish_first();
}

}  // namespace tyto::apps
