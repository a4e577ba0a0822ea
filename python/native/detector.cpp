// Labelled boxes of images and videos.
#include "tyto/detector.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <set>

#include "apps/detection/batch_detector.h"
#include "apps/detection/class_labels.h"
#include "apps/detection/detection_inputs.h"
#include "apps/images/video.h"
#include "files/json.h"
#include "python/native/call.h"
#include "python/native/image_run.h"

namespace tyto::python {

using apps::BatchDetector;

template <>
const char* const Served<BatchDetector>::kName = "detector";

namespace {

using nlohmann::ordered_json;

struct OpenDetector : Served<BatchDetector> {
  OpenDetector(std::shared_ptr<OpenModel> model, const CallOptions& options, const DetectOptions& of_pipeline)
      : Served(std::move(model), options, of_pipeline),
        batch(of_pipeline.batch),
        labels(apps::class_labels(options.texts("classes"), pipeline(), "classes")) {}

  bool wanted(const Detection& d) const { return labels.empty() || labels.contains(d.label); }

  const int batch;
  const std::set<int> labels;  // to keep; empty: all
};

// The images' detections, and of the step that was asked for last what Python copies.
class DetectorRun : public ImageRun<BatchDetector> {
 public:
  DetectorRun(std::shared_ptr<OpenDetector> detector, std::unique_ptr<apps::ImageSource> source,
              const CallOptions& options)
      : ImageRun(detector, std::move(source), detector->batch, options), detector_(std::move(detector)) {}

  ordered_json next_step() {
    const std::lock_guard lock(mutex_);
    detections_.clear();
    traces_.clear();
    auto step = next(std::numeric_limits<size_t>::max());
    if (!step) {
      const auto* video = dynamic_cast<const apps::VideoSource*>(&source());
      return {{"over", true}, {"problem", video ? video->problem() : ""}};
    }
    auto images = ordered_json::array();
    for (Result& result : step->rows) {
      const size_t before = detections_.size();
      std::ranges::copy_if(result.row.detections, std::back_inserter(detections_),
                           [&](const Detection& d) { return detector_->wanted(d); });
      auto trace = ordered_json::array();
      for (auto& [name, tensor] : result.row.trace) {
        if (tensor.dtype() == DType::BF16) tensor = tensor.to_f32();  // which NumPy lacks
        trace.push_back({name, name_of(tensor.dtype()), tensor.shape().dims()});
      }
      images.push_back({result.index, result.image.width, result.image.height, detections_.size() - before,
                        std::move(trace)});
      traces_.push_back(std::move(result.row.trace));
    }
    return {{"images", std::move(images)}, {"left_out", skipped_json(step->skipped)}};
  }

  void copy_boxes(float* boxes, float* scores, int32_t* labels, int64_t count) {
    const std::lock_guard lock(mutex_);
    if (count != static_cast<int64_t>(detections_.size()))
      throw Error(ErrorKind::Shape, "detections have another number than their copy");
    for (const Detection& d : detections_) {
      boxes = std::ranges::copy(std::array{d.x, d.y, d.width, d.height}, boxes).out;
      *scores++ = d.score;
      *labels++ = d.label;
    }
  }

  void copy_trace(int64_t image, const std::string& name, void* values, size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (image < 0 || image >= static_cast<int64_t>(traces_.size()) ||
        !traces_[static_cast<size_t>(image)].contains(name))
      throw Error(ErrorKind::Usage, "the step has no trace '" + name + "'");
    const Tensor& tensor = traces_[static_cast<size_t>(image)].at(name);
    if (static_cast<size_t>(tensor.bytes()) != bytes)
      throw Error(ErrorKind::Shape, "'" + name + "' has another size than its copy");
    if (bytes > 0) std::memcpy(values, tensor.data(), bytes);
  }

 private:
  std::shared_ptr<OpenDetector> detector_;
  std::vector<Detection> detections_;    // of all images of the step
  std::vector<Detector::Trace> traces_;  // of each
  std::mutex mutex_;
};

constexpr int64_t kMaxEvery = int64_t{1} << 31;  // as of the command

}  // namespace
}  // namespace tyto::python

using namespace tyto;
using namespace tyto::python;

extern "C" int32_t tyto_python_detector_open(uint64_t model, const char* options, uint64_t* detector,
                                             tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const CallOptions given(options);
    DetectOptions of_pipeline;
    of_pipeline.precision = precision_of(given);
    of_pipeline.batch = batch_of(given, of_pipeline.batch);
    of_pipeline.trace = given.flag("trace", false);
    of_pipeline.set = given.pairs("set");
    const auto opened = std::make_shared<OpenDetector>(find<OpenModel>(model), given, of_pipeline);
    ordered_json said = opened->describe();
    auto& names = said["class_names"] = ordered_json::array();
    for (int label = 0; label < opened->pipeline().classes(); ++label)
      names.push_back(opened->pipeline().name(label));
    const std::string done = dump_json(said);
    *detector = keep(opened);
    return done;
  });
}

extern "C" int32_t tyto_python_list_images_and_videos(const char* const* roots, int32_t count,
                                                      tyto_python_text* text) noexcept {
  return answer(text, [&] {
    apps::SkippedInputs skipped;
    auto inputs = ordered_json::array();
    for (const apps::DetectionInput& input : apps::list_inputs({roots, roots + count}, {}, skipped))
      inputs.push_back({input.name(), input.video});
    return dump_json({{"inputs", inputs}, {"skipped", skipped}});
  });
}

extern "C" int32_t tyto_python_detector_run(uint64_t detector, const tyto_python_image* images, int64_t count,
                                            const char* options, uint64_t* run,
                                            tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const CallOptions given(options);
    auto source = std::make_unique<HandedImages>(images, count, given.flag("exif_orientation", false));
    *run = keep(std::make_shared<DetectorRun>(find<OpenDetector>(detector), std::move(source), given));
  });
}

extern "C" int32_t tyto_python_detector_video(uint64_t detector, const char* path, const char* options,
                                              uint64_t* run, tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const CallOptions given(options);
    auto video = std::make_unique<apps::VideoSource>(path, given.integer("every", 1, 1, kMaxEvery));
    *run = keep(std::make_shared<DetectorRun>(find<OpenDetector>(detector), std::move(video), given));
  });
}

extern "C" int32_t tyto_python_detector_next(uint64_t run, tyto_python_text* text) noexcept {
  return answer(text, [&] { return dump_json(find<DetectorRun>(run)->next_step()); });
}

extern "C" int32_t tyto_python_detector_boxes(uint64_t run, float* boxes, float* scores, int32_t* labels,
                                              int64_t count, tyto_python_text* text) noexcept {
  return answer(text, [&] { find<DetectorRun>(run)->copy_boxes(boxes, scores, labels, count); });
}

extern "C" int32_t tyto_python_detector_trace(uint64_t run, int64_t image, const char* name, void* values,
                                              size_t bytes, tyto_python_text* text) noexcept {
  return answer(text, [&] { find<DetectorRun>(run)->copy_trace(image, name, values, bytes); });
}
