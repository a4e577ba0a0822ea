// Images through a network, batch by batch, for whoever asks for the next results.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "apps/images/loader.h"
#include "tyto/tensor.h"

namespace tyto::apps {

struct BatchOptions {
  int batch = 8;
  int decoders = 1;                     // threads
  bool apply_exif_orientation = false;  // of FileSource
};

// Of `decoders`: half the cores.
inline int usual_decoders() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2); }

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
// many batches at once as it takes. Source and pipeline must outlive the run, and the pipeline has nothing
// else to do meanwhile.
template <class Pipeline>
class BatchRun {
 public:
  using Row = decltype(take_row(std::declval<decltype(std::declval<Pipeline&>().collect())&>(), 0));

  struct Step {
    // Each image once, in the order of the source. Where sizes vary, results wait for those of images before
    // them: of no more images than the loader's window holds. Images have pixels if `keep_images`.
    std::vector<ImageResult<Row>> rows;
    std::vector<Skipped> skipped;  // what cannot be read
  };

  BatchRun(ImageSource& source, const Preprocessing& rule, Pipeline& pipeline, const BatchOptions& options,
           bool keep_images)
      : source_(source),
        pipeline_(pipeline),
        keep_images_(keep_images),
        on_device_(pipeline.preprocesses()),
        sizes_vary_(varies(rule)),
        loader_(source, rule,
                {.batch = options.batch,
                 .threads = options.decoders,
                 .preprocess = !on_device_,
                 .keep_images = keep_images}) {}
  BatchRun(const BatchRun&) = delete;
  BatchRun& operator=(const BatchRun&) = delete;
  // The pipeline is free again, whether the run came to its end or not.
  ~BatchRun() {
    try {
      for (; !running_.empty(); running_.pop_front()) pipeline_.collect();
    } catch (...) {  // a device that failed; it says so to the next who asks
    }
  }

  // One batch further: what came of it, which may be nothing yet. nullopt after the last.
  std::optional<Step> next() {
    Step step;
    if (std::optional<Batch> batch = over_ ? std::nullopt : loader_.next()) {
      step.skipped = std::move(batch->skipped);
      if (batch->indices.empty()) return step;
      if (static_cast<int>(running_.size()) == pipeline_.in_flight()) finish_first(step);
      start(std::move(*batch), step);
      return step;
    }
    over_ = true;
    if (running_.empty()) {
      hand_over(std::numeric_limits<int64_t>::max(), step);
      return step.rows.empty() ? std::nullopt : std::optional(std::move(step));
    }
    finish_first(step);
    return step;
  }

 private:
  // A batch stays where it was submitted until its results are collected.
  void start(Batch started, Step& step) {
    Batch& batch = running_.emplace_back(std::move(started));
    try {
      submit(batch);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::Shape && sizes_vary_) {
        leave_out_last(error, step);
        return;
      }
      running_.pop_back();
      throw;
    }
  }

  void submit(Batch& batch) {
    if (!on_device_) {
      pipeline_.submit(batch.input, batch.geometries);
      return;
    }
    for (int64_t i = 0; i < batch.done_before; ++i)  // a batch is full; what stands there does not matter
      batch.images.push_back(batch.images.front());
    pipeline_.submit(batch.images);
    batch.images.resize(batch.indices.size());
    if (keep_images_) return;
    for (Image& image : batch.images) image.rgb = {};  // their sizes are still asked for
  }

  // Images of a size that the network cannot take: too flat for its strides, say.
  void leave_out_last(const Error& error, Step& step) {
    Batch batch = std::move(running_.back());
    running_.pop_back();
    for (const int64_t index : batch.indices)
      step.skipped.push_back({index, fmt::format("{}: {}", source_.name(index), error.what()), error.kind()});
    loader_.recycle(std::move(batch));
  }

  void finish_first(Step& step) {
    auto&& results = pipeline_.collect();
    Batch batch = std::move(running_.front());
    running_.pop_front();
    for (size_t row = 0; row < batch.indices.size(); ++row) {
      const int64_t index = batch.indices[row];
      ahead_.emplace(index, ImageResult<Row>{index, std::move(batch.images[row]), take_row(results, row)});
    }
    hand_over(batch.all_before, step);
    loader_.recycle(std::move(batch));
  }

  void hand_over(int64_t all_before, Step& step) {
    while (!ahead_.empty() && ahead_.begin()->first < all_before)
      step.rows.push_back(std::move(ahead_.extract(ahead_.begin()).mapped()));
  }

  ImageSource& source_;
  Pipeline& pipeline_;
  const bool keep_images_, on_device_, sizes_vary_;
  bool over_ = false;                          // the loader has met the end
  std::deque<Batch> running_;                  // submitted and not collected
  std::map<int64_t, ImageResult<Row>> ahead_;  // of an image before them that is not done
  ImageLoader loader_;                         // last, so that its threads end first
};

}  // namespace tyto::apps
