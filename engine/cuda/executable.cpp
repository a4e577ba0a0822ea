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

void copy_on_device(void* to, const void* from, int64_t bytes, cudaStream_t stream) {
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream),
        "copy on the GPU");
}

// Of SteadyInputs::changed().
int64_t changed_bytes(const SteadyInputs& steady) {
  return steady.samples() * static_cast<int64_t>(sizeof(int32_t));
}

// Where the next input begins in a slot's memory.
int64_t aligned(int64_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

CudaExecutable::CudaExecutable(Lowered lowered, std::shared_ptr<Device> device)
    : device_(std::move(device)), lowered_(std::move(lowered)), arena_(device_->arena, lowered_.arena_bytes) {
  const DeviceScope scope(device_->info.index);
  for (const auto& [name, s] : lowered_.outputs) outputs_bytes_ += bytes_of(s);
  if (lowered_.overflow.buffer >= 0) outputs_bytes_ += bytes_of(lowered_.overflow);
  int64_t inputs_bytes = 0;
  for (const TensorRef& s : lowered_.inputs) {
    input_offsets_.push_back(inputs_bytes);
    inputs_bytes += aligned(bytes_of(s));
  }
  changed_offset_ = inputs_bytes;
  inputs_bytes += changed_bytes(lowered_.steady);
  kept_ = DeviceBuffer(lowered_.kept_bytes);
  lowered_.addresses->kept = kept_.data();
  const std::span<const Step> steps = lowered_.steps;
  prologue_.steps = steps.first(lowered_.prologue_steps);
  main_.steps = steps.subspan(lowered_.prologue_steps);
  for (Slot& slot : slots_) {
    slot.host_inputs = PinnedBuffer(inputs_bytes);
    slot.host_outputs = PinnedBuffer(outputs_bytes_);
    slot.inputs = DeviceBuffer(inputs_bytes);
    slot.outputs = DeviceBuffer(outputs_bytes_);
    slot.images.resize(lowered_.inputs.size());
  }
  held_bytes_ = kSlots * (inputs_bytes + outputs_bytes_) + kept_.bytes();
  device_->plan_bytes += held_bytes_;
}

CudaExecutable::~CudaExecutable() {
  dying_on_.emplace(device_->info.index, std::nothrow);
  device_->plan_bytes -= held_bytes_;
  for (const Stream* stream : {&device_->upload, &device_->compute, &device_->download})
    cudaStreamSynchronize(*stream);  // nothing may touch the memory that goes now
}

int64_t CudaExecutable::staging_bytes(const Graph& graph, Precision precision) {
  int64_t bytes = output_bytes(graph, precision);
  for (const auto& [name, value] : graph.inputs())
    bytes += aligned(graph.shape(value).elements() *
                     size_of(dtype_of(graph.result(value).elements, activation_type(precision))));
  bytes += changed_bytes(SteadyInputs(graph));
  return kSlots * bytes;
}

void CudaExecutable::submit(std::span<const BoundInput> inputs) {
  const DeviceScope scope(device_->info.index);
  Slot& slot = next_slot();
  // The batch that was here before has been collected: its inputs were taken and its outputs are on the host.
  for (size_t i = 0; i < inputs.size(); ++i)
    std::visit([&](const auto& input) { upload(slot, i, input); }, inputs[i]);
  const int64_t changed = lowered_.steady.keep(inputs);
  slot.changed = changed > 0;
  try {
    if (slot.changed) upload_changed(slot);
    finish(slot);
  } catch (...) {
    forget_prologue();
    throw;
  }
  prologue_samples_ += changed;
}

void CudaExecutable::upload_changed(Slot& slot) {
  const auto bytes = static_cast<size_t>(bytes_of(lowered_.changed));
  std::byte* const host = slot.host_inputs.data() + changed_offset_;
  std::memcpy(host, lowered_.steady.changed(), bytes);
  check(cudaMemcpyAsync(slot.inputs.data() + changed_offset_, host, bytes, cudaMemcpyHostToDevice,
                        device_->upload),
        "copy a batch to the GPU");
}

void CudaExecutable::upload(Slot& slot, size_t input, const Tensor* tensor) {
  const auto bytes = static_cast<size_t>(tensor->bytes());
  std::byte* const host = slot.host_inputs.data() + input_offsets_[input];
  std::memcpy(host, tensor->data(), bytes);
  check(cudaMemcpyAsync(slot.inputs.data() + input_offsets_[input], host, bytes, cudaMemcpyHostToDevice,
                        device_->upload),
        "copy a batch to the GPU");
}

void CudaExecutable::upload(Slot& slot, size_t input, const ImageBatch& batch) {
  ImageUpload& images = slot.images[input];
  const int64_t held_before = images.bytes();
  run_named("preprocessing", [&] {
    images.upload(batch.images, *batch.rule, lowered_.inputs[input].shape,
                  reinterpret_cast<float*>(slot.inputs.data() + input_offsets_[input]), device_->upload);
    if (device_->synchronous) device_->upload.wait();
  });
  held_bytes_ += images.bytes() - held_before;
  device_->plan_bytes += images.bytes() - held_before;
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

void CudaExecutable::place() {
  if (arena_.data() == lowered_.addresses->arena) return;
  lowered_.addresses->place(arena_.data());
  for (Part* part : {&prologue_, &main_})
    part->graph = CapturedGraph();  // whose steps go where the arena was
}

void CudaExecutable::copy_inputs(const Slot& slot) {
  place();
  for (size_t i = 0; i < lowered_.inputs.size(); ++i)
    copy_on_device(lowered_.addresses->at(lowered_.inputs[i]), slot.inputs.data() + input_offsets_[i],
                   bytes_of(lowered_.inputs[i]), device_->compute);
}

void CudaExecutable::compute(Slot& slot) {
  const cudaStream_t stream = device_->compute;
  const Addresses& memory = *lowered_.addresses;
  copy_inputs(slot);
  if (slot.changed) {
    copy_on_device(memory.at(lowered_.changed), slot.inputs.data() + changed_offset_,
                   bytes_of(lowered_.changed), stream);
    run(prologue_);
  }
  run(main_);
  std::byte* to = slot.outputs.data();
  const auto hand_out = [&](const TensorRef& s) {
    copy_on_device(to, memory.at(s), bytes_of(s), stream);
    to += bytes_of(s);
  };
  for (const auto& [name, s] : lowered_.outputs) hand_out(s);
  if (lowered_.overflow.buffer >= 0) hand_out(lowered_.overflow);
}

void CudaExecutable::run(Part& part) {
  const cudaStream_t stream = device_->compute;
  if (part.steps.empty()) return;
  if (timed_) {
    run_timed_steps(part);
  } else if (part.graph) {
    part.graph.launch(stream);
  } else if (!part.warm || device_->synchronous) {
    run_steps(part);
  } else {
    part.graph = CapturedGraph::capture(stream, [&] { run_steps(part); });
    part.graph.launch(stream);
  }
  part.warm = true;
}

void CudaExecutable::run_steps(const Part& part) {
  for (const Step& step : part.steps) run_step(step, device_->compute);
}

void CudaExecutable::run_step(const Step& step, cudaStream_t stream) {
  run_named(fmt::format("layer '{}' ({})", step.report.name, step.report.algorithm), [&] {
    step.run(stream);
    if (device_->synchronous) device_->compute.wait();
  });
}

void CudaExecutable::run_timed_steps(const Part& part) {
  const cudaStream_t stream = device_->compute;
  auto mark = marks_.begin() + (part.steps.data() - lowered_.steps.data());
  mark->record(stream);
  for (const Step& step : part.steps) {
    run_step(step, stream);
    (++mark)->record(stream);
  }
}

std::vector<double> CudaExecutable::time_steps(std::span<const BoundInput> inputs,
                                               std::map<std::string, Tensor>& outputs) {
  const DeviceScope scope(device_->info.index);
  if (marks_.empty()) marks_ = std::vector<TimedEvent>(lowered_.steps.size() + 1);
  {
    const struct Timed {
      explicit Timed(bool& on) : on_(on) { on_ = true; }
      ~Timed() { on_ = false; }
      bool& on_;
    } timed(timed_);
    forget_prologue();
    submit(inputs);
  }
  collect(outputs);
  std::vector<double> milliseconds;
  for (size_t i = 0; i < lowered_.steps.size(); ++i)
    milliseconds.push_back(marks_[i + 1].milliseconds_since(marks_[i]));
  return milliseconds;
}

void CudaExecutable::run_watched(Slot& slot) {
  const cudaStream_t stream = device_->compute;
  copy_inputs(slot);
  if (lowered_.steady.samples() > 0) {  // what the prologue left may be of a later batch by now
    check(cudaMemsetAsync(lowered_.addresses->at(lowered_.changed), 1,
                          static_cast<size_t>(bytes_of(lowered_.changed)), stream),
          "mark all samples");
    forget_prologue();
  }
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
    forget_prologue();
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
