#include "tyto/bev_segmenter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/graph/passes.h"
#include "engine/images/image_fit.h"
#include "engine/images/pose.h"
#include "engine/images/preprocessing.h"
#include "engine/model/build_graph.h"
#include "engine/networks/rig_inputs.h"
#include "engine/runtime/plan_graph.h"
#include "kernels/bev/camera_math.h"

namespace tyto {
namespace {

const char* const kOutput = "map";

// --- what a rig must be ---

[[noreturn]] void refuse(const std::string& whose, const char* matrix, const std::string& what) {
  throw Error(ErrorKind::Shape, fmt::format("{}: its {} {}", whose, matrix, what));
}

template <size_t kSize>
void check_finite(const std::array<double, kSize>& m, const std::string& whose, const char* matrix) {
  if (!std::ranges::all_of(m, [](double v) { return std::isfinite(v); }))
    refuse(whose, matrix, "holds a number that is not finite");
}

void check_inverse(const Matrix3& m, const std::string& whose, const char* matrix) {
  check_finite(m, whose, matrix);
  double entries[9], inverse[9];
  std::ranges::copy(m, entries);
  kernels::invert3(entries, inverse);
  if (!std::ranges::all_of(inverse, [](double v) { return std::isfinite(v); }))
    refuse(whose, matrix, "has no inverse");
}

void check_pose(const Matrix4& m, const std::string& whose, const char* matrix) {
  check_finite(m, whose, matrix);
  if (m[12] != 0 || m[13] != 0 || m[14] != 0 || m[15] != 1)
    refuse(whose, matrix,
           fmt::format("ends in the row {} {} {} {}, not 0 0 0 1", m[12], m[13], m[14], m[15]));
  check_inverse({m[0], m[1], m[2], m[4], m[5], m[6], m[8], m[9], m[10]}, whose, matrix);
}

// --- what a network is given of it ---

Matrix3 matrix_of(const Geometry& g) { return {g.scale_x, 0, g.offset_x, 0, g.scale_y, g.offset_y, 0, 0, 1}; }

// The inputs of a batch that are made here; they stay until its results are collected.
struct MadeInputs {
  Tensor images;  // where they are preprocessed here
  std::map<std::string, Tensor> matrices;
};

template <size_t kSize>
void write(std::map<std::string, Tensor>& matrices, const char* name, size_t at,
           const std::array<double, kSize>& matrix) {
  const auto it = matrices.find(name);
  if (it == matrices.end()) return;  // the network does not take it
  float* value = it->second.as<float>().data() + at * kSize;
  for (const double v : matrix) *value++ = static_cast<float>(v);
}

struct BevGraph {
  Graph graph;  // of the map alone, optimised
  BevGridInfo grid;
};

BevGraph bev_graph(const Model& model, const std::vector<InputInfo>& inputs, const BevOptions& options) {
  Graph graph;
  const Inputs values = declare_inputs(graph, inputs, input_shapes(inputs, options.batch));
  const NetworkOutputs built = append_network(graph, model, values, options.set);
  if (built.task != Task::Bev)
    throw Error(
        ErrorKind::Unsupported,
        fmt::format("{}: a {} sees nothing from above: it has no output 'map' on a grid of the ground",
                    model.path().string(), model.info().network));
  for (const auto& [name, value] : built.values)
    if (name == kOutput) graph.output(name, value);
  return {optimise(graph), built.grid.value()};
}

// Error{Unsupported} where a network takes what no rig has.
const InputInfo& image_input_of(const std::vector<InputInfo>& inputs, const Model& model) {
  const InputInfo* images = nullptr;
  for (const InputInfo& input : inputs) {
    const bool fills =
        input.name == kIntrinsics || input.name == kCameraToEgo || input.name == kImageAugmentation;
    if (!fills && (images || !input.is_images() || varies(preprocessing_from_json(input.preprocessing))))
      throw Error(
          ErrorKind::Unsupported,
          fmt::format("{}: a {} takes '{}', which a rig of cameras does not give; `tyto run` runs it on "
                      "tensors",
                      model.path().string(), model.info().network, input.name));
    if (!fills) images = &input;
  }
  if (!images)
    throw Error(ErrorKind::Unsupported,
                fmt::format("{}: a {} takes no images", model.path().string(), model.info().network));
  return *images;
}

int64_t checked_batch(int64_t batch) {
  if (batch < 1) throw Error(ErrorKind::Usage, fmt::format("a batch of {} samples", batch));
  return batch;
}

}  // namespace

void check_rig(const Rig& rig) {
  for (size_t i = 0; i < rig.cameras.size(); ++i) {
    const Camera& camera = rig.cameras[i];
    const std::string whose = fmt::format("camera {}", i);
    check_inverse(camera.intrinsics, whose, "intrinsics");
    check_pose(camera.camera_to_ego, whose, "camera_to_ego");
    check_inverse(camera.augmentation, whose, "augmentation");
    const Matrix3& a = camera.augmentation;
    if (a[6] != 0 || a[7] != 0 || a[8] != 1)
      refuse(whose, "augmentation", fmt::format("ends in the row {} {} {}, not 0 0 1", a[6], a[7], a[8]));
  }
  check_pose(rig.lidar_to_ego, "the lidar", "lidar_to_ego");
}

struct BevSegmenter::Impl {
  Impl(const Model& model, Context& context, const BevOptions& options)
      : batch(checked_batch(options.batch)),
        backend(backend_of(context)),
        inputs(inputs_of(model, options.set)),
        built(bev_graph(model, inputs, options)),
        image_name(image_input_of(inputs, model).name),
        cameras(image_input_of(inputs, model).views),
        preprocessor(preprocessing_from_json(image_input_of(inputs, model).preprocessing)),
        plan(plan_graph(built.graph, context, options.precision)),
        made(static_cast<size_t>(backend.in_flight())) {
    const InputShapes shapes = input_shapes(inputs, batch);
    for (const InputInfo& input : inputs)
      if (input.name != image_name)
        matrices.emplace(input.name, Tensor::zeros(DType::F32, shapes.at(input.name)));
    for (MadeInputs& m : made)
      for (const auto& [name, tensor] : matrices) m.matrices.emplace(name, tensor.clone());
  }

