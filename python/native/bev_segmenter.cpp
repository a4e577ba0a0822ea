// Maps of the ground from the images of calibrated rigs.
#include "tyto/bev_segmenter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "apps/bev/rig_run.h"
#include "files/json.h"
#include "python/native/call.h"
#include "python/native/image_run.h"

namespace tyto::python {

template <>
const char* const Served<BevSegmenter>::kName = "segmenter";

namespace {

using nlohmann::ordered_json;

struct OpenSegmenter : Served<BevSegmenter> {
  OpenSegmenter(std::shared_ptr<OpenModel> model, const CallOptions& options, const BevOptions& of_pipeline)
      : Served(std::move(model), options, of_pipeline), batch(static_cast<int>(of_pipeline.batch)) {}

  Preprocessing image_rule() const {
    for (const InputInfo& input : model().info().inputs)
      if (input.is_images()) return preprocessing_from_json(input.preprocessing);
    throw Error(ErrorKind::Unsupported, "the network takes no images");  // the segmenter has refused it
  }

  const int batch;
};

// Whose pose or matrix is wrong is said before the first image is read.
std::vector<Rig> rigs_of(const tyto_python_camera* cameras, int64_t count, const double* lidar_to_ego,
                         int64_t samples) {
  std::vector<Rig> rigs(static_cast<size_t>(samples));
  for (int64_t s = 0; s < samples; ++s) {
    Rig& rig = rigs[static_cast<size_t>(s)];
    for (int64_t c = 0; c < count; ++c, ++cameras) {
      Camera& camera = rig.cameras.emplace_back();
      std::ranges::copy(cameras->intrinsics, camera.intrinsics.begin());
      std::ranges::copy(cameras->camera_to_ego, camera.camera_to_ego.begin());
      std::ranges::copy(cameras->augmentation, camera.augmentation.begin());
    }
    std::copy_n(lidar_to_ego + 16 * s, 16, rig.lidar_to_ego.begin());
    try {
      check_rig(rig);
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("sample {}: {}", s, error.what()));
    }
  }
  return rigs;
}

class SegmenterRun : public Object {
 public:
  static constexpr const char* kName = "run";

  SegmenterRun(std::shared_ptr<OpenSegmenter> segmenter, const tyto_python_image* images,
               std::vector<Rig> rigs, const CallOptions& options)
      : segmenter_(std::move(segmenter)),
        claim_(*segmenter_),
        rigs_(std::move(rigs)),
        source_(images, static_cast<int64_t>(rigs_.size()) * segmenter_->pipeline().cameras(),
                options.flag("exif_orientation", false)),
        run_(
            source_, [this](int64_t sample) { return rigs_[static_cast<size_t>(sample)]; },
            segmenter_->image_rule(), segmenter_->pipeline(), batch_options(options, segmenter_->batch),
            false) {}

  ordered_json next_step() {
    const std::lock_guard lock(mutex_);
    results_.clear();
    auto step = run_.next();
    if (!step) return {{"over", true}};
    results_ = std::move(step->results);
    auto samples = ordered_json::array(), outputs = ordered_json::array();
    for (apps::RigRun::Result& result : results_) {
      samples.push_back(result.sample);
      for (auto& [name, tensor] : result.outputs) {
        if (tensor.dtype() == DType::BF16 || name == kMap) tensor = tensor.to_f32();  // NumPy lacks bfloat16
        if (&result == &results_.front())
          outputs.push_back({name, name_of(tensor.dtype()), tensor.shape().dims()});
      }
    }
    return {{"samples", samples}, {"outputs", outputs}, {"left_out", skipped_json(step->skipped)}};
  }

  void copy_output(int64_t sample, const std::string& name, void* values, size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto result = std::ranges::find(results_, sample, &apps::RigRun::Result::sample);
    if (result == results_.end() || !result->outputs.contains(name))
      throw Error(ErrorKind::Usage, fmt::format("the step has no '{}' of sample {}", name, sample));
    const Tensor& tensor = result->outputs.at(name);
    if (static_cast<size_t>(tensor.bytes()) != bytes)
      throw Error(ErrorKind::Shape, fmt::format("'{}' has another size than its copy", name));
    if (bytes > 0) std::memcpy(values, tensor.data(), bytes);
  }

 private:
  static constexpr const char* kMap = "map";

  std::shared_ptr<OpenSegmenter> segmenter_;
  Claim<BevSegmenter> claim_;
  std::vector<Rig> rigs_;
  HandedImages source_;
  apps::RigRun run_;
  std::vector<apps::RigRun::Result> results_;  // of the step that was asked for last
  std::mutex mutex_;
};

}  // namespace
}  // namespace tyto::python

using namespace tyto;
using namespace tyto::python;

extern "C" int32_t tyto_python_segmenter_open(uint64_t model, const char* options, uint64_t* segmenter,
                                              tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const CallOptions given(options);
    BevOptions of_pipeline;
    of_pipeline.precision = precision_of(given);
    of_pipeline.batch = batch_of(given, 1);
    of_pipeline.set = given.pairs("set");
    const auto opened = std::make_shared<OpenSegmenter>(find<OpenModel>(model), given, of_pipeline);
    ordered_json said = opened->describe();
    said["cameras"] = opened->pipeline().cameras();
    said["grid"] = grid_json(opened->pipeline().grid());
    said["classes"] = opened->pipeline().classes();
    const std::string done = dump_json(said);
    *segmenter = keep(opened);
    return done;
  });
}

extern "C" int32_t tyto_python_segmenter_run(uint64_t segmenter, const tyto_python_image* images,
                                             const tyto_python_camera* cameras, const double* lidar_to_ego,
                                             int64_t samples, const char* options, uint64_t* run,
                                             tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const auto found = find<OpenSegmenter>(segmenter);
    *run = keep(std::make_shared<SegmenterRun>(
        found, images, rigs_of(cameras, found->pipeline().cameras(), lidar_to_ego, samples),
        CallOptions(options)));
  });
}

extern "C" int32_t tyto_python_segmenter_next(uint64_t run, tyto_python_text* text) noexcept {
  return answer(text, [&] { return dump_json(find<SegmenterRun>(run)->next_step()); });
}

extern "C" int32_t tyto_python_segmenter_output(uint64_t run, int64_t sample, const char* name, void* values,
                                                size_t bytes, tyto_python_text* text) noexcept {
  return answer(text, [&] { find<SegmenterRun>(run)->copy_output(sample, name, values, bytes); });
}
