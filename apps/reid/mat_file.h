// Arrays of MATLAB's MAT-files of version 5 (what MATLAB's `save -v7` and scipy write): matrices of numbers,
// and cells of them. A reader of our own, for matio takes the memory that a damaged file asks for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tyto::apps {

struct MatArray {
  int64_t rows = 0, columns = 0;
  bool of_cells = false;
  std::vector<MatArray> cells;  // [rows, columns], both column by column
  std::vector<double> numbers;
};

// The array of that name. Error{File} or Error{Format} names the file: it is no MAT-file, of another version,
// cut off, larger than 16 MB, has no such array, or holds something else than real numbers and cells in it.
// Source: MathWorks, "MAT-File Format".
MatArray read_mat_array(const std::filesystem::path& path, const std::string& name);

}  // namespace tyto::apps
