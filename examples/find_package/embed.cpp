// A program outside tyto's tree: the feature of one image. Usage: embed MODEL
#include <tyto/tyto.h>

#include <cstdio>
#include <vector>

int main(int argc, char** argv) try {
  if (argc != 2) throw tyto::Error(tyto::ErrorKind::Usage, "usage: embed MODEL");
  const tyto::Model model(argv[1]);
  tyto::Context context({.device = "cpu"});
  tyto::FeatureExtractor extractor(model, context, {.batch = 1});

  tyto::Image image{640, 480, std::vector<uint8_t>(640 * 480 * 3)};
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 7 % 251);

  const tyto::Tensor feature = extractor.extract({&image, 1});
  double squares = 0;
  for (float f : feature.as<float>()) squares += double{f} * f;
  std::printf("%s: %s, length %.4f\n", model.info().network.c_str(), feature.shape().str().c_str(), squares);
} catch (const tyto::Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
