// Preprocesses images for a Python test: commands on standard input, answers on standard output.
//   rule JSON              what the commands after it follow
//   fit WIDTH HEIGHT       a line: the input's width and height, the resized image's, both scales
//   run WIDTH HEIGHT       then the image, 3 bytes a pixel; the input, [3, height, width] floats
#include <fmt/format.h>

#include <iostream>
#include <string>
#include <vector>

#include "engine/images/image_fit.h"
#include "engine/images/preprocessing.h"

using namespace tyto;

int main() {
  std::ios::sync_with_stdio(false);
  Preprocessing rule;
  for (std::string command; std::cin >> command;) {
    if (command == "rule") {
      std::string json;
      std::getline(std::cin, json);
      rule = preprocessing_from_json(json);
      continue;
    }
    Image image;
    std::cin >> image.width >> image.height;
    std::cin.ignore(1);  // the newline
    const ImageFit fit = fit_image(rule, image.width, image.height);
    if (command == "fit") {
      const Geometry g = fit.geometry();
      std::cout << fmt::format("{} {} {} {} {} {}\n", fit.width, fit.height, g.resized_width,
                               g.resized_height, g.scale_x, g.scale_y);
    } else {
      image.rgb.resize(size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height));
      std::cin.read(reinterpret_cast<char*>(image.rgb.data()),
                    static_cast<std::streamsize>(image.rgb.size()));
      std::vector<float> input(static_cast<size_t>(fit.values()));
      Preprocessor(rule).run(image, input);
      std::cout.write(reinterpret_cast<const char*>(input.data()),
                      static_cast<std::streamsize>(input.size() * sizeof(float)));
    }
    std::cout.flush();
  }
}
