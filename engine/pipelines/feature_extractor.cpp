#include "tyto/feature_extractor.h"

#include <algorithm>

#include "engine/pipelines/feature_graph.h"

namespace tyto {

FeatureExtractor::FeatureExtractor(const Model& model, Context& context, const ExtractOptions& options)
    : ImagePipeline(context, options.precision, options.batch, model,
                    [&model, options](const Shape& input) { return feature_graph(model, input, options); }),
      flips_(tyto::flips(model, options)) {
  feature_graph(model, model.input_shapes(options.batch).at(model.image_input().name), options, &matrices_);
}

int64_t FeatureExtractor::dimensions() const {
  int64_t sum = 0;
  for (const FeatureMatrix& matrix : matrices_) sum += matrix.width;
  return sum;
}

const Tensor& FeatureExtractor::collect() { return collect_outputs().outputs.at(kFeatureRows); }

const Tensor& FeatureExtractor::run(const Tensor& input) {
  submit(input);
  return collect();
}

Tensor FeatureExtractor::extract(std::span<const Image> images) {
  Tensor result(DType::F32, {static_cast<int64_t>(images.size()), dimensions()});
  const auto width = static_cast<size_t>(dimensions());
  run_all(images, [&](std::span<const size_t> which, const Result& batch) {
    const std::span<const float> rows = batch.outputs.at(kFeatureRows).as<float>();
    for (size_t i = 0; i < which.size(); ++i)
      std::ranges::copy(rows.subspan(i * width, width),
                        result.as<float>().begin() + static_cast<std::ptrdiff_t>(which[i] * width));
  });
  return result;
}

}  // namespace tyto
