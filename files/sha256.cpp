#include "files/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <vector>

#include "files/file.h"
#include "tyto/error.h"

namespace tyto {
namespace {

EVP_MD_CTX* context(const std::shared_ptr<void>& state) { return static_cast<EVP_MD_CTX*>(state.get()); }

void check(int ok) {
  if (ok != 1) throw Error(ErrorKind::Unsupported, "OpenSSL cannot compute SHA-256");
}

}  // namespace

Sha256::Sha256() : state_(EVP_MD_CTX_new(), [](void* p) { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(p)); }) {
  check(EVP_DigestInit_ex(context(state_), EVP_sha256(), nullptr));
}

void Sha256::update(const void* data, size_t bytes) { check(EVP_DigestUpdate(context(state_), data, bytes)); }

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int bytes = 0;
  check(EVP_DigestFinal_ex(context(state_), digest, &bytes));
  std::string text;
  for (unsigned int i = 0; i < bytes; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256_of_file(const std::filesystem::path& path, uint64_t from) {
  const File file(path);
  std::vector<std::byte> chunk(1 << 20);
  Sha256 sha;
  for (uint64_t at = from; at < file.size(); at += chunk.size()) {
    const size_t bytes = static_cast<size_t>(std::min<uint64_t>(chunk.size(), file.size() - at));
    file.read(at, std::span(chunk).first(bytes));
    sha.update(chunk.data(), bytes);
  }
  return sha.hex();
}

}  // namespace tyto
