#include "engine/cuda/matrix_product.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "engine/cuda/cudnn/operation_names.h"
#include "engine/cuda/libraries/libraries_impl.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

constexpr int64_t kAlignment = 16;  // of all pointers, as matrix_product.h says

cudaDataType_t data_type(DType type) {
  switch (type) {
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

// Of the items' first elements: the largest power of two that divides the way to each of them.
uint32_t alignment(const StoredMatrices& m, DType type) {
  const int64_t way = (m.batch > 1 ? m.item_stride * size_of(type) : 0) | kAlignment;
  return static_cast<uint32_t>(way & -way);
}

}  // namespace

// cuBLASLt stores columns: its matrices are ours transposed, so it is asked for y^T = op(b)^T op(a)^T, where
// our row-major b is its b^T, a its a^T, and y its y^T.
struct MatrixProduct::Impl {
  Impl(Libraries::Impl& shared, const MatrixProductSpec& given)
      : libraries(shared),
        spec(given),
        operands(activation_type(given.precision)),
        results(result_type(given)),
        a(stored_a(given)),
        b(stored_b(given)),
        y(stored_y(given)),
        product(nullptr, shared.cublas.MatmulDescDestroy),
        a_layout(make_layout(a, operands)),
        b_layout(make_layout(b, operands)),
        y_layout(make_layout(y, results)) {
    cublasLtMatmulDesc_t desc = nullptr;
    libraries.cublas.check(libraries.cublas.MatmulDescCreate(&desc, compute_type(spec.precision), CUDA_R_32F),
                           "describe a matrix product");
    product.reset(desc);
    set(CUBLASLT_MATMUL_DESC_TRANSA, spec.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, spec.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue(spec));
    if (spec.bias) set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, data_type(results));
    choose();
  }

  Owned<cublasLtMatrixLayout_t> make_layout(const StoredMatrices& m, DType type) const {
    const CublasLt& lt = libraries.cublas;
    if (m.batch > std::numeric_limits<int32_t>::max()) throw unsupported();
    cublasLtMatrixLayout_t handle = nullptr;
    lt.check(lt.MatrixLayoutCreate(&handle, data_type(type), static_cast<uint64_t>(m.columns),
                                   static_cast<uint64_t>(m.rows), m.row_stride),
             "describe a matrix");
    Owned<cublasLtMatrixLayout_t> layout(handle, lt.MatrixLayoutDestroy);
    const auto batch = static_cast<int32_t>(m.batch);
    lt.check(lt.MatrixLayoutSetAttribute(handle, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch),
             "describe a batch of matrices");
    lt.check(lt.MatrixLayoutSetAttribute(handle, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &m.item_stride,
                                         sizeof m.item_stride),
             "describe a batch of matrices");
    return layout;
  }

  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    libraries.cublas.check(
        libraries.cublas.MatmulDescSetAttribute(product.get(), attribute, &value, sizeof value),
        "set an attribute of a matrix product");
  }

  std::vector<cublasLtMatmulHeuristicResult_t> propose() const;
  void choose();
  Error unsupported() const {
    return Error(ErrorKind::Unsupported,
                 fmt::format("cuBLASLt {} has no algorithm for a {} within {} MiB of workspace",
                             libraries.cublas.version(), cuda::name_of(spec),
                             libraries.options.workspace_limit >> 20));
  }

  void execute(const cublasLtMatmulHeuristicResult_t& how, const void* a_data, const void* b_data,
               const void* bias, void* y_data, void* workspace, cudaStream_t stream) {
    const float zero = 0;
    if (spec.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    libraries.cublas.check(
        libraries.cublas.Matmul(libraries.cublas_handle.get(), product.get(), &spec.scale, b_data,
                                b_layout.get(), a_data, a_layout.get(), &zero, y_data, y_layout.get(), y_data,
                                y_layout.get(), &how.algo, workspace, how.workspaceSize, stream),
        "run a matrix product");
  }

  Libraries::Impl& libraries;
  const MatrixProductSpec spec;
  const DType operands, results;
  const StoredMatrices a, b, y;
  Owned<cublasLtMatmulDesc_t> product;
  const Owned<cublasLtMatrixLayout_t> a_layout, b_layout, y_layout;
  cublasLtMatmulHeuristicResult_t chosen{};
  std::string algorithm;
};

