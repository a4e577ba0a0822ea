#include "tyto/image_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <utility>

#include "engine/images/image_fit.h"
#include "engine/images/preprocessing.h"
#include "engine/runtime/plan_cache.h"
#include "engine/runtime/plan_graph.h"
#include "kernels/detection/boxes.h"

namespace tyto {
namespace {

using Size = PlanCache::Size;

// A batch's inputs that are made here; they stay until its results are collected.
struct MadeInputs {
  Tensor images;  // where they are preprocessed here
  Tensor sizes;   // where the network takes them
};

// Rows of kernels/detection/boxes.h; those of no image are zero.
void fill_sizes(Tensor& sizes, int64_t rows, std::span<const Geometry> images) {
  const Shape shape = {rows, kernels::kSizesRow};
  if (sizes.shape() != shape) sizes = Tensor(DType::F32, shape);
  const std::span<float> values = sizes.as<float>();
  std::ranges::fill(values, 0.0f);
  auto at = values.begin();
  for (const Geometry& g : images)
    for (const int side : {g.resized_height, g.resized_width, g.height, g.width})
      *at++ = static_cast<float>(side);
}

}  // namespace

struct ImagePipeline::Impl {
  Impl(Context& context, Precision precision, int64_t batch_size, const Model& model, Build build)
      : batch(batch_size),
        backend(backend_of(context)),
        image_name(model.image_input().name),
        sizes_name(model.sizes_input() ? model.sizes_input()->name : ""),
        preprocessor(preprocessing_from_json(model.image_input().preprocessing)),
        plans(context, precision,
              [build = std::move(build)](const Size& s) {
                return build({s.rows, 3, s.height, s.width});
              }),
        made(static_cast<size_t>(backend.in_flight())) {}

  const Preprocessing& rule() const { return preprocessor.rule(); }

  // Error{Shape} where the images are no batch.
  Size size_of(std::span<const Image> images) const {
    const auto count = static_cast<int64_t>(images.size());
    if (count > batch) throw Error(ErrorKind::Shape, fmt::format("{} images in a batch of {}", count, batch));
    if (!varies(rule())) return {batch, rule().height, rule().width};
    if (count != batch && count != 1)
      throw Error(ErrorKind::Shape,
                  fmt::format("{} images, where sizes vary; a batch is of {} or of one", count, batch));
    for (const Image& image : images) check_image(image);
    const Size size = network_size(images.front(), count);
    for (const Image& image : images)
      if (network_size(image, count) != size)
        throw Error(ErrorKind::Shape, fmt::format("images of {} x {} and of other sizes in one batch",
                                                  size.width, size.height));
    return size;
  }

  Size network_size(const Image& image, int64_t rows) const {
    const ImageFit fit = fit_image(rule(), image.width, image.height);
    return {rows, fit.height, fit.width};
  }

  void check_room() const {
    if (submitted.size() == static_cast<size_t>(backend.in_flight()))
      throw Error(ErrorKind::Usage,
                  fmt::format("{} inputs wait already; collect one before the next", submitted.size()));
  }

  // Preprocessed here, into an input that no batch in flight has.
  void fill(Tensor& input, const Shape& shape, std::span<const Image> images) {
    if (input.shape() != shape) input = Tensor(DType::F32, shape);
    const std::span<float> values = input.as<float>();
    const size_t row = values.size() / static_cast<size_t>(shape[0]);
    for (size_t i = 0; i < images.size(); ++i) preprocessor.run(images[i], values.subspan(i * row, row));
    std::ranges::fill(values.subspan(images.size() * row), 0.0f);
  }

  // `images` for the plan's input of them, and what else it takes.
  void run(Plan& plan, const BoundInput& images, std::vector<Geometry> geometries, int64_t rows) {
    RunInputs inputs = {{image_name, images}};
    if (!sizes_name.empty()) {
      Tensor& sizes = made[next].sizes;
      fill_sizes(sizes, rows, geometries);
      inputs.emplace(sizes_name, &sizes);
    }
    tyto::submit(plan, inputs);
    submitted.push_back({&plan, std::move(geometries)});
    next = (next + 1) % made.size();
  }

  struct Submitted {
    Plan* plan;
    std::vector<Geometry> images;
  };

