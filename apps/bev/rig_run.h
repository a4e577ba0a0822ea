// Samples through a network that sees from above, batch by batch, for whoever asks for the next results.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/images/batch_run.h"
#include "apps/images/loader.h"
#include "tyto/bev_segmenter.h"

namespace tyto::apps {

// Runs every sample of whose images each can be read, as many batches at once as the segmenter takes. Source
// and segmenter must outlive the run, and the segmenter has nothing else to do meanwhile.
class RigRun {
 public:
  struct Result {
    int64_t sample = 0;
    std::map<std::string, Tensor> outputs;  // its own, without the batch's dimension
    std::vector<Image> images;              // their pixels only where they are kept
  };
  struct Step {
    std::vector<Result> results;  // each sample once, in order
    std::vector<Skipped>
        skipped;  // of samples that cannot be read, by their indices, what the first image says
  };

  // source: of sample s and camera c image s * cameras + c. rig_of: a sample's, of as many cameras as the
  // network takes. options.batch: samples.
  RigRun(ImageSource& source, std::function<Rig(int64_t)> rig_of, const Preprocessing& rule,
         BevSegmenter& segmenter, const BatchOptions& options, bool keep_images);
  RigRun(const RigRun&) = delete;
  RigRun& operator=(const RigRun&) = delete;
  ~RigRun();  // the segmenter is free again, whether the run came to its end or not

  // One batch further: what came of it, which may be nothing yet. nullopt after the last.
  std::optional<Step> next();

 private:
  void start(Batch batch);
  void finish_first(Step& step);

  const std::function<Rig(int64_t)> rig_of_;
  BevSegmenter& segmenter_;
  const int64_t cameras_;
  const bool keep_images_, on_device_;
  bool over_ = false;          // the loader has met the end
  std::deque<Batch> running_;  // a batch stays where it was submitted until its results are collected
  ImageLoader loader_;         // last, so that its threads end first
};

}  // namespace tyto::apps
