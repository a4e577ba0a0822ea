// The loop that every command shares which runs images through a network.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "apps/console.h"
#include "apps/images/loader.h"
#include "apps/outputs.h"
#include "tyto/tensor.h"

namespace tyto::apps {

struct BatchOptions {
  int batch = 8;
  int decoders = 1;                     // threads
  bool apply_exif_orientation = false;  // of FileSource
};

// What the network made of one image: a row of what a pipeline's collect() gives.
inline std::vector<float> take_row(const Tensor& features, size_t row) {
  const auto width = static_cast<size_t>(features.dim(1));
  const std::span<const float> values = features.as<float>().subspan(row * width, width);
  return {values.begin(), values.end()};
}

template <class Row>
struct ImageResult {
  int64_t index = 0;  // in the source
  Image image;        // its pixels only where they are kept
  Row row;
};

// Runs every readable image of `source` that no run before has done through `pipeline` (an ImagePipeline), as
// many batches at once as it takes, and calls on_rows(std::vector<ImageResult<...>>), each image once, in the
// order of the source. Where sizes vary, results wait here for those of images before them: of no more images
// than the loader's window holds. Images have pixels if `keep_images`. What cannot be read is added to
// `skipped`. Throws Interrupted between batches.
template <class Pipeline, class OnRows>
void run_batches(ImageSource& source, const Preprocessing& rule, Pipeline& pipeline,
                 const BatchOptions& options, bool keep_images, Progress& progress, SkippedInputs& skipped,
                 const OnRows& on_rows) {
  using Row = decltype(take_row(std::declval<decltype(pipeline.collect())&>(), 0));
  const bool on_device = pipeline.preprocesses();
  ImageLoader loader(source, rule,
                     {.batch = options.batch,
                      .threads = options.decoders,
                      .preprocess = !on_device,
                      .keep_images = keep_images});
  std::deque<Batch> running;  // an input stays where it was submitted until its results are collected
  std::map<int64_t, ImageResult<Row>> ahead;  // of an image before them that is not done
  const auto submit = [&](Batch& batch) {
    if (!on_device) {
      pipeline.submit(batch.input, batch.geometries);
      return;
    }
    for (int64_t i = 0; i < batch.done_before; ++i)  // a batch is full; what stands there does not matter
      batch.images.push_back(batch.images.front());
    pipeline.submit(batch.images);
    batch.images.resize(batch.indices.size());
    if (keep_images) return;
    for (Image& image : batch.images) image.rgb = {};  // their sizes are still asked for
  };
  const auto hand_over = [&](int64_t all_before) {
    std::vector<ImageResult<Row>> rows;
    while (!ahead.empty() && ahead.begin()->first < all_before)
      rows.push_back(std::move(ahead.extract(ahead.begin()).mapped()));
    const auto count = static_cast<int64_t>(rows.size());
    if (count > 0) on_rows(std::move(rows));
    progress.advance(count);
  };
  const auto finish_first = [&] {
    auto&& results = pipeline.collect();
    Batch batch = std::move(running.front());
    running.pop_front();
    for (size_t row = 0; row < batch.indices.size(); ++row) {
      const int64_t index = batch.indices[row];
      ahead.emplace(index, ImageResult<Row>{index, std::move(batch.images[row]), take_row(results, row)});
    }
    hand_over(batch.all_before);
    loader.recycle(std::move(batch));
    check_interrupted();
  };
  // Images of a size that the network cannot take: too flat for its strides, say.
  const auto leave_out_last = [&](const Error& error) {
    Batch batch = std::move(running.back());
    running.pop_back();
    for (const int64_t index : batch.indices)
      skipped.push_back(fmt::format("{}: {}", source.name(index), error.what()));
    progress.advance(static_cast<int64_t>(batch.indices.size()));
    loader.recycle(std::move(batch));
  };
  while (std::optional<Batch> next = loader.next()) {
    for (const Skipped& s : next->skipped) skipped.push_back(s.message);
    progress.advance(static_cast<int64_t>(next->skipped.size()));
    if (next->indices.empty()) continue;
    if (static_cast<int>(running.size()) == pipeline.in_flight()) finish_first();
    running.push_back(std::move(*next));
    try {
      submit(running.back());
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Shape || !varies(rule)) throw;
      leave_out_last(error);
    }
  }
  while (!running.empty()) finish_first();
  hand_over(std::numeric_limits<int64_t>::max());
}

}  // namespace tyto::apps
