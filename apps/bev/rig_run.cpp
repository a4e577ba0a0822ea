#include "apps/bev/rig_run.h"

#include <algorithm>
#include <utility>

namespace tyto::apps {
namespace {

Tensor sample_of(const Tensor& batch, size_t sample) {
  std::vector<int64_t> dims(batch.shape().begin() + 1, batch.shape().end());
  Tensor out(batch.dtype(), Shape(std::move(dims)));
  std::copy_n(batch.data() + sample * static_cast<size_t>(out.bytes()), out.bytes(), out.data());
  return out;
}

}  // namespace

RigRun::RigRun(ImageSource& source, std::function<Rig(int64_t)> rig_of, const Preprocessing& rule,
               BevSegmenter& segmenter, const BatchOptions& options, bool keep_images)
    : rig_of_(std::move(rig_of)),
      segmenter_(segmenter),
      cameras_(segmenter.cameras()),
      keep_images_(keep_images),
      on_device_(segmenter.preprocesses()),
      loader_(source, rule,
              {.batch = options.batch,
               .views = cameras_,
               .threads = options.decoders,
               .preprocess = !on_device_,
               .keep_images = keep_images}) {}

RigRun::~RigRun() {
  try {
    for (; !running_.empty(); running_.pop_front()) segmenter_.collect();
  } catch (...) {  // a device that failed; it says so to the next who asks
  }
}

std::optional<RigRun::Step> RigRun::next() {
  Step step;
  if (std::optional<Batch> batch = over_ ? std::nullopt : loader_.next()) {
    step.skipped = std::move(batch->skipped);
    for (Skipped& image : step.skipped) image.index /= cameras_;
    if (batch->indices.empty()) return step;
    if (static_cast<int>(running_.size()) == segmenter_.in_flight()) finish_first(step);
    start(std::move(*batch));
    return step;
  }
  over_ = true;
  if (running_.empty()) return std::nullopt;
  finish_first(step);
  return step;
}

void RigRun::start(Batch started) {
  Batch& batch = running_.emplace_back(std::move(started));
  try {
    std::vector<Rig> rigs;
    for (size_t row = 0; row < batch.indices.size(); row += static_cast<size_t>(cameras_))
      rigs.push_back(rig_of_(batch.indices[row] / cameras_));
    if (!on_device_) return segmenter_.submit(batch.input, batch.geometries, rigs);
    segmenter_.submit(batch.images, rigs);
    if (!keep_images_) batch.images.clear();
  } catch (...) {
    running_.pop_back();
    throw;
  }
}

void RigRun::finish_first(Step& step) {
  const std::map<std::string, Tensor>& outputs = segmenter_.collect();
  Batch batch = std::move(running_.front());
  running_.pop_front();
  const auto cameras = static_cast<size_t>(cameras_);
  for (size_t row = 0; row < batch.indices.size(); row += cameras) {
    Result result{batch.indices[row] / cameras_};
    for (const auto& [name, tensor] : outputs) result.outputs.emplace(name, sample_of(tensor, row / cameras));
    if (keep_images_)
      for (size_t i = 0; i < cameras; ++i) result.images.push_back(std::move(batch.images[row + i]));
    step.results.push_back(std::move(result));
  }
  loader_.recycle(std::move(batch));
}

}  // namespace tyto::apps
