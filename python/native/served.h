// A pipeline of images with the model and the device that it runs on.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "python/native/model.h"
#include "python/native/options.h"

namespace tyto::python {

// Pipeline: of (const Model&, Context&, its options). kName: "extractor".
template <class Pipeline>
class Served : public Object {
 public:
  static const char* const kName;

  template <class PipelineOptions>
  Served(std::shared_ptr<OpenModel> model, const CallOptions& options, const PipelineOptions& of_pipeline)
      : model_(std::move(model)),
        context_(context_options(options, notices_)),
        pipeline_(model_->model(), context_, of_pipeline) {}

  const Model& model() const { return model_->model(); }
  Pipeline& pipeline() { return pipeline_; }
  nlohmann::ordered_json describe() const { return python::describe(context_, notices_); }

  // A pipeline has one run at a time. Error{Usage} where there is one.
  void begin_run() {
    if (running_.exchange(true))
      throw Error(ErrorKind::Usage, std::string("this ") + kName +
                                        " is in the midst of other images; finish or close " +
                                        "that run first, or make another " + kName);
  }
  void end_run() { running_ = false; }

 private:
  std::shared_ptr<OpenModel> model_;
  std::vector<std::string> notices_;
  Context context_;
  Pipeline pipeline_;
  std::atomic<bool> running_ = false;
};

// A pipeline's one run, until it is over.
template <class Pipeline>
class Claim {
 public:
  explicit Claim(Served<Pipeline>& served) : served_(served) { served_.begin_run(); }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim() { served_.end_run(); }

 private:
  Served<Pipeline>& served_;
};

}  // namespace tyto::python
