// Decodes and preprocesses for a Python test. Commands on standard input, each answered with the line
// "ok WIDTH HEIGHT" and raw bytes, or with "error KIND MESSAGE":
//   decode EXIF PATH                the RGB bytes; EXIF 1 applies the orientation
//   preprocess RULE                 the rule for what follows, as JSON; no bytes, and a nominal size
//   input PATH                      the network's input, 3 x HEIGHT x WIDTH floats
#include <iostream>
#include <optional>
#include <string>

#include "apps/images/decode.h"
#include "engine/images/image_fit.h"
#include "engine/images/preprocessing.h"
#include "tyto/error.h"

namespace {

using tyto::apps::decode;

template <class T>
void write(const T& values) {
  std::cout.write(reinterpret_cast<const char*>(values.data()),
                  static_cast<std::streamsize>(values.size() * sizeof(values[0])));
}

std::string rest_of_line() {
  std::string line;
  std::getline(std::cin >> std::ws, line);
  return line;
}

void run(const std::string& command, std::optional<tyto::Preprocessor>& preprocessor) {
  if (command == "decode") {
    int exif = 0;
    std::cin >> exif;
    const tyto::Image image = decode(rest_of_line(), exif == 1);
    std::cout << "ok " << image.width << ' ' << image.height << '\n';
    write(image.rgb);
  }
  if (command == "preprocess") {
    preprocessor.emplace(tyto::preprocessing_from_json(rest_of_line()));
    const tyto::NetworkSize size = nominal_size(preprocessor->rule());
    std::cout << "ok " << size.width << ' ' << size.height << '\n';
  }
  if (command == "input") {
    const tyto::Image image = decode(rest_of_line());
    const tyto::ImageFit fit = fit_image(preprocessor->rule(), image.width, image.height);
    std::vector<float> input(static_cast<size_t>(fit.values()));
    preprocessor->run(image, input);
    std::cout << "ok " << fit.width << ' ' << fit.height << '\n';
    write(input);
  }
}

}  // namespace

int main() {
  std::optional<tyto::Preprocessor> preprocessor;
  for (std::string command; std::cin >> command;) {
    try {
      run(command, preprocessor);
    } catch (const tyto::Error& error) {
      std::cout << "error " << static_cast<int>(error.kind()) << ' ' << error.what() << '\n';
    }
    std::cout.flush();
  }
}
