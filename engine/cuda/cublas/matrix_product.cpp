#include "engine/cuda/matrix_product.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/cuda/cudnn/operation_names.h"
#include "engine/cuda/libraries/libraries_impl.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

constexpr uint32_t kAlignment = 16;  // of all pointers, as matrix_product.h says

cudaDataType_t data_type(Precision precision) {
  switch (activation_type(precision)) {
    case DType::F16:
      return CUDA_R_16F;
    case DType::BF16:
      return CUDA_R_16BF;
    default:
      return CUDA_R_32F;
  }
}

// Pedantic: no tensor cores and nothing that emulates them, whatever the environment says.
cublasComputeType_t compute_type(Precision precision) {
  switch (precision) {
    case Precision::Fp32:
      return CUBLAS_COMPUTE_32F_PEDANTIC;
    case Precision::Tf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    default:
      return CUBLAS_COMPUTE_32F;
  }
}

cublasLtEpilogue_t epilogue(const MatrixProductSpec& s) {
  if (s.bias) return s.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
  return s.relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
}

template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, cublasStatus_t (*)(Handle)>;

// The algorithm's words: they name it within one version of cuBLASLt.
std::string name_of(const cublasLtMatmulAlgo_t& algo) {
  std::string name;
  for (uint64_t word : algo.data) name += fmt::format("{}{:x}", name.empty() ? "" : ".", word);
  return name;
}

}  // namespace

// cuBLASLt stores columns: its matrices are ours transposed, so it is asked for y^T = (weights^T)^T x^T,
// where our row-major weights are its weights^T, x its x^T, and y its y^T.
struct MatrixProduct::Impl {
  Impl(Libraries::Impl& shared, const MatrixProductSpec& given)
      : libraries(shared),
        spec(given),
        product(nullptr, shared.cublas.MatmulDescDestroy),
        weights_layout(make_layout(spec.inputs, spec.outputs)),
        x_layout(make_layout(spec.inputs, spec.rows)),
        y_layout(make_layout(spec.outputs, spec.rows)) {
    cublasLtMatmulDesc_t desc = nullptr;
    libraries.cublas.check(libraries.cublas.MatmulDescCreate(&desc, compute_type(spec.precision), CUDA_R_32F),
                           "describe a matrix product");
    product.reset(desc);
    set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue(spec));
    if (spec.bias) set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, data_type(spec.precision));
    choose();
  }

  Owned<cublasLtMatrixLayout_t> make_layout(int64_t rows, int64_t columns) const {
    cublasLtMatrixLayout_t layout = nullptr;
    libraries.cublas.check(
        libraries.cublas.MatrixLayoutCreate(&layout, data_type(spec.precision), static_cast<uint64_t>(rows),
                                            static_cast<uint64_t>(columns), rows),
        "describe a matrix");
    return {layout, libraries.cublas.MatrixLayoutDestroy};
  }

  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    libraries.cublas.check(
        libraries.cublas.MatmulDescSetAttribute(product.get(), attribute, &value, sizeof value),
        "set an attribute of a matrix product");
  }

  std::vector<cublasLtMatmulHeuristicResult_t> propose() const;
  void choose();

  void execute(const cublasLtMatmulHeuristicResult_t& how, const void* x, const void* weights,
               const void* bias, void* y, void* workspace, cudaStream_t stream) {
    const float one = 1, zero = 0;
    if (spec.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    libraries.cublas.check(
        libraries.cublas.Matmul(libraries.cublas_handle.get(), product.get(), &one, weights,
                                weights_layout.get(), x, x_layout.get(), &zero, y, y_layout.get(), y,
                                y_layout.get(), &how.algo, workspace, how.workspaceSize, stream),
        "run a matrix product");
  }

  Libraries::Impl& libraries;
  const MatrixProductSpec spec;
  Owned<cublasLtMatmulDesc_t> product;
  const Owned<cublasLtMatrixLayout_t> weights_layout, x_layout, y_layout;
  cublasLtMatmulHeuristicResult_t chosen{};
  std::string algorithm;
};

// Sums are in fp32: partial ones are not added up in the type of the result.
std::vector<cublasLtMatmulHeuristicResult_t> MatrixProduct::Impl::propose() const {
  const CublasLt& lt = libraries.cublas;
  cublasLtMatmulPreference_t handle = nullptr;
  lt.check(lt.MatmulPreferenceCreate(&handle), "choose an algorithm");
  const Owned<cublasLtMatmulPreference_t> preference(handle, lt.MatmulPreferenceDestroy);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    lt.check(lt.MatmulPreferenceSetAttribute(handle, attribute, &value, sizeof value), "choose an algorithm");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(libraries.options.workspace_limit));
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  for (auto attribute :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    prefer(attribute, kAlignment);

  std::vector<cublasLtMatmulHeuristicResult_t> results(libraries.candidates());
  int count = 0;
  const cublasStatus_t status = lt.MatmulAlgoGetHeuristic(
      libraries.cublas_handle.get(), product.get(), weights_layout.get(), x_layout.get(), y_layout.get(),
      y_layout.get(), handle, static_cast<int>(results.size()), results.data(), &count);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) lt.check(status, "choose an algorithm");
  results.resize(static_cast<size_t>(count));
  std::erase_if(results, [](const auto& r) { return r.state != CUBLAS_STATUS_SUCCESS; });
  return results;
}

void MatrixProduct::Impl::choose() {
  const std::vector<cublasLtMatmulHeuristicResult_t> results = propose();
  if (results.empty())
    throw Error(ErrorKind::Unsupported,
                fmt::format("cuBLASLt {} has no algorithm for a {} within {} MiB of workspace",
                            libraries.cublas.version(), cuda::name_of(spec),
                            libraries.options.workspace_limit >> 20));
  std::vector<std::string> names;
  size_t scratch = 0;
  for (const auto& r : results) {
    names.push_back(name_of(r.algo));
    scratch = std::max(scratch, r.workspaceSize);
  }
  const int64_t element = size_of(activation_type(spec.precision));
  const size_t best = libraries.fastest(
      cuda::name_of(spec), names,
      {spec.rows * spec.inputs * element, spec.outputs * spec.inputs * element,
       spec.bias ? spec.outputs * element : 0, spec.rows * spec.outputs * element,
       static_cast<int64_t>(scratch)},
      [&](size_t i, const std::vector<DeviceBuffer>& b, cudaStream_t stream) {
        execute(results[i], b[0].data(), b[1].data(), b[2].data(), b[3].data(), b[4].data(), stream);
      });
  chosen = results[best];
  algorithm = "cublaslt " + names[best];
}

MatrixProduct::MatrixProduct(Libraries& libraries, const MatrixProductSpec& spec)
    : impl_(std::make_unique<Impl>(libraries.impl(), spec)) {}
MatrixProduct::~MatrixProduct() = default;
MatrixProduct::MatrixProduct(MatrixProduct&&) noexcept = default;

void MatrixProduct::run(const void* x, const void* weights, const void* bias, void* y, void* workspace,
                        kernels::Stream stream) {
  impl_->execute(impl_->chosen, x, weights, bias, y, workspace, stream);
}

int64_t MatrixProduct::workspace_bytes() const { return static_cast<int64_t>(impl_->chosen.workspaceSize); }
const std::string& MatrixProduct::algorithm() const { return impl_->algorithm; }

}  // namespace tyto::cuda