  const Preprocessing& rule() const { return preprocessor.rule(); }

  void check(size_t images, std::span<const Rig> rigs) const {
    const auto samples = static_cast<int64_t>(rigs.size());
    if (samples > batch || samples < 1)
      throw Error(ErrorKind::Shape, fmt::format("{} samples in a batch of {}", samples, batch));
    for (size_t i = 0; i < rigs.size(); ++i) {
      if (static_cast<int64_t>(rigs[i].cameras.size()) != cameras)
        throw Error(ErrorKind::Shape,
                    fmt::format("a rig of {} cameras, where the network takes {} a sample (--set cameras={})",
                                rigs[i].cameras.size(), cameras, rigs[i].cameras.size()));
      check_rig(rigs[i]);
    }
    if (static_cast<int64_t>(images) != samples * cameras)
      throw Error(ErrorKind::Shape, fmt::format("{} images for {} samples of {}", images, samples, cameras));
    if (plan.waiting() == plan.in_flight())
      throw Error(ErrorKind::Usage,
                  fmt::format("{} batches wait already; collect one before the next", plan.waiting()));
  }

  // One sample's calibration, of images that went into the network's input so.
  void fill_sample(size_t sample, const Rig& rig, std::span<const Geometry> geometries) {
    const Matrix4 to_frame = built.grid.lidar_frame ? inverse_pose(rig.lidar_to_ego) : kIdentity4;
    for (size_t i = 0; i < rig.cameras.size(); ++i) {
      const Camera& camera = rig.cameras[i];
      const size_t at = sample * rig.cameras.size() + i;
      write(matrices, kIntrinsics, at, camera.intrinsics);
      write(matrices, kCameraToEgo, at, multiply(to_frame, camera.camera_to_ego));
      write(matrices, kImageAugmentation, at, multiply(matrix_of(geometries[i]), camera.augmentation));
    }
  }

