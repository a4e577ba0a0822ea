// A detector as BatchRun takes it: what it finds in an image comes together with the image's trace.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "tyto/detector.h"

namespace tyto::apps {

struct Found {
  std::vector<Detection> detections;
  Detector::Trace trace;  // where DetectOptions::trace asks for it
};

inline Found take_row(std::vector<Found>& found, size_t row) { return std::move(found[row]); }

class BatchDetector : public Detector {
 public:
  BatchDetector(const Model& model, Context& context, const DetectOptions& options)
      : Detector(model, context, options), traces_(options.trace) {}

  std::vector<Found> collect() {
    std::vector<Found> found;
    for (std::vector<Detection>& detections : Detector::collect())
      found.push_back({std::move(detections), {}});
    if (!traces_) return found;
    std::vector<Trace> traces = Detector::traces();
    for (size_t i = 0; i < found.size(); ++i) found[i].trace = std::move(traces[i]);
    return found;
  }

 private:
  const bool traces_;
};

}  // namespace tyto::apps
