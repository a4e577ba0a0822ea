// What the wrappers of one device share.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cuda/cublas/cublas_lt.h"
#include "engine/cuda/cudnn/convolution_families.h"
#include "engine/cuda/cudnn/cudnn.h"
#include "engine/cuda/cudnn/tuning_cache.h"
#include "engine/cuda/libraries.h"
#include "engine/cuda/libraries/stopwatch.h"

namespace tyto::cuda {

struct Libraries::Impl {
  explicit Impl(LibraryOptions given);

  // How many algorithms of an operation are worth a look: one, or what autotuning compares.
  size_t candidates() const { return options.autotune ? 8 : 1; }

  // What autotuning found for an operation, in this run or an earlier one.
  std::optional<std::string> tuned(const std::string& operation) const {
    return cache_ ? cache_->find(operation) : std::nullopt;
  }

  // The fastest of them; what an earlier run found is not timed again. run(i, stream) runs the i-th, on
  // memory of these sizes; where that is not to be had, it is said and the first is taken.
  size_t fastest(const std::string& operation, const std::vector<std::string>& algorithms,
                 const std::vector<int64_t>& buffer_bytes,
                 const std::function<void(size_t, const std::vector<DeviceBuffer>&, cudaStream_t)>& run);

  const LibraryOptions options;
  const Cudnn cudnn;
  const CublasLt cublas;
  std::unique_ptr<cudnnContext, cudnnStatus_t (*)(cudnnHandle_t)> cudnn_handle;
  std::unique_ptr<cublasLtContext, cublasStatus_t (*)(cublasLtHandle_t)> cublas_handle;
  ConvolutionFamilies families;

 private:
  std::string machine() const;
  size_t time_all(size_t count, const std::vector<int64_t>& buffer_bytes,
                  const std::function<void(size_t, const std::vector<DeviceBuffer>&, cudaStream_t)>& run);

  std::optional<TuningCache> cache_;
  std::optional<Stopwatch> stopwatch_;  // made when first needed
};

}  // namespace tyto::cuda