  // Rows of samples that are not there stay what they were, so that nothing is computed for them again; at
  // first they are the last sample's.
  void run(const BoundInput& images, std::span<const Geometry> geometries, std::span<const Rig> rigs) {
    const auto count = static_cast<size_t>(cameras);
    const size_t filled = was_filled ? rigs.size() : static_cast<size_t>(batch);
    for (size_t i = 0; i < filled; ++i) {
      const size_t sample = std::min(i, rigs.size() - 1);
      fill_sample(i, rigs[sample], geometries.subspan(sample * count, count));
    }
    MadeInputs& mine = made[next];
    RunInputs bound = {{image_name, images}};
    for (const auto& [name, tensor] : matrices) {
      Tensor& copy = mine.matrices.at(name);
      std::ranges::copy(tensor.as<float>(), copy.as<float>().begin());
      bound.emplace(name, &copy);
    }
    tyto::submit(plan, bound);
    was_filled = true;
    submitted += static_cast<int64_t>(rigs.size());
    next = (next + 1) % made.size();
  }

  // Preprocessed here, into an input that no batch in flight has.
  void fill(Tensor& input, std::span<const Image> images) {
    const Shape shape = {batch * cameras, 3, rule().height, rule().width};
    if (input.shape() != shape) input = Tensor(DType::F32, shape);
    const std::span<float> values = input.as<float>();
    const size_t row = values.size() / static_cast<size_t>(shape[0]);
    for (size_t i = 0; i < images.size(); ++i) preprocessor.run(images[i], values.subspan(i * row, row));
    std::ranges::fill(values.subspan(images.size() * row), 0.0f);
  }

  int64_t batch;
  Backend& backend;
  std::vector<InputInfo> inputs;
  BevGraph built;
  std::string image_name;
  int64_t cameras;
  Preprocessor preprocessor;
  Plan plan;
  std::map<std::string, Tensor> matrices;  // of the batch before, by the inputs' names
  bool was_filled = false;                 // they are of one
  std::vector<MadeInputs> made;            // of the batches in flight
  size_t next = 0;                         // of them, for the next batch
  int64_t submitted = 0;                   // samples
};

BevSegmenter::BevSegmenter(const Model& model, Context& context, const BevOptions& options)
    : impl_(std::make_unique<Impl>(model, context, options)) {}
BevSegmenter::~BevSegmenter() = default;
BevSegmenter::BevSegmenter(BevSegmenter&&) noexcept = default;

int64_t BevSegmenter::cameras() const { return impl_->cameras; }
const BevGridInfo& BevSegmenter::grid() const { return impl_->built.grid; }
int64_t BevSegmenter::classes() const { return impl_->plan.output_shape(kOutput)[1]; }

void BevSegmenter::submit(std::span<const Image> images, std::span<const Rig> rigs) {
  impl_->check(images.size(), rigs);
  std::vector<Geometry> geometries;
  for (const Image& image : images) {
    check_image(image);
    geometries.push_back(fit_image(impl_->rule(), image.width, image.height).geometry());
  }
  BoundInput bound = ImageBatch{images, &impl_->rule()};
  if (!preprocesses()) {
    Tensor& input = impl_->made[impl_->next].images;
    impl_->fill(input, images);
    bound = &input;
  }
  impl_->run(bound, geometries, rigs);
}

void BevSegmenter::submit(const Tensor& images, std::span<const Geometry> geometries,
                          std::span<const Rig> rigs) {
  impl_->check(geometries.size(), rigs);
  impl_->run(&images, geometries, rigs);
}

const std::map<std::string, Tensor>& BevSegmenter::collect() { return impl_->plan.collect(); }

int BevSegmenter::in_flight() const { return impl_->plan.in_flight(); }
BevSegmenter::Calibrations BevSegmenter::calibrations() const {
  // A first batch that is not full has rows of no sample built, too.
  return {impl_->submitted, std::min(impl_->submitted, impl_->plan.prologue_samples())};
}
PlanProfile BevSegmenter::profile(int repeats) {
  if (!impl_->was_filled) throw Error(ErrorKind::Usage, "no batch was submitted, whose cost could be told");
  std::map<std::string, Tensor> inputs = impl_->matrices;
  const Shape shape = {impl_->batch * impl_->cameras, 3, impl_->rule().height, impl_->rule().width};
  inputs.emplace(impl_->image_name, Tensor::zeros(DType::F32, shape));
  return impl_->plan.profile(inputs, repeats);
}

bool BevSegmenter::preprocesses() const { return impl_->backend.preprocesses(); }

}  // namespace tyto
