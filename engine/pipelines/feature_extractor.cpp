#include "tyto/feature_extractor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/pipelines/batches.h"
#include "engine/plan_cache.h"
#include "engine/preprocessing.h"
#include "kernels/image/bicubic.h"
#include "kernels/image/flip.h"
#include "kernels/retrieval/normalize_rows.h"

namespace tyto {
namespace {

const char* const kOutput = "features";

void check(const ExtractOptions& options) {
  if (options.batch < 1) throw Error(ErrorKind::Usage, fmt::format("a batch of {} images", options.batch));
  if (options.scales.empty()) throw Error(ErrorKind::Usage, "no scale to extract at");
  for (double s : options.scales)
    if (!(s > 0.01 && s < 100))
      throw Error(ErrorKind::Usage, fmt::format("scale {} is not between 0.01 and 100", s));
}

// The input at one scale after another, each made from the one before it.
std::vector<Tensor> make_rescaled(const Shape& input, const std::vector<double>& scales) {
  std::vector<Tensor> out;
  Shape shape = input;
  for (double s : scales) {
    if (s != 1) {
      shape[2] = kernels::bicubic_size(shape[2], std::sqrt(s));
      shape[3] = kernels::bicubic_size(shape[3], std::sqrt(s));
      if (shape[2] < 1 || shape[3] < 1)
        throw Error(ErrorKind::Usage, fmt::format("after scale {} nothing is left of the image", s));
    }
    out.push_back(s == 1 ? Tensor() : Tensor(DType::F32, shape));
  }
  return out;
}

}  // namespace

struct FeatureExtractor::Impl {
  const Model& model;
  ExtractOptions options;
  PlanCache plans;
  Preprocessor preprocessor;
  Tensor mirrored;
  std::vector<Tensor> rescaled;  // empty where the scale is 1
  Tensor features;

  Impl(const Model& m, Context& context, ExtractOptions o)
      : model(m),
        options(std::move(o)),
        plans(m, context, {options.precision, {kOutput}}),
        preprocessor(preprocessing_from_json(m.info().preprocessing)) {
    check(options);
    const Shape input = model.input_shape(options.batch);
    const Plan& plan = plans.get(input);
    const Shape& shape = plan.output_shape(kOutput);
    if (shape.rank() != 2)
      throw Error(ErrorKind::Unsupported,
                  fmt::format("{}: its output 'features' is {}, not one vector an image",
                              model.path().string(), shape.str()));
    features = Tensor(DType::F32, shape);
    rescaled = make_rescaled(input, options.scales);
    if (options.flip) mirrored = Tensor(DType::F32, input);
  }

  void add(const Tensor& input) {
    const Tensor& out = plans.get(input.shape()).run(input).at(kOutput);
    const float* from = out.as<float>().data();
    for (float& f : features.as<float>()) f += *from++;
  }

  void add_scales(const Tensor& input) {
    const Tensor* current = &input;
    for (size_t i = 0; i < options.scales.size(); ++i) {
      if (options.scales[i] != 1) {
        const Shape& s = current->shape();
        kernels::bicubic_cpu(current->as<float>().data(), rescaled[i].as<float>().data(),
                             {s[0] * s[1], s[2], s[3], std::sqrt(options.scales[i])});
        current = &rescaled[i];
      }
      add(*current);
    }
  }
};

FeatureExtractor::FeatureExtractor(const Model& model, Context& context, ExtractOptions options)
    : impl_(std::make_unique<Impl>(model, context, std::move(options))) {}

FeatureExtractor::~FeatureExtractor() = default;

int64_t FeatureExtractor::dimensions() const { return impl_->features.dim(1); }

const Tensor& FeatureExtractor::run(const Tensor& input) {
  Impl& m = *impl_;
  const Shape expected = m.model.input_shape(m.options.batch);
  if (input.dtype() != DType::F32 || input.shape() != expected)
    throw Error(ErrorKind::Shape, fmt::format("the extractor was made for an F32 input of {}, not {} {}",
                                              expected.str(), name_of(input.dtype()), input.shape().str()));
  std::ranges::fill(m.features.as<float>(), 0.0f);
  m.add_scales(input);
  if (m.options.flip) {
    const Shape& s = input.shape();
    kernels::flip_horizontal_cpu(input.as<float>().data(), s[0] * s[1] * s[2], s[3],
                                 m.mirrored.as<float>().data());
    m.add_scales(m.mirrored);
  }
  kernels::normalize_rows_cpu(m.features.as<float>().data(), m.features.dim(0), m.features.dim(1));
  return m.features;
}

Tensor FeatureExtractor::extract(std::span<const Image> images) {
  Impl& m = *impl_;
  const auto width = static_cast<size_t>(dimensions());
  Tensor result(DType::F32, {static_cast<int64_t>(images.size()), dimensions()});
  for_each_batch(m.preprocessor, images, m.options.batch,
                 [&](const Tensor& input, size_t first, std::span<const Geometry> rows) {
                   std::ranges::copy(run(input).as<float>().first(rows.size() * width),
                                     result.as<float>().begin() + static_cast<std::ptrdiff_t>(first * width));
                 });
  return result;
}

}  // namespace tyto
