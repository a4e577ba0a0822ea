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

// A batch on its way. Its network runs, one for each orientation and scale, are summed when it is collected.
struct Submission {
  const Tensor* input = nullptr;
  Tensor mirrored;               // empty without flip averaging
  std::vector<Tensor> rescaled;  // one a scale, empty where the scale is 1
};

struct FeatureExtractor::Impl {
  const Model& model;
  ExtractOptions options;
  PlanCache plans;
  Preprocessor preprocessor;
  std::vector<Submission> submissions;  // a ring
  size_t submitted = 0, collected = 0;
  bool overlaps = false;  // the network's runs are submitted at once, else made when the batch is collected
  Tensor features;

  Impl(const Model& m, Context& context, ExtractOptions o)
      : model(m),
        options(std::move(o)),
        plans(m, context, {options.precision, {kOutput}}),
        preprocessor(preprocessing_from_json(m.info().preprocessing)) {
    check(options);
    const Shape input = model.input_shape(options.batch);
    Plan& plan = plans.get(input);
    const Shape& shape = plan.output_shape(kOutput);
    if (shape.rank() != 2)
      throw Error(ErrorKind::Unsupported,
                  fmt::format("{}: its output 'features' is {}, not one vector an image",
                              model.path().string(), shape.str()));
    features = Tensor(DType::F32, shape);
    // With several scales, memory may not hold all their plans at once, so each is run to its end.
    const int runs = options.flip ? 2 : 1;
    overlaps = options.scales == std::vector<double>{1} && plan.in_flight() >= runs;
    for (int i = 0; i < (overlaps ? plan.in_flight() / runs : 1); ++i) {
      Submission s;
      s.rescaled = make_rescaled(input, options.scales);
      if (options.flip) s.mirrored = Tensor(DType::F32, input);
      submissions.push_back(std::move(s));
    }
  }

  Plan& plan() { return plans.get(model.input_shape(options.batch)); }

  void add(const Tensor& out) {
    const float* from = out.as<float>().data();
    for (float& f : features.as<float>()) f += *from++;
  }

  void add_scales(Submission& s, const Tensor& input) {
    const Tensor* current = &input;
    for (size_t i = 0; i < options.scales.size(); ++i) {
      if (options.scales[i] != 1) {
        const Shape& shape = current->shape();
        kernels::bicubic_cpu(current->as<float>().data(), s.rescaled[i].as<float>().data(),
                             {shape[0] * shape[1], shape[2], shape[3], std::sqrt(options.scales[i])});
        current = &s.rescaled[i];
      }
      add(plans.get(current->shape()).run(*current).at(kOutput));
    }
  }
};

FeatureExtractor::FeatureExtractor(const Model& model, Context& context, ExtractOptions options)
    : impl_(std::make_unique<Impl>(model, context, std::move(options))) {}

FeatureExtractor::~FeatureExtractor() = default;

int64_t FeatureExtractor::dimensions() const { return impl_->features.dim(1); }

int FeatureExtractor::in_flight() const { return static_cast<int>(impl_->submissions.size()); }

const Tensor& FeatureExtractor::run(const Tensor& input) {
  submit(input);
  return collect();
}

void FeatureExtractor::submit(const Tensor& input) {
  Impl& m = *impl_;
  const Shape expected = m.model.input_shape(m.options.batch);
  if (input.dtype() != DType::F32 || input.shape() != expected)
    throw Error(ErrorKind::Shape, fmt::format("the extractor was made for an F32 input of {}, not {} {}",
                                              expected.str(), name_of(input.dtype()), input.shape().str()));
  if (m.submitted - m.collected == m.submissions.size())
    throw Error(ErrorKind::Usage,
                fmt::format("{} batches wait already; collect one before the next", in_flight()));
  Submission& s = m.submissions[m.submitted++ % m.submissions.size()];
  s.input = &input;
  if (m.overlaps) m.plan().submit(input);
  if (m.options.flip) {
    const Shape& shape = input.shape();
    kernels::flip_horizontal_cpu(input.as<float>().data(), shape[0] * shape[1] * shape[2], shape[3],
                                 s.mirrored.as<float>().data());
    if (m.overlaps) m.plan().submit(s.mirrored);
  }
}

const Tensor& FeatureExtractor::collect() {
  Impl& m = *impl_;
  if (m.submitted == m.collected)
    throw Error(ErrorKind::Usage, "nothing was submitted that could be collected");
  Submission& s = m.submissions[m.collected++ % m.submissions.size()];
  std::ranges::fill(m.features.as<float>(), 0.0f);
  if (m.overlaps) {
    m.add(m.plan().collect().at(kOutput));
    if (m.options.flip) m.add(m.plan().collect().at(kOutput));
  } else {
    m.add_scales(s, *s.input);
    if (m.options.flip) m.add_scales(s, s.mirrored);
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
