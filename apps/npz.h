// Arrays for numpy.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tyto/tensor.h"

namespace tyto::apps {

// An .npz file as numpy.savez() makes it, through a temporary name; equal arrays give equal bytes. bfloat16,
// which numpy has not, becomes F32. Error{File}.
void write_npz(const std::filesystem::path& path, const std::vector<std::pair<std::string, Tensor>>& arrays);

}  // namespace tyto::apps
