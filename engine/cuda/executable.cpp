#include "engine/cuda/executable.h"

#include <fmt/format.h>

#include <cstring>

#include "kernels/common/device_error.h"
#include "kernels/elementwise/not_finite.h"

namespace tyto::cuda {
namespace {

// CUDA's and the kernels' errors as ours, naming what ran.
template <class F>
void run_named(const std::string& what, const F& run) {
  try {
    run();
  } catch (const kernels::DeviceError& error) {
    throw Error(ErrorKind::Device, fmt::format("{}: {}", what, error.what()));
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}", what, error.what()));
  }
}

}  // namespace

CudaExecutable::CudaExecutable(Lowered lowered, std::shared_ptr<Device> device)
    : device_(std::move(device)), lowered_(std::move(lowered)) {
  const DeviceScope scope(device_->info.index);
  for (const auto& [name, s] : lowered_.outputs) outputs_bytes_ += bytes_of(s);
  if (lowered_.overflow.buffer >= 0) outputs_bytes_ += bytes_of(lowered_.overflow);
  const int64_t input_bytes = bytes_of(lowered_.input);
  for (Slot& slot : slots_) {
    slot.host_input = PinnedBuffer(input_bytes);
    slot.host_outputs = PinnedBuffer(outputs_bytes_);
    slot.input = DeviceBuffer(input_bytes);
    slot.outputs = DeviceBuffer(outputs_bytes_);
  }
  held_bytes_ = lowered_.memory.bytes() + kSlots * (input_bytes + outputs_bytes_);
  device_->plan_bytes += held_bytes_;
}

CudaExecutable::~CudaExecutable() {
  dying_on_.emplace(device_->info.index, std::nothrow);
  device_->plan_bytes -= held_bytes_;
  for (const Stream* stream : {&device_->upload, &device_->compute, &device_->download})
    cudaStreamSynchronize(*stream);  // nothing may touch the memory that goes now
}

int64_t CudaExecutable::staging_bytes(const Graph& graph) {
  int64_t elements = 0;
  for (const Node& node : graph.nodes())
    if (std::holds_alternative<Input>(node.op)) elements += node.shape.elements();
  for (const auto& [name, value] : graph.outputs()) elements += graph.shape(value).elements();
  return kSlots * elements * size_of(DType::F32);
}

void CudaExecutable::submit(const Tensor& input) {
  const DeviceScope scope(device_->info.index);
  Slot& slot = next_slot();
  std::memcpy(slot.host_input.data(), input.data(), static_cast<size_t>(slot.host_input.bytes()));
  // The batch that was here before has been collected: its input was taken and its outputs are on the host.
  check(
      cudaMemcpyAsync(slot.input.data(), slot.host_input.data(), static_cast<size_t>(slot.host_input.bytes()),
                      cudaMemcpyHostToDevice, device_->upload),
      "copy a batch to the GPU");
  finish(slot);
}

std::vector<Geometry> CudaExecutable::submit_images(std::span<const Image> images,
                                                    const Preprocessing& rule) {
  const DeviceScope scope(device_->info.index);
  Slot& slot = next_slot();
  const int64_t held_before = slot.images.bytes();
  std::vector<Geometry> geometries;
  run_named("preprocessing", [&] {
    geometries = slot.images.upload(images, rule, lowered_.input.shape[0],
                                    reinterpret_cast<float*>(slot.input.data()), device_->upload);
    if (device_->synchronous) device_->upload.wait();
  });
  held_bytes_ += slot.images.bytes() - held_before;
  device_->plan_bytes += slot.images.bytes() - held_before;
  finish(slot);
  return geometries;
}

void CudaExecutable::finish(Slot& slot) {
  slot.uploaded.record(device_->upload);
  slot.uploaded.make_wait(device_->compute);
  compute(slot);
  slot.computed.record(device_->compute);
  slot.computed.make_wait(device_->download);
  check(cudaMemcpyAsync(slot.host_outputs.data(), slot.outputs.data(), static_cast<size_t>(outputs_bytes_),
                        cudaMemcpyDeviceToHost, device_->download),
        "copy results from the GPU");
  slot.downloaded.record(device_->download);
  ++submitted_;
}

