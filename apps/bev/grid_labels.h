// Which cells of a grid should have been found, from files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tyto/tensor.h"

namespace tyto::apps {

// FOLDER/ID.safetensors, .npz, .npy or .png as U8 [classes, rows, columns], 0 where a cell is not of the
// class: rows and columns as the network's map has them. Of arrays, the one called "labels" or the only one,
// of any type of numbers; [rows, columns] serves one class. A picture of several classes has their maps one
// below the other; a pixel that is not black is of the class. Nothing where there is no such file; Error as
// of read_array() and decode(), Error{Shape} names the file and both sizes.
std::optional<Tensor> read_labels(const std::filesystem::path& folder, const std::string& id, int64_t classes,
                                  int64_t rows, int64_t columns);

// Of which samples there is a file in the folder, as their names are in safe_file_name(); sorted.
// Error{File}.
std::vector<std::string> labelled_samples(const std::filesystem::path& folder);

}  // namespace tyto::apps
