#include "emulation/instrument/source_lines.h"

#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <sstream>

namespace emulation::instrument {
namespace {

constexpr size_t kBatch = 4000;  // one command line

std::string this_program() {
  std::array<char, 4096> path;
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  return std::string(path.data(), size > 0 ? static_cast<size_t>(size) : 0);
}

uintptr_t load_address() {
  uintptr_t address = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* program, size_t, void* result) {
        *static_cast<uintptr_t*>(result) = program->dlpi_addr;
        return 1;
      },
      &address);
  return address;
}

std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) return output;
  std::array<char, 4096> part;
  while (const size_t size = fread(part.data(), 1, part.size(), pipe)) output.append(part.data(), size);
  pclose(pipe);
  return output;
}

// "ROOT/build/link/../../kernels/norm/norm.cu:83 (discriminator 2)" -> "kernels/norm/norm.cu:83"
std::string tidy(std::string frame) {
  std::error_code ignored;
  frame = std::filesystem::weakly_canonical(frame.substr(0, frame.find(" (")), ignored).string();
  const std::string root = EMULATION_SOURCE_ROOT;
  if (frame.starts_with(root)) frame.erase(0, root.size());
  return frame.starts_with("??") ? "?" : frame;
}

bool in_cuda_file(const std::string& frame) { return frame.find(".cu:") != std::string::npos; }

}  // namespace

void SourceLines::resolve(const std::vector<const void*>& positions) {
  std::vector<const void*> unknown;
  for (const void* position : positions)
    if (lines_.try_emplace(position, "?").second) unknown.push_back(position);
  const std::string command = "addr2line -i -e '" + this_program() + "'";
  const uintptr_t base = load_address();
  for (size_t begin = 0; begin < unknown.size(); begin += kBatch) {
    const size_t end = std::min(begin + kBatch, unknown.size());
    std::ostringstream batch;
    batch << command << " -a" << std::hex;
    for (size_t i = begin; i < end; ++i)  // the call itself, not what follows it
      batch << " 0x" << reinterpret_cast<uintptr_t>(unknown[i]) - base - 1;
    std::istringstream output(output_of(batch.str()));
    // An address, then its frames from the innermost outwards.
    size_t next = begin;
    std::string line, *name = nullptr;
    while (std::getline(output, line)) {
      if (line.starts_with("0x")) {
        name = next < end ? &lines_[unknown[next++]] : nullptr;
      } else if (name && (*name == "?" || (in_cuda_file(line) && !in_cuda_file(*name)))) {
        *name = tidy(line);
      }
    }
  }
}

const std::string& SourceLines::at(const void* position) const { return lines_.at(position); }

}  // namespace emulation::instrument