void CudaExecutable::compute(Slot& slot) {
  const cudaStream_t stream = device_->compute;
  const auto copy = [&](void* to, const void* from, int64_t bytes) {
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream),
          "copy on the GPU");
  };
  const Addresses& memory = *lowered_.addresses;
  copy(memory.at(lowered_.input), slot.input.data(), slot.input.bytes());
  if (timed_) {
    run_timed_steps();
  } else if (graph_) {
    graph_.launch(stream);
  } else if (!warm_ || device_->synchronous) {
    run_steps();  // the libraries and the driver load what they need at the first call
  } else {
    graph_ = CapturedGraph::capture(stream, [&] { run_steps(); });
    graph_.launch(stream);
  }
  warm_ = true;
  std::byte* to = slot.outputs.data();
  const auto hand_out = [&](const TensorRef& s) {
    copy(to, memory.at(s), bytes_of(s));
    to += bytes_of(s);
  };
  for (const auto& [name, s] : lowered_.outputs) hand_out(s);
  if (lowered_.overflow.buffer >= 0) hand_out(lowered_.overflow);
}

void CudaExecutable::run_steps() {
  const cudaStream_t stream = device_->compute;
  for (const Step& step : lowered_.steps) run_step(step, stream);
}

void CudaExecutable::run_step(const Step& step, cudaStream_t stream) {
  run_named(fmt::format("layer '{}' ({})", step.report.name, step.report.algorithm), [&] {
    step.run(stream);
    if (device_->synchronous) device_->compute.wait();
  });
}

void CudaExecutable::run_timed_steps() {
  const cudaStream_t stream = device_->compute;
  marks_.front().record(stream);
  for (size_t i = 0; i < lowered_.steps.size(); ++i) {
    run_step(lowered_.steps[i], stream);
    marks_[i + 1].record(stream);
  }
}

std::vector<double> CudaExecutable::time_steps(const Tensor& input, std::map<std::string, Tensor>& outputs) {
  const DeviceScope scope(device_->info.index);
  if (marks_.empty()) marks_ = std::vector<TimedEvent>(lowered_.steps.size() + 1);
  {
    const struct Timed {
      explicit Timed(bool& on) : on_(on) { on_ = true; }
      ~Timed() { on_ = false; }
      bool& on_;
    } timed(timed_);
    submit(input);
  }
  collect(outputs);
  std::vector<double> milliseconds;
  for (size_t i = 0; i < lowered_.steps.size(); ++i)
    milliseconds.push_back(marks_[i + 1].milliseconds_since(marks_[i]));
  return milliseconds;
}

void CudaExecutable::run_watched(Slot& slot) {
  const cudaStream_t stream = device_->compute;
  check(cudaMemcpyAsync(lowered_.addresses->at(lowered_.input), slot.input.data(),
                        static_cast<size_t>(slot.input.bytes()), cudaMemcpyDeviceToDevice, stream),
        "copy on the GPU");
  uint32_t* const counter = lowered_.addresses->at<uint32_t>(lowered_.overflow);
  const auto count = [&] {
    uint32_t value = 0;
    device_->compute.wait();
    check(cudaMemcpy(&value, counter, sizeof(value), cudaMemcpyDeviceToHost), "read a counter");
    return value;
  };
  for (const Step& step : lowered_.steps) {
    step.run(stream);
    if (step.result.type != DType::F16) continue;
    kernels::count_not_finite<kernels::Half>(lowered_.addresses->at<const kernels::Half>(step.result),
                                             step.result.shape.elements(), counter, stream);
    if (const uint32_t found = count(); found > 0)
      throw Error(
          ErrorKind::Unsupported,
          fmt::format(
              "layer '{}': {} of {} values exceed 65504, the most that fp16 holds; use --precision bf16, "
              "tf32 or fp32",
              step.report.name, found, step.result.shape.elements()));
  }
}

void CudaExecutable::collect(std::map<std::string, Tensor>& outputs) {
  const DeviceScope scope(device_->info.index);
  Slot& slot = slots_[static_cast<size_t>(collected_ % kSlots)];
  ++collected_;
  try {
    slot.downloaded.wait();
  } catch (const Error& error) {
    throw Error(
        error.kind(),
        fmt::format("{}{}", error.what(),
                    device_->synchronous ? "" : "; the same command with --synchronous names the layer"));
  }
  const std::byte* from = slot.host_outputs.data();
  for (const auto& [name, s] : lowered_.outputs) {
    std::memcpy(outputs.at(name).data(), from, static_cast<size_t>(bytes_of(s)));
    from += bytes_of(s);
  }
  if (lowered_.overflow.buffer < 0) return;
  uint32_t overflow = 0;
  std::memcpy(&overflow, from, sizeof(overflow));
  if (overflow == 0) return;
  run_watched(slot);
  throw Error(ErrorKind::Unsupported,
              fmt::format("{} results are not finite in fp16; use --precision bf16, tf32 or fp32", overflow));
}

}  // namespace tyto::cuda
