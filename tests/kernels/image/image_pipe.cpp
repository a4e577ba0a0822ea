// Runs the image kernels for a Python test: commands with raw arrays on standard input, raw results on
// standard output.
//   resize METHOD in_width in_height out_width out_height x y width height   then the image, 3 bytes a pixel
//   floats the same; the result is 3 planes of floats, 0..255
//   bicubic planes height width scale                                        then the planes, float
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "kernels/image/bicubic.h"
#include "kernels/image/resize.h"
#include "kernels/image/resize_bilinear.h"

using namespace tyto::kernels;

namespace {

template <class T>
std::vector<T> read_array(size_t count) {
  std::vector<T> values(count);
  std::cin.ignore(1);  // the newline after the command
  std::cin.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
  return values;
}

template <class T>
void write_array(const std::vector<T>& values) {
  std::cout.write(reinterpret_cast<const char*>(values.data()),
                  static_cast<std::streamsize>(values.size() * sizeof(T)));
  std::cout.flush();
}

ResizeParams read_resize() {
  ResizeParams p;
  int method = 0;
  std::cin >> method >> p.in_width >> p.in_height >> p.out_width >> p.out_height >> p.window_x >>
      p.window_y >> p.window_width >> p.window_height;
  p.resampling = static_cast<Resampling>(method);
  return p;
}

void run_floats(BilinearScratch& scratch) {
  const ResizeParams p = read_resize();
  const auto image = read_array<uint8_t>(size_t(3) * p.in_width * p.in_height);
  const int64_t area = int64_t{p.window_width} * p.window_height;
  std::vector<float> planes(static_cast<size_t>(3 * area));
  resize_bilinear_cpu(image.data(), p, make_normalize_table({.scale = 1}), planes.data(), area,
                      p.window_width, scratch);
  write_array(planes);
}

void run_resize(ResizeScratch& scratch) {
  const ResizeParams p = read_resize();
  // Exactly as many bytes as the contract asks for, so that the sanitizers see a read or write beyond.
  const auto image = read_array<uint8_t>(size_t(3) * p.in_width * p.in_height);
  std::vector<uint8_t> out(size_t(3) * p.window_width * p.window_height);
  resize_cpu(image.data(), out.data(), int64_t{3} * p.window_width, p, scratch);
  write_array(out);
}

void run_bicubic() {
  BicubicParams p;
  std::cin >> p.planes >> p.height >> p.width >> p.scale;
  const auto in = read_array<float>(static_cast<size_t>(p.planes * p.height * p.width));
  std::vector<float> out(
      static_cast<size_t>(p.planes * bicubic_size(p.height, p.scale) * bicubic_size(p.width, p.scale)));
  bicubic_cpu(in.data(), out.data(), p);
  write_array(out);
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  ResizeScratch scratch;
  BilinearScratch bilinear_scratch;
  for (std::string command; std::cin >> command;) {
    if (command == "resize") run_resize(scratch);
    if (command == "floats") run_floats(bilinear_scratch);
    if (command == "bicubic") run_bicubic();
  }
}
