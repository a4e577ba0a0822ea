#include "engine/cuda/matrix_product.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/cuda/stand_ins/elements.h"
#include "engine/cuda/stand_ins/library_operation.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

constexpr const char* kName = "cuBLASLt's matrix product";
constexpr int64_t kWorthThreads = 1 << 15;  // products
constexpr int64_t kRowsAtOnce = 4;          // so that b comes from memory once for several

bool overlaps(const StoredMatrices& m) {
  const int64_t item = (m.rows - 1) * m.row_stride + m.columns;
  const bool apart = m.item_stride >= item,
             interleaved =
                 m.item_stride >= m.columns && (m.batch - 1) * m.item_stride + m.columns <= m.row_stride;
  return m.batch > 1 && !apart && !interleaved;
}

void check(const MatrixProductSpec& s) {
  const auto refuse = [](const std::string& why) {
    throw Error(ErrorKind::Unsupported, fmt::format("{}: {}", kName, why));
  };
  if (std::min({s.rows, s.inputs, s.outputs, s.batch}) <= 0)
    refuse(fmt::format("[{}, {}] times [{}, {}] in a batch of {}", s.rows, s.inputs, s.inputs, s.outputs,
                       s.batch));
  for (const StoredMatrices& m : {stored_a(s), stored_b(s), stored_y(s)})
    if (m.row_stride < m.columns || m.item_stride < 0)
      refuse(fmt::format("[{}, {}] by rows {} and items {}", m.rows, m.columns, m.row_stride, m.item_stride));
  if (overlaps(stored_y(s))) refuse("the results of a batch overlap");
  if (s.batch > 1 && (s.bias || s.relu)) refuse("a batch has no epilogue");
}

int64_t offset(const StoredMatrices& m, int64_t item, int64_t row) {
  return item * m.item_stride + row * m.row_stride;
}

// The bytes of the rows, neighbours as one.
std::vector<emulation::Range> ranges(const void* data, const StoredMatrices& m, DType type) {
  std::vector<int64_t> rows;
  for (int64_t item = 0; item < (m.item_stride == 0 ? 1 : m.batch); ++item)
    for (int64_t row = 0; row < m.rows; ++row) rows.push_back(offset(m, item, row));
  std::sort(rows.begin(), rows.end());
  std::vector<std::pair<int64_t, int64_t>> spans;
  for (const int64_t begin : rows)
    if (!spans.empty() && begin <= spans.back().second)
      spans.back().second = std::max(spans.back().second, begin + m.columns);
    else
      spans.emplace_back(begin, begin + m.columns);
  std::vector<emulation::Range> bytes;
  for (const auto& [begin, end] : spans)
    bytes.push_back({static_cast<const std::byte*>(data) + begin * size_of(type),
                     static_cast<size_t>((end - begin) * size_of(type))});
  return bytes;
}

// An item's matrix as [rows, columns] without gaps, as the device multiplies it.
std::vector<float> load(const void* data, const StoredMatrices& m, int64_t item, Precision precision) {
  std::vector<float> values(static_cast<size_t>(m.rows * m.columns));
  const auto* bytes = static_cast<const std::byte*>(data);
  for (int64_t row = 0; row < m.rows; ++row)
    load_operands(bytes + offset(m, item, row) * size_of(activation_type(precision)), precision, m.columns,
                  values.data() + row * m.columns);
  return values;
}

std::vector<float> transposed(const std::vector<float>& values, int64_t rows, int64_t columns) {
  std::vector<float> out(values.size());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      out[static_cast<size_t>(j * rows + i)] = values[static_cast<size_t>(i * columns + j)];
  return out;
}

// a [rows, inputs], b [inputs, outputs]. A sum takes its terms in their order, so that its bits depend on
// them alone.
std::vector<float> multiply(const MatrixProductSpec& s, const std::vector<float>& a,
                            const std::vector<float>& b) {
  std::vector<float> sums(static_cast<size_t>(s.rows * s.outputs), 0.0f);
#pragma omp parallel for if (s.rows * s.inputs * s.outputs > kWorthThreads)
  for (int64_t first = 0; first < s.rows; first += kRowsAtOnce)
    for (int64_t k = 0; k < s.inputs; ++k)
      for (int64_t i = first; i < std::min(first + kRowsAtOnce, s.rows); ++i) {
        const float x = a[static_cast<size_t>(i * s.inputs + k)];
        const float* from = b.data() + k * s.outputs;
        float* to = sums.data() + i * s.outputs;
        for (int64_t j = 0; j < s.outputs; ++j) to[j] += x * from[j];
      }
  for (float& sum : sums) sum *= s.scale;
  return sums;
}

void compute(const MatrixProductSpec& s, const void* a, const void* b, const void* bias, void* y) {
  const StoredMatrices from_a = stored_a(s), from_b = stored_b(s), to = stored_y(s);
  auto* const results = static_cast<std::byte*>(y);
  for (int64_t item = 0; item < s.batch; ++item) {
    std::vector<float> left = load(a, from_a, item, s.precision);
    if (s.transpose_a) left = transposed(left, s.inputs, s.rows);
    std::vector<float> right = load(b, from_b, item, s.precision);
    if (s.transpose_b) right = transposed(right, s.outputs, s.inputs);
    const std::vector<float> sums = multiply(s, left, right);
    for (int64_t row = 0; row < s.rows; ++row)
      store_results(sums.data() + row * s.outputs, {nullptr, bias, s.relu}, result_type(s), 1, s.outputs,
                    results + offset(to, item, row) * size_of(result_type(s)));
  }
}

}  // namespace

struct MatrixProduct::Impl {
  const MatrixProductSpec spec;
  LibraryOperation operation;
  const std::string algorithm = "stand-in";
};

MatrixProduct::MatrixProduct(Libraries& libraries, const MatrixProductSpec& spec) {
  check(spec);
  // As large as many of the library's: an operand once more.
  const int64_t workspace = stored_a(spec).elements() * size_of(activation_type(spec.precision));
  impl_.reset(new Impl{spec, {libraries, kName, workspace}});
}
MatrixProduct::~MatrixProduct() = default;
MatrixProduct::MatrixProduct(MatrixProduct&&) noexcept = default;

void MatrixProduct::run(const void* a, const void* b, const void* bias, void* y, void* workspace,
                        kernels::Stream stream) {
  const MatrixProductSpec& s = impl_->spec;
  const DType operands = activation_type(s.precision);
  emulation::LibraryCall call;
  call.reads = ranges(a, stored_a(s), operands);
  for (const emulation::Range& range : ranges(b, stored_b(s), operands)) call.reads.push_back(range);
  if (bias) call.reads.push_back({bias, static_cast<size_t>(s.outputs * size_of(result_type(s)))});
  call.writes = ranges(y, stored_y(s), result_type(s));
  call.run = [spec = s, a, b, bias, y] { compute(spec, a, b, bias, y); };
  const Argument arguments[] = {
      {a, true, "left operand"}, {b, true, "right operand"}, {bias, s.bias, "bias"}, {y, true, "output"}};
  impl_->operation.enqueue(arguments, workspace, std::move(call), stream);
}

int64_t MatrixProduct::workspace_bytes() const { return impl_->operation.workspace_bytes(); }
const std::string& MatrixProduct::algorithm() const { return impl_->algorithm; }

}  // namespace tyto::cuda
