// Images that Python hands over, through a pipeline.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "apps/images/batch_run.h"
#include "engine/images/preprocessing_rule.h"
#include "python/native/objects.h"
#include "python/native/options.h"
#include "python/native/seam.h"
#include "python/native/served.h"

namespace tyto::python {

// Files, and pixels in the caller's memory, which are copied when their turn comes.
class HandedImages : public apps::ImageSource {
 public:
  HandedImages(const tyto_python_image* images, int64_t count, bool apply_exif_orientation);

  std::optional<Image> read(int64_t index) override;
  std::string name(int64_t index) const override;  // of a file its path; else "image 3"
  std::optional<int64_t> expected() const override { return static_cast<int64_t>(items_.size()); }

 private:
  struct Item {
    std::filesystem::path path;
    tyto_python_image pixels;  // where there is no path
  };
  std::vector<Item> items_;
  bool apply_exif_orientation_;
};

// decoders, exif_orientation; and the batch of the pipeline that runs.
apps::BatchOptions batch_options(const CallOptions& options, int batch);

std::string skipped_json(const std::vector<apps::Skipped>& skipped);  // [[index, kind, sentence]], or ""

template <class Pipeline>
class ImageRun : public Object {
 public:
  static constexpr const char* kName = "run";
  using Result = apps::ImageResult<typename apps::BatchRun<Pipeline>::Row>;

  // Error{Usage} where the pipeline has another run.
  ImageRun(std::shared_ptr<Served<Pipeline>> served, std::unique_ptr<apps::ImageSource> source, int batch,
           const CallOptions& options)
      : served_(std::move(served)),
        claim_(*served_),
        source_(std::move(source)),
        run_(*source_, preprocessing_from_json(served_->model().image_input().preprocessing),
             served_->pipeline(), batch_options(options, batch), false) {}
  ImageRun(std::shared_ptr<Served<Pipeline>> served, const tyto_python_image* images, int64_t count,
           int batch, const CallOptions& options)
      : ImageRun(std::move(served),
                 std::make_unique<HandedImages>(images, count, options.flag("exif_orientation", false)),
                 batch, options) {}

  struct Step {
    std::vector<Result> rows;  // in the images' order
    std::vector<apps::Skipped> skipped;
  };
  // At most `capacity` rows, or none yet. nullopt after the last.
  std::optional<Step> next(size_t capacity) {
    const std::lock_guard lock(mutex_);
    Step step;
    if (waiting_.empty()) {
      auto more = run_.next();
      if (!more) return std::nullopt;
      std::ranges::move(more->rows, std::back_inserter(waiting_));
      step.skipped = std::move(more->skipped);
    }
    for (; step.rows.size() < capacity && !waiting_.empty(); waiting_.pop_front())
      step.rows.push_back(std::move(waiting_.front()));
    return step;
  }

  Served<Pipeline>& served() { return *served_; }
  const apps::ImageSource& source() const { return *source_; }

 private:
  std::shared_ptr<Served<Pipeline>> served_;
  Claim<Pipeline> claim_;
  std::unique_ptr<apps::ImageSource> source_;
  apps::BatchRun<Pipeline> run_;
  std::deque<Result> waiting_;  // done, and more than were asked for
  std::mutex mutex_;
};

}  // namespace tyto::python
