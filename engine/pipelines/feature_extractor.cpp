#include "tyto/feature_extractor.h"

#include <algorithm>

#include "engine/pipelines/feature_graph.h"
#include "engine/pipelines/image_plan.h"

namespace tyto {

struct FeatureExtractor::Impl {
  ImagePlan plan;
  int64_t dimensions;
};

namespace {

const char* const kOutput = "features";

}  // namespace

FeatureExtractor::FeatureExtractor(const Model& model, Context& context, ExtractOptions options) {
  Plan plan(feature_graph(model, options), context, options.precision);
  const int64_t dimensions = plan.output_shape(kOutput)[1];
  const Preprocessing rule = preprocessing_from_json(model.info().preprocessing);
  impl_ = std::make_unique<Impl>(Impl{ImagePlan(std::move(plan), rule), dimensions});
}

FeatureExtractor::~FeatureExtractor() = default;

int64_t FeatureExtractor::dimensions() const { return impl_->dimensions; }
int FeatureExtractor::in_flight() const { return impl_->plan.in_flight(); }
bool FeatureExtractor::preprocesses() const { return impl_->plan.preprocesses(); }

void FeatureExtractor::submit(const Tensor& input) { impl_->plan.submit(input, {}); }
void FeatureExtractor::submit(std::span<const Image> images) { impl_->plan.submit(images); }
const Tensor& FeatureExtractor::collect() { return impl_->plan.collect().outputs.at(kOutput); }

const Tensor& FeatureExtractor::run(const Tensor& input) {
  submit(input);
  return collect();
}

Tensor FeatureExtractor::extract(std::span<const Image> images) {
  Tensor result(DType::F32, {static_cast<int64_t>(images.size()), dimensions()});
  const auto width = static_cast<size_t>(dimensions());
  impl_->plan.run(images, [&](size_t first, const ImagePlan::Result& batch) {
    std::ranges::copy(batch.outputs.at(kOutput).as<float>().first(batch.images.size() * width),
                      result.as<float>().begin() + static_cast<std::ptrdiff_t>(first * width));
  });
  return result;
}

}  // namespace tyto
