#include "apps/reid/export.h"

#include <fmt/format.h>
#include <matio.h>
#include <unistd.h>

#include <limits>
#include <memory>
#include <utility>

#include "apps/npz.h"
#include "files/named.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

std::string prefix_of(SetKind kind) {
  static constexpr Named<SetKind> kPrefixes[] = {
      {"query", SetKind::Query}, {"gallery", SetKind::Gallery}, {"mquery", SetKind::MultiQuery}};
  return std::string(name_in(kPrefixes, kind));
}

// "gallery_f" of the first matrix, "gallery_f_pool" of another.
std::string array_name(SetKind kind, const Features& features, size_t matrix) {
  return prefix_of(kind) + (matrix == 0 ? "_f" : "_f_" + features.provenance.features[matrix]);
}

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& why) {
  throw Error(ErrorKind::File, fmt::format("{}: cannot write: {}", path.string(), why));
}

void export_npz(const std::filesystem::path& path, const Features& features) {
  std::vector<std::pair<std::string, Tensor>> arrays;
  const auto numbers = [](const std::vector<int64_t>& values) {
    return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
  };
  for (const auto& [kind, set] : features.sets) {
    const std::string prefix = prefix_of(kind);
    for (size_t i = 0; i < set.features.size(); ++i)
      arrays.emplace_back(array_name(kind, features, i), set.features[i]);
    arrays.emplace_back(prefix + "_label", numbers(set.ids));
    arrays.emplace_back(prefix + "_cam", numbers(set.cameras));
  }
  write_npz(path, arrays);
}

// --- MAT v5 ---

class MatFile {
 public:
  explicit MatFile(const std::filesystem::path& path)
      : path_(path), temporary_(path.string() + fmt::format(".{}.tmp", ::getpid())) {
    constexpr const char* kHeader = "MATLAB 5.0 MAT-file, written by tyto";  // without a date: equal bytes
    mat_.reset(Mat_CreateVer(temporary_.c_str(), kHeader, MAT_FT_MAT5));
    if (!mat_) fail(path, "the file cannot be made");
  }
  ~MatFile() {
    mat_.reset();
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
  }

  // values: [rows, columns] in MATLAB's column-major order; matio only reads them
  void write(const std::string& name, matio_classes type, matio_types element, size_t rows, size_t columns,
             const void* values, size_t bytes) {
    size_t dims[2] = {rows, columns};
    const std::unique_ptr<matvar_t, decltype(&Mat_VarFree)> variable(
        Mat_VarCreate(name.c_str(), type, element, 2, dims, const_cast<void*>(values), MAT_F_DONT_COPY_DATA),
        Mat_VarFree);
    if (!variable || Mat_VarWrite(mat_.get(), variable.get(), MAT_COMPRESSION_NONE) != 0)
      fail(path_, fmt::format("array '{}' was refused", name));
    written_ += bytes;
  }

  void commit() {
    mat_.reset();
    std::error_code error;  // matio does not report short writes
    const auto size = std::filesystem::file_size(temporary_, error);
    if (error || size < written_) fail(path_, "the disk is full");
    std::filesystem::rename(temporary_, path_, error);
    if (error) fail(path_, error.message());
  }

 private:
  struct Close {
    void operator()(mat_t* mat) const { Mat_Close(mat); }
  };
  std::filesystem::path path_, temporary_;
  std::unique_ptr<mat_t, Close> mat_;
  size_t written_ = 0;
};

std::vector<float> column_major(const Tensor& matrix) {
  const auto rows = static_cast<size_t>(matrix.dim(0)), columns = static_cast<size_t>(matrix.dim(1));
  const auto from = matrix.as<float>();
  std::vector<float> to(from.size());
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  return to;
}

void export_mat(const std::filesystem::path& path, const Features& features) {
  for (const auto& [kind, set] : features.sets)
    for (size_t i = 0; i < set.features.size(); ++i)
      if (set.features[i].bytes() > std::numeric_limits<int32_t>::max())
        throw Error(
            ErrorKind::Unsupported,
            fmt::format("{}: '{}' has {} bytes and a MAT v5 file holds at most 2 GiB an array; use --format "
                        "npz",
                        path.string(), array_name(kind, features, i), set.features[i].bytes()));
  MatFile out(path);
  for (const auto& [kind, set] : features.sets) {
    const std::string prefix = prefix_of(kind);
    const auto rows = static_cast<size_t>(set.rows());
    for (size_t i = 0; i < set.features.size(); ++i) {
      const std::vector<float> values = column_major(set.features[i]);
      out.write(array_name(kind, features, i), MAT_C_SINGLE, MAT_T_SINGLE, rows,
                static_cast<size_t>(set.features[i].dim(1)), values.data(), values.size() * sizeof(float));
    }
    out.write(prefix + "_label", MAT_C_INT64, MAT_T_INT64, 1, rows, set.ids.data(), rows * sizeof(int64_t));
    out.write(prefix + "_cam", MAT_C_INT64, MAT_T_INT64, 1, rows, set.cameras.data(), rows * sizeof(int64_t));
  }
  out.commit();
}

}  // namespace

ExportFormat export_format(const std::string& name) {
  static constexpr Named<ExportFormat> kFormats[] = {{"npz", ExportFormat::Npz}, {"mat", ExportFormat::Mat}};
  return row_named(name, kFormats, "format").value;
}

void export_features(const Features& features, ExportFormat format, const std::filesystem::path& path) {
  if (format == ExportFormat::Npz) {
    export_npz(path, features);
  } else {
    export_mat(path, features);
  }
}

}  // namespace tyto::apps
