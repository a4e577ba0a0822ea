// Arrays as numpy and safetensors keep them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "tyto/tensor.h"

namespace tyto::apps {

// Of a .npy file its array; of a .npz or .safetensors file the array called `name`, or, where name is empty
// or no array has it, the only one. Little-endian and row-major, numbers and bools. Error{File};
// Error{Format} names the file and what is wrong with it, Error{Unsupported} a type that tyto lacks.
Tensor read_array(const std::filesystem::path& file, const std::string& name);

// STEM with the first extension of which there is a file: .safetensors, .npz, .npy.
std::optional<std::filesystem::path> find_array(const std::filesystem::path& stem);
bool is_array_file(const std::filesystem::path& file);  // by its extension

}  // namespace tyto::apps
