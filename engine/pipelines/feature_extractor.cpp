#include "tyto/feature_extractor.h"

#include <algorithm>

#include "engine/pipelines/feature_graph.h"
#include "engine/runtime/plan_graph.h"

namespace tyto {
namespace {

const char* const kOutput = "features";

}  // namespace

FeatureExtractor::FeatureExtractor(const Model& model, Context& context, const ExtractOptions& options)
    : ImagePipeline(plan_graph(feature_graph(model, options), context, options.precision),
                    model.info().preprocessing) {}

int64_t FeatureExtractor::dimensions() const { return plan().output_shape(kOutput)[1]; }

const Tensor& FeatureExtractor::collect() { return collect_outputs().outputs.at(kOutput); }

const Tensor& FeatureExtractor::run(const Tensor& input) {
  submit(input);
  return collect();
}

Tensor FeatureExtractor::extract(std::span<const Image> images) {
  Tensor result(DType::F32, {static_cast<int64_t>(images.size()), dimensions()});
  const auto width = static_cast<size_t>(dimensions());
  run_all(images, [&](size_t first, const Result& batch) {
    std::ranges::copy(batch.outputs.at(kOutput).as<float>().first(batch.images.size() * width),
                      result.as<float>().begin() + static_cast<std::ptrdiff_t>(first * width));
  });
  return result;
}

}  // namespace tyto