// Sums are in fp32: partial ones are not added up in the type of the result. In a batch there are none: an
// algorithm that shares a sum among blocks may do so by the item's place. As it is, one launch runs the same
// instructions for every item, and each sum is one sequence over the inputs, so that its bits depend on the
// item alone.
std::vector<cublasLtMatmulHeuristicResult_t> MatrixProduct::Impl::propose() const {
  const CublasLt& lt = libraries.cublas;
  cublasLtMatmulPreference_t handle = nullptr;
  lt.check(lt.MatmulPreferenceCreate(&handle), "choose an algorithm");
  const Owned<cublasLtMatmulPreference_t> preference(handle, lt.MatmulPreferenceDestroy);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    lt.check(lt.MatmulPreferenceSetAttribute(handle, attribute, &value, sizeof value), "choose an algorithm");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(libraries.options.workspace_limit));
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
         uint32_t{spec.batch > 1 ? CUBLASLT_REDUCTION_SCHEME_NONE : CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(b, operands));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(a, operands));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(y, results));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(y, results));

  std::vector<cublasLtMatmulHeuristicResult_t> proposed(libraries.candidates());
  int count = 0;
  const cublasStatus_t status = lt.MatmulAlgoGetHeuristic(
      libraries.cublas_handle.get(), product.get(), b_layout.get(), a_layout.get(), y_layout.get(),
      y_layout.get(), handle, static_cast<int>(proposed.size()), proposed.data(), &count);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) lt.check(status, "choose an algorithm");
  proposed.resize(static_cast<size_t>(count));
  std::erase_if(proposed, [](const auto& r) { return r.state != CUBLAS_STATUS_SUCCESS; });
  return proposed;
}

void MatrixProduct::Impl::choose() {
  const std::vector<cublasLtMatmulHeuristicResult_t> proposed = propose();
  if (proposed.empty()) throw unsupported();
  std::vector<std::string> names;
  size_t scratch = 0;
  for (const auto& r : proposed) {
    names.push_back(name_of(r.algo));
    scratch = std::max(scratch, r.workspaceSize);
  }
  const size_t best = libraries.fastest(
      cuda::name_of(spec), names,
      {a.elements() * size_of(operands), b.elements() * size_of(operands),
       spec.bias ? spec.outputs * size_of(results) : 0, y.elements() * size_of(results),
       static_cast<int64_t>(scratch)},
      [&](size_t i, const std::vector<DeviceBuffer>& m, cudaStream_t stream) {
        execute(proposed[i], m[0].data(), m[1].data(), m[2].data(), m[3].data(), m[4].data(), stream);
      });
  chosen = proposed[best];
  algorithm = "cublaslt " + names[best];
}

MatrixProduct::MatrixProduct(Libraries& libraries, const MatrixProductSpec& spec)
    : impl_(std::make_unique<Impl>(libraries.impl(), spec)) {}
MatrixProduct::~MatrixProduct() = default;
MatrixProduct::MatrixProduct(MatrixProduct&&) noexcept = default;

void MatrixProduct::run(const void* a, const void* b, const void* bias, void* y, void* workspace,
                        kernels::Stream stream) {
  impl_->execute(impl_->chosen, a, b, bias, y, workspace, stream);
}

int64_t MatrixProduct::workspace_bytes() const { return static_cast<int64_t>(impl_->chosen.workspaceSize); }
const std::string& MatrixProduct::algorithm() const { return impl_->algorithm; }

}  // namespace tyto::cuda
