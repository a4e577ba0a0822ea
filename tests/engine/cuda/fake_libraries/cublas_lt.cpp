// A libcublasLt.so.13 that does as it is told: column-major products by the naive loop, on the emulated
// device. Of the compute types for fp32 the pedantic one alone keeps the operands as they are, which is all
// that cuBLAS promises. Its best algorithm shares sums among blocks, an item's by its place in the batch,
// where the preference allows that.
#include <cublasLt.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "emulation/library_call.h"
#include "engine/cuda/fake_libraries/values.h"

struct cublasLtContext {};

namespace {

using fake::Type;

struct Product {
  cublasComputeType_t compute{};
  cublasOperation_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;
  cudaDataType_t bias_type = CUDA_R_32F;
};

enum Algorithm : uint64_t { kWhole, kWholeToo, kShared };

uint32_t& reduction_schemes(cublasLtMatmulPreference_t preference) {
  return *reinterpret_cast<uint32_t*>(preference);
}

struct Matrix {
  Type type{};
  int64_t rows = 0, columns = 0, leading = 0;
  int32_t batch = 1;
  int64_t item = 0;

  size_t bytes() const {
    return static_cast<size_t>((batch - 1) * item + (columns - 1) * leading + rows) * fake::size_of(type);
  }
};

// The library's opaque handles are addresses of ours.
template <class T, class Opaque>
T& ours(Opaque handle) {
  return *reinterpret_cast<T*>(const_cast<std::remove_const_t<std::remove_pointer_t<Opaque>>*>(handle));
}

template <class T>
cublasStatus_t take(T& to, const void* from, size_t bytes) {
  if (bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to, from, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

bool has_bias(cublasLtEpilogue_t e) {
  return e == CUBLASLT_EPILOGUE_BIAS || e == CUBLASLT_EPILOGUE_RELU_BIAS;
}
bool has_relu(cublasLtEpilogue_t e) {
  return e == CUBLASLT_EPILOGUE_RELU || e == CUBLASLT_EPILOGUE_RELU_BIAS;
}

void multiply(const Product& product, float alpha, Algorithm algorithm, const Matrix& a, const void* a_data,
              const Matrix& b, const void* b_data, const Matrix& d, void* d_data) {
  const auto operand = [&](const void* data, int64_t index, Type type) {
    const float value = fake::load(data, index, type);
    return product.compute == CUBLAS_COMPUTE_32F_PEDANTIC ? value : fake::tf32(value);
  };
  const bool a_transposed = product.transpose_a == CUBLAS_OP_T,
             b_transposed = product.transpose_b == CUBLAS_OP_T;
  const int64_t inputs = a_transposed ? a.rows : a.columns;
  std::vector<float> column(static_cast<size_t>(inputs));
  for (int64_t item = 0; item < d.batch; ++item)
    for (int64_t j = 0; j < d.columns; ++j) {
      for (int64_t k = 0; k < inputs; ++k)
        column[static_cast<size_t>(k)] =
            operand(b_data, item * b.item + (b_transposed ? k * b.leading + j : j * b.leading + k), b.type);
      for (int64_t i = 0; i < d.rows; ++i) {
        float sum = 0;
        for (int64_t term = 0; term < inputs; ++term) {
          const int64_t k = algorithm == kShared ? (term + item) % inputs : term;
          sum += operand(a_data, item * a.item + (a_transposed ? i * a.leading + k : k * a.leading + i),
                         a.type) *
                 column[static_cast<size_t>(k)];
        }
        sum *= alpha;
        if (has_bias(product.epilogue)) sum += fake::load(product.bias, i, d.type);
        fake::store(d_data, item * d.item + j * d.leading + i, d.type,
                    has_relu(product.epilogue) && sum < 0 ? 0 : sum);
      }
    }
}

Type type_of(cudaDataType type) {
  return type == CUDA_R_16F ? Type::Half : type == CUDA_R_16BF ? Type::BFloat16 : Type::Float;
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
size_t cublasLtGetVersion() { return 130000; }
const char* cublasLtGetStatusString(cublasStatus_t) { return "an error of the fake"; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* handle, cublasComputeType_t compute,
                                        cudaDataType_t) {
  *handle = reinterpret_cast<cublasLtMatmulDesc_t>(new Product{compute});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t handle) {
  delete &ours<Product>(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle,
                                              cublasLtMatmulDescAttributes_t name, const void* value,
                                              size_t bytes) {
  Product& product = ours<Product>(handle);
  switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(product.transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(product.transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(product.epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(product.bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return take(product.bias_type, value, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* handle, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
  *handle = reinterpret_cast<cublasLtMatrixLayout_t>(
      new Matrix{type_of(type), static_cast<int64_t>(rows), static_cast<int64_t>(columns), leading});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t handle) {
  delete &ours<Matrix>(handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t handle,
                                                cublasLtMatrixLayoutAttribute_t name, const void* value,
                                                size_t bytes) {
  Matrix& matrix = ours<Matrix>(handle);
  switch (name) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return take(matrix.batch, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return take(matrix.item, value, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* handle) {
  *handle = reinterpret_cast<cublasLtMatmulPreference_t>(new uint32_t{CUBLASLT_REDUCTION_SCHEME_MASK});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t handle) {
  delete &reduction_schemes(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void* value, size_t bytes) {
  return name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK ? take(reduction_schemes(handle), value, bytes)
                                                            : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatmulPreference_t preference,
                                              int requested, cublasLtMatmulHeuristicResult_t results[],
                                              int* count) {
  std::vector<Algorithm> best = {kWhole, kWholeToo};
  if (reduction_schemes(preference) != CUBLASLT_REDUCTION_SCHEME_NONE) best.insert(best.begin(), kShared);
  *count = std::min(requested, static_cast<int>(best.size()));
  for (int i = 0; i < *count; ++i) {
    results[i] = {};
    results[i].algo.data[0] = best[static_cast<size_t>(i)];
    results[i].workspaceSize = 512;
    results[i].state = CUBLAS_STATUS_SUCCESS;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product_handle, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void*, const void*,
                              cublasLtMatrixLayout_t, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algo, void*, size_t, cudaStream_t stream) {
  const Product product = ours<Product>(product_handle);
  const Matrix am = ours<Matrix>(a_layout), bm = ours<Matrix>(b_layout), dm = ours<Matrix>(d_layout);
  const bool alike = am.batch == dm.batch && bm.batch == dm.batch && am.type == bm.type;
  if (!alike || (has_bias(product.epilogue) && type_of(product.bias_type) != dm.type))
    return CUBLAS_STATUS_INVALID_VALUE;
  emulation::LibraryCall call;
  call.name = "the fake cuBLASLt's product";
  call.reads = {{a, am.bytes()}, {b, bm.bytes()}};
  if (has_bias(product.epilogue))
    call.reads.push_back({product.bias, static_cast<size_t>(dm.rows) * fake::size_of(dm.type)});
  call.writes = {{d, dm.bytes()}};
  call.run = [=, scale = *static_cast<const float*>(alpha),
              algorithm = static_cast<Algorithm>(algo->data[0])] {
    multiply(product, scale, algorithm, am, a, bm, b, dm, d);
  };
  return emulation::enqueue_library_call(stream, std::move(call)) == cudaSuccess
             ? CUBLAS_STATUS_SUCCESS
             : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // extern "C"
