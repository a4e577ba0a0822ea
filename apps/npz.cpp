// A zip file of stored .npy files.
#include "apps/npz.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zip.h>

#include <algorithm>
#include <memory>

#include "files/named.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr Named<DType> kTypes[] = {{"<f4", DType::F32}, {"<f2", DType::F16}, {"<f8", DType::F64},
                                   {"<i8", DType::I64}, {"<i4", DType::I32}, {"<i2", DType::I16},
                                   {"|i1", DType::I8},  {"|u1", DType::U8},  {"|b1", DType::Bool}};

// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0
std::string npy(const Tensor& given) {
  constexpr size_t kAlignment = 64, kPreamble = 10;
  const Tensor tensor = given.dtype() == DType::BF16 ? given.to_f32() : given;
  const bool one = tensor.shape().rank() == 1;  // Python writes a tuple of one as (7,)
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                  name_in(kTypes, tensor.dtype()), fmt::join(tensor.shape().dims(), ", "), one ? "," : "");
  const size_t unpadded = kPreamble + header.size() + 1;
  header.append((unpadded + kAlignment - 1) / kAlignment * kAlignment - unpadded, ' ');
  header += '\n';

  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 0xFF);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  out.append(reinterpret_cast<const char*>(tensor.data()), static_cast<size_t>(tensor.bytes()));
  return out;
}

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& why) {
  throw Error(ErrorKind::File, fmt::format("{}: cannot write: {}", path.string(), why));
}

}  // namespace

void write_npz(const std::filesystem::path& path, const std::vector<std::pair<std::string, Tensor>>& arrays) {
  int code = 0;
  std::unique_ptr<zip_t, decltype(&zip_discard)> archive(
      zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code), zip_discard);
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string why = zip_error_strerror(&error);
    zip_error_fini(&error);
    fail(path, why);
  }
  constexpr zip_uint16_t kDosTime = 0, kDosDate = (1 << 5) | 1;  // 1980-01-01: equal bytes whenever written
  std::vector<std::string> files;  // libzip reads them when the archive is closed
  for (const auto& [name, tensor] : arrays) files.push_back(npy(tensor));
  for (size_t i = 0; i < files.size(); ++i) {
    zip_source_t* source = zip_source_buffer(archive.get(), files[i].data(), files[i].size(), 0);
    const std::string name = arrays[i].first + ".npy";
    const zip_int64_t index =
        source ? zip_file_add(archive.get(), name.c_str(), source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0 ||
        zip_set_file_compression(archive.get(), static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(archive.get(), static_cast<zip_uint64_t>(index), kDosTime, kDosDate, 0) != 0)
      fail(path, zip_strerror(archive.get()));
  }
  if (zip_close(archive.get()) != 0) fail(path, zip_strerror(archive.get()));
  (void)archive.release();  // closed; nothing is left to discard
}

}  // namespace tyto::apps