  int64_t batch;
  Backend& backend;
  std::string image_name, sizes_name;  // of the network's inputs; it may take no sizes
  Preprocessor preprocessor;
  PlanCache plans;
  std::vector<MadeInputs> made;     // of the batches in flight
  size_t next = 0;                  // of them, for the next batch
  std::deque<Submitted> submitted;  // and not collected
};

ImagePipeline::ImagePipeline(Context& context, Precision precision, int64_t batch, const Model& model,
                             Build build)
    : impl_(std::make_unique<Impl>(context, precision, batch, model, std::move(build))) {
  const Preprocessing& rule = impl_->rule();
  if (!varies(rule)) impl_->plans.plan({batch, rule.height, rule.width});
}

ImagePipeline::~ImagePipeline() = default;

void ImagePipeline::submit(const Tensor& input, std::span<const Geometry> images) {
  const Shape& shape = input.shape();
  const Preprocessing& rule = impl_->rule();
  const Size usual = {impl_->batch, rule.height, rule.width};
  const bool sized = varies(rule) && shape.rank() == 4 && (shape[0] == impl_->batch || shape[0] == 1);
  const Size size = sized ? Size{shape[0], shape[2], shape[3]} : usual;
  if (static_cast<int64_t>(images.size()) > size.rows)
    throw Error(ErrorKind::Shape, fmt::format("{} images in a batch of {}", images.size(), size.rows));
  if (varies(rule) && !sized)
    throw Error(ErrorKind::Shape,
                fmt::format("an input of {}, where [{} or 1, 3, H, W] is needed", shape.str(), impl_->batch));
  impl_->check_room();
  impl_->run(impl_->plans.plan(size), &input, {images.begin(), images.end()}, size.rows);
}

void ImagePipeline::submit(std::span<const Image> images) {
  const Size size = impl_->size_of(images);
  impl_->check_room();
  Plan& plan = impl_->plans.plan(size);
  const Preprocessing& rule = impl_->rule();
  std::vector<Geometry> geometries;
  for (const Image& image : images)
    geometries.push_back(fit_image(rule, image.width, image.height).geometry());
  BoundInput bound = ImageBatch{images, &rule};
  if (!preprocesses()) {
    Tensor& input = impl_->made[impl_->next].images;
    impl_->fill(input, {size.rows, 3, size.height, size.width}, images);
    bound = &input;
  }
  impl_->run(plan, bound, std::move(geometries), size.rows);
}

ImagePipeline::Result ImagePipeline::collect_outputs() {
  if (impl_->submitted.empty())
    throw Error(ErrorKind::Usage, "nothing was submitted that could be collected");
  Impl::Submitted first = std::move(impl_->submitted.front());
  impl_->submitted.pop_front();
  return {first.plan->collect(), std::move(first.images)};
}

void ImagePipeline::run_all(std::span<const Image> images,
                            const std::function<void(std::span<const size_t>, const Result&)>& take) {
  std::deque<std::vector<size_t>> waiting;  // which images each batch in flight has
  const auto collect_one = [&] {
    const std::vector<size_t> which = std::move(waiting.front());
    waiting.pop_front();
    take(which, collect_outputs());
  };
  const auto run = [&](std::span<const Image> batch, std::vector<size_t> which) {
    if (waiting.size() == static_cast<size_t>(in_flight())) collect_one();
    submit(batch);
    waiting.push_back(std::move(which));
  };
  const auto rows = static_cast<size_t>(impl_->batch);
  if (!varies(impl_->rule())) {
    for (size_t first = 0; first < images.size(); first += rows) {
      std::vector<size_t> which(std::min(rows, images.size() - first));
      std::iota(which.begin(), which.end(), first);
      run(images.subspan(first, which.size()), which);
    }
  } else {
    std::map<Size, std::vector<size_t>> groups;  // by network size, images that are no batch yet
    std::vector<Image> batch;                    // copies: a fraction of what the network costs
    for (size_t i = 0; i < images.size(); ++i) {
      check_image(images[i]);
      std::vector<size_t>& group = groups[impl_->network_size(images[i], 1)];
      group.push_back(i);
      if (group.size() < rows) continue;
      batch.clear();
      for (const size_t which : group) batch.push_back(images[which]);
      run(batch, std::exchange(group, {}));
    }
    for (const auto& [size, group] : groups)
      for (const size_t which : group) run(images.subspan(which, 1), {which});
  }
  while (!waiting.empty()) collect_one();
}

int ImagePipeline::in_flight() const { return impl_->backend.in_flight(); }
bool ImagePipeline::preprocesses() const { return impl_->backend.preprocesses(); }
ImagePipeline::Planning ImagePipeline::planning() const {
  return {impl_->plans.made(), impl_->plans.seconds()};
}

}  // namespace tyto
