// A lowered graph that runs: uploads, one captured CUDA graph, downloads, each on a stream of its own. Its
// prologue is a graph of its own, launched before the other where a steady input has changed.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/cuda/devices.h"
#include "engine/cuda/image_upload.h"
#include "engine/cuda/libraries.h"
#include "engine/cuda/lowering.h"
#include "engine/cuda/runtime.h"
#include "engine/runtime/backend.h"
#include "engine/runtime/shared_arena.h"

namespace tyto::cuda {

// What the plans of a context share; it lives as long as the last of them.
struct Device {
  explicit Device(const DeviceInfo& of) : info(of) {}
  ~Device() { dying_on_.emplace(info.index, std::nothrow); }

 private:
  std::optional<DeviceScope> dying_on_;  // goes last: its GPU is current while all else goes

 public:
  DeviceInfo info;
  bool synchronous = false;  // waits after every step, so that an error names its layer
  Stream upload, compute, download;
  DeviceWeights weights;
  std::unique_ptr<Libraries> libraries;
  std::shared_ptr<SharedArena<DeviceBuffer>> arena = std::make_shared<SharedArena<DeviceBuffer>>();
  int64_t plan_bytes = 0;  // of device memory that living plans hold, weights and arena apart
};

class CudaExecutable : public Executable {
 public:
  CudaExecutable(Lowered lowered, std::shared_ptr<Device> device);
  ~CudaExecutable() override;

  void submit(std::span<const BoundInput> inputs) override;
  void collect(std::map<std::string, Tensor>& outputs) override;
  int in_flight() const override { return kSlots; }
  std::vector<double> time_steps(std::span<const BoundInput> inputs,
                                 std::map<std::string, Tensor>& outputs) override;
  const PlanReport& report() const override { return lowered_.report; }
  int64_t prologue_samples() const override { return prologue_samples_; }
  void forget_prologue() override { lowered_.steady.forget(); }

  // Of device memory beside arena and workspace, for a plan with such an input and outputs.
  static int64_t staging_bytes(const Graph& graph, Precision precision);

  static constexpr int kSlots = 2;  // one batch is copied while the other is computed

 private:
  // A batch on its way: the memory that its copies need for themselves.
  struct Slot {
    PinnedBuffer host_inputs, host_outputs;
    DeviceBuffer inputs, outputs;
    std::vector<ImageUpload> images;  // for each input that has been images
    Event uploaded, computed, downloaded;
    bool changed = false;  // a steady input, from the batch before
  };

  // Steps that are captured together.
  struct Part {
    std::span<const Step> steps;
    CapturedGraph graph = {};
    bool warm = false;  // the libraries and the driver load what they need at the first call
  };

  Slot& next_slot() { return slots_[static_cast<size_t>(submitted_ % kSlots)]; }
  void upload(Slot& slot, size_t input, const Tensor* tensor);
  void upload(Slot& slot, size_t input, const ImageBatch& batch);
  void upload_changed(Slot& slot);     // which samples the prologue is to compute
  void finish(Slot& slot);             // computes and downloads what was uploaded
  void place();                        // the steps, where the arena is now
  void copy_inputs(const Slot& slot);  // to where the steps read them
  void compute(Slot& slot);
  void run(Part& part);
  void run_steps(const Part& part);
  void run_timed_steps(const Part& part);
  void run_step(const Step& step, cudaStream_t stream);
  void run_watched(Slot& slot);  // Error names the first layer whose results are not finite
  int64_t bytes_of(const TensorRef& s) const { return s.shape.elements() * size_of(s.type); }

  // Steps are destroyed through the libraries that device_ holds, and everything while its GPU is current:
  // both go last.
  std::shared_ptr<Device> device_;
  std::optional<DeviceScope> dying_on_;
  Lowered lowered_;
  SharedArena<DeviceBuffer>::Share arena_;
  std::array<Slot, kSlots> slots_;
  int64_t submitted_ = 0, collected_ = 0;
  std::vector<int64_t> input_offsets_;  // in a slot's memory
  int64_t changed_offset_ = 0;          // behind them
  int64_t outputs_bytes_ = 0, held_bytes_ = 0, prologue_samples_ = 0;
  DeviceBuffer kept_;  // by the prologue
  Part prologue_, main_;
  std::vector<TimedEvent> marks_;  // around the steps; made for the first run that is timed
  bool timed_ = false;
};

}  // namespace tyto::cuda
