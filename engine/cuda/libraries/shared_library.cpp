#include "engine/cuda/libraries/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <vector>

#include "tyto/error.h"

namespace tyto::cuda {
namespace {

constexpr const char* kFoldersVariable = "TYTO_CUDA_LIBRARIES";
constexpr const char* kToolkitFolder = "/usr/local/cuda/lib64";

std::vector<std::string> named_folders() {
  std::vector<std::string> folders;
  const char* list = std::getenv(kFoldersVariable);
  std::istringstream in(list ? list : "");
  for (std::string folder; std::getline(in, folder, ':');)
    if (!folder.empty()) folders.push_back(folder);
  return folders;
}

std::string path_of(void* handle, const std::string& file) {
  const link_map* map = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name[0] != '\0' ? map->l_name : file;
}

}  // namespace

SharedLibrary::SharedLibrary(const std::string& product, const std::string& file) : product_(product) {
  const std::vector<std::string> named = named_folders();
  std::vector<std::string> candidates;
  for (const std::string& folder : named) candidates.push_back(folder + "/" + file);
  candidates.push_back(file);
  candidates.push_back(std::string(kToolkitFolder) + "/" + file);

  std::string damaged;  // the loader's word on a file that is there but does not load
  for (const std::string& candidate : candidates) {
    handle_ = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_) break;
    const char* reason = dlerror();
    if (reason && damaged.empty() && candidate.find('/') != std::string::npos &&
        access(candidate.c_str(), F_OK) == 0)
      damaged = fmt::format(" ({})", reason);
  }
  if (!handle_)
    throw Error(
        ErrorKind::Device,
        fmt::format(
            "{} is not there: {} was sought in {}, on the loader's path and in {}{}; install it, or name "
            "its folder in {}",
            product, file,
            named.empty() ? std::string(kFoldersVariable) + " (not set)" : std::getenv(kFoldersVariable),
            kToolkitFolder, damaged, kFoldersVariable));
  path_ = path_of(handle_, file);
}

void* SharedLibrary::symbol(const char* name) const {
  void* address = dlsym(handle_, name);
  if (!address)
    throw Error(ErrorKind::Device,
                fmt::format("{} has no {}: it is older than {}, which tyto needs", path_, name, product_));
  return address;
}

}  // namespace tyto::cuda
